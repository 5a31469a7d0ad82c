package pair_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

func TestJudge(t *testing.T) {
	progress := &job.Progress{
		Tables: map[int64]job.Table{
			10: {Name: "t", DestID: 20, CommitSeq: 100},
			11: {Name: "gone", DestID: 21, Gone: true},
		},
		Skip: &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 777},
	}
	rec := func(seq int64, typ binlog.Type, data string, tables ...int64) binlog.Record {
		return binlog.Record{CommitSeq: seq, Type: typ, TableIDs: tables, Data: data}
	}
	for name, c := range map[string]struct {
		rec  binlog.Record
		spec *job.Spec
		want pair.Action
	}{
		"upsert":                       {rec(50, binlog.TypeUpsert, "{}", 10), nil, pair.ActionApply},
		"dummy":                        {rec(50, binlog.TypeDummy, ""), nil, pair.ActionLost},
		"bare barrier":                 {rec(50, binlog.TypeBarrier, "{}", 10), nil, pair.ActionPass},
		"database property":            {rec(50, binlog.TypeAlterDatabaseProperty, "{}"), nil, pair.ActionPass},
		"modify partitions":            {rec(50, binlog.TypeModifyPartitions, "{}", 10), nil, pair.ActionPass},
		"temporary partition":          {rec(150, binlog.TypeAddPartition, `{"isTempPartition":true}`, 10), nil, pair.ActionPass},
		"drop of temporary partition":  {rec(150, binlog.TypeDropPartition, `{"isTempPartition":true}`, 10), nil, pair.ActionPass},
		"partition":                    {rec(150, binlog.TypeAddPartition, `{"isTempPartition":false}`, 10), nil, pair.ActionHandOver},
		"partition in the snapshot":    {rec(100, binlog.TypeAddPartition, `{}`, 10), nil, pair.ActionPass},
		"partition after the snapshot": {rec(101, binlog.TypeAddPartition, `{}`, 10), nil, pair.ActionHandOver},
		"partition, table job":         {rec(100, binlog.TypeAddPartition, `{}`, 10), pairtest.TableSpec(), pair.ActionHandOver},
		"table not in the snapshot":    {rec(50, binlog.TypeTruncateTable, `{}`, 12), nil, pair.ActionHandOver},
		"alter job keeps books":        {rec(50, binlog.TypeAlterJob, `{}`, 10), nil, pair.ActionHandOver},
		"replace has rules of its own": {rec(50, binlog.TypeReplaceTable, `{}`, 10), nil, pair.ActionHandOver},
		"drop in the snapshot":         {rec(50, binlog.TypeDropTable, `{}`, 10), nil, pair.ActionPass},
		"drop of a table found gone":   {rec(500, binlog.TypeDropTable, `{}`, 11), nil, pair.ActionHandOver},
		"recovery of one found gone":   {rec(500, binlog.TypeRecoverInfo, `{}`, 11), nil, pair.ActionHandOver},
		"other of a table found gone":  {rec(500, binlog.TypeTruncateTable, `{}`, 11), nil, pair.ActionPass},
		"not handled yet":              {rec(500, binlog.TypeRenameColumn, `{}`, 10), nil, pair.ActionHandOver},
		"unknown type":                 {rec(500, 99, `{}`, 10), nil, pair.ActionHandOver},
		"ordered to skip":              {rec(777, binlog.TypeRenameColumn, `{}`, 10), nil, pair.ActionSkip},
		"ordered to skip an upsert":    {rec(777, binlog.TypeUpsert, `{}`, 10), nil, pair.ActionSkip},
	} {
		spec := c.spec
		if spec == nil {
			spec = pairtest.DatabaseSpec()
		}
		got, err := pair.ClassifyBinlog(c.rec, spec, progress)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
}

func TestCarriedLeavesOutLargeData(t *testing.T) {
	small := pair.Carried(binlog.Record{CommitSeq: 1, Type: binlog.TypeDropTable, Data: `{"tableName":"t"}`}, &job.Progress{})
	require.Equal(t, `{"tableName":"t"}`, small.Data)
	require.NotEmpty(t, small.Summary)
	large := pair.Carried(binlog.Record{CommitSeq: 1, Type: binlog.TypeCreateTable, Data: string(make([]byte, job.MaxCarriedData+1))}, &job.Progress{})
	require.True(t, large.Truncated)
	require.Empty(t, large.Data)
}

