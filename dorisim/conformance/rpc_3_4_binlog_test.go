package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
)

func (s *side) getBinlog(r *frontendservice.TGetBinlogRequest) *frontendservice.TGetBinlogResult_ {
	s.t.Helper()
	result, err := s.fe.GetBinlog(ctx, r)
	require.NoError(s.t, err)
	return result
}

func TestBinlogStatuses(t *testing.T) {
	s := source(t)
	analysis(t, "unknown database, database=no_such_db", s.getBinlog(binlogRequest("no_such_db", -1, -1, 1)).Status)

	s.exec("CREATE DATABASE IF NOT EXISTS `conf_plain`")
	plain := s.getBinlog(binlogRequest("conf_plain", -1, -1, 1))
	requireBare(t, status.TStatusCode_BINLOG_NOT_FOUND_DB, plain.Status)
	require.Nil(t, plain.Binlogs)

	db := s.database()
	s.table(db, "a", 1)
	a := s.tableMeta(db, "a").GetID()
	named := binlogRequest(db, -1, -1, 1)
	named.Table = new("no_such_table")
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "errCode = 7, detailMessage = table not found, tableName=no_such_table", s.getBinlog(named).Status)
	requireBare(t, status.TStatusCode_BINLOG_NOT_FOUND_TABLE, s.getBinlog(binlogRequest(db, 4, -1, 1)).Status)
	requireBare(t, status.TStatusCode_BINLOG_NOT_FOUND_TABLE, s.getBinlog(binlogRequest(db, a, -1, 1)).Status)

	last := s.lastSeq(db)
	for range 3 {
		s.exec("INSERT INTO `%s`.`a` VALUES (1, 1)", db)
		last = s.nextUpsert(db, last).GetCommitSeq()
	}
	log := s.binlogs(db, -1, -1)
	require.Len(t, log, 4)
	require.Equal(t, frontendservice.TBinlogType_CREATE_TABLE, log[0].GetType())
	for i, b := range log[1:] {
		require.Equal(t, frontendservice.TBinlogType_UPSERT, b.GetType())
		require.Greater(t, b.GetCommitSeq(), log[i].GetCommitSeq(), "strictly increasing")
		require.Equal(t, []int64{a}, b.TableIds)
		require.Equal(t, s.meta(db).GetID(), b.GetDbID())
	}
	// A table log lacks CREATE_TABLE; a negative id means the db log.
	require.Len(t, s.binlogs(db, a, -1), 3)
	negative := binlogRequest(db, -1, -1, 255)
	negative.TableID = new(int64(-1))
	require.Len(t, s.getBinlog(negative).Binlogs, 4)
	named.Table = new("a")
	named.NumAcquired = new(int64(10))
	require.Len(t, s.getBinlog(named).Binlogs, 3)

	newest := s.getBinlog(binlogRequest(db, -1, last, 10))
	requireBare(t, status.TStatusCode_BINLOG_TOO_NEW_COMMIT_SEQ, newest.Status)
	require.Nil(t, newest.Binlogs)
	requireBare(t, status.TStatusCode_BINLOG_TOO_NEW_COMMIT_SEQ, s.getBinlog(binlogRequest(db, -1, last+1000, 10)).Status)
}

func TestBinlogBatches(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "a", 1)
	last := s.lastSeq(db)
	for range 5 {
		s.exec("INSERT INTO `%s`.`a` VALUES (1, 1)", db)
		last = s.nextUpsert(db, last).GetCommitSeq()
	}
	for wanted, want := range map[int64]int{1: 1, 3: 3, 0: 1, -5: 1, 100000: 6} {
		require.Len(t, s.getBinlog(binlogRequest(db, -1, -1, wanted)).Binlogs, want, "num_acquired %d", wanted)
	}
	unset := binlogRequest(db, -1, -1, 1)
	unset.NumAcquired = nil
	require.Len(t, s.getBinlog(unset).Binlogs, 1)
	// One by one gives the same as all at once.
	var seqs []int64
	for prev := int64(-1); ; {
		result := s.getBinlog(binlogRequest(db, -1, prev, 1))
		if result.Status.StatusCode == status.TStatusCode_BINLOG_TOO_NEW_COMMIT_SEQ {
			break
		}
		requireOK(t, result.Status)
		prev = result.Binlogs[0].GetCommitSeq()
		seqs = append(seqs, prev)
	}
	var all []int64
	for _, b := range s.binlogs(db, -1, -1) {
		all = append(all, b.GetCommitSeq())
	}
	require.Equal(t, all, seqs)
}

