package worker

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/doris-ccr/ccr/job"
)

const (
	// sweepPause is the time between two looks for workflows whose process is gone.
	sweepPause = 5 * time.Minute
	// processSilence: a process renews its polls about once a minute, so one that
	// has not polled for longer is gone.
	processSilence = 2 * time.Minute
)

// sweep ends the workflows of worker processes that died: nobody else would, for a
// day, and API servers would go on asking them. A process that was only frozen
// starts its workflow again when it wakes up.
func (p *processWorker) sweep(ctx context.Context) error {
	page, err := p.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("%s AND StartTime < '%s'",
			job.RunningWorkersQuery, time.Now().Add(-processSilence).UTC().Format(time.RFC3339)),
	})
	if err != nil {
		return fmt.Errorf("list worker processes: %w", err)
	}
	for _, w := range page.GetExecutions() {
		id, run := w.GetExecution().GetWorkflowId(), w.GetExecution().GetRunId()
		gone, err := p.gone(ctx, id)
		if err != nil {
			return err
		}
		if !gone {
			continue
		}
		if err := p.client.TerminateWorkflow(ctx, id, run, "the worker process is gone"); err != nil {
			return fmt.Errorf("end workflow %s of a worker process that is gone: %w", id, err)
		}
		p.log.Info("A worker process is gone; its workflow is ended.", "workflow", id)
	}
	return nil
}

// gone tells whether nobody has polled the task queue of a process lately.
func (p *processWorker) gone(ctx context.Context, id string) (bool, error) {
	queue, err := p.client.DescribeTaskQueue(ctx, id, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return false, fmt.Errorf("look whether %s is polled: %w", id, err)
	}
	for _, poller := range queue.GetPollers() {
		if seen := poller.GetLastAccessTime(); seen == nil || time.Since(seen.AsTime()) < processSilence {
			return false, nil
		}
	}
	return true, nil
}
