package parser

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// seeds are statements in the shapes that the regression suites and the
// replication tool send (doris-sql.md 2.7, 2.12, 5.2, 5.4).
var seeds = []string{
	"CREATE DATABASE IF NOT EXISTS `D`",
	"CREATE DATABASE d PROPERTIES (\"binlog.enable\" = \"true\")",
	"DROP DATABASE IF EXISTS d FORCE",
	"ALTER DATABASE db SET properties (\"binlog.enable\" = \"true\");",
	"ALTER DATABASE db RENAME db2",
	`CREATE TABLE IF NOT EXISTS t ( test INT, id INT(11) NOT NULL COMMENT "it's", value DECIMAL(10,2) SUM DEFAULT "0", )
	 ENGINE = OLAP AGGREGATE KEY(test, id) COMMENT 'c' PARTITION BY RANGE(id) ( PARTITION p1 VALUES LESS THAN ("0"),
	 PARTITION p2 VALUES [("0"), ("100")), PARTITION p3 VALUES LESS THAN (MAXVALUE), PARTITION p4 VALUES LESS THAN MAXVALUE )
	 DISTRIBUTED BY HASH(id) BUCKETS AUTO PROPERTIES ( "replication_allocation" = "tag.location.default: 1", )`,
	"CREATE TABLE t (a array<map<int,varchar(10)>>, s STRUCT<x:int, y:text>, g AGG_STATE<max_by(int null, int)> GENERIC, PARTITION int)",
	"CREATE TABLE t (k INT KEY AUTO_INCREMENT(100), v DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)," +
		" b BITMAP BITMAP_UNION DEFAULT BITMAP_EMPTY, g INT GENERATED ALWAYS AS (a * (b + 1)) NULL, n INT DEFAULT NULL, m INT DEFAULT -1," +
		" INDEX i (v) USING INVERTED PROPERTIES(\"parser\" = \"english\") COMMENT 'x') UNIQUE KEY(k) CLUSTER BY (v) ROLLUP (r1 (k, v), r2 (v))",
	"CREATE TABLE t (dt DATE) AUTO PARTITION BY RANGE (date_trunc(dt, 'day')) () DISTRIBUTED BY RANDOM BUCKETS 4",
	"CREATE TABLE t (a INT, b VARCHAR) PARTITION BY LIST (a, b) (PARTITION p VALUES IN ((1, \"x\"), (NULL, MAXVALUE)), PARTITION d)",
	"CREATE TABLE a LIKE db.b WITH ROLLUP",
	"CREATE OR REPLACE VIEW v (k1 COMMENT 'k', s) COMMENT 'c' AS SELECT test AS k1, SUM(id) FROM t GROUP BY test;",
	"ALTER VIEW `D`.`v` AS SELECT 1",
	"ALTER VIEW v MODIFY COMMENT \"x\"",
	"DROP VIEW IF EXISTS `D`.`v` ",
	"DROP TABLE IF EXISTS `D`.`t` FORCE",
	"TRUNCATE TABLE t PARTITION(`ONE`, `THREE`)",
	"TRUNCATE TABLE `D`.`t` PARTITIONS (p1, p2)",
	"ALTER TABLE `D`.`t` ADD PARTITION IF NOT EXISTS `p5` VALUES [(\"400\"), (\"500\")) (\"version_info\" = \"1\") DISTRIBUTED BY HASH(`id`) BUCKETS 1",
	"ALTER TABLE t ADD TEMPORARY PARTITION tp VALUES IN ((\"1\"),(\"2\"))",
	"ALTER TABLE t DROP PARTITION IF EXISTS p FORCE",
	"ALTER TABLE t REPLACE PARTITION (p) WITH TEMPORARY PARTITION (tp) PROPERTIES (\"strict_range\" = \"false\")",
	"ALTER TABLE `D`.`a` RENAME `b`",
	"ALTER TABLE t RENAME PARTITION p1 p2",
	"ALTER TABLE t RENAME COLUMN a b",
	"ALTER TABLE t RENAME partition",
	"ALTER TABLE `D`.`to` REPLACE WITH TABLE `from` PROPERTIES(\"swap\"=\"true\") FORCE",
	"ALTER TABLE t SET (\"binlog.enable\" = \"true\", 'binlog.ttl_seconds' = '1')",
	"ALTER TABLE t MODIFY COMMENT 'x'",
	"ALTER TABLE t MODIFY COLUMN c COMMENT 'a', MODIFY COLUMN d COMMENT 'b'",
	"ALTER TABLE `S`.`t` ADD COLUMN `c` int NULL DEFAULT \"0\" COMMENT \"\" AFTER `x` IN `rollup1`, \nDROP COLUMN `d`",
	"ALTER TABLE t ADD COLUMN (a INT KEY DEFAULT \"0\", b INT DEFAULT \"0\")",
	"ALTER TABLE t MODIFY COLUMN c BIGINT KEY FIRST",
	"ALTER TABLE t ORDER BY (a, b) FROM r",
	"ALTER TABLE t ADD ROLLUP r1 (a, b), r2 (c)",
	"ALTER TABLE t DROP ROLLUP r1, r2",
	"ALTER TABLE t ADD INDEX i (c) USING NGRAM_BF PROPERTIES(\"gram_size\"=\"3\"), ADD INDEX j (d)",
	"ALTER TABLE t DROP INDEX i1, DROP INDEX i2",
	"ALTER TABLE t MODIFY DISTRIBUTION DISTRIBUTED BY HASH(c) BUCKETS AUTO",
	"ALTER TABLE t MODIFY PARTITION (*) SET (\"storage_medium\" = \"ssd\")",
	"ALTER TABLE t ENABLE FEATURE \"UPDATE_FLEXIBLE_COLUMNS\"",
	"BACKUP SNAPSHOT `db`.`label` TO `__keep_on_local__` ON ( `t1`,`t2` PARTITION (`p1`) ) PROPERTIES (\"type\" = \"full\")",
	"BACKUP SNAPSHOT `db`.ccrs-l_1 TO `__keep_on_local__` EXCLUDE (a)",
	"CANCEL BACKUP FROM `db`",
	"CANCEL RESTORE",
	"ADMIN SET FRONTEND CONFIG (\"restore_reset_index_id\" = \"false\")",
	"/* c */ sync",
}

