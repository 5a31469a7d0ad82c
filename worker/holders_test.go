package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	querypb "go.temporal.io/api/query/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// processServer is a Temporal server with worker processes, by what they do with
// an order.
type processServer struct {
	client.Client
	do map[string]func(context.Context, job.Hold) (job.Held, error)

	mu    sync.Mutex
	asked []string
}

func (p *processServer) ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	r := &workflowservice.ListWorkflowExecutionsResponse{}
	for id := range p.do {
		r.Executions = append(r.Executions, &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: id}})
	}
	return r, nil
}

func (p *processServer) QueryWorkflowWithOptions(ctx context.Context, q *client.QueryWorkflowWithOptionsRequest) (*client.QueryWorkflowWithOptionsResponse, error) {
	p.mu.Lock()
	p.asked = append(p.asked, q.WorkflowID)
	p.mu.Unlock()
	held, err := p.do[q.WorkflowID](ctx, q.Args[0].(job.Hold))
	if errors.Is(err, errEnded) {
		return &client.QueryWorkflowWithOptionsResponse{QueryRejected: &querypb.QueryRejected{}}, nil
	}
	if err != nil {
		return nil, err
	}
	payloads, err := DataConverter().ToPayloads(held)
	return &client.QueryWorkflowWithOptionsResponse{QueryResult: client.NewValue(payloads)}, err
}

// take returns which processes were asked since the last call.
func (p *processServer) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	slices.Sort(asked)
	return asked
}

var errEnded = errors.New("the workflow has ended")

// An order gets to the process that streams, whichever that is, and whatever others
// do.
func TestHoldFindsTheProcess(t *testing.T) {
	here := func(context.Context, job.Hold) (job.Held, error) {
		return job.Held{Here: true, Waited: time.Second}, nil
	}
	elsewhere := func(context.Context, job.Hold) (job.Held, error) { return job.Held{}, nil }
	p := &processServer{do: map[string]func(context.Context, job.Hold) (job.Held, error){
		"ccr-worker-a": elsewhere,
		"ccr-worker-b": here,
		"ccr-worker-old": func(context.Context, job.Hold) (job.Held, error) {
			return job.Held{}, errors.New("unknown query type hold")
		},
		"ccr-worker-over": func(context.Context, job.Hold) (job.Held, error) { return job.Held{}, errEnded },
		"ccr-worker-dead": func(ctx context.Context, _ job.Hold) (job.Held, error) {
			<-ctx.Done() // it answers as long as it is asked
			return job.Held{}, ctx.Err()
		},
		"somebody-else": nil,
	}}
	v := &holders{client: p}
	order := func(id int64, step int) job.Held {
		held, err := v.Hold(t.Context(), job.Hold{Job: "j", ID: id, Step: step})
		require.NoError(t, err)
		return held
	}
	require.Equal(t, job.Held{Here: true, Waited: time.Second}, order(1, 1))
	p.take()
	require.True(t, order(1, 2).Here)
	require.True(t, order(2, 1).Here)
	require.Equal(t, []string{"ccr-worker-b", "ccr-worker-b"}, p.take(), "it is known by now")

	p.do["ccr-worker-a"], p.do["ccr-worker-b"] = here, elsewhere
	require.False(t, order(2, 2).Here, "what another process does not know cannot be changed there")
	require.True(t, order(3, 1).Here, "the shift has moved")

	p.do = map[string]func(context.Context, job.Hold) (job.Held, error){"ccr-worker-a": elsewhere}
	require.False(t, order(4, 1).Here, "the job is paused, say")
	p.take()
	require.False(t, order(4, 2).Here)
	require.Empty(t, p.take())
}
