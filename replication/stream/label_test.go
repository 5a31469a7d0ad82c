package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// With the source's labels another load of the destination may have one. That
// must not be taken for ours, unless an earlier attempt may have used it.
func TestReuseBinlogLabelCollision(t *testing.T) {
	start := func(state string) *bench {
		b := newBench(t)
		b.Spec.ReuseBinlogLabel, b.Dst.AnyLabel = true, true
		b.Upsert(102, 10)
		b.Upsert(104, 11)
		b.Dst.Put("load_104", state)
		return b
	}
	for state, how := range map[string]string{sqlclient.TxnVisible: "has been used by another load", sqlclient.TxnPrepare: "is in use by a running load"} {
		b := start(state)
		got := b.stream(0, Hooks{})
		require.Equal(t, job.EndBlocked, got.End, state)
		require.Contains(t, got.Problem.Text, "label load_104 of the source "+how)
		require.Contains(t, got.Problem.Remedy, "partialsync")
		require.Equal(t, int64(104), got.Problem.CommitSeq)
		require.Equal(t, int64(102), got.Position.CommitSeq, "what is before it is applied")
	}
	b := start(sqlclient.TxnVisible)
	b.Src.Behind = binlog.Lag{Binlogs: 1, LastCommitSeq: 103}
	got := b.stream(0, Hooks{Resume: &job.Heartbeat{Position: b.Progress.Position, At: time.Now()}})
	require.Equal(t, job.EndBlocked, got.End, "the earlier attempt cannot have come so far")

	b = start(sqlclient.TxnVisible)
	b.Src.Behind = binlog.Lag{Binlogs: 2, LastCommitSeq: 104}
	got = b.stream(104, Hooks{Resume: &job.Heartbeat{Position: b.Progress.Position, At: time.Now()}})
	require.Equal(t, int64(104), got.Position.CommitSeq, "an earlier attempt has applied it")
	require.Equal(t, []int64{102}, b.Dst.Visible())
}
