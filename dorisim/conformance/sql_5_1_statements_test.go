package conformance

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// census is doris-sql.md 5.1 to 5.4 as a list of statements that follow one
// another in one database; $db is its name. A text after " !! " must be in the
// refusal; a number after " -> " is how many rows the statement returns.
var census = []struct {
	section    string
	statements []string
}{
	{"5.2 create", []string{
		"CREATE TABLE IF NOT EXISTS base (`test` INT, `id` INT) ENGINE = OLAP UNIQUE KEY(`test`, `id`) PARTITION BY RANGE(`id`) () DISTRIBUTED BY HASH(id) BUCKETS AUTO $p",
		"INSERT INTO base VALUES (1, 1) !! data cannot be inserted into table with empty partition",
		"CREATE TABLE lt (test INT, id INT, ) UNIQUE KEY(test, id) PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ('0'), PARTITION p2 VALUES LESS THAN ('100'), PARTITION pm VALUES LESS THAN (MAXVALUE)) DISTRIBUTED BY HASH(id) BUCKETS 2 $p",
		"CREATE TABLE lt2 (a INT, b INT) DUPLICATE KEY(a, b) PARTITION BY RANGE(a, b) (PARTITION p1 VALUES LESS THAN ('1', '2'), PARTITION p2 VALUES [('1', '2'), ('5', '6'))) DISTRIBUTED BY HASH(a) BUCKETS 1 $p",
		"CREATE TABLE nokeys (a INT(11), b BIGINT) DISTRIBUTED BY HASH(a) $p",
		"CREATE TABLE nodist (a INT, b INT) DUPLICATE KEY(a) $p",
		"CREATE TABLE mor (a INT, b INT) UNIQUE KEY(a) DISTRIBUTED BY HASH(a) BUCKETS 1 PROPERTIES ('replication_num' = '1', 'enable_unique_key_merge_on_write' = 'false')",
		"CREATE TABLE autolist (a VARCHAR(10), b INT) DUPLICATE KEY(a) AUTO PARTITION BY LIST (a) () DISTRIBUTED BY HASH(b) BUCKETS 1 $p",
		"CREATE TABLE autorange (a DATETIME NOT NULL, b INT) DUPLICATE KEY(a) AUTO PARTITION BY RANGE (date_trunc(a, 'day')) () DISTRIBUTED BY RANDOM BUCKETS 2 $p",
		"CREATE TABLE list (a INT, b INT) DUPLICATE KEY(a) PARTITION BY LIST(a) (PARTITION p1 VALUES IN ('1', '2'), PARTITION pd) DISTRIBUTED BY HASH(b) BUCKETS 1 $p",
		"CREATE TABLE retained (k0 DATETIME NOT NULL, v INT) DUPLICATE KEY(k0) AUTO PARTITION BY RANGE (date_trunc(k0, 'day')) () DISTRIBUTED BY HASH(v) BUCKETS 1 PROPERTIES ('replication_num' = '1', 'partition.retention_count' = '3')",
		"CREATE TABLE kinds (k INT, a BIGINT, b STRING, c LARGEINT, d DECIMAL(9, 3), e DATE, f TEXT, g SMALLINT, h DATETIME, i CHAR(5), j TINYINT, l BOOLEAN, m VARIANT, n FLOAT, o JSON, p ARRAY<INT>, q MAP<STRING, INT>, r STRUCT<x:INT, y:STRING>, s DATETIME(3), t varchar) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 $p",
		"CREATE TABLE agg (k INT, s BIGINT SUM DEFAULT '0', mx INT MAX, mn INT MIN, r INT REPLACE, rn INT REPLACE_IF_NOT_NULL) AGGREGATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 $p",
		"CREATE TABLE gen (id BIGINT NOT NULL AUTO_INCREMENT(100), price DECIMAL(10, 2), n INT, total DECIMAL(10, 2) GENERATED ALWAYS AS (price * n)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 $p",
		"CREATE TABLE rolled (k INT, v INT, w INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 ROLLUP (r1 (v, k)) $p",
		"CREATE TABLE base (a INT) $p !! Table 'base' already exists",
		"CREATE TABLE copy LIKE lt",
		"SHOW TABLES LIKE \"ba%\" -> 1", "SHOW TABLES LIKE 'lt_' -> 1", "SHOW CREATE TABLE $db.lt -> 1",
	}},
	{"5.4 insert", []string{
		"INSERT INTO lt VALUES (1, 1), (2, 50), (\"3\", NULL)",
		"INSERT INTO lt (id, test) VALUES (60, 4)",
		"INSERT INTO lt SELECT test + 10, id FROM lt WHERE id = 1",
		"INSERT INTO lt PARTITION (p2) VALUES (5, 5)",
		"INSERT INTO list VALUES (1, 1), (2, default), (99, 1)",
		"INSERT INTO autolist VALUES ('beijing', 1), (NULL, 2)",
		"SHOW PARTITIONS FROM autolist WHERE PartitionName = 'pbeijing7' -> 1",
		"SHOW PARTITIONS FROM autolist WHERE PartitionName = 'pX' -> 1",
		"INSERT INTO autorange VALUES ('2025-02-01 10:00:00', 1)",
		"SHOW PARTITIONS FROM autorange WHERE PartitionName = 'p20250201000000' -> 1",
		"INSERT INTO agg VALUES (1, 1, 1, 1, 1, 1)", "INSERT INTO agg VALUES (1, 2, 5, 0, 7, NULL)",
		"SELECT * FROM agg WHERE s = 3 AND mx = 5 AND mn = 0 AND r = 7 AND rn = 1 -> 1",
		"INSERT INTO gen (price, n) VALUES (2.5, 4)", "SELECT * FROM gen WHERE id >= 100 AND total = 10.00 -> 1",
		"INSERT INTO kinds VALUES (1, 1, 's', 170141183460469231731687303715884105727, 1.5, '2024-01-01', 't', 1, '2024-01-01 00:00:00', 'c', 1, true, '{\"a\": 1}', 1.5, '{\"b\": 2}', [1, 2], {'k': 1}, {1, 'y'}, '2024-01-01 00:00:00.123', 'v')",
		"INSERT INTO kinds (k, b) SELECT number, to_base64(concat('x', number)) FROM numbers(\"number\" = \"3\")",
		"INSERT INTO lt2 VALUES (100, 100) !! no partition for this tuple",
		"SELECT * FROM kinds WHERE k = 1 AND b = 's' -> 1",
		"ALTER TABLE lt ADD TEMPORARY PARTITION tp VALUES [('0'), ('100'))",
		"INSERT INTO lt TEMPORARY PARTITION (tp) VALUES (7, 7)",
		"SELECT * FROM lt TEMPORARY PARTITION (tp) WHERE id = 7 -> 1",
		"SHOW TEMPORARY PARTITIONS FROM lt WHERE PartitionName = 'tp' -> 1",
		"ALTER TABLE lt REPLACE PARTITION (p2) WITH TEMPORARY PARTITION (tp)",
		"SELECT * FROM lt WHERE id >= 0 AND id < 100 -> 1",
		"INSERT OVERWRITE TABLE nokeys VALUES (1, 1), (2, 2)", "SELECT * FROM nokeys -> 2",
		"DELETE FROM nokeys WHERE a = 1 and b != 2", "SELECT * FROM nokeys -> 1",
		"set delete_without_partition = true", "DELETE FROM lt2 WHERE a >= 1", "DELETE FROM list PARTITION p1 WHERE a < 5", "SELECT * FROM list -> 1",
		"INSERT INTO mor VALUES (1, 1), (2, 2)", "UPDATE mor SET b = 9 WHERE a = 1", "SELECT * FROM mor WHERE b = 9 -> 1", "DELETE FROM mor WHERE a = 2", "SELECT * FROM mor -> 1",
		"set enable_unique_key_partial_update=true; set enable_insert_strict=false;", "INSERT INTO mor (a) VALUES (1)", "SELECT * FROM mor WHERE b = 9 -> 1",
		"set enable_unique_key_partial_update=false; set enable_insert_strict=true;",
		"begin; insert into nokeys select 5, 6; insert into nodist select 7, 8; commit;", "SELECT * FROM nodist -> 1",
		"begin; insert into nokeys values (9, 9); rollback", "SELECT * FROM nokeys WHERE a = 9 -> 0",
		"TRUNCATE TABLE nodist", "SELECT * FROM nodist -> 0", "TRUNCATE TABLE lt PARTITIONS (p2)", "TRUNCATE TABLE lt PARTITION(`p1`, `pm`)", "SELECT count(*) FROM lt -> 1",
		"TRUNCATE TABLE lt PARTITIONS (nope) !! Partition nope does not exist",
	}},
	{"5.3 select", []string{
		"INSERT INTO lt VALUES (1, 10), (2, 20), (3, 30)",
		"SELECT * FROM lt -> 3", "select * from lt where test=1 and id=10 -> 1", "SELECT id FROM lt WHERE test = 2 or test > 2 ORDER BY id, test -> 2",
		"SELECT * FROM `$db`.`lt` p201702_new -> 3", "select COUNT() from lt -> 1", "SELECT * FROM $db.lt PARTITION (p2) WHERE id <> 10 -> 2",
		"SELECT /*+ SET_VAR(inverted_index_skip_threshold = 0, enable_common_expr_pushdown = true) */ * FROM kinds WHERE b MATCH_ANY 's other' -> 1",
		"SELECT * FROM kinds WHERE b MATCH 's' -> 1",
		"CREATE VIEW sums (t, total) AS SELECT test AS t, SUM(id) FROM lt GROUP BY test", "SELECT * FROM sums WHERE total > 10 -> 2",
		"SHOW VIEWS WHERE Tables_in_$db = 'sums' -> 1", "SHOW VIEW FROM lt -> 1", "SHOW CREATE VIEW sums -> 1",
		"ALTER VIEW sums (k1, name, v1) AS SELECT id, test, MAX(id) FROM lt GROUP BY id, test", "SELECT k1, name, v1 FROM sums -> 3",
		"ALTER VIEW sums MODIFY COMMENT \"said\"", "DROP TABLE sums !! is not TABLE. Use 'DROP VIEW $db.sums'", "DROP VIEW IF EXISTS sums", "DROP VIEW sums !! Unknown table 'sums'",
		"explain SELECT * FROM lt -> 4",
	}},
	{"5.4 alter", []string{
		"CREATE TABLE al (test INT, id INT, v INT, s VARCHAR(20)) DUPLICATE KEY(test, id) PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ('100')) DISTRIBUTED BY HASH(id) BUCKETS 1 $p",
		"INSERT INTO al VALUES (1, 1, 1, 'x')",
		"ALTER TABLE al ADD COLUMN `first` INT KEY DEFAULT \"0\" FIRST", "#finished al COLUMN 1",
		"ALTER TABLE al ADD COLUMN `second` INT KEY DEFAULT \"0\" AFTER `first`", "#finished al COLUMN 2",
		"ALTER TABLE al ADD COLUMN `late` INT DEFAULT \"0\" AFTER `v`", "#finished al COLUMN 3",
		"ALTER TABLE al ADD COLUMN (`a` INT KEY DEFAULT \"0\", `b` INT DEFAULT \"0\")", "#finished al COLUMN 4",
		"ALTER TABLE al ADD COLUMN dt datetime DEFAULT CURRENT_TIMESTAMP", "#finished al COLUMN 5",
		"ALTER TABLE al DROP COLUMN `second`", "#finished al COLUMN 6",
		"ALTER TABLE al MODIFY COLUMN `v` BIGINT", "#finished al COLUMN 7",
		"ALTER TABLE al ORDER BY (`first`, `test`, `id`, `a`, `s`, `v`, `late`, `b`, `dt`)", "#finished al COLUMN 8",
		"ALTER TABLE al ADD ROLLUP r (id, test, v)", "#finished al ROLLUP 1",
		"ALTER TABLE al ADD COLUMN `rc` INT DEFAULT \"0\" TO r", "#finished al COLUMN 9",
		"ALTER TABLE al DROP COLUMN `rc` FROM r", "#finished al COLUMN 10",
		"ALTER TABLE al RENAME ROLLUP r r2", "ALTER TABLE al DROP ROLLUP r2", "ALTER TABLE al DROP ROLLUP r2 !! Materialized view [r2] does not exist in table [al]",
		"ALTER TABLE al SET (\"bloom_filter_columns\" = \"id, test\")", "#finished al COLUMN 11",
		"ALTER TABLE al RENAME COLUMN late later", "ALTER TABLE al RENAME PARTITION p1 p_1",
		"ALTER TABLE al ADD PARTITION p2 VALUES [('100'), ('200')) DISTRIBUTED BY HASH(id) BUCKETS 2", "ALTER TABLE al ADD PARTITION p3 VALUES LESS THAN ('300')",
		"ALTER TABLE al ADD PARTITION p3 VALUES LESS THAN ('400') !! Duplicate partition name p3", "ALTER TABLE al ADD PARTITION IF NOT EXISTS p3 VALUES LESS THAN ('400')",
		"ALTER TABLE al DROP PARTITION p3 FORCE", "ALTER TABLE al DROP PARTITION IF EXISTS p3", "ALTER TABLE al DROP PARTITION p3 !! Error in list of partitions to p3",
		"ALTER TABLE al DROP PARTITION p2", "RECOVER PARTITION p2 AS p2b FROM al", "SHOW PARTITIONS FROM al -> 2",
		"ALTER TABLE list ADD PARTITION pn VALUES IN ((NULL))", "ALTER TABLE list ADD PARTITION pl VALUES IN ('7', '8')",
		"ALTER TABLE al MODIFY COMMENT \"whole\"", "ALTER TABLE al MODIFY COLUMN v COMMENT 'one', MODIFY COLUMN s COMMENT 'two'",
		"ALTER TABLE al MODIFY DISTRIBUTION DISTRIBUTED BY HASH(id) BUCKETS 20",
		"ALTER TABLE al ADD INDEX i1(v) USING INVERTED, ADD INDEX i2 (s) USING INVERTED PROPERTIES('parser' = 'english')", "#finished al COLUMN 12",
		"SHOW INDEXES FROM al -> 2", "BUILD INDEX i1 ON al PARTITIONS (`p_1`, `p2b`)", "#finished al INDEX 2",
		"ALTER TABLE al DROP INDEX i1, DROP INDEX i2", "#finished al COLUMN 13",
		"CREATE INDEX i3 ON al (s) USING INVERTED", "DROP INDEX i3 ON al", "ALTER TABLE al ADD INDEX i4(s) USING NGRAM_BF PROPERTIES('gram_size' = '3', 'bf_size' = '256')", "#finished al COLUMN 16",
		"CREATE MATERIALIZED VIEW mv AS SELECT test, id FROM al", "#finished al ROLLUP 2", "SHOW CREATE MATERIALIZED VIEW mv ON al -> 1", "DROP MATERIALIZED VIEW IF EXISTS mv ON al",
		"ALTER TABLE al SET ('compaction_policy' = 'time_series')", "ALTER TABLE al SET ('time_series_compaction_goal_size_mbytes' = '2048')",
		"ALTER TABLE al SET ('binlog.enable' = 'true')", "ALTER TABLE al SET ('binlog.ttl_seconds' = '86401', 'binlog.max_bytes' = '9223372036854775806')",
		"ALTER TABLE al SET ('is_being_synced' = 'false')", "ALTER TABLE al SET ('light_schema_change' = 'true')",
		"ALTER TABLE al SET ('compaction_policy' = 'size_based', 'disable_auto_compaction' = 'true') !! Can only set one table property(without dynamic partition && binlog) at a time",
		"ALTER TABLE al SET ('nonsense' = '1') !! Unknown table property: [nonsense]",
		"ALTER TABLE al RENAME al !! Same table name", "ALTER TABLE al RENAME lt !! Table name[lt] is already used", "ALTER TABLE al RENAME al2", "ALTER TABLE al2 RENAME al",
		"ALTER TABLE mor SET ('store_row_column' = 'true')", "#finished mor COLUMN 1", "ALTER TABLE mor ENABLE FEATURE \"UPDATE_FLEXIBLE_COLUMNS\" !! ",
		"CREATE TABLE other LIKE nokeys", "ALTER TABLE nokeys REPLACE WITH TABLE other PROPERTIES (\"swap\"=\"true\")", "SELECT * FROM nokeys -> 0", "ALTER TABLE nokeys REPLACE WITH TABLE other PROPERTIES (\"swap\"=\"false\")", "SHOW TABLES LIKE 'other' -> 0",
		"CREATE TABLE dyn (d DATE, v INT) DUPLICATE KEY(d) PARTITION BY RANGE(d) () DISTRIBUTED BY HASH(v) BUCKETS 1 PROPERTIES ('replication_num' = '1', 'dynamic_partition.time_unit' = 'DAY', 'dynamic_partition.end' = '2', 'dynamic_partition.prefix' = 'p', 'dynamic_partition.buckets' = '1')",
		"SHOW PARTITIONS FROM dyn -> 3", "ALTER TABLE dyn ADD PARTITION px VALUES [('2020-01-01'), ('2020-01-02')) !! Cannot add/drop partition on a Dynamic Partition Table",
		"ALTER TABLE dyn SET ('dynamic_partition.end' = '3', 'dynamic_partition.prefix' = 'q')", "SHOW PARTITIONS FROM dyn -> 3",
	}},
	{"5.1 others", []string{
		"sync", "SET show_hidden_columns = false", "DESC al ALL", "SHOW FULL COLUMNS FROM al", "SHOW COLUMNS FROM `al` WHERE Field = \"test\" -> 1",
		"SHOW ALTER TABLE COLUMN FROM $db WHERE TableName = \"al\" AND State = \"FINISHED\" ORDER BY CreateTime DESC LIMIT 1 -> 1",
		"SHOW ALTER TABLE ROLLUP WHERE TableName = 'al' AND State = 'FINISHED' -> 2",
		"show variables like 'version_comment' -> 1", "ADMIN SET FRONTEND CONFIG ('random_add_cluster_keys_for_mow' = 'false')",
		"CREATE DATABASE IF NOT EXISTS TEST_$db", "DROP DATABASE TEST_$db", "ALTER DATABASE $db SET properties (\"binlog.enable\" = \"true\") !! binlog is not enable in table",
		"CREATE ALIAS FUNCTION view_function(INT) WITH PARAMETER(id) AS CONCAT(LEFT(id, 3), '****', RIGHT(id, 4))", "SELECT view_function(k) FROM kinds -> 4",
		"SHOW FULL FUNCTIONS LIKE 'view_function' -> 1", "DROP FUNCTION IF EXISTS view_function(INT)",
		"CREATE TABLE gone (a INT) $p", "DROP TABLE gone", "RECOVER TABLE gone AS gone2", "RECOVER TABLE gone !! Unknown table 'gone' in $db", "DROP TABLE gone2 FORCE", "RECOVER TABLE gone2 !! Unknown table 'gone2' in $db",
		"DROP TABLE IF EXISTS gone2", "DROP TABLE gone2 !! Unknown table 'gone2'", "USE nowhere !! Unknown database 'nowhere'", "SHOW TABLES FROM nowhere !! Unknown database 'nowhere'",
		"SHOW RESTORE FROM $db -> 0", "SHOW BACKUP WHERE SnapshotName LIKE \"ccrs_%\" -> 0", "SHOW BACKUP WHERE State = 'x' !! Where clause should like: SnapshotName",
	}},
}