func TestSeedsParse(t *testing.T) {
	for _, text := range seeds {
		s, err := Parse(text)
		require.NoError(t, err, text)
		require.NotNil(t, s, text)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		require.Equal(t, err == nil, s != nil)
	})
}

func parse[T Statement](t *testing.T, text string) T {
	t.Helper()
	s, err := Parse(text)
	require.NoError(t, err)
	require.IsType(t, *new(T), s)
	return s.(T)
}

func TestParseCreateTable(t *testing.T) {
	s := parse[*CreateTable](t, seeds[5])
	require.True(t, s.IfNotExists)
	require.Equal(t, Name{Name: "t"}, s.Table)
	require.Equal(t, "OLAP", s.Engine)
	require.Equal(t, types.AggKeys, s.Keys)
	require.Equal(t, []string{"test", "id"}, s.KeyColumns)
	require.Equal(t, "c", s.Comment)
	require.Equal(t, []ColumnDef{
		{Name: "test", Type: types.Type{Kind: types.Int}},
		{Name: "id", Type: types.Type{Kind: types.Int}, Nullable: ptr(false), Comment: "it's"},
		{Name: "value", Type: types.Type{Kind: types.Decimal, Precision: 10, Scale: 2}, Agg: "SUM", Default: &DefaultValue{Text: "0"}},
	}, s.Columns)
	require.Equal(t, &PartitionBy{Columns: []string{"id"}, Partitions: []PartitionDef{
		{Name: "p1", LessThan: []PartitionValue{{Text: "0"}}},
		{Name: "p2", Lower: []PartitionValue{{Text: "0"}}, Upper: []PartitionValue{{Text: "100"}}},
		{Name: "p3", LessThan: []PartitionValue{{MaxValue: true}}},
		{Name: "p4", LessThan: []PartitionValue{{MaxValue: true}}},
	}}, s.Partitioning)
	require.Equal(t, &Distribution{Columns: []string{"id"}, Auto: true}, s.Distribution)
	require.Equal(t, Properties{"replication_allocation": "tag.location.default: 1"}, s.Properties)
}

