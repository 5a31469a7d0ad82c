package ddl

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
)

func TestCreateAndDropBinlogs(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (a INT) DISTRIBUTED BY HASH(a) BUCKETS 1")
	table := f.tab("t")
	b, payload := f.last("s")
	require.Equal(t, binlog.TypeCreateTable, b.Type)
	require.Equal(t, []int64{table.ID}, b.Tables)
	require.Equal(t, f.ShowCreateTable(f.db("s"), table, true), payload["sql"])
	delete(payload, "sql")
	require.Equal(t, map[string]any{
		"commitSeq": float64(b.CommitSeq), "dbId": float64(f.db("s").ID), "dbName": "s",
		"tableId": float64(table.ID), "tableName": "t", "tableType": "OLAP",
	}, payload)
	require.Contains(t, b.Data, `ENGINE\u003dOLAP`)

	f.run("DROP TABLE t")
	f.wantBinlog(binlog.TypeDropTable, "{\"commitSeq\":$SEQ,\"dbId\":$DB,\"tableId\":$1,\"tableName\":\"t\",\"isView\":false,\"rawSql\":\"DROP TABLE IF EXISTS `t`\"}", table.ID)
	require.Len(t, f.backend.specs, 1, "the recycle bin keeps the tablets")
}

func TestViewBinlogs(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (a INT) DISTRIBUTED BY HASH(a) BUCKETS 1")
	f.run("CREATE VIEW v COMMENT 'c' AS SELECT a FROM t")
	v := f.tab("v")
	f.wantBinlog(binlog.TypeCreateTable, "{\"commitSeq\":$SEQ,\"dbId\":$DB,\"dbName\":\"s\",\"tableId\":$1,\"tableName\":\"v\",\"tableType\":\"VIEW\","+
		"\"sql\":\"CREATE VIEW `v` COMMENT 'c' AS SELECT `internal`.`s`.`t`.`a` FROM `internal`.`s`.`t`;\"}", v.ID)
	f.run("ALTER VIEW v AS SELECT 1 AS x FROM s.t")
	_, payload := f.last("s")
	require.Equal(t, "SELECT 1 AS `x` FROM `internal`.`s`.`t`", payload["inlineViewDef"])
	require.EqualValues(t, 32, payload["sqlMode"])
	f.run("ALTER VIEW v MODIFY COMMENT 'd'")
	_, payload = f.last("s")
	require.Equal(t, "", payload["inlineViewDef"])
	require.Equal(t, "d", payload["comment"])
	f.run("DROP VIEW v")
	f.wantBinlog(binlog.TypeDropTable, "{\"commitSeq\":$SEQ,\"dbId\":$DB,\"tableId\":$1,\"tableName\":\"v\",\"isView\":true,\"rawSql\":\"DROP VIEW IF EXISTS `v`\"}", v.ID)
}

