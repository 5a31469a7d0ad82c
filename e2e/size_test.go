package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/worker"
	"github.com/doris-ccr/ccr/workflows"
)

// A job whose state is just below what Temporal takes works like any other: its
// steps, its answers, and a new run.
func TestAStateJustBelowTheLimit(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	name := e.createJob("d", "", "d", "")
	e.awaitEqual(name, "d", "d")

	c, err := client.Dial(client.Options{HostPort: e.ccr.Temporal, DataConverter: worker.DataConverter()})
	require.NoError(t, err)
	defer c.Close()
	id := job.WorkflowID(name)
	started, err := c.GetWorkflowHistory(e.ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
	require.NoError(t, err)
	var in job.WorkflowInput
	require.NoError(t, worker.DataConverter().FromPayloads(started.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in))
	value, err := c.QueryWorkflow(e.ctx, id, "", job.QueryProgress)
	require.NoError(t, err)
	require.NoError(t, value.Get(&in.Progress))
	require.NoError(t, c.TerminateWorkflow(e.ctx, id, "", "a larger one takes its place"))
	size := e.fill(&in, workflows.DefaultPayloadLimit-32<<10)
	t.Logf("%d tables, %d bytes", len(in.Progress.Tables), size)
	_, err = c.ExecuteWorkflow(e.ctx, client.StartWorkflowOptions{ID: id, TaskQueue: job.TaskQueue}, job.WorkflowType, in)
	require.NoError(t, err)

	e.exec("INSERT INTO d.t VALUES (2, 'b')", fmt.Sprintf(duplicateTable, "d", "u"), "INSERT INTO d.u VALUES (1, 'a')")
	e.awaitEqual(name, "d", "d")
	before, err := c.DescribeWorkflowExecution(e.ctx, id, "")
	require.NoError(t, err)
	require.NoError(t, c.SignalWorkflow(e.ctx, id, "", job.SignalContinueAsNew, nil))
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		now, err := c.DescribeWorkflowExecution(ctx, id, "")
		if err == nil && now.GetWorkflowExecutionInfo().GetExecution().GetRunId() == before.GetWorkflowExecutionInfo().GetExecution().GetRunId() {
			err = errors.New("still the same run")
		}
		return err
	}))
	e.exec("INSERT INTO d.t VALUES (3, 'c')")
	e.awaitEqual(name, "d", "d")
	for _, operator := range []string{"job_status", "job_detail", "job_progress", "get_lag"} {
		_, err := e.ccr.Call(e.ctx, operator, map[string]any{"name": name})
		require.NoError(t, err, operator)
	}
	e.notStalled(name)
	e.requireFullSyncs(name, 1)
}

// fill adds tables that nobody has to a state, up to a size as it travels.
func (e *env) fill(in *job.WorkflowInput, limit int) (size int) {
	e.Helper()
	measure := func() int {
		payload, err := worker.DataConverter().ToPayload(*in)
		require.NoError(e, err)
		return payload.Size()
	}
	size = measure()
	for n := 20_000; size < limit; n = min(n, 1+(limit-size)/70) {
		for range n {
			i := int64(1_000_000_000 + len(in.Progress.Tables))
			in.Progress.Tables[i] = job.Table{DestID: i, Name: rand.Text() + rand.Text() + rand.Text()}
		}
		size = measure()
	}
	require.Less(e, size, workflows.DefaultPayloadLimit)
	return size
}