func TestParseColumnAttributes(t *testing.T) {
	s := parse[*CreateTable](t, seeds[7])
	require.Equal(t, []ColumnDef{
		{Name: "k", Type: types.Type{Kind: types.Int}, Key: true, AutoInc: true, AutoIncInit: 100},
		{Name: "v", Type: types.Type{Kind: types.DateTime, Scale: 3}, Default: &DefaultValue{Text: "CURRENT_TIMESTAMP(3)", Expr: true}, OnUpdate: true},
		{Name: "b", Type: types.Type{Kind: types.Bitmap}, Agg: "BITMAP_UNION", Default: &DefaultValue{Text: "BITMAP_EMPTY", Expr: true}},
		{Name: "g", Type: types.Type{Kind: types.Int}, Generated: "a * (b + 1)", Nullable: ptr(true)},
		{Name: "n", Type: types.Type{Kind: types.Int}, Default: &DefaultValue{Null: true}},
		{Name: "m", Type: types.Type{Kind: types.Int}, Default: &DefaultValue{Text: "-1"}},
	}, s.Columns)
	require.Equal(t, []IndexDef{{Name: "i", Columns: []string{"v"}, Kind: "INVERTED", Properties: Properties{"parser": "english"}, Comment: "x"}}, s.Indexes)
	require.Equal(t, []string{"v"}, s.ClusterBy)
	require.Equal(t, []RollupDef{{Name: "r1", Columns: []string{"k", "v"}}, {Name: "r2", Columns: []string{"v"}}}, s.Rollups)
}

func TestParsePartitioning(t *testing.T) {
	s := parse[*CreateTable](t, seeds[8])
	require.Equal(t, &PartitionBy{Auto: true, Columns: []string{"dt"}, Expr: "date_trunc(`dt`, 'day')"}, s.Partitioning)
	require.Equal(t, &Distribution{Random: true, Buckets: 4}, s.Distribution)
	s = parse[*CreateTable](t, seeds[9])
	require.Equal(t, []PartitionDef{
		{Name: "p", In: [][]PartitionValue{{{Text: "1"}, {Text: "x"}}, {{Null: true}, {MaxValue: true}}}},
		{Name: "d"},
	}, s.Partitioning.Partitions)
}

func TestParseAlterTable(t *testing.T) {
	tests := []struct {
		text string
		want []AlterClause
	}{
		{"ALTER TABLE t ADD PARTITION p VALUES [(\"400\"), (\"500\")) (\"version_info\" = \"1\") DISTRIBUTED BY HASH(`id`) BUCKETS 1", []AlterClause{
			&AddPartition{Partition: PartitionDef{Name: "p", Lower: []PartitionValue{{Text: "400"}}, Upper: []PartitionValue{{Text: "500"}},
				Properties: Properties{"version_info": "1"}}, Distribution: &Distribution{Columns: []string{"id"}, Buckets: 1}}}},
		{"ALTER TABLE t DROP TEMPORARY PARTITION p", []AlterClause{&DropPartition{Temporary: true, Name: "p"}}},
		{"ALTER TABLE t RENAME t2", []AlterClause{&Rename{Kind: RenameTable, New: "t2"}}},
		{"ALTER TABLE t RENAME TABLE t2", []AlterClause{&Rename{Kind: RenameTable, New: "t2"}}},
		{"ALTER TABLE t RENAME rollup", []AlterClause{&Rename{Kind: RenameTable, New: "rollup"}}},
		{"ALTER TABLE t RENAME ROLLUP a b", []AlterClause{&Rename{Kind: RenameRollup, Old: "a", New: "b"}}},
		{"ALTER TABLE t ADD COLUMN c INT DEFAULT '0' AFTER b, DROP COLUMN d", []AlterClause{
			&AddColumns{Columns: []ColumnDef{{Name: "c", Type: types.Type{Kind: types.Int}, Default: &DefaultValue{Text: "0"}}}, Position: Position{After: "b"}},
			&DropColumn{Name: "d"}}},
		{"ALTER TABLE t MODIFY COLUMN c COMMENT 'a'", []AlterClause{&ModifyComment{Column: "c", Comment: "a"}}},
		{"ALTER TABLE t ADD ROLLUP r (a), s (b), DROP ROLLUP q", []AlterClause{
			&AddRollup{Rollups: []RollupDef{{Name: "r", Columns: []string{"a"}}, {Name: "s", Columns: []string{"b"}}}}, &DropRollup{Names: []string{"q"}}}},
	}
	for _, tt := range tests {
		s := parse[*AlterTable](t, tt.text)
		require.Equal(t, tt.want, s.Clauses, tt.text)
	}
}