func TestPartitionBinlogs(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (id INT, v INT) UNIQUE KEY(id) PARTITION BY RANGE(id) () DISTRIBUTED BY HASH(id) BUCKETS 1")
	f.run("ALTER TABLE t ADD PARTITION `p5` VALUES [('400'), ('500')) ('version_info' = '1') DISTRIBUTED BY HASH(`id`) BUCKETS 2")
	table := f.tab("t")
	p := table.Partitions["p5"]
	require.Equal(t, 2, p.Distribution.Buckets)
	require.Len(t, p.Tablets[table.BaseIndexID], 2)
	b, payload := f.last("s")
	require.Equal(t, binlog.TypeAddPartition, b.Type)
	require.EqualValues(t, b.CommitSeq, payload["commitSeq"])
	require.Equal(t, "ADD PARTITION `p5` VALUES [(\"400\"), (\"500\")) (\"version_info\" = \"1\");", payload["sql"])
	require.Equal(t, false, payload["isTempPartition"])
	literal := func(clazz, kind string, length int, value any) []any {
		return []any{kind, map[string]any{"clazz": clazz, "v": value, "opcode": "INVALID_OPCODE", "children": []any{},
			"type": map[string]any{"clazz": "ScalarType", "type": kind, "len": float64(length), "precision": 0.0, "scale": 0.0}}}
	}
	require.Equal(t, []any{
		map[string]any{"type": "CLOSED", "value": []any{literal("IntLiteral", "INT", -1, 400.0), "unused"}},
		map[string]any{"type": "OPEN", "value": []any{literal("IntLiteral", "INT", -1, 500.0), "unused"}},
	}, payload["range"])
	require.Equal(t, map[string]any{"clazz": "ListPartitionItem", "idp": false, "partitionKeys": []any{}}, payload["listPartitionItem"])
	require.Equal(t, map[string]any{"allocMap": []any{[]any{map[string]any{"type": "location", "value": "default"}, 1.0}}}, payload["replicaAlloc"])
	partition := payload["partition"].(map[string]any)
	require.EqualValues(t, p.ID, partition["id"])
	require.Equal(t, "p5", partition["nm"])
	distribution := partition["di"].(map[string]any)
	require.Equal(t, "HASH", distribution["type"])
	require.EqualValues(t, 2, distribution["bucketNum"])
	require.Equal(t, "id", distribution["distributionColumns"].([]any)[0].(map[string]any)["name"])

	f.run("ALTER TABLE t ADD TEMPORARY PARTITION tp VALUES LESS THAN (MAXVALUE)")
	_, payload = f.last("s")
	require.Equal(t, "ADD TEMPORARY PARTITION `tp` VALUES [(\"-2147483648\"), (MAXVALUE)) (\"version_info\" = \"1\");", payload["sql"])
	require.Equal(t, true, payload["isTempPartition"])

	fill(p)
	f.run("TRUNCATE TABLE t")
	f.wantBinlog(binlog.TypeTruncateTable, `{"dbId":$DB,"db":"s","tblId":$1,"table":"t","isEntireTable":true,"rawSql":"","op":{"$2":"p5"}}`, table.ID, p.ID)
	fresh := table.Partitions["p5"]
	require.NotEqual(t, p.ID, fresh.ID)
	require.Equal(t, p.Item, fresh.Item)
	fill(fresh)
	f.run("TRUNCATE TABLE t PARTITIONS (P5)")
	f.wantBinlog(binlog.TypeTruncateTable, `{"dbId":$DB,"db":"s","tblId":$1,"table":"t","isEntireTable":false,"rawSql":"PARTITIONS (P5)","op":{"$2":"p5"}}`, table.ID, fresh.ID)
	before := f.core.LastJournal()
	f.run("TRUNCATE TABLE t") // nothing to do, no binlog
	require.Equal(t, before, f.core.LastJournal())

	p = table.Partitions["p5"]
	f.run("ALTER TABLE t RENAME PARTITION p5 p6")
	f.wantBinlog(binlog.TypeRenamePartition, `{"db":$DB,"tb":$1,"ind":-1,"p":$2,"nT":"","oT":"","nR":"","oR":"","nP":"p6","oP":"p5"}`, table.ID, p.ID)
	f.run("ALTER TABLE t DROP PARTITION p6 FORCE")
	f.wantBinlog(binlog.TypeDropPartition, "{\"dbId\":$DB,\"tableId\":$1,\"pid\":$2,\"partitionName\":\"p6\",\"isTempPartition\":false,\"forceDrop\":true,"+
		"\"recycleTime\":-1,\"sql\":\"DROP PARTITION `p6` FORCE\",\"version\":1,\"versionTime\":$3}", table.ID, p.ID, table.VersionTime.UnixMilli())
	f.run("ALTER TABLE t DROP TEMPORARY PARTITION tp")
	_, payload = f.last("s")
	require.Equal(t, "DROP TEMPORARY PARTITION `tp` FORCE", payload["sql"])
	require.Equal(t, true, payload["forceDrop"])
	require.Empty(t, f.backend.specs)
}

