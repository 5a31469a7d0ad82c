package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// CheckChange is the workflow that tries a change of a job before the job is told: one
// activity that changes nothing.
func CheckChange(ctx workflow.Context, in job.ChangeCheck) (job.ChangeChecked, error) {
	o := workflow.ActivityOptions{
		TaskQueue:              job.TaskQueue,
		ScheduleToCloseTimeout: setupTimeout,
		StartToCloseTimeout:    setupTimeout,
		HeartbeatTimeout:       DefaultHeartbeatTimeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 2},
		Summary:                summaryOf("try a change of job " + in.Spec.Name),
	}
	var checked job.ChangeChecked
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), job.ActivityCheckChange, in).Get(ctx, &checked)
	return checked, err
}
