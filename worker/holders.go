package worker

import (
	"context"
	"fmt"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// holdTimeout bounds an order to hold a partition back: a process that has died lately
// does not answer.
const holdTimeout = 2 * time.Second

// holders give orders to hold partitions back to the processes in which jobs stream.
type holders struct {
	client client.Client

	mu sync.Mutex
	at map[string]string // the workflow id of the process, by job
}

// Hold gives an order to whichever process streams the job. The first order of a hold
// looks for it, for a shift may have moved since the last one.
func (h *holders) Hold(ctx context.Context, o job.Hold) (job.Held, error) {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	h.mu.Lock()
	at := h.at[o.Job]
	h.mu.Unlock()
	if at != "" {
		held, err := h.ask(ctx, at, o)
		if held.Here || o.Step > 1 {
			return held, err
		}
	}
	if o.Step > 1 {
		return job.Held{}, nil // nobody has obeyed the first
	}
	ids, err := runningProcesses(ctx, h.client)
	if err != nil {
		return job.Held{}, err
	}
	at, held := h.askAll(ctx, ids, o)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == nil {
		h.at = map[string]string{}
	}
	h.at[o.Job] = at
	if at == "" {
		delete(h.at, o.Job)
	}
	return held, nil
}

// askAll asks processes until one obeys. Those that do not answer do not stream.
func (h *holders) askAll(ctx context.Context, ids []string, o job.Hold) (at string, held job.Held) {
	ctx, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	type answer struct {
		at string
		job.Held
	}
	answers := make(chan answer, len(ids))
	for _, id := range ids {
		asked.Go(func() {
			held, _ := h.ask(ctx, id, o)
			answers <- answer{id, held}
		})
	}
	for range ids {
		if a := <-answers; a.Here {
			return a.at, a.Held
		}
	}
	return "", job.Held{}
}

// ask asks one process.
func (h *holders) ask(ctx context.Context, id string, o job.Hold) (held job.Held, err error) {
	resp, err := h.client.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: id, QueryType: job.QueryHold, Args: []any{o},
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	switch {
	case err != nil:
		return held, fmt.Errorf("ask %s to hold a partition of job %s back: %w", id, o.Job, err)
	case resp.QueryRejected != nil:
		return held, nil
	}
	if err := resp.QueryResult.Get(&held); err != nil {
		return job.Held{}, fmt.Errorf("read the answer of %s about a partition of job %s: %w", id, o.Job, err)
	}
	return held, nil
}
