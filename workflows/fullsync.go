package workflows

import (
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// Full and partial syncs: take a snapshot, restore it, finish. Each of the
// three is a phase of its own, so that a new run or another worker goes on
// where the last one was.

func (r *run) takeSnapshot() {
	o := r.settings.activityOptions(fmt.Sprintf("back up %s (%s, epoch %d)", r.snapshotSubject(), r.snapshotKind(), r.p.Epoch), snapshotTimeout)
	out, err := executeStep[job.SnapshotTaken](r, o, 0, job.ActivityTakeSnapshot, r.retriedInput(&o))
	if err != nil {
		r.stepFailed(err, "take snapshot")
		return
	}
	switch {
	case r.redirected(out.Wanted, out.TableGone, out.SourceTableID):
	case out.SourceDatabaseID != 0:
		r.event(levelWarn, "the source database %s was dropped and created again: following its new id %d", r.spec.Source.Database, out.SourceDatabaseID)
		r.spec.Source.DatabaseID = out.SourceDatabaseID
	case out.Prepared:
		// Recorded before the backup is ordered; the loop takes the step again.
		r.p.Snapshot.Prepared, r.p.Snapshot.Before = true, out.Before
	case out.Nothing:
		r.startFromNothing(out.CommitSeq)
	case out.Name != "":
		r.p.Snapshot.Name, r.p.Snapshot.Objects = out.Name, out.Objects
		r.p.Phase = job.PhaseRestore
		r.event(levelInfo, "snapshot %s taken", out.Name)
		r.clearBackupProblem()
	default:
		r.reportProblem(job.Problem{Kind: job.KindNormal, Text: "take snapshot: the step reported neither a snapshot nor a reason for having none", Remedy: remedyVersions})
	}
}

func (r *run) restoreSnapshot() {
	o := r.settings.activityOptions(fmt.Sprintf("restore %s into %s", r.p.Snapshot.Name, r.spec.Destination.Database), snapshotTimeout)
	out, err := executeSnapshotStep[job.SnapshotRestored](r, o, job.ActivityRestoreSnapshot, r.retriedInput(&o), r.inSnapshot())
	if err != nil {
		r.stepFailed(err, "restore snapshot")
		return
	}
	r.followNewDatabase(out)
	switch {
	case r.redirected(out.Wanted, out.TableGone, out.SourceTableID):
	case out.Restored != nil:
		if out.SourceTable != "" {
			r.event(levelInfo, "the source table %s is called %s now", r.spec.Source.Table, out.SourceTable)
			r.spec.Source.Call(out.SourceTable)
		}
		r.p.Snapshot.Restored = out.Restored
		r.p.Snapshot.Aliases = out.Aliases
		r.p.Phase = job.PhaseFinishSnapshot
		r.event(levelInfo, "snapshot %s restored, %d tables", r.p.Snapshot.Name, len(out.Restored.Tables))
		r.clearProblem()
	default:
		r.reportProblem(job.Problem{Kind: job.KindNormal, Text: "restore snapshot: the step reported neither what was restored nor a reason", Remedy: remedyVersions})
	}
}

// followNewDatabase follows the destination's database to its new id. Everything that
// the job had brought has gone with the old database. So after a partial sync the
// other tables come by a snapshot each.
func (r *run) followNewDatabase(out job.SnapshotRestored) {
	if out.DestinationDatabaseID == 0 {
		return
	}
	r.spec.Destination.DatabaseID = out.DestinationDatabaseID
	r.event(levelWarn, "the destination's database %s was dropped or created again (its id is %d now): all its tables are brought anew",
		r.spec.Destination.Database, out.DestinationDatabaseID)
	r.p.Tables, r.p.Partitions = nil, nil
	r.p.Reselect = r.p.Snapshot.Partial != nil && r.spec.Type() == job.DatabaseSync
}

func (r *run) finishSnapshot() {
	o := r.settings.activityOptions("finish "+r.p.Snapshot.Name, finishTimeout)
	out, err := executeSnapshotStep[job.SnapshotFinished](r, o, job.ActivityFinishSnapshot, r.retriedInput(&o), r.inSnapshot())
	if err != nil {
		r.stepFailed(err, "finish snapshot")
		return
	}
	if r.redirected(out.Wanted, false, 0) {
		return
	}
	if !out.State.Incremental() {
		r.reportProblem(job.Problem{Kind: job.KindNormal, Text: fmt.Sprintf("finish snapshot: the step reported %q, which is no incremental state", out.State), Remedy: remedyVersions})
		return
	}
	if r.p.Snapshot.Partial == nil {
		r.p.ShadowIndexes = nil
	}
	out.Position.Applied = max(out.Position.Applied, r.p.Position.Applied)
	r.p.Position = out.Position
	if r.p.Snapshot.Partial != nil {
		r.p.Deal(r.p.Snapshot.Trigger)
	}
	r.p.Tables = out.Tables
	r.p.Partitions = out.Partitions
	r.p.NoteSnapshot(r.now())
	if out.DestinationTableID != 0 {
		r.spec.Destination.TableID = out.DestinationTableID
	}
	r.syncEvent(levelInfo, "%s sync done, going on after commit seq %d", r.snapshotKind(), r.p.Position.CommitSeq)
	if len(out.Foreign) > 0 {
		r.event(levelWarn, "not on the source, and left on the destination as they are: %s (feature_clean_table_and_partitions has a full sync drop them)",
			oneLine(strings.Join(out.Foreign, ", "), eventLimit))
	}
	r.startIncremental(out.State)
}

// stepFailed deals with the error of a step. A step that was interrupted is run again
// when its time comes.
func (r *run) stepFailed(err error, step string) {
	if !interrupted(err) {
		r.reportProblem(stepProblem(err, step))
	}
}

// redirected deals with the answers of snapshot steps after which the job does
// something else than the next phase, and tells whether this was one.
func (r *run) redirected(wanted *job.SnapshotWanted, tableGone bool, sourceTableID int64) bool {
	if sourceTableID != 0 && sourceTableID != r.spec.Source.TableID {
		r.event(levelWarn, "another table has the name %s now: following its id %d", r.spec.Source.NameOfJob(), sourceTableID)
		r.spec.Source.TableID = sourceTableID
	}
	switch {
	case tableGone:
		r.tableGone()
	case wanted != nil && wanted.Retry:
		r.snapshotFailed(wanted)
	case wanted != nil:
		r.startSnapshot(*wanted, r.p.Snapshot.Trigger)
	default:
		return false
	}
	return true
}

// snapshotTries is how many snapshots of one sync may fail before that is a problem
// of the job. A table that is dropped meanwhile, or a snapshot that expires, is none.
const snapshotTries = 3

// restoreProblem begins the text of such a problem if the restore fails. The next
// backup does not clear it.
const restoreProblem = "restoring the snapshot fails again and again: "

// snapshotFailed makes a new backup after one that was cancelled, expired or
// could not be restored.
func (r *run) snapshotFailed(wanted *job.SnapshotWanted) {
	if r.p.Snapshot.Attempt+1 < snapshotTries || !r.version(changeSnapshotTrouble) {
		r.takeSnapshotAgain(wanted.Reason)
		return
	}
	p := job.Problem{Kind: job.KindNormal, Text: "backing up fails again and again: " + wanted.Reason, Remedy: wanted.Remedy, Recurs: true}
	if r.p.Phase == job.PhaseRestore || r.p.Phase == job.PhaseFinishSnapshot {
		p.Text = restoreProblem + wanted.Reason
	}
	if p.Remedy == "" {
		p.Remedy = "look at SHOW BACKUP on the source, SHOW RESTORE on the destination and the log of the frontend there; the snapshot is taken again by itself"
	}
	r.reportProblem(p)
	r.anotherAttempt()
}

// takeSnapshotAgain makes a new backup within the same full or partial sync.
func (r *run) takeSnapshotAgain(reason string) {
	r.syncEvent(levelWarn, "taking the snapshot again: %s", oneLine(reason, eventLimit))
	r.anotherAttempt()
}

func (r *run) anotherAttempt() {
	s := r.p.Snapshot
	s.Attempt++
	s.Name, s.Objects, s.Aliases, s.Restored = "", 0, nil, nil
	s.Prepared, s.Before = false, 0
	r.p.Phase = job.PhaseTakeSnapshot
	r.waitBefore(s.Attempt)
}

// clearBackupProblem clears the problem after a backup has succeeded, unless it is
// that of a restore.
func (r *run) clearBackupProblem() {
	if p := r.p.Problem; p == nil || !strings.HasPrefix(p.Text, restoreProblem) {
		r.clearProblem()
	}
}

// tableGone deals with a table that vanished from the source before its
// snapshot was taken (doris-binlogs.md 4.5.5). For a database job the table
// counts as contained from now on, whatever its binlogs still say; the entry
// stays so that its DROP_TABLE finds the destination table. A table job has
// nothing to follow any more and waits for its table to come back.
func (r *run) tableGone() {
	part := r.p.Snapshot.Partial
	if r.spec.Type() == job.TableSync || part == nil {
		r.reportProblem(job.Problem{
			Kind:   job.KindMeta,
			Text:   fmt.Sprintf("the table %s.%s does not exist on the source any more", r.spec.Source.Database, r.spec.Source.NameOfJob()),
			Remedy: "recover or create the table on the source, or delete the job",
		})
		return
	}
	table, known := r.p.Tables[part.TableID]
	if known {
		table.CommitSeq, table.Gone = 0, true
		r.p.Tables[part.TableID] = table
	}
	r.syncEvent(levelWarn, "the source has no table %s with the id %d any more: nothing to sync", part.Table, part.TableID)
	r.p.Deal(r.p.Snapshot.Trigger)
	r.startIncremental(job.DBTablesIncrementalSync)
}

// startFromNothing begins incremental sync of a database without any table.
func (r *run) startFromNothing(commitSeq int64) {
	r.p.Position = job.Position{CommitSeq: commitSeq, Applied: r.p.Position.Applied, Partition: r.p.Position.Partition}
	r.p.Tables, r.p.Partitions, r.p.ShadowIndexes = nil, nil, nil
	r.p.NoteSnapshot(r.now())
	r.event(levelInfo, "the database has no tables yet, following its binlogs after commit seq %d", commitSeq)
	r.startIncremental(job.DBIncrementalSync)
}

func (r *run) startIncremental(state job.SyncState) {
	r.p.Snapshot = nil
	r.p.State = state
	r.p.Phase = job.PhaseStream
	r.p.IncrementalSyncStartAt = r.now()
	r.clearProblem()
	r.settle()
}

// settle leaves the filtered incremental state when its time has come, and
// forgets an order to skip a binlog that has been passed.
func (r *run) settle() {
	before := r.p.State
	if r.p.SettleIncremental() && r.p.State != before {
		r.event(levelInfo, "all tables are at the same position: %s", r.p.State)
	}
	if s := r.p.Skip; s != nil && r.passed(s.SkipCommitSeq) {
		r.event(levelWarn, "the order to skip commit seq %d is over without effect: the binlog was applied before the order arrived, or there is none of that number; the job is at %d", s.SkipCommitSeq, r.p.Position.CommitSeq)
		r.p.Skip = nil
	}
}

// startSnapshot starts the snapshot that a step asked for.
func (r *run) startSnapshot(w job.SnapshotWanted, trigger int64) {
	r.clearProblem()
	if w.Partial != nil {
		r.startPartialSync(trigger, *w.Partial, w.Reason)
	} else {
		r.startFullSyncUnasked(trigger, w.Reason)
	}
	// A snapshot that leads to another snapshot without the job getting any
	// further must not keep both clusters busy with backups.
	if trigger > r.lastOrder {
		r.restarts = 0
	}
	r.lastOrder = trigger
	r.restarts++
	if r.restarts > 1 {
		r.waitBefore(r.restarts - 1)
	}
}

func (r *run) startFullSync(trigger int64, reason string) {
	r.beginFullSync(levelInfo, trigger, reason)
}

// startFullSyncUnasked is startFullSync where nobody has ordered it: binlogs are lost,
// mostly, and people should know why all is copied again.
func (r *run) startFullSyncUnasked(trigger int64, reason string) {
	r.beginFullSync(levelWarn, trigger, reason)
}

func (r *run) beginFullSync(level string, trigger int64, reason string) {
	reason = limit(reason, problemLimit)
	r.p.StartFullSync(r.spec.Type(), r.now(), trigger, reason)
	r.syncEvent(level, "full sync starts at commit seq %d: %s", trigger, oneLine(reason, eventLimit))
}

func (r *run) startPartialSync(trigger int64, part job.PartialSync, reason string) {
	reason = limit(reason, problemLimit)
	r.p.StartPartialSync(r.spec.Type(), r.now(), trigger, part, reason)
	r.syncEvent(levelInfo, "partial sync of %s starts at commit seq %d: %s", part.Table, trigger, oneLine(reason, eventLimit))
}

// snapshotSubject names what the snapshot is of.
func (r *run) snapshotSubject() string {
	switch part := r.p.Snapshot.Partial; {
	case part != nil && len(part.Partitions) > 0:
		return fmt.Sprintf("%d partitions of %s", len(part.Partitions), part.Table)
	case part != nil:
		return part.Table
	case r.spec.Source.Table != "":
		return r.spec.Source.Database + "." + r.spec.Source.Table
	}
	return r.spec.Source.Database
}
