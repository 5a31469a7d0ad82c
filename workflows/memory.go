package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// Memory is told how each job is whose workflow this process has in memory, so that
// the process can answer for all of them at once. A query would ask one job, and cost
// the server milliseconds. Nothing flows back: the workflow does not depend on it.
type Memory interface {
	// Remember replaces what the owner has told of its job before. lag is what the
	// job's source can be asked with (job.QueryLagInput).
	Remember(owner any, known job.RunKnown, lag job.StepInput)
	// Forget is called when the process does not have the workflow any more. Another
	// owner may have told of the same job meanwhile.
	Forget(owner any, name string)
}

// keepRemembered tells the memory of each change, for as long as this process has the
// run. The condition of an Await is looked at whenever anything may have changed, and
// after all else has come to rest.
func (r *run) keepRemembered(ctx workflow.Context) {
	_ = workflow.Await(ctx, func() bool {
		r.settings.Memory.Remember(r, r.known(), r.lagInput())
		return false
	})
}

// forget is deferred: the SDK runs deferred functions also of a run that it drops from
// its cache.
func (r *run) forget() {
	if r.settings.Memory != nil {
		r.settings.Memory.Forget(r, r.spec.Name)
	}
}

// known is a copy that nobody changes any more: what a status refers to is replaced,
// never changed.
func (r *run) known() job.RunKnown {
	info := workflow.GetInfo(r.ctx)
	k := job.RunKnown{RunID: info.WorkflowExecution.RunID, Events: info.GetCurrentHistoryLength(), Status: r.status(), Spec: r.detail()}
	k.Status.Outcomes = nil // for those who have given a command, and ask the job
	if r.streaming {
		k.Shift = r.shifts
	}
	return k
}
