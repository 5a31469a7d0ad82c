package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/doris-ccr/ccr/job"
)

// jobs reaches the workflows of jobs by name.
type jobs struct {
	client    client.Client
	namespace string
	converter converter.DataConverter
	log       *slog.Logger
	lags      lagCache
	// try is how long one question waits for its answer before it is asked anew
	// (pollThroughFailover).
	try     time.Duration
	workers workerClients
}

// pollerMaxAge: a worker renews its polls about once a minute, so one that has
// not been seen for longer is gone.
const pollerMaxAge = 2 * time.Minute

// workerSilence: a worker whose last heartbeat is older may be gone. It is the
// default heartbeat timeout.
const workerSilence = 10 * time.Second

// query asks an open workflow and decodes the answer into out. It waits for a
// workflow that has only just started. errUnknownJob if there is none.
func (j *jobs) query(ctx context.Context, name, query string, out any) error {
	if !job.NameAllowed(name) {
		return errUnknownJob
	}
	err := j.pollThroughFailover(ctx, name, func(ctx context.Context) (bool, error) {
		resp, err := j.client.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
			WorkflowID: job.WorkflowID(name),
			QueryType:  query,
			// A closed workflow answers queries, too: its job is gone.
			QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
		})
		var notReady *serviceerror.WorkflowNotReady
		switch {
		// The text is the only sign that the server gives.
		case errors.As(err, &notReady) && strings.Contains(notReady.Message, "failed state"):
			return false, errTaskFails
		case errors.As(err, &notReady):
			return false, nil
		case missing(err):
			return false, errUnknownJob
		case err != nil:
			return false, err
		case resp.QueryRejected.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
			return false, errPaused // open, and not asked
		case resp.QueryRejected != nil:
			return false, errUnknownJob
		}
		return true, resp.QueryResult.Get(out)
	})
	if err == nil || errors.Is(err, errUnknownJob) {
		return err
	}
	return fmt.Errorf("ask job %s for %s: %w", name, query, err)
}

// pollThroughFailover polls f for the time of one try, and again, until ctx is over.
// When a server of a Temporal cluster dies, the others need up to ten seconds to
// take over what it served. A question that is already on its way to the dead one
// may never be answered. pollThroughFailover gives up after one try if no Temporal
// server can be reached, or if no worker runs that could answer for the job.
func (j *jobs) pollThroughFailover(ctx context.Context, name string, f func(context.Context) (bool, error)) error {
	for {
		try, cancel := context.WithTimeout(ctx, j.try)
		err := poll(try, f)
		cancel()
		if err == nil || !mayPass(err) {
			return err
		}
		err = j.explain(ctx, err)
		if ctx.Err() != nil || errors.Is(err, errTemporalDown) || errors.Is(err, errNoWorker) && !j.workerAlive(ctx, name) {
			return err
		}
	}
}

// mayPass tells whether a failure may be due to a Temporal server that died, and end
// when others have taken over from it.
func mayPass(err error) bool {
	var (
		unavailable  *serviceerror.Unavailable
		precondition *serviceerror.FailedPrecondition // no worker has polled
	)
	return timedOut(err) || errors.As(err, &unavailable) || errors.As(err, &precondition)
}

// workerAlive tells whether a worker has sent a heartbeat for the job just now. What
// Temporal says of polls is not true right after a failover of its servers.
func (j *jobs) workerAlive(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	step, found := j.pending(ctx, name)
	return found && time.Since(step.report.At) < workerSilence
}

// explain finds out why a call took too long or was refused for the state of the
// server, if it can: Temporal itself, or no worker.
func (j *jobs) explain(ctx context.Context, err error) error {
	var precondition *serviceerror.FailedPrecondition
	if !timedOut(err) && !errors.As(err, &precondition) {
		return err
	}
	// ctx may be over already; the questions are short.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if _, healthErr := j.client.CheckHealth(ctx, &client.CheckHealthRequest{}); healthErr != nil {
		// Not wrapped: a timeout of this call is not one of the caller's.
		return fmt.Errorf("%w: %v", errTemporalDown, healthErr)
	}
	if working, askErr := j.workerRunning(ctx); askErr == nil && !working {
		return j.noWorker()
	}
	if dead := j.workers.dead(ctx); dead > 0 {
		return fmt.Errorf("%w: all that polled the task queue %q of namespace %q lately, %d of them, are dead or hang; start one with \"ccr worker\" or \"ccr server\"",
			errNoWorker, job.TaskQueue, j.namespace, dead)
	}
	return err
}

// noWorker says what to do about errNoWorker.
func (j *jobs) noWorker() error {
	return fmt.Errorf("%w: nobody polls the task queue %q of namespace %q; start one with \"ccr worker\" or \"ccr server\"",
		errNoWorker, job.TaskQueue, j.namespace)
}

// workerRunning tells whether a worker has polled for workflow tasks lately.
func (j *jobs) workerRunning(ctx context.Context) (bool, error) {
	n, err := j.pollers(ctx, job.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	return n > 0, err
}

// pollers counts the workers that have polled a task queue lately.
func (j *jobs) pollers(ctx context.Context, queue string, kind enumspb.TaskQueueType) (int, error) {
	resp, err := j.client.DescribeTaskQueue(ctx, queue, kind)
	if err != nil {
		return 0, fmt.Errorf("look for workers: %w", err)
	}
	n := 0
	for _, p := range resp.GetPollers() {
		if seen := p.GetLastAccessTime(); seen == nil || time.Since(seen.AsTime()) < pollerMaxAge {
			n++
		}
	}
	return n, nil
}

// awaitWorker waits until a worker polls, or until ctx is done.
func (j *jobs) awaitWorker(ctx context.Context) error {
	if err := poll(ctx, j.workerRunning); err != nil {
		return j.explain(ctx, err)
	}
	return nil
}

// open tells whether the job exists, whatever workers do.
func (j *jobs) open(ctx context.Context, name string) (bool, error) {
	if !job.NameAllowed(name) {
		return false, nil
	}
	d, err := j.client.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for job %s: %w", name, j.explain(ctx, err))
	}
	return isOpen(d), nil
}

func isOpen(d *workflowservice.DescribeWorkflowExecutionResponse) bool {
	switch d.GetWorkflowExecutionInfo().GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED,
		enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return true
	}
	return false
}

// Intervals of poll: short at first, since most things happen within
// milliseconds, then sparing the server.
const (
	pollFirst = 10 * time.Millisecond
	pollMost  = 100 * time.Millisecond
)

// poll calls f until it says that it is done, fails, or ctx is over.
func poll(ctx context.Context, f func(context.Context) (bool, error)) error {
	for wait := pollFirst; ; wait = min(wait*2, pollMost) {
		done, err := f(ctx)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
