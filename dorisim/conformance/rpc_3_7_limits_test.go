package conformance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
)

// TestLabelsAreForgotten: by age and by number of the database's finished
// transactions, whatever they ended with, and by limits that change at run time.
func TestLabelsAreForgotten(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "t", 1)
	id := s.tableMeta(db, "t").GetID()
	applied := func(label string) int64 {
		txn := s.beginTxn(beginRequest(db, []int64{id}, label))
		requireOK(t, txn.Status)
		requireOK(t, s.commit(db, txn.GetTxnID(), []*thrifttypes.TTabletCommitInfo{}))
		return txn.GetTxnID()
	}
	known := func(label string) bool {
		r := s.beginTxn(beginRequest(db, []int64{id}, label))
		if r.Status.StatusCode == status.TStatusCode_LABEL_ALREADY_EXISTS {
			return true
		}
		requireOK(t, r.Status)
		requireOK(t, s.rollback(db, r.GetTxnID())) // which is one more finished transaction
		return false
	}
	applied("first")
	s.exec("ADMIN SET FRONTEND CONFIG ('label_num_threshold' = '4')")
	s.exec("INSERT INTO `%s`.t VALUES (1, 1)", db) // other loads count
	require.False(t, known("aborted"))             // and so do aborted transactions
	require.False(t, known("aborted2"))
	require.True(t, known("first"), "the oldest of four")
	s.exec("INSERT INTO `%s`.t VALUES (2, 2)", db)
	require.False(t, known("first"), "the oldest of five")

	s.exec("ADMIN SET FRONTEND CONFIG ('label_num_threshold' = '-1')")
	applied("second")
	for range 20 {
		require.False(t, known("other"))
	}
	require.True(t, known("second"), "without a limit")
	s.exec("ADMIN SET FRONTEND CONFIG ('label_num_threshold' = '3')")
	require.False(t, known("second"))

	number := applied("third")
	s.exec("ADMIN SET FRONTEND CONFIG ('streaming_label_keep_max_second' = '60')")
	c.AdvanceClock(50 * time.Second)
	require.True(t, known("third"))
	c.AdvanceClock(20 * time.Second)
	s.refuses(1105, "transaction with label third does not exist", "SHOW TRANSACTION FROM `%s` WHERE label = 'third'", db)
	s.refuses(1105, "does not exist", "SHOW TRANSACTION FROM `%s` WHERE id = %d", db, number)
	require.False(t, known("third"))
}

// TestLostCoordinator: a backend that is dead for 300 s takes the transactions
// along that named it, or that named none and come from its host.
func TestLostCoordinator(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "t", 1)
	id := s.tableMeta(db, "t").GetID()
	begin := func(label string, coordinator int64) int64 {
		r := beginRequest(db, []int64{id}, label)
		if coordinator != 0 {
			r.BackendID = &coordinator
		}
		txn := s.beginTxn(r)
		requireOK(t, txn.Status)
		return txn.GetTxnID()
	}
	state := func(txn int64) row { return s.query("SHOW TRANSACTION FROM `%s` WHERE id = %d", db, txn)[0] }
	dead, alive := c.BE(0).ID(), c.BE(1).ID()
	unsaid, named, nobody, other := begin("unsaid", 0), begin("named", dead), begin("nobody", 999_999_999), begin("other", alive)
	require.Equal(t, "BE: 127.0.0.1", state(unsaid)["Coordinator"], "the client's address")
	require.NoError(t, c.KillBE(0))
	c.AdvanceClock(290 * time.Second)
	c.AdvanceClock(11 * time.Second)
	for _, txn := range []int64{unsaid, named} {
		require.Eventually(t, func() bool { return state(txn)["TransactionStatus"] == "ABORTED" }, patience, 10*time.Millisecond)
		require.Equal(t, "coordinate BE is down", state(txn)["Reason"])
	}
	for _, txn := range []int64{nobody, other} {
		require.Equal(t, "PREPARE", state(txn)["TransactionStatus"])
	}

	require.NoError(t, c.RestartBE(0))
	again := begin("again", dead)
	require.NoError(t, c.KillBE(0))
	require.NoError(t, c.RestartBE(0))
	require.Equal(t, "ABORTED", state(again)["TransactionStatus"])
	require.Equal(t, "PREPARE", state(nobody)["TransactionStatus"], "a restart takes along what named the backend")

	s.exec("ADMIN SET FRONTEND CONFIG ('enable_abort_txn_by_checking_coordinator_be' = 'false')")
	kept := begin("kept", dead)
	require.NoError(t, c.KillBE(0))
	c.AdvanceClock(time.Hour)
	c.Core().AbortLostCoordinators()
	require.Equal(t, "PREPARE", state(kept)["TransactionStatus"])
}

