package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// Binlogs that follow each other, without an UPSERT between them, share a step: the intent
// of all stands in the history before anything happens, and a migration of fifty
// statements does not take a hundred turns with the server. The step tells the outcome
// of each (activities/several.go).

// together are the binlogs that may share the step of Progress.Pending. One that may have
// been applied already has a step of its own, which looks.
func (r *run) together(following []job.Binlog) []job.Binlog {
	if len(following) == 0 || r.p.Unconfirmed.Pending || !r.version(changeSeveral) {
		return nil
	}
	for i := range following {
		if r.p.Unconfirmed.Covers(&following[i]) {
			return following[:i]
		}
	}
	return following
}

// applySeveral applies the pending binlog and those that follow. Whatever comes of it, the
// stream brings again what was not applied.
func (r *run) applySeveral() {
	in := job.ApplySeveralInput{ApplyInput: job.ApplyInput{StepInput: r.input()}, Following: r.following}
	all := in.Binlogs()
	last := all[len(all)-1]
	o := r.settings.activityOptions(fmt.Sprintf("apply %s, seq %d, and %d more up to %d", describe(all[0]), all[0].CommitSeq, len(all)-1, last.CommitSeq), applyTimeout)
	// It is told to stop at once, and finishes the binlog under way by itself.
	out, err := executeStep[job.ApplySeveralResult](r, o, 0, job.ActivityApplySeveral, in)
	r.following = nil
	if err != nil {
		out = lastOutcomes(err)
	}
	next := r.appliedSeveral(all, out.Outcomes)
	switch {
	case next == nil:
	case err != nil:
		// It may have come further than it has told.
		r.p.Unconfirmed.Through = last.CommitSeq
		r.pend(next)
		r.stepFailed(err, "apply "+describe(next))
	case out.Failed != nil:
		r.pend(next)
		r.p.Unconfirmed.Pending = true
		r.reportProblem(*out.Failed)
	case out.Unknown:
		r.pend(next)
		r.p.Unconfirmed.Pending = true
	}
}

// appliedSeveral notes the outcomes of the first binlogs. It returns the one behind them,
// nil if there is none, or if the job does something else now.
func (r *run) appliedSeveral(all []*job.Binlog, outcomes []job.ApplyResult) *job.Binlog {
	for i, b := range all {
		if i == len(outcomes) {
			return b
		}
		r.pend(b)
		r.applied(b, outcomes[i])
		if r.p.Phase != job.PhaseStream {
			return nil
		}
	}
	return nil
}

// lastOutcomes are those that a step told of which has ended without a result.
func lastOutcomes(err error) job.ApplySeveralResult {
	var timeout *temporal.TimeoutError
	if !errors.As(err, &timeout) || !timeout.HasLastHeartbeatDetails() {
		return job.ApplySeveralResult{}
	}
	told, err := job.ReadHeartbeat(timeout.LastHeartbeatDetails)
	if err != nil {
		return job.ApplySeveralResult{}
	}
	return job.ApplySeveralResult{Outcomes: told.Outcomes}
}
