package adopt

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

func of(spec job.Spec) *Job { return New(&pair.Job{Spec: spec}) }

// Labels of the existing syncer (doris-binlogs.md 5.1). Those of other jobs, of
// ccr itself and of loads are not its own.
func TestForeignLabels(t *testing.T) {
	database := of(job.Spec{Source: job.Cluster{DatabaseID: 10}, Destination: job.Cluster{DatabaseID: 20}})
	table := of(job.Spec{
		Source:      job.Cluster{DatabaseID: 10, Table: "t", TableID: 11},
		Destination: job.Cluster{DatabaseID: 20, Table: "u", TableID: 21},
	})
	for _, tt := range []struct {
		of    *Job
		label string
		seq   int64
	}{
		{database, "ccrj-1a2b:db_sync:10:20:1234", 1234},
		{database, "ccrj-0:db_sync:10:20:5", 5},
		{database, "ccrj-1a2b:db_sync:10:21:1234", 0},
		{database, "ccrj-1a2b:db_sync:101:20:1234", 0},
		{database, "ccrj-1a2b:table_sync:10_11:20_21:1234", 0},
		{database, "ccrj-0123456789abcdef:1700000000:10:1234", 0}, // ours
		{database, "ccrj-1a2b:db_sync:10:20:x", 0},
		{database, "ccrj-1a2b:db_sync:10:20:-1", 0},
		{database, "load:db_sync:10:20:1234", 0},
		{table, "ccrj-1a2b:table_sync:10_11:20_21:77", 77},
		{table, "ccrj-1a2b:table_sync:10_12:20_21:77", 0},
		{table, "ccrj-1a2b:db_sync:10:20:77", 0},
	} {
		seq, ours := tt.of.seqOfLabel(tt.label)
		require.Equal(t, tt.seq != 0, ours, tt.label)
		if ours {
			require.Equal(t, tt.seq, seq, tt.label)
		}
	}
}
