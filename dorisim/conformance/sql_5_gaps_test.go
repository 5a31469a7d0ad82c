package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
)

const once = "PROPERTIES ('replication_num' = '1', 'binlog.enable' = 'true')"

// FROM .. TO .. INTERVAL in CREATE TABLE and ALTER TABLE.
func TestBulkPartitions(t *testing.T) {
	s := source(t)
	db := s.database()
	partitions := func(table string) string {
		return values(s.query("SHOW PARTITIONS FROM `%s`.`%s`", db, table), "PartitionName")
	}
	s.exec("CREATE TABLE `%s`.n (k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (FROM (1) TO (100) INTERVAL 40) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	require.Equal(t, "p_1,p_41,p_81", partitions("n"))
	require.Contains(t, values(s.query("SHOW CREATE TABLE `%s`.n", db), "Create Table"), `PARTITION p_81 VALUES [("81"), ("100"))`)
	s.exec("CREATE TABLE `%s`.d (k DATE, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (FROM ('2023-11-15') TO ('2024-02-01') INTERVAL 1 MONTH, PARTITION later VALUES [('2030-01-01'), ('2031-01-01'))) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	require.Equal(t, "p_202311,p_202312,p_202401,later", partitions("d"))
	require.Contains(t, values(s.query("SHOW CREATE TABLE `%s`.d", db), "Create Table"), `PARTITION p_202312 VALUES [('2023-12-01'), ('2024-01-01'))`)
	prev := s.lastSeq(db)
	s.exec("ALTER TABLE `%s`.d ADD PARTITIONS FROM ('2024-03-01') TO ('2024-03-04') INTERVAL 1 DAY", db)
	require.Equal(t, []binlog.Type{binlog.TypeAddPartition, binlog.TypeAddPartition, binlog.TypeAddPartition}, s.kinds(db, prev))
	require.Contains(t, partitions("d"), "p_20240301,p_20240302,p_20240303")
	s.exec("ALTER TABLE `%s`.d ADD PARTITIONS FROM ('2025-01-01') TO ('2025-02-01') INTERVAL 2 WEEK", db)
	require.Contains(t, partitions("d"), "p_2025_01,p_2025_03,p_2025_05")
	s.refuses(1105, "should less then To value", "ALTER TABLE `%s`.d ADD PARTITIONS FROM ('2025-01-01') TO ('2024-02-01') INTERVAL 2 WEEK", db)
	s.refuses(1105, "should not exceed:4096", "ALTER TABLE `%s`.n ADD PARTITIONS FROM (1000) TO (100000) INTERVAL 1", db)
	s.refuses(1105, "intersected", "ALTER TABLE `%s`.n ADD PARTITIONS FROM (50) TO (60) INTERVAL 5", db)
}

func TestUpdateFromAndDeleteUsing(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.a (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 %s", db, once)
	s.table(db, "b", 1)
	s.exec("INSERT INTO `%s`.a VALUES (1, 10), (2, 20), (3, 30)", db)
	s.exec("INSERT INTO `%s`.b VALUES (1, 100), (3, 300)", db)
	s.exec("UPDATE `%s`.a SET v = b.v + a.v FROM `%s`.b WHERE a.k = b.k", db, db)
	require.Equal(t, "110,20,330", values(s.query("SELECT v FROM `%s`.a ORDER BY k", db), "v"))
	s.exec("DELETE FROM `%s`.a USING `%s`.b INNER JOIN (SELECT 1 AS x) c ON b.k = c.x WHERE a.k = b.k", db, db)
	require.Equal(t, "2,3", values(s.query("SELECT k FROM `%s`.a ORDER BY k", db), "k"))
	s.refuses(1105, "only supports unique key model", "DELETE FROM `%s`.b USING `%s`.a WHERE a.k = b.k", db, db)
	s.exec("DELETE FROM `%s`.a x WHERE x.k = 2", db)
	require.Equal(t, "3", values(s.query("SELECT k FROM `%s`.a", db), "k"))
}

func TestOverwriteTouchedPartitions(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 10), (11, 20)", db)
	s.exec("INSERT OVERWRITE TABLE `%s`.t PARTITION(*) VALUES (12, 30), (13, 40)", db)
	require.Equal(t, "1,12,13", values(s.query("SELECT k FROM `%s`.t ORDER BY k", db), "k"))
	s.refuses(1105, "mismatched input", "INSERT INTO `%s`.t PARTITION(*) VALUES (12, 30)", db)
}

func TestRecycleBin(t *testing.T) {
	_, s := private(t)
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 10)", db)
	s.table(db, "u", 1)
	s.exec("ALTER TABLE `%s`.t DROP PARTITION p2", db)
	s.exec("DROP TABLE `%s`.u", db)
	require.Equal(t, []string{"Type", "Name", "DbId", "TableId", "PartitionId", "DropTime", "DataSize", "RemoteDataSize"}, s.columns("SHOW CATALOG RECYCLE BIN"))
	require.Equal(t, "Table,Partition", values(s.query("SHOW CATALOG RECYCLE BIN"), "Type"))
	require.Equal(t, "u", values(s.query("SHOW CATALOG RECYCLE BIN WHERE NAME = 'u'"), "Name"))

	s.exec("DROP DATABASE `%s`", db)
	bin := s.query("SHOW CATALOG RECYCLE BIN WHERE NAME LIKE '%s%%'", db)
	require.Equal(t, "Database", values(bin, "Type"))
	require.NotEqual(t, "0.000 ", bin[0]["DataSize"])
	s.exec("CREATE DATABASE `%s`", db)
	s.refuses(1007, "database exists", "RECOVER DATABASE `%s`", db)
	s.exec("RECOVER DATABASE `%s` AS again", db)
	require.Equal(t, "1", values(s.query("SELECT * FROM again.t"), "k"))
	s.exec("INSERT INTO again.t VALUES (2, 1)")
	s.exec("RECOVER TABLE again.u")
	s.refuses(1049, "Unknown database 'nope'", "RECOVER DATABASE nope")
	s.exec("DROP DATABASE again FORCE")
	s.refuses(1049, "Unknown database 'again'", "RECOVER DATABASE again")
	require.NotContains(t, values(s.query("SHOW CATALOG RECYCLE BIN"), "Name"), "p2")
}

func TestHiddenColumns(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.q (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1', 'function_column.sequence_type' = 'int')", db)
	s.db.SetMaxOpenConns(1)
	s.exec("INSERT INTO `%s`.q (k, v, __DORIS_SEQUENCE_COL__) VALUES (1, 10, 5)", db)
	s.exec("INSERT INTO `%s`.q (k, v, __DORIS_SEQUENCE_COL__) VALUES (1, 20, 4)", db)
	s.exec("INSERT INTO `%s`.q (k, v, __DORIS_SEQUENCE_COL__, __DORIS_DELETE_SIGN__) VALUES (2, 20, 4, 0)", db)
	s.exec("INSERT INTO `%s`.q (k, v, __DORIS_SEQUENCE_COL__, __DORIS_DELETE_SIGN__) VALUES (2, 0, 9, 1)", db)
	require.NotContains(t, s.columns("SELECT * FROM `"+db+"`.q"), "__DORIS_DELETE_SIGN__")
	s.exec("set show_hidden_columns = true")
	shown := s.columns("SELECT * FROM `" + db + "`.q")
	require.Subset(t, shown, []string{"__DORIS_DELETE_SIGN__", "__DORIS_VERSION_COL__", "__DORIS_SEQUENCE_COL__"})
	rows := s.query("SELECT * FROM `%s`.q ORDER BY k", db)
	require.Equal(t, "10", rows[0]["v"], "the larger sequence wins")
	require.Equal(t, "5", rows[0]["__DORIS_SEQUENCE_COL__"])
	require.Equal(t, "0", rows[0]["__DORIS_DELETE_SIGN__"])
	require.Len(t, rows, 2)
	require.Equal(t, "2", rows[1]["k"], "nobody filters by the delete sign now")
	require.Equal(t, "1", rows[1]["__DORIS_DELETE_SIGN__"])
	s.exec("DELETE FROM `%s`.q WHERE k = 1", db)
	require.Equal(t, "1,1", values(s.query("SELECT * FROM `%s`.q ORDER BY k", db), "__DORIS_DELETE_SIGN__"))
	s.exec("INSERT INTO `%s`.q (k, v, __DORIS_SEQUENCE_COL__) VALUES (1, 10, 50)", db)
	s.exec("UPDATE `%s`.q SET v = 11 WHERE v < 100", db)
	rows = s.query("SELECT * FROM `%s`.q ORDER BY k", db)
	require.Equal(t, "0,1", values(rows, "__DORIS_DELETE_SIGN__"), "an UPDATE does not see deleted rows")
	require.Equal(t, "11", rows[0]["v"])
	require.Contains(t, values(s.query("DESC `%s`.q", db), "Field"), "__DORIS_DELETE_SIGN__")
	s.exec("set show_hidden_columns = false")
	require.Equal(t, "1", values(s.query("SELECT * FROM `%s`.q", db), "k"), "deleted")

	s.exec("CREATE TABLE `%s`.u (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ('replication_num' = '1')", db)
	s.exec("INSERT INTO `%s`.u VALUES (1, 1), (2, 2), (3, 3)", db)
	s.exec("DELETE FROM `%s`.u WHERE k = 2", db)
	s.exec("set show_hidden_columns = true")
	require.Equal(t, "0,1,0", values(s.query("SELECT * FROM `%s`.u ORDER BY k", db), "__DORIS_DELETE_SIGN__"))
	s.exec("set show_hidden_columns = false")
	require.Equal(t, "1,3", values(s.query("SELECT * FROM `%s`.u ORDER BY k", db), "k"))
}

func TestClusterBy(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.c (k INT, v INT, w INT) UNIQUE KEY(k) CLUSTER BY(w, v) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	require.Contains(t, values(s.query("SHOW CREATE TABLE `%s`.c", db), "Create Table"), "UNIQUE KEY(`k`)\nCLUSTER BY (`w`, `v`)\nDISTRIBUTED")
	s.refuses(1105, "Cluster key column[x] doesn't exist", "CREATE TABLE `%s`.d (k INT, v INT) UNIQUE KEY(k) CLUSTER BY(x) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	s.refuses(1105, "Cluster keys only support unique keys table", "CREATE TABLE `%s`.d (k INT, v INT) DUPLICATE KEY(k) CLUSTER BY(v) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
}

func TestVariantPaths(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.j (k BIGINT, var VARIANT, a ARRAY<INT>) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	s.exec(`INSERT INTO %s.j VALUES (1, '{"key_1": "one", "n": {"m": [7, 8]}}', [1, 2])`, db)
	require.Equal(t, "one", s.query(`select CAST(var["key_1"] AS TEXT) x from %s.j where k = 1`, db)[0]["x"])
	require.Equal(t, "8", s.query(`select cast(t.var['n']['m'][2] AS INT) x from %s.j t`, db)[0]["x"])
	require.Equal(t, "NULL", s.query(`select var["none"] x from %s.j`, db)[0]["x"])
	require.Equal(t, "2", s.query(`select a[2] x from %s.j`, db)[0]["x"])
}

func TestCreateTableAs(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "t", 1)
	s.exec("INSERT INTO `%s`.t VALUES (1, 10), (2, 20)", db)
	s.exec("CREATE TABLE `%s`.c (a, b) DUPLICATE KEY(a) DISTRIBUTED BY HASH(a) BUCKETS 1 %s AS SELECT k, v * 2 FROM `%s`.t", db, once, db)
	require.Equal(t, "20,40", values(s.query("SELECT b FROM `%s`.c ORDER BY a", db), "b"))
	s.refuses(1105, "ctas column size is not equal", "CREATE TABLE `%s`.d (a) %s AS SELECT k, v FROM `%s`.t", db, once, db)
}

func TestRepositories(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "t", 1)
	s.refuses(1105, "Failed to create repository", `CREATE REPOSITORY repo WITH S3 ON LOCATION "s3://b/x" PROPERTIES ("s3.endpoint" = "e", "s3.access_key" = "a")`)
	s.refuses(1105, "Failed to create repository", `CREATE READ ONLY REPOSITORY repo WITH BROKER hdfs ON LOCATION "hdfs://b/x" PROPERTIES ("username" = "u")`)
	s.refuses(1105, "Missing [s3.endpoint] in properties", `CREATE REPOSITORY repo WITH S3 ON LOCATION "s3://b/x"`)
	s.refuses(1105, "Repository does not exist", "DROP REPOSITORY repo")
	require.Equal(t, []string{"RepoId", "RepoName", "CreateTime", "IsReadOnly", "Location", "Broker", "Type", "ErrMsg"}, s.columns("SHOW REPOSITORIES"))
	s.refuses(5064, "Repository repo does not exist", "BACKUP SNAPSHOT `%s`.l TO repo ON (t)", db)
	s.refuses(1105, "Repository repo does not exist", "RESTORE SNAPSHOT `%s`.l FROM repo ON (t AS u) PROPERTIES ('backup_timestamp' = '2024-11-12-10-03-11')", db)
	s.refuses(1105, "Repository repo does not exist", "SHOW SNAPSHOT ON repo WHERE SNAPSHOT = 'l'")
}

func TestSizes(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 10), (2, 20)", db)
	row := s.query("SHOW PARTITIONS FROM `%s`.t WHERE PartitionName = 'p1'", db)[0]
	require.Regexp(t, `^\d+\.\d{3} [KB]+$`, row["DataSize"])
	require.Equal(t, "2", row["RowCount"])
	require.Equal(t, "0.000 ", s.query("SHOW PARTITIONS FROM `%s`.t WHERE PartitionName = 'p2'", db)[0]["DataSize"])
	id := s.query("SHOW TABLETS FROM `%s`.t", db)
	total := false
	for _, r := range id {
		total = total || r["LocalDataSize"] != "0" && r["RowCount"] != "0" && r["VersionCount"] != "0"
	}
	require.True(t, total)
	require.Equal(t, "2", s.query("SELECT TABLE_ROWS FROM information_schema.tables WHERE TABLE_SCHEMA = '%s'", db)[0]["TABLE_ROWS"])
	require.NotEqual(t, "0", s.query("SHOW TABLE STATUS FROM `%s`", db)[0]["Data_length"])
	data := s.query("SHOW DATA FROM `%s`.t", db)
	require.Equal(t, "t,Total", data[0]["IndexName"]+","+data[1]["IndexName"])
	require.NotEqual(t, "0.000", data[0]["Size"])
	for _, r := range s.query("SHOW PROC '/dbs'") {
		if r["DbName"] == db {
			require.NotEqual(t, "0.000", r["Size"])
		}
	}
}