func TestListPartitionBinlog(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (c VARCHAR(20), n INT) PARTITION BY LIST(c) () DISTRIBUTED BY HASH(n) BUCKETS 1")
	f.run("ALTER TABLE t ADD PARTITION p2 VALUES IN ('beijing', 'shanghai', NULL)")
	_, payload := f.last("s")
	require.Equal(t, "ADD PARTITION `p2` VALUES IN ((\"beijing\"),(\"shanghai\"),(NULL)) (\"version_info\" = \"1\");", payload["sql"])
	var keys []any
	for _, key := range payload["listPartitionItem"].(map[string]any)["partitionKeys"].([]any) {
		value := key.([]any)[0].([]any)
		require.Equal(t, "VARCHAR", value[0])
		keys = append(keys, value[1].(map[string]any)["clazz"], value[1].(map[string]any)["v"])
	}
	require.Equal(t, []any{"StringLiteral", "beijing", "StringLiteral", "shanghai", "NullLiteral", nil}, keys)
	unused := map[string]any{"type": "CLOSED", "value": []any{"unused"}}
	require.Equal(t, []any{unused, unused}, payload["range"])
	// The tool's rewriting of that text is understood again.
	f.run("ALTER TABLE t DROP PARTITION p2")
	f.run("ALTER TABLE `s`.`t` ADD PARTITION IF NOT EXISTS `p2` VALUES IN ((\"beijing\"),(\"shanghai\"),(NULL)) (\"version_info\" = \"1\") DISTRIBUTED BY HASH(`n`) BUCKETS 1")
	require.ErrorContains(t, f.try("ALTER TABLE t ADD PARTITION p3 VALUES IN ('x', 'beijing')"), "is conflict with partition p2")
	f.run("ALTER TABLE t ADD PARTITION p3")
	_, payload = f.last("s")
	require.Equal(t, "ADD PARTITION `p3` (\"version_info\" = \"1\");", payload["sql"])
	require.ErrorContains(t, f.try("ALTER TABLE t ADD PARTITION p4"), "is conflict with partition p3")
}

func TestPropertyBinlogs(t *testing.T) {
	f := newFixture(t)
	f.run(`ALTER DATABASE s SET PROPERTIES ("binlog.ttl_seconds" = "7")`)
	f.wantBinlog(binlog.TypeAlterDatabaseProperty, `{"dbId":$DB,"dbName":"s","properties":{"binlog.ttl_seconds":"7"}}`)
	b, _ := f.last("s")
	require.True(t, b.RemoveEnableCache)
	require.Empty(t, b.Tables)

	f.run("CREATE TABLE t (a INT, d DATE) PARTITION BY RANGE(d) () DISTRIBUTED BY HASH(a) BUCKETS 1 PROPERTIES ('colocate_with' = 'g')")
	table := f.tab("t")
	require.Equal(t, "7", table.Properties[binlogTTL])
	f.run("ALTER TABLE t SET ('binlog.ttl_seconds' = '8', 'binlog.max_bytes' = '9')")
	f.wantBinlog(binlog.TypeModifyTableProperty, `{"dbId":$DB,"tableId":$1,"ctlName":"internal","dbName":"s","tableName":"t",`+
		`"properties":{"binlog.enable":"true","binlog.max_bytes":"9","binlog.max_history_nums":"9223372036854775807","binlog.ttl_seconds":"8"},`+
		`"sql":"SET (binlog.enable=true,binlog.max_bytes=9,binlog.max_history_nums=9223372036854775807,binlog.ttl_seconds=8)"}`, table.ID)
	before := f.core.LastJournal()
	f.run("ALTER TABLE t SET ('binlog.enable' = 'true')") // as it is
	f.run("ALTER TABLE t SET ('in_memory' = 'false')")
	require.Equal(t, before, f.core.LastJournal())
	b, _ = f.last("s")
	require.True(t, b.RemoveEnableCache)
	require.Contains(t, f.show("s", "t"), `"binlog.ttl_seconds" = "8"`)

	f.run("ALTER TABLE t SET ('replication_num' = '2')")
	require.Contains(t, f.show("s", "t"), `"replication_allocation" = "tag.location.default: 2"`)
	f.run("ALTER TABLE t SET ('is_being_synced' = 'true')")
	require.NotContains(t, f.show("s", "t"), "colocate_with")
	f.run("ALTER TABLE t SET ('is_being_synced' = 'false')")
	require.Contains(t, f.show("s", "t"), `"is_being_synced" = "false"`)

	f.run("ALTER TABLE t MODIFY DISTRIBUTION DISTRIBUTED BY HASH(a) BUCKETS 20")
	f.wantBinlog(binlog.TypeModifyDistributionBucketNum, `{"dbId":$DB,"tableId":$1,"type":"HASH","autoBucket":false,"bucketNum":20,"columnsName":"a"}`, table.ID)
	require.Contains(t, f.show("s", "t"), "DISTRIBUTED BY HASH(`a`) BUCKETS 20")
	f.run("ALTER TABLE t SET ('distribution_type' = 'random')")
	b, _ = f.last("s")
	require.Equal(t, binlog.TypeModifyDistributionType, b.Type)
	require.Contains(t, f.show("s", "t"), "DISTRIBUTED BY RANDOM BUCKETS 20")

	f.run("ALTER TABLE t MODIFY COMMENT 'orders'")
	f.wantBinlog(binlog.TypeModifyComment, `{"type":"TABLE","dbId":$DB,"tblId":$1,"tblComment":"orders"}`, table.ID)
	f.run("ALTER TABLE t MODIFY COLUMN A COMMENT 'x', MODIFY COLUMN d COMMENT 'y'")
	f.wantBinlog(binlog.TypeModifyComment, `{"type":"COLUMN","dbId":$DB,"tblId":$1,"colToComment":{"a":"x","d":"y"}}`, table.ID)
}