func TestParseOthers(t *testing.T) {
	b := parse[*Backup](t, "BACKUP SNAPSHOT `db`.`l` TO `__keep_on_local__` ON ( `t1`,`t2` PARTITION (`p1`) ) PROPERTIES (\"type\" = \"full\")")
	require.Equal(t, &Backup{Label: Name{"db", "l"}, Repository: "__keep_on_local__",
		Tables:     []BackupTable{{Table: Name{Name: "t1"}}, {Table: Name{Name: "t2"}, Partitions: []string{"p1"}}},
		Properties: Properties{"type": "full"}}, b)
	v := parse[*CreateView](t, "CREATE VIEW v (a) AS SELECT ';' /* x */ FROM t ;")
	require.Equal(t, "SELECT ';' /* x */ FROM t", v.Query)
	n := parse[*DropTable](t, "DROP TABLE internal.`d-b`.t")
	require.Equal(t, Name{Database: "d-b", Name: "t"}, n.Table)
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{"SELECT 1", "SHOW TABLES", "", "CREATE USER u", "ADMIN SHOW FRONTEND CONFIG", "insert into t values (1)"} {
		_, err := Parse(text)
		require.ErrorIs(t, err, ErrUnknownStatement, text)
	}
	var unsupported *UnsupportedError
	_, err := Parse("ALTER DATABASE d SET QUOTA 1")
	require.ErrorAs(t, err, &unsupported)
	require.Equal(t, "ALTER DATABASE SET QUOTA is not supported by dorisim yet", err.Error())

	for text, want := range map[string]string{
		"DROP TABLE":                     "mismatched input '<EOF>' expecting an identifier(line 1, pos 10)",
		"DROP TABLE a b":                 "extraneous input 'b' expecting <EOF>(line 1, pos 13)",
		"CREATE TABLE t (a foo)":         "no viable alternative at input 'foo', unknown type(line 1, pos 18)",
		"CREATE TABLE t (a varchar(0))":  "type length must be between 1 and 65533, but was 0(line 1, pos 28)",
		"ALTER TABLE t\nFLY":             "mismatched input 'FLY' expecting {'ADD', 'DROP', 'ENABLE', 'MODIFY', 'ORDER', 'RENAME', 'REPLACE', 'SET'}(line 2, pos 0)",
		"DROP TABLE a; DROP TABLE b":     "extraneous input 'DROP' expecting <EOF>(line 1, pos 14)",
		"ALTER TABLE t SET (\"a\" = )":   "mismatched input ')' expecting a property(line 1, pos 25)",
		"CREATE TABLE t (g INT AS ((1)":  "missing ')'(line 1, pos 25)",
		"CREATE TABLE t (a INT DEFAULT)": "mismatched input ')' expecting a default value(line 1, pos 29)",
	} {
		_, err := Parse(text)
		require.EqualError(t, err, want, text)
	}
}

func TestTypes(t *testing.T) {
	for text, want := range map[string]string{
		"INT(11)": "int", "integer": "int", "STRING": "text", "Varchar": "varchar(65533)", "varchar(*)": "varchar(65533)", "CHAR": "char(1)",
		"DATETIMEV2(3)": "datetime(3)", "datetime": "datetime", "DATEV2": "date", "DECIMALV3(10, 2)": "decimal(10,2)", "decimal": "decimal(38,9)",
		"ARRAY<ARRAY<INT>>": "array<array<int>>", "map<string, int>": "map<text,int>", "STRUCT<a INT, b:text COMMENT 'x', c:date>": "struct<a:int,b:text,c:date>",
		"AGG_STATE<max_by(int not null,int null)>": "agg_state<max_by(int not null,int null)>", "BOOL": "boolean", "jsonb": "json",
	} {
		typ, err := ParseType(text)
		require.NoError(t, err, text)
		require.Equal(t, want, FormatType(typ))
		again, err := ParseType(want)
		require.NoError(t, err, want)
		require.Equal(t, typ, again)
	}
}
