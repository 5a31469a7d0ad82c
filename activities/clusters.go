package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// describeTimeout is how long a look at two clusters may take: what is known by then is
// the answer.
const describeTimeout = 8 * time.Second

// DescribeClusters looks at the clusters of a job as they are now. The job's workflow
// tells addresses and accounts: whoever asks for the look needs no password.
func (a *Activities) DescribeClusters(ctx context.Context, wanted job.ClustersWanted) (job.ClustersSeen, error) {
	in, err := a.Jobs.VerifyInput(ctx, wanted.Job, job.VerifyWanted{})
	if err != nil {
		return job.ClustersSeen{}, askFailed(fmt.Errorf("ask job %s for its clusters: %w", wanted.Job, err))
	}
	return step(ctx, a, in, endAtOnce, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.ClustersSeen, error) {
		ctx, cancel := context.WithTimeout(ctx, describeTimeout)
		defer cancel()
		return r.preflight.DescribeClusters(ctx, wanted), nil
	})
}

// DescribeTables asks the clusters of a job how many rows and bytes tables have.
func (a *Activities) DescribeTables(ctx context.Context, wanted job.TableSizesWanted) (job.TableSizes, error) {
	in, err := a.Jobs.VerifyInput(ctx, wanted.Job, job.VerifyWanted{})
	if err != nil {
		return job.TableSizes{}, askFailed(fmt.Errorf("ask job %s for its clusters: %w", wanted.Job, err))
	}
	return step(ctx, a, in, endAtOnce, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.TableSizes, error) {
		ctx, cancel := context.WithTimeout(ctx, describeTimeout)
		defer cancel()
		return r.preflight.DescribeTables(ctx, wanted), nil
	})
}

// DescribeBinlogs looks at the binlogs that a job has still to handle.
func (a *Activities) DescribeBinlogs(ctx context.Context, wanted job.BinlogsWanted) (job.BinlogsAhead, error) {
	in, err := a.Jobs.VerifyInput(ctx, wanted.Job, job.VerifyWanted{Names: true})
	if err != nil {
		return job.BinlogsAhead{}, askFailed(fmt.Errorf("ask job %s for its tables: %w", wanted.Job, err))
	}
	return step(ctx, a, in, endAtOnce, func(ctx context.Context, r rooms, _ func(job.Heartbeat)) (job.BinlogsAhead, error) {
		ctx, cancel := context.WithTimeout(ctx, describeTimeout)
		defer cancel()
		return r.ahead.DescribeBinlogs(ctx, in, wanted), nil
	})
}
