package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

const (
	// workflowTries is how many tries in a row the workflow makes itself: as many
	// as there are different pauses between them (backoff). The history then shows
	// people how a problem began.
	workflowTries = 6
	// serverRetryLimit is how many tries the workflow then leaves to the server at
	// once, an hour's worth. An attempt of an activity costs no event, a try by the
	// workflow a dozen (activities/serverretries.go).
	serverRetryLimit = 120
)

// retriedInput is the input of a step. If the job has been stalled for a while, the
// server may try the step again, and o is changed so that it does.
func (r *run) retriedInput(o *workflow.ActivityOptions) job.StepInput {
	in := r.input()
	if p := r.p.Problem; p == nil || p.Tries < workflowTries || !r.version(changePatience) {
		return in
	}
	r.serverRetries = true
	in.ServerRetries = serverRetryLimit
	if retries := *o.RetryPolicy; retries.MaximumAttempts > 0 {
		retries.MaximumAttempts += serverRetryLimit
		o.RetryPolicy = &retries
	}
	return in
}
