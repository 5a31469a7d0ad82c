package snapshot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// TakeSnapshot makes the backup that the progress orders and waits until it is
// finished. Its name depends on job, epoch and attempt only: started again, the
// step finds the backup it made before.
func (j *Job) TakeSnapshot(ctx context.Context, in job.StepInput, report func(job.Heartbeat)) (job.SnapshotTaken, error) {
	snap := in.Progress.Snapshot
	if snap == nil {
		return job.SnapshotTaken{}, errors.New("take a snapshot: none is ordered")
	}
	if snap.Partial == nil && !snap.Prepared {
		if id, err := j.Source.DatabaseID(ctx); err != nil || id != j.Spec.Source.DatabaseID {
			return job.SnapshotTaken{SourceDatabaseID: id}, err
		}
		// The lock comes first: what the backup does not contain must stay
		// readable. A partial sync goes on before the backup, so it must not lock
		// what is newer than that.
		newest, err := j.newestBinlog(ctx)
		if err != nil {
			return job.SnapshotTaken{}, err
		}
		return job.SnapshotTaken{Prepared: true, Before: newest}, nil
	}
	name := job.SnapshotName(&j.Spec, in.Progress.Epoch, snap.Partial != nil, snap.Attempt)
	w := waiter{j: j, report: report, position: in.Progress.Position}
	defer j.Options.Metrics.SnapshotOver(j.Spec.Name, pair.StepBackup)
	var what backupObjects
	var given orders
	// Where nothing had been recorded there was nothing to lock. The backup itself
	// is the first binlog of a table (BARRIER): from then on other jobs' locks
	// would let the source collect what this one still has to read.
	unlocked := snap.Partial == nil && snap.Before == 0
	for {
		backup, found, err := j.Source.SQL.BackupJob(ctx, j.Spec.Source.Database, name)
		if err != nil {
			return job.SnapshotTaken{}, fmt.Errorf("look for backup %s: %w", name, err)
		}
		if found && unlocked {
			_, err := j.LockBinlog(ctx, 0)
			unlocked = err != nil && !errors.Is(err, fe.ErrUnknownMethod)
		}
		switch {
		case found && backup.State == sqlclient.JobFinished:
			objects, err := j.objectsOf(ctx, snap)
			return job.SnapshotTaken{Name: name, Objects: objects, SourceTableID: what.newTableID}, err
		case found && backup.State == sqlclient.JobCancelled:
			return job.SnapshotTaken{SourceTableID: what.newTableID, Wanted: &job.SnapshotWanted{
				Partial: snap.Partial, Retry: true,
				Reason: fmt.Sprintf("backup %s was cancelled: %s", name, backup.Status),
				Remedy: problem.RemedyForText(backup.Status),
			}}, nil
		case found:
			j.Options.Metrics.SnapshotLeft(j.Spec.Name, pair.StepBackup, backup.Unfinished)
			w.weigh(ctx, snap.Partial)
			w.left(backup.Unfinished)
			w.works("backup %s: %s %s", name, backup.State, backup.Progress)
		default:
			if err := given.trouble("backup "+name, 0); err != nil {
				return job.SnapshotTaken{}, err
			}
			taken, err := j.submitBackup(ctx, name, snap, &what, &w, &given)
			if err != nil || taken != nil {
				return orZero(taken), err
			}
		}
		if err := w.wait(ctx); err != nil {
			return job.SnapshotTaken{}, fmt.Errorf("wait for backup %s: %w", name, err)
		}
	}
}

// objectsOf is how many tables and views the backup of a database has about: those that
// the database has now.
func (j *Job) objectsOf(ctx context.Context, snap *job.Snapshot) (int, error) {
	if snap.Partial != nil || j.Spec.Type() == job.TableSync {
		return 0, nil
	}
	names, err := j.Source.SQL.Tables(ctx, j.Spec.Source.Database)
	if err != nil {
		return 0, fmt.Errorf("count the tables of the source: %w", err)
	}
	return len(names), nil
}

func orZero(taken *job.SnapshotTaken) job.SnapshotTaken {
	if taken == nil {
		return job.SnapshotTaken{}
	}
	return *taken
}

