package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
)

// fields leaves what varies out of a payload.
func fields(p map[string]any, names ...string) map[string]any {
	out := map[string]any{}
	for _, name := range names {
		out[name] = p[name]
	}
	return out
}

// TestAddAndDropRollup: the job's records, the loads that write the rollup, and
// what is left after DROP.
func TestAddAndDropRollup(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`t1` (k INT, j INT, v INT SUM) AGGREGATE KEY(k, j) DISTRIBUTED BY HASH(k) BUCKETS 2", db)
	s.exec("INSERT INTO `%s`.`t1` VALUES (1, 1, 10), (1, 2, 20)", db)
	base, tableID := s.indexIDs(db, "t1")["t1"], s.tableMeta(db, "t1").GetID()
	release := hold(t, c, "WAITING_TXN")
	s.exec("ALTER TABLE `%s`.`t1` ADD ROLLUP r1 (k, v)", db)
	s.waitJob("ROLLUP", db, "WAITING_TXN")
	s.refuses(1105, "Table[t1]'s state(ROLLUP) is not NORMAL. Do not allow doing ALTER ops", "ALTER TABLE `%s`.`t1` RENAME `t2`", db)
	rollup := s.indexIDs(db, "t1")["r1"]
	require.NotZero(t, rollup, "listed while it is built")
	require.Len(t, s.query("DESC `%s`.`t1` ALL", db), 3, "but not described")
	prev := s.lastSeq(db)
	s.exec("INSERT INTO `%s`.`t1` VALUES (1, 3, 30)", db)
	require.Equal(t, []int64{base, rollup}, decodeUpsert(t, s.nextUpsert(db, prev)).TableRecords[itoa(tableID)].IndexIDs)
	release()
	s.finished("ROLLUP", db, "t1", 1)

	jobs := s.recorded(db, frontendservice.TBinlogType_ALTER_JOB)
	require.Len(t, jobs, 3)
	shown := s.query("SHOW ALTER TABLE ROLLUP FROM `%s`", db)[0]
	require.Equal(t, "r1", shown["RollupIndexName"])
	require.Equal(t, "t1", shown["BaseIndexName"])
	for _, p := range jobs {
		require.Equal(t, map[string]any{
			"type": "ROLLUP", "dbId": number64(s.meta(db).GetID()), "tableId": number64(tableID), "tableName": "t1", "jobId": p["jobId"],
			"jobState": p["jobState"], "rawSql": "", "rollupIndexId": number64(rollup), "rollUpIndexName": "r1",
			"baseIndexid": number64(base), "baseIndexName": "t1",
		}, p)
	}
	require.Equal(t, map[string]int64{"t1": base, "r1": rollup}, s.indexIDs(db, "t1"))
	desc := s.query("DESC `%s`.`t1` ALL", db)
	require.Equal(t, "t1,,,,r1,", values(desc, "IndexName"))
	require.Equal(t, "AGG_KEYS", desc[4]["IndexKeysType"])
	require.Equal(t, "k,j,v,,k,v", values(desc, "Field"))

	s.refuses(1105, "Rollup index[r1] already exists", "ALTER TABLE `%s`.`t1` ADD ROLLUP r1 (k)", db)
	s.exec("ALTER TABLE `%s`.`t1` RENAME ROLLUP r1 r2", db)
	renames := s.recorded(db, frontendservice.TBinlogType_RENAME_ROLLUP)
	require.Equal(t, map[string]any{"ind": number64(rollup), "nR": "r2", "oR": "r1", "tb": number64(tableID), "p": number64(-1)},
		fields(renames[0], "ind", "nR", "oR", "tb", "p"))
	s.refuses(1105, "Materialized view [r1] does not exist in table [t1]", "ALTER TABLE `%s`.`t1` DROP ROLLUP r1", db)
	s.exec("ALTER TABLE `%s`.`t1` DROP ROLLUP r2", db)
	drops := s.recorded(db, frontendservice.TBinlogType_DROP_ROLLUP)
	require.Equal(t, map[string]any{
		"dbId": number64(s.meta(db).GetID()), "tableId": number64(tableID), "tableName": "t1", "indexId": number64(rollup),
		"indexName": "r2", "isView": false, "forceDrop": false, "recycleTime": number64(0),
	}, drops[0])
	require.Contains(t, s.meta(db).DroppedIndexMap, rollup)
	require.Equal(t, map[string]int64{"t1": base}, s.indexIDs(db, "t1"))
	s.exec("INSERT INTO `%s`.`t1` VALUES (1, 3, 3)", db)
}

