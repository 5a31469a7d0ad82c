package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/job"
)

const (
	// looksKept is how long a look at clusters is shown again: each costs a short
	// workflow, and a page may be reloaded all the time.
	looksKept = 15 * time.Second
	// lookTimeout bounds the workflow of a look whose caller has gone.
	lookTimeout = time.Minute
)

// clustersSeen has a worker process look at both clusters of a job.
func (s *Server) clustersSeen(ctx context.Context, wanted job.ClustersWanted) (job.ClustersSeen, error) {
	w := shortWorkflow{job.WorkflowTypeClusters, job.ClustersWorkflowIDPrefix, "look at the clusters of job " + wanted.Job, lookTimeout}
	return look[job.ClustersSeen](ctx, s, w, wanted)
}

// tableSizes has a worker process ask both clusters of a job for the sizes of tables.
func (s *Server) tableSizes(ctx context.Context, wanted job.TableSizesWanted) (job.TableSizes, error) {
	w := shortWorkflow{job.WorkflowTypeTableSizes, job.TableSizesWorkflowIDPrefix, "look at the tables of job " + wanted.Job, lookTimeout}
	return look[job.TableSizes](ctx, s, w, wanted)
}

// look has a worker process look at clusters, once for all who want the same.
func look[Seen any](ctx context.Context, s *Server, w shortWorkflow, wanted any) (none Seen, _ error) {
	key, err := json.Marshal(wanted)
	if err != nil {
		return none, fmt.Errorf("%s: %w", w.summary, err)
	}
	return once(ctx, s.answers, looksKept, w.kind, string(key), func(ctx context.Context) (seen Seen, _ error) {
		if err := s.jobs.run(ctx, w, wanted, &seen); err != nil {
			return none, fmt.Errorf("%s: %w", w.summary, err)
		}
		return seen, nil
	})
}