// backupObjects is what to back up, by the names of this moment.
type backupObjects struct {
	table      string   // "" = the whole database, or tables
	partitions []string // of the table
	tables     []string // what the job's filter selects of the database
	newTableID int64    // a table job's table has been created again
}

// submitBackup starts the backup. A result ends the step; nil means: look again.
func (j *Job) submitBackup(ctx context.Context, name string, snap *job.Snapshot, what *backupObjects, w *waiter, given *orders) (*job.SnapshotTaken, error) {
	partial := snap.Partial
	resolved, taken, err := j.backupObjects(ctx, partial, snap.Before, w.position)
	if err != nil || taken != nil {
		return taken, err
	}
	*what = resolved
	err = j.Source.SQL.Exec(ctx, backupStatement(j.Spec.Source.Database, name, resolved))
	var network *sqlclient.NetworkError
	switch {
	case err == nil:
		given.given(nil)
		w.note("backup %s submitted", name)
	case errors.Is(err, sqlclient.ErrJobRunning):
		w.note("waiting: %v", err)
	case errors.As(err, &network) && network.Sent:
		given.given(err)
		w.note("looking whether backup %s was submitted", name)
	case partial != nil && errors.Is(err, sqlclient.ErrUnknownPartition):
		return &job.SnapshotTaken{Wanted: &job.SnapshotWanted{
			Partial: &job.PartialSync{TableID: partial.TableID, Table: resolved.table, Replace: true},
			Reason:  fmt.Sprintf("a partition to snapshot is gone: %v", err),
		}}, nil
	case errors.Is(err, sqlclient.ErrUnknownTable):
		w.note("looking for the table again: %v", err) // renamed or dropped this moment
	default:
		return nil, fmt.Errorf("submit backup %s: %w", name, err)
	}
	return nil, nil
}

// newestBinlog locks the source's newest binlog and returns its commit seq, 0
// if there is none. Servers that cannot lock are asked otherwise.
func (j *Job) newestBinlog(ctx context.Context) (int64, error) {
	newest, err := j.LockBinlog(ctx, -1)
	switch {
	case err == nil:
		return max(newest, 0), nil
	case errors.Is(err, fe.ErrBinlogNotFound):
		return 0, nil
	case !errors.Is(err, fe.ErrUnknownMethod):
		return 0, fmt.Errorf("lock the source's binlogs: %w", err)
	}
	lag, err := j.BinlogLag(ctx, 0)
	if err != nil {
		return 0, err
	}
	if lag.LastCommitSeq > 0 || lag.Binlogs == 0 {
		return max(lag.LastCommitSeq, 0), nil
	}
	// So old that the lag is a number only: the end of what is lost will do.
	got, err := j.Source.FE.Binlogs(ctx, j.BinlogRequest(0, 1))
	if err != nil && !errors.Is(err, fe.ErrBinlogNotFound) {
		return 0, fmt.Errorf("look for the oldest binlog: %w", err)
	}
	if got.Status == status.BinlogTooOldCommitSeq && len(got.Binlogs) > 0 {
		return got.Binlogs[0].CommitSeq, nil
	}
	return 0, nil
}

func backupStatement(database, name string, what backupObjects) string {
	var b strings.Builder
	fmt.Fprintf(&b, "BACKUP SNAPSHOT %s TO `%s`", sqlclient.Name(database, name), fe.LocalRepository)
	switch {
	case what.table != "":
		fmt.Fprintf(&b, " ON (%s", sqlclient.Quote(what.table))
		if len(what.partitions) > 0 {
			fmt.Fprintf(&b, " PARTITION (%s)", strings.Join(pair.QuoteNames(what.partitions), ","))
		}
		b.WriteString(")")
	case len(what.tables) > 0:
		fmt.Fprintf(&b, " ON (%s)", strings.Join(pair.QuoteNames(what.tables), ","))
	}
	b.WriteString(` PROPERTIES ("type" = "full")`)
	return b.String()
}

