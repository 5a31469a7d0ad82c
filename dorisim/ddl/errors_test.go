package ddl

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

func TestRefusals(t *testing.T) {
	const plain = " (a INT, b INT, v INT) UNIQUE KEY(a, b) "
	tests := []struct {
		sql  string
		code int
		want string
	}{
		{"CREATE DATABASE s", 1007, "Can't create database 's'; database exists"},
		{"CREATE DATABASE information_schema", 1007, "Can't create database 'information_schema'; database exists"},
		{"CREATE DATABASE `a``b`", 1102, "Incorrect database name 'a`b'"},
		{"CREATE DATABASE x PROPERTIES ('binlog.enable' = 'maybe')", 1105, "Invalid binlog enable value: maybe"},
		{"CREATE DATABASE x PROPERTIES ('binlog.ttl_seconds' = 'x')", 1105, "Invalid binlog ttl_seconds value: x"},
		{"DROP DATABASE nope", 1008, "Can't drop database 'nope'; database doesn't exist"},
		{"ALTER DATABASE nope SET PROPERTIES ('binlog.enable' = 'true')", 1049, "Unknown database 'nope'"},
		{"ALTER DATABASE d SET PROPERTIES ('binlog.enable' = 'true')", 1105, "binlog is not enable in table[off] in db [d]"},
		{"CREATE TABLE nope.t" + plain + "DISTRIBUTED BY HASH(a)", 1049, "Unknown database 'nope'"},
		{"CREATE TABLE t" + plain + "DISTRIBUTED BY HASH(a)", 1105, "Table 't' already exists"},
		{"CREATE TABLE v" + plain + "DISTRIBUTED BY HASH(a)", 1105, "Table 'v' already exists"},
		{"CREATE TABLE `__x`" + plain + "DISTRIBUTED BY HASH(a)", 1105, "Incorrect table name '__x'. Table name regex is '^[a-zA-Z][a-zA-Z0-9-_]*$'"},
		{"CREATE TABLE x (größe INT)", 1105, "Incorrect column name 'größe'. Column regex is '^[_a-zA-Z@0-9\\s/][.a-zA-Z0-9_+-/?@#$%^&*\"\\s,:]{0,255}$'"},
		{"CREATE TABLE x (a INT, A INT)", 1060, "Duplicate column name 'A'"},
		{"CREATE TABLE x (a DECIMAL(50, 2))", 1105, "Column of type Decimal256 with precision 50 is disabled by default. set enable_decimal256 = true to enable it."},
		{"CREATE TABLE x (a INT, g AGG_STATE<max_by(int, int)> GENERIC) AGGREGATE KEY(a)", 1105, "agg_state not enable, need set enable_agg_state=true"},
		{"CREATE TABLE x (a INT, b INT) UNIQUE KEY(b)", 1105, "Key columns should be a ordered prefix of the schema. KeyColumns[0] (starts from zero) is b, but corresponding column is a in the previous columns declaration."},
		{"CREATE TABLE x (a INT) UNIQUE KEY(z)", 1105, "Key column(z) doesn't exist."},
		{"CREATE TABLE x (a INT, b INT) AGGREGATE KEY(a)", 1105, "AGG_KEYS table should specify aggregate type for non-key column[b]"},
		{"CREATE TABLE x (a INT, b INT SUM) UNIQUE KEY(a)", 1105, "UNIQUE_KEYS table should not specify aggregate type for non-key column[b]"},
		{"CREATE TABLE x (a DOUBLE, b INT) UNIQUE KEY(a)", 1105, "Float or double can not used as a key, use decimal instead."},
		{"CREATE TABLE x (a STRING)", 1105, "The olap table first column could not be float, double, string or array, struct, map, please use decimal or varchar instead."},
		{"CREATE TABLE x (a INT DEFAULT 'abc')", 1105, "Invalid default value 'abc' for column a: int"},
		{"CREATE TABLE x" + plain + "DISTRIBUTED BY HASH(v)", 1105, "Distribution column[v] is not key column"},
		{"CREATE TABLE x" + plain + "DISTRIBUTED BY HASH(z)", 1105, "Distribution column(z) doesn't exist."},
		{"CREATE TABLE x" + plain + "DISTRIBUTED BY RANDOM", 1105, "Create unique keys table should not contain random distribution desc"},
		{"CREATE TABLE x" + plain + "PARTITION BY RANGE(z) () DISTRIBUTED BY HASH(a)", 1105, "partition key z is not exists"},
		{"CREATE TABLE x" + plain + "PARTITION BY RANGE(a) (PARTITION p VALUES LESS THAN ('x')) DISTRIBUTED BY HASH(a)", 1105, "Invalid partition value 'x' for column a of type INT"},
		{"CREATE TABLE x" + plain + "DISTRIBUTED BY HASH(a) PROPERTIES ('nope' = '1', 'replication_num' = '1')", 1105, "Unknown properties: {nope=1}"},
		{"CREATE TABLE x" + plain + "DISTRIBUTED BY HASH(a) PROPERTIES ('binlog.enable' = 'false')", 1105, "Cannot create table with binlog disabled when database binlog enable"},
		{"CREATE TABLE x" + plain + "DISTRIBUTED BY HASH(a) PROPERTIES ('replication_num' = '3')", 1105,
			"Failed to find enough backend, please check the replication num,replication tag and storage medium and avail capacity of backends or maybe all be on same host.\n" +
				"Create failed replications:\nreplication tag: {\"location\" : \"default\"}, replication num: 3, storage medium: HDD"},
		{"CREATE TABLE x LIKE nope", 1051, "Unknown table 'nope'"},
		{"DROP TABLE nope", 1109, "Unknown table 'nope' in s"},
		{"DROP TABLE v", 1347, "'s.v' is not TABLE. Use 'DROP VIEW s.v'."},
		{"DROP VIEW t", 1347, "'s.t' is not VIEW. Use 'DROP TABLE s.t'."},
		{"DROP VIEW nope", 1109, "Unknown table 'nope' in s"},
		{"CREATE VIEW v AS SELECT 1", 1105, "Table 'v' already exists"},
		{"CREATE VIEW w AS SELECT a FROM nope", 1105, "Table [nope] does not exist in database [s]."},
		{"CREATE VIEW w (x) AS SELECT a, b FROM t", 1353, "View's SELECT and view's field list have different column counts"},
		{"TRUNCATE TABLE r PARTITION (p9)", 1105, "Partition p9 does not exist"},
		{"ALTER TABLE nope RENAME x", 1051, "Unknown table 'nope'"},
		{"ALTER TABLE t RENAME t", 1105, "Same table name"},
		{"ALTER TABLE t RENAME r", 1105, "Table name[r] is already used"},
		{"ALTER TABLE t RENAME busy", 1105, "Table name[busy] is already used (in restoring)"},
		{"ALTER TABLE t RENAME COLUMN z y", 1105, "Column[z] does not exists"},
		{"ALTER TABLE r RENAME PARTITION p9 p8", 1105, "Partition[p9] does not exists"},
		{"ALTER TABLE r RENAME PARTITION p1 P2", 1105, "Partition name[P2] is already used"},
		{"ALTER TABLE r ADD PARTITION p1 VALUES LESS THAN ('999')", 1517, "Duplicate partition name p1"},
		{"ALTER TABLE r ADD PARTITION p3 VALUES [('5'), ('15'))", 1105,
			"Range [types: [INT]; keys: [5]; ..types: [INT]; keys: [15]; ) is intersected with range: [types: [INT]; keys: [-2147483648]; ..types: [INT]; keys: [10]; )"},
		{"ALTER TABLE r ADD PARTITION p3 VALUES LESS THAN ('7')", 1105,
			"Range [types: [INT]; keys: [-2147483648]; ..types: [INT]; keys: [7]; ) is intersected with range: [types: [INT]; keys: [-2147483648]; ..types: [INT]; keys: [10]; )"},
		{"ALTER TABLE r ADD PARTITION p3 VALUES IN ('7')", 1105, "You can only use fixed or less than values to create range partitions"},
		{"ALTER TABLE r ADD PARTITION p3 VALUES [('90'), ('95')) DISTRIBUTED BY HASH(b) BUCKETS 2", 1105,
			"Cannot assign hash distribution with different distribution cols. new is: [`b`] default is: [`a`]"},
		{"ALTER TABLE t ADD PARTITION p VALUES LESS THAN ('1')", 1105, "Only support adding partition to range and list partitioned table"},
		{"ALTER TABLE r DROP PARTITION p9", 1507, "Error in list of partitions to p9"},
		{"ALTER TABLE dyn DROP PARTITION x", 1105,
			"Cannot add/drop partition on a Dynamic Partition Table, Use command `ALTER TABLE dyn SET (\"dynamic_partition.enable\" = \"false\")` firstly."},
		{"ALTER TABLE t SET ('replication_num' = '1', 'compaction_policy' = 'size_based')", 1105,
			"Can only set one table property(without dynamic partition && binlog) at a time"},
		{"ALTER TABLE t SET ('nope' = '1')", 1105, "Unknown table property: [nope]"},
		{"ALTER TABLE t SET ('binlog.enable' = 'false')", 1105, "db binlog is enable, but table binlog is disable"},
		{"ALTER TABLE t SET ('binlog.enable' = 'what')", 1105, "Invalid binlog enable value: what"},
		{"ALTER TABLE t DROP ROLLUP r1", 1105, "Materialized view [r1] does not exist in table [t]"},
		{"ALTER TABLE t ADD COLUMN v INT", 1105, "Can not add column which already exists in base table: v"},
		{"ALTER TABLE t ADD COLUMN c INT FIRST", 1105, "Invalid column order. value should be after key. index[t]"},
		{"ALTER TABLE t DROP COLUMN z", 1105, "Column does not exists: z"},
		{"ALTER TABLE t DROP COLUMN a", 1105, "Can not drop key column in Unique data model table"},
		{"ALTER TABLE t ADD COLUMN k INT KEY AFTER v", 1105, "Invalid column order. value should be after key. index[t]"},
		{"ALTER TABLE t MODIFY COLUMN z BIGINT", 1105, "Column[z] does not exists"},
		{"ALTER TABLE t MODIFY COLUMN v TINYINT", 1105, "Can not change INT to TINYINT"},
		{"ALTER TABLE t MODIFY COLUMN v INT NOT NULL", 1105, "Can not change from nullable to non-nullable"},
		{"ALTER TABLE t MODIFY COLUMN a BIGINT", 1105, "Can not modify distribution column[a]. index[t]"},
		{"ALTER TABLE t ORDER BY (a, v)", 1105, "Reorder stmt should contains all columns"},
		{"ALTER TABLE t ORDER BY (v, a, b)", 1105, "Invalid column order. value should be after key. index[t]"},
		{"ALTER TABLE t DROP COLUMN v FROM r9", 1105, "Index[r9] does not exist in table[t]"},
		{"ALTER TABLE t ADD ROLLUP r9 (v)", 1105, "No key column is found"},
		{"ALTER TABLE t ADD ROLLUP r9 (a, z)", 1105, "Column[z] does not exist"},
		{"ALTER TABLE t ADD ROLLUP t (a, b)", 1105, "Rollup index[t] already exists"},
		{"ALTER TABLE t RENAME ROLLUP r9 r8", 1105, "Rollup index[r9] does not exists"},
		{"DROP MATERIALIZED VIEW r9 ON t", 1105, "Materialized view [r9] does not exist in table [t]"},
		{"ALTER TABLE t ADD INDEX i (z)", 1105, "Column does not exist in table. invalid index: i, invalid column: z"},
		{"DROP INDEX i ON t", 1105, "index i does not exist"},
		{"BUILD INDEX i ON t", 1105, "Index[i] is not exist in table[t]"},
		{"CANCEL ALTER TABLE COLUMN FROM t", 1105, "Table[t] is not under SCHEMA_CHANGE."},
		{"CANCEL ALTER TABLE ROLLUP FROM t", 1105, "Table[t] is not under ROLLUP. Use 'ALTER TABLE DROP ROLLUP' if you want to."},
		{"ALTER TABLE t SET ('bloom_filter_columns' = 'z')", 1105, "Bloom filter column does not exist in table. invalid column: z"},
		{"ALTER TABLE t MODIFY COLUMN z COMMENT 'x'", 1105, "Unknown column 'z' in table 't'"},
		{"ALTER TABLE t REPLACE WITH TABLE nope", 1051, "table not found, tableName=nope"},
		{"ALTER TABLE t REPLACE WITH TABLE r PROPERTIES ('x' = 'y')", 1105, "Unknown properties: {x=y}"},
		{"ALTER TABLE v SET ('in_memory' = 'false')", 1347, "'s.v' is not TABLE. Use 'ALTER VIEW s.v'."},
		{"ALTER TABLE busy RENAME x", 1105, "Table[busy]'s state(RESTORE) is not NORMAL. Do not allow doing ALTER ops"},
		{"TRUNCATE TABLE busy", 1105, "Table[busy]'s state(RESTORE) is not NORMAL. Do not allow doing ALTER ops"},
		{"ALTER TABLE t REPLACE WITH TABLE busy", 1105, "Table[busy]'s state(RESTORE) is not NORMAL. Do not allow doing ALTER ops"},
		{"DROP TABLE busy", 1105, "The table [busy]'s state is RESTORE, cannot be dropped. please cancel the operation on olap table firstly." +
			` If you want to forcibly drop(cannot be recovered), please use "DROP table FORCE".`},
		{"ALTER TABLE atomic RENAME x", 1105, "Table[atomic] is in atomic restore state. Do not allow doing ALTER ops"},
		{"DROP TABLE pending", 1105, "There are still some transactions in the COMMITTED state waiting to be completed. The table [pending] cannot be dropped." +
			` If you want to forcibly drop(cannot be recovered), please use "DROP table FORCE".`},
	}
	f := newFixture(t)
	f.run("CREATE TABLE t" + plain + "DISTRIBUTED BY HASH(a) BUCKETS 1")
	f.run("CREATE TABLE d.off" + plain + "DISTRIBUTED BY HASH(a) BUCKETS 1")
	f.run("CREATE TABLE r" + plain + "PARTITION BY RANGE(a) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) DISTRIBUTED BY HASH(a) BUCKETS 1")
	f.run("CREATE TABLE dyn (d DATE) PARTITION BY RANGE(d) () DISTRIBUTED BY HASH(d) BUCKETS 1 PROPERTIES" +
		" ('dynamic_partition.time_unit' = 'DAY', 'dynamic_partition.end' = '1', 'dynamic_partition.prefix' = 'p')")
	f.run("CREATE VIEW v AS SELECT a FROM t")
	for _, name := range []string{"busy", "atomic", "pending"} {
		f.run("CREATE TABLE " + name + " LIKE t")
	}
	f.tab("busy").State = catalog.StateRestore
	f.tab("atomic").InAtomicRestore = true
	f.tab("pending").Partitions["pending"].NextVersion++
	tables, journal := len(f.db("s").Tables), f.core.LastJournal()

	for _, tt := range tests {
		err := f.try(tt.sql)
		var refusal *core.Error
		require.True(t, errors.As(err, &refusal), "%s: %v", tt.sql, err)
		require.Equal(t, tt.want, refusal.Message, tt.sql)
		require.Equal(t, tt.code, refusal.MySQLCode(), tt.sql)
	}
	// Refusals change nothing.
	require.Equal(t, journal, f.core.LastJournal())
	require.Len(t, f.db("s").Tables, tables)
}

