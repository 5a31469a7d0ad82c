package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/verify"
)

// Jobs answers for the jobs that are verified: their workflows know.
type Jobs interface {
	// VerifyInput is the answer to job.QueryVerifyInput.
	VerifyInput(ctx context.Context, name string, wanted job.VerifyWanted) (job.StepInput, error)
	// CaughtUp tells whether the job has applied all that its source had recorded when
	// it was asked, and the job's position.
	CaughtUp(ctx context.Context, name string) (position int64, caughtUp bool, err error)
	// Hold has the shift of o.Job hold a partition back, in whichever process it runs.
	// Nothing is Here if it does not run.
	Hold(ctx context.Context, o job.Hold) (job.Held, error)
}

// Verifications returns the activities of the queue job.VerifyTaskQueue by name.
func (a *Activities) Verifications() map[string]any {
	return map[string]any{
		job.ActivityPlanVerification: a.PlanVerification,
		job.ActivityVerifyTable:      a.VerifyTable,
	}
}

// PlanVerification lists the tables and views that a verification is to compare.
func (a *Activities) PlanVerification(ctx context.Context, in job.VerifyInput) (job.VerifyPlan, error) {
	of, err := a.Jobs.VerifyInput(ctx, in.Job, job.VerifyWanted{Names: true})
	if err != nil {
		return job.VerifyPlan{}, askFailed(fmt.Errorf("ask job %s for its tables: %w", in.Job, err))
	}
	return step(ctx, a, of, endAtOnce, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.VerifyPlan, error) {
		plan, err := r.verify.PlanVerification(ctx, of, in.Request)
		if of.Progress.Verified != nil {
			plan.Found = of.Progress.Verified.StillDifferent
		}
		return plan, err
	})
}

// VerifyTable compares a table or view on both sides.
func (a *Activities) VerifyTable(ctx context.Context, in job.VerifyTableInput) (job.VerifiedTable, error) {
	of, err := a.Jobs.VerifyInput(ctx, in.Job, job.VerifyWanted{TableIDs: []int64{in.Target.ID}})
	if err != nil {
		return job.VerifiedTable{}, askFailed(fmt.Errorf("ask job %s for table %s: %w", in.Job, in.Target.Name, err))
	}
	var before job.Heartbeat
	if activity.HasHeartbeatDetails(ctx) {
		// What cannot be read is verified again.
		_ = activity.GetHeartbeatDetails(ctx, &before)
	}
	reached := in.Before
	if before.Verifying != nil {
		reached = before.Verifying
	}
	out, err := step(ctx, a, of, endAtOnce, func(ctx context.Context, r rooms, report func(job.Heartbeat)) (job.VerifiedTable, error) {
		hooks := verify.Hooks{
			Report: func(note string, progress job.Verifying) {
				reached = &progress
				report(job.Heartbeat{Note: note, Verifying: &progress})
			},
			CaughtUp: func(ctx context.Context) (int64, bool, error) { return a.Jobs.CaughtUp(ctx, in.Job) },
			Hold:     a.Jobs.Hold,
			Input: func(ctx context.Context) (job.StepInput, error) {
				return a.Jobs.VerifyInput(ctx, in.Job, job.VerifyWanted{TableIDs: []int64{in.Target.ID}})
			},
		}
		if reached != nil {
			hooks.Before = *reached
		}
		return r.verify.VerifyTable(ctx, of, in, hooks)
	})
	return out, withProgress(err, reached)
}

// withProgress has the error of an activity tell how far it was: the workflow gives
// that to the next one. (The server hands heartbeats on only to further attempts.)
func withProgress(err error, reached *job.Verifying) error {
	var failed *temporal.ApplicationError
	switch {
	case err == nil || reached == nil:
		return err
	case errors.Is(err, context.Canceled) || temporal.IsCanceledError(err):
		return temporal.NewCanceledError(*reached)
	case errors.As(err, &failed) && failed.NonRetryable():
		var described job.Problem
		_ = failed.Details(&described)
		return temporal.NewApplicationErrorWithOptions(failed.Message(), failed.Type(), temporal.ApplicationErrorOptions{
			NonRetryable: true, Cause: failed.Unwrap(), Details: []any{described, *reached},
		})
	}
	return err
}

// askFailed is the error of an activity that got no answer of a job. The server tries
// it again unless the job does not exist: Temporal looks at the outermost error only.
func askFailed(err error) error {
	var ends *temporal.ApplicationError
	if errors.As(err, &ends) && ends.NonRetryable() {
		return ends
	}
	return err
}
