package e2e

import (
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// Destinations that are older than the source.
func versionRemedies() []remedyRow {
	return []remedyRow{
		{name: "transactions that an old destination cannot take come by a full sync", helps: []string{"the destination must support transactional inserts (3.0 or later); or job_skip_binlog with skip_by fullsync brings what they did"},
			pages: []string{"`... sub-transactions asked for, ... given`, `The txn insert is not supported yet`"},
			play: func(t *trouble) {
				older := clusters(t.T, harness.PairOptions{BEs: 1, Version: core.Version21})
				t.pair.Destination, t.dst = older.pair.Destination, older.dst
				t.tables("t", "u")
				t.replicate()
				t.exec("BEGIN", "INSERT INTO d.t VALUES (2, 'txn')", "INSERT INTO d.u VALUES (2, 'txn')", "COMMIT")
				t.stands("sub-transactions asked for", t.row.helps[0])
				t.order(t.said("job_skip_binlog"), map[string]any{"skip_by": t.said("fullsync")})
				t.full = 2
				t.goesOn("t", "u")
				require.NoError(t, t.sameTables(t.ctx, "t", "u"))
			}},
	}
}
