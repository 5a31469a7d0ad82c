package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// TestLostCommitReply: the outcome is unknown to the caller, but the label tells.
func TestLostCommitReply(t *testing.T) {
	c, s := private(t)
	w := newTwin(t, source(t), s)
	request := beginRequest(w.toDB, []int64{w.tableID}, newLabel())
	begun := s.beginTxn(request)
	requireOK(t, begun.Status)
	infos := s.ingestAll(w.ingestions(begun.GetTxnID()))
	_, err := c.Faults().Add(faults.Rule{Point: "fe.commitTxn", Action: faults.DropAfter, Count: 1})
	require.NoError(t, err)
	_, err = s.fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: new(user), Passwd: new(password), Db: &w.toDB, TxnID: begun.TxnID, CommitInfos: infos})
	require.Error(t, err)
	s.fe = frontend(t, s.thrift)
	again := s.beginTxn(request)
	require.Equal(t, status.TStatusCode_LABEL_ALREADY_EXISTS, again.Status.StatusCode)
	require.Equal(t, "FINISHED", again.GetJobStatus())
	requireOK(t, s.commit(w.toDB, begun.GetTxnID(), infos))
	require.Len(t, s.query("SELECT * FROM `%s`.`orders`", w.toDB), 3, "applied once")
}

// TestLostIngestReply: the call can be repeated.
func TestLostIngestReply(t *testing.T) {
	c, s := private(t)
	w := newTwin(t, source(t), s)
	txn := s.begin(w.toDB, w.tableID)
	list := w.ingestions(txn)
	_, err := c.Faults().Add(faults.Rule{Point: "be.ingest_binlog", Action: faults.DropAfter, Count: 1})
	require.NoError(t, err)
	_, err = s.backend(list[0].backend).IngestBinlog(ctx, list[0].request)
	require.Error(t, err)
	requireOK(t, s.commit(w.toDB, txn, s.ingestAll(list)))
	require.Len(t, s.query("SELECT * FROM `%s`.`orders`", w.toDB), 3)
}

// TestKilledBackend: its committed rowsets survive; writes go on without it, and
// it is repaired when it is back.
func TestKilledBackend(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "a", 3)
	require.NoError(t, c.KillBE(1))
	prev := s.lastSeq(db)
	s.exec("INSERT INTO `%s`.`a` VALUES (1, 1)", db)
	s.nextUpsert(db, prev)
	require.Len(t, s.query("SELECT * FROM `%s`.`a`", db), 1)
	behind := func() (n int) {
		for _, tablet := range s.tableMeta(db, "a").Partitions[0].Indexes[0].Tablets {
			for _, r := range tablet.Replicas {
				if r.GetVersion() < 2 {
					n++
				}
			}
		}
		return n
	}
	require.Equal(t, 2, behind(), "one replica of each tablet")
	require.NoError(t, c.RestartBE(1))
	require.Eventually(t, func() bool { return behind() == 0 }, patience, 5*time.Millisecond)

	// A clone asks for the binlogs, too.
	var codes []int
	tablet := s.tableMeta(db, "a").Partitions[0].Indexes[0].Tablets[0]
	for _, r := range tablet.Replicas {
		code, _, _ := httpDo(t, "GET", s.backends()[r.GetBackendID()], "/api/_binlog/_download",
			"method", "get_binlog_info", "tablet_id", itoa(tablet.GetID()), "binlog_version", "2")
		codes = append(codes, code)
	}
	require.ElementsMatch(t, []int{200, 200, 200}, codes)
}

// TestTimeouts: PREPARE transactions end by their timeout, labels are forgotten
// after streaming_label_keep_max_second, snapshots expire.
func TestTimeouts(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "a", 1)
	a := s.tableMeta(db, "a").GetID()
	request := beginRequest(db, []int64{a}, newLabel())
	request.Timeout = new(int64(10))
	begun := s.beginTxn(request)
	requireOK(t, begun.Status)
	finished := beginRequest(db, []int64{a}, newLabel())
	requireOK(t, s.commit(db, s.beginTxn(finished).GetTxnID(), nil))
	label := s.backup(db)
	requireOK(t, s.getSnapshot(db, label, false).Status)

	c.AdvanceClock(time.Minute)
	require.Eventually(t, func() bool {
		rows := s.query("SHOW TRANSACTION FROM `%s` WHERE id = %d", db, begun.GetTxnID())
		return len(rows) == 1 && rows[0]["TransactionStatus"] == "ABORTED"
	}, patience, 10*time.Millisecond)
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "is already aborted. abort reason: ", s.commit(db, begun.GetTxnID(), nil))
	require.Equal(t, status.TStatusCode_LABEL_ALREADY_EXISTS, s.beginTxn(finished).Status.StatusCode)

	c.AdvanceClock(25 * time.Hour)
	require.Eventually(t, func() bool { return s.beginTxn(finished).Status.StatusCode == status.TStatusCode_OK }, patience, 10*time.Millisecond)
	require.Equal(t, status.TStatusCode_SNAPSHOT_EXPIRED, s.getSnapshot(db, label, false).Status.StatusCode)
}

