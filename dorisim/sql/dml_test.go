package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

const one = " DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ('replication_num' = '2')"

func TestInsertModels(t *testing.T) {
	f := newFixture(t)
	f.exec(
		"CREATE TABLE dup (k INT, v INT) DUPLICATE KEY(k)"+one,
		"CREATE TABLE uni (k INT, v INT) UNIQUE KEY(k)"+one,
		"CREATE TABLE agg (k INT, s BIGINT SUM, m INT MAX, r VARCHAR(9) REPLACE) AGGREGATE KEY(k)"+one,
	)
	for _, table := range []string{"dup", "uni"} {
		f.exec("INSERT INTO "+table+" VALUES (1, 10), (2, 20)", "INSERT INTO "+table+" VALUES (1, 11)")
	}
	f.exec("INSERT INTO agg VALUES (1, 10, 5, 'a'), (1, 5, 7, 'b')", "INSERT INTO agg VALUES (1, 1, 6, 'c')")
	require.Equal(t, []string{"1,10", "1,11", "2,20"}, f.rows("SELECT * FROM dup ORDER BY k, v"))
	require.Equal(t, []string{"1,11", "2,20"}, f.rows("SELECT * FROM uni ORDER BY k"))
	require.Equal(t, []string{"1,16,7,c"}, f.rows("SELECT * FROM agg"))
}

func TestInsertForms(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k INT NOT NULL, a VARCHAR(20) NULL DEFAULT 'dflt', d DATETIME(3) NULL, n DECIMAL(10,2) NULL, at DATETIME DEFAULT CURRENT_TIMESTAMP) DUPLICATE KEY(k)" + one)
	for _, test := range []struct{ insert, want string }{
		{"INSERT INTO t VALUES (1, 'x', '2024-01-02 03:04:05.6', 1.005, '2024-01-01')", "1,x,2024-01-02 03:04:05.600,1.01"},
		{`insert into ccr.t (k, n) values ("2", -3)`, "2,dflt,NULL,-3.00"},
		{"INSERT INTO `internal`.`ccr`.`t` (n, k) VALUES (NULL, 3);", "3,dflt,NULL,NULL"},
		{"INSERT INTO t (k, a) VALUES (2 + 2, concat('a', 'b'))", "4,ab,NULL,NULL"},
		{"INSERT INTO t (k, a, d) VALUES (5, DEFAULT, '20240203')", "5,dflt,2024-02-03 00:00:00.000,NULL"},
		{"INSERT INTO t (k, a) SELECT 6, a FROM t WHERE k = 1", "6,x,NULL,NULL"},
		{"INSERT INTO t (k, a) VALUES (7, 'it''s; \\'q\\'')", "7,it's; 'q',NULL,NULL"},
		{"INSERT INTO t (k, a) VALUES (8, 'ünï')", "8,ünï,NULL,NULL"},
	} {
		f.exec(test.insert)
		require.Equal(t, []string{test.want}, f.rows("SELECT k, a, d, n FROM t WHERE k = "+test.want[:1]), test.insert)
	}
	require.Equal(t, []string{"8"}, f.rows("SELECT count(at) FROM t"))
	result, err := f.db.Exec("INSERT INTO t (k) SELECT number + 100 FROM numbers('number' = '50')")
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	require.Equal(t, int64(50), n)
}

func TestInsertRefusals(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k TINYINT NOT NULL, a VARCHAR(3) NULL, b INT NOT NULL) DUPLICATE KEY(k)"+one,
		"CREATE TABLE r (k INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) ()"+one,
		"CREATE TABLE p (k INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES [('0'), ('10')))"+one)
	for statement, want := range map[string]string{
		"INSERT INTO nope VALUES (1)":             "Table [nope] does not exist in database [ccr].",
		"INSERT INTO t VALUES (1, 'a')":           "Column count doesn't match value count",
		"INSERT INTO t VALUES (1, 'a', 1, 1)":     "Column count doesn't match value count",
		"INSERT INTO t (k, zz) VALUES (1, 1)":     "Unknown column 'zz'",
		"INSERT INTO t (k) VALUES (1)":            "Column has no default value, column=b",
		"INSERT INTO t VALUES (300, 'a', 1)":      "Number out of range[300]. type: TINYINT",
		"INSERT INTO t VALUES (1, 'abcd', 1)":     "Insert has filtered data in strict mode",
		"INSERT INTO t VALUES (NULL, 'a', 1)":     "Insert has filtered data in strict mode",
		"INSERT INTO t VALUES ('x', 'a', 1)":      "Insert has filtered data in strict mode",
		"INSERT INTO r VALUES (1)":                "data cannot be inserted into table with empty partition.",
		"INSERT INTO p VALUES (11)":               "Insert has filtered data in strict mode",
		"INSERT INTO p PARTITION (zz) VALUES (1)": "partition [zz] does not exist",
		"INSERT INTO t VALUES (1, 'a', 1":         "mismatched input",
		"INSERT INTO t SELECT 1":                  "insert into cols should be corresponding to the query output",
		"SELECT * FROM t WHERE":                   "",
		"DELETE FROM t":                           "delete all rows is forbidden temporary.",
		"UPDATE t SET b = 1 WHERE k = 1":          "Only unique table could be updated.",
		"DELETE FROM t WHERE k = 1 OR b = 2":      "Where clause only supports compound predicate",
		"FROBNICATE":                              "mismatched input",
	} {
		f.fails(statement, want)
	}
	require.Equal(t, []string{"0"}, f.rows("SELECT count(*) FROM t"))
	f.exec("set enable_insert_strict = false; INSERT INTO t VALUES (1, 'abcd', 1), (2, 'a', 2)")
	require.Equal(t, []string{"2,a,2"}, f.rows("SELECT * FROM t"))
}

