package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

const somebody = "somebody in the Web UI"

// temporal calls the batch's Temporal for a job of the program, again while the
// process is down.
func (p *program) temporal(ctx context.Context, s *scene, do func(context.Context, client.Client, *commonpb.WorkflowExecution) error) error {
	return harness.AwaitEvery(ctx, lookEvery, p.patience, func(ctx context.Context) error {
		return p.process.running(func() error {
			c, err := client.Dial(client.Options{HostPort: p.ccr.Temporal, Logger: silent{}})
			if err != nil {
				return err
			}
			defer c.Close()
			return do(ctx, c, &commonpb.WorkflowExecution{WorkflowId: job.WorkflowID(s.job)})
		})
	})
}

// stepPaused pauses the step that a job is at in Temporal, and unpauses it after
// some statements.
func stepPaused(ctx context.Context, p *program) error {
	s, step := p.anyJob(), ""
	err := p.temporal(ctx, s, func(ctx context.Context, c client.Client, w *commonpb.WorkflowExecution) error {
		d, err := c.DescribeWorkflowExecution(ctx, w.WorkflowId, "")
		holds := slices.IndexFunc(d.GetPendingActivities(), holdsTheJob)
		if err == nil && holds < 0 {
			err = errors.New("the job is between two steps")
		}
		if err != nil {
			return err
		}
		paused := d.GetPendingActivities()[holds]
		id := paused.GetActivityId()
		_, err = c.WorkflowService().PauseActivity(ctx, &workflowservice.PauseActivityRequest{
			Namespace: client.DefaultNamespace, Execution: w, Identity: somebody, Activity: &workflowservice.PauseActivityRequest_Id{Id: id},
		})
		if err == nil {
			step = id
			p.note(fmt.Sprintf("-- paused step %s of %s, %s", id, s.job, paused.GetActivityType().GetName()))
		}
		return over(err)
	})
	if err != nil || step == "" {
		return err
	}
	if err := p.meanwhile(ctx, 8); err != nil {
		return err
	}
	if err := p.pauseTold(ctx, s, step); err != nil {
		return err
	}
	p.note("-- unpaused")
	return p.temporal(ctx, s, func(ctx context.Context, c client.Client, w *commonpb.WorkflowExecution) error {
		_, err := c.WorkflowService().UnpauseActivity(ctx, &workflowservice.UnpauseActivityRequest{
			Namespace: client.DefaultNamespace, Execution: w, Identity: somebody, Activity: &workflowservice.UnpauseActivityRequest_Id{Id: step},
		})
		return over(err)
	})
}

// holdsTheJob tells whether the job stands still while the activity is paused: looks at
// the lag and notices go on beside its steps.
func holdsTheJob(a *workflowpb.PendingActivityInfo) bool {
	name := a.GetActivityType().GetName()
	return name != job.ActivityObserveLag && name != job.ActivityNotify
}

// pauseTold waits until the job says that its step is paused, unless the step has
// ended: one that was under way may do so. Nobody would know otherwise why the job
// stands still.
func (p *program) pauseTold(ctx context.Context, s *scene, step string) error {
	return p.temporal(ctx, s, func(ctx context.Context, c client.Client, w *commonpb.WorkflowExecution) error {
		d, err := c.DescribeWorkflowExecution(ctx, w.WorkflowId, "")
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(d.GetPendingActivities(), func(a *workflowpb.PendingActivityInfo) bool { return a.GetActivityId() == step }) {
			return nil
		}
		status, err := s.ccr.Status(ctx, s.job)
		if err == nil && !strings.Contains(status.LastError.Text, "is paused in Temporal") {
			err = fmt.Errorf("step %s of job %s is paused, and the job does not say so: %+v", step, s.job, status)
		}
		return err
	})
}

// over forgives that the step has ended meanwhile.
func over(err error) error {
	if errors.As(err, new(*serviceerror.NotFound)) {
		return nil
	}
	return err
}

// silent is a log that nobody reads.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
