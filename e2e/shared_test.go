package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// TestLoadsShareTransactions: a job that is behind applies loads of the same tables in
// shared transactions, of Doris 3.0 on, and is killed in the middle of it. Updates of
// one key of a merge-on-write table are applied in their order, rows of a duplicate
// table once.
func TestLoadsShareTransactions(t *testing.T) {
	for _, version := range []core.Version{core.VersionNew, core.Version21} {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			e := newOwnEnv(t, harness.PairOptions{BEs: 2, Version: version})
			e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"),
				`CREATE TABLE d.u (id INT, v INT) UNIQUE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2
					PROPERTIES ("replication_num" = "2", "enable_unique_key_merge_on_write" = "true")`)
			e.enableBinlog("d", "t", "u")
			job := e.createJob("d", "", "d", "")
			e.awaitEqual(job, "d", "d")
			pace := e.pair.Destination.Profile()
			pace.Commit = core.Realistic.Commit // so that a kill finds some to do
			e.pair.Destination.SetProfile(pace)
			_, err := e.ccr.Call(e.ctx, "pause", map[string]any{"name": job})
			require.NoError(t, err)
			before := rowsOf(e.ctx, e.dst)
			for i := range 150 {
				e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'x')", i))
				if i%3 != 0 {
					e.exec(fmt.Sprintf("INSERT INTO d.u VALUES (%d, %d)", i%2, i))
				}
			}
			_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": job})
			require.NoError(t, err)
			require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
				if rowsOf(ctx, e.dst) == before {
					return fmt.Errorf("nothing is applied yet")
				}
				return nil
			}))
			e.ccr.Kill()
			require.NoError(t, e.ccr.Start(e.ctx))
			e.awaitEqual(job, "d", "d")
			e.requireFullSyncs(job, 1)
			require.Equal(t, version != core.Version21, e.shares() > 0)
		})
	}
}

// shares counts the transactions of the destination that were committed with
// sub-transactions.
func (e *env) shares() (n int) {
	c := e.pair.Destination.Core()
	c.RLock()
	db, ok := c.Database("d")
	c.RUnlock()
	require.True(e, ok)
	for _, tx := range c.Txns(db.ID) {
		if tx.State == core.TxnVisible && len(tx.SubIDs) > 0 {
			n++
		}
	}
	return n
}