func TestNoDatabase(t *testing.T) {
	f := newFixture(t)
	statement := "DROP TABLE t"
	var refusal *core.Error
	require.ErrorAs(t, f.execWithout(statement), &refusal)
	require.Equal(t, "errCode = 2, detailMessage = No database selected", refusal.Error())
}

func TestFeatureOff(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (a INT) DISTRIBUTED BY HASH(a) BUCKETS 1")
	f.run(`ADMIN SET FRONTEND CONFIG ("enable_feature_binlog" = "false")`)
	const want = "errCode = 2, detailMessage = Binlog feature is not enabled"
	require.EqualError(t, f.try(`ALTER DATABASE s SET PROPERTIES ("binlog.enable" = "true")`), want)
	require.EqualError(t, f.try(`ALTER TABLE t SET ("binlog.enable" = "true")`), want)
	require.NotContains(t, f.show("s", "t"), "binlog.")
}

func TestIfExists(t *testing.T) {
	f := newFixture(t)
	for _, sql := range []string{
		"CREATE DATABASE IF NOT EXISTS s", "DROP DATABASE IF EXISTS nope", "DROP TABLE IF EXISTS nope", "DROP VIEW IF EXISTS nope",
		"CREATE TABLE t (a INT) PARTITION BY RANGE(a) (PARTITION p1 VALUES LESS THAN ('1')) DISTRIBUTED BY HASH(a) BUCKETS 1",
		"CREATE TABLE IF NOT EXISTS t (b INT)", "ALTER TABLE t ADD PARTITION IF NOT EXISTS p1 VALUES LESS THAN ('1')",
		"ALTER TABLE t DROP PARTITION IF EXISTS p9", "CREATE VIEW v AS SELECT 1", "CREATE VIEW IF NOT EXISTS v AS SELECT 2", "SYNC",
	} {
		f.run(sql)
	}
	require.Len(t, baseSchema(f.tab("t")).Columns, 1)
}
