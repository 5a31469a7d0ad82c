package conformance

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

// stream carries the loads of one table of one bucket over, one transaction
// each, as a client does.
type stream struct {
	from, to     *side
	fromDB, toDB string
	prev         int64
}

// newStream makes the table on both sides from a CREATE TABLE behind the name.
func newStream(from, to *side, definition string) *stream {
	s := &stream{from: from, to: to, fromDB: from.database(), toDB: to.database()}
	from.exec("CREATE TABLE `%s`.`t` %s", s.fromDB, definition)
	to.exec("CREATE TABLE `%s`.`t` %s", s.toDB, definition)
	s.prev = from.lastSeq(s.fromDB)
	return s
}

// begin loads on the source and opens the transaction that carries it over.
func (s *stream) begin(statement string) (txn int64, calls []ingestion) {
	s.from.t.Helper()
	s.from.exec(statement, s.fromDB)
	binlog := s.from.nextUpsert(s.fromDB, s.prev)
	s.prev = binlog.GetCommitSeq()
	remote, local := s.from.tableMeta(s.fromDB, "t"), s.to.tableMeta(s.toDB, "t")
	version := decodeUpsert(s.from.t, binlog).TableRecords[itoa(remote.GetID())].PartitionRecords[0].Version
	txn = s.to.begin(s.toDB, local.GetID())
	return txn, ingestions(s.from, s.to, remote.Partitions[0], local.Partitions[0], version, txn)
}

// carry applies the load, each ingest so many times.
func (s *stream) carry(times int, statement string) {
	s.from.t.Helper()
	txn, calls := s.begin(statement)
	for range times - 1 {
		s.to.ingestAll(calls)
	}
	requireOK(s.from.t, s.to.commit(s.toDB, txn, s.to.ingestAll(calls)))
}

func (s *stream) rows(side *side, db string) string {
	rows := side.query("SELECT `k`, `v` FROM `%s`.`t` ORDER BY `k`, `v`", db)
	text := ""
	for _, r := range rows {
		text += fmt.Sprintf("%s=%s ", r["k"], r["v"])
	}
	return text
}

// TestRepeatedIngest is doris-rpc.md 4.1: a second success in one transaction
// answers OK and takes a merge-on-write table the marks on the load's own rows,
// those that a later segment or a larger sequence value supersedes. Other
// models, and loads without such rows, come to no harm.
func TestRepeatedIngest(t *testing.T) {
	segments := func(c *dorisim.Config) { c.SegmentRows = 2 }
	_, from := private(t, segments)
	_, to := private(t)
	const tail = ` DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ("replication_num" = "2", "binlog.enable" = "true"%s)`
	unique := "(k INT NOT NULL, v INT NULL) UNIQUE KEY(k)"
	sequence := `, "function_column.sequence_col" = "v"`
	read := `, "enable_unique_key_merge_on_write" = "false"`
	first := "INSERT INTO `%s`.`t` VALUES (1, 10), (2, 20)"
	for _, c := range []struct {
		name, table, load string
		want              string // after the load is ingested twice
	}{
		{"plain load", unique + fmt.Sprintf(tail, ""), "INSERT INTO `%s`.`t` VALUES (1, 11)", "1=11 2=20 "},
		{"several segments", unique + fmt.Sprintf(tail, ""), "INSERT INTO `%s`.`t` VALUES (1, 11), (3, 30), (1, 12), (4, 40)", "1=11 1=12 2=20 3=30 4=40 "},
		{"older sequence value", unique + fmt.Sprintf(tail, sequence), "INSERT INTO `%s`.`t` VALUES (1, 5), (2, 21)", "1=5 1=10 2=21 "},
		{"newer sequence value", unique + fmt.Sprintf(tail, sequence), "INSERT INTO `%s`.`t` VALUES (1, 11)", "1=11 2=20 "},
		{"merge-on-read", unique + fmt.Sprintf(tail, read), "INSERT INTO `%s`.`t` VALUES (1, 11), (3, 30), (1, 12), (4, 40)", "1=12 2=20 3=30 4=40 "},
		{"merge-on-read with sequence", unique + fmt.Sprintf(tail, sequence+read), "INSERT INTO `%s`.`t` VALUES (1, 5)", "1=10 2=20 "},
		{"duplicate", "(k INT NOT NULL, v INT NULL) DUPLICATE KEY(k)" + fmt.Sprintf(tail, ""), "INSERT INTO `%s`.`t` VALUES (1, 11), (1, 11), (1, 12)",
			"1=10 1=11 1=11 1=12 2=20 "},
		{"aggregate", "(k INT NOT NULL, v INT SUM NULL) AGGREGATE KEY(k)" + fmt.Sprintf(tail, ""), "INSERT INTO `%s`.`t` VALUES (1, 1), (3, 30), (1, 1)", "1=12 2=20 3=30 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := *from, *to
			from.t, to.t = t, t
			once, twice := newStream(&from, &to, c.table), newStream(&from, &to, c.table)
			for times, s := range map[int]*stream{1: once, 2: twice} {
				s.carry(1, first)
				s.carry(times, c.load)
			}
			require.Equal(t, once.rows(&from, once.fromDB), once.rows(&to, once.toDB))
			require.Equal(t, c.want, twice.rows(&to, twice.toDB))
		})
	}
}

