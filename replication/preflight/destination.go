package preflight

import (
	"context"
	"fmt"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// checkDestination comes last because it is the one that changes something.
func (j *Job) checkDestination(ctx context.Context, spec *job.Spec) error {
	dst := &spec.Destination
	exists, err := j.Destination.SQL.DatabaseExists(ctx, dst.Database)
	if err != nil {
		return Refused(j.Destination, "look for the database", err)
	}
	if exists && !spec.AllowTableExists {
		if err := j.refuseTaken(ctx, spec); err != nil {
			return err
		}
	}
	if !exists {
		if err := j.Destination.SQL.CreateDatabase(ctx, dst.Database); err != nil {
			return Refused(j.Destination, "create the database", err)
		}
	}
	if dst.DatabaseID, err = j.Destination.DatabaseID(ctx); err != nil {
		return Refused(j.Destination, "look at the database", err)
	}
	return nil
}

// refuseTaken refuses a job whose first full sync would replace tables of
// somebody else. A table job is refused for any table of the name, as by the
// existing tool (doris-sql.md 2.5).
func (j *Job) refuseTaken(ctx context.Context, spec *job.Spec) error {
	dst := &spec.Destination
	if spec.Type() == job.TableSync {
		taken, err := j.Destination.SQL.TableExists(ctx, dst.Database, dst.Table)
		if err != nil {
			return Refused(j.Destination, "look for the table", err)
		}
		if taken {
			return problem.Refusef("dest table %s.%s already exists", dst.Database, dst.Table)
		}
		return nil
	}
	names, err := j.SelectedNames(ctx)
	if err != nil {
		return Refused(j.Source, "look at the tables", err)
	}
	taken, err := j.ForeignTables(ctx, names, nil)
	if err != nil {
		return Refused(j.Destination, "look at its tables", err)
	}
	if len(taken) > 0 {
		return &problem.Refusal{
			Text:   fmt.Sprintf("dest tables of %s have rows and were never synced, a full sync would replace them: %s", dst.Database, pair.SomeOf(taken)),
			Remedy: remedyForeign,
		}
	}
	return nil
}

const remedyForeign = "rename or drop them on the destination, leave them out with exclude_tables, or create the job with allow_table_exists, which replaces them"
