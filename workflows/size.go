package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// The state of a job travels as a payload. Temporal ends a workflow that hands over
// a payload above its limit, and the job would end with it. So a state that may be
// too large is measured before anything is scheduled with it.

// DefaultPayloadLimit is how large a state may be, in bytes. It is the default of
// Temporal's limit.blobSize.error, 2 MiB, less what else is in an input.
const DefaultPayloadLimit = 2<<20 - 64<<10

// measureAbove is how many entries a state has at least before it is measured:
// with fewer it is far below the limit, whatever they hold, and measuring costs
// an event.
const measureAbove = 20_000

// measured is what is recorded: sizes and settings differ between workers.
type measured struct {
	// Size of the encoded state and Limit, both in bytes.
	Size, Limit int
}

const remedyTooLarge = "raise limit.blobSize.error in Temporal's dynamic configuration and --temporal-payload-limit of the workers, then resume; or delete the job and replicate in several jobs with include_tables"

// growth is by which part a state has grown before it is measured again, where it does
// not travel with each step.
const growth = 10

// tooLarge tells whether the state is too large to be handed on, and makes that a
// problem of the job. The loop asks before each step and before a new run.
func (r *run) tooLarge() bool {
	entries := r.mapped() + len(r.p.AppliedBeyond) + len(r.p.Awaited)
	if r.p.Phase == job.PhaseDeleting {
		return false
	}
	if all := entries + r.inSnapshot(); all >= measureAbove && r.many(r.mapped()+r.inSnapshot()) {
		// Steps have the digest of it only. The whole state travels to a new run, and to
		// a worker that does not have the tables.
		if !r.oversized && !r.mustContinueAsNew() && all < r.measured+r.measured/growth {
			return false
		}
		entries, r.measured = all, all
	}
	if entries < measureAbove || !r.version(changePayloadSize) {
		return false
	}
	var m measured
	_, in := r.nextRun() // holds all that the input of a step does
	recorded := workflow.SideEffect(r.ctx, func(workflow.Context) any { return r.settings.inContext(r.ctx).measure(in) })
	err := recorded.Get(&m)
	r.oversized = err == nil && m.Size > m.Limit
	if !r.oversized {
		return false
	}
	r.reportProblem(job.Problem{
		Kind: job.KindNormal,
		Text: fmt.Sprintf("the job's state has %d bytes, more than the %d that Temporal takes: nothing can be done with it any more (%d tables, %d partitions)",
			m.Size, m.Limit, len(r.p.Tables), len(r.p.Partitions)),
		Remedy: remedyTooLarge,
	})
	return true
}

// payloadLimit is how large a payload may be, in bytes.
func (w Workflow) payloadLimit() int {
	if w.PayloadLimit <= 0 {
		return DefaultPayloadLimit
	}
	return w.PayloadLimit
}

// inContext is w for values that are encoded by a workflow.
func (w Workflow) inContext(ctx workflow.Context) Workflow {
	if aware, ok := w.DataConverter.(workflow.ContextAware); ok {
		w.DataConverter = aware.WithWorkflowContext(ctx)
	}
	return w
}

// measure encodes a value as it travels.
func (w Workflow) measure(value any) measured {
	m := measured{Limit: w.payloadLimit()}
	if w.DataConverter == nil {
		return m
	}
	payload, err := w.DataConverter.ToPayload(value)
	if err == nil {
		m.Size = payload.Size()
	}
	return m
}
