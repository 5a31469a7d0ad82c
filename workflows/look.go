package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// Bounds of the short workflows as a whole: somebody waits for their results.
const (
	describeTimeout = 30 * time.Second // of a look at clusters
	setupTimeout    = 2 * time.Minute  // of checks
)

// look is a short workflow: one activity that changes nothing, for somebody who waits.
func look[Out any](ctx workflow.Context, activity string, in any, timeout time.Duration, summary string) (Out, error) {
	o := workflow.ActivityOptions{
		TaskQueue:              job.TaskQueue,
		ScheduleToCloseTimeout: timeout,
		StartToCloseTimeout:    timeout,
		HeartbeatTimeout:       DefaultHeartbeatTimeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 2},
		Summary:                summaryOf(summary),
	}
	var out Out
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), activity, in).Get(ctx, &out)
	return out, err
}

// DescribeClusters is the workflow of a look at the clusters of a job.
func DescribeClusters(ctx workflow.Context, wanted job.ClustersWanted) (job.ClustersSeen, error) {
	return look[job.ClustersSeen](ctx, job.ActivityDescribeClusters, wanted, describeTimeout, "look at the clusters of "+wanted.Job)
}

// DescribeTables is the workflow of a look at the sizes of a job's tables.
func DescribeTables(ctx workflow.Context, wanted job.TableSizesWanted) (job.TableSizes, error) {
	return look[job.TableSizes](ctx, job.ActivityDescribeTables, wanted, describeTimeout, "look at the tables of "+wanted.Job)
}

// DescribeBinlogs is the workflow of a look at the binlogs that a job has still to handle.
func DescribeBinlogs(ctx workflow.Context, wanted job.BinlogsWanted) (job.BinlogsAhead, error) {
	return look[job.BinlogsAhead](ctx, job.ActivityDescribeBinlogs, wanted, describeTimeout, "look at the next binlogs of "+wanted.Job)
}

// CheckSetup is the workflow of check_ccr.
func CheckSetup(ctx workflow.Context, spec job.Spec) (job.CheckReport, error) {
	return look[job.CheckReport](ctx, job.ActivityCheckSetup, job.StepInput{Spec: spec}, setupTimeout,
		"check "+spec.Source.Database+" and "+spec.Destination.Database)
}

// CheckChange is the workflow that tries a change of a job before the job is told.
func CheckChange(ctx workflow.Context, in job.ChangeCheck) (job.ChangeChecked, error) {
	return look[job.ChangeChecked](ctx, job.ActivityCheckChange, in, setupTimeout, "try a change of job "+in.Spec.Name)
}
