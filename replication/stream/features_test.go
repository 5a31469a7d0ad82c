package stream

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// A rollup that is left out takes no part in loads, until a snapshot of its
// table has brought it all the same.
func TestExcludedRollup(t *testing.T) {
	shadows := map[int64]int64{1001: pair.ExcludedRollup}
	source := table(10, "t", pairtest.Partition(100, "t", "", pairtest.Index(1000, "t", 1), pairtest.Index(1001, "r", 2)))
	record := binlog.TableRecord{IndexIDs: []int64{1000, 1001}, PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: 3}}}
	pieces, err := mapRecord(record, source, table(20, "t", pairtest.Partition(200, "t", "", pairtest.Index(2000, "t", 11))), dropped{}, shadows)
	require.NoError(t, err)
	require.Len(t, pieces, 1)
	pieces, err = mapRecord(record, source, table(20, "t", pairtest.Partition(200, "t", "", pairtest.Index(2000, "t", 11), pairtest.Index(2001, "r", 12))), dropped{}, shadows)
	require.NoError(t, err)
	require.Len(t, pieces, 2)
}

func TestFeaturesOfTransactions(t *testing.T) {
	b := newBench(t)
	b.Upsert(102, 10)
	b.Options.Features = pairtest.Features(func(f *job.Features) { f.SkipWaitingTxnPublish, f.PipelineCommit = false, false })
	b.stream(102, Hooks{})
	for _, tx := range b.Dst.Txns {
		require.False(t, tx.Commit.OnlyCommit, "the frontend waits for visibility")
	}
	j := b.job()
	require.Equal(t, 1, j.Options.Window)
	require.Equal(t, 1, j.Options.Group)

	b = newBench(t)
	b.Options.Features = pairtest.Features(func(f *job.Features) { f.TxnInsert = false })
	b.Append(102, binlog.TypeUpsert, binlog.Upsert{CommitSeq: 102, SubTxnIDs: []int64{1, 2}, TableRecords: map[int64]binlog.TableRecord{
		10: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: 102, SubTxnID: 1}}}}}, 10)
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, got.Problem.Text, "The txn insert is not supported yet")
	require.Contains(t, got.Problem.Remedy, "feature_txn_insert")
}
