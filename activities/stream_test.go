package activities

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/stream"
	"github.com/doris-ccr/ccr/secret"
)

// server answers heartbeats as a test wants and keeps what it got.
type server struct {
	mu     sync.Mutex
	got    []job.Heartbeat
	answer error
}

func (s *server) confirm(ctx context.Context, b job.Heartbeat) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer == nil {
		s.got = append(s.got, b)
	}
	return s.answer
}

func (s *server) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = err
}

func (s *server) positions() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int64
	for _, b := range s.got {
		out = append(out, b.Position.CommitSeq)
	}
	return out
}

func streamBench(t *testing.T) (*bench, *server) {
	b, s := newBench(t), &server{}
	b.acts.heartbeats = func(context.Context) confirmedHeartbeat { return s.confirm }
	return b, s
}

func shiftAt(t *testing.T, b *bench, commitSeq int64) job.StreamInput {
	in := job.StreamInput{StepInput: input(t, b), Shift: time.Minute}
	in.Progress.Position.CommitSeq = commitSeq
	return in
}

func at(commitSeq int64) job.Heartbeat {
	return job.Heartbeat{Position: job.Position{CommitSeq: commitSeq}}
}

func TestAShiftAsksBeforeItsFirstSideEffect(t *testing.T) {
	for name, answer := range map[string]error{
		"cancelled": temporal.NewCanceledError(),
		"stale":     serviceerror.NewNotFound("workflow execution already completed"),
		"paused":    activity.ErrActivityPaused,
	} {
		t.Run(name, func(t *testing.T) {
			b, s := streamBench(t)
			s.set(answer)
			b.fake.stream = func(context.Context, job.StreamInput, stream.Hooks) (job.StreamResult, error) {
				panic("the shift has begun")
			}
			out, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
			if name == "cancelled" {
				require.NoError(t, err)
				require.Equal(t, job.StreamResult{End: job.EndStopped, Position: job.Position{CommitSeq: 7}}, out)
			} else {
				require.ErrorContains(t, err, errLost.Error())
			}
		})
	}
}

func TestAShiftReportsAndEndsWithItsResult(t *testing.T) {
	b, s := streamBench(t)
	b.fake.stream = func(ctx context.Context, in job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		require.Nil(t, h.Resume)
		require.True(t, h.Alive())
		require.NoError(t, h.Checkpoint(ctx, at(500)))
		return job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 600}}, nil
	}
	out, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.NoError(t, err)
	require.Equal(t, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 600}}, out)
	require.Equal(t, []int64{7, 500}, s.positions())
}

func TestARetryResumesFromTheLastHeartbeat(t *testing.T) {
	b, s := streamBench(t)
	b.SetHeartbeatDetails(at(42))
	b.fake.stream = func(_ context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		require.Equal(t, int64(42), h.Resume.Position.CommitSeq)
		return job.StreamResult{End: job.EndShiftOver}, nil
	}
	_, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.NoError(t, err)
	require.Equal(t, []int64{42}, s.positions(), "the first heartbeat must not set the job back")
}

// Only a first attempt may rely on what its process knows of the shift before.
func TestOnlyAFirstAttemptTellsItsRun(t *testing.T) {
	for _, first := range []bool{true, false} {
		b, _ := streamBench(t)
		if !first {
			b.SetHeartbeatDetails("what a report of another version looks like")
		}
		b.fake.stream = func(_ context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
			require.Equal(t, first, h.Run != "")
			return job.StreamResult{End: job.EndShiftOver}, nil
		}
		_, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
		require.NoError(t, err)
	}
}

