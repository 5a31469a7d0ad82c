package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOneFullSync is walk-through B, doris-rpc.md 7, and the sequence of
// doris-sql.md 4.11, followed by the first increment.
func TestOneFullSync(t *testing.T) {
	from, to := source(t), destination(t)
	db, toDB := from.database(), to.database()
	from.exec("CREATE TABLE `%s`.`u` (`k` INT NOT NULL, `v` VARCHAR(20) NULL, `d` DECIMAL(10,2) NULL) UNIQUE KEY(`k`) "+
		"PARTITION BY RANGE(`k`) (PARTITION p1 VALUES LESS THAN ('100'), PARTITION p2 VALUES LESS THAN ('200')) "+
		"DISTRIBUTED BY HASH(`k`) BUCKETS 3 PROPERTIES (\"replication_num\" = \"2\")", db)
	from.table(db, "orders", 2)
	from.exec("CREATE VIEW `%s`.`v` AS SELECT `k` FROM `%s`.`orders`", db, db)
	from.exec("INSERT INTO `%s`.`u` VALUES (1, 'a', 1.5), (150, 'b', NULL)", db)
	from.exec("INSERT INTO `%s`.`u` VALUES (1, 'c', 2.5)", db)
	from.exec("INSERT INTO `%s`.`orders` VALUES (1, 1), (1, 1)", db)

	// 1. lockBinlog, the newest.
	requireOK(t, from.lock(db, -1, "job_full", new(int64(-1))).Status)
	// 2., 3. BACKUP and getSnapshot.
	label := from.backup(db)
	snapshot := from.getSnapshot(db, label, false)
	requireOK(t, snapshot.Status)
	// After the snapshot: must come by binlogs.
	from.exec("INSERT INTO `%s`.`orders` VALUES (2, 2)", db)
	// 4., 5. The job info, with extra_info added.
	info := decodeJobInfo(t, snapshot.JobInfo)
	seqs, ok := at(t, info, "table_commit_seq_map").(map[string]any)
	require.True(t, ok)
	require.Len(t, seqs, 2)
	info["extra_info"] = from.extraInfo()
	// 6. restoreSnapshot.
	r := restoreRequest(t, toDB, label+"_r_1731405800", snapshot.Meta, info)
	r.AtomicRestore, r.ForceReplace = new(true), new(true)
	requireOK(t, to.restore(r))
	// 7. Poll SHOW RESTORE.
	done := to.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", toDB, label+"_r_1731405800")
	require.Equal(t, "[OK]", done["Status"])
	require.Equal(t, "true", done["ReserveReplica"])
	require.Contains(t, done["RestoreObjs"], `"orders"`)

	require.Equal(t, []row{{"k": "1", "v": "c", "d": "2.50"}, {"k": "150", "v": "b", "d": "NULL"}}, to.query("SELECT * FROM `%s`.`u` ORDER BY `k`", toDB))
	require.Equal(t, "1,1", values(to.query("SELECT * FROM `%s`.`orders`", toDB), "k"))
	require.Equal(t, "1,1", values(to.query("SELECT * FROM `%s`.`v`", toDB), "k"), "the view reads the destination's table")
	ddl := to.query("SHOW CREATE TABLE `%s`.`orders`", toDB)[0]["Create Table"]
	require.Contains(t, ddl, `"is_being_synced" = "true"`)
	require.Contains(t, ddl, `"binlog.enable" = "true"`)
	// 8. New ids; versions are those of the snapshot.
	remote, table := from.tableMeta(db, "orders"), to.tableMeta(toDB, "orders")
	require.NotEqual(t, remote.GetID(), table.GetID())
	require.EqualValues(t, 2, table.Partitions[0].GetVisibleVersion())

	// 9., 10. The increment, from the table's position on.
	seq := number(t, seqs[itoa(remote.GetID())])
	next := from.nextUpsert(db, atoi(t, seq))
	u := decodeUpsert(t, next)
	version := u.TableRecords[itoa(remote.GetID())].PartitionRecords[0].Version
	require.EqualValues(t, 3, version)
	txn := to.begin(toDB, table.GetID())
	requireOK(t, to.commit(toDB, txn, to.ingestAll(ingestions(from, to, remote.Partitions[0], table.Partitions[0], version, txn))))
	require.Equal(t, "1,1,2", values(to.query("SELECT * FROM `%s`.`orders` ORDER BY `k`", toDB), "k"))
}
