package conformance

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
)

// shared is a transaction of the destination that takes several loads of one table,
// each in a sub-transaction of its own.
type shared struct {
	from, to     *side
	fromDB, toDB string
	loads        []int64 // source versions
	table        *frontendservice.TGetMetaTableMeta
	begun        *frontendservice.TBeginTxnResult_
}

// newShared makes the loads on the source and begins the transaction.
func newShared(t *testing.T, model string, replicas int, statements ...string) *shared {
	t.Helper()
	s := &shared{from: source(t), to: destination(t)}
	s.fromDB, s.toDB = s.from.database(), s.to.database()
	create := "CREATE TABLE `%s`.`t` (`k` INT NOT NULL, `v` INT NULL) %s DISTRIBUTED BY HASH(`k`) BUCKETS 1 " +
		"PROPERTIES (\"replication_num\" = \"%d\", \"binlog.enable\" = \"true\")"
	s.from.exec(create, s.fromDB, model, replicas)
	s.to.exec(create, s.toDB, model, replicas)
	prev := s.from.lastSeq(s.fromDB)
	for _, statement := range statements {
		s.from.exec(statement, s.fromDB)
		binlog := s.from.nextUpsert(s.fromDB, prev)
		prev = binlog.GetCommitSeq()
		for _, record := range decodeUpsert(t, binlog).TableRecords {
			s.loads = append(s.loads, record.PartitionRecords[0].Version)
		}
	}
	s.table = s.to.tableMeta(s.toDB, "t")
	request := beginRequest(s.toDB, []int64{s.table.GetID()}, newLabel())
	request.SubTxnNum = int64(len(s.loads))
	s.begun = s.to.beginTxn(request)
	requireOK(t, s.begun.Status)
	return s
}

// ingest brings a load into its sub-transaction.
func (s *shared) ingest(load int) *thrifttypes.TSubTxnInfo {
	remote := s.from.tableMeta(s.fromDB, "t")
	sub := s.begun.SubTxnIds[load]
	return &thrifttypes.TSubTxnInfo{SubTxnID: &sub, TableID: s.table.ID,
		TabletCommitInfos: s.to.ingestAll(ingestions(s.from, s.to, remote.Partitions[0], s.table.Partitions[0], s.loads[load], sub))}
}

func (s *shared) commit(subs ...*thrifttypes.TSubTxnInfo) *tstatus {
	s.to.t.Helper()
	result, err := s.to.fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: new(user), Passwd: new(password), Db: &s.toDB,
		TxnID: s.begun.TxnID, TxnInsert: new(true), SubTxnInfos: subs, ThriftRPCTimeoutMs: new(patience.Milliseconds())})
	require.NoError(s.to.t, err)
	return result.Status
}

// TestSubTransactionsOfOneTable: each gets a version of its own, in the order of the
// commit's list and not in that of the ingests.
func TestSubTransactionsOfOneTable(t *testing.T) {
	for _, model := range []string{"UNIQUE KEY(`k`)", "DUPLICATE KEY(`k`)"} {
		s := newShared(t, model, 2, "INSERT INTO `%s`.`t` VALUES (1, 10)", "INSERT INTO `%s`.`t` VALUES (1, 20), (2, 20)", "INSERT INTO `%s`.`t` VALUES (2, 30)")
		subs := make([]*thrifttypes.TSubTxnInfo, 3)
		for _, load := range []int{2, 0, 1} {
			subs[load] = s.ingest(load)
		}
		requireOK(t, s.commit(subs...))
		want := "20,30"
		if model == "DUPLICATE KEY(`k`)" {
			want = "10,20,20,30"
		}
		require.Equal(t, want, values(s.to.query("SELECT * FROM `%s`.`t` ORDER BY `k`, `v`", s.toDB), "v"), model)
		require.EqualValues(t, 4, s.to.tableMeta(s.toDB, "t").Partitions[0].GetVisibleVersion(), "three versions")
		copied := decodeUpsert(t, s.to.nextUpsert(s.toDB, -1))
		require.Equal(t, s.begun.SubTxnIds, copied.Stids)
		records := copied.TableRecords[itoa(s.table.GetID())].PartitionRecords
		require.Len(t, records, 3)
		for i, record := range records {
			require.Equal(t, s.begun.SubTxnIds[i], record.Stid)
			require.EqualValues(t, i+2, record.Version)
		}
		requireOK(t, s.commit(subs...)) // idempotent
	}
}

