package conformance

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
)

// TestOneUpsert is walk-through A, doris-rpc.md 6, call by call.
func TestOneUpsert(t *testing.T) {
	from, to := source(t), destination(t)
	db, toDB := from.database(), to.database()
	from.table(db, "orders", 2)
	to.table(toDB, "orders", 2)
	table := from.tableMeta(db, "orders")
	from.exec("INSERT INTO `%s`.`orders` VALUES (0, 0)", db)
	prev := from.nextUpsert(db, -1).GetCommitSeq()

	// 1. getBinlog of the table log: nothing new, then one UPSERT.
	request := binlogRequest(db, table.GetID(), prev, 16)
	request.Table = new("orders")
	requireBare(t, status.TStatusCode_BINLOG_TOO_NEW_COMMIT_SEQ, from.getBinlog(request).Status)
	from.exec("INSERT INTO `%s`.`orders` VALUES (1, 10), (2, 20), (3, 30), (4, 40)", db)
	from.nextUpsert(db, prev)
	batch := from.getBinlog(request)
	requireOK(t, batch.Status)
	require.Len(t, batch.Binlogs, 1)
	u := decodeUpsert(t, batch.Binlogs[0])
	record := u.TableRecords[itoa(table.GetID())]
	require.Len(t, record.PartitionRecords, 1)
	version := record.PartitionRecords[0].Version
	require.EqualValues(t, 3, version)

	// 3., 4. Metadata of both sides, matched by range, index name and position.
	sourcePartition, partition := from.tableMeta(db, "orders").Partitions[0], to.tableMeta(toDB, "orders").Partitions[0]
	require.Equal(t, record.PartitionRecords[0].PartitionID, sourcePartition.GetID())
	require.Equal(t, record.IndexIDs, []int64{sourcePartition.Indexes[0].GetID()})
	require.Equal(t, record.PartitionRecords[0].Range, partition.GetRange())

	// 5. beginTxn.
	label := "ccrj-conf:table_sync:" + itoa(u.DBID) + "_" + itoa(table.GetID()) + ":1_2:" + itoa(u.CommitSeq)
	begun := to.beginTxn(beginRequest(toDB, []int64{to.tableMeta(toDB, "orders").GetID()}, label))
	requireOK(t, begun.Status)
	txn := begun.GetTxnID()

	// 6. One ingest for every destination replica.
	infos := to.ingestAll(ingestions(from, to, sourcePartition, partition, version, txn))
	require.Len(t, infos, 4)

	// 7., 8. commitTxn; the destination's version goes on by one, lock.
	requireOK(t, to.commit(toDB, txn, infos))
	require.EqualValues(t, 2, to.tableMeta(toDB, "orders").Partitions[0].GetVisibleVersion())
	require.Equal(t, "1,2,3,4", values(to.query("SELECT * FROM `%s`.`orders` ORDER BY `k`", toDB), "k"))
	locked := from.lock(db, table.GetID(), "job_1", &u.CommitSeq)
	requireOK(t, locked.Status)
	require.Equal(t, u.CommitSeq, locked.GetLockedCommitSeq())

	// 9. A repeated begin learns that it has been done.
	again := to.beginTxn(beginRequest(toDB, []int64{to.tableMeta(toDB, "orders").GetID()}, label))
	require.Equal(t, status.TStatusCode_LABEL_ALREADY_EXISTS, again.Status.StatusCode)
	require.Equal(t, "FINISHED", again.GetJobStatus())
	shown := to.query("SHOW TRANSACTION FROM `%s` WHERE label = \"%s\"", toDB, label)
	require.Equal(t, "VISIBLE", values(shown, "TransactionStatus"))
	require.Equal(t, itoa(txn), values(shown, "TransactionId"))
}

// TestTransactionLoadUpsert is the variant with sub-transactions.
func TestTransactionLoadUpsert(t *testing.T) {
	from, to := source(t), destination(t)
	db, toDB := from.database(), to.database()
	for _, name := range []string{"a", "b"} {
		from.table(db, name, 1)
		to.table(toDB, name, 1)
	}
	prev := from.lastSeq(db)
	conn, err := from.db.Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	for _, statement := range []string{"BEGIN", "INSERT INTO `" + db + "`.`a` VALUES (1, 1)", "INSERT INTO `" + db + "`.`b` VALUES (2, 2)",
		"INSERT INTO `" + db + "`.`a` VALUES (3, 3)", "COMMIT"} {
		_, err := conn.ExecContext(ctx, statement)
		require.NoError(t, err, statement)
	}
	u := decodeUpsert(t, from.nextUpsert(db, prev))
	require.Len(t, u.Stids, 3)

	a, b := to.tableMeta(toDB, "a"), to.tableMeta(toDB, "b")
	request := beginRequest(toDB, []int64{a.GetID(), b.GetID()}, newLabel())
	request.SubTxnNum = 3
	begun := to.beginTxn(request)
	requireOK(t, begun.Status)
	require.Len(t, begun.SubTxnIds, 3)
	var subs []*thrifttypes.TSubTxnInfo
	for name, table := range map[string]*frontendservice.TGetMetaTableMeta{"a": a, "b": b} {
		remote := from.tableMeta(db, name)
		for _, record := range u.TableRecords[itoa(remote.GetID())].PartitionRecords {
			sub := int64(0)
			for i, stid := range u.Stids {
				if stid == record.Stid {
					sub = begun.SubTxnIds[i]
				}
			}
			require.NotZero(t, sub)
			subs = append(subs, &thrifttypes.TSubTxnInfo{SubTxnID: &sub, TableID: table.ID,
				TabletCommitInfos: to.ingestAll(ingestions(from, to, remote.Partitions[0], table.Partitions[0], record.Version, sub))})
		}
	}
	commit := func(subs []*thrifttypes.TSubTxnInfo) *tstatus {
		result, err := to.fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: new(user), Passwd: new(password), Db: &toDB,
			TxnID: begun.TxnID, TxnInsert: new(true), SubTxnInfos: subs})
		require.NoError(t, err)
		return result.Status
	}
	slices.SortFunc(subs, func(a, b *thrifttypes.TSubTxnInfo) int { return cmp.Compare(a.GetSubTxnID(), b.GetSubTxnID()) })
	analysis(t, "sub_txn_infos is not set", commit(nil))
	requireOK(t, commit(subs))
	require.Equal(t, "1,3", values(to.query("SELECT * FROM `%s`.`a` ORDER BY `k`", toDB), "k"))
	require.Equal(t, "2", values(to.query("SELECT * FROM `%s`.`b` ORDER BY `k`", toDB), "k"))
	copied := decodeUpsert(t, to.nextUpsert(toDB, -1))
	require.Equal(t, begun.SubTxnIds, copied.Stids)
}
