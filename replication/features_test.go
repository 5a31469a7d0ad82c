package replication

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// without is the default switches but for some.
func without(change func(*job.Features)) *job.Features {
	f := job.DefaultFeatures()
	change(&f)
	return &f
}

// switched is apply with other switches.
func (a *applied) switched(t *testing.T, change func(*job.Features)) job.ApplyResult {
	t.Helper()
	j := scripted(&a.in.Spec, &script{}, &script{})
	j.source.fe, j.source.sql, j.destination.fe, j.destination.sql = a.src, a.src, a.dst, a.dst
	j.opts.Features = without(change)
	got, err := j.Apply(context.Background(), a.in)
	require.NoError(t, err)
	return got
}

func TestFeaturesOfStatements(t *testing.T) {
	const medium = "CREATE TABLE `n` (\n  `id` int NULL\n) ENGINE=OLAP\nDISTRIBUTED BY HASH(`id`) BUCKETS 1\nPROPERTIES (\n\"storage_medium\" = \"ssd\"\n)"
	a := applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: medium}, 11)
	a.switched(t, func(f *job.Features) { f.FilterStorageMedium = false })
	require.Contains(t, a.dst.executed[0], `"storage_medium" = "ssd"`)

	a = applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: "CREATE VIEW `n` AS SELECT 1"}, 11)
	a.switched(t, func(f *job.Features) { f.CreateViewDropExists = false })
	require.Equal(t, []string{"CREATE VIEW `dst`.`n` AS SELECT 1"}, a.dst.executed)

	a = applying(binlog.TypeAlterJob, `{"type":"SCHEMA_CHANGE","tableId":10,"tableName":"t","jobState":"FINISHED"}`, 10)
	got := a.switched(t, func(f *job.Features) { f.SchemaChangePartialSync = false })
	require.NotNil(t, got.Wanted)
	require.Nil(t, got.Wanted.Partial)
}

// A rollup that is left out takes no part in loads, until a snapshot of its
// table has brought it all the same.
func TestFeatureSkipRollupBinlogs(t *testing.T) {
	a := applying(binlog.TypeAlterJob, `{"type":"ROLLUP","tableId":10,"tableName":"t","jobState":"FINISHED","rollupIndexId":1001,"baseIndexid":1000}`, 10)
	got := a.switched(t, func(f *job.Features) { f.SkipRollupBinlogs = true })
	require.True(t, got.Done)
	require.Equal(t, map[int64]int64{1001: leftOutRollup}, got.ShadowIndexes)

	source := table(10, "t", partition(100, "t", "", index(1000, "t", 1), index(1001, "r", 2)))
	record := binlog.TableRecord{IndexIDs: []int64{1000, 1001}, PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: 3}}}
	pieces, err := mapRecord(record, source, table(20, "t", partition(200, "t", "", index(2000, "t", 11))), dropped{}, got.ShadowIndexes)
	require.NoError(t, err)
	require.Len(t, pieces, 1)
	pieces, err = mapRecord(record, source, table(20, "t", partition(200, "t", "", index(2000, "t", 11), index(2001, "r", 12))), dropped{}, got.ShadowIndexes)
	require.NoError(t, err)
	require.Len(t, pieces, 2)
}

func TestFeaturesOfTransactions(t *testing.T) {
	b := newBench(t)
	b.upsert(102, 10)
	b.opts.Features = without(func(f *job.Features) { f.SkipWaitingTxnPublish, f.PipelineCommit = false, false })
	b.stream(102, StreamHooks{})
	for _, tx := range b.dst.txns {
		require.False(t, tx.commit.OnlyCommit, "the frontend waits for visibility")
	}
	j := b.job()
	require.Equal(t, 1, j.opts.Window)
	require.Equal(t, 1, j.opts.Group)

	b = newBench(t)
	b.opts.Features = without(func(f *job.Features) { f.TxnInsert = false })
	b.append(102, binlog.TypeUpsert, binlog.Upsert{CommitSeq: 102, SubTxnIDs: []int64{1, 2}, TableRecords: map[int64]binlog.TableRecord{
		10: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: 102, SubTxnID: 1}}}}}, 10)
	got := b.stream(0, StreamHooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, got.Problem.Text, "The txn insert is not supported yet")
	require.Contains(t, got.Problem.Remedy, "feature_txn_insert")
}

func TestFeaturesOfFullSyncs(t *testing.T) {
	src := &script{snapshot: snapshotOf(oneTable)}
	dst := &script{names: []string{"t"}, tables: map[int64]*meta.Table{20: {ID: 20, Name: "t"}}, outcome: []sqlclient.RestoreJob{
		{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: Table t already exist but with different schema]"},
		{State: sqlclient.JobFinished},
	}}
	spec := databaseSpec()
	j := scripted(spec, src, dst)
	j.opts.Features = without(func(f *job.Features) {
		f.AtomicRestore, f.RestoreReplaceDiffSchema, f.ReplaceNotMatchedWithAlias = false, false, false
	})
	got, err := j.RestoreSnapshot(context.Background(), ordered(spec, nil, "snap"), nil)
	require.NoError(t, err)
	require.NotNil(t, got.Restored)
	require.Empty(t, got.Aliases)
	require.Equal(t, []string{"DROP t"}, dst.executed, "instead of an alias")
	for _, req := range dst.submitted {
		require.False(t, req.AtomicRestore || req.ForceReplace)
		require.Empty(t, req.Tables)
	}

	c := NewConnector(Options{Features: without(func(f *job.Features) { f.OverrideReplicationNum = false })})
	t.Cleanup(func() { _ = c.Close() })
	spec.ReplicationNum = 3
	opened := c.Open(*spec, Passwords{})
	defer opened.Close()
	require.Zero(t, opened.spec.ReplicationNum)
}
