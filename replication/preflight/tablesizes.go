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

// DescribeTables asks both clusters how many rows and bytes tables have and when those
// changed last, with one statement each that reads no data.
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
	var rows []sqlclient.Row
	err := c.SQL.Session(ctx, inUTC, askTimeout, func(ctx context.Context, query sqlclient.QueryFunc) (err error) {
		rows, err = query(ctx, "SHOW TABLE STATUS FROM "+sqlclient.Quote(c.Spec.Database))
		return err
	})
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
		side.Tables[name] = job.TableSize{Rows: row.Int("Rows"), Bytes: row.Int("Data_length"), Changed: changed(row)}
	}
	return side
}

// inUTC makes a frontend tell moments as they are in UTC: it writes them in the time zone of the session, and does not
// say which that is (doris-sql.md 5.6).
var inUTC = sqlclient.Setting{"time_zone": "+00:00"}

// changed is when the data of a table changed last, the zero time if the frontend does not tell.
func changed(row sqlclient.Row) time.Time {
	if row.Null("Update_time") {
		return time.Time{}
	}
	at, err := time.Parse(time.DateTime, row.Get("Update_time"))
	if err != nil {
		return time.Time{} // nothing rather than a wrong moment
	}
	return at
}
