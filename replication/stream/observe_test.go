package stream

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// What was filed late stands before the position, and is missing all the same.
func TestLagCountsWhatWasFiledLate(t *testing.T) {
	for name, c := range map[string]struct {
		p    job.Progress
		want int64
		next int64
	}{
		"behind":                   {p: job.Progress{Position: job.Position{CommitSeq: 102}}, want: 2, next: 104},
		"settled":                  {p: job.Progress{Position: job.Position{CommitSeq: 106}, Settling: job.Settling{Settled: 106}}},
		"in order":                 {p: job.Progress{Position: job.Position{CommitSeq: 106}}},
		"all is dealt with":        {p: job.Progress{Position: job.Position{CommitSeq: 106}, Settling: job.Settling{Settled: 100, AppliedBeyond: []int64{102, 104, 106}}}},
		"one was filed late":       {p: job.Progress{Position: job.Position{CommitSeq: 106}, Settling: job.Settling{Settled: 102, AppliedBeyond: []int64{106}}}, want: 1, next: 104},
		"all but the last are new": {p: job.Progress{Position: job.Position{CommitSeq: 106}, Settling: job.Settling{Settled: -1, AppliedBeyond: []int64{106}}}, want: 2, next: 102},
		"a newer position":         {p: job.Progress{Position: job.Position{CommitSeq: 106}, Settling: job.Settling{Settled: 100, AppliedBeyond: []int64{102}}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.upserts(3)
			got, err := b.job().Lag(t.Context(), job.StepInput{Spec: b.Spec, Progress: c.p})
			require.NoError(t, err)
			require.Equal(t, c.want, got.Binlogs)
			require.Equal(t, c.next, got.NextCommitSeq)
			require.WithinDuration(t, time.Now(), got.ObservedAt, time.Minute)
		})
	}
}

// A shift says that it has no lag only while none of what it was asked for is
// missing, though it has met what is newer.
func TestStreamHasALagWhileALateBinlogIsMissing(t *testing.T) {
	b := newBench(t)
	b.Options.SettleTime = 30 * time.Second // the second look does not come
	b.Upsert(102, 10)
	b.Upsert(106, 11)
	b.fileAfter(106, func() { b.Upsert(104, 12) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var late atomic.Bool
	b.streamContext(ctx, 0, Hooks{Heartbeat: func(hb job.Heartbeat) {
		if hb.Position.CommitSeq == 106 && hb.Lag.Binlogs == 1 && hb.Lag.NextCommitSeq > 0 {
			late.Store(true)
			cancel()
		}
	}})
	require.True(t, late.Load(), "the lag was not told")
	require.NotContains(t, b.Dst.Visible(), int64(104))
}
