package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// Whoever has nothing but a Temporal client can steer a job: signals and queries
// as the Web UI or `temporal workflow signal` send them, past our API.
func TestSignalsAndQueriesByHand(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	name := e.createJob("d", "", "d", "")
	e.awaitEqual(name, "d", "d")

	c, err := client.Dial(client.Options{HostPort: e.ccr.Temporal})
	require.NoError(t, err)
	defer c.Close()
	id := job.WorkflowID(name)
	status := func() (s job.Status) {
		value, err := c.QueryWorkflow(e.ctx, id, "", job.QueryStatus)
		require.NoError(t, err)
		require.NoError(t, value.Get(&s))
		return s
	}
	signal := func(signal string, payload any, until func(job.Status) bool) {
		t.Helper()
		require.NoError(t, c.SignalWorkflow(e.ctx, id, "", signal, payload))
		require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
			if s := status(); !until(s) {
				return fmt.Errorf("after %s: %+v", signal, s)
			}
			return nil
		}), signal)
	}

	signal(job.SignalPause, nil, func(s job.Status) bool { return !s.Running })
	signal(job.SignalResume, nil, func(s job.Status) bool { return s.Running })

	// A payload of the wrong shape: its sender sees success, so it has to be
	// found in the job's events and, with a request id, in its outcomes.
	signal(job.SignalSkipBinlog, map[string]any{"request_id": "by-hand", "skip_commit_seq": "not a number"}, func(s job.Status) bool {
		outcome, found := s.Outcome("by-hand")
		return found && outcome.Refused != ""
	})
	var events []job.Event
	value, err := c.QueryWorkflow(e.ctx, id, "", job.QueryEvents)
	require.NoError(t, err)
	require.NoError(t, value.Get(&events))
	require.Contains(t, fmt.Sprint(events), "skip_binlog")

	before, err := c.DescribeWorkflowExecution(e.ctx, id, "")
	require.NoError(t, err)
	require.NoError(t, c.SignalWorkflow(e.ctx, id, "", job.SignalContinueAsNew, nil))
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		now, err := c.DescribeWorkflowExecution(ctx, id, "")
		if err == nil && now.GetWorkflowExecutionInfo().GetExecution().GetRunId() == before.GetWorkflowExecutionInfo().GetExecution().GetRunId() {
			err = fmt.Errorf("still the same run")
		}
		return err
	}))
	e.exec("INSERT INTO d.t VALUES (2, 'in the new run')")
	e.awaitEqual(name, "d", "d")
	e.requireFullSyncs(name, 1)
	for _, query := range []string{job.QueryDetail, job.QueryProgress, job.QueryLag} {
		_, err := c.QueryWorkflow(e.ctx, id, "", query)
		require.NoError(t, err, query)
	}
}