// backupObjects finds what to back up by the names that things have now: ids
// stay, names do not (doris-binlogs.md 4.5.5, 6.1).
func (j *Job) backupObjects(ctx context.Context, partial *job.PartialSync, newest int64, position job.Position) (backupObjects, *job.SnapshotTaken, error) {
	switch {
	case partial == nil && j.Spec.Type() == job.DatabaseSync:
		names, err := j.SelectedNames(ctx)
		switch {
		case err != nil:
			return backupObjects{}, nil, err
		case len(names) > 0 && j.Spec.Everything():
			return backupObjects{}, nil, nil
		}
		if names, err = j.WithoutAsyncViews(ctx, names); err != nil {
			return backupObjects{}, nil, err
		}
		if len(names) == 0 {
			return backupObjects{}, &job.SnapshotTaken{Nothing: true, CommitSeq: newest}, nil
		}
		return backupObjects{tables: names}, nil, nil
	case partial != nil && partial.View:
		exists, err := j.Source.SQL.TableExists(ctx, j.Spec.Source.Database, partial.Table)
		if err != nil {
			return backupObjects{}, nil, fmt.Errorf("look for view %s: %w", partial.Table, err)
		}
		if !exists {
			return backupObjects{}, &job.SnapshotTaken{TableGone: true}, nil
		}
		return backupObjects{table: partial.Table}, nil, nil
	case j.Spec.Type() == job.TableSync:
		return j.followedTable(ctx, partial, position)
	}
	table, _, err := j.Source.TableByID(ctx, partial.TableID)
	switch {
	case err != nil:
		return backupObjects{}, nil, err
	case table == nil:
		return backupObjects{}, &job.SnapshotTaken{TableGone: true}, nil
	case table.Name != partial.Table:
		return backupObjects{}, &job.SnapshotTaken{Wanted: renamed(partial, table.Name)}, nil
	}
	return backupObjects{table: table.Name, partitions: partial.Partitions}, nil, nil
}

// renamed orders the snapshot of a table under its new name.
func renamed(partial *job.PartialSync, name string) *job.SnapshotWanted {
	return &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: partial.TableID, Table: name, Replace: true},
		Reason:  fmt.Sprintf("table %s is called %s now", partial.Table, name),
	}
}

// waiter spaces the looks at a running job and reports what was seen.
type waiter struct {
	j        *Job
	report   func(job.Heartbeat)
	position job.Position
	delay    time.Duration
	copying  *job.Copying
	bytes    int64
	weighed  bool
}

const (
	firstLook = 50 * time.Millisecond
	lastLook  = 2 * time.Second
)

// left notes what Doris says is unfinished ("tabletId=backendId, ..."). While it has not
// divided the work yet, nothing is.
func (w *waiter) left(unfinished string) {
	n := 0
	if strings.TrimSpace(unfinished) != "" {
		n = strings.Count(unfinished, ",") + 1
	}
	switch {
	case w.copying == nil && n == 0:
	case w.copying == nil || n > w.copying.Most:
		w.copying = &job.Copying{Left: n, Most: n, Since: time.Now(), AboutBytes: w.bytes}
	default:
		// A new one: the last is in a heartbeat that may be being encoded.
		w.copying = &job.Copying{Left: n, Most: w.copying.Most, Since: w.copying.Since, AboutBytes: w.bytes}
	}
}

func (w *waiter) note(format string, args ...any) { w.tell(false, fmt.Sprintf(format, args...)) }

// works is note while Doris is doing what was ordered.
func (w *waiter) works(format string, args ...any) { w.tell(true, fmt.Sprintf(format, args...)) }

func (w *waiter) tell(works bool, text string) {
	if w.report != nil {
		w.report(job.Heartbeat{Position: w.position, At: time.Now(), Works: works, Note: strings.TrimSpace(text), Copying: w.copying})
	}
}

func (w *waiter) wait(ctx context.Context) error {
	switch {
	case w.j.Options.SnapshotPoll > 0:
		w.delay = w.j.Options.SnapshotPoll
	case w.delay == 0:
		w.delay = firstLook
	default:
		w.delay = min(w.delay*3/2, lastLook)
	}
	if !pair.Sleep(ctx, w.delay) {
		return context.Cause(ctx)
	}
	return nil
}
