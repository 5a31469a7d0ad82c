package pair

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// A log that is dead reads like one that is idle (doris-rpc.md 3.4): the frontend
// never removes the log of a table that was dropped, nor of what has its binlogs
// switched off. So what the job follows is looked at from time to time (stream/look.go).

// Finding is what a look at the source has found; the zero value is a source that
// lives and records.
type Finding struct {
	// What identifies the finding: the same one again is no news.
	What string
	// Err says why the job cannot go on.
	Err error
	// Off: it does not record. What is written from then on is in no binlog.
	Off bool
	// Other is another table that has the name that a table job is for.
	Other *meta.Table
}

// NoTableLeft is the finding that no table is left to follow.
const NoTableLeft = "no table"

// Fine tells that nothing is wrong.
func (f Finding) Fine() bool { return f.What == "" }

// remedyOff is the remedy of what does not record.
const remedyOff = `switch binlogs on again: %s; the job then goes on by itself and brings what was written meanwhile by a snapshot`

// LookAtSource looks whether what the job follows is still what it was, and
// records. An error means that the source could not tell.
func (j *Job) LookAtSource(ctx context.Context) (Finding, error) {
	src := &j.Spec.Source
	id, err := j.Source.DatabaseID(ctx)
	switch {
	case errors.Is(err, fe.ErrDatabaseNotFound):
		return Finding{What: "no database", Err: problem.WithRemedy(problem.MetaErrorf("the source database %s does not exist any more", src.Database),
			"RECOVER DATABASE "+sqlclient.Quote(src.Database)+"; or create it again with its tables, then force_fullsync; or delete the job")}, nil
	case err != nil:
		return Finding{}, err
	case src.DatabaseID != 0 && id != src.DatabaseID:
		return Finding{What: fmt.Sprintf("database %d", id), Err: DatabaseReplaced(src, id)}, nil
	}
	if j.Spec.Type() == job.TableSync {
		return j.lookAtTable(ctx)
	}
	text, err := j.Source.SQL.CreateDatabaseText(ctx, src.Database)
	if err != nil {
		return Finding{}, fmt.Errorf("look whether the source database %s records binlogs: %w", src.Database, err)
	}
	return Recording(text, "the source database "+src.Database, recordDatabase(src.Database)), nil
}

// LookAtBoth looks at the source, and at the destination if nothing is wrong there.
func (j *Job) LookAtBoth(ctx context.Context) (Finding, error) {
	f, err := j.LookAtSource(ctx)
	if err != nil || !f.Fine() {
		return f, err
	}
	return j.lookAtDestination(ctx)
}

// lookAtDestination looks whether the destination still has the job's database.
// While nothing is written, nobody else asks.
func (j *Job) lookAtDestination(ctx context.Context) (Finding, error) {
	dest := &j.Spec.Destination
	id, err := j.Destination.DatabaseID(ctx)
	switch {
	case errors.Is(err, fe.ErrDatabaseNotFound):
		return Finding{What: "no destination", Err: problem.WithRemedy(problem.MetaErrorf("the destination database %s does not exist any more", dest.Database),
			"force_fullsync creates it again with all that was in it; or delete the job")}, nil
	case err != nil:
		return Finding{}, err
	case dest.DatabaseID != 0 && id != dest.DatabaseID:
		return Finding{What: fmt.Sprintf("destination %d", id), Err: problem.WithRemedy(
			problem.MetaErrorf("the destination database %s is another one than the job has written to: its id was %d and is %d", dest.Database, dest.DatabaseID, id),
			"force_fullsync brings everything to the one that has the name now; or delete the job")}, nil
	}
	return Finding{}, nil
}

// DatabaseReplaced is the error that another database has the source's name: what
// it holds may have nothing to do with what was replicated, so that a person
// decides.
func DatabaseReplaced(src *job.Cluster, id int64) error {
	return problem.WithRemedy(problem.MetaErrorf("the source database %s is another one than the job has followed: its id was %d and is %d", src.Database, src.DatabaseID, id),
		"force_fullsync has the job follow the new one, and replaces the destination's tables of the same names; or delete the job")
}

// lookAtTable looks at the table of a table job. The job is for a name: whatever
// has it is what is to be replicated. While no table has it, the job follows the
// id that had it.
func (j *Job) lookAtTable(ctx context.Context) (Finding, error) {
	src := &j.Spec.Source
	table, err := j.Source.TableByName(ctx, src.NameOfJob())
	if err != nil {
		return Finding{}, err
	}
	if table == nil {
		if table, _, err = j.Source.TableByID(ctx, src.TableID); err != nil {
			return Finding{}, err
		}
	}
	switch {
	case table == nil:
		return Finding{What: NoTableLeft, Err: problem.WithRemedy(
			problem.MetaErrorf("source table %s.%s does not exist any more", src.Database, src.NameOfJob()), problem.RemedyNoTable)}, nil
	case table.ID != src.TableID:
		return Finding{What: fmt.Sprintf("table %d", table.ID), Other: table}, nil
	}
	text, err := j.Source.SQL.CreateTableText(ctx, src.Database, table.Name)
	if err != nil {
		return Finding{}, fmt.Errorf("look whether the source table %s.%s records binlogs: %w", src.Database, table.Name, err)
	}
	return Recording(text, fmt.Sprintf("the source table %s.%s", src.Database, table.Name),
		recordTable(src.Database, table.Name)), nil
}

// recordTable switches a table's binlogs on.
func recordTable(database, table string) string {
	return fmt.Sprintf(`ALTER TABLE %s SET ("binlog.enable" = "true")`, sqlclient.Name(database, table))
}

// recordDatabase switches a database's binlogs on, which Doris refuses while one
// of its tables has them off (doris-binlogs.md 1.1).
func recordDatabase(database string) string {
	return fmt.Sprintf(`ALTER DATABASE %[1]s SET PROPERTIES ("binlog.enable" = "true"), after ALTER TABLE %[1]s.t SET ("binlog.enable" = "true") for each table that has them off`,
		sqlclient.Quote(database))
}

// Recording finds out from a SHOW CREATE whether binlogs are recorded.
func Recording(text, what, statement string) Finding {
	if strings.Contains(text, BinlogEnabled) {
		return Finding{}
	}
	return Finding{What: "off", Off: true, Err: problem.WithRemedy(
		problem.MetaErrorf("%s does not record binlogs: binlog.enable is off", what), fmt.Sprintf(remedyOff, statement))}
}

// The properties that a followed table must have, as SHOW CREATE TABLE prints them.
const (
	BinlogEnabled = `"binlog.enable" = "true"`
)