func TestPartitionsAndAutoPartitions(t *testing.T) {
	f := newFixture(t)
	f.exec(
		"CREATE TABLE r (k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20'))"+one,
		"INSERT INTO r VALUES (NULL, 0), (5, 1), (15, 2)", "INSERT INTO r PARTITION (p2) VALUES (16, 3)",
		"CREATE TABLE l (city VARCHAR(20), v INT) DUPLICATE KEY(city) AUTO PARTITION BY LIST (city) () DISTRIBUTED BY HASH(city) BUCKETS 1 PROPERTIES ('replication_num' = '1')",
		"INSERT INTO l VALUES ('beijing', 1), ('x', 2), ('beijing', 3)",
		"CREATE TABLE d (at DATETIME NOT NULL, v INT) DUPLICATE KEY(at) AUTO PARTITION BY RANGE (date_trunc(at, 'day')) () DISTRIBUTED BY HASH(at) BUCKETS 1 PROPERTIES ('replication_num' = '1')",
		"INSERT INTO d VALUES ('2025-02-01 10:00:00', 1), ('2025-02-01 23:59:59', 2), ('2025-02-03 00:00:00', 3)",
	)
	require.Equal(t, []string{"NULL", "5"}, f.rows("SELECT k FROM r PARTITION (p1) ORDER BY k"))
	require.Equal(t, []string{"15", "16"}, f.rows("SELECT x.k FROM ccr.r PARTITION (`p2`) x ORDER BY x.k"))
	require.Equal(t, []string{"2"}, f.rows("SELECT count(*) FROM r PARTITION p2 WHERE k > 0"))
	f.fails("SELECT * FROM r TEMPORARY PARTITION (t1)", "not found in table: r")
	names := func(table string) []string {
		var list []string
		for _, row := range f.maps("SHOW PARTITIONS FROM " + table) {
			list = append(list, row["PartitionName"])
		}
		return list
	}
	require.ElementsMatch(t, []string{"pbeijing7", "px1"}, names("l"))
	require.Equal(t, []string{"p20250201000000", "p20250203000000"}, names("d"))
	require.Equal(t, []string{"2"}, f.rows("SELECT count(*) FROM d PARTITION (p20250201000000)"))
}

func TestDeleteAndUpdate(t *testing.T) {
	f := newFixture(t)
	values := " VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, NULL), (4, 40, 'd')"
	for _, model := range []string{"DUPLICATE", "UNIQUE"} {
		name := strings.ToLower(model)
		f.exec("CREATE TABLE `"+name+"` (k INT, v INT, s VARCHAR(9) NULL) "+model+" KEY(k)"+one, "INSERT INTO `"+name+"`"+values,
			"DELETE FROM `"+name+"` WHERE k = 1", "DELETE FROM `"+name+"` WHERE v >= 40 AND s != 'zz'", "DELETE FROM `"+name+"` WHERE s IS NULL AND k IN (3, 9)")
		require.Equal(t, []string{"2,20,b"}, f.rows("SELECT * FROM `"+name+"`"), model)
		f.exec("INSERT INTO `" + name + "`" + values)
		want := map[string]string{"DUPLICATE": "5", "UNIQUE": "4"}[model]
		require.Equal(t, []string{want}, f.rows("SELECT count(*) FROM `"+name+"`"), "deleted rows may come again")
	}
	f.exec("UPDATE `unique` SET v = v + 1, s = 'new' WHERE k > 2", "DELETE FROM `unique` WHERE k = 1 OR v = 20")
	require.Equal(t, []string{"3,31,new", "4,41,new"}, f.rows("SELECT * FROM `unique` ORDER BY k"))
	f.fails("UPDATE `unique` SET k = 1 WHERE k = 2", "Only value columns of unique table could be updated")
	f.exec("set enable_unique_key_partial_update=true; set enable_insert_strict=false; INSERT INTO `unique` (k, s) VALUES (3, 'part')")
	require.Equal(t, []string{"3,31,part"}, f.rows("SELECT * FROM `unique` WHERE k = 3"))

	f.exec("CREATE TABLE agg (k INT, v INT SUM) AGGREGATE KEY(k)"+one, "INSERT INTO agg VALUES (1, 1), (2, 2)", "DELETE FROM agg WHERE k = 1")
	require.Equal(t, []string{"2,2"}, f.rows("SELECT * FROM agg"))
	f.fails("DELETE FROM agg WHERE v = 2", "is an Aggregate table.")
}

