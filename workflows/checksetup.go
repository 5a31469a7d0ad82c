package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// setupTimeout bounds check_ccr as a whole: somebody waits for it.
const setupTimeout = 2 * time.Minute

// CheckSetup is the workflow of check_ccr: one activity that changes nothing.
func CheckSetup(ctx workflow.Context, spec job.Spec) (job.CheckReport, error) {
	o := workflow.ActivityOptions{
		TaskQueue:              job.TaskQueue,
		ScheduleToCloseTimeout: setupTimeout,
		StartToCloseTimeout:    setupTimeout,
		HeartbeatTimeout:       DefaultHeartbeatTimeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 2},
		Summary:                summaryOf("check " + spec.Source.Database + " and " + spec.Destination.Database),
	}
	var report job.CheckReport
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), job.ActivityCheckSetup, job.StepInput{Spec: spec}).Get(ctx, &report)
	return report, err
}
