package binlog

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// check decodes a payload of doris-binlogs.md and compares it as a whole.
func check[T any](decode func(string) (T, error), data string, want T) func(*testing.T) {
	return func(t *testing.T) {
		got, err := decode(data)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func str(s string) *string { return &s }

// One entry per payload of doris-binlogs.md 2.3 to 2.27 and 3.1.
func TestDecode(t *testing.T) {
	tests := map[string]func(*testing.T){
		"upsert": check(DecodeUpsert,
			`{"commitSeq":20201,"txnId":812,"timeStamp":1730000000123,"label":"insert_8a1f","dbId":10116,"tableRecords":{"10118":{"partitionRecords":[{"partitionId":10119,"range":"[types: [INT]; keys: [0]; ..types: [INT]; keys: [100]; )","version":8,"isTempPartition":false,"stid":-1}],"indexIds":[10120,10311],"deltaRows":{"10120":4}}}}`,
			Upsert{CommitSeq: 20201, TxnID: 812, Timestamp: 1730000000123, Label: "insert_8a1f", DBID: 10116, TableRecords: map[int64]TableRecord{
				10118: {PartitionRecords: []PartitionRecord{{PartitionID: 10119, Range: "[types: [INT]; keys: [0]; ..types: [INT]; keys: [100]; )", Version: 8, SubTxnID: -1}},
					IndexIDs: []int64{10120, 10311}}}}),
		"upsert with sub-transactions": check(DecodeUpsert,
			`{"commitSeq":1,"tableRecords":{"10150":{"partitionRecords":[{"partitionId":10151,"range":"","version":3,"isTempPartition":true,"stid":821},{"partitionId":10151,"range":"","version":4,"stid":822}]}},"stids":[821,822]}`,
			Upsert{CommitSeq: 1, SubTxnIDs: []int64{821, 822}, TableRecords: map[int64]TableRecord{10150: {PartitionRecords: []PartitionRecord{
				{PartitionID: 10151, Version: 3, Temporary: true, SubTxnID: 821}, {PartitionID: 10151, Version: 4, SubTxnID: 822}}}}}),
		"ids beyond 2^53": check(DecodeUpsert,
			`{"commitSeq":9007199254740993,"txnId":9223372036854775807,"tableRecords":{"9007199254740995":{"partitionRecords":[]}}}`,
			Upsert{CommitSeq: 9007199254740993, TxnID: 9223372036854775807, TableRecords: map[int64]TableRecord{9007199254740995: {PartitionRecords: []PartitionRecord{}}}}),
		"create table": check(DecodeCreateTable,
			`{"commitSeq":20113,"dbId":10116,"dbName":"ccr","tableId":10231,"tableName":"t2","tableType":"OLAP","sql":"CREATE TABLE t2 ENGINE\u003dOLAP"}`,
			CreateTable{CommitSeq: 20113, DBID: 10116, DBName: "ccr", TableID: 10231, TableName: "t2", TableType: "OLAP", SQL: "CREATE TABLE t2 ENGINE=OLAP"}),
		"add partition, short names": check(DecodeAddPartition,
			`{"commitSeq":20140,"dbId":10116,"tableId":10118,"partition":{"id":10260,"nm":"p5","st":"NORMAL","vv":1,"nv":2,"di":{"clazz":"HashDistributionInfo","type":"HASH","bucketNum":1,"autoBucket":false,"distributionColumns":[{"name":"id"}]}},"dataProperty":{"storageMedium":"HDD","cooldownTimeMs":253402271999000,"storagePolicy":"","isMutable":true},"replicaAlloc":{"allocMap":{"{\"location\" : \"default\"}":1}},"isInMemory":false,"isTempPartition":false,"isMutable":true,"sql":"ADD PARTITION ..."}`,
			AddPartition{CommitSeq: 20140, DBID: 10116, TableID: 10118, SQL: "ADD PARTITION ...", Mutable: true,
				Partition:    Partition{ID: 10260, Name: "p5", Distribution: Distribution{Type: "HASH", BucketNum: 1, Columns: []Column{{Name: "id", Visible: true}}}},
				DataProperty: DataProperty{StorageMedium: "HDD", CooldownTimeMs: 253402271999000, Mutable: true}}),
		"add partition, long names": check(DecodeAddPartition,
			`{"tableId":10118,"partition":{"id":10260,"name":"p5","distributionInfo":{"clazz":"RandomDistributionInfo","bucketNum":4,"autoBucket":true}},"isTempPartition":true}`,
			AddPartition{TableID: 10118, Temporary: true, Partition: Partition{ID: 10260, Name: "p5", Distribution: Distribution{Type: "RANDOM", BucketNum: 4, AutoBucket: true}}}),
		"drop partition": check(DecodeDropPartition,
			`{"dbId":10116,"tableId":10118,"pid":10119,"partitionName":"p1","isTempPartition":false,"forceDrop":true,"recycleTime":0,"sql":"DROP PARTITION p1 FORCE","version":0,"versionTime":0}`,
			DropPartition{DBID: 10116, TableID: 10118, PartitionID: 10119, PartitionName: "p1", Force: true, SQL: "DROP PARTITION p1 FORCE"}),
		"drop partition, old": check(DecodeDropPartition, `{"tableId":10118,"pid":null,"partitionName":"p1"}`,
			DropPartition{TableID: 10118, PartitionName: "p1"}),
		"drop table": check(DecodeDropTable,
			`{"commitSeq":20300,"dbId":10116,"tableId":10231,"tableName":"t2","isView":true,"rawSql":"DROP VIEW IF EXISTS t2"}`,
			DropTable{CommitSeq: 20300, DBID: 10116, TableID: 10231, TableName: "t2", View: true, RawSQL: "DROP VIEW IF EXISTS t2"}),
		"schema change": check(DecodeAlterJob,
			`{"type":"SCHEMA_CHANGE","dbId":10116,"tableId":10118,"tableName":"t1","jobId":10300,"jobState":"FINISHED","rawSql":"ALTER ...","iim":{"10301":10120}}`,
			AlterJob{Type: "SCHEMA_CHANGE", DBID: 10116, TableID: 10118, TableName: "t1", JobID: 10300, State: "FINISHED", RawSQL: "ALTER ...", ShadowIndexes: map[int64]int64{10301: 10120}}),
		"rollup": check(DecodeAlterJob,
			`{"type":"ROLLUP","dbId":10116,"tableId":10118,"tableName":"t1","jobId":10310,"jobState":"PENDING","rawSql":"","rollupIndexId":10311,"rollUpIndexName":"r1","baseIndexid":10120,"baseIndexName":"t1"}`,
			AlterJob{Type: "ROLLUP", DBID: 10116, TableID: 10118, TableName: "t1", JobID: 10310, State: "PENDING", RollupIndexID: 10311, RollupIndexName: "r1", BaseIndexID: 10120, BaseIndexName: "t1"}),
		"columns": check(DecodeModifyColumns,
			`{"dbId":10116,"tableId":10118,"indexSchemaMap":{"10120":[{"name":"id","isKey":true,"isAllowNull":true,"visible":true,"uniqueId":0},{"name":"__DORIS_DELETE_SIGN__","visible":false,"defaultValue":"0","uniqueId":2}]},"indexes":[],"jobId":10320,"rawSql":"ALTER TABLE ..."}`,
			ModifyColumns{DBID: 10116, TableID: 10118, JobID: 10320, RawSQL: "ALTER TABLE ...", Indexes: []Index{}, IndexSchema: map[int64][]Column{10120: {
				{Name: "id", Key: true, AllowNull: true, Visible: true}, {Name: "__DORIS_DELETE_SIGN__", Default: str("0"), UniqueID: 2}}}}),
		"database property": check(DecodeDatabaseProperty, `{"dbId":10116,"dbName":"ccr","properties":{"binlog.enable":"true"}}`,
			DatabaseProperty{DBID: 10116, DBName: "ccr", Properties: map[string]string{"binlog.enable": "true"}}),
		"table property": check(DecodeTableProperty,
			`{"dbId":10116,"tableId":10118,"ctlName":"internal","dbName":"ccr","tableName":"t1","properties":{"dynamic_partition.start":"-3"},"sql":"SET (dynamic_partition.start\u003d-3)"}`,
			TableProperty{DBID: 10116, TableID: 10118, DBName: "ccr", TableName: "t1", Properties: map[string]string{"dynamic_partition.start": "-3"}, SQL: "SET (dynamic_partition.start=-3)"}),
		"bare barrier": check(DecodeBarrier, `{"dbId":10116,"dbName":"ccr","tableId":10118,"tableName":"t1","binlogType":0}`,
			Barrier{DBID: 10116, DBName: "ccr", TableID: 10118, TableName: "t1"}),
		"barrier without payload": check(DecodeBarrier, "", Barrier{}),
		"modify partitions": check(DecodeModifyPartitions,
			`{"infos":[{"dbId":10116,"tableId":10118,"partitionId":10119,"dataProperty":{"storageMedium":"SSD","cooldownTimeMs":1730000000000,"storagePolicy":"","isMutable":true,"storageMediumSpecified":false},"isInMemory":false,"replicaAlloc":{"allocMap":{}},"storagePolicy":"","tableProperties":{}}]}`,
			ModifyPartitions{Infos: []PartitionInfo{{DBID: 10116, TableID: 10118, PartitionID: 10119, DataProperty: DataProperty{StorageMedium: "SSD", CooldownTimeMs: 1730000000000, Mutable: true}}}}),
		"replace partitions": check(DecodeReplacePartitions,
			`{"dbId":10116,"dbName":"ccr","tblId":10118,"tblName":"t1","partitions":["p2"],"tempPartitions":["tp2"],"strictRange":true,"useTempPartitionName":false,"version":0,"versionTime":0,"force":false}`,
			ReplacePartitions{DBID: 10116, DBName: "ccr", TableID: 10118, TableName: "t1", Partitions: []string{"p2"}, TempPartitions: []string{"tp2"}, StrictRange: true}),
		"truncate": check(DecodeTruncate,
			`{"dbId":10116,"db":"ccr","tblId":10118,"table":"t1","isEntireTable":false,"rawSql":"PARTITIONS (p5)","op":{"10123":"p5"}}`,
			Truncate{DBID: 10116, DBName: "ccr", TableID: 10118, TableName: "t1", RawSQL: "PARTITIONS (p5)", OldPartitions: map[int64]string{10123: "p5"}}),
		"rename table": check(DecodeTableInfo, `{"db":10116,"tb":10118,"ind":-1,"p":-1,"nT":"t1_new","oT":"t1","nR":"","oR":"","nP":"","oP":""}`,
			TableInfo{DBID: 10116, TableID: 10118, IndexID: -1, PartitionID: -1, NewTable: "t1_new", OldTable: "t1"}),
		"rename column": check(DecodeRenameColumn, `{"dbId":10116,"tableId":10118,"colName":"a","newColName":"b","indexIdToSchemaVersion":{"10120":2}}`,
			RenameColumn{DBID: 10116, TableID: 10118, OldName: "a", NewName: "b"}),
		"column comment": check(DecodeComment, `{"type":"COLUMN","dbId":10116,"tblId":10118,"colToComment":{"id":"user id"}}`,
			Comment{Type: "COLUMN", DBID: 10116, TableID: 10118, ColumnComments: map[string]string{"id": "user id"}}),
		"table comment": check(DecodeComment, `{"type":"TABLE","dbId":10116,"tblId":10118,"tblComment":"orders"}`,
			Comment{Type: "TABLE", DBID: 10116, TableID: 10118, TableComment: "orders"}),
		"view": check(DecodeViewDef, `{"dbId":10116,"tableId":10400,"inlineViewDef":"SELECT 1","sqlMode":32,"newFullSchema":[{"name":"k"}]}`,
			ViewDef{DBID: 10116, TableID: 10400, InlineViewDef: "SELECT 1", SQLMode: 32, FullSchema: []Column{{Name: "k", Visible: true}}}),
		"replace table": check(DecodeReplaceTable,
			`{"dbId":10116,"origTblId":10118,"newTblName":10500,"swapTable":false,"isForce":false,"origTblName":"a","actualNewTblName":"b"}`,
			ReplaceTable{DBID: 10116, OriginTableID: 10118, OriginTableName: "a", NewTableID: 10500, NewTableName: "b"}),
		"replace table, old": check(DecodeReplaceTable, `{"origTblId":10118,"newTblName":10500,"swapTable":true,"origTblName":"a","actualNewTblName":"b"}`,
			ReplaceTable{OriginTableID: 10118, OriginTableName: "a", NewTableID: 10500, NewTableName: "b", Swap: true, Force: true}),
		"inverted index, short names": check(DecodeInvertedIndices,
			`{"dbId":10116,"tableId":10118,"indexSchemaMap":{"10120":[]},"indexes":[],"alterInvertedIndexes":[{"i":10600,"in":"idx_v","c":["v"],"it":"INVERTED","pt":{"parser":"english"},"ct":"x","cui":[2]}],"isDropInvertedIndex":false,"jobId":10601,"rawSql":"ALTER ..."}`,
			InvertedIndices{DBID: 10116, TableID: 10118, JobID: 10601, IndexSchema: map[int64][]Column{10120: {}}, Indexes: []Index{}, RawSQL: "ALTER ...",
				Changed: []Index{{ID: 10600, Name: "idx_v", Columns: []string{"v"}, Type: "INVERTED", Properties: map[string]string{"parser": "english"}, Comment: "x"}}}),
		"inverted index, long names": check(DecodeInvertedIndices,
			`{"tableId":10118,"alterInvertedIndexes":[{"indexId":10600,"indexName":"idx_v","columns":["v"],"indexType":"INVERTED","properties":{},"comment":"x","columnUniqueIds":[2]}],"isDropInvertedIndex":true}`,
			InvertedIndices{TableID: 10118, Drop: true, Changed: []Index{{ID: 10600, Name: "idx_v", Columns: []string{"v"}, Type: "INVERTED", Properties: map[string]string{}, Comment: "x"}}}),
		"index job": check(DecodeIndexChangeJob,
			`{"jobId":10610,"jobState":"FINISHED","dbId":10116,"tableId":10118,"tableName":"t1","partitionId":10119,"partitionName":"p1","errMsg":"","createTimeMs":1730000000000,"finishedTimeMs":1730000003000,"watershedTxnId":900,"isDropOp":false,"alterInvertedIndexes":[{"i":10600,"in":"idx_v","c":["v"],"it":"INVERTED"}],"originIndexId":10120,"timeoutMs":2592000000}`,
			IndexChangeJob{JobID: 10610, State: "FINISHED", DBID: 10116, TableID: 10118, TableName: "t1", PartitionID: 10119, PartitionName: "p1", OriginIndexID: 10120,
				Changed: []Index{{ID: 10600, Name: "idx_v", Columns: []string{"v"}, Type: "INVERTED"}}}),
		"drop rollup": check(DecodeDropRollup,
			`{"dbId":10236,"tableId":10239,"tableName":"t","indexId":10264,"indexName":"r","isView":false,"forceDrop":false,"recycleTime":0}`,
			DropRollup{DBID: 10236, TableID: 10239, TableName: "t", IndexID: 10264, IndexName: "r"}),
		"recover": check(DecodeRecover,
			`{"dbId":10116,"newDbName":"","tableId":10118,"tableName":"t1","newTableName":"t9","partitionId":-1,"partitionName":"","newPartitionName":""}`,
			Recover{DBID: 10116, TableID: 10118, TableName: "t1", NewTableName: "t9", PartitionID: -1}),
		"buckets": check(DecodeDistributionBuckets, `{"dbId":10116,"tableId":10118,"type":"HASH","autoBucket":false,"bucketNum":20,"columnsName":"id"}`,
			DistributionBuckets{DBID: 10116, TableID: 10118, Type: "HASH", BucketNum: 20, Columns: "id"}),
	}
	for name, test := range tests {
		t.Run(name, test)
	}
}

func TestDecodeFailures(t *testing.T) {
	_, err := DecodeUpsert("")
	require.EqualError(t, err, "UPSERT binlog has no payload")
	_, err = DecodeDropTable("{")
	require.ErrorContains(t, err, "decode DROP_TABLE binlog")
	_, err = DecodeDropTable(`{"tableId":"x"}`)
	require.Error(t, err)
}

func TestAlterJobOrigins(t *testing.T) {
	require.Equal(t, map[int64]int64{10301: 10120, 10302: 10121}, AlterJob{ShadowIndexes: map[int64]int64{10301: 10120, 10302: 10121}}.Origins())
	require.Equal(t, map[int64]int64{10311: 10120}, AlterJob{RollupIndexID: 10311, BaseIndexID: 10120}.Origins())
	require.Empty(t, AlterJob{}.Origins())
}

func TestUnwrap(t *testing.T) {
	rename := Record{CommitSeq: 7, Timestamp: 3, Type: TypeBarrier, DBID: 10116,
		Data: `{"dbId":10116,"dbName":"ccr","tableId":10118,"tableName":"t1","binlogType":14,"binlog":"{\"db\":10116,\"tb\":10118,\"nT\":\"t1_new\",\"oT\":\"t1\"}"}`}
	got, err := rename.Unwrap()
	require.NoError(t, err)
	require.Equal(t, Record{CommitSeq: 7, Timestamp: 3, Type: TypeRenameTable, DBID: 10116, TableIDs: []int64{10118},
		Data: `{"db":10116,"tb":10118,"nT":"t1_new","oT":"t1"}`}, got)

	for name, r := range map[string]Record{
		"bare":         {Type: TypeBarrier, Data: `{"tableId":10118,"binlogType":0}`},
		"no payload":   {Type: TypeBarrier},
		"other type":   {Type: TypeDropTable, Data: "{}"},
		"broken other": {Type: TypeDropTable, Data: "{"},
	} {
		got, err := r.Unwrap()
		require.NoError(t, err, name)
		require.Equal(t, r, got, name)
	}

	_, err = Record{Type: TypeBarrier, Data: "{"}.Unwrap()
	require.Error(t, err)
	_, err = Record{Type: TypeBarrier, Data: `{"binlogType":10,"binlog":"{}"}`}.Unwrap()
	require.Error(t, err, "a barrier inside a barrier")
}

func TestTables(t *testing.T) {
	require.Equal(t, []int64{5, 10118}, Record{Type: TypeUpsert, TableIDs: []int64{10118}, Data: `{"tableRecords":{"5":{},"10118":{}}}`}.Tables())
	require.Equal(t, []int64{10118, 10500}, Record{Type: TypeReplaceTable, TableIDs: []int64{10118}, Data: `{"origTblId":10118,"newTblName":10500}`}.Tables())
	require.Equal(t, []int64{4}, Record{Type: TypeModifyPartitions, Data: `{"infos":[{"tableId":4},{"tableId":4}]}`}.Tables())
	require.Equal(t, []int64{9}, Record{Type: TypeUpsert, TableIDs: []int64{9}, Data: "{"}.Tables())
	require.Empty(t, Record{Type: TypeDummy}.Tables())
}