// TestSpoiltTableStaysSpoilt: later loads, a BACKUP and a RESTORE keep what a
// repeated ingest has done, and its binlog brings a third cluster the right
// rows.
func TestSpoiltTableStaysSpoilt(t *testing.T) {
	_, from := private(t)
	_, to := private(t)
	s := newStream(from, to, `(k INT NOT NULL, v INT NULL) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1
		PROPERTIES ("replication_num" = "1", "binlog.enable" = "true", "function_column.sequence_col" = "v")`)
	s.carry(1, "INSERT INTO `%s`.`t` VALUES (1, 10)")
	s.carry(2, "INSERT INTO `%s`.`t` VALUES (1, 5)")
	require.Equal(t, "1=5 1=10 ", s.rows(to, s.toDB))
	s.carry(1, "INSERT INTO `%s`.`t` VALUES (1, 20)")
	require.Equal(t, "1=5 1=20 ", s.rows(to, s.toDB))

	label := to.backup(s.toDB)
	snapshot := to.getSnapshot(s.toDB, label, false)
	info := decodeJobInfo(t, snapshot.JobInfo)
	info["extra_info"] = to.extraInfo()
	copied := to.database()
	requireOK(t, to.restore(restoreRequest(t, copied, label+"_r", snapshot.Meta, info)))
	to.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", copied, label+"_r")
	require.Equal(t, "1=5 1=20 ", s.rows(to, copied))
}

// TestAbandonedIngestGoesOn: a client that has closed its connection ends
// nothing; the call goes on in the backend and counts as one.
func TestAbandonedIngestGoesOn(t *testing.T) {
	_, from := private(t)
	cluster, to := private(t)
	s := newStream(from, to, `(k INT NOT NULL, v INT NULL) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1
		PROPERTIES ("replication_num" = "1", "binlog.enable" = "true", "function_column.sequence_col" = "v")`)
	s.carry(1, "INSERT INTO `%s`.`t` VALUES (1, 10)")
	txn, calls := s.begin("INSERT INTO `%s`.`t` VALUES (1, 5)")
	held, err := cluster.Faults().Add(faults.Rule{Point: "be.ingest_binlog", Action: faults.Hold, Count: 1})
	require.NoError(t, err)
	conf := &thrift.TConfiguration{ConnectTimeout: patience, SocketTimeout: 2 * patience}
	socket := thrift.NewTSocketConf(net.JoinHostPort(calls[0].backend.Host, strconv.Itoa(int(calls[0].backend.BePort))), conf)
	require.NoError(t, socket.Open())
	p := thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(socket, 4096), conf)
	arguments := &backendservice.BackendServiceIngestBinlogArgs{IngestBinlogRequest: calls[0].request}
	require.NoError(t, p.WriteMessageBegin(ctx, "ingest_binlog", thrift.CALL, 1))
	require.NoError(t, arguments.Write(ctx, p))
	require.NoError(t, p.WriteMessageEnd(ctx))
	require.NoError(t, p.Flush(ctx))
	require.Eventually(t, func() bool { return cluster.Faults().Hits(held) == 1 }, patience, time.Millisecond)
	require.NoError(t, socket.Close()) // and nobody waits for the answer
	faultstest.Release(t, cluster.Faults(), held)
	query := func() backendservice.TIngestBinlogStatus {
		result, err := to.backend(calls[0].backend).QueryIngestBinlog(ctx, &backendservice.TQueryIngestBinlogRequest{
			TxnID: &txn, PartitionID: calls[0].request.PartitionID, TabletID: calls[0].request.LocalTabletID, LoadID: calls[0].request.LoadID})
		require.NoError(t, err)
		return result.GetStatus()
	}
	require.Eventually(t, func() bool { return query() == backendservice.TIngestBinlogStatus_OK }, patience, time.Millisecond)
	requireOK(t, to.commit(s.toDB, txn, to.ingestAll(calls)))
	require.Equal(t, "1=5 1=10 ", s.rows(to, s.toDB))
}
