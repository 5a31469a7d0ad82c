package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// describeTimeout bounds a look at two clusters as a whole: somebody waits for it.
const describeTimeout = 30 * time.Second

// DescribeClusters is the workflow of a look at the clusters of a job: one activity that
// changes nothing.
func DescribeClusters(ctx workflow.Context, wanted job.ClustersWanted) (job.ClustersSeen, error) {
	o := workflow.ActivityOptions{
		TaskQueue:              job.TaskQueue,
		ScheduleToCloseTimeout: describeTimeout,
		StartToCloseTimeout:    describeTimeout,
		HeartbeatTimeout:       DefaultHeartbeatTimeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 2},
		Summary:                summaryOf("look at the clusters of " + wanted.Job),
	}
	var seen job.ClustersSeen
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), job.ActivityDescribeClusters, wanted).Get(ctx, &seen)
	return seen, err
}
