package snapshot

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// refuseForeign stops a restore that would replace a destination's table of
// somebody else: one that was made after the first checks, or that has the name
// of a source's new table.
func (r *restore) refuseForeign(ctx context.Context) error {
	if r.j.Spec.AllowTableExists || r.partitionsOnly() {
		return nil
	}
	names := []string{r.destination}
	if r.destination == "" {
		names = slices.Collect(maps.Keys(r.content.Tables))
	}
	taken, err := r.j.ForeignTables(ctx, names, r.in.Progress.Tables)
	if err != nil {
		return err
	}
	if len(taken) == 0 {
		return nil
	}
	return problem.WithRemedy(fmt.Errorf("the snapshot would replace tables of %s that have rows and were never synced: %s", r.j.Spec.Destination.Database, pair.SomeOf(taken)),
		"rename or drop them on the destination: the job goes on by itself; or leave them out with update_tables")
}

// What stands in the way of a restore on the destination, and what is done about
// it (doris-binlogs.md 4.6).

var (
	otherSchema    = regexp.MustCompile(`(Table|View) (.*?) already exist but with different schema`)
	otherPartition = regexp.MustCompile(`Partition .*? in table (.*?) has (?:different|conflict) partition item`)
	kindInTheWay   = regexp.MustCompile(`Only support re(?:s)?tore OLAP table: (\S+?)[\],]?$`)
)

// learn reads from cancelled restores what stands in the way: tables of another
// schema are restored under an alias, views are dropped (doris-binlogs.md 4.6).
func (r *restore) learn(ctx context.Context, cancelled []sqlclient.RestoreJob) (*job.SnapshotRestored, error) {
	unexplained := 0
	for i, c := range cancelled {
		latest := i == len(cancelled)-1
		table, view := obstacle(c.Status)
		if view != "" && !r.dropped[view] {
			other, err := r.isNoView(ctx, view)
			if err != nil {
				return nil, err
			}
			if other {
				view = "" // somebody's: it is not for us to drop it
			}
		}
		switch {
		case table != "" && r.partitionsOnly():
			return &job.SnapshotRestored{Wanted: &job.SnapshotWanted{
				Partial: &job.PartialSync{TableID: r.ordered.Partial.TableID, Table: r.table, Replace: true},
				Reason:  "the partitions do not fit the destination's table: " + c.Status,
			}}, nil
		case table != "" && r.ordered.Partial == nil && !r.j.Options.Features.ReplaceNotMatchedWithAlias:
			if err := r.makeRoom(ctx, r.destinationOf(table), latest); err != nil {
				return nil, err
			}
		case table != "":
			r.alias(r.destinationOf(table))
		case view != "":
			if latest && !r.dropped[view] {
				r.dropped[view] = true
				if err := r.j.Destination.SQL.DropView(ctx, r.j.Spec.Destination.Database, view); err != nil {
					return nil, fmt.Errorf("drop destination view %s, which differs: %w", view, err)
				}
			}
		default:
			unexplained++
			r.w.note("restore %s was cancelled: %s", c.Label, c.Status)
			if unexplained >= restoreTries {
				result := again(r.ordered.Partial, "%d restores were cancelled, the last one: %s", unexplained, c.Status)
				return &result, nil
			}
		}
	}
	return nil, nil
}

// isNoView tells whether the destination has something of a name that is no view:
// a table of another system, say. Doris has one word for all that is in the way.
func (r *restore) isNoView(ctx context.Context, name string) (bool, error) {
	db := r.j.Spec.Destination.Database
	exists, err := r.j.Destination.SQL.TableExists(ctx, db, name)
	if err != nil || !exists {
		return false, err
	}
	views, err := r.j.Destination.SQL.Views(ctx, db)
	if err != nil {
		return false, fmt.Errorf("look what %s is, which is in the way of a restore: %w", name, err)
	}
	return !slices.Contains(views, name), nil
}

// makeRoom drops a destination's table that the restore stumbled over just now.
func (r *restore) makeRoom(ctx context.Context, table string, latest bool) error {
	if !latest || r.dropped[table] {
		return nil
	}
	r.dropped[table] = true
	if err := r.j.Destination.SQL.DropTable(ctx, r.j.Spec.Destination.Database, table); err != nil {
		return fmt.Errorf("drop destination table %s, which differs: %w", table, err)
	}
	return nil
}

// obstacle finds the destination's table or view that a restore stumbled over.
func obstacle(status string) (table, view string) {
	if m := otherSchema.FindStringSubmatch(status); m != nil {
		if m[1] == "View" {
			return "", m[2]
		}
		return m[2], ""
	}
	if m := otherPartition.FindStringSubmatch(status); m != nil {
		return m[1], ""
	}
	if m := kindInTheWay.FindStringSubmatch(strings.TrimSpace(status)); m != nil {
		return "", m[1]
	}
	return "", ""
}

func (r *restore) partitionsOnly() bool {
	return r.ordered.Partial != nil && len(r.ordered.Partial.Partitions) > 0
}

// destinationOf maps a name in an error text, which may be the source's, to the
// destination's name.
func (r *restore) destinationOf(name string) string {
	if name == r.table {
		return r.destination
	}
	return name
}
