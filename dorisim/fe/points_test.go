package fe_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
)

// TestMethodsAreFaultPoints: the point of every method is known, so that rules
// for it are not refused.
func TestMethodsAreFaultPoints(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	passed := regexp.MustCompile(`(?:answer|serve)\(ctx, s, "(\w+)"`)
	found := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range passed.FindAllStringSubmatch(string(text), -1) {
			require.Contains(t, faults.Points(), "fe."+m[1])
			found++
		}
	}
	require.Greater(t, found, 10)
}
