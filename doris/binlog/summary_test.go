package binlog

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestSummary(t *testing.T) {
	name := func(id int64) string { return map[int64]string{10118: "orders", 10119: "lines"}[id] }
	tests := []struct {
		t    Type
		data string
		want string
	}{
		{TypeUpsert, `{"tableRecords":{"10119":{},"10118":{},"4":{},"5":{}}}`, "UPSERT into table 4, table 5, orders and 1 more"},
		{TypeAddPartition, `{"tableId":10118,"partition":{"nm":"p5"}}`, "ADD_PARTITION p5 of orders"},
		{TypeAddPartition, `{"tableId":10118,"partition":{"nm":"p5"},"isTempPartition":true}`, "ADD_PARTITION temporary p5 of orders"},
		{TypeCreateTable, `{"tableId":10118,"tableName":"orders_then","tableType":"OLAP"}`, "CREATE_TABLE orders_then"},
		{TypeCreateTable, `{"tableId":10118,"tableName":"v","tableType":"VIEW"}`, "CREATE_TABLE view v"},
		{TypeDropPartition, `{"tableId":10118,"partitionName":"p1"}`, "DROP_PARTITION p1 of orders"},
		{TypeDropTable, `{"tableId":9,"isView":true}`, "DROP_TABLE view table 9"},
		{TypeAlterJob, `{"type":"SCHEMA_CHANGE","jobState":"FINISHED","tableId":10118,"tableName":"orders","rawSql":"ALTER TABLE ` + "`d`.`orders`" + ` MODIFY COLUMN c INT"}`,
			"ALTER_JOB SCHEMA_CHANGE FINISHED of orders: MODIFY COLUMN c INT"},
		{TypeModifyTableAddOrDropColumns, `{"tableId":10118,"rawSql":"ALTER TABLE ` + "`d`.`t`" + ` ADD COLUMN c INT,\nDROP COLUMN e"}`,
			"MODIFY_TABLE_ADD_OR_DROP_COLUMNS of orders: ADD COLUMN c INT, DROP COLUMN e"},
		{TypeDummy, "", "DUMMY"},
		{TypeAlterDatabaseProperty, `{"dbName":"d","properties":{"b":"2","a":"1"}}`, "ALTER_DATABASE_PROPERTY a=1, b=2 of database d"},
		{TypeModifyTableProperty, `{"tableId":10118,"properties":{"a":"1"}}`, "MODIFY_TABLE_PROPERTY a=1 of orders"},
		{TypeBarrier, `{"tableId":10118,"tableName":"orders"}`, "BARRIER of orders"},
		{TypeBarrier, `{"tableId":10118,"binlogType":23,"binlog":"{\"tableId\":10118,\"indexName\":\"r\"}"}`, "DROP_ROLLUP r of orders"},
		{TypeModifyPartitions, `{"infos":[{"tableId":10118},{"tableId":10118}]}`, "MODIFY_PARTITIONS 2 of orders"},
		{TypeReplacePartitions, `{"tblId":10118,"partitions":["p1","p2"]}`, "REPLACE_PARTITIONS p1, p2 of orders"},
		{TypeTruncateTable, `{"tblId":10118,"rawSql":"PARTITIONS (p5)"}`, "TRUNCATE_TABLE orders PARTITIONS (p5)"},
		{TypeRenameTable, `{"tb":10118,"nT":"b","oT":"a"}`, "RENAME_TABLE a to b"},
		{TypeRenameTable, `{"tb":10118,"nP":"b","oP":"a"}`, "RENAME_TABLE a to b of orders"},
		{TypeRenameRollup, `{"tb":10118,"nR":"b","oR":"a"}`, "RENAME_ROLLUP a to b of orders"},
		{TypeRenameColumn, `{"tableId":10118,"colName":"a","newColName":"b"}`, "RENAME_COLUMN a to b of orders"},
		{TypeModifyComment, `{"tblId":10118,"colToComment":{"c":"x"}}`, "MODIFY_COMMENT c of orders"},
		{TypeModifyViewDef, `{"tableId":10118,"inlineViewDef":"SELECT 1"}`, "MODIFY_VIEW_DEF of orders: SELECT 1"},
		{TypeReplaceTable, `{"origTblId":10118,"origTblName":"a","actualNewTblName":"b","swapTable":true}`, "REPLACE_TABLE a swapped with b"},
		{TypeModifyInvertedIndices, `{"tableId":10118,"alterInvertedIndexes":[{"in":"i"}],"isDropInvertedIndex":true}`, "MODIFY_TABLE_ADD_OR_DROP_INVERTED_INDICES drop i of orders"},
		{TypeIndexChangeJob, `{"jobState":"FINISHED","tableId":10118,"partitionName":"p1","alterInvertedIndexes":[{"in":"i"}]}`, "INDEX_CHANGE_JOB FINISHED i in p1 of orders"},
		{TypeRecoverInfo, `{"tableId":10118,"partitionId":7,"partitionName":"p1"}`, "RECOVER_INFO p1 of orders"},
		{TypeModifyDistributionBucketNum, `{"tableId":10118,"bucketNum":20}`, "MODIFY_DISTRIBUTION_BUCKET_NUM 20 of orders"},
		{TypeModifyDistributionType, `{"tb":10118}`, "MODIFY_DISTRIBUTION_TYPE of orders"},
		{200, `{"x":1}`, "UNKNOWN(200)"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, Record{Type: tt.t, Data: tt.data}.SummaryWith(name))
	}
	require.Equal(t, "DROP_TABLE of table 7", Record{Type: TypeDropTable, TableIDs: []int64{7}, Data: "{"}.Summary(), "a broken payload")
	require.Equal(t, "ADD_PARTITION p5 of table 10118", Record{Type: TypeAddPartition, Data: `{"tableId":10118,"partition":{"nm":"p5"}}`}.Summary())
}

func TestEveryKnownTypeHasASummary(t *testing.T) {
	for n := Type(0); n.Known(); n++ {
		if n != TypeDummy {
			require.Contains(t, describers, n)
		}
	}
}

func TestSummaryIsOneShortLine(t *testing.T) {
	long, err := json.Marshal(map[string]any{"tableId": 1, "rawSql": strings.Repeat("ä\n", 1000)})
	require.NoError(t, err)
	s := Record{Type: TypeModifyTableAddOrDropColumns, Data: string(long)}.Summary()
	require.Equal(t, maxSummary, utf8.RuneCountInString(s))
	require.NotContains(t, s, "\n")
}

// No payload, however odd, may end the process or make a summary of many lines.
func FuzzRecord(f *testing.F) {
	f.Add(int32(0), `{"tableRecords":{"1":{"partitionRecords":[{}]}}}`)
	f.Add(int32(1), `{"partition":{"nm":"p","di":null},"range":[{}]}`)
	f.Add(int32(10), `{"binlogType":14,"binlog":"{\"tb\":1}"}`)
	f.Add(int32(19), `{"alterInvertedIndexes":[null,{"i":1}]}`)
	f.Add(int32(18), `null`)
	f.Fuzz(func(t *testing.T, n int32, data string) {
		r := Record{Type: Type(n), Data: data, TableIDs: []int64{1}}
		s := r.Summary()
		require.NotEmpty(t, s)
		require.NotContains(t, s, "\n")
		require.LessOrEqual(t, utf8.RuneCountInString(s), maxSummary)
		_ = r.Tables()
		if inner, err := r.Unwrap(); err == nil {
			require.Equal(t, r.CommitSeq, inner.CommitSeq)
		}
	})
}
