package ddl

import (
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// repetition is what doing a binlog a second time is (doris-binlogs.md 4.7).
type repetition int

const (
	repeated    repetition = iota // the same statements: they do no harm
	seen                          // nothing: what is there was looked at
	snapshotted                   // a new snapshot
	nothing                       // there was nothing to do the first time
)

// typeCase is one kind of binlog of table 10, called t at the source. {t} in
// statements stands for the destination's name of it.
type typeCase struct {
	typ     binlog.Type
	payload string
	tables  []int64        // 10 if empty
	before  func(*applied) // the destination's state before
	after   func(*applied) // what the statements make of it
	want    []string
	partial *job.PartialSync
	full    bool
	again   repetition

	// What a table job does, or one with another name on the destination, where
	// it differs.
	table, alias *typeCase
	// change is that of the table mapping.
	change job.TableChanges
	source string // a table job's new name of the source table
	// passed binlogs never become a step.
	passed bool
	// unfiltered ones are not about what a snapshot of a table contains.
	unfiltered bool
	// partly ones would touch partitions that a later snapshot has brought.
	partly bool
}

var ignoredByTables = &typeCase{again: nothing}

// typeCases has every type but UPSERT and DUMMY, which are the stream's own.
var typeCases = []typeCase{
	{typ: binlog.TypeAddPartition, want: []string{"ALTER TABLE `dst`.`{t}` ADD PARTITION IF NOT EXISTS `p5` VALUES [(\"400\"), (\"500\")) (\"version_info\" = \"1\") DISTRIBUTED BY HASH(`id`) BUCKETS 3"},
		payload: `{"tableId":10,"partition":{"id":260,"nm":"p5","di":{"type":"HASH","bucketNum":3,"autoBucket":true,"distributionColumns":[{"name":"id"}]}},"sql":"ADD PARTITION ` + "`p5`" + ` VALUES [(\"400\"), (\"500\")) (\"version_info\" \u003d \"1\");"}`},
	{typ: binlog.TypeAddPartition, passed: true, again: nothing, payload: `{"tableId":10,"isTempPartition":true,"sql":"ADD TEMPORARY PARTITION ` + "`t`" + `"}`},
	{typ: binlog.TypeCreateTable, tables: []int64{11}, payload: `{"tableId":11,"tableName":"n","sql":"CREATE TABLE ` + "`n` (\\n  `id` int NULL\\n) ENGINE=OLAP\\nDUPLICATE KEY(`id`)\\nDISTRIBUTED BY HASH(`id`) BUCKETS 1" + `"}`,
		before: func(a *applied) { a.src.TableMeta[11] = &meta.Table{ID: 11, Name: "n"} },
		want:   []string{"CREATE TABLE IF NOT EXISTS `dst`.`n` (\n  `id` int NULL\n) ENGINE=OLAP\nDUPLICATE KEY(`id`)\nDISTRIBUTED BY HASH(`id`) BUCKETS 1"},
		change: job.TableChanges{Set: map[int64]job.Table{11: {DestID: 99, Name: "n"}}},
		again:  snapshotted, table: ignoredByTables},
	{typ: binlog.TypeCreateTable, tables: []int64{12}, payload: `{"tableId":12,"tableName":"v","tableType":"VIEW","sql":"CREATE VIEW ` + "`v` AS SELECT 1 AS `k` FROM `internal`.`src`.`t`" + `"}`,
		want:   []string{"DROP v", "CREATE VIEW `dst`.`v` AS SELECT 1 AS `k` FROM `internal`.`dst`.`t`"},
		change: job.TableChanges{Set: map[int64]job.Table{12: {Name: "v", View: true}}}, table: ignoredByTables},
	{typ: binlog.TypeDropPartition, partly: true, payload: `{"tableId":10,"pid":101,"partitionName":"p1","forceDrop":true,"sql":"DROP PARTITION ` + "`p1`" + ` FORCE"}`,
		want: []string{"ALTER TABLE `dst`.`{t}` DROP PARTITION IF EXISTS `p1` FORCE"}},
	{typ: binlog.TypeDropTable, payload: `{"tableId":10,"tableName":"t","rawSql":"DROP TABLE IF EXISTS ` + "`t`" + `"}`,
		want: []string{"DROP t"}, after: func(a *applied) { delete(a.dst.TableMeta, 20) }, again: seen,
		change: job.TableChanges{Drop: []int64{10}}, table: ignoredByTables},
	{typ: binlog.TypeAlterJob, payload: `{"type":"SCHEMA_CHANGE","tableId":10,"tableName":"t","jobState":"FINISHED","iim":{"301":120}}`, partial: whole, again: snapshotted},
	{typ: binlog.TypeAlterJob, payload: `{"type":"ROLLUP","tableId":10,"tableName":"t","jobState":"PENDING","rollupIndexId":301,"baseIndexid":120}`, again: nothing},
	{typ: binlog.TypeModifyTableAddOrDropColumns, partly: true, payload: `{"tableId":10,"indexSchemaMap":{"120":[{"name":"id","visible":true},{"name":"c","visible":true}]},"rawSql":"ALTER TABLE ` + "`src`.`t` ADD COLUMN `c` int NULL" + `"}`,
		before: func(a *applied) { a.dst.columns = []string{"id"} }, after: func(a *applied) { a.dst.columns = []string{"id", "c"} },
		want: []string{"ALTER TABLE `dst`.`{t}` ADD COLUMN `c` int NULL"}, again: seen},
	{typ: binlog.TypeAlterDatabaseProperty, passed: true, unfiltered: true, again: nothing, tables: []int64{}, payload: `{"dbId":1,"dbName":"src","properties":{"binlog.ttl_seconds":"3600"}}`},
	{typ: binlog.TypeModifyTableProperty, payload: `{"tableId":10,"tableName":"t","properties":{"dynamic_partition.start":"-3","replication_num":"1"},"sql":"SET (dynamic_partition.start=-3)"}`,
		want: []string{"ALTER TABLE `dst`.`{t}` SET (\"dynamic_partition.start\" = \"-3\")"}},
	{typ: binlog.TypeBarrier, passed: true, unfiltered: true, again: nothing, payload: `{"dbId":1,"tableId":10,"binlogType":0}`},
	{typ: binlog.TypeModifyPartitions, passed: true, again: nothing, payload: `{"infos":[{"dbId":1,"tableId":10,"partitionId":101}]}`},
	{typ: binlog.TypeReplacePartitions, payload: `{"tblId":10,"tblName":"t","partitions":["p2"],"tempPartitions":["tp2"],"strictRange":true}`,
		before: func(a *applied) {
			a.src.TableMeta[10].Partitions = []*meta.Partition{pairtest.Partition(102, "p2", pairtest.RangeText)}
		},
		partial: &job.PartialSync{TableID: 10, Table: "t", Partitions: []string{"p2"}}, again: snapshotted,
		// Doris does not restore into a table of another name (doris-sql.md 4.6).
		alias: &typeCase{partial: whole, again: snapshotted}},
	{typ: binlog.TypeReplacePartitions, payload: `{"tblId":10,"tblName":"t","partitions":["p2"],"tempPartitions":["tp2"],"strictRange":false}`, partial: whole, again: snapshotted},
	{typ: binlog.TypeTruncateTable, partly: true, payload: `{"tblId":10,"table":"t","isEntireTable":false,"rawSql":"PARTITIONS (p5)","op":{"123":"p5"}}`,
		want: []string{"TRUNCATE TABLE `dst`.`{t}` PARTITIONS (p5)"}},
	{typ: binlog.TypeRenameTable, payload: `{"db":1,"tb":10,"ind":-1,"p":-1,"nT":"u","oT":"t"}`,
		want: []string{"ALTER TABLE `dst`.`{t}` RENAME `u`"}, after: func(a *applied) { a.dst.TableMeta[20].Name = "u" }, again: seen,
		change: job.TableChanges{Set: map[int64]job.Table{10: {DestID: 20, Name: "u"}}},
		table:  &typeCase{again: nothing, source: "u"}},
	{typ: binlog.TypeRenameColumn, partly: true, payload: `{"tableId":10,"colName":"a","newColName":"b"}`,
		before: func(a *applied) { a.dst.columns = []string{"a"} }, after: func(a *applied) { a.dst.columns = []string{"b"} },
		want: []string{"ALTER TABLE `dst`.`{t}` RENAME COLUMN `a` `b`"}, again: seen},
	{typ: binlog.TypeModifyComment, payload: `{"type":"TABLE","tblId":10,"tblComment":"c"}`, want: []string{"ALTER TABLE `dst`.`{t}` MODIFY COMMENT \"c\""}},
	{typ: binlog.TypeModifyViewDef, tables: []int64{13}, payload: `{"tableId":13,"inlineViewDef":"SELECT 1 FROM ` + "`internal`.`src`.`t`" + `"}`,
		want: []string{"ALTER VIEW `dst`.`w` AS SELECT 1 FROM `internal`.`dst`.`t`"}, table: ignoredByTables},
	{typ: binlog.TypeReplaceTable, payload: `{"origTblId":10,"origTblName":"t","newTblName":14,"actualNewTblName":"b","swapTable":false}`,
		want:   []string{"ALTER TABLE `dst`.`t` REPLACE WITH TABLE `b` PROPERTIES(\"swap\"=\"false\")"},
		before: withOther, after: func(a *applied) { delete(a.dst.TableMeta, 20); a.dst.TableMeta[24].Name = "t" }, again: seen,
		change: job.TableChanges{Set: map[int64]job.Table{14: {DestID: 24, Name: "t"}}, Drop: []int64{10}}, unfiltered: true,
		table: &typeCase{full: true, again: snapshotted}},
	{typ: binlog.TypeReplaceTable, payload: `{"origTblId":10,"origTblName":"t","newTblName":14,"actualNewTblName":"b","swapTable":true}`,
		want:   []string{"ALTER TABLE `dst`.`t` REPLACE WITH TABLE `b` PROPERTIES(\"swap\"=\"true\")"},
		before: withOther, after: func(a *applied) { a.dst.TableMeta[20].Name, a.dst.TableMeta[24].Name = "b", "t" }, again: seen,
		change: job.TableChanges{Set: map[int64]job.Table{14: {DestID: 24, Name: "t"}, 10: {DestID: 20, Name: "b"}}}, unfiltered: true,
		table: &typeCase{full: true, again: snapshotted}},
	{typ: binlog.TypeModifyInvertedIndices, payload: `{"tableId":10,"alterInvertedIndexes":[{"i":1,"in":"x"}],"isDropInvertedIndex":false}`, partly: true, partial: whole, again: snapshotted},
	{typ: binlog.TypeModifyInvertedIndices, payload: `{"tableId":10,"alterInvertedIndexes":[{"i":1,"in":"x"}],"isDropInvertedIndex":true}`, partly: true,
		before: func(a *applied) { a.dst.indexes = []string{"x", "y"} }, after: func(a *applied) { a.dst.indexes = []string{"y"} },
		want: []string{"ALTER TABLE `dst`.`{t}` DROP INDEX `x`"}, again: seen},
	{typ: binlog.TypeIndexChangeJob, payload: `{"jobState":"FINISHED","tableId":10,"tableName":"t","partitionName":"p1","isDropOp":false,"alterInvertedIndexes":[{"i":1,"in":"x"}]}`,
		want: []string{"BUILD INDEX `x` ON `dst`.`{t}` PARTITION (`p1`)"}},
	{typ: binlog.TypeRenameRollup, partly: true, payload: `{"tb":10,"ind":31,"p":-1,"nR":"s","oR":"r"}`,
		before: func(a *applied) { a.dst.rollups = []string{"t", "r"} }, after: func(a *applied) { a.dst.rollups = []string{"t", "s"} },
		want: []string{"ALTER TABLE `dst`.`{t}` RENAME ROLLUP `r` `s`"}, again: seen},
	{typ: binlog.TypeRenamePartition, partly: true, payload: `{"tb":10,"ind":-1,"p":101,"nP":"q","oP":"p"}`,
		before: func(a *applied) { a.dst.partitions = []string{"p"} }, after: func(a *applied) { a.dst.partitions = []string{"q"} },
		want: []string{"ALTER TABLE `dst`.`{t}` RENAME PARTITION `p` `q`"}, again: seen},
	{typ: binlog.TypeDropRollup, partly: true, payload: `{"tableId":10,"tableName":"t","indexId":31,"indexName":"r"}`,
		before: func(a *applied) { a.dst.rollups = []string{"t", "r"} }, after: func(a *applied) { a.dst.rollups = []string{"t"} },
		want: []string{"ALTER TABLE `dst`.`{t}` DROP ROLLUP `r`"}, again: seen},
	{typ: binlog.TypeRecoverInfo, payload: `{"tableId":10,"tableName":"t","partitionId":101,"partitionName":"p"}`, partial: whole, again: snapshotted},
	{typ: binlog.TypeModifyDistributionBucketNum, payload: `{"tableId":10,"type":"HASH","autoBucket":false,"bucketNum":20,"columnsName":"id"}`,
		want: []string{"ALTER TABLE `dst`.`{t}` MODIFY DISTRIBUTION DISTRIBUTED BY HASH(`id`) BUCKETS 20"}},
	{typ: binlog.TypeModifyDistributionType, payload: `{"tb":10}`, after: func(a *applied) { a.dst.create = "\nDISTRIBUTED BY RANDOM BUCKETS 2\n" },
		want: []string{"ALTER TABLE `dst`.`{t}` SET (\"distribution_type\" = \"random\")"}, again: seen},
}

// withOther adds table 14, called b, which takes the place of t at the source.
func withOther(a *applied) {
	a.src.TableMeta[14] = &meta.Table{ID: 14, Name: "t"}
	a.dst.TableMeta[24] = &meta.Table{ID: 24, Name: "b"}
	a.dst.Names = append(a.dst.Names, "b")
	if a.in.Spec.Type() == job.DatabaseSync {
		a.in.Progress.Tables[14] = job.Table{Name: "b", DestID: 24}
	}
}
