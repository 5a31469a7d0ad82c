package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/stream"
)

// A shift that is given away ends as one whose worker stops: with its position.
func TestAShiftIsGivenAway(t *testing.T) {
	b, _ := streamBench(t)
	b.fake.stream = func(_ context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		require.False(t, b.acts.Yield(), "it has only just come")
		require.Equal(t, 1, b.acts.Load())
		b.acts.registry.shifts["j1"].began = time.Now().Add(-settledAfter)
		h.Heartbeat(job.Heartbeat{Problem: &job.Problem{Text: "in trouble"}})
		require.False(t, b.acts.Yield(), "it is not well")
		h.Heartbeat(at(9))
		require.True(t, b.acts.Yield())
		<-h.Stop
		require.False(t, b.acts.Yield(), "it ends already")
		return job.StreamResult{End: job.EndStopped, Position: job.Position{CommitSeq: 9}}, nil
	}
	out, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.NoError(t, err)
	require.Equal(t, job.StreamResult{End: job.EndStopped, Position: job.Position{CommitSeq: 9}}, out)
	require.False(t, b.acts.Yield())
}

// The one that has run longest goes first.
func TestTheLongestShiftIsGivenAway(t *testing.T) {
	b, _ := streamBench(t)
	entries := map[string]*registeredShift{}
	for name, age := range map[string]time.Duration{"young": settledAfter, "old": time.Hour, "lost": 2 * time.Hour} {
		entries[name] = &registeredShift{
			began: time.Now().Add(-age), last: func() job.Heartbeat { return job.Heartbeat{} },
			ours: func() bool { return name != "lost" }, stop: make(chan struct{}),
		}
		b.acts.registry.register(name, entries[name])
	}
	require.True(t, b.acts.Yield())
	require.True(t, entries["old"].ending())
	require.False(t, entries["young"].ending())
	require.True(t, b.acts.Yield())
	require.True(t, entries["young"].ending())
	require.False(t, b.acts.Yield())
}

// What a process tells of its shift is the shift's last report, and nothing once the
// server may have given it to another process.
func TestWhatIsKnownOfAShift(t *testing.T) {
	b, _ := streamBench(t)
	b.fake.stream = func(_ context.Context, in job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		h.Heartbeat(at(9))
		s := b.acts.Shift("j1")
		require.Equal(t, in.Number, s.Shift)
		require.NotEmpty(t, s.RunID)
		require.Equal(t, int64(9), s.Report.Position.CommitSeq)
		require.Nil(t, b.acts.Shift("elsewhere"))
		b.acts.registry.shifts["j1"].ours = func() bool { return false }
		require.Nil(t, b.acts.Shift("j1"))
		return job.StreamResult{End: job.EndShiftOver}, nil
	}
	in := shiftAt(t, b, 7)
	in.Number = 4
	_, err := call[job.StreamResult](b, job.ActivityStream, in)
	require.NoError(t, err)
	require.Nil(t, b.acts.Shift("j1"))
}

// The stream's first checkpoint that tells what the claim has just told costs the server
// nothing. All others are sent: somebody may have taken the job over since.
func TestTheClaimIsTheFirstCheckpoint(t *testing.T) {
	told := at(7)
	told.Settled, told.AppliedBeyond = 5, []int64{9}
	for name, c := range map[string]struct {
		change func(h *job.Heartbeat)
		sent   int
	}{
		"the same":          {func(*job.Heartbeat) {}, 2},
		"further":           {func(h *job.Heartbeat) { h.Position.CommitSeq++ }, 3},
		"read again before": {func(h *job.Heartbeat) { h.Settled-- }, 3},
		"dealt with more":   {func(h *job.Heartbeat) { h.AppliedBeyond = []int64{9, 11} }, 3},
		"unconfirmed":       {func(h *job.Heartbeat) { h.UnconfirmedSince = time.Unix(1, 0) }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b, s := streamBench(t)
			b.fake.stream = func(ctx context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
				first := told
				c.change(&first)
				require.NoError(t, h.Checkpoint(ctx, first))
				require.NoError(t, h.Checkpoint(ctx, first), "the second is sent")
				return job.StreamResult{End: job.EndShiftOver}, nil
			}
			in := shiftAt(t, b, 7)
			in.Progress.Settled, in.Progress.AppliedBeyond = told.Settled, told.AppliedBeyond
			_, err := call[job.StreamResult](b, job.ActivityStream, in)
			require.NoError(t, err)
			require.Len(t, s.positions(), c.sent)
		})
	}
}
