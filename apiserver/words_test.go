package apiserver

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// The query job_status has the words of /job_status, and API servers can read it.
func TestTheQuerySpeaksOurWords(t *testing.T) {
	at := time.Unix(1700000000, 0).UTC()
	s := job.Status{
		Name: "j1", Running: true, ProgressState: job.DBIncrementalSync, Phase: job.PhaseApply, Stalled: true, Doing: "apply", Position: job.Position{CommitSeq: 7},
		Problem: &job.Problem{Text: "refused", Kind: job.KindFE, CommitSeq: 9, BinlogType: binlog.TypeDropTable, Since: at, Tries: 2, Remedy: "grant"},
		Lag:     binlog.Lag{Binlogs: 3, ObservedAt: at}, FullSyncs: 1, PartialSyncs: 2,
	}
	data, err := json.Marshal(job.StatusAnswer{Status: s, Words: s.Words()})
	require.NoError(t, err)
	var read job.Status
	require.NoError(t, json.Unmarshal(data, &read))
	require.Equal(t, s, read)

	var query struct{ Status map[string]any }
	require.NoError(t, json.Unmarshal(data, &query))
	data, err = json.Marshal(newStatus("j1", s))
	require.NoError(t, err)
	var http map[string]any
	require.NoError(t, json.Unmarshal(data, &http))
	delete(http, "behind_secs") // that is of now
	require.Equal(t, http, query.Status)
}