func TestSequenceAutoIncrementGenerated(t *testing.T) {
	f := newFixture(t)
	f.exec(
		`CREATE TABLE s (k INT, v INT, q INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ("replication_num" = "1", "function_column.sequence_col" = "q")`,
		"INSERT INTO s VALUES (1, 1, 5)", "INSERT INTO s VALUES (1, 2, 4)", "INSERT INTO s VALUES (2, 1, 1)", "INSERT INTO s VALUES (2, 2, 2)",
		"CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT(100), v INT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ('replication_num' = '1')",
		"INSERT INTO a (v) VALUES (1), (2)", "INSERT INTO a VALUES (NULL, 3)",
		"CREATE TABLE g (k INT, price DECIMAL(10,2), n INT, total DECIMAL(12,2) GENERATED ALWAYS AS (price * n)) DUPLICATE KEY(k)"+one,
		"INSERT INTO g VALUES (1, 2.50, 4, DEFAULT)",
	)
	require.Equal(t, []string{"1,1,5", "2,2,2"}, f.rows("SELECT * FROM s ORDER BY k"))
	require.Equal(t, []string{"100,1", "101,2", "102,3"}, f.rows("SELECT * FROM a ORDER BY id"))
	require.Equal(t, []string{"10.00"}, f.rows("SELECT total FROM g"))
}

func TestTransaction(t *testing.T) {
	f := newFixture(t)
	f.exec("ALTER DATABASE ccr SET PROPERTIES ('binlog.enable' = 'true')",
		"CREATE TABLE a (k INT, v INT) UNIQUE KEY(k)"+one, "CREATE TABLE b (k INT, v INT) DUPLICATE KEY(k)"+one, "INSERT INTO a VALUES (1, 1), (2, 2)")
	f.exec("begin; INSERT INTO b SELECT * FROM a; UPDATE a SET v = 9 WHERE k = 1; DELETE FROM a WHERE k = 2; INSERT INTO b VALUES (7, 7); commit")
	require.Equal(t, []string{"1,9"}, f.rows("SELECT * FROM a"))
	require.Equal(t, []string{"1,1", "2,2", "7,7"}, f.rows("SELECT * FROM b ORDER BY k"))
	f.core.RLock()
	db, _ := f.core.Database("ccr")
	f.core.RUnlock()
	txns := f.core.Txns(db.ID)
	last := txns[len(txns)-1]
	require.Len(t, last.SubIDs, 4)
	require.Len(t, last.Tables, 2)
	require.True(t, strings.HasPrefix(last.Label, "txn_insert_"))

	binlogs, status := f.core.ReadBinlogs(db.ID, -1, 0, 255)
	if status == core.ReadTooOld {
		binlogs, _ = f.core.ReadBinlogs(db.ID, -1, binlogs[0].CommitSeq, 255)
	}
	upsert := binlogs[len(binlogs)-1]
	require.Equal(t, binlog.TypeUpsert, upsert.Type, "one binlog for the whole transaction")
	require.Contains(t, upsert.Data, fmt.Sprintf(`"stids":[%d,%d,%d,%d]`, last.ID, last.ID+1, last.ID+2, last.ID+3))
	require.Contains(t, upsert.Data, last.Label)

	f.exec("BEGIN WITH LABEL mine; INSERT INTO b VALUES (8, 8); INSERT INTO b VALUES (9, 9); COMMIT")
	txn, ok := f.core.TxnByLabel(db.ID, "mine")
	require.True(t, ok)
	require.Equal(t, core.TxnVisible, txn.State)
	require.Empty(t, txn.SubIDs, "VALUES into one table are a plain transaction")
	f.exec("BEGIN; INSERT INTO b VALUES (10, 10); ROLLBACK", "BEGIN; COMMIT")
	require.Equal(t, []string{"5"}, f.rows("SELECT count(*) FROM b"))
}

