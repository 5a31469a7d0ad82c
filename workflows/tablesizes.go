package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// DescribeTables is the workflow of a look at the sizes of a job's tables: one activity
// that changes nothing.
func DescribeTables(ctx workflow.Context, wanted job.TableSizesWanted) (job.TableSizes, error) {
	o := workflow.ActivityOptions{
		TaskQueue:              job.TaskQueue,
		ScheduleToCloseTimeout: describeTimeout,
		StartToCloseTimeout:    describeTimeout,
		HeartbeatTimeout:       DefaultHeartbeatTimeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 2},
		Summary:                summaryOf("look at the tables of " + wanted.Job),
	}
	var sizes job.TableSizes
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), job.ActivityDescribeTables, wanted).Get(ctx, &sizes)
	return sizes, err
}