// TestDuringRestore: one job a database, and no loads into what it restores.
func TestDuringRestore(t *testing.T) {
	c, s := private(t)
	from := source(t)
	w := newTwin(t, from, s)
	label, meta, info := w.backUp(t)
	txn, infos := w.load()

	slow := core.Instant
	slow.RestoreTick = time.Hour
	c.SetProfile(slow)
	requireOK(t, s.restore(restoreRequest(t, w.toDB, label+"_r1", meta, info)))
	busy := s.restore(restoreRequest(t, w.toDB, label+"_r2", meta, info))
	require.Equal(t, status.TStatusCode_ANALYSIS_ERROR, busy.StatusCode)
	require.Regexp(t, `Can only run one backup or restore job of a database at same time , current running: label = `+label+
		`_r1 jobId = -1, to run label = `+label+`_r2`, busy.ErrorMsgs[0])
	shown := s.query("SHOW RESTORE FROM `%s` WHERE Label = \"%s_r1\"", w.toDB, label)
	require.Equal(t, "PENDING", values(shown, "State"))
	s.exec("CANCEL RESTORE FROM `%s`", w.toDB)
	cancelled := s.waitState("CANCELLED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s_r1\"", w.toDB, label)
	require.Contains(t, cancelled["Status"], "user cancelled")
	requireOK(t, s.commit(w.toDB, txn, infos))

	slow.RestoreTick = 300 * time.Millisecond
	c.SetProfile(slow)
	txn = s.begin(w.toDB, w.tableID)
	infos = s.ingestAll(w.ingestions(txn))
	requireOK(t, s.restore(restoreRequest(t, w.toDB, label+"_r3", meta, info)))
	s.waitNotPending(w.toDB, label+"_r3")
	refused := s.commit(w.toDB, txn, infos)
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "Table [orders], Partition [orders] is in restore process. Can not load into it", refused)
	c.SetProfile(core.Instant)
	s.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s_r3\"", w.toDB, label)
	require.Len(t, s.query("SELECT * FROM `%s`.`orders`", w.toDB), 3, "the snapshot's rows, in place")
	require.Equal(t, w.tableID, s.tableMeta(w.toDB, "orders").GetID())
}

func (s *side) waitNotPending(db, label string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		rows := s.query("SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", db, label)
		return len(rows) == 1 && rows[0]["State"] != "PENDING"
	}, patience, 5*time.Millisecond)
}

// TestWrongTablet: a client that pairs the wrong tablets gets wrong rows, no
// error; nothing but the request says where rows belong.
func TestWrongTablet(t *testing.T) {
	w := newTwin(t, source(t), destination(t))
	txn := w.to.begin(w.toDB, w.tableID)
	list := w.ingestions(txn)
	first := list[0].request.RemoteTabletID
	for i := range list {
		request := *list[i].request
		request.RemoteTabletID = first
		for _, r := range w.source.Indexes[0].Tablets[0].Replicas {
			request.RemotePort = new(itoa(int64(w.from.backends()[r.GetBackendID()].HTTPPort)))
		}
		list[i].request = &request
	}
	requireOK(t, w.to.commit(w.toDB, txn, w.to.ingestAll(list)))
	code, _, info := httpDo(t, "GET", w.from.backends()[w.source.Indexes[0].Tablets[0].Replicas[0].GetBackendID()], "/api/_binlog/_download",
		"method", "get_binlog_info", "tablet_id", itoa(*first), "binlog_version", itoa(w.version))
	require.Equal(t, 200, code, info)
	require.NotEqual(t, "1,2,3", values(w.to.query("SELECT * FROM `%s`.`orders` ORDER BY `k`", w.toDB), "k"))
}

// TestConnectionsDropWithTheBackend: a killed BE hangs up at once.
func TestConnectionsDropWithTheBackend(t *testing.T) {
	c, s := private(t)
	var b *thrifttypes.TBackend
	for _, candidate := range s.backends() {
		if int(candidate.BePort) == c.BE(0).BePort() {
			b = candidate
		}
	}
	require.NotNil(t, b)
	client := s.backend(b)
	_, err := client.QueryIngestBinlog(ctx, backendservice.NewTQueryIngestBinlogRequest())
	require.NoError(t, err)
	require.NoError(t, c.KillBE(0))
	_, err = client.QueryIngestBinlog(ctx, backendservice.NewTQueryIngestBinlogRequest())
	require.Error(t, err)
	require.NoError(t, c.RestartBE(0))
	_, err = s.backend(b).QueryIngestBinlog(ctx, backendservice.NewTQueryIngestBinlogRequest())
	require.NoError(t, err, "the same port")
}
