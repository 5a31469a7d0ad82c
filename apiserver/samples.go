package apiserver

import (
	"context"
	"fmt"
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// samples asks all worker processes how these jobs have been during the last hour. What no process knows is
// missing: it is for pictures, which are not worth an error.
func (w *workerClients) samples(ctx context.Context, names []string, points int) job.SamplesKnown {
	list, err := w.list(ctx)
	if err != nil {
		w.log.Debug("worker processes are not known", "error", err)
		return nil
	}
	var (
		mu    sync.Mutex // guards all
		all   = job.SamplesKnown{}
		asked sync.WaitGroup
	)
	for _, c := range list {
		if c.silent() {
			continue
		}
		asked.Go(func() {
			known, err := w.samplesOf(ctx, c, job.SamplesWanted{Jobs: names, Points: points})
			if err != nil {
				w.log.Debug("worker process does not tell of the last hour", "workflow", c.id, "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for name, samples := range known {
				if _, ok := all[name]; ok {
					all[name].Merge(samples)
				} else {
					all[name] = samples
				}
			}
		})
	}
	asked.Wait()
	return all
}

func (w *workerClients) samplesOf(ctx context.Context, c *workerClient, wanted job.SamplesWanted) (known job.SamplesKnown, err error) {
	one, cancel := context.WithTimeout(ctx, workerTimeout)
	defer cancel()
	resp, err := w.client.QueryWorkflowWithOptions(one, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: c.id, QueryType: job.QuerySamples, Args: []any{wanted},
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	if timedOut(err) && ctx.Err() == nil {
		c.noteSilence()
	}
	if err == nil && resp.QueryRejected != nil {
		err = errNoWorkerKnows
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s for the last hour: %w", c.id, err)
	}
	return known, resp.QueryResult.Get(&known)
}
