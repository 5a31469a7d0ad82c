package conformance

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRecordingsLimit bounds what may differ for good: 3 % of the recorded SQL
// and calls.
func TestRecordingsLimit(t *testing.T) {
	entries, kept := 0, 0
	files := map[string]bool{}
	for _, name := range []string{"scenario.real.json", "shows.real.json", "rpcs.real.json"} {
		files[name] = true
		entries += len(readRecording[[]json.RawMessage](t, name))
	}
	for _, name := range differenceFiles {
		for _, d := range readRecording[[]keptDifference](t, name) {
			if files[d.File] {
				kept++
			}
		}
	}
	require.LessOrEqual(t, 100*kept, 3*entries, "%d of %d entries differ for good", kept, entries)
}
