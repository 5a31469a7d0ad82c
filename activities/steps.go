package activities

import (
	"context"
	"errors"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// CheckJob runs the first checks and resolves ids. A refusal is an application
// error of type job.ErrorTypeRefused with the exact text.
func (a *Activities) CheckJob(ctx context.Context, in job.StepInput) (job.Checked, error) {
	return step(ctx, a, in, endAtOnce, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.Checked, error) {
		return r.preflight.Check(ctx)
	})
}

// CheckSetup looks at everything that a job needs and changes nothing.
func (a *Activities) CheckSetup(ctx context.Context, in job.StepInput) (job.CheckReport, error) {
	return step(ctx, a, in, endAtOnce, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.CheckReport, error) {
		return r.preflight.CheckSetup(ctx)
	})
}

// CheckChange tries a change of a job at the clusters that it is about, and changes
// nothing. The password of the other side need not be readable: its key may be lost.
func (a *Activities) CheckChange(ctx context.Context, in job.ChangeCheck) (job.ChangeChecked, error) {
	if !in.Source && !in.Moved() {
		in.Spec.Source.Password = ""
	}
	if !in.Destination && !in.Moved() {
		in.Spec.Destination.Password = ""
	}
	return step(ctx, a, job.StepInput{Spec: in.Spec}, endAtOnce, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.ChangeChecked, error) {
		checked, err := r.preflight.CheckChange(ctx, in)
		var refusal *problem.Refusal
		if errors.As(err, &refusal) {
			checked.Refused = refusal.Error()
			return checked, nil
		}
		return checked, err
	})
}

// TakeSnapshot makes the backup, or finds the one that an earlier attempt made.
func (a *Activities) TakeSnapshot(ctx context.Context, in job.StepInput) (job.SnapshotTaken, error) {
	return a.takeSnapshot(ctx, wholeInput(in))
}

func (a *Activities) takeSnapshot(ctx context.Context, g given[job.StepInput]) (job.SnapshotTaken, error) {
	return step(ctx, a, g.without, endAtOnce, func(ctx context.Context, r rooms, report func(job.Heartbeat)) (job.SnapshotTaken, error) {
		in, err := g.whole(ctx)
		if err != nil {
			return job.SnapshotTaken{}, err
		}
		return r.snapshot.TakeSnapshot(ctx, in, report)
	})
}

// RestoreSnapshot restores the backup on the destination, or finds the restore
// that an earlier attempt started.
func (a *Activities) RestoreSnapshot(ctx context.Context, in job.StepInput) (job.SnapshotRestored, error) {
	return a.restoreSnapshot(ctx, wholeInput(in))
}

func (a *Activities) restoreSnapshot(ctx context.Context, g given[job.StepInput]) (job.SnapshotRestored, error) {
	return step(ctx, a, g.without, endAtOnce, func(ctx context.Context, r rooms, report func(job.Heartbeat)) (job.SnapshotRestored, error) {
		in, err := g.whole(ctx)
		if err != nil {
			return job.SnapshotRestored{}, err
		}
		return r.snapshot.RestoreSnapshot(ctx, in, report)
	})
}

// FinishSnapshot swaps aliases in and reads the new ids.
func (a *Activities) FinishSnapshot(ctx context.Context, in job.StepInput) (job.SnapshotFinished, error) {
	return a.finishSnapshot(ctx, wholeInput(in))
}

func (a *Activities) finishSnapshot(ctx context.Context, g given[job.StepInput]) (job.SnapshotFinished, error) {
	return step(ctx, a, g.without, finishFirst, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.SnapshotFinished, error) {
		in, err := g.whole(ctx)
		if err != nil {
			return job.SnapshotFinished{}, err
		}
		return r.snapshot.FinishSnapshot(ctx, in)
	})
}

// ApplyBinlog applies one binlog that is not an UPSERT.
func (a *Activities) ApplyBinlog(ctx context.Context, in job.ApplyInput) (job.ApplyResult, error) {
	return a.applyBinlog(ctx, wholeInput(in))
}

func (a *Activities) applyBinlog(ctx context.Context, g given[job.ApplyInput]) (job.ApplyResult, error) {
	known := g.without
	unknown := known.OutcomeUnknown || outcomeUnknown(ctx)
	out, err := step(ctx, a, known.StepInput, finishFirst, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.ApplyResult, error) {
		if err := a.failpoints.At(known.Spec.Name, failpoint.HandleBinlog); err != nil {
			return job.ApplyResult{Problem: problemAt(err, known.Progress.Pending)}, nil
		}
		in, err := g.whole(ctx)
		if err != nil {
			return job.ApplyResult{}, err
		}
		in.OutcomeUnknown = unknown
		return r.ddl.Apply(ctx, in)
	})
	if err == nil && out.Problem == nil {
		a.changed(known.Spec.UID, g.digest, out.Tables)
	}
	if err != nil || out.Problem == nil {
		return out, err
	}
	if serverRetries(ctx, known.StepInput, *out.Problem) {
		if out.Problem.Kind != job.KindRPC { // a broken connection is no answer
			recordAnswer(ctx, *out.Problem)
		}
		return job.ApplyResult{}, retryByServer(*out.Problem)
	}
	*out.Problem = withAttempts(ctx, known.StepInput, *out.Problem)
	return out, nil
}

// problemAt is an error at a binlog as the job's problem.
func problemAt(err error, b *job.Binlog) *job.Problem {
	if b == nil {
		b = &job.Binlog{}
	}
	return problem.Of(err, b.CommitSeq, b.Type)
}

// ObserveLag asks the source how far the job is behind.
func (a *Activities) ObserveLag(ctx context.Context, in job.StepInput) (binlog.Lag, error) {
	return step(ctx, a, in, endAtOnce, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (binlog.Lag, error) {
		return r.stream.Lag(ctx, in)
	})
}

// SelectTables looks which tables the job's filter selects and does not have yet.
func (a *Activities) SelectTables(ctx context.Context, in job.StepInput) (job.TablesSelected, error) {
	return a.selectTables(ctx, wholeInput(in))
}

func (a *Activities) selectTables(ctx context.Context, g given[job.StepInput]) (job.TablesSelected, error) {
	return step(ctx, a, g.without, endAtOnce, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.TablesSelected, error) {
		in, err := g.whole(ctx)
		if err != nil {
			return job.TablesSelected{}, err
		}
		return r.snapshot.SelectTables(ctx, in)
	})
}

// CleanUpJob removes what a deleted job has under way, or sets is_being_synced
// for one that goes on.
func (a *Activities) CleanUpJob(ctx context.Context, in job.CleanUpInput) (job.CleanedUp, error) {
	return a.cleanUpJob(ctx, wholeInput(in))
}

func (a *Activities) cleanUpJob(ctx context.Context, g given[job.CleanUpInput]) (job.CleanedUp, error) {
	return step(ctx, a, g.without.StepInput, finishFirst, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.CleanedUp, error) {
		in, err := g.whole(ctx)
		if err != nil {
			return job.CleanedUp{}, err
		}
		return r.snapshot.CleanUp(ctx, in)
	})
}
