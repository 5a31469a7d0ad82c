package replication

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// checkDestination comes last because it is the one that changes something.
func (j *Job) checkDestination(ctx context.Context, spec *job.Spec) error {
	dst := &spec.Destination
	exists, err := j.destination.sql.DatabaseExists(ctx, dst.Database)
	if err != nil {
		return j.destination.refused("look for the database", err)
	}
	if exists && !spec.AllowTableExists {
		if err := j.refuseTaken(ctx, spec); err != nil {
			return err
		}
	}
	if !exists {
		if err := j.destination.sql.CreateDatabase(ctx, dst.Database); err != nil {
			return j.destination.refused("create the database", err)
		}
	}
	if dst.DatabaseID, err = j.destination.databaseID(ctx); err != nil {
		return j.destination.refused("look at the database", err)
	}
	return nil
}

// refuseTaken refuses a job whose first full sync would replace tables of
// somebody else. A table job is refused for any table of the name, as by the
// existing tool (doris-sql.md 2.5).
func (j *Job) refuseTaken(ctx context.Context, spec *job.Spec) error {
	dst := &spec.Destination
	if spec.Type() == job.TableSync {
		taken, err := j.destination.sql.TableExists(ctx, dst.Database, dst.Table)
		if err != nil {
			return j.destination.refused("look for the table", err)
		}
		if taken {
			return refusef("dest table %s.%s already exists", dst.Database, dst.Table)
		}
		return nil
	}
	names, err := j.selectedNames(ctx)
	if err != nil {
		return j.source.refused("look at the tables", err)
	}
	taken, err := j.foreignTables(ctx, names, nil)
	if err != nil {
		return j.destination.refused("look at its tables", err)
	}
	if len(taken) > 0 {
		return &Refusal{
			Text:   fmt.Sprintf("dest tables of %s have rows and were never synced, a full sync would replace them: %s", dst.Database, someOf(taken)),
			Remedy: remedyForeign,
		}
	}
	return nil
}

const remedyForeign = "rename or drop them on the destination, leave them out with exclude_tables, or create the job with allow_table_exists, which replaces them"

// refuseForeign stops a restore that would replace a destination's table of
// somebody else: one that was made after the first checks, or that has the name
// of a source's new table.
func (r *restore) refuseForeign(ctx context.Context) error {
	if r.j.spec.AllowTableExists || r.partitionsOnly() {
		return nil
	}
	names := []string{r.destination}
	if r.destination == "" {
		names = slices.Collect(maps.Keys(r.content.Tables))
	}
	taken, err := r.j.foreignTables(ctx, names, r.in.Progress.Tables)
	if err != nil {
		return err
	}
	if len(taken) == 0 {
		return nil
	}
	return withRemedy(fmt.Errorf("the snapshot would replace tables of %s that have rows and were never synced: %s", r.j.spec.Destination.Database, someOf(taken)),
		"rename or drop them on the destination: the job goes on by itself; or leave them out with update_tables")
}

// foreignTables returns those of the destination's tables called names that have
// rows and belong to no job: neither does known have their ids, nor do they carry
// is_being_synced, which a restore and a replayed CREATE TABLE set (doris-sql.md
// 4.9). They are somebody's only copy. Views have no rows of their own.
func (j *Job) foreignTables(ctx context.Context, names []string, known map[int64]job.Table) ([]string, error) {
	dst := &j.spec.Destination
	have, err := j.destination.sql.Tables(ctx, dst.Database)
	if err != nil {
		return nil, fmt.Errorf("list the tables of the destination: %w", err)
	}
	ours := map[int64]bool{}
	for _, t := range known {
		ours[t.DestID] = true
	}
	present := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(have, name) })
	slices.Sort(present)
	var foreign []string
	for chunk := range slices.Chunk(present, metaChunk) {
		db, err := j.destination.fe.Meta(ctx, fe.MetaRequest{DatabaseID: dst.DatabaseID, Database: dst.Database, Tables: chunk})
		if err != nil {
			return nil, fmt.Errorf("look at the tables of the destination: %w", err)
		}
		for _, name := range chunk {
			t := db.TableByName(name)
			if t == nil || ours[t.ID] || !everLoaded(t) {
				continue
			}
			is, err := j.isForeign(ctx, name)
			if err != nil {
				return nil, err
			}
			if is {
				foreign = append(foreign, name)
			}
		}
	}
	return foreign, nil
}

// everLoaded tells whether a partition has had a version after its first one,
// which is empty.
func everLoaded(t *meta.Table) bool {
	for _, p := range t.Partitions {
		if p.VisibleVersion > 1 {
			return true
		}
	}
	return false
}

// isForeign looks closer at a table that has had loads. An account that may not
// read its rows cannot tell that it is empty.
func (j *Job) isForeign(ctx context.Context, name string) (bool, error) {
	db := j.spec.Destination.Database
	text, err := j.destination.sql.CreateTableText(ctx, db, name)
	if err != nil {
		return false, fmt.Errorf("look at destination table %s: %w", name, err)
	}
	if strings.Contains(text, beingSynced) {
		return false, nil
	}
	rows, err := j.destination.sql.Query(ctx, fmt.Sprintf("SELECT 1 FROM %s LIMIT 1", sqlclient.Name(db, name)))
	if err != nil && !lacksPrivilege(err) {
		return false, fmt.Errorf("look for rows of destination table %s: %w", name, err)
	}
	return err != nil || len(rows) > 0, nil
}

// beingSynced is how SHOW CREATE TABLE prints the mark of a table that some job
// writes to.
const beingSynced = `"is_being_synced" = "true"`
