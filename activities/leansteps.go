package activities

import (
	"context"

	"github.com/doris-ccr/ccr/job"
)

// The steps of jobs with many tables: those of steps.go, for inputs without the tables.
// Workers that do not know such inputs do not have these activities.

// leanSteps returns the activities of the queue job.TaskQueue for lean inputs by name.
func (a *Activities) leanSteps() map[string]any {
	return map[string]any{
		job.LeanName(job.ActivityTakeSnapshot): func(ctx context.Context, in job.Lean[job.StepInput]) (job.SnapshotTaken, error) {
			return a.takeSnapshot(ctx, wholeInput(in.Without())) // it does not need them
		},
		job.LeanName(job.ActivityRestoreSnapshot): func(ctx context.Context, in job.Lean[job.StepInput]) (job.Packed[job.SnapshotRestored], error) {
			out, err := a.restoreSnapshot(ctx, a.leanStep(in))
			return job.Pack(out), err
		},
		job.LeanName(job.ActivityFinishSnapshot): func(ctx context.Context, in job.Lean[job.StepInput]) (job.Packed[job.SnapshotFinished], error) {
			out, err := a.finishSnapshot(ctx, a.leanStep(in))
			if err == nil && out.Wanted == nil {
				a.known.put(in.Without().Spec.UID, job.KnowMapping(job.Mapping{Tables: out.Tables, Partitions: out.Partitions}))
			}
			return job.Pack(out), err
		},
		job.LeanName(job.ActivityApply): func(ctx context.Context, in job.Lean[job.ApplyInput]) (job.ApplyResult, error) {
			return a.applyBinlog(ctx, leanInput(a, in.Without().Spec.UID, in))
		},
		job.LeanName(job.ActivityApplySeveral): func(ctx context.Context, in job.Lean[job.ApplySeveralInput]) (job.ApplySeveralResult, error) {
			return a.applyBinlogs(ctx, leanInput(a, in.Without().Spec.UID, in))
		},
		job.LeanName(job.ActivityCleanUp): func(ctx context.Context, in job.Lean[job.CleanUpInput]) (job.CleanedUp, error) {
			return a.cleanUpJob(ctx, leanInput(a, in.Without().Spec.UID, in))
		},
		job.LeanName(job.ActivitySelectTables): func(ctx context.Context, in job.Lean[job.StepInput]) (job.TablesSelected, error) {
			return a.selectTables(ctx, a.leanStep(in))
		},
	}
}

// leanStreams returns those of the queue job.StreamTaskQueue.
func (a *Activities) leanStreams() map[string]any {
	return map[string]any{
		job.LeanName(job.ActivityStream): func(ctx context.Context, in job.Lean[job.StreamInput]) (job.StreamResult, error) {
			return a.streamUpserts(ctx, leanInput(a, in.Without().Spec.UID, in))
		},
	}
}

func (a *Activities) leanStep(in job.Lean[job.StepInput]) given[job.StepInput] {
	return leanInput(a, in.Without().Spec.UID, in)
}
