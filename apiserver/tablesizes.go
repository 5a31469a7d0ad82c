package apiserver

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/doris-ccr/ccr/job"
)

// tableSizes has a worker process ask both clusters of a job for the sizes of tables.
func (s *Server) tableSizes(ctx context.Context, wanted job.TableSizesWanted) (job.TableSizes, error) {
	key, err := json.Marshal(wanted)
	if err != nil {
		return job.TableSizes{}, fmt.Errorf("look at the tables of job %s: %w", wanted.Job, err)
	}
	return once(ctx, s.answers, clustersKept, "table sizes", string(key), func(ctx context.Context) (sizes job.TableSizes, _ error) {
		err := s.runLook(ctx, job.WorkflowTypeTableSizes, job.TableSizesWorkflowIDPrefix, "look at the tables of "+wanted.Job, wanted, &sizes)
		if err != nil {
			return job.TableSizes{}, fmt.Errorf("look at the tables of job %s: %w", wanted.Job, err)
		}
		return sizes, nil
	})
}
