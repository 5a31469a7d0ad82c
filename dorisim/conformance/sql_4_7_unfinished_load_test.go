package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

// TestRestoreBesideAnOpenLoad: a transaction that has written its rows before a
// restore in place begins cannot commit while the partition is being restored.
// Afterwards its rows are gone with the old tablets: it never becomes visible,
// instead of becoming visible without them.
func TestRestoreBesideAnOpenLoad(t *testing.T) {
	from := source(t)
	c, s := private(t)
	w := newTwin(t, from, s)
	label, meta, info := w.backUp(t)
	txn, infos := w.load()
	hold, err := c.Faults().Add(faults.Rule{Point: "restore.DOWNLOADING", Action: faults.Hold})
	require.NoError(t, err)
	requireOK(t, s.restore(restoreRequest(t, w.toDB, label+"_r", meta, info)))
	s.waitState("DOWNLOADING", "SHOW RESTORE FROM `%s`", w.toDB)
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "is in restore process. Can not load into it", s.commit(w.toDB, txn, infos))
	faultstest.Release(t, c.Faults(), hold)
	s.waitState("FINISHED", "SHOW RESTORE FROM `%s`", w.toDB)
	require.Equal(t, "1,2,3", values(s.query("SELECT k FROM `%s`.`orders` ORDER BY k", w.toDB), "k"))
	requireStatus(t, status.TStatusCode_PUBLISH_TIMEOUT, "", s.commitWithin(w.toDB, txn, infos, 20*time.Millisecond))
}

// TestRestoreBesideACommittedLoad is check 5 of doris-sql.md 4.6: versions before
// `new` refuse to restore in place what a load is about to change.
func TestRestoreBesideACommittedLoad(t *testing.T) {
	for _, version := range []core.Version{core.Version21, core.Version30} {
		t.Run(string(version), func(t *testing.T) {
			from := source(t)
			c, s := private(t, func(cfg *dorisim.Config) { cfg.Version = version })
			w := newTwin(t, from, s)
			label, meta, info := w.backUp(t)
			txn, infos := w.load()
			hold, err := c.Faults().Add(faults.Rule{Point: core.FaultPublish, Action: faults.Hold})
			require.NoError(t, err)
			requireStatus(t, status.TStatusCode_PUBLISH_TIMEOUT, "", s.commitWithin(w.toDB, txn, infos, time.Millisecond))
			requireOK(t, s.restore(restoreRequest(t, w.toDB, label+"_r", meta, info)))
			cancelled := s.waitState("CANCELLED", "SHOW RESTORE FROM `%s`", w.toDB)
			require.Equal(t, "[COMMON_ERROR, msg: Table orders's has unfinished load job]", cancelled["Status"])
			faultstest.Release(t, c.Faults(), hold)
			require.Eventually(t, func() bool {
				return s.query("SHOW TRANSACTION FROM `%s` WHERE id = %d", w.toDB, txn)[0]["TransactionStatus"] == "VISIBLE"
			}, patience, 5*time.Millisecond)
			requireOK(t, s.restore(restoreRequest(t, w.toDB, label+"_r2", meta, info)))
			s.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s_r2\"", w.toDB, label)
			require.Len(t, s.query("SELECT k FROM `%s`.`orders`", w.toDB), 3)
		})
	}
}
