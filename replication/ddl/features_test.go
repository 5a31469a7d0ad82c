package ddl

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// switched is apply with other switches.
func (a *applied) switched(t *testing.T, change func(*job.Features)) job.ApplyResult {
	t.Helper()
	j := New(pairtest.Scripted(&a.in.Spec, &pairtest.Script{}, &pairtest.Script{}))
	j.Source.FE, j.Source.SQL, j.Destination.FE, j.Destination.SQL = a.src, a.src, a.dst, a.dst
	j.Options.Features = pairtest.Features(change)
	got, err := j.Apply(context.Background(), a.in)
	require.NoError(t, err)
	return got
}

func TestFeaturesOfStatements(t *testing.T) {
	const medium = "CREATE TABLE `n` (\n  `id` int NULL\n) ENGINE=OLAP\nDISTRIBUTED BY HASH(`id`) BUCKETS 1\nPROPERTIES (\n\"storage_medium\" = \"ssd\"\n)"
	a := applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: medium}, 11)
	a.switched(t, func(f *job.Features) { f.FilterStorageMedium = false })
	require.Contains(t, a.dst.Executed[0], `"storage_medium" = "ssd"`)

	a = applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: "CREATE VIEW `n` AS SELECT 1"}, 11)
	a.switched(t, func(f *job.Features) { f.CreateViewDropExists = false })
	require.Equal(t, []string{"CREATE VIEW `dst`.`n` AS SELECT 1"}, a.dst.Executed)

	a = applying(binlog.TypeAlterJob, `{"type":"SCHEMA_CHANGE","tableId":10,"tableName":"t","jobState":"FINISHED"}`, 10)
	got := a.switched(t, func(f *job.Features) { f.SchemaChangePartialSync = false })
	require.NotNil(t, got.Wanted)
	require.Nil(t, got.Wanted.Partial)
}

// A rollup that is left out is noted, so that loads do not look for it.
func TestFeatureSkipRollupBinlogs(t *testing.T) {
	a := applying(binlog.TypeAlterJob, `{"type":"ROLLUP","tableId":10,"tableName":"t","jobState":"FINISHED","rollupIndexId":1001,"baseIndexid":1000}`, 10)
	got := a.switched(t, func(f *job.Features) { f.SkipRollupBinlogs = true })
	require.True(t, got.Done)
	require.Equal(t, map[int64]int64{1001: pair.ExcludedRollup}, got.ShadowIndexes)
}
