package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/core"
)

func TestCommit(t *testing.T) {
	w := newTwin(t, source(t), destination(t))
	s := w.to
	txn := s.begin(w.toDB, w.tableID)
	infos := s.ingestAll(w.ingestions(txn))
	require.Len(t, infos, 4, "two tablets with two replicas each")
	require.Empty(t, s.query("SELECT * FROM `%s`.`orders`", w.toDB), "not visible before the commit")
	for range 2 { // committing twice is idempotent
		requireOK(t, s.commit(w.toDB, txn, infos))
	}
	require.Equal(t, "1,2,3", values(s.query("SELECT * FROM `%s`.`orders` ORDER BY `k`", w.toDB), "k"))
	p := s.tableMeta(w.toDB, "orders").Partitions[0]
	require.EqualValues(t, 2, p.GetVisibleVersion())
	for _, tablet := range p.Indexes[0].Tablets {
		for _, r := range tablet.Replicas {
			require.EqualValues(t, 2, r.GetVersion())
		}
	}
	// The destination has binlogs on, so it records an UPSERT of its own.
	require.Equal(t, txn, decodeUpsert(t, s.nextUpsert(w.toDB, -1)).TxnID)
}

func TestCommitRefusals(t *testing.T) {
	w := newTwin(t, source(t), destination(t))
	s := w.to
	analysis(t, "transaction [4] not found", s.commit(w.toDB, 4, nil))
	analysis(t, "unknown database, database=no_such_db", s.commit("no_such_db", 4, nil))

	txn := s.begin(w.toDB, w.tableID)
	infos := s.ingestAll(w.ingestions(txn))
	one := infos[:1] // one replica of one tablet
	got := s.commit(w.toDB, txn, one)
	require.Equal(t, status.TStatusCode_ANALYSIS_ERROR, got.StatusCode)
	require.Regexp(t, `Failed to commit txn \d+, cause tablet \d+ succ replica num [01] < load required replica num 2\. table \d+, `+
		`partition: \[ id=\d+, commit version 1, visible version 1 \], this tablet detail: `, got.ErrorMsgs[0])
	// Still PREPARE: with all infos it goes through. Unknown tablets are ignored.
	infos = append(infos, &thrifttypes.TTabletCommitInfo{TabletId: 4, BackendId: infos[0].BackendId})
	requireOK(t, s.commit(w.toDB, txn, infos))

	aborted := s.begin(w.toDB, w.tableID)
	requireOK(t, s.rollback(w.toDB, aborted))
	analysis(t, "transaction ["+itoa(aborted)+"] is already aborted. abort reason: conformance", s.commit(w.toDB, aborted, nil))

	orphan := s.begin(w.toDB, w.tableID)
	s.exec("DROP TABLE `%s`.`orders` FORCE", w.toDB)
	got = s.commit(w.toDB, orphan, nil)
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "errCode = 7, detailMessage = table not found, tableId="+itoa(w.tableID), got)
	rollback := s.rollback(w.toDB, orphan)
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "errCode = 7, detailMessage = table not found, tableId="+itoa(w.tableID), rollback)
}

// TestCommitWithoutOneReplica: a majority is enough; the missing replica is
// repaired later.
func TestCommitWithoutOneReplica(t *testing.T) {
	from, to := source(t), destination(t)
	db, toDB := from.database(), to.database()
	from.table(db, "orders", 3)
	to.table(toDB, "orders", 3)
	prev := from.lastSeq(db)
	from.exec("INSERT INTO `%s`.`orders` VALUES (1, 10)", db)
	from.nextUpsert(db, prev)
	sourcePartition, partition := from.tableMeta(db, "orders").Partitions[0], to.tableMeta(toDB, "orders").Partitions[0]
	txn := to.begin(toDB, to.tableMeta(toDB, "orders").GetID())
	list := ingestions(from, to, sourcePartition, partition, 2, txn)
	require.Len(t, list, 6)
	left := list[0].backend.GetID()
	var most []ingestion
	for _, i := range list {
		if i.backend.GetID() != left {
			most = append(most, i)
		}
	}
	requireOK(t, to.commit(toDB, txn, to.ingestAll(most)))
	require.Eventually(t, func() bool {
		for _, tablet := range to.tableMeta(toDB, "orders").Partitions[0].Indexes[0].Tablets {
			for _, r := range tablet.Replicas {
				if r.GetVersion() != 2 {
					return false
				}
			}
		}
		return true
	}, patience, 10*time.Millisecond)
}

// TestOnlyCommitAndPublishTimeout need a publish that takes its time.
func TestOnlyCommitAndPublishTimeout(t *testing.T) {
	c, s := private(t)
	publishAfter := func(d time.Duration) {
		p := core.Instant
		p.Publish = d
		c.SetProfile(p)
	}
	w := newTwin(t, source(t), s)
	commit := func(timeout int64, only bool) (int64, *status.TStatus) {
		txn := s.begin(w.toDB, w.tableID)
		result, err := s.fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: new(user), Passwd: new(password), Db: &w.toDB,
			DbID: new(s.meta(w.toDB).GetID()), TxnID: &txn, CommitInfos: s.ingestAll(w.ingestions(txn)), ThriftRPCTimeoutMs: &timeout, OnlyCommit: &only})
		require.NoError(t, err)
		return txn, result.Status
	}
	state := func(txn int64) string {
		rows := s.query("SHOW TRANSACTION FROM `%s` WHERE id = %d", w.toDB, txn)
		require.Len(t, rows, 1)
		return rows[0]["TransactionStatus"]
	}
	visible := func(txn int64) func() bool { return func() bool { return state(txn) == "VISIBLE" } }

	publishAfter(2 * time.Second)
	txn, got := commit(60_000, true)
	requireOK(t, got)
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "transaction ["+itoa(txn)+"] is already COMMITTED, could not abort.", s.rollback(w.toDB, txn))
	require.Eventually(t, visible(txn), patience, 10*time.Millisecond)
	publishAfter(500 * time.Millisecond)
	txn, got = commit(20, false)
	requireStatus(t, status.TStatusCode_PUBLISH_TIMEOUT, "transaction commit successfully, BUT data will be visible later", got)
	require.Eventually(t, visible(txn), patience, 10*time.Millisecond)
	publishAfter(0)
	txn, got = commit(60_000, false)
	requireOK(t, got)
	require.Equal(t, "VISIBLE", state(txn))
	require.Len(t, s.query("SELECT * FROM `%s`.`orders`", w.toDB), 9)
}
