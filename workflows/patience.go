package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

const (
	// impatientTries is how many tries in a row the workflow makes itself: as many
	// as there are different pauses between them (backoff). People see the history
	// of how a trouble began.
	impatientTries = 6
	// patience is how many tries it then leaves to the server at once, an hour's
	// worth: an attempt of an activity costs no event, a try by the workflow a
	// dozen (activities/patience.go).
	patience = 120
)

// patiently is the input of a step with which a stalled job tries to go on, and
// sets the options that belong to it.
func (r *run) patiently(o *workflow.ActivityOptions) job.StepInput {
	in := r.input()
	if p := r.p.Problem; p == nil || p.Tries < impatientTries || !r.version(changePatience) {
		return in
	}
	r.patient = true
	in.Patience = patience
	if retries := *o.RetryPolicy; retries.MaximumAttempts > 0 {
		retries.MaximumAttempts += patience
		o.RetryPolicy = &retries
	}
	return in
}
