package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/client"
)

func TestDescribeTellsHowFarASnapshotIs(t *testing.T) {
	for answer, want := range map[string]string{
		`{}`: "",
		`{"copying":{"tablets":120,"tablets_left":30}}`:                                                          "Copying:\t30 of 120 tablets left\n",
		`{"copying":{"tablets":120,"tablets_left":30,"about_bytes":42949672960,"about_bytes_done":32212254720}}`: "Copying:\t30 of 120 tablets left, about 30.0 GiB of 40.0 GiB (all replicas counted)\n",
	} {
		var (
			s client.Status
			w strings.Builder
		)
		require.NoError(t, json.Unmarshal([]byte(answer), &s))
		printCopying(&w, &s)
		require.Equal(t, want, w.String())
	}
}
