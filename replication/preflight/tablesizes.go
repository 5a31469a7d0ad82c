package preflight

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// DescribeTables asks both clusters how many rows and bytes tables have, with one
// statement each that reads no data.
func (j *Job) DescribeTables(ctx context.Context, wanted job.TableSizesWanted) (sizes job.TableSizes) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var g errgroup.Group
	g.Go(func() error {
		sizes.Source = tableSizes(ctx, j.Source, wanted.Source)
		return nil
	})
	g.Go(func() error {
		sizes.Destination = tableSizes(ctx, j.Destination, wanted.Destination)
		return nil
	})
	_ = g.Wait() // none of the functions fails
	return sizes
}

func tableSizes(ctx context.Context, c *pair.Cluster, wanted []string) job.SideSizes {
	side := job.SideSizes{At: time.Now().UTC(), Tables: map[string]job.TableSize{}}
	rows, err := c.SQL.Query(ctx, "SHOW TABLE STATUS FROM "+sqlclient.Quote(c.Spec.Database))
	if err != nil {
		side.Error = Refused(c, "ask for the sizes of tables", err).Error()
		return side
	}
	wanted = wanted[:min(len(wanted), job.MaxTableSizes)]
	for _, row := range rows {
		name := row.Get("Name")
		// Neither a view has rows, nor a table of which the frontend knows nothing yet.
		if !slices.Contains(wanted, name) || row.Null("Rows") || row.Int("Rows") < 0 {
			continue
		}
		side.Tables[name] = job.TableSize{Rows: row.Int("Rows"), Bytes: row.Int("Data_length")}
	}
	return side
}
