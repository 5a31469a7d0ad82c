package snapshot

import (
	"context"
	"time"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// weighTimeout bounds how long a step waits to hear how much there is to copy.
const weighTimeout = 10 * time.Second

// weigh asks the source once how much it has of what is copied, for people who wait. Neither backups nor restores tell
// (doris-sql.md 2.8, 2.9), so it is what the frontend knows of the tables: with all their replicas, and minutes old. An
// error leaves it unknown. So do partitions: only a statement for each table tells their sizes.
func (w *waiter) weigh(ctx context.Context, partial *job.PartialSync) {
	if w.weighed || partial != nil && len(partial.Partitions) > 0 {
		return
	}
	w.weighed = true
	ctx, cancel := context.WithTimeout(ctx, weighTimeout)
	defer cancel()
	source := w.j.Spec.Source
	rows, err := w.j.Source.SQL.Query(ctx, "SHOW TABLE STATUS FROM "+sqlclient.Quote(source.Database))
	if err != nil {
		return
	}
	for _, row := range rows {
		name := row.Get("Name")
		var copied bool
		switch {
		case partial != nil:
			copied = name == partial.Table
		case w.j.Spec.Type() == job.TableSync:
			copied = name == source.Table
		default:
			copied = w.j.Spec.Selects(name)
		}
		if copied && !row.Null("Data_length") {
			w.bytes += max(row.Int("Data_length"), 0)
		}
	}
}