func TestBinlogSwitchReachesTablets(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE d.t (a INT) DISTRIBUTED BY HASH(a) BUCKETS 2 PROPERTIES ('replication_num' = '2')")
	require.Len(t, f.backend.specs, 2)
	for _, s := range f.backend.specs {
		require.False(t, s.BinlogEnabled)
	}
	f.run("ALTER TABLE d.t SET ('binlog.enable' = 'true')")
	for _, s := range f.backend.specs {
		require.True(t, s.BinlogEnabled)
	}
	f.run(`ALTER DATABASE d SET PROPERTIES ("binlog.enable" = "true")`)
}

func TestRenameAndReplaceBinlogs(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE a (k INT) DISTRIBUTED BY HASH(k) BUCKETS 1")
	f.run("CREATE TABLE c (k INT) DISTRIBUTED BY HASH(k) BUCKETS 1")
	a, c := f.tab("a"), f.tab("c")
	f.run("ALTER TABLE c RENAME b")
	f.wantBinlog(binlog.TypeRenameTable, `{"db":$DB,"tb":$1,"ind":-1,"p":-1,"nT":"b","oT":"c","nR":"","oR":"","nP":"","oP":""}`, c.ID)
	require.Equal(t, "b", c.Indexes[c.BaseIndexID].Name)
	require.Contains(t, c.Partitions, "b")

	f.run("ALTER TABLE a REPLACE WITH TABLE b")
	f.wantBinlog(binlog.TypeReplaceTable, `{"dbId":$DB,"origTblId":$1,"newTblName":$2,"swapTable":true,"isForce":false,"origTblName":"a","actualNewTblName":"b"}`, a.ID, c.ID)
	require.Same(t, c, f.tab("a"))
	require.Same(t, a, f.tab("b"))
	b, _ := f.last("s")
	require.Equal(t, []int64{a.ID}, b.Tables)

	f.run("ALTER TABLE a REPLACE WITH TABLE b PROPERTIES('swap'='false')")
	f.wantBinlog(binlog.TypeReplaceTable, `{"dbId":$DB,"origTblId":$1,"newTblName":$2,"swapTable":false,"isForce":false,"origTblName":"a","actualNewTblName":"b"}`, c.ID, a.ID)
	require.Same(t, a, f.tab("a"))
	require.NotContains(t, f.db("s").Tables, "b")
	require.Len(t, f.backend.specs, 2, "the recycle bin keeps the old table")
	require.Equal(t, "a", a.Indexes[a.BaseIndexID].Name)
}

func TestRenameColumn(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (k INT, v INT, INDEX i (v)) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('bloom_filter_columns' = 'k')")
	table := f.tab("t")
	f.run("ALTER TABLE t RENAME COLUMN k k2")
	f.run("ALTER TABLE t RENAME COLUMN v w")
	f.wantBinlog(binlog.TypeRenameColumn, `{"dbId":$DB,"tableId":$1,"colName":"v","newColName":"w","indexIdToSchemaVersion":{"$2":2}}`, table.ID, table.BaseIndexID)
	text := f.show("s", "t")
	for _, want := range []string{"UNIQUE KEY(`k2`)", "HASH(`k2`)", `"bloom_filter_columns" = "k2"`, "INDEX i (`w`)"} {
		require.Contains(t, text, want)
	}
	for _, s := range f.backend.synced {
		require.Equal(t, "k2", s.Columns[0].Name)
		require.Equal(t, "w", s.Columns[1].Name)
	}
}