func TestRecordsOf(t *testing.T) {
	upsert := &binlog.Upsert{TableRecords: map[int64]binlog.TableRecord{
		10: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: 2}, {PartitionID: 101, Version: 5}}},
		11: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 110, Version: 3}, {PartitionID: 111, Temporary: true}}},
	}}
	progress := &job.Progress{
		Tables:     map[int64]job.Table{10: {CommitSeq: 50}, 11: {CommitSeq: 40}},
		Partitions: map[int64]int64{110: 60},
	}
	tables := func(m map[int64]binlog.TableRecord) (ids []int64) {
		for _, id := range []int64{10, 11} {
			if _, ok := m[id]; ok {
				ids = append(ids, id)
			}
		}
		return ids
	}
	for seq, want := range map[int64][]int64{
		40: nil,      // both in their snapshots
		45: nil,      // 11 is not, but its partition is in a later one
		50: nil,      // the barrier itself
		51: {10},     // as above, 10 is free
		60: {10},     // still in the partition's
		61: {10, 11}, // both
	} {
		got, err := pair.RecordsOf(upsert, seq, pairtest.DatabaseSpec(), progress)
		require.NoError(t, err)
		require.Equal(t, want, tables(got), "commit seq %d", seq)
	}
	got, err := pair.RecordsOf(upsert, 61, pairtest.DatabaseSpec(), progress)
	require.NoError(t, err)
	require.Len(t, got[11].PartitionRecords, 1, "the temporary partition is left out")
	require.Len(t, upsert.TableRecords[11].PartitionRecords, 2, "the record itself is not changed")
}

// After all tables have been compared, older binlogs about tables that the job does
// not have mean nothing: the source has dropped them while it did not record.
func TestBinlogsOfTablesThatVanishedInAGap(t *testing.T) {
	p := &job.Progress{GapTo: 50, Tables: map[int64]job.Table{10: {Name: "t"}}}
	upsert := &binlog.Upsert{TableRecords: map[int64]binlog.TableRecord{
		10: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100}}},
		11: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 110}}},
	}}
	for seq, want := range map[int64]int{50: 1, 51: 2} {
		got, err := pair.RecordsOf(upsert, seq, pairtest.DatabaseSpec(), p)
		require.NoError(t, err)
		require.Len(t, got, want, "commit seq %d", seq)
		require.Contains(t, got, int64(10))

		action, err := pair.ClassifyBinlog(binlog.Record{CommitSeq: seq, Type: binlog.TypeCreateTable, TableIDs: []int64{11}, Data: `{"tableId":11,"tableName":"u"}`}, pairtest.DatabaseSpec(), p)
		require.NoError(t, err)
		require.Equal(t, seq > 50, action == pair.ActionHandOver, "commit seq %d", seq)

		action, err = pair.ClassifyBinlog(binlog.Record{CommitSeq: seq, Type: binlog.TypeDropTable, TableIDs: []int64{11}, Data: `{"tableId":11,"tableName":"u","isView":true}`}, pairtest.DatabaseSpec(), p)
		require.NoError(t, err)
		require.Equal(t, pair.ActionHandOver, action, "the view was left on the destination")

		action, err = pair.ClassifyBinlog(binlog.Record{CommitSeq: seq, Type: binlog.TypeRecoverInfo, TableIDs: []int64{11}, Data: `{"tableId":11,"tableName":"u","partitionId":-1}`}, pairtest.DatabaseSpec(), p)
		require.NoError(t, err)
		require.Equal(t, pair.ActionHandOver, action, "its drop, replayed before, has ended a table that the comparison had found")
	}
}

func TestRecordsOfTableJob(t *testing.T) {
	upsert := &binlog.Upsert{TableRecords: map[int64]binlog.TableRecord{
		10: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100}}},
		11: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 110}}},
	}}
	got, err := pair.RecordsOf(upsert, 5, pairtest.TableSpec(), &job.Progress{})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Contains(t, got, int64(10))

	delete(upsert.TableRecords, 10)
	_, err = pair.RecordsOf(upsert, 5, pairtest.TableSpec(), &job.Progress{})
	require.ErrorContains(t, err, "table record not found, table: t")

	upsert.TableRecords[10] = binlog.TableRecord{}
	got, err = pair.RecordsOf(upsert, 5, pairtest.TableSpec(), &job.Progress{})
	require.NoError(t, err)
	require.Empty(t, got, "what was loaded has vanished")
}