// TestTransactionOnDroppedTable: it can be neither committed nor rolled back,
// and keeps its label until its timeout.
func TestTransactionOnDroppedTable(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "t", 1)
	id := s.tableMeta(db, "t").GetID()
	request := beginRequest(db, []int64{id}, "l")
	request.Timeout = new(int64(60))
	txn := s.beginTxn(request)
	requireOK(t, txn.Status)
	s.exec("DROP TABLE `%s`.t FORCE", db)
	gone := fmt.Sprintf("errCode = 7, detailMessage = table not found, tableId=%d", id)
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, gone, s.commit(db, txn.GetTxnID(), []*thrifttypes.TTabletCommitInfo{}))
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, gone, s.rollback(db, txn.GetTxnID()))
	s.table(db, "t", 1)
	again := beginRequest(db, []int64{s.tableMeta(db, "t").GetID()}, "l")
	require.Equal(t, "RUNNING", s.beginTxn(again).GetJobStatus())
	c.AdvanceClock(61 * time.Second)
	require.Eventually(t, func() bool { return s.beginTxn(again).Status.StatusCode == status.TStatusCode_OK }, patience, 10*time.Millisecond)
}

// TestMessageSize: what is larger than the FE's limit gets no answer, whatever
// the size of its parts (doris-rpc.md 1.2).
func TestMessageSize(t *testing.T) {
	_, s := private(t, func(cfg *dorisim.Config) { cfg.FEConfig = map[string]string{"thrift_max_message_size": "100000"} })
	db := s.database()
	send := func(size int) error {
		result, err := frontend(t, s.thrift).RestoreSnapshot(ctx, &frontendservice.TRestoreSnapshotRequest{User: new(user), Passwd: new(password), Db: &db,
			LabelName: new("l"), RepoName: new("__keep_on_local__"), Properties: map[string]string{},
			Meta: []byte(strings.Repeat("m", size/2)), JobInfo: []byte(strings.Repeat("j", size/2))})
		if err == nil {
			require.NotEmpty(t, result.Status.ErrorMsgs)
		}
		return err
	}
	require.NoError(t, send(90_000))
	require.Error(t, send(120_000))
	require.NoError(t, send(90_000), "each message for itself")
}

// TestDataQuota: a database that is full takes no loads until it may have more
// (fe/fe-core, class QuotaExceedException).
func TestDataQuota(t *testing.T) {
	_, s := private(t)
	db := s.database()
	s.table(db, "t", 1)
	id := s.tableMeta(db, "t").GetID()
	s.exec("INSERT INTO `%s`.t VALUES (1, 1)", db)
	s.exec("ALTER DATABASE `%s` SET DATA QUOTA 10", db)
	full := s.beginTxn(beginRequest(db, []int64{id}, "full"))
	require.Contains(t, full.Status.ErrorMsgs[0], "Database["+db+"] data size exceeds quota[10.000 B]")
	for _, enough := range []string{"10M", "1 TB", "10485760"} {
		s.exec("ALTER DATABASE `%s` SET DATA QUOTA %s", db, enough)
		requireOK(t, s.beginTxn(beginRequest(db, []int64{id}, strings.ReplaceAll("q"+enough, " ", ""))).Status)
	}
}
