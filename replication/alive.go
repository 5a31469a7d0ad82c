package replication

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// A log that is dead reads like one that is idle (doris-rpc.md 3.4): the frontend
// never removes the log of a table that was dropped, nor of what has its binlogs
// switched off. So what the job follows is looked at from time to time (look.go).

// finding is what a look at the source has found; the zero value is a source that
// lives and records.
type finding struct {
	// what identifies the finding: the same one again is no news.
	what string
	// err says why the job cannot go on.
	err error
	// off: it does not record. What is written from then on is in no binlog.
	off bool
	// other is another table that has the name that a table job is for.
	other *meta.Table
}

// noTableLeft is the finding that no table is left to follow.
const noTableLeft = "no table"

func (f finding) fine() bool { return f.what == "" }

// remedyOff is the remedy of what does not record.
const remedyOff = `switch binlogs on again: %s; the job then goes on by itself and brings what was written meanwhile by a snapshot`

// lookAtSource looks whether what the job follows is still what it was, and
// records. An error means that the source could not tell.
func (j *Job) lookAtSource(ctx context.Context) (finding, error) {
	src := &j.spec.Source
	id, err := j.source.databaseID(ctx)
	switch {
	case errors.Is(err, fe.ErrDatabaseNotFound):
		return finding{what: "no database", err: withRemedy(metaErrorf("the source database %s does not exist any more", src.Database),
			"RECOVER DATABASE "+sqlclient.Quote(src.Database)+"; or create it again with its tables, then force_fullsync; or delete the job")}, nil
	case err != nil:
		return finding{}, err
	case src.DatabaseID != 0 && id != src.DatabaseID:
		return finding{what: fmt.Sprintf("database %d", id), err: databaseReplaced(src, id)}, nil
	}
	if j.spec.Type() == job.TableSync {
		return j.lookAtTable(ctx)
	}
	text, err := j.source.sql.CreateDatabaseText(ctx, src.Database)
	if err != nil {
		return finding{}, fmt.Errorf("look whether the source database %s records binlogs: %w", src.Database, err)
	}
	return recording(text, "the source database "+src.Database, recordDatabase(src.Database)), nil
}

// lookAtBoth looks at the source, and at the destination if nothing is wrong there.
func (j *Job) lookAtBoth(ctx context.Context) (finding, error) {
	f, err := j.lookAtSource(ctx)
	if err != nil || !f.fine() {
		return f, err
	}
	return j.lookAtDestination(ctx)
}

// lookAtDestination looks whether the destination still has the job's database.
// While nothing is written, nobody else asks.
func (j *Job) lookAtDestination(ctx context.Context) (finding, error) {
	dest := &j.spec.Destination
	id, err := j.destination.databaseID(ctx)
	switch {
	case errors.Is(err, fe.ErrDatabaseNotFound):
		return finding{what: "no destination", err: withRemedy(metaErrorf("the destination database %s does not exist any more", dest.Database),
			"force_fullsync creates it again with all that was in it; or delete the job")}, nil
	case err != nil:
		return finding{}, err
	case dest.DatabaseID != 0 && id != dest.DatabaseID:
		return finding{what: fmt.Sprintf("destination %d", id), err: withRemedy(
			metaErrorf("the destination database %s is another one than the job has written to: its id was %d and is %d", dest.Database, dest.DatabaseID, id),
			"force_fullsync brings everything to the one that has the name now; or delete the job")}, nil
	}
	return finding{}, nil
}

// databaseReplaced is the error that another database has the source's name: what
// it holds may have nothing to do with what was replicated, so that a person
// decides.
func databaseReplaced(src *job.Cluster, id int64) error {
	return withRemedy(metaErrorf("the source database %s is another one than the job has followed: its id was %d and is %d", src.Database, src.DatabaseID, id),
		"force_fullsync has the job follow the new one, and replaces the destination's tables of the same names; or delete the job")
}

// lookAtTable looks at the table of a table job. The job is for a name: whatever
// has it is what is to be replicated. While no table has it, the job follows the
// id that had it.
func (j *Job) lookAtTable(ctx context.Context) (finding, error) {
	src := &j.spec.Source
	table, err := j.source.tableByName(ctx, src.NameOfJob())
	if err != nil {
		return finding{}, err
	}
	if table == nil {
		if table, _, err = j.source.tableByID(ctx, src.TableID); err != nil {
			return finding{}, err
		}
	}
	switch {
	case table == nil:
		return finding{what: noTableLeft, err: withRemedy(
			metaErrorf("source table %s.%s does not exist any more", src.Database, src.NameOfJob()), remedyNoTable)}, nil
	case table.ID != src.TableID:
		return finding{what: fmt.Sprintf("table %d", table.ID), other: table}, nil
	}
	text, err := j.source.sql.CreateTableText(ctx, src.Database, table.Name)
	if err != nil {
		return finding{}, fmt.Errorf("look whether the source table %s.%s records binlogs: %w", src.Database, table.Name, err)
	}
	return recording(text, fmt.Sprintf("the source table %s.%s", src.Database, table.Name),
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

// recording finds out from a SHOW CREATE whether binlogs are recorded.
func recording(text, what, statement string) finding {
	if strings.Contains(text, binlogEnabled) {
		return finding{}
	}
	return finding{what: "off", off: true, err: withRemedy(
		metaErrorf("%s does not record binlogs: binlog.enable is off", what), fmt.Sprintf(remedyOff, statement))}
}

// ending is how a shift ends that has found this, nil if it can go on.
func (s *shift) endingOf(f finding) *ending {
	switch {
	case f.other != nil:
		src := &s.in.Spec.Source
		return &ending{end: job.EndSnapshot, wanted: &job.SnapshotWanted{
			Partial: &job.PartialSync{TableID: f.other.ID, Table: f.other.Name, Replace: true},
			Reason:  fmt.Sprintf("another table is called %s on the source now: its id was %d and is %d", f.other.Name, src.TableID, f.other.ID),
		}}
	case f.err != nil:
		e := s.blocked(f.err, s.nextSeq(), binlog.TypeDummy)
		if f.off && s.in.Progress.Gap == nil {
			e.gap = &job.Gap{Reason: f.err.Error(), CommitSeq: s.nextSeq()}
		}
		return e
	case s.in.Progress.Gap == nil:
		return nil
	case s.in.Spec.Type() == job.DatabaseSync:
		return &ending{end: job.EndGapOver}
	}
	src := &s.in.Spec.Source
	return &ending{end: job.EndSnapshot, wanted: &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: src.TableID, Table: src.Table, Replace: true},
		Reason:  "what was written while binlogs were off is in no binlog: " + s.in.Progress.Gap.Reason,
	}}
}