func TestBinlogLost(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "a", 1)
	last := s.lastSeq(db)
	var seqs []int64
	for range 3 {
		s.exec("INSERT INTO `%s`.`a` VALUES (1, 1)", db)
		last = s.nextUpsert(db, last).GetCommitSeq()
		seqs = append(seqs, last)
	}
	require.NoError(t, c.CollectBinlogs(db, seqs[1]))
	result := s.getBinlog(binlogRequest(db, -1, seqs[0], 10))
	requireBare(t, status.TStatusCode_BINLOG_TOO_OLD_COMMIT_SEQ, result.Status)
	require.Len(t, result.Binlogs, 1)
	dummy := result.Binlogs[0]
	require.Equal(t, frontendservice.TBinlogType_DUMMY, dummy.GetType())
	require.Equal(t, seqs[1], dummy.GetCommitSeq(), "the last one that was collected")
	require.Nil(t, dummy.Data)
	require.EqualValues(t, -1, dummy.GetBelong())
	// The position of the last collected one is still good.
	rest := s.binlogs(db, -1, seqs[1])
	require.Len(t, rest, 1)
	require.Equal(t, seqs[2], rest[0].GetCommitSeq())
	a := s.tableMeta(db, "a").GetID()
	table := s.getBinlog(binlogRequest(db, a, seqs[0], 10))
	requireBare(t, status.TStatusCode_BINLOG_TOO_OLD_COMMIT_SEQ, table.Status)
	require.Equal(t, a, table.Binlogs[0].GetBelong())
}

func TestUpsertPayload(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`r` (`k` INT NOT NULL, `v` INT) DUPLICATE KEY(`k`) PARTITION BY RANGE(`k`) "+
		"(PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) "+
		"DISTRIBUTED BY HASH(`k`) BUCKETS 1 PROPERTIES (\"replication_num\" = \"1\")", db)
	prev := s.lastSeq(db)
	before := time.Now().Add(-time.Minute).UnixMilli()
	s.exec("INSERT INTO `%s`.`r` WITH LABEL `payload_label` VALUES (15, 1)", db)
	b := s.nextUpsert(db, prev)
	u := decodeUpsert(t, b)
	meta := s.tableMeta(db, "r")
	require.Equal(t, b.GetCommitSeq(), u.CommitSeq)
	require.Equal(t, b.GetTimestamp(), u.TimeStamp)
	require.Greater(t, u.TimeStamp, before)
	require.Equal(t, "payload_label", u.Label)
	require.Equal(t, b.GetDbID(), u.DBID)
	require.Nil(t, u.Stids)
	require.NotContains(t, b.GetData(), `"stids"`)
	require.Len(t, u.TableRecords, 1)
	record := u.TableRecords[itoa(meta.GetID())]
	require.Equal(t, []int64{meta.Partitions[0].Indexes[0].GetID()}, record.IndexIDs)
	var found bool
	for _, p := range record.PartitionRecords {
		require.EqualValues(t, -1, p.Stid)
		require.False(t, p.Temporary)
		if strings.Contains(p.Range, "keys: [20]") {
			found = true
			require.Equal(t, "[types: [INT]; keys: [10]; ..types: [INT]; keys: [20]; )", p.Range)
			require.EqualValues(t, 2, p.Version)
		}
	}
	require.True(t, found)
}

// TestSubTransactions: BEGIN; INSERT ...; COMMIT over two tables is one binlog.
func TestSubTransactions(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "a", 1)
	s.table(db, "b", 1)
	prev := s.lastSeq(db)
	conn, err := s.db.Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	for _, statement := range []string{"BEGIN", "INSERT INTO `" + db + "`.`a` VALUES (1, 1)", "INSERT INTO `" + db + "`.`b` VALUES (1, 1)",
		"INSERT INTO `" + db + "`.`a` VALUES (2, 2)", "COMMIT"} {
		_, err := conn.ExecContext(ctx, statement)
		require.NoError(t, err, statement)
	}
	b := s.nextUpsert(db, prev)
	u := decodeUpsert(t, b)
	require.Len(t, u.Stids, 3)
	require.Len(t, u.TableRecords, 2)
	records := u.TableRecords[itoa(s.tableMeta(db, "a").GetID())].PartitionRecords
	require.Len(t, records, 2)
	require.Equal(t, []int64{u.Stids[0], u.Stids[2]}, []int64{records[0].Stid, records[1].Stid})
	require.Equal(t, records[0].Version+1, records[1].Version)
	require.Len(t, s.binlogs(db, -1, prev), 1)
}