// Objects are read as NULL unless the session wants to see them (doris-sql.md 1.2).
func TestObjectValues(t *testing.T) {
	s := source(t)
	db := s.database()
	s.db.SetMaxOpenConns(1)
	s.exec("set enable_agg_state=true")
	s.exec("CREATE TABLE `%s`.o (k INT, h HLL HLL_UNION, b BITMAP BITMAP_UNION, q QUANTILE_STATE QUANTILE_UNION, a AGG_STATE<max_by(int, int)> GENERIC) "+
		"AGGREGATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	text := values(s.query("SHOW CREATE TABLE `%s`.o", db), "Create Table")
	require.Contains(t, text, "`h` hll HLL_UNION NOT NULL")
	require.Contains(t, text, "`b` bitmap BITMAP_UNION NOT NULL DEFAULT BITMAP_EMPTY")
	require.Contains(t, text, "`q` quantile_state QUANTILE_UNION NOT NULL")
	require.Contains(t, text, "GENERIC")
	s.exec("INSERT INTO `%s`.o VALUES (1, hll_hash(1), to_bitmap(1), to_quantile_state(1, 2048), max_by_state(1, 2))", db)
	row := s.query("SELECT * FROM `%s`.o", db)[0]
	for _, name := range strings.Split("h,b,q", ",") {
		require.Equal(t, "NULL", row[name], name)
	}
	s.exec("set return_object_data_as_binary = true")
	require.NotEqual(t, "NULL", s.query("SELECT * FROM `%s`.o", db)[0]["b"])
}

// BUILD INDEX gives the files of an inverted index to rows that were there
// before it (doris-binlogs.md 2.22).
func TestBuildIndexMakesFiles(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 10), (11, 20)", db)
	files := func() string {
		label := s.backup(db)
		return string(s.getSnapshot(db, label, false).JobInfo)
	}
	s.exec("ALTER TABLE `%s`.t ADD INDEX i (v) USING INVERTED", db)
	require.NotContains(t, files(), ".idx")
	s.exec("BUILD INDEX i ON `%s`.t PARTITIONS (p1)", db)
	s.waitState("FINISHED", "SHOW BUILD INDEX FROM `%s` WHERE TableName = \"t\" AND PartitionName = \"p1\"", db)
	require.Equal(t, 1, strings.Count(files(), ".idx"))
	s.exec("BUILD INDEX i ON `%s`.t", db)
	require.Eventually(t, func() bool { return strings.Count(files(), ".idx") == 2 }, patience, 5*time.Millisecond)
	s.exec("DROP INDEX i ON `%s`.t", db)
	require.Eventually(t, func() bool { return !strings.Contains(files(), ".idx") }, patience, 5*time.Millisecond)
}

