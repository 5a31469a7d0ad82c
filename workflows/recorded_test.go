package workflows_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"github.com/doris-ccr/ccr/workflows/histories"
)

// Each change of the sequence of steps has a recorded history of a job that went
// the new way: without one, the next change could break such jobs unnoticed. The
// old way is kept by the histories of the releases before.
func TestEveryVersionHasARecordedHistory(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*/*.json*")
	require.NoError(t, err)
	recorded := map[string]string{}
	for _, file := range files {
		history, err := histories.Load(file)
		require.NoError(t, err)
		for _, event := range history.GetEvents() {
			if event.GetEventType() != enumspb.EVENT_TYPE_MARKER_RECORDED {
				continue
			}
			marker := event.GetMarkerRecordedEventAttributes()
			if marker.GetMarkerName() != "Version" {
				continue
			}
			var id string
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(marker.GetDetails()["change-id"], &id))
			recorded[id] = file
		}
	}
	for _, c := range listedChanges(t, sources(t)["versions.go"]) {
		if recorded[c.id] == "" {
			t.Errorf("no recorded history has the change %s of %s: make record-histories (docs/upgrade.md)", c.id, c.release)
		}
	}
}
