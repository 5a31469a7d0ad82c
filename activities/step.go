package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// atStop says what a step does when its worker is asked to stop.
type atStop int

const (
	// endAtOnce: the step ends at once and another worker goes on with it. For
	// steps that mostly wait for Doris.
	endAtOnce atStop = iota
	// finishFirst: the step uses the worker's grace period. For steps that
	// change something, where ending early leaves the outcome unknown.
	finishFirst
)

var errWorkerStopping = errors.New("the worker is stopping")

// step runs one step with everything around it: a first heartbeat before any
// side effect, so that a stale attempt ends here (temporal-measured.md 5), heartbeats
// until it is over, and its error in the form that the workflow reads.
func step[T any](ctx context.Context, a *Activities, in job.StepInput, stop atStop,
	do func(context.Context, rooms, func(job.Heartbeat)) (T, error),
) (T, error) {
	var none T
	activity.RecordHeartbeat(ctx, job.Heartbeat{At: time.Now()})
	if ctx.Err() != nil {
		return none, failure(ctx, in, ctx.Err())
	}
	// The first heartbeat was answered, or the context would be cancelled.
	ofActivity := ctx
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	beats := a.stepHeartbeater(ofActivity, end)
	report := func(b job.Heartbeat) {
		beats.report(b)
		if ofActivity.Err() == nil {
			beats.repeat(ctx) // at once, if the throttle allows it
		}
	}
	var beside sync.WaitGroup
	beside.Go(func() { beats.run(ctx) })
	if stop == endAtOnce {
		beside.Go(func() { cancelAtStop(ctx, end) })
	}
	out, err := guard(a.log.With("job", in.Spec.Name), job.StepName(activity.GetInfo(ctx).ActivityType.Name), func() (T, error) {
		r, err := a.connect(in.Spec)
		if err != nil {
			return none, err
		}
		defer r.Close()
		r.Guard(beats.mayAct)
		return do(ctx, r, report)
	})
	if err != nil {
		err = failure(ctx, in, err)
	}
	end(nil)
	beside.Wait()
	return out, err
}

// cancelAtStop ends the step when its worker stops.
func cancelAtStop(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		cancel(errWorkerStopping)
	case <-ctx.Done():
	}
}

// errPanicked: nobody knows how far the step has come.
var errPanicked = errors.New("internal error")

// guard turns a panic into an error, so that it becomes the job's problem and
// does not end a process with a thousand other jobs.
func guard[T any](log *slog.Logger, name string, do func() (T, error)) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("A step panicked.", "step", name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w in %s: %v", errPanicked, name, p)
		}
	}()
	return do()
}

// failure makes the error that an activity returns.
//
//   - Cancelled: the context's error, which the server knows as such.
//   - The worker is stopping: retryable, another worker goes on.
//   - Anything else is not retryable: the workflow learns of it at once, shows
//     it and tries again itself. The details hold the job.Problem. But see
//     serverretries.go.
func failure(ctx context.Context, in job.StepInput, err error) error {
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		if errors.Is(cause, errWorkerStopping) || errors.Is(cause, worker.ErrWorkerShutdown) {
			return temporal.NewApplicationError(errWorkerStopping.Error(), job.ErrorTypeWorkerStopping)
		}
		return ctx.Err()
	}
	described := describeError(err)
	kind := string(described.Kind)
	var refusal *problem.Refusal
	if errors.As(err, &refusal) {
		kind = job.ErrorTypeRefused
	} else if serverRetries(ctx, in, described) {
		return retryByServer(described)
	}
	described = withAttempts(ctx, in, described)
	return temporal.NewApplicationErrorWithOptions(described.Text, kind, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Details:      []any{described},
	})
}

// describeError describes an error for people.
func describeError(err error) job.Problem {
	kind, _ := problem.Classify(err)
	remedy := problem.Remedy(err)
	if isKeyError(err) {
		kind, remedy = job.KindNormal, "give every worker and API server the same secret key"
	}
	if errors.Is(err, errTablesUnknown) {
		kind, remedy = job.KindRPC, remedyTablesUnknown
	}
	return job.Problem{Text: problem.Text(err), Kind: kind, Remedy: remedy}
}
