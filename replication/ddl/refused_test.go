package ddl

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// TestRefusalBecomesASnapshot: whatever the destination's parser does not take
// comes by a snapshot, told with the statement and the answer.
func TestRefusalBecomesASnapshot(t *testing.T) {
	answer := &sqlclient.Error{Code: 1105, Message: "errCode = 2, detailMessage = mismatched input 'x' expecting {<EOF>, ';'}(line 1, pos 5)", Statement: "the statement"}
	table := func() *job.PartialSync { return &job.PartialSync{TableID: 11, Table: "n"} }
	for name, c := range map[string]struct {
		typ     binlog.Type
		payload any
		want    *job.PartialSync
	}{
		"table":     {binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: plainCreate}, table()},
		"view":      {binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: "CREATE VIEW `n` AS SELECT 1"}, &job.PartialSync{TableID: 11, Table: "n", View: true}},
		"partition": {binlog.TypeAddPartition, `{"tableId":10,"partition":{"nm":"p5","di":{"type":"RANDOM","bucketNum":7}},"sql":"ADD PARTITION p5 VALUES [(\"1\"), (\"2\"))"}`, whole},
		"drop":      {binlog.TypeDropPartition, `{"tableId":10,"partitionName":"p"}`, whole},
		"truncate":  {binlog.TypeTruncateTable, `{"tblId":10,"table":"t","isEntireTable":true}`, whole},
		"comment":   {binlog.TypeModifyComment, `{"type":"TABLE","tblId":10,"tblComment":"c"}`, whole},
		"property":  {binlog.TypeModifyTableProperty, `{"tableId":10,"properties":{"compaction_policy":"size_based"}}`, whole},
		"column":    {binlog.TypeRenameColumn, `{"tableId":10,"colName":"a","newColName":"b"}`, whole},
		"no text":   {binlog.TypeModifyTableAddOrDropColumns, `{"tableId":10,"rawSql":"ADD COLUMN"}`, whole},
		"no bucket": {binlog.TypeAddPartition, `{"tableId":10,"partition":{"nm":"p5"},"sql":"ADD PARTITION p5 VALUES [(\"1\"), (\"2\"))"}`, whole},
	} {
		t.Run(name, func(t *testing.T) {
			a := applying(c.typ, c.payload, c.want.TableID)
			a.src.TableMeta[11] = &meta.Table{ID: 11, Name: "n"}
			a.dst.refuse = map[string]error{"": answer}
			got := a.run(t)
			require.NotNil(t, got.Wanted, "%+v", got)
			require.Equal(t, c.want, got.Wanted.Partial)
			if name == "no text" || name == "no bucket" {
				require.NotEmpty(t, got.Conflict)
				return
			}
			require.Contains(t, got.Refused, "mismatched input")
			require.Contains(t, got.Refused, "the statement")
		})
	}

	// What the destination cannot do at all is no matter of waiting.
	a := applying(binlog.TypeModifyDistributionBucketNum, `{"tableId":10,"type":"RANDOM","bucketNum":20}`, 10)
	a.dst.refuse = map[string]error{"": pairtest.SQLRefusal("Unexpected exception: not implemented")}
	require.Equal(t, whole, a.run(t).Wanted.Partial)

	// No snapshot of one object stands for these.
	a = applying(binlog.TypeDropTable, `{"tableId":10,"tableName":"t"}`, 10)
	a.dst.onDrop = func(string) error { return answer }
	require.NotNil(t, a.run(t).Problem)
	// A table job's table, under its name on the destination.
	a = applying(binlog.TypeRenameColumn, `{"tableId":10,"colName":"a","newColName":"b"}`, 10)
	a.in.Spec.Source.Table, a.in.Spec.Source.TableID = "t", 10
	a.in.Spec.Destination.Table, a.in.Spec.Destination.TableID = "alias", 20
	a.dst.refuse = map[string]error{"": answer}
	require.Equal(t, whole, a.run(t).Wanted.Partial)
}
