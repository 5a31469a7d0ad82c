package problem

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page for operators in trouble has every text of Doris that has a remedy,
// and every setting that the remedy names.
func TestTroubleshootingHasTheTexts(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	require.NoError(t, err)
	text := strings.Join(strings.Fields(string(page)), " ")
	names := regexp.MustCompile(`[a-z]+(_[a-z]+)+`)
	for _, k := range knownRefusals {
		require.True(t, strings.Contains(text, strings.TrimPrefix(k.part, "[")), "%q is missing", k.part)
		for _, name := range names.FindAllString(k.remedy, -1) {
			require.True(t, strings.Contains(text, name), "%s is missing, which helps against %q", name, k.part)
		}
	}
	for _, remedy := range []string{remedyUnreachable, remedyFetch, RemedySnapshot, RemedyNoTable} {
		require.True(t, strings.Contains(text, remedy), "%q is missing", remedy)
	}
}