// A shift that ends before it has asked the destination leaves the question open.
func TestAShiftThatDoesNotBeginLeavesTheQuestionOpen(t *testing.T) {
	old := time.Now().Add(-time.Hour).UTC()
	for name, c := range map[string]struct {
		answer error // to its first heartbeat
		err    error // of the stream
	}{"asked to stop": {answer: temporal.NewCanceledError()}, "no connection": {err: errors.New("no key")}} {
		t.Run(name, func(t *testing.T) {
			b, s := streamBench(t)
			s.set(c.answer)
			b.SetHeartbeatDetails(job.Heartbeat{Position: job.Position{CommitSeq: 42}, At: time.Now(), UnconfirmedSince: old})
			b.fake.stream = func(context.Context, job.StreamInput, stream.Hooks) (job.StreamResult, error) {
				return job.StreamResult{}, c.err
			}
			in := shiftAt(t, b, 7)
			in.Progress.AppliedBeyond = []int64{50}
			out, err := call[job.StreamResult](b, job.ActivityStream, in)
			require.NoError(t, err)
			require.True(t, old.Equal(out.Unconfirmed.Since))
			require.Equal(t, []int64{50}, out.AppliedBeyond)
		})
	}
}

func TestAnErrorOfTheStreamIsAResult(t *testing.T) {
	b, _ := streamBench(t)
	b.fake.stream = func(_ context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		h.Heartbeat(at(55))
		return job.StreamResult{}, errors.New("no such table")
	}
	out, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.NoError(t, err)
	require.Equal(t, job.EndBlocked, out.End)
	require.Equal(t, "no such table", out.Problem.Text)
	require.Equal(t, int64(55), out.Position.CommitSeq, "what was applied is not forgotten")
}

func TestAShiftSealsPasswordsAnew(t *testing.T) {
	b, _ := streamBench(t)
	old := b.acts.keyring
	in := shiftAt(t, b, 7)
	b.fake.stream = func(context.Context, job.StreamInput, stream.Hooks) (job.StreamResult, error) {
		require.Equal(t, "s3cret", b.fake.passwords.Source)
		return job.StreamResult{End: job.EndShiftOver}, nil
	}
	out, err := call[job.StreamResult](b, job.ActivityStream, in)
	require.NoError(t, err)
	require.Nil(t, out.Resealed, "the key has not changed")

	newKey := bytes.Repeat([]byte{7}, secret.KeySize)
	b.acts.keyring, err = secret.NewKeyring(newKey, make([]byte, secret.KeySize))
	require.NoError(t, err)
	out, err = call[job.StreamResult](b, job.ActivityStream, in)
	require.NoError(t, err)
	require.NotNil(t, out.Resealed)
	require.Empty(t, out.Resealed.Destination, "no password stays none")
	require.NotEqual(t, in.Spec.Source.Password.KeyID(), out.Resealed.Source.KeyID())
	_, err = old.Open(out.Resealed.Source)
	require.ErrorIs(t, err, secret.ErrUnknownKey, "the old key is not needed any more")
	plain, err := b.acts.keyring.Open(out.Resealed.Source)
	require.NoError(t, err)
	require.Equal(t, "s3cret", plain)
}

func TestAFailpointStopsTheJob(t *testing.T) {
	b, _ := streamBench(t)
	var set failpoint.Set
	b.acts.FailAt(&set)
	var at []error
	var tries int
	b.fake.stream = func(_ context.Context, in job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		tries = h.Tries
		at = append(at, h.Fail())
		set.Put("j1", failpoint.HandleBinlog, []byte(`true`))
		at = append(at, h.Fail())
		return job.StreamResult{End: job.EndShiftOver, Position: in.Progress.Position}, nil
	}
	shift := shiftAt(t, b, 7)
	shift.Progress.Problem = &job.Problem{Tries: 6}
	_, err := call[job.StreamResult](b, job.ActivityStream, shift)
	require.NoError(t, err)
	require.Equal(t, 6, tries)
	require.NoError(t, at[0])
	require.ErrorContains(t, at[1], "failpoint handle_binlog_failed is on (true)")
	in := job.ApplyInput{StepInput: input(t, b)}
	in.Progress.Pending = &job.Binlog{CommitSeq: 9, Type: binlog.TypeDropTable}
	out, err := call[job.ApplyResult](b, job.ActivityApply, in)
	require.NoError(t, err)
	require.Contains(t, out.Problem.Text, "failpoint handle_binlog_failed is on")
	require.Equal(t, int64(9), out.Problem.CommitSeq)
}

