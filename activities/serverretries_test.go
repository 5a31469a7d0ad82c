package activities

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/stream"
)

// stalled is the input of a step whose job knows of p already.
func stalled(in job.StepInput, p job.Problem) job.StepInput {
	in.Progress.Problem, in.ServerRetries = &p, 5
	return in
}

func TestAStalledShiftIsTriedAgainByTheServer(t *testing.T) {
	blocked := job.Problem{Text: "FE is down", Kind: job.KindRPC, CommitSeq: 8}
	for _, c := range []struct {
		name string
		out  job.StreamResult
		want bool
	}{
		{"the same again", job.StreamResult{End: job.EndBlocked, Problem: &blocked}, true},
		{"other words for it", job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "timeout", Kind: job.KindRPC, CommitSeq: 8}}, true},
		{"another binlog", job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Kind: job.KindRPC, CommitSeq: 9}}, false},
		{"another kind", job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Kind: job.KindBE, CommitSeq: 8}}, false},
		{"it got further", job.StreamResult{End: job.EndBlocked, Problem: &blocked, Position: job.Position{CommitSeq: 8}}, false},
		{"tables have changed", job.StreamResult{End: job.EndBlocked, Problem: &blocked, Tables: job.TableChanges{Drop: []int64{1}}}, false},
		{"success", job.StreamResult{End: job.EndShiftOver}, false},
		{"a snapshot is wanted", job.StreamResult{End: job.EndSnapshot, Wanted: &job.SnapshotWanted{}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := streamBench(t)
			b.fake.stream = func(context.Context, job.StreamInput, stream.Hooks) (job.StreamResult, error) {
				return c.out, nil
			}
			in := shiftAt(t, b, 7)
			in.StepInput = stalled(in.StepInput, blocked)
			out, err := call[job.StreamResult](b, job.ActivityStream, in)
			if !c.want {
				require.NoError(t, err)
				require.Equal(t, c.out.End, out.End)
				return
			}
			app := applicationError(t, err)
			require.False(t, app.NonRetryable())
			require.Equal(t, serverRetryPause, app.NextRetryDelay())
			var p job.Problem
			require.NoError(t, app.Details(&p))
			require.Equal(t, c.out.Problem.Text, p.Text)
		})
	}
}

func TestServerRetriesEnd(t *testing.T) {
	b, _ := streamBench(t)
	blocked := job.Problem{Text: "FE is down", Kind: job.KindRPC}
	b.fake.stream = func(context.Context, job.StreamInput, stream.Hooks) (job.StreamResult, error) {
		return job.StreamResult{End: job.EndBlocked, Problem: &blocked}, nil
	}
	in := shiftAt(t, b, 7)
	in.StepInput = stalled(in.StepInput, blocked)
	in.ServerRetries = 1
	out, err := call[job.StreamResult](b, job.ActivityStream, in)
	require.NoError(t, err)
	require.Equal(t, job.EndBlocked, out.End)
	require.Equal(t, 1, out.Problem.Tries)
}

// What a destination refuses is an answer: the next attempt must not take the
// state that it finds for the effect of this one.
func TestAStalledApplyKnowsItsOutcome(t *testing.T) {
	refused := job.Problem{Text: "errCode = 2", Kind: job.KindDB, CommitSeq: 8}
	b := newBench(t)
	in := job.ApplyInput{StepInput: stalled(input(t, b), refused)}
	b.fake.apply = func(_ context.Context, in job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Problem: &refused}, nil
	}
	_, err := call[job.ApplyResult](b, job.ActivityApply, in)
	require.Equal(t, serverRetryPause, applicationError(t, err).NextRetryDelay())
	require.False(t, applicationError(t, err).NonRetryable())
}

func TestAStalledStepIsTriedAgainByTheServer(t *testing.T) {
	b := newBench(t)
	b.fake.take = func(context.Context, func(job.Heartbeat)) (job.SnapshotTaken, error) {
		return job.SnapshotTaken{}, errors.New("disk full")
	}
	_, err := call[job.SnapshotTaken](b, job.ActivityTakeSnapshot, stalled(input(t, b), job.Problem{Kind: job.KindNormal}))
	require.False(t, applicationError(t, err).NonRetryable())
	require.Equal(t, serverRetryPause, applicationError(t, err).NextRetryDelay())
}
