package snapshot

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

func TestFeaturesOfFullSyncs(t *testing.T) {
	src := &pairtest.Script{Snap: snapshotOf(oneTable)}
	dst := &pairtest.Script{Names: []string{"t"}, TableMeta: map[int64]*meta.Table{20: {ID: 20, Name: "t"}}, Outcome: []sqlclient.RestoreJob{
		{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: Table t already exist but with different schema]"},
		{State: sqlclient.JobFinished},
	}}
	spec := pairtest.DatabaseSpec()
	j := New(pairtest.Scripted(spec, src, dst))
	j.Options.Features = pairtest.Features(func(f *job.Features) {
		f.AtomicRestore, f.RestoreReplaceDiffSchema, f.ReplaceNotMatchedWithAlias = false, false, false
	})
	got, err := j.RestoreSnapshot(context.Background(), ordered(spec, nil, "snap"), nil)
	require.NoError(t, err)
	require.NotNil(t, got.Restored)
	require.Empty(t, got.Aliases)
	require.Equal(t, []string{"DROP t"}, dst.Executed, "instead of an alias")
	for _, req := range dst.Submitted {
		require.False(t, req.AtomicRestore || req.ForceReplace)
		require.Empty(t, req.Tables)
	}

	c := pair.NewConnector(pair.Options{Features: pairtest.Features(func(f *job.Features) { f.OverrideReplicationNum = false })})
	t.Cleanup(func() { _ = c.Close() })
	spec.ReplicationNum = 3
	opened := c.Open(*spec, pair.Passwords{})
	defer opened.Close()
	require.Zero(t, opened.Spec.ReplicationNum)
}