func TestCensus(t *testing.T) {
	s := source(t)
	db := fmt.Sprintf("conf_%d", databases.Add(1))
	s.exec("CREATE DATABASE %s", db) // without binlogs: suites change the switch
	s.db.SetMaxOpenConns(1)
	s.exec("USE %s", db)
	names := strings.NewReplacer("$db", db, "$p", "PROPERTIES ('replication_num' = '1')")
	for _, part := range census {
		for _, line := range part.statements {
			s.censusLine(part.section, names.Replace(line))
		}
	}
	s.exec("DROP DATABASE %s FORCE", db)
}

func (s *side) censusLine(section, line string) {
	s.t.Helper()
	if words := strings.Fields(line); words[0] == "#finished" {
		s.finishedJobs(words[1], words[2], words[3])
		return
	}
	statement, refusal, refused := strings.Cut(line, " !! ")
	statement, count, counted := strings.Cut(statement, " -> ")
	if refused {
		_, err := s.db.ExecContext(ctx, statement)
		require.ErrorContains(s.t, err, refusal, "%s: %s", section, statement)
		return
	}
	if counted {
		require.Equal(s.t, count, fmt.Sprint(len(s.query("%s", statement))), "%s: %s", section, statement)
		return
	}
	_, err := s.db.ExecContext(ctx, statement)
	require.NoError(s.t, err, "%s: %s", section, statement)
}

// finishedJobs waits until all jobs of a table are FINISHED, at least so many:
// a job over several indexes has a row for each.
func (s *side) finishedJobs(table, kind, count string) {
	s.t.Helper()
	least, err := strconv.Atoi(count)
	require.NoError(s.t, err)
	statement := fmt.Sprintf("SHOW ALTER TABLE %s WHERE TableName = '%s'", kind, table)
	if kind == "INDEX" {
		statement = fmt.Sprintf("SHOW BUILD INDEX WHERE TableName = '%s'", table)
	}
	var states string
	require.Eventually(s.t, func() bool {
		states = values(s.query("%s", statement), "State")
		return strings.Count(states, "FINISHED") == strings.Count(states, ",")+1
	}, patience, 5*time.Millisecond)
	require.GreaterOrEqual(s.t, strings.Count(states, "FINISHED"), least, statement)
}
