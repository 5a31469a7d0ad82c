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
		`{"copying":{"tablets":2,"tablets_left":1,"about_bytes":3072,"about_bytes_done":1536}}`:                  "Copying:\t1 of 2 tablets left, about 1.5 KiB of 3.0 KiB (all replicas counted)\n",
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
