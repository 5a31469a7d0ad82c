package e2e

import (
	"context"
	"errors"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// A step that somebody pauses in Temporal is no silence: either the job goes on
// all the same, or its status says that it is held up, and how it goes on.
func TestStepPausedInTemporal(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE d", "CREATE TABLE d.t (id INT, v VARCHAR(20)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES(\"replication_num\" = \"1\")")
	e.enableBinlog("d", "t")
	name := e.createJob("d", "", "d", "")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	e.awaitEqual(name, "d", "d")

	c, err := client.Dial(client.Options{HostPort: e.ccr.Temporal})
	require.NoError(t, err)
	defer c.Close()
	execution := &commonpb.WorkflowExecution{WorkflowId: job.WorkflowID(name)}
	step := e.streamStep(c, name)
	_, err = c.WorkflowService().PauseActivity(e.ctx, &workflowservice.PauseActivityRequest{
		Namespace: "default", Execution: execution, Identity: "somebody", Activity: &workflowservice.PauseActivityRequest_Id{Id: step},
	})
	require.NoError(t, err)
	e.stalledWith(name, "is paused in Temporal", "temporal activity unpause -w ccr-job-"+name+" --activity-id "+step)
	e.exec("INSERT INTO d.t VALUES (2, 'b')")
	b := &byHand{env: e}
	b.run(regexp.MustCompile("temporal activity unpause .*").FindString(e.remedy(name)))
	e.awaitEqual(name, "d", "d")
	e.notStalled(name)
	e.requireFullSyncs(name, 1)
}

// streamStep waits until the job streams, and returns the id of that step.
func (e *env) streamStep(c client.Client, name string) (id string) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		d, err := c.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
		if err != nil {
			return err
		}
		for _, a := range d.GetPendingActivities() {
			if job.StepName(a.GetActivityType().GetName()) == job.ActivityStream {
				id = a.GetActivityId()
				return nil
			}
		}
		return errors.New("the job does not stream")
	}))
	return id
}
