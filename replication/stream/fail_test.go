package stream

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// A failpoint strikes at a binlog, so that the job says at which it stands, and an order
// to skip that one comes first.
func TestStreamFailsAtABinlog(t *testing.T) {
	b := newBench(t)
	b.Append(102, binlog.TypeModifyPartitions, nil, 10)
	b.Upsert(104, 10)
	on := errors.New("on")
	fail := Hooks{Fail: func() error { return on }}

	got := b.stream(0, fail)
	require.Equal(t, job.EndBlocked, got.End)
	require.Equal(t, int64(102), got.Problem.CommitSeq)
	require.Equal(t, binlog.TypeModifyPartitions, got.Problem.BinlogType)
	require.Equal(t, int64(100), got.Position.CommitSeq, "one that means nothing is not passed, either")

	b.Progress.Skip = &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 102}
	got = b.stream(0, fail)
	require.Equal(t, job.EndSkipped, got.End)
	require.Equal(t, int64(102), got.Position.CommitSeq)

	b.Progress.Position, b.Progress.Settling, b.Progress.Skip = got.Position, got.Settling, nil
	got = b.stream(0, fail)
	require.Equal(t, int64(104), got.Problem.CommitSeq)
	require.Equal(t, binlog.TypeUpsert, got.Problem.BinlogType)
	require.Empty(t, b.Dst.Commits())
}

// The log counts all tries of the job, not those of a shift.
func TestStreamCountsTriesInTheLog(t *testing.T) {
	b := newBench(t)
	b.upserts(1)
	b.Dst.OnIngest = func(int64, be.IngestRequest) error { return be.ErrHTTP }
	var log bytes.Buffer
	j := b.job()
	j.Log = slog.New(slog.NewTextHandler(&log, nil))
	got, err := j.Stream(t.Context(), job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}, Shift: 10 * time.Second}, Hooks{Tries: 6})
	require.NoError(t, err)
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, log.String(), "msg=retrying commit_seq=102 attempt=7 ")
}

// What a shift works at is in its reports, while the position stands before it.
func TestStreamTellsWhatItTries(t *testing.T) {
	b := newBench(t)
	seqs := b.upserts(3)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	told := make(chan struct{})
	b.Dst.OnIngest = func(int64, be.IngestRequest) error {
		select {
		case <-told:
		case <-ctx.Done():
		}
		return nil
	}
	b.Src.Behind = binlog.Lag{Binlogs: 3, NextTimestamp: -1, ObservedAt: time.Now()}
	open := true
	b.streamContext(ctx, seqs[2], Hooks{Heartbeat: func(hb job.Heartbeat) {
		if open && hb.Tried == seqs[2] && hb.Lag.Binlogs > 0 && hb.Lag.NextBefore > 0 {
			require.Equal(t, seqs[0]*1000, hb.Lag.NextBefore, "the source does not tell, but the shift has read it")
			require.Equal(t, int64(100), hb.Position.CommitSeq)
			open = false
			close(told)
		}
	}})
	require.False(t, open, "nothing was told: %v", ctx.Err())
}

// A DDL has no time. What was written after it tells how long it has waited at least.
func TestLagOfWhatHasNoTime(t *testing.T) {
	b := newBench(t)
	b.Append(102, binlog.TypeDropTable, map[string]any{"tableId": 13}, 13)
	b.Upsert(104, 10)
	b.Src.Log[0].Timestamp = -1
	b.Src.Batches = 1 // as an old server
	in := job.StepInput{Spec: b.Spec, Progress: job.Progress{Position: job.Position{CommitSeq: 100}}}
	got, err := b.job().Lag(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, int64(104_000), got.NextBefore)
	in.Progress.Position.CommitSeq = 104
	got, err = b.job().Lag(t.Context(), in)
	require.NoError(t, err)
	require.Zero(t, got.NextBefore)
}
