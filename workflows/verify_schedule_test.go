package workflows

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// nightly is started at a time of a day by a schedule with the window 01:00-01:02.
// Each of its three tables takes a minute.
func nightly(t *testing.T, clock string) (*verifyBench, job.VerifyInput) {
	t.Helper()
	b := newVerifyBench(t)
	start, err := time.Parse(time.DateTime, "2026-11-07 "+clock)
	require.NoError(t, err)
	b.SetStartTime(start)
	return b, job.VerifyInput{Schedule: &job.VerifySchedule{Every: 24 * time.Hour, Window: "01:00-01:02", Jitter: time.Minute}}
}

func clock(at time.Time) string { return at.UTC().Format(time.DateTime) }

func TestVerifyKeepsToItsWindow(t *testing.T) {
	b, in := nightly(t, "01:00:40")
	b.at(3*time.Hour, func() {
		r := b.ask()
		require.Equal(t, job.VerifyPaused, r.State)
		require.Equal(t, "2026-11-08 01:00:40", clock(r.ResumesAt), "with the jitter with which it has begun")
		require.Equal(t, 1, r.Equal)
		require.Contains(t, r.Text(), "its window has ended: it goes on at 2026-11-08T01:00:40Z")
	})
	r := b.report(in)
	require.Equal(t, []string{"a", "b", "b", "c"}, b.tables()[:4])
	require.Equal(t, job.VerifyDone, r.State)
	require.Equal(t, 3, r.Equal)
	require.True(t, r.ResumesAt.IsZero())
	require.Equal(t, "2026-11-09", clock(r.EndedAt)[:10], "a table a night")
}

func TestVerifyOutsideOfItsWindow(t *testing.T) {
	b, in := nightly(t, "12:00:00")
	b.at(time.Hour, func() {
		require.Empty(t, b.tables(), "it waits")
		require.Equal(t, "2026-11-08 01:00:00", clock(b.ask().ResumesAt))
		b.SignalWorkflow(job.SignalResume, nil)
	})
	r := b.report(in)
	require.Equal(t, "2026-11-07 13:03:00", clock(r.EndedAt), "a person wants it now")

	b, in = nightly(t, "01:00:00")
	b.at(time.Hour, func() { b.SignalWorkflow(job.SignalPause, nil) })
	b.at(50*time.Hour, func() {
		r := b.ask()
		require.Equal(t, job.VerifyPaused, r.State)
		require.True(t, r.ResumesAt.IsZero(), "the person's pause counts")
		b.SignalWorkflow(job.SignalResume, nil)
	})
	r = b.report(in)
	require.Equal(t, "2026-11-09 03:", clock(r.EndedAt)[:14])

	b, in = nightly(t, "12:00:00")
	in.Schedule = nil
	require.Equal(t, "2026-11-07 12:03:00", clock(b.report(in).EndedAt), "nobody has bounded it")
	b, in = nightly(t, "12:00:00")
	b.at(time.Hour, func() { b.SignalWorkflow(job.SignalVerifyCancel, nil) })
	require.Equal(t, job.VerifyCancelled, b.report(in).State)
}

// A repair that the job is at is waited for, whatever the time is: nothing is read.
func TestTheWindowDoesNotEndARepair(t *testing.T) {
	b, in := nightly(t, "01:00:00")
	in.Schedule.Window, in.Request.Repair = "01:00-01:04", true
	b.found["b"] = []job.VerifiedTable{differs("p1"), {Outcome: job.VerifyEqual}}
	b.OnActivity(job.ActivityAwaitRepair, mock.Anything, mock.Anything).Return(b.awaitRepair).After(3 * time.Hour)
	b.at(2*time.Hour, func() {
		require.Equal(t, job.VerifyRunning, b.ask().State)
		require.Equal(t, job.RepairOrdered, b.ask().Repairs[0].State)
	})
	b.at(5*time.Hour, func() { require.Equal(t, job.VerifyPaused, b.ask().State, "to verify it reads") })
	r := b.report(in)
	require.Len(t, b.orders, 1)
	require.Equal(t, 1, r.Repaired)
	require.Equal(t, "2026-11-08 01:01:00", clock(r.EndedAt))
}

func TestTheWindowOutlivesContinueAsNew(t *testing.T) {
	b, in := nightly(t, "01:00:30")
	b.at(30*time.Second, func() { b.SetContinueAsNewSuggested(true) })
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, b.run(in), &next)
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	require.Equal(t, "2026-11-07 01:02:00", clock(in.Until))
	rest, _ := nightly(t, "01:01:30")
	rest.at(time.Hour, func() { require.Equal(t, job.VerifyPaused, rest.ask().State) })
	require.Equal(t, 3, rest.report(in).Equal)
}

// What a failure or an interruption tells of the table at hand goes to the next try.
func TestVerifyGoesOnWhereATableWas(t *testing.T) {
	at := &job.Verifying{Table: "b", Done: []job.VerifiedPartition{{ID: 7}}}
	b := newVerifyBench(t)
	b.fails["b"] = []error{
		temporal.NewApplicationErrorWithOptions("connection refused", string(job.KindRPC), temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{job.Problem{Kind: job.KindRPC}, *at}}),
		temporal.NewApplicationErrorWithOptions("connection refused", string(job.KindRPC), temporal.ApplicationErrorOptions{NonRetryable: true}),
	}
	b.report(job.VerifyInput{})
	require.Equal(t, []string{"a", "b", "b", "b", "c"}, b.tables())
	require.Nil(t, b.verified[1].Before)
	require.Equal(t, at, b.verified[2].Before)
	require.Equal(t, at, b.verified[3].Before, "nothing else is known")
	require.Nil(t, b.verified[4].Before, "that was another table")

	require.Equal(t, at, reachedBy(temporal.NewCanceledError(*at)))
	require.Equal(t, at, reachedBy(temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_HEARTBEAT, nil, job.Heartbeat{Verifying: at})))
	require.Nil(t, reachedBy(temporal.NewCanceledError()))
	require.Nil(t, reachedBy(errors.New("anything")))
	require.Nil(t, reachedBy(nil))
}

func TestAScheduleEndsWithItsJob(t *testing.T) {
	for _, gone := range []bool{true, false} {
		var suite testsuite.WorkflowTestSuite
		suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
		env := suite.NewTestWorkflowEnvironment()
		env.RegisterWorkflowWithOptions(Workflow{}.VerifyTables, workflow.RegisterOptions{Name: job.WorkflowTypeVerify})
		env.RegisterActivityWithOptions(func(_ context.Context, name string) (job.ScheduledJob, error) {
			require.Equal(t, "j1", name)
			return job.ScheduledJob{Gone: gone}, nil
		}, activity.RegisterOptions{Name: job.ActivityScheduledJob})
		started := 0
		env.OnWorkflow(job.WorkflowTypeVerify, mock.Anything, mock.Anything).Return(func(workflow.Context, job.VerifyInput) (job.VerifyReport, error) {
			started++
			return job.VerifyReport{}, nil
		})
		env.ExecuteWorkflow(StartVerification, job.VerifyInput{Job: "j1"})
		require.NoError(t, env.GetWorkflowError())
		var text string
		require.NoError(t, env.GetWorkflowResult(&text))
		if gone {
			require.Equal(t, "job j1 does not exist any more: its schedule is deleted", text)
			require.Zero(t, started)
		} else {
			require.Equal(t, 1, started)
		}
	}
}
