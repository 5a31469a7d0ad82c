package snapshot

import (
	"context"
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
)

// ensureDatabase makes sure that the destination's database exists before a
// restore, and goes on with the id that it has now. It returns that id if it is
// not the one that the job knew, else 0.
func (j *Job) ensureDatabase(ctx context.Context) (changed int64, err error) {
	dst := &j.Spec.Destination
	id, err := j.Destination.DatabaseID(ctx)
	if errors.Is(err, fe.ErrDatabaseNotFound) {
		if err := j.Destination.SQL.CreateDatabase(ctx, dst.Database); err != nil {
			return 0, fmt.Errorf("create destination database %s, which was dropped: %w", dst.Database, err)
		}
		id, err = j.Destination.DatabaseID(ctx)
	}
	if err != nil {
		return 0, err
	}
	if id == dst.DatabaseID {
		return 0, nil
	}
	dst.DatabaseID, j.Destination.Spec.DatabaseID = id, id
	return id, nil
}

// needsWhole asks for the snapshot of a whole table where only partitions were
// ordered and the destination has no such table: Doris would make one of nothing
// but those partitions.
func (r *restore) needsWhole(ctx context.Context) (*job.SnapshotRestored, error) {
	if !r.partitionsOnly() {
		return nil, nil
	}
	exists, err := r.j.Destination.SQL.TableExists(ctx, r.j.Spec.Destination.Database, r.destination)
	if err != nil {
		return nil, fmt.Errorf("look for destination table %s: %w", r.destination, err)
	}
	if exists {
		return nil, nil
	}
	return &job.SnapshotRestored{Wanted: &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: r.ordered.Partial.TableID, Table: r.table, Replace: true},
		Reason:  fmt.Sprintf("the destination has no table %s for the partitions", r.destination),
	}}, nil
}
