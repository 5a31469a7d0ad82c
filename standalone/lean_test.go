package standalone_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/standalone/temporalserver"
	"github.com/doris-ccr/ccr/worker"
	"github.com/doris-ccr/ccr/workflows"
)

// A worker of an earlier release beside one of this: it never runs a step whose input
// lacks the tables, nor ends a job whose state it cannot read. Both wait for the other.
func TestAnEarlierWorkerLeavesLeanJobsAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, err := temporalserver.Start(ctx, temporalserver.Options{Path: filepath.Join(t.TempDir(), "temporal.db"), Frontend: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	c, err := worker.Dial(ctx, worker.DialOptions{Address: server.Address()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	run := func(queue string, register func(sdkworker.Worker)) (stop func()) {
		w := sdkworker.New(c, queue, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{workflows.Interceptor()}})
		register(w)
		require.NoError(t, w.Start())
		return w.Stop
	}
	var ran atomic.Int64
	stopEarlier := run(job.StreamTaskQueue, func(w sdkworker.Worker) {
		w.RegisterActivityWithOptions(func(context.Context, job.StreamInput) (job.StreamResult, error) {
			ran.Add(1)
			return job.StreamResult{}, nil
		}, activity.RegisterOptions{Name: job.ActivityStream})
	})
	defer stopEarlier()
	stopSteps := run(job.TaskQueue, func(w sdkworker.Worker) {
		w.RegisterWorkflowWithOptions(workflows.ReplicationJob, workflow.RegisterOptions{Name: job.WorkflowType})
	})

	few, large := streamingJob("few", 501), streamingJob("large", 20_001)
	for _, in := range []job.WorkflowInput{few, large} {
		workflowType, argument := in.Run()
		_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: job.WorkflowID(in.Spec.Name), TaskQueue: job.TaskQueue}, workflowType, argument)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		d, err := c.DescribeWorkflowExecution(ctx, job.WorkflowID("few"), "")
		require.NoError(t, err)
		for _, a := range d.GetPendingActivities() {
			if a.GetAttempt() > 1 {
				require.Contains(t, a.GetLastFailure().GetMessage(), "unable to find activityType="+job.LeanName(job.ActivityStream))
				return true
			}
		}
		return false
	}, time.Minute, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		d, err := c.DescribeWorkflowExecution(ctx, job.WorkflowID("large"), "")
		require.NoError(t, err)
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, d.GetWorkflowExecutionInfo().GetStatus())
		return d.GetPendingWorkflowTask().GetAttempt() > 1
	}, time.Minute, 50*time.Millisecond)

	defer run(job.TaskQueue, func(w sdkworker.Worker) {
		w.RegisterWorkflowWithOptions(workflows.ReplicationJob, workflow.RegisterOptions{Name: job.WorkflowType})
		w.RegisterWorkflowWithOptions(workflows.Workflow{}.ReplicationJobLarge, workflow.RegisterOptions{Name: job.WorkflowTypeLarge})
	})()
	stopSteps()
	got := make(chan job.MappingDigest, 2)
	defer run(job.StreamTaskQueue, func(w sdkworker.Worker) {
		w.RegisterActivityWithOptions(func(ctx context.Context, in job.Lean[job.StreamInput]) (job.StreamResult, error) {
			got <- in.Digest()
			<-activity.GetWorkerStopChannel(ctx)
			return job.StreamResult{End: job.EndStopped, Position: in.Without().Progress.Position}, nil
		}, activity.RegisterOptions{Name: job.LeanName(job.ActivityStream)})
	})()
	digests := map[job.MappingDigest]bool{}
	for range 2 {
		select {
		case digest := <-got:
			digests[digest] = true
		case <-time.After(time.Minute):
			t.Fatal("the jobs do not go on")
		}
	}
	for _, in := range []job.WorkflowInput{few, large} {
		digest := job.DigestOf(in.Progress.Mapping())
		require.Contains(t, digests, digest)
		answer, err := c.QueryWorkflow(ctx, job.WorkflowID(in.Spec.Name), "", job.QueryTables, job.TablesWanted{Digest: &digest})
		require.NoError(t, err)
		var known job.TablesKnown
		require.NoError(t, answer.Get(&known))
		mapping, err := known.Tables.Open()
		require.NoError(t, err)
		require.Equal(t, in.Progress.Tables, mapping.Tables)
	}
	require.Zero(t, ran.Load(), "the earlier worker has run a step without tables")
}

// streamingJob is a job that streams n tables.
func streamingJob(name string, n int64) job.WorkflowInput {
	p := &job.Progress{Phase: job.PhaseStream, FullSyncs: 1, State: job.DBIncrementalSync, Epoch: 1, CreatedAt: time.Now().UTC(), Tables: map[int64]job.Table{}}
	for i := range n {
		p.Tables[100+i] = job.Table{DestID: 1000 + i, Name: fmt.Sprintf("orders_%d", i)}
	}
	return job.WorkflowInput{Spec: job.Spec{Name: name, UID: name, Source: job.Cluster{Database: "d"}, Destination: job.Cluster{Database: "d"}}, Progress: p}
}