// TestSynchronousMaterializedView is a rollup with a statement.
func TestSynchronousMaterializedView(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`t` (k INT, j INT, v INT) DUPLICATE KEY(k, j) DISTRIBUTED BY HASH(k) BUCKETS 1", db)
	s.exec("INSERT INTO `%s`.`t` VALUES (1, 1, 10), (1, 2, 20)", db)
	statement := "CREATE MATERIALIZED VIEW sums AS SELECT k, SUM(v) FROM `" + db + "`.`t` GROUP BY k"
	s.exec("%s", statement)
	s.finished("MATERIALIZED VIEW", db, "t", 1)
	s.exec("CREATE MATERIALIZED VIEW part AS SELECT j, k FROM `%s`.`t`", db)
	s.finished("ROLLUP", db, "t", 2)
	shown := s.query("SHOW CREATE MATERIALIZED VIEW sums ON `%s`.`t`", db)
	require.Equal(t, []row{{"TableName": "t", "ViewName": "sums", "CreateStmt": statement}}, shown)
	require.Equal(t, "k,j,v,,mv_k,mva_SUM__`v`,,mv_j,mv_k", values(s.query("DESC `%s`.`t` ALL", db), "Field"))
	s.refuses(1105, "Materialized view[sums] already exists", "CREATE MATERIALIZED VIEW sums AS SELECT k FROM `%s`.`t`", db)
	s.exec("DROP MATERIALIZED VIEW sums ON `%s`.`t`", db)
	s.exec("DROP MATERIALIZED VIEW IF EXISTS sums ON `%s`.`t`", db)
	s.refuses(1105, "Materialized view [sums] does not exist in table [t]", "DROP MATERIALIZED VIEW sums ON `%s`.`t`", db)
	require.Len(t, s.recorded(db, frontendservice.TBinlogType_DROP_ROLLUP), 1)
}

// TestColumnsOfRollups: ADD COLUMN TO, DROP COLUMN FROM, ORDER BY FROM, and the
// change of the base index that a rollup follows.
func TestColumnsOfRollups(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`t` (k INT, j INT, v INT, w INT) DUPLICATE KEY(k, j) DISTRIBUTED BY HASH(k) BUCKETS 1 "+
		"ROLLUP (r1 (j, k, w), r2 (k, v))", db)
	require.Len(t, s.indexIDs(db, "t"), 3)
	s.exec("INSERT INTO `%s`.`t` VALUES (1, 2, 3, 4)", db)
	all := func() string { return values(s.query("DESC `%s`.`t` ALL", db), "Field") }
	require.Equal(t, "k,j,v,w,,j,k,w,,k,v", all())

	s.exec("ALTER TABLE `%s`.`t` ADD COLUMN `x` INT DEFAULT \"7\" TO r2", db)
	require.Equal(t, "k,j,v,w,x,,j,k,w,,k,v,x", all())
	light := s.recorded(db, frontendservice.TBinlogType_MODIFY_TABLE_ADD_OR_DROP_COLUMNS)
	require.Len(t, light, 1)
	require.Equal(t, "ALTER TABLE `"+db+"`.`t` ADD COLUMN `x` int NULL DEFAULT \"7\" COMMENT \"\" IN `r2`", light[0]["rawSql"])
	schemas, ok := light[0]["indexSchemaMap"].(map[string]any)
	require.True(t, ok)
	require.Len(t, schemas, 2)
	require.Len(t, s.query("SHOW ALTER TABLE COLUMN FROM `%s` WHERE State = \"FINISHED\"", db), 2, "a row for each index")

	before := s.indexIDs(db, "t")
	s.exec("ALTER TABLE `%s`.`t` DROP COLUMN `k` FROM r1", db)
	require.Eventually(t, func() bool { return all() == "k,j,v,w,x,,k,v,x,,j,w" }, patience, 5e6)
	after := s.indexIDs(db, "t")
	require.Equal(t, before["t"], after["t"])
	require.NotEqual(t, before["r1"], after["r1"])
	s.exec("ALTER TABLE `%s`.`t` ORDER BY (w, j) FROM r1", db)
	require.Eventually(t, func() bool { return s.indexIDs(db, "t")["r1"] != after["r1"] && len(s.indexIDs(db, "t")) == 3 }, patience, 5e6)
}

// TestSnapshotWithRollups: a backup holds rollups and no shadows, and a restore
// makes them with new ids.
func TestSnapshotWithRollups(t *testing.T) {
	c, from := private(t)
	to := destination(t)
	db, toDB := from.database(), to.database()
	from.exec("CREATE TABLE `%s`.`t` (k INT, v INT SUM) AGGREGATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 ROLLUP (r1 (k, v))", db)
	from.exec("INSERT INTO `%s`.`t` VALUES (1, 1)", db)
	release := hold(t, c, "WAITING_TXN")
	from.exec("ALTER TABLE `%s`.`t` ADD COLUMN `c` INT KEY FIRST", db)
	from.waitJob("COLUMN", db, "WAITING_TXN")
	label := from.backup(db)
	release()
	snapshot := from.getSnapshot(db, label, false)
	info := decodeJobInfo(t, snapshot.JobInfo)
	info["extra_info"] = from.extraInfo()
	requireOK(t, to.restore(restoreRequest(t, toDB, label, snapshot.Meta, info)))
	to.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", toDB, label)
	ids := to.indexIDs(toDB, "t")
	require.Len(t, ids, 2)
	require.NotZero(t, ids["r1"])
	require.Equal(t, "k,v,,k,v", values(to.query("DESC `%s`.`t` ALL", toDB), "Field"))
	to.exec("INSERT INTO `%s`.`t` VALUES (1, 2)", toDB)
	require.Equal(t, "3", values(to.query("SELECT v FROM `%s`.`t`", toDB), "v"))
}
