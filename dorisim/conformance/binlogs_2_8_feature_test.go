package conformance

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// recordedColumns are the columns of the only index in a record of type 6:
// visible ones by name, hidden ones in brackets.
func recordedColumns(t *testing.T, record map[string]any) []string {
	t.Helper()
	schemas := record["indexSchemaMap"].(map[string]any)
	require.Len(t, schemas, 1)
	var names []string
	for _, columns := range schemas {
		for _, c := range columns.([]any) {
			column := c.(map[string]any)
			name := column["name"].(string)
			if column["visible"] == false {
				name = "[" + name + "]"
			}
			names = append(names, name)
		}
	}
	return names
}

// ENABLE FEATURE adds a hidden column to a light table at once
// (doris-binlogs.md 2.8, doris-sql.md 4.12).
func TestEnableFeature(t *testing.T) {
	for _, version := range []core.Version{core.VersionNew, core.Version21} {
		t.Run(string(version), func(t *testing.T) {
			s := versioned(t, version).session()
			db := s.database()
			s.exec("CREATE TABLE `%s`.f (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
			s.exec("INSERT INTO `%s`.f VALUES (1, 10)", db)

			prev := s.lastSeq(db)
			s.exec(`ALTER TABLE %s.f ENABLE FEATURE "UPDATE_FLEXIBLE_COLUMNS"`, db)
			require.Equal(t, []binlog.Type{binlog.TypeModifyTableAddOrDropColumns}, s.kinds(db, prev))
			record := s.payload(db, binlog.TypeModifyTableAddOrDropColumns)
			require.Contains(t, record["rawSql"], "ALTER TABLE `"+db+"`.`f` ADD COLUMN `__DORIS_SKIP_BITMAP_COL__` bitmap NOT NULL")
			require.Contains(t, record["rawSql"], " AFTER `__DORIS_VERSION_COL__`")
			require.Equal(t, []string{"k", "v", "[__DORIS_DELETE_SIGN__]", "[__DORIS_VERSION_COL__]", "[__DORIS_SKIP_BITMAP_COL__]"}, recordedColumns(t, record))
			require.Contains(t, values(s.query("SHOW CREATE TABLE `%s`.f", db), "Create Table"), `"enable_unique_key_skip_bitmap_column" = "true"`)

			prev = s.lastSeq(db)
			s.exec(`ALTER TABLE %s.f ENABLE FEATURE "SEQUENCE_LOAD" WITH PROPERTIES ("function_column.sequence_type" = "int")`, db)
			require.Equal(t, []binlog.Type{binlog.TypeModifyTableAddOrDropColumns}, s.kinds(db, prev))
			record = s.payload(db, binlog.TypeModifyTableAddOrDropColumns)
			require.Contains(t, record["rawSql"], "ADD COLUMN `__DORIS_SEQUENCE_COL__` int NULL")
			columns := recordedColumns(t, record)
			require.Equal(t, "[__DORIS_SEQUENCE_COL__]", columns[len(columns)-1])
			require.Contains(t, values(s.query("SHOW CREATE TABLE `%s`.f", db), "Create Table"), `"function_column.sequence_type" = "int"`)
			require.Len(t, s.query("SHOW ALTER TABLE COLUMN FROM `%s` WHERE TableName = 'f' AND State = 'FINISHED'", db), 2)

			s.exec("INSERT INTO `%s`.f (k, v, __DORIS_SEQUENCE_COL__) VALUES (1, 20, 5), (2, 30, 7)", db)
			s.exec("INSERT INTO `%s`.f (k, v, __DORIS_SEQUENCE_COL__) VALUES (1, 21, 4), (2, 31, 8)", db)
			require.Equal(t, "20,31", values(s.query("SELECT * FROM `%s`.f ORDER BY k", db), "v"), "the larger sequence wins")
			require.Equal(t, []string{"k", "v"}, s.columns("SELECT * FROM `"+db+"`.f"))
			s.exec("set show_hidden_columns = true")
			fields := s.query("DESC `%s`.f", db)
			require.Equal(t, "k,v,__DORIS_DELETE_SIGN__,__DORIS_VERSION_COL__,__DORIS_SKIP_BITMAP_COL__,__DORIS_SEQUENCE_COL__", values(fields, "Field"))
			require.Equal(t, "bitmap", fields[4]["Type"])
			require.Equal(t, "No", fields[4]["Null"])
			require.Equal(t, "5,8", values(s.query("SELECT * FROM `%s`.f ORDER BY k", db), "__DORIS_SEQUENCE_COL__"))
			require.Equal(t, "0,0", values(s.query("SELECT * FROM `%s`.f ORDER BY k", db), "__DORIS_DELETE_SIGN__"))
			s.exec("set show_hidden_columns = false")
			s.exec("ALTER TABLE `%s`.f ADD COLUMN w INT DEFAULT '3'", db)
			require.Equal(t, "3,3", values(s.query("SELECT * FROM `%s`.f ORDER BY k", db), "w"))
			require.Equal(t, "w", recordedColumns(t, s.payload(db, binlog.TypeModifyTableAddOrDropColumns))[2], "before the hidden ones")
		})
	}
}

func TestEnableFeatureRefusals(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "d", 1)
	s.exec("CREATE TABLE `%s`.u (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	s.exec("CREATE TABLE `%s`.r (k INT, v INT, w INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 ROLLUP (r1 (k, v)) %s", db, once)
	refused := func(table, feature, text string) {
		t.Helper()
		s.refuses(1105, text, "ALTER TABLE `%s`.%s ENABLE FEATURE %s", db, table, feature)
	}
	refused("u", `"SOMETHING"`, "unknown feature name: SOMETHING")
	refused("u", `"SEQUENCE_LOAD"`, "Properties is not set")
	refused("u", `"SEQUENCE_LOAD" WITH PROPERTIES ("x" = "y")`, "unknown sequence column type")
	refused("u", `"SEQUENCE_LOAD" WITH PROPERTIES ("function_column.sequence_type" = "varchar(3)")`, "only support integer types and date types")
	refused("d", `"SEQUENCE_LOAD" WITH PROPERTIES ("function_column.sequence_type" = "int")`, "Sequence load only supported in unique tables.")
	refused("d", `"BATCH_DELETE"`, "Batch delete only supported in unique tables.")
	refused("u", `"BATCH_DELETE"`, "already supported batch delete")
	refused("d", `"UPDATE_FLEXIBLE_COLUMNS"`, "Update flexible columns feature is only supported on merge-on-write unique tables.")
	refused("r", `"UPDATE_FLEXIBLE_COLUMNS"`, "unknown feature")
	s.exec(`ALTER TABLE %s.u ENABLE FEATURE "UPDATE_FLEXIBLE_COLUMNS"`, db)
	refused("u", `"UPDATE_FLEXIBLE_COLUMNS"`, "table u has enabled update flexible columns feature already.")
}

// A table without light schema change is rewritten; CREATE TABLE and SET know the
// property too. All of it comes back from a backup.
func TestSkipBitmapColumn(t *testing.T) {
	src, dest := source(t), destination(t)
	db, to := src.database(), dest.database()
	src.session()
	create := "CREATE TABLE `%s`.%s (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1', 'binlog.enable' = 'true'%s)"
	src.exec(create, db, "made", ", 'enable_unique_key_skip_bitmap_column' = 'true', 'function_column.sequence_type' = 'bigint'")
	src.exec(create, db, "heavy", ", 'light_schema_change' = 'false'")
	src.exec(create, db, "plain", "")
	for _, table := range []string{"made", "heavy", "plain"} {
		src.exec("INSERT INTO `%s`.%s (k, v) VALUES (1, 10)", db, table)
	}
	prev := src.lastSeq(db)
	src.exec(`ALTER TABLE %s.heavy ENABLE FEATURE "SEQUENCE_LOAD" WITH PROPERTIES ("function_column.sequence_type" = "int")`, db)
	src.exec(`ALTER TABLE %s.plain SET ("enable_unique_key_skip_bitmap_column" = "true")`, db)
	src.idle(db)
	require.False(t, slices.Contains(src.kinds(db, prev), binlog.TypeModifyTableAddOrDropColumns), "both rewrite")
	src.refuses(1105, "from true to false", `ALTER TABLE %s.plain SET ("enable_unique_key_skip_bitmap_column" = "false")`, db)
	src.exec("INSERT INTO `%s`.heavy (k, v, __DORIS_SEQUENCE_COL__) VALUES (1, 20, 5)", db)
	src.exec("INSERT INTO `%s`.heavy (k, v, __DORIS_SEQUENCE_COL__) VALUES (1, 30, 4)", db)

	src.restoreInto(dest, db, to)
	dest.session().exec("set show_hidden_columns = true")
	fields := func(table string) string { return values(dest.query("DESC `%s`.%s", to, table), "Field") }
	require.Equal(t, "k,v,__DORIS_DELETE_SIGN__,__DORIS_VERSION_COL__,__DORIS_SKIP_BITMAP_COL__,__DORIS_SEQUENCE_COL__", fields("made"))
	require.Equal(t, "k,v,__DORIS_DELETE_SIGN__,__DORIS_VERSION_COL__,__DORIS_SEQUENCE_COL__", fields("heavy"))
	require.Equal(t, "k,v,__DORIS_DELETE_SIGN__,__DORIS_VERSION_COL__,__DORIS_SKIP_BITMAP_COL__", fields("plain"))
	dest.exec("set show_hidden_columns = false")
	dest.exec("INSERT INTO `%s`.heavy (k, v, __DORIS_SEQUENCE_COL__) VALUES (1, 40, 3)", to)
	require.Equal(t, "20", values(dest.query("SELECT v FROM `%s`.heavy", to), "v"), "restored with its sequence")
	require.Equal(t, "10", values(dest.query("SELECT v FROM `%s`.plain", to), "v"))
}