// TestSubTransactionsInTheOrderOfTheList: ids say nothing, and the binlog that the
// destination records has them as the list had.
func TestSubTransactionsInTheOrderOfTheList(t *testing.T) {
	s := newShared(t, "UNIQUE KEY(`k`)", 1, "INSERT INTO `%s`.`t` VALUES (1, 10)", "INSERT INTO `%s`.`t` VALUES (1, 20)")
	requireOK(t, s.commit(s.ingest(1), s.ingest(0)))
	require.Equal(t, "10", values(s.to.query("SELECT * FROM `%s`.`t`", s.toDB), "v"), "the list's last wins")
	copied := decodeUpsert(t, s.to.nextUpsert(s.toDB, -1))
	require.Equal(t, []int64{s.begun.SubTxnIds[1], s.begun.SubTxnIds[0]}, copied.Stids)
	records := copied.TableRecords[itoa(s.table.GetID())].PartitionRecords
	require.Equal(t, s.begun.SubTxnIds[0], records[0].Stid, "records are in the order of the ids")
	require.EqualValues(t, 3, records[0].Version)
}

// TestSubTransactionsThatAreNotNamed leave nothing, and are not in the binlog.
func TestSubTransactionsThatAreNotNamed(t *testing.T) {
	s := newShared(t, "DUPLICATE KEY(`k`)", 1, "INSERT INTO `%s`.`t` VALUES (1, 10)", "INSERT INTO `%s`.`t` VALUES (2, 20)")
	s.ingest(0)
	empty := &thrifttypes.TSubTxnInfo{SubTxnID: &s.begun.SubTxnIds[0], TableID: new(int64(4))} // no such table
	requireOK(t, s.commit(empty, s.ingest(1)))
	require.Equal(t, "20", values(s.to.query("SELECT * FROM `%s`.`t`", s.toDB), "v"))
	require.Equal(t, s.begun.SubTxnIds[1:], decodeUpsert(t, s.to.nextUpsert(s.toDB, -1)).Stids)
}

// TestSubTransactionHasOneTable: what it names of another table does not count, and
// a second entry for it spoils the transaction.
func TestSubTransactionHasOneTable(t *testing.T) {
	s := newShared(t, "DUPLICATE KEY(`k`)", 1, "INSERT INTO `%s`.`t` VALUES (1, 10)", "INSERT INTO `%s`.`t` VALUES (2, 20)")
	s.to.table(s.toDB, "other", 1)
	first, second := s.ingest(0), s.ingest(1)
	twice := *first
	twice.SubTxnID = second.SubTxnID
	require.Equal(t, status.TStatusCode_INTERNAL_ERROR, s.commit(second, &twice).StatusCode)
	foreign := *second
	foreign.TableID = s.to.tableMeta(s.toDB, "other").ID
	requireOK(t, s.commit(first, &foreign))
	require.Equal(t, "10", values(s.to.query("SELECT * FROM `%s`.`t`", s.toDB), "v"))
}

// TestQuorumOfEachSubTransaction: each needs its own at the commit; to become
// visible it takes a majority of replicas that have all of them.
func TestQuorumOfEachSubTransaction(t *testing.T) {
	s := newShared(t, "UNIQUE KEY(`k`)", 3, "INSERT INTO `%s`.`t` VALUES (1, 10)", "INSERT INTO `%s`.`t` VALUES (1, 20)")
	first, second := s.ingest(0), s.ingest(1)
	without := func(sub *thrifttypes.TSubTxnInfo, drop ...int) *thrifttypes.TSubTxnInfo {
		rest := *sub
		rest.TabletCommitInfos = nil
		for i, info := range sub.TabletCommitInfos {
			if !slices.Contains(drop, i) {
				rest.TabletCommitInfos = append(rest.TabletCommitInfos, info)
			}
		}
		return &rest
	}
	got := s.commit(first, without(second, 0, 1))
	require.Equal(t, status.TStatusCode_ANALYSIS_ERROR, got.StatusCode)
	require.Contains(t, got.ErrorMsgs[0], "succ replica num 1 < load required replica num 2", fmt.Sprint(got))
	requireOK(t, s.commit(without(first, 0), without(second, 0)))
	require.Equal(t, "20", values(s.to.query("SELECT * FROM `%s`.`t`", s.toDB), "v"))
}
