package apiserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// shortWorkflow is a workflow of one step that changes nothing, for somebody who waits:
// worker processes know how to talk to Doris, this one does not.
type shortWorkflow struct {
	kind    string // its type
	prefix  string // of its id
	summary string
	// timeout bounds a run whose caller has gone.
	timeout time.Duration
}

// shortWatch is how often a short workflow without result is looked at: whether there is
// nobody who can run it.
const shortWatch = time.Second

// run has a worker process run a short workflow, and waits for its result.
func (j *jobs) run(ctx context.Context, w shortWorkflow, in, out any) error {
	workers, cancel := context.WithTimeout(ctx, j.try)
	defer cancel()
	if err := j.awaitWorker(workers); err != nil {
		return err
	}
	id, err := randomHex(8)
	if err != nil {
		return err
	}
	run, err := j.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: w.prefix + id, TaskQueue: job.TaskQueue, WorkflowExecutionTimeout: w.timeout, StaticSummary: w.summary,
	}, w.kind, in)
	if err != nil {
		return j.explain(ctx, fmt.Errorf("start it: %w", err))
	}
	if err := j.awaitShort(ctx, run, w.kind, out); err != nil {
		return j.explain(ctx, err)
	}
	return nil
}

// awaitShort waits for the result of a short workflow for as long as there may be somebody
// who can run it.
func (j *jobs) awaitShort(ctx context.Context, run client.WorkflowRun, kind string, out any) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run.Get(waiting, out) }()
	watch := time.NewTicker(shortWatch)
	defer watch.Stop()
	for {
		select {
		case err := <-ended:
			var failed *temporal.ApplicationError
			if errors.As(err, &failed) && failed.Type() == "ActivityNotRegisteredError" {
				return oldWorkers(kind)
			}
			return err
		case <-watch.C:
			if !j.unknownToWorkers(ctx, run.GetID()) {
				continue
			}
			cancel()
			<-ended
			// Else workers would be asked again and again until it is over.
			if err := j.client.TerminateWorkflow(ctx, run.GetID(), run.GetRunID(), "no worker knows it"); err != nil {
				j.log.Debug("a workflow that no worker knows goes on until it times out", "workflow", run.GetID(), "error", err)
			}
			return oldWorkers(kind)
		}
	}
}

func oldWorkers(kind string) error {
	return fmt.Errorf("%w: they do not know %s, which is newer than they are; upgrade the workers", errOldWorkers, kind)
}

// unknownToWorkers tells whether workers have refused a workflow because they do not know its type, more
// often than one old worker among newer ones would be asked.
func (j *jobs) unknownToWorkers(ctx context.Context, id string) bool {
	d, err := j.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil || d.GetPendingWorkflowTask().GetAttempt() < failingAttempts {
		return false
	}
	// The text is the only sign that a worker gives.
	return strings.Contains(j.taskFailure(ctx, id), "unable to find workflow type")
}
