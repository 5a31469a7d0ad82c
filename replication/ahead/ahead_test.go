package ahead

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// A look reads on where a server gives fewer binlogs than wanted, tells what each would do,
// and asks nothing of the destination.
func TestDescribeBinlogs(t *testing.T) {
	source := &pairtest.Script{TableMeta: map[int64]*meta.Table{10: {ID: 10, Name: "t"}}, Log: map[int64][]binlog.Record{0: {
		{CommitSeq: 101, Type: binlog.TypeUpsert, Timestamp: 1_700_000_000_000, TableIDs: []int64{10},
			Data: `{"tableRecords":{"10":{"partitionRecords":[{"partitionId":7,"version":3,"stid":1}]}},"stids":[1,2]}`},
		{CommitSeq: 102, Type: binlog.TypeTruncateTable, TableIDs: []int64{10}, Data: `{"tblId":10,"table":"t","isEntireTable":true}`},
		{CommitSeq: 103, Type: binlog.TypeCreateTable, TableIDs: []int64{11}, Data: `{"tableId":11,"tableName":"o","sql":"CREATE EXTERNAL TABLE ` + "`o`" + ` (\n  ` + "`id`" + ` int NULL\n) ENGINE=MYSQL\nPROPERTIES (\n\"user\" \u003d \"u\",\n\"password\" \u003d \"hunter2\"\n)"}`},
		{CommitSeq: 104, Type: binlog.TypeAlterJob, TableIDs: []int64{10}, Data: `{"type":"SCHEMA_CHANGE","tableId":10,"tableName":"t","jobState":"FINISHED"}`},
		{CommitSeq: 105, Type: binlog.TypeTruncateTable, TableIDs: []int64{10}, Data: `{"tblId":10,"table":"t","isEntireTable":true}`},
		{CommitSeq: 106, Type: 200, Data: `{"x":1}`},
	}}}
	spec := pairtest.DatabaseSpec()
	j := New(pairtest.Scripted(spec, source, &pairtest.Script{}))
	j.Destination.FE, j.Destination.SQL = nil, nil
	in := job.StepInput{Spec: *spec, Progress: job.Progress{Tables: map[int64]job.Table{10: {Name: "t", DestID: 20}}}}
	ask := func(after int64, limit int) job.BinlogsAhead {
		return j.DescribeBinlogs(context.Background(), in, job.BinlogsWanted{After: after, Limit: limit})
	}
	got := ask(100, 20)
	require.Empty(t, got.Error)
	require.Len(t, got.Binlogs, 6)
	load := got.Binlogs[0]
	require.Equal(t, "UPSERT", load.Type)
	require.EqualValues(t, 1_700_000_000, load.CommittedAt.Unix())
	require.Equal(t, []job.BinlogTable{{ID: 10, Name: "t"}}, load.Tables)
	require.Equal(t, 2, load.SubTransactions)
	require.Contains(t, load.Effect, "table t (partition id 7 version 3)")
	require.Equal(t, []string{"TRUNCATE TABLE `dst`.`t`"}, got.Binlogs[1].Statements)
	require.Contains(t, got.Binlogs[3].Effect, "copies table t again")
	require.True(t, got.Binlogs[4].PassedOver, "the snapshot contains it")
	require.Contains(t, got.Binlogs[5].Effect, "unknown binlog type: 200")

	created := got.Binlogs[2]
	require.Contains(t, created.Record, `\"user\" = \"u\"`)
	require.Len(t, created.Statements, 1)
	for _, text := range []string{created.Record, created.Statements[0], created.Effect, created.Summary} {
		require.NotContains(t, text, "hunter2")
	}
	require.Contains(t, created.Record, job.Mask)
	require.Equal(t, job.Table{Name: "t", DestID: 20}, in.Progress.Tables[10], "what the job knows is not changed")

	require.Len(t, ask(103, 1).Binlogs, 1)
	require.Empty(t, ask(106, 1).Binlogs)
	source.LogErr = errors.New("no route to host")
	got = ask(100, 1)
	require.Contains(t, got.Error, "no route to host")
	require.NotNil(t, got.Binlogs)
}

// What has been dropped by the source is told, and everything after it comes anew.
func TestDescribeLostBinlogs(t *testing.T) {
	source := &pairtest.Script{Log: map[int64][]binlog.Record{0: {
		{CommitSeq: 150, Type: binlog.TypeDummy}, {CommitSeq: 160, Type: binlog.TypeTruncateTable, TableIDs: []int64{10}, Data: `{"tblId":10}`},
	}}}
	spec := pairtest.DatabaseSpec()
	j := New(pairtest.Scripted(spec, source, &pairtest.Script{}))
	got := j.DescribeBinlogs(context.Background(), job.StepInput{Spec: *spec}, job.BinlogsWanted{After: 100, Limit: 5})
	require.EqualValues(t, 150, got.LostTo)
	require.Len(t, got.Binlogs, 1)
	require.True(t, got.Binlogs[0].PassedOver)
}

// Secrets are masked wherever a record has them, and a long one is cut.
func TestRecordIsShown(t *testing.T) {
	for _, data := range []string{
		`{"properties":{"s3.secret_key":"hunter2","b":"c"}}`, `{"sql":"x 'password' = 'hunter2'"}`,
		`{"sql":"CREATE USER u IDENTIFIED BY 'hunter2'"}`, `not JSON "secret"="hunter2"`,
	} {
		text, isCut := shown(data)
		require.NotContains(t, text, "hunter2")
		require.False(t, isCut)
		require.Contains(t, text, job.Mask)
	}
	text, isCut := shown(`{"a":"` + strings.Repeat("é", job.MaxRecordShown) + `"}`)
	require.True(t, isCut)
	require.LessOrEqual(t, len(text), job.MaxRecordShown)
}