func TestSelectDialect(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k INT, v VARCHAR(20), big LARGEINT, b BOOLEAN, bm BITMAP BITMAP_UNION) AGGREGATE KEY(k, v, big, b)"+one,
		"INSERT INTO t VALUES (1, 'one', 170141183460469231731687303715884105727, true, to_bitmap(1)), (2, 'two', -1, false, to_bitmap(2))")
	for query, want := range map[string]string{
		"SELECT k FROM `internal`.`ccr`.`t` WHERE `internal`.`ccr`.`t`.`k` = 2":               "2",
		"SELECT /*+ SET_VAR(inverted_index_skip_threshold = 0) */ k FROM t WHERE v = \"one\"": "1",
		"SELECT COUNT() FROM t": "2",
		"SELECT CAST(k AS STRING), CAST('5' AS BIGINT) FROM t ORDER BY k LIMIT 1": "1,5",
		"SELECT bm FROM t WHERE k = 1":                                            "NULL",
		"SELECT big, b FROM t WHERE k = 1":                                        "170141183460469231731687303715884105727,1",
		"SELECT k FROM t p201702_new WHERE p201702_new.v = 'two'":                 "2",
		"(SELECT 1)": "1",
		"WITH x AS (SELECT k FROM t) SELECT max(k) FROM x":           "2",
		"SELECT a.k, b.v FROM t a JOIN t b ON a.k = b.k WHERE a.k=1": "1,one",
		"SELECT k, sum(k) OVER (PARTITION BY b) FROM t WHERE k = 1":  "1,1",
		"SELECT date_trunc('x', 1)":                                  "",
		"SELECT connection_id() > 0":                                 "1",
	} {
		if want == "" {
			_, _, err := readAll(f.db, query)
			require.Error(t, err, query)
			continue
		}
		require.Equal(t, []string{want}, f.rows(query), query)
	}
	hidden := f.rows("set show_hidden_columns = true; SELECT * FROM t WHERE k = 1")
	require.Len(t, hidden, 1)
	f.fails("SELECT nope FROM t", "Unknown column 'nope'")
	f.fails("SELECT * FROM zzz.t", "zzz")
}

func BenchmarkInsert(b *testing.B) {
	f := newFixture(b)
	f.exec("CREATE TABLE t (k INT, v VARCHAR(20)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
	b.ResetTimer()
	for i := range b.N {
		f.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 'value')", i))
	}
}

func BenchmarkSelectAll(b *testing.B) {
	f := newFixture(b)
	f.exec("CREATE TABLE t (k INT, v VARCHAR(20)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')",
		"INSERT INTO t SELECT number, 'value' FROM numbers('number' = '10000')")
	for _, query := range []string{"SELECT * FROM t", "SELECT count(*) FROM t", "SELECT * FROM t ORDER BY k, v", "SELECT * FROM t WHERE k = 5"} {
		b.Run(query, func(b *testing.B) {
			for range b.N {
				f.rows(query)
			}
		})
	}
}

func TestRestoringPartitionIsUnreadable(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE r (k INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20'))"+one,
		"INSERT INTO r VALUES (5), (15)")
	f.core.Lock()
	db, _ := f.core.Database("ccr")
	db.Tables["r"].State, db.Tables["r"].Partitions["p2"].State = catalog.StateRestore, catalog.StateRestore
	f.core.Unlock()
	f.fails("SELECT * FROM r", "Partition state is not NORMAL: p2:RESTORING")
	f.fails("INSERT INTO r VALUES (16)", "Table [r], Partition [p2] is in restore process. Can not load into it")
	require.Equal(t, []string{"5"}, f.rows("SELECT * FROM r PARTITION (p1)"))
	require.Equal(t, []string{"r"}, f.rows("SHOW TABLES"))
}

func TestWritersNeedAMaster(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k INT) DUPLICATE KEY(k)" + one)
	f.core.SetMaster(-1)
	f.fails("INSERT INTO t VALUES (1)", "Node catalog is not ready")
	f.fails("DROP TABLE t", "Node catalog is not ready")
	require.Equal(t, []string{"0"}, f.rows("SELECT count(*) FROM t"))
	f.core.SetMaster(0)
	f.exec("INSERT INTO t VALUES (1)")
}
