package activities

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
	"github.com/doris-ccr/ccr/replication/verify"
)

// verifying compares tables as a test wants.
type verifying struct {
	table func(context.Context, job.StepInput, job.VerifyTableInput, verify.Hooks) (job.VerifiedTable, error)
}

func (v verifying) PlanVerification(_ context.Context, in job.StepInput, request job.VerifyRequest) (job.VerifyPlan, error) {
	if len(request.Partitions) > 0 {
		return job.VerifyPlan{}, problem.Refusef("partitions of no table")
	}
	var plan job.VerifyPlan
	for id, t := range in.Progress.Tables {
		plan.Tables = append(plan.Tables, job.VerifyTarget{ID: id, Name: t.Name})
	}
	return plan, nil
}

func (v verifying) VerifyTable(ctx context.Context, in job.StepInput, what job.VerifyTableInput, h verify.Hooks) (job.VerifiedTable, error) {
	return v.table(ctx, in, what, h)
}

// oneJob is a job with one table.
type oneJob struct{ asked []job.VerifyWanted }

func (o *oneJob) VerifyInput(_ context.Context, name string, wanted job.VerifyWanted) (job.StepInput, error) {
	if name != "j" {
		return job.StepInput{}, temporal.NewNonRetryableApplicationError("job not exist", job.ErrorTypeNoJob, nil)
	}
	o.asked = append(o.asked, wanted)
	return job.StepInput{Spec: job.Spec{Name: name}, Progress: job.Progress{
		Tables:   map[int64]job.Table{10: {Name: "t", DestID: 20}},
		Verified: &job.Verified{StillDifferent: []job.VerifyFinding{{Table: "t", TableID: 10}}},
	}}, nil
}

func (o *oneJob) CaughtUp(context.Context, string) (int64, bool, error) { return 77, true, nil }

func (o *oneJob) Hold(_ context.Context, order job.Hold) (job.Held, error) {
	return job.Held{Here: order.Job == "j"}, nil
}

func TestPlanVerification(t *testing.T) {
	b, of := newBench(t), &oneJob{}
	b.fake.verifier, b.acts.Jobs = verifying{}, of
	got, err := b.ExecuteActivity(job.ActivityPlanVerification, job.VerifyInput{Job: "j"})
	require.NoError(t, err)
	var plan job.VerifyPlan
	require.NoError(t, got.Get(&plan))
	require.Equal(t, []job.VerifyTarget{{ID: 10, Name: "t"}}, plan.Tables)
	require.Equal(t, []job.VerifyWanted{{Names: true}}, of.asked)
	require.Equal(t, []job.VerifyFinding{{Table: "t", TableID: 10}}, plan.Found, "of an earlier verification")

	_, err = b.ExecuteActivity(job.ActivityPlanVerification, job.VerifyInput{Job: "j", Request: job.VerifyRequest{Partitions: []string{"p"}}})
	var ends *temporal.ApplicationError
	require.True(t, errors.As(err, &ends))
	require.Equal(t, job.ErrorTypeRefused, ends.Type())

	_, err = b.ExecuteActivity(job.ActivityPlanVerification, job.VerifyInput{Job: "other"})
	require.True(t, errors.As(err, &ends))
	require.Equal(t, job.ErrorTypeNoJob, ends.Type())
	require.True(t, ends.NonRetryable())
}

// TestVerifyTableGoesOn: an attempt knows what the one before it has reported.
func TestVerifyTableGoesOn(t *testing.T) {
	b, of := newBench(t), &oneJob{}
	b.acts.Jobs = of
	before := job.Verifying{Table: "t", Definition: "d", Of: 2, Done: []job.VerifiedPartition{{ID: 1, DestID: 2, SourceVersion: 3, DestVersion: 3, Rows: 4}}}
	b.SetHeartbeatDetails(job.Heartbeat{At: time.Now(), Verifying: &before})
	b.fake.verifier = verifying{func(ctx context.Context, in job.StepInput, what job.VerifyTableInput, h verify.Hooks) (job.VerifiedTable, error) {
		require.Equal(t, before, h.Before)
		h.Report("half of it", before)
		position, caughtUp, err := h.CaughtUp(ctx)
		require.NoError(t, err)
		require.True(t, caughtUp)
		again, err := h.Input(ctx)
		require.NoError(t, err)
		require.Equal(t, in.Progress.Tables, again.Progress.Tables)
		return job.VerifiedTable{Table: what.Target.Name, Outcome: job.VerifyEqual, Position: position}, nil
	}}
	got, err := b.ExecuteActivity(job.ActivityVerifyTable, job.VerifyTableInput{Job: "j", Target: job.VerifyTarget{ID: 10, Name: "t"}})
	require.NoError(t, err)
	var out job.VerifiedTable
	require.NoError(t, got.Get(&out))
	require.Equal(t, job.VerifiedTable{Table: "t", Outcome: job.VerifyEqual, Position: 77, At: out.At}, out)
	require.Equal(t, []job.VerifyWanted{{TableIDs: []int64{10}}, {TableIDs: []int64{10}}}, of.asked)
}

// TestVerifyTableTellsHowFarItWas: what ends an activity has that with it.
func TestVerifyTableTellsHowFarItWas(t *testing.T) {
	b, of := newBench(t), &oneJob{}
	b.acts.Jobs = of
	before := job.Verifying{Table: "t", Of: 2, Done: []job.VerifiedPartition{{ID: 1}}}
	after := job.Verifying{Table: "t", Of: 2, Done: []job.VerifiedPartition{{ID: 1}, {ID: 2}}}
	b.fake.verifier = verifying{func(_ context.Context, _ job.StepInput, _ job.VerifyTableInput, h verify.Hooks) (job.VerifiedTable, error) {
		require.Equal(t, before, h.Before)
		h.Report("more of it", after)
		return job.VerifiedTable{}, problem.Refusef("no")
	}}
	_, err := b.ExecuteActivity(job.ActivityVerifyTable, job.VerifyTableInput{Job: "j", Target: job.VerifyTarget{ID: 10, Name: "t"}, Before: &before})
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, job.ErrorTypeRefused, failed.Type())
	require.True(t, failed.NonRetryable())
	var described job.Problem
	var reached job.Verifying
	require.NoError(t, failed.Details(&described, &reached))
	require.Equal(t, after, reached)
	require.Contains(t, described.Text, "no")

	var cancelled *temporal.CanceledError
	require.ErrorAs(t, withProgress(context.Canceled, &after), &cancelled)
	require.NoError(t, cancelled.Details(&reached))
	require.Equal(t, after, reached)
	require.NoError(t, withProgress(nil, &after))
	stopping := temporal.NewApplicationError("stopping", job.ErrorTypeWorkerStopping)
	require.Equal(t, stopping, withProgress(stopping, &after), "the server hands the heartbeat on")
}
