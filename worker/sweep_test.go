package worker

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// processes is a server that knows when each worker process has polled last.
type processes struct {
	client.Client
	polled map[string]time.Duration // ago; not there: never
	ended  []string
}

func (p *processes) ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, id := range []string{"alive", "dead", "forgotten"} {
		page.Executions = append(page.Executions, &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "r"}})
	}
	return page, nil
}

func (p *processes) DescribeTaskQueue(_ context.Context, queue string, _ enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	answer := &workflowservice.DescribeTaskQueueResponse{}
	if ago, known := p.polled[queue]; known {
		answer.Pollers = []*taskqueuepb.PollerInfo{{LastAccessTime: timestamppb.New(time.Now().Add(-ago))}}
	}
	return answer, nil
}

func (p *processes) TerminateWorkflow(_ context.Context, id, _, _ string, _ ...any) error {
	p.ended = append(p.ended, id)
	return nil
}

// What is left of processes that died is ended, and nothing else.
func TestSweepEndsWhatDeadProcessesLeft(t *testing.T) {
	server := &processes{polled: map[string]time.Duration{"alive": time.Second, "dead": 3 * time.Minute}}
	p := &processWorker{client: server, log: slog.New(slog.DiscardHandler)}
	require.NoError(t, p.sweep(t.Context()))
	require.Equal(t, []string{"dead", "forgotten"}, server.ended)
}