// The columns of a synchronous materialized view have names of their own.
func TestMaterializedViewColumns(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "t", 1)
	s.exec("INSERT INTO `%s`.t VALUES (1, 10)", db)
	s.exec("CREATE MATERIALIZED VIEW r AS SELECT k, SUM(v) FROM `%s`.t GROUP BY k", db)
	s.waitState("FINISHED", "SHOW ALTER TABLE MATERIALIZED VIEW FROM `%s`", db)
	var names, expressions []string
	for _, r := range s.query("DESC `%s`.t ALL", db) {
		if r["Field"] != "" {
			names, expressions = append(names, r["Field"]), append(expressions, r["DefineExpr"])
		}
	}
	require.Equal(t, []string{"k", "v", "mv_k", "mva_SUM__`v`"}, names)
	require.Equal(t, []string{"", "", "`k`", "`v`"}, expressions)
}

// TestUpdateTime: Update_time is when a partition got its newest version, in the time zone of the session (doris-sql.md 5.6).
func TestUpdateTime(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	told := func() time.Time {
		at, err := time.Parse(time.DateTime, s.query("SHOW TABLE STATUS FROM `%s`", db)[0]["Update_time"])
		require.NoError(t, err)
		return at
	}
	s.exec("SET time_zone = '+00:00'")
	made := told()
	require.WithinDuration(t, time.Now().UTC(), made, time.Minute, "an empty table tells its creation")
	require.Eventually(t, func() bool {
		s.exec("INSERT INTO `%s`.t VALUES (1, 10)", db)
		return told().After(made)
	}, time.Minute, 100*time.Millisecond)
	loaded := told()
	s.exec("SET time_zone = '+08:00'")
	require.Equal(t, 8*time.Hour, told().Sub(loaded))
	s.exec("SET time_zone = 'Asia/Tokyo'")
	require.Equal(t, 9*time.Hour, told().Sub(loaded))
}