func TestLightSchemaChange(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (id INT, b INT, INDEX i (b)) UNIQUE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ('function_column.sequence_type' = 'int')")
	table := f.tab("t")
	shared := baseSchema(table).Columns
	f.run("ALTER TABLE t ADD COLUMN c INT DEFAULT '0' AFTER id, ADD COLUMN d DATETIME DEFAULT CURRENT_TIMESTAMP COMMENT 'x', DROP COLUMN B")
	b, payload := f.last("s")
	require.Equal(t, binlog.TypeModifyTableAddOrDropColumns, b.Type)
	require.Equal(t, "ALTER TABLE `s`.`t` ADD COLUMN `c` int NULL DEFAULT \"0\" COMMENT \"\" AFTER `id`, \n"+
		"ADD COLUMN `d` datetimev2(0) NULL DEFAULT \"CURRENT_TIMESTAMP\" COMMENT \"x\", \nDROP COLUMN `b`", payload["rawSql"])
	columns := payload["indexSchemaMap"].(map[string]any)[id(table.BaseIndexID)].([]any)
	var names []string
	for _, c := range columns {
		names = append(names, c.(map[string]any)["name"].(string))
	}
	require.Equal(t, []string{"id", "c", "d", "__DORIS_DELETE_SIGN__", "__DORIS_VERSION_COL__", "__DORIS_SEQUENCE_COL__"}, names)
	require.Equal(t, map[string]any{"clazz": "ScalarType", "type": "INT", "len": -1.0, "precision": 0.0, "scale": 0.0}, columns[1].(map[string]any)["type"])
	require.Empty(t, payload["indexes"]) // went with its column
	require.Empty(t, table.Secondary)
	for _, s := range f.backend.synced {
		require.EqualValues(t, 1, s.Version)
		require.Len(t, s.Columns, 4)
	}
	require.Equal(t, "b", shared[1].Name, "what backends hold must not change under them")

	// The id of a dropped column is not given again.
	f.run("ALTER TABLE t ADD COLUMN b INT")
	schema := baseSchema(table)
	require.EqualValues(t, 7, schema.Columns[schema.ColumnIndex("b")].UniqueID, "hidden columns have ids too")
	require.Equal(t, hiddenSequence, schema.Columns[len(schema.Columns)-1].Name)

	// rawSql itself is understood.
	f.run("CREATE TABLE d.t LIKE t")
	f.run("ALTER TABLE `d`.`t` ADD COLUMN (`x` int NULL DEFAULT \"0\" COMMENT \"\", `y` int NULL COMMENT \"\")")
	f.run("ALTER TABLE `d`.`t` ADD COLUMN `c2` int NULL DEFAULT \"0\" COMMENT \"\" AFTER `x`, \nDROP COLUMN `d`")
}

func TestDropDatabaseLeavesNothing(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (k INT) DISTRIBUTED BY HASH(k) BUCKETS 3")
	f.run("ALTER DATABASE d RENAME e")
	require.Error(t, f.try("CREATE TABLE d.t (k INT)"))
	f.run("DROP DATABASE s FORCE")
	require.Empty(t, f.backend.specs)
	_, status := f.core.ReadBinlogs(1, -1, -1, 1)
	require.NotEmpty(t, status)
}

// A table whose database keeps no binlogs records by its own setting
// (doris-binlogs.md 1.3).
func TestTableLevelBinlog(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE d.t (k INT) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('binlog.enable' = 'true')")
	f.run("CREATE TABLE d.u (k INT) DISTRIBUTED BY HASH(k) BUCKETS 1")
	table := f.tableIn("d", "t")
	f.run("ALTER TABLE d.u MODIFY COMMENT 'not recorded'")
	f.run("ALTER TABLE d.t REPLACE WITH TABLE u PROPERTIES('swap'='false')")
	b, _ := f.last("d")
	require.Equal(t, binlog.TypeReplaceTable, b.Type)
	own, _ := f.core.ReadBinlogs(f.db("d").ID, table.ID, -1, 10)
	require.Equal(t, b.CommitSeq, own[len(own)-1].CommitSeq)
	require.Equal(t, map[int64]int64{table.ID: b.CommitSeq}, f.core.Dropped(f.db("d").ID).Tables)
}
