package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// A job that stays stalled leaves its tries to Temporal: they go on, job_status
// counts them, and the history does not grow. What an operator orders is carried
// out all the same, at once.
func TestAStalledJobIsPatient(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	name := e.followOneTable()
	e.recordUnknownBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (2, 'behind it')")
	at := e.stalledAt(name)

	c, err := client.Dial(client.Options{HostPort: e.ccr.Temporal})
	require.NoError(t, err)
	defer c.Close()
	e.awaitAttempt(c, name, 2) // the workflow's own tries take about a minute
	require.Equal(t, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, e.lastEvent(c, name), "an attempt costs no event")
	require.Greater(t, e.tries(name), 6)

	_, err = e.ccr.Call(e.ctx, "pause", map[string]any{"name": name})
	require.NoError(t, err)
	s, err := e.ccr.Status(e.ctx, name)
	require.NoError(t, err)
	require.Equal(t, "paused", s.State)
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": name})
	require.NoError(t, err)
	_, err = e.ccr.Call(e.ctx, "job_skip_binlog", map[string]any{"name": name, "skip_by": "silence", "skip_commit_seq": at})
	require.NoError(t, err)
	e.awaitEqual(name, "d", "d")
	e.requireFullSyncs(name, 1)
}

// awaitAttempt waits until Temporal itself waits for the n-th attempt of the job's
// step.
func (e *env) awaitAttempt(c client.Client, name string, n int32) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		d, err := c.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
		if err != nil {
			return err
		}
		var attempt int32
		for _, a := range d.GetPendingActivities() {
			attempt = max(attempt, a.GetAttempt())
		}
		if attempt < n {
			return fmt.Errorf("attempt %d", attempt)
		}
		return nil
	}))
}

// lastEvent is the last one of the job's history.
func (e *env) lastEvent(c client.Client, name string) (last enumspb.EventType) {
	e.Helper()
	for events := c.GetWorkflowHistory(e.ctx, job.WorkflowID(name), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		require.NoError(e, err)
		last = event.GetEventType()
	}
	return last
}

// tries is how often the job has tried, by its status.
func (e *env) tries(name string) int {
	e.Helper()
	var reply struct {
		LastError struct {
			Tries int `json:"tries"`
		} `json:"last_error"`
	}
	_, text, err := e.ccr.Raw(e.ctx, "job_status", fmt.Sprintf(`{"name":%q}`, name))
	require.NoError(e, err)
	require.NoError(e, json.Unmarshal([]byte(text), &reply))
	return reply.LastError.Tries
}