func TestAPanicOfTheStreamIsAResult(t *testing.T) {
	b, _ := streamBench(t)
	b.fake.stream = func(context.Context, job.StreamInput, stream.Hooks) (job.StreamResult, error) {
		panic("oops")
	}
	out, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.NoError(t, err)
	require.Equal(t, job.EndBlocked, out.End)
	require.Equal(t, "internal error in StreamUpserts: oops", out.Problem.Text)
}

func TestACheckpointThatIsRefusedEndsTheShift(t *testing.T) {
	b, s := streamBench(t)
	b.fake.stream = func(ctx context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		s.set(temporal.NewCanceledError())
		require.ErrorIs(t, h.Checkpoint(ctx, at(60)), errAsked)
		require.Error(t, ctx.Err())
		return job.StreamResult{End: job.EndStopped, Position: job.Position{CommitSeq: 60}}, nil
	}
	out, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.NoError(t, err, "a shift that was asked to stop ends with its position")
	require.Equal(t, int64(60), out.Position.CommitSeq)

	b, s = streamBench(t)
	b.fake.stream = func(ctx context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		s.set(serviceerror.NewNotFound("gone"))
		require.ErrorIs(t, h.Checkpoint(ctx, at(60)), errLost)
		return job.StreamResult{End: job.EndStopped}, nil
	}
	_, err = call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.ErrorContains(t, err, errLost.Error(), "a stale shift has no say")
}

func TestTheWorkerStopReachesTheShift(t *testing.T) {
	b, _ := streamBench(t)
	b.fake.stream = func(ctx context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		close(b.stop)
		<-h.Stop
		return job.StreamResult{End: job.EndStopped, Position: job.Position{CommitSeq: 8}}, ctx.Err()
	}
	out, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.NoError(t, err)
	require.Equal(t, job.EndStopped, out.End)
}

func TestAnAttemptWithoutAcknowledgementEnds(t *testing.T) {
	s := &server{}
	ctx, end := context.WithCancelCause(t.Context())
	const timeout = 200 * time.Millisecond
	h := newHeartbeater(s.confirm, timeout, end)
	require.NoError(t, h.checkpoint(ctx, at(1)))
	require.True(t, h.alive())

	s.set(serviceerror.NewUnavailable("the server restarts"))
	var keeping sync.WaitGroup
	keeping.Go(func() { h.run(ctx) })
	require.Eventually(t, func() bool { return !h.alive() }, 10*time.Second, time.Millisecond, "nothing new without an answer")
	<-ctx.Done()
	keeping.Wait()
	require.ErrorIs(t, context.Cause(ctx), errLost)
}

func TestAnAttemptSurvivesAServerThatComesBack(t *testing.T) {
	s := &server{answer: serviceerror.NewUnavailable("the server restarts")}
	ctx, end := context.WithCancelCause(t.Context())
	defer end(nil)
	h := newHeartbeater(s.confirm, time.Minute, end)
	back := time.AfterFunc(10*time.Millisecond, func() { s.set(nil) })
	defer back.Stop()
	require.NoError(t, h.checkpoint(ctx, at(3)))
	require.NoError(t, ctx.Err())
	require.Equal(t, []int64{3}, s.positions())
}

func TestHeartbeatsCarryTheLatestReport(t *testing.T) {
	s := &server{}
	ctx, end := context.WithCancelCause(t.Context())
	h := newHeartbeater(s.confirm, 100*time.Millisecond, end)
	h.report(at(9))
	var keeping sync.WaitGroup
	keeping.Go(func() { h.run(ctx) })
	require.Eventually(t, func() bool { return len(s.positions()) > 1 }, 10*time.Second, time.Millisecond)
	end(nil)
	keeping.Wait()
	require.Equal(t, int64(9), s.positions()[0])
	require.False(t, h.last().At.IsZero())
}
