package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// never is the grace of an activity that no command interrupts.
const never = time.Duration(-1)

// execute runs one activity and waits for its result. A command that needs the
// job to stand still interrupts it after grace, as does a history that has
// grown too long. Every step can be interrupted, because every step can be
// started again; an interrupted one may still return its result.
func execute[T any](r *run, o workflow.ActivityOptions, grace time.Duration, name string, in any) (T, error) {
	ctx, cancel := workflow.WithCancel(workflow.WithActivityOptions(r.ctx, o))
	defer cancel()
	future := workflow.ExecuteActivity(ctx, name, in)
	if grace != never {
		r.awaitStep(future, grace, cancel)
	}
	var out T
	err := future.Get(r.ctx, &out)
	return out, err
}

// awaitStep waits until the step is over or has been told to stop.
func (r *run) awaitStep(step workflow.Future, grace time.Duration, cancel func()) {
	for !step.IsReady() {
		// r.ctx is never cancelled, so waiting does not fail.
		_ = workflow.Await(r.ctx, func() bool {
			return step.IsReady() || r.inbox.unread() || workflow.GetInfo(r.ctx).GetContinueAsNewSuggested()
		})
		if step.IsReady() {
			return
		}
		r.inbox.read()
		r.handleImmediateCommands()
		if len(r.inbox.queue) == 0 && !workflow.GetInfo(r.ctx).GetContinueAsNewSuggested() {
			continue
		}
		if grace > 0 {
			_, _ = workflow.AwaitWithTimeout(r.ctx, grace, step.IsReady)
		}
		if !step.IsReady() {
			cancel()
		}
		return
	}
}

// awaitCommand waits for a command, or for the history to grow too long.
func (r *run) awaitCommand() {
	_ = workflow.Await(r.ctx, r.shouldWake)
}

// delay is how long the next step has to wait after a failure.
func (r *run) delay() time.Duration {
	if r.notBefore.IsZero() {
		return 0
	}
	return r.notBefore.Sub(r.now())
}

// awaitNextTry waits until the next try is due; a command ends the wait.
func (r *run) awaitNextTry() {
	summary := "a new try"
	if r.p.Problem != nil {
		summary = "try again after: " + r.p.Problem.Text
	}
	_, _ = workflow.AwaitWithOptions(r.ctx, workflow.AwaitOptions{
		Timeout:      r.delay(),
		TimerOptions: workflow.TimerOptions{Summary: summaryOf(summary)},
	}, r.shouldWake)
}

// shouldWake ends a wait: a command has arrived, or the history has grown too long.
func (r *run) shouldWake() bool {
	return r.inbox.pending() || workflow.GetInfo(r.ctx).GetContinueAsNewSuggested()
}

// interrupted tells the result of a step that was stopped before it finished:
// nothing is known, everything can be done again.
func interrupted(err error) bool { return temporal.IsCanceledError(err) }
