package job

import (
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// SyncState is what a job is doing in the vocabulary of the existing interface;
// the numbers are those of job_progress' sync_state (http-api.md 3.7).
type SyncState int

const (
	DBFullSync              SyncState = 0
	DBTablesIncrementalSync SyncState = 1
	DBIncrementalSync       SyncState = 3
	DBPartialSync           SyncState = 4
	TableFullSync           SyncState = 500
	TableIncrementalSync    SyncState = 501
	TablePartialSync        SyncState = 502
)

var syncStateNames = map[SyncState]string{
	DBFullSync:              "DBFullSync",
	DBTablesIncrementalSync: "DBTablesIncrementalSync",
	DBIncrementalSync:       "DBIncrementalSync",
	DBPartialSync:           "DBPartialSync",
	TableFullSync:           "TableFullSync",
	TableIncrementalSync:    "TableIncrementalSync",
	TablePartialSync:        "TablePartialSync",
}

// String returns the progress_state of job_status.
func (s SyncState) String() string { return syncStateNames[s] }

// SyncStateNamed is the state that String gives this name, DBFullSync if none has it.
func SyncStateNamed(name string) SyncState {
	//workflowcheck:ignore a search for the only one: order does not matter
	for state, text := range syncStateNames {
		if text == name {
			return state
		}
	}
	return DBFullSync
}

// Incremental tells whether binlogs are being applied in this state.
func (s SyncState) Incremental() bool {
	return s == DBTablesIncrementalSync || s == DBIncrementalSync || s == TableIncrementalSync
}

// Phase names the step the workflow runs next. Phases are ours; SyncState is
// the coarser word of the interface, derived from the phase and the snapshot.
type Phase string

const (
	PhaseCheck          Phase = "check"           // CheckJob has not succeeded yet
	PhaseTakeSnapshot   Phase = "take_snapshot"   // BACKUP on the source
	PhaseRestore        Phase = "restore"         // restore on the destination
	PhaseFinishSnapshot Phase = "finish_snapshot" // swap aliases, rebuild mappings
	PhaseStream         Phase = "stream"          // follow binlogs
	PhaseApply          Phase = "apply"           // one non-UPSERT binlog
	PhaseDeleting       Phase = "deleting"        // CleanUpJob
)

// Progress is the only durable state of a job and the truth about it. It holds
// ids, names and positions, never snapshot metadata and never a clear secret.
type Progress struct {
	Phase Phase     `json:"phase"`
	State SyncState `json:"sync_state"`

	// Epoch is job_sync_id: the unix time of creation, plus one for each
	// snapshot since. It is part of snapshot names and transaction labels.
	Epoch int64 `json:"epoch"`
	// FirstEpoch is the epoch of the last full sync: what transactions with labels
	// of it, or of a later one, have applied is on the destination. 0 = unknown
	// (jobs of before, imported ones): only labels of Epoch are sure to be.
	FirstEpoch int64 `json:"first_epoch,omitempty"`

	// Position: everything up to CommitSeq that had been filed when it was read has
	// been applied.
	Position Position `json:"position"`
	// Settling is what of the log is dealt with for good, and beyond that.
	Settling

	// Tables maps source table (and view) ids to what is known of them.
	Tables map[int64]Table `json:"tables,omitempty"`
	// Partitions maps source partition ids to the commit seq up to which a
	// partition-level partial snapshot already contains their rows.
	Partitions map[int64]int64 `json:"partitions,omitempty"`
	// ShadowIndexes maps shadow or rollup index ids under construction to their
	// origin's id (doris-binlogs.md 2.7). Negative: see pair.RunningRollup.
	ShadowIndexes map[int64]int64 `json:"shadow_indexes,omitempty"`

	// Snapshot is the full or partial snapshot in progress, nil otherwise.
	Snapshot *Snapshot `json:"snapshot,omitempty"`
	// Pending is the non-UPSERT binlog to apply next, in PhaseApply.
	Pending *Binlog `json:"pending,omitempty"`
	// Unconfirmed is what may be applied without the job knowing it.
	Unconfirmed

	// Gap is set while the source has not recorded everything, or once it has not:
	// what the job follows has to be compared, or brought again, when it records
	// again. nil: none.
	Gap *Gap `json:"gap,omitempty"`
	// GapTo: all tables have been compared since the binlogs up to here were filed.
	// So none of them matters that is lost, and records up to here that binlogs were
	// switched off or on are of a gap that is closed already.
	GapTo int64 `json:"gap_to,omitempty"`

	// Differences are what source and destination are known to differ in
	// (MaxDifferences).
	Differences []Difference `json:"differences,omitempty"`
	// Comparing tells how current and complete they are.
	Comparing *Comparing `json:"comparing,omitempty"`

	// Verified is how the last verification ended, nil if there was none.
	Verified *Verified `json:"verified,omitempty"`

	// Reselect is set when the table filter has changed, or when a gap is to be
	// closed: what the job replicates has to be compared with Tables.
	Reselect bool `json:"reselect,omitempty"`
	// Awaited are the tables and views that the filter selects now and that a
	// partial snapshot has yet to bring, in this order.
	Awaited []PartialSync `json:"awaited,omitempty"`

	// Told is what the webhook was last told, nil before the first time, and
	// Notices what it has yet to be told, oldest first (MaxNotices). NoticeSeq
	// numbers them.
	Told      *Told    `json:"told,omitempty"`
	Notices   []Notice `json:"notices,omitempty"`
	NoticeSeq int      `json:"notice_seq,omitempty"`

	// Paused is what an operator asked for.
	Paused bool `json:"paused,omitempty"`
	// Skip is a pending job_skip_binlog request, nil if none.
	Skip *SkipBinlog `json:"skip,omitempty"`
	// Problem is set while the job cannot go on; the first success clears it.
	Problem *Problem `json:"problem,omitempty"`
	// Lag as last observed.
	Lag binlog.Lag `json:"lag"`

	// Full and partial syncs so far, the first full sync included, and why the
	// last of each started; the times are below.
	FullSyncs       int             `json:"full_syncs"`
	PartialSyncs    int             `json:"partial_syncs"`
	FullSyncInfo    FullSyncInfo    `json:"full_sync_info"`
	PartialSyncInfo PartialSyncInfo `json:"partial_sync_info,omitzero"`

	// Brought is which snapshots have brought the tables, and why.
	Brought Brought `json:"brought,omitzero"`

	CreatedAt              time.Time `json:"created_at"`
	FullSyncStartedAt      time.Time `json:"full_sync_started_at,omitzero"`
	PartialSyncStartedAt   time.Time `json:"partial_sync_started_at,omitzero"`
	IncrementalSyncStartAt time.Time `json:"incremental_sync_start_at,omitzero"`

	// Events are the last noteworthy things, oldest first (MaxEvents).
	Events []Event `json:"events,omitempty"`
	// Outcomes are the results of recent commands, oldest first (MaxOutcomes).
	Outcomes []Outcome `json:"outcomes,omitempty"`
}

// Gap is a time in which the source did not record: binlog.enable was off.
type Gap struct {
	// Reason says what was seen, for people.
	Reason string `json:"reason"`
	// CommitSeq is where the job was when it noticed.
	CommitSeq int64 `json:"commit_seq"`
}

// Position is how far the job is in the source's binlogs.
type Position struct {
	// CommitSeq: every binlog up to and including it is applied.
	CommitSeq int64 `json:"commit_seq"`
	// Timestamp of the last applied UPSERT, ms since the epoch, 0 unknown.
	Timestamp int64 `json:"timestamp,omitempty"`
	// TxnID is the last destination transaction committed; it may not yet be
	// visible. 0 = none to wait for.
	TxnID int64 `json:"txn_id,omitempty"`
	// Applied counts UPSERTs applied since the job was created.
	Applied int64 `json:"applied,omitempty"`
	// Partition is the greatest id of a source partition that the job has met, in a
	// snapshot or an UPSERT, 0 unknown: one with a greater id was made since.
	Partition int64 `json:"partition,omitempty"`
}

// Snapshot is a full or partial snapshot in progress.
type Snapshot struct {
	// Partial names what to snapshot; nil means everything the job covers.
	Partial *PartialSync `json:"partial,omitempty"`
	Reason  string       `json:"reason"`
	// Trigger is the commit seq at which the snapshot was ordered; a partial
	// sync of a database job resumes after it.
	Trigger int64 `json:"trigger"`
	// Prepared is set once Before is known.
	Prepared bool `json:"prepared,omitempty"`
	// Before is the source's newest commit seq at a moment before the backup was
	// ordered. A backup lists its tables when it is ordered and draws its
	// barriers later: what is created in between is in neither, so a database
	// job goes on from Before, however late the barriers are.
	Before int64 `json:"before,omitempty"`
	// Name is the BACKUP label, set once the backup has finished.
	Name string `json:"name,omitempty"`
	// Objects is how many tables and views the backup of a database has about, 0 unknown.
	Objects int `json:"objects,omitempty"`
	// Aliases maps destination table names to temporary names under which they
	// are restored before they are swapped in (doris-binlogs.md 4.6).
	Aliases map[string]string `json:"aliases,omitempty"`
	// Restored is what RestoreSnapshot found, set once it has finished.
	Restored *Restored `json:"restored,omitempty"`
	// Attempt numbers backups within one epoch: a cancelled or expired backup
	// is made again under a new name.
	Attempt int `json:"attempt,omitempty"`
}

// PartialSync says which table, and which of its partitions, to snapshot.
type PartialSync struct {
	TableID int64  `json:"table_id"`
	Table   string `json:"table"` // source name
	View    bool   `json:"is_view,omitempty"`
	// Partitions by source name; empty = the whole table.
	Partitions []string `json:"partitions,omitempty"`
	// Replace restores under an alias and swaps it in. Whole tables only.
	Replace bool `json:"replace,omitempty"`
	// Again brings a table although the job has it already, and Why says for what
	// reason (Awaited).
	Again bool   `json:"again,omitempty"`
	Why   string `json:"why,omitempty"`
}

// Restored is the outcome of a restore: the positions read from the snapshot.
type Restored struct {
	// Tables by source id: name and the commit seq contained in the snapshot.
	Tables map[int64]Table `json:"tables"`
	// Partitions by source id, for partition-level partial snapshots.
	Partitions map[int64]int64 `json:"partitions,omitempty"`
	// CommitSeq of the whole backup (getSnapshot field 7), 0 if the server is
	// too old to tell.
	CommitSeq int64 `json:"commit_seq,omitempty"`
	// Partition is the greatest id of a source partition in the snapshot.
	Partition int64 `json:"partition,omitempty"`
}

// FullSyncInfo says why and where the last full sync started (http-api.md 3.12).
type FullSyncInfo struct {
	CommitSeq int64  `json:"commit_seq"`
	Info      string `json:"info"`
}

// PartialSyncInfo says why and where the last partial sync started. The zero
// value means that there was none.
type PartialSyncInfo struct {
	CommitSeq int64 `json:"commit_seq"`
	// Table is the source name of the table that was copied again.
	Table string `json:"table"`
	Info  string `json:"info"`
}

// SettleIncremental moves a database job from the filtered to the plain
// incremental state when no table or partition is ahead of the durable position
// any more (doris-binlogs.md 4.4). It reports whether it did.
func (p *Progress) SettleIncremental() bool {
	if p.State != DBTablesIncrementalSync && len(p.Partitions) == 0 {
		return false
	}
	//workflowcheck:ignore a test for all: order does not matter
	for _, t := range p.Tables {
		if t.Gone || t.CommitSeq > p.Durable() {
			return false
		}
	}
	//workflowcheck:ignore a test for all: order does not matter
	for _, seq := range p.Partitions {
		if seq > p.Durable() {
			return false
		}
	}
	//workflowcheck:ignore a change of each: order does not matter
	for id, t := range p.Tables {
		if t.CommitSeq != 0 || t.Partly != 0 {
			t.CommitSeq, t.Partly = 0, 0
			p.Tables[id] = t
		}
	}
	p.Partitions = nil
	if p.State == DBTablesIncrementalSync {
		p.State = DBIncrementalSync
	}
	return true
}
