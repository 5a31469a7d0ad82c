package job

import (
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// The inputs and results of the activities (architecture.md 3). Each step gets the
// spec with sealed passwords and the part of the progress that it needs.

// StepInput is what every step is given.
type StepInput struct {
	Spec     Spec     `json:"spec"`
	Progress Progress `json:"progress"`
	// ServerRetries is how many attempts at the step the server may make, half a
	// minute apart, before the workflow hears again of the problem that it knows
	// already: a job that is stalled for a week must not fill its history with that. 0:
	// only the first attempt. Its name in JSON is that of earlier releases.
	ServerRetries int `json:"patience,omitempty"`
}

// Checked is the result of CheckJob: the spec with ids and frontends resolved.
type Checked struct {
	Spec Spec `json:"spec"`
}

// SnapshotTaken is the result of TakeSnapshot.
type SnapshotTaken struct {
	// Prepared is set when the step has only found out Before (see Snapshot):
	// it wants to be called again once that is recorded.
	Prepared bool  `json:"prepared,omitempty"`
	Before   int64 `json:"before,omitempty"`
	// Name of the finished backup.
	Name string `json:"name,omitempty"`
	// Objects: see Snapshot.
	Objects int `json:"objects,omitempty"`
	// Wanted is set when the snapshot cannot be taken as ordered and another one
	// must be: the table is gone, has another name, or another id.
	Wanted *SnapshotWanted `json:"wanted,omitempty"`
	// Nothing is set when the database has no tables and views at all: there is
	// nothing to restore and incremental sync starts at CommitSeq.
	Nothing   bool  `json:"nothing,omitempty"`
	CommitSeq int64 `json:"commit_seq,omitempty"`
	// TableGone is set when the table of a partial sync does not exist any more.
	TableGone bool `json:"table_gone,omitempty"`
	// SourceTableID is set when another table has the name of a table job's table
	// now: the new id to follow.
	SourceTableID int64 `json:"source_table_id,omitempty"`
	// SourceDatabaseID is set when the source's database was dropped and created
	// again: the new id. The step wants to be called again once that is recorded.
	SourceDatabaseID int64 `json:"source_db_id,omitempty"`
}

// SnapshotRestored is the result of RestoreSnapshot.
type SnapshotRestored struct {
	Restored *Restored `json:"restored,omitempty"`
	// Aliases in use; FinishSnapshot swaps them in.
	Aliases map[string]string `json:"aliases,omitempty"`
	// Wanted is set when another snapshot is needed (expired, mismatch, ...).
	Wanted *SnapshotWanted `json:"wanted,omitempty"`
	// TableGone: see SnapshotTaken.
	TableGone bool `json:"table_gone,omitempty"`
	// SourceTableID: see SnapshotTaken.
	SourceTableID int64 `json:"source_table_id,omitempty"`
	// SourceTable is set when a table job's table has another name in the
	// snapshot: the binlog of its RENAME may be contained, and is not met then.
	SourceTable string `json:"source_table,omitempty"`
	// DestinationDatabaseID is set when the destination's database is not the one
	// that the job knew: it was dropped, and everything in it is gone.
	DestinationDatabaseID int64 `json:"dest_db_id,omitempty"`
}

// SnapshotFinished is the result of FinishSnapshot.
type SnapshotFinished struct {
	State    SyncState       `json:"sync_state"`
	Position Position        `json:"position"`
	Tables   map[int64]Table `json:"tables"` // the whole new mapping
	// Partitions replaces Progress.Partitions.
	Partitions map[int64]int64 `json:"partitions,omitempty"`
	// DestinationTableID of a table job.
	DestinationTableID int64 `json:"destination_table_id,omitempty"`
	// Foreign names tables and views that stay on the destination although the
	// source does not have them.
	Foreign []string `json:"foreign,omitempty"`
	// Wanted is set, and nothing else, when another snapshot is needed: what was
	// restored is not there any more.
	Wanted *SnapshotWanted `json:"wanted,omitempty"`
}

// SnapshotWanted orders a snapshot: full if Partial is nil.
type SnapshotWanted struct {
	Partial *PartialSync `json:"partial,omitempty"`
	Reason  string       `json:"reason"`
	// Retry asks for a new backup within the same full or partial sync, because
	// the last one expired, was cancelled or was lost: not a new full sync.
	Retry bool `json:"retry,omitempty"`
	// Remedy is what a person can do if the same happens again and again.
	Remedy string `json:"remedy,omitempty"`
}

// StreamInput is the input of StreamUpserts.
type StreamInput struct {
	StepInput
	// Shift is how long the shift may last.
	Shift time.Duration `json:"shift"`
	// Number counts the shifts of the workflow's run from 1; 0: by a worker of before.
	Number int `json:"number,omitempty"`
	// Probe ends the shift after its first success: the workflow then knows
	// that a problem is over.
	Probe bool `json:"probe,omitempty"`
}

// StreamEnd says why a shift ended.
type StreamEnd string

const (
	EndShiftOver StreamEnd = "shift_over" // time is over, or a probe succeeded
	EndStopped   StreamEnd = "stopped"    // asked to stop, or the worker stops
	EndBinlog    StreamEnd = "binlog"     // the next binlog is for ApplyBinlog or ApplyBinlogs
	EndSnapshot  StreamEnd = "snapshot"   // a full or partial snapshot is wanted
	EndBlocked   StreamEnd = "blocked"    // Problem says why
	EndSkipped   StreamEnd = "skipped"    // the binlog to skip has been passed
	EndGap       StreamEnd = "gap"        // Gap says since when the source has not recorded everything
	EndGapOver   StreamEnd = "gap_over"   // the source records again: the gap can be closed
)

// StreamResult is the result of StreamUpserts.
type StreamResult struct {
	End      StreamEnd `json:"end"`
	Position Position  `json:"position"`
	Binlog   *Binlog   `json:"binlog,omitempty"`
	// Following are binlogs behind Binlog that may be applied in the same step.
	Following []Binlog        `json:"following,omitempty"`
	Wanted    *SnapshotWanted `json:"wanted,omitempty"`
	// Problem is what blocks the shift, or what it was trying again when it was
	// stopped.
	Problem *Problem   `json:"problem,omitempty"`
	Lag     binlog.Lag `json:"lag"`
	// Tables are changed entries of the table mapping, by source id.
	Tables TableChanges `json:"tables,omitzero"`
	// Resealed is set when the passwords were sealed with an old key.
	Resealed *Resealed `json:"resealed,omitempty"`
	// Notes are events of the shift, one line each.
	Notes []string `json:"notes,omitempty"`
	// Unconfirmed is what the shift leaves unconfirmed: Since and To.
	Unconfirmed
	// Settling is the next of Progress.
	Settling
	// NewEpoch asks for labels of another epoch: a transaction holds one of this one
	// that can be neither committed nor rolled back.
	NewEpoch bool `json:"new_epoch,omitempty"`
	// Differences replace Progress.Differences; nil: nobody has compared.
	Differences *[]Difference `json:"differences,omitempty"`
	// Comparing replaces Progress.Comparing; nil: by a worker of before.
	Comparing *Comparing `json:"comparing,omitempty"`
	// Gap is set when the shift has found that the source does not record.
	Gap *Gap `json:"gap,omitempty"`
}

// Resealed are a job's passwords, sealed with the key that seals now.
type Resealed struct {
	Source      Sealed `json:"src,omitempty"`
	Destination Sealed `json:"dest,omitempty"`
}

// TableChanges is a change of the table mapping.
type TableChanges struct {
	Set  map[int64]Table `json:"set,omitempty"`
	Drop []int64         `json:"drop,omitempty"`
}

// ApplyInput is the input of ApplyBinlog; the binlog is Progress.Pending.
type ApplyInput struct {
	StepInput
	// OutcomeUnknown is set when an earlier attempt at this binlog ended without a
	// known outcome: check whether it has been applied (doris-binlogs.md 4.7).
	OutcomeUnknown bool `json:"unknown,omitempty"`
}

// ApplyResult is the result of ApplyBinlog. Exactly one of Done, Wanted and
// Problem is set.
type ApplyResult struct {
	Done    bool            `json:"done,omitempty"`
	Wanted  *SnapshotWanted `json:"wanted,omitempty"`
	Problem *Problem        `json:"problem,omitempty"`
	// Summary is one line about what was done, e.g. the statement.
	Summary string `json:"summary,omitempty"`
	// Refused is a statement that the destination refused, with its answer, where
	// the job goes on all the same (doris-binlogs.md 2.3).
	Refused string `json:"refused,omitempty"`
	// Conflict says in what the destination was, or became, something else than
	// the binlog makes of the source. It comes with the snapshot that mends it.
	Conflict string `json:"conflict,omitempty"`
	// Changes to the progress.
	Tables        TableChanges    `json:"tables,omitzero"`
	ShadowIndexes map[int64]int64 `json:"shadow_indexes,omitempty"`
	// SetShadowIndexes tells that ShadowIndexes replaces the old map.
	SetShadowIndexes bool `json:"set_shadow_indexes,omitempty"`
	// SourceTable is the new name of a table job's source table.
	SourceTable string `json:"source_table,omitempty"`
	// SourceTableID is set when another table has taken the place of a table
	// job's source table: the id to follow from now on.
	SourceTableID int64 `json:"source_table_id,omitempty"`
}

// TablesSelected is the result of SelectTables.
type TablesSelected struct {
	// Missing are the tables and views of the source that the job's filter
	// selects and Progress.Tables does not have: tables first, then views, each
	// by name. After a gap also those that may differ (Again).
	Missing []PartialSync `json:"missing,omitempty"`
	// Wanted is set where so much has to come again that one full sync is cheaper.
	Wanted *SnapshotWanted `json:"wanted,omitempty"`
	// Gone are tables that the source has dropped without a record of it.
	Gone []int64 `json:"gone,omitempty"`
	// Dropped are tables whose drop is recorded after a gap, and carried out.
	Dropped []int64 `json:"dropped,omitempty"`
	// GapTo is the next Progress.GapTo, 0 if there was no gap to close.
	GapTo int64 `json:"gap_to,omitempty"`
}

// CleanUpInput is the input of CleanUpJob.
type CleanUpInput struct {
	StepInput
	// Desync sets is_being_synced to DesyncTo on the destination tables.
	Desync   bool `json:"desync,omitempty"`
	DesyncTo bool `json:"desync_to,omitempty"`
	// KeepJob runs only the desync part: the job goes on.
	KeepJob bool `json:"keep_job,omitempty"`
}

// CleanedUp is the result of CleanUpJob: what could not be cleaned.
type CleanedUp struct {
	Failed []string `json:"failed,omitempty"`
}

// Apply merges changes into the mapping.
func (p *Progress) Apply(c TableChanges) {
	if p.Tables == nil && len(c.Set) > 0 {
		p.Tables = map[int64]Table{}
	}
	//workflowcheck:ignore a copy: order does not matter
	for id, t := range c.Set {
		p.Tables[id] = t
	}
	for _, id := range c.Drop {
		delete(p.Tables, id)
	}
}

// StartFullSync puts the job into a new full sync at the given commit seq.
func (p *Progress) StartFullSync(t SyncType, now time.Time, commitSeq int64, reason string) {
	p.Epoch++
	p.FirstEpoch = p.Epoch
	p.Unconfirmed.Shift(time.Time{}, 0, p.Epoch) // whatever was applied, it is replaced
	p.Settling = Settling{}
	p.State = DBFullSync
	if t == TableSync {
		p.State = TableFullSync
	}
	p.Phase = PhaseTakeSnapshot
	p.Snapshot = &Snapshot{Reason: reason, Trigger: commitSeq}
	p.Pending, p.Unconfirmed.Pending, p.Unconfirmed.CommitSeq, p.Unconfirmed.Through = nil, false, 0, 0
	p.Reselect, p.Awaited = false, nil // it brings what is selected
	p.Gap = nil                        // and all that was not recorded
	p.FullSyncs++
	p.FullSyncStartedAt = now
	p.FullSyncInfo = FullSyncInfo{CommitSeq: commitSeq, Info: reason}
}

// NextEpoch begins an epoch in which what was applied before stays.
func (p *Progress) NextEpoch() {
	if p.FirstEpoch == 0 {
		p.FirstEpoch = p.Epoch
	}
	p.Epoch++
}

// StartPartialSync puts the job into a partial sync triggered at commitSeq.
func (p *Progress) StartPartialSync(t SyncType, now time.Time, commitSeq int64, part PartialSync, reason string) {
	p.NextEpoch()
	p.State = DBPartialSync
	if t == TableSync {
		p.State = TablePartialSync
	}
	p.Phase = PhaseTakeSnapshot
	p.Snapshot = &Snapshot{Partial: &part, Reason: reason, Trigger: commitSeq}
	p.Unconfirmed.leavePending(p.Pending, commitSeq)
	p.Pending = nil
	if t == TableSync && len(part.Partitions) == 0 {
		p.Gap = nil // all that the job has comes with it
	}
	p.PartialSyncs++
	p.PartialSyncStartedAt = now
	p.PartialSyncInfo = PartialSyncInfo{CommitSeq: commitSeq, Table: part.Table, Info: reason}
}
