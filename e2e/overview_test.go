package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/worker"
)

// shownAs requires that /view and /metrics show the job in this state, at once.
func (e *env) shownAs(name, state string) {
	e.Helper()
	get := func(path string) []byte {
		resp, err := http.Get("http://" + e.ccr.API + path)
		require.NoError(e, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(e, err)
		return body
	}
	var rows []map[string]string
	require.NoError(e, json.Unmarshal(get("/view?type=json"), &rows))
	states := map[string]string{}
	for _, r := range rows {
		states[r["jobName"]] = r["state"]
	}
	require.Equal(e, state, states[name])
	paused := map[string]int{"running": 0, "paused": 1}[state]
	require.Contains(e, string(get("/metrics")), fmt.Sprintf("ccr_job_paused{name=%q} %d", name, paused))
}

// inMemory waits until a worker process has in its memory that the job streams, and
// runs just the shift that the job's workflow waits for: then overviews ask no job.
func (e *env) inMemory(name string) {
	e.Helper()
	c, err := worker.Dial(e.ctx, worker.DialOptions{Address: e.ccr.Temporal})
	require.NoError(e, err)
	defer c.Close()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		page, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", job.WorkflowTypeWorker),
		})
		if err != nil {
			return err
		}
		for _, w := range page.GetExecutions() {
			answer, err := c.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
				WorkflowID: w.GetExecution().GetWorkflowId(), QueryType: job.QueryJobs, Args: []any{job.JobsWanted{Jobs: []string{name}}},
			})
			if err != nil {
				continue // a process that has died
			}
			var known job.JobsKnown
			if err := answer.QueryResult.Get(&known); err != nil {
				return err
			}
			k := known[name]
			if k.Run != nil && k.Shift != nil && k.Run.RunID == k.Shift.RunID && k.Run.Shift == k.Shift.Shift && k.Shift.Shift > 0 {
				return nil
			}
		}
		return errors.New("no process has the job and its shift in memory")
	}))
}
