package worker

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// tablesTimeout bounds one question for a job's tables. A worker that does not have the
// job in its memory replays its history first.
const tablesTimeout = 30 * time.Second

// jobTables asks the workflows of jobs for their tables. It is activities.Tables.
type jobTables struct{ client client.Client }

// JobTables asks a run of a job.
func (t jobTables) JobTables(ctx context.Context, workflowID, runID string, wanted job.TablesWanted) (job.TablesKnown, error) {
	ctx, cancel := context.WithTimeout(ctx, tablesTimeout)
	defer cancel()
	var known job.TablesKnown
	answer, err := t.client.QueryWorkflow(ctx, workflowID, runID, job.QueryTables, wanted)
	if err != nil {
		return known, fmt.Errorf("ask %s for its tables: %w", workflowID, err)
	}
	if err := answer.Get(&known); err != nil {
		return known, fmt.Errorf("read the tables of %s: %w", workflowID, err)
	}
	return known, nil
}
