package job

import "time"

// Verification compares a job's tables on both sides, row by row if it is asked to,
// while loads run. It is a workflow of its own, one a job at a time, with activities
// on a task queue of their own, so that it never takes the slots of steps and shifts.
const (
	WorkflowTypeVerify = "VerifyTables"
	VerifyTaskQueue    = "ccr-verify"

	ActivityPlanVerification = "PlanVerification"
	ActivityVerifyTable      = "VerifyTable"
	ActivityAwaitRepair      = "AwaitRepair"
	// ActivityScheduledJob looks whether the job of a schedule exists, and deletes the
	// schedule if it does not.
	ActivityScheduledJob = "ScheduledJob"

	// WorkflowTypeVerifyStart starts a verification and ends: what a Temporal Schedule
	// starts has a workflow id of its own each time, and there is to be only one
	// verification a job.
	WorkflowTypeVerifyStart = "StartVerification"

	// SignalVerifyCancel ends a verification with the report of what it has done.
	// SignalPause and SignalResume are understood, too.
	SignalVerifyCancel = "cancel"

	// QueryVerifyReport is answered with a VerifyReport, finished or not.
	QueryVerifyReport = "verify_report"

	// QueryVerifyInput asks a job for what a verification of some of its tables needs:
	// a StepInput with the spec (passwords sealed), the position, and of
	// Progress.Tables those named by the argument, a VerifyWanted.
	QueryVerifyInput = "verify_input"

	// SignalRepair orders the partial sync of what a verification has found to differ
	// (Command.Repair). SignalVerified tells the job how a verification has ended
	// (Command.Verified).
	SignalRepair   = "repair"
	SignalVerified = "verified"
)

// VerifyWorkflowID is the workflow id of the verification of a job.
func VerifyWorkflowID(name string) string { return "ccr-verify-" + name }

// VerifyStartWorkflowID begins the workflow ids of WorkflowTypeVerifyStart.
func VerifyStartWorkflowID(name string) string { return "ccr-verify-start-" + name }

// VerifyScheduleID is the id of the Temporal Schedule that verifies a job.
func VerifyScheduleID(name string) string { return "ccr-verify-" + name }

// ErrorTypeNoJob is the type of the application error that ends a verification whose
// job does not exist any more.
const ErrorTypeNoJob = "NoJob"

// VerifySummary is the summary of a verification's workflow in the Web UI.
func VerifySummary(in VerifyInput) string {
	method := in.Request.Method
	if method == "" {
		method = VerifyChecksum
	}
	return "verify " + in.Job + " (" + string(method) + ")"
}

// VerifyMethod says how far a verification goes; each includes those before it.
type VerifyMethod string

const (
	// VerifyCount compares definitions, partitions, buckets and numbers of rows.
	VerifyCount VerifyMethod = "count"
	// VerifyChecksum compares checksums over all columns, by partition, and by tablet
	// where a partition differs. It is the default.
	VerifyChecksum VerifyMethod = "checksum"
	// VerifyColumns also says which columns of a partition differ.
	VerifyColumns VerifyMethod = "checksum_columns"
	// VerifyRows also lists keys of rows that differ, VerifyRequest.MaxRows a table.
	VerifyRows VerifyMethod = "rows"
)

// VerifyMethods are all methods, the cheapest first.
var VerifyMethods = []VerifyMethod{VerifyCount, VerifyChecksum, VerifyColumns, VerifyRows}

// VerifyRequest is what to verify.
type VerifyRequest struct {
	// Tables are patterns of source names as in include_tables; none = all that the
	// job has.
	Tables []string `json:"tables,omitempty"`
	// Partitions are names on the source; only with one table. None = all.
	Partitions []string     `json:"partitions,omitempty"`
	Method     VerifyMethod `json:"method,omitempty"`
	// Repair orders a partial sync of what differs, and verifies it again.
	Repair bool `json:"repair,omitempty"`
	// DryRun plans the repair and orders nothing.
	DryRun bool `json:"dry_run,omitempty"`
	// Rate bounds the rows read per second on each cluster; 0 = no bound but one
	// query at a time.
	Rate int64 `json:"rate,omitempty"`
	// ByteRate bounds the bytes per second in the same way, as VerifiedTable.BytesRead
	// counts them.
	ByteRate int64 `json:"byte_rate,omitempty"`
	// MaxRows bounds the keys that VerifyRows lists for a table; 0 = 100.
	MaxRows int `json:"max_rows,omitempty"`
	// Replicas also compares the replicas of each cluster with each other, which reads
	// all of them: a query takes any one.
	Replicas bool `json:"replicas,omitempty"`
	// WorkloadGroup, MemLimit (bytes) and QueryTimeout are set for the session of each
	// query; zero = the account's own.
	WorkloadGroup string        `json:"workload_group,omitempty"`
	MemLimit      int64         `json:"mem_limit,omitempty"`
	QueryTimeout  time.Duration `json:"query_timeout,omitempty"`
	// Hold bounds how long the commits of loads of one partition wait at a time so that
	// the partition can be read; 0 = they never wait, nil = MaxHold.
	Hold *time.Duration `json:"hold,omitempty"`
}

// HoldLimit is Hold, with what was left out.
func (r *VerifyRequest) HoldLimit() time.Duration {
	if r.Hold == nil {
		return MaxHold
	}
	return *r.Hold
}

// VerifyInput is the input of the workflow VerifyTables. Report carries on over
// continue-as-new.
type VerifyInput struct {
	Job     string        `json:"job"`
	Request VerifyRequest `json:"request"`
	// By is who asked, for people.
	By     string        `json:"by,omitempty"`
	Report *VerifyReport `json:"report,omitempty"`
	// Found are different tables of the report Of, which are to be repaired: nothing is
	// planned and nothing verified before.
	Found []VerifiedTable `json:"found,omitempty"`
	Of    string          `json:"of,omitempty"`
	// Earlier are findings of earlier verifications, Settled those that are taken back.
	Earlier []VerifyFinding `json:"earlier,omitempty"`
	Settled []VerifyFinding `json:"settled,omitempty"`
	// Schedule is what has started it, nil if a person has.
	Schedule *VerifySchedule `json:"schedule,omitempty"`
	// Until is when it has to pause, since its window ends then; zero: never.
	Until time.Time `json:"until,omitzero"`
	// Before is how far the table at hand was when it was interrupted.
	Before *Verifying `json:"before,omitempty"`
}

// ScheduledJob is the result of the activity of that name.
type ScheduledJob struct {
	// Gone: the job does not exist, and its schedule does not any more.
	Gone bool `json:"gone,omitempty"`
}

// VerifySchedule says when a job is verified by itself.
type VerifySchedule struct {
	Every time.Duration `json:"every"`
	// Window is the part of the day in which it begins and works, "HH:MM-HH:MM" in UTC;
	// empty = the whole day.
	Window string `json:"window,omitempty"`
	// Jitter delays each by a random time up to this.
	Jitter time.Duration `json:"jitter,omitempty"`
}

// VerifyWanted is the argument of QueryVerifyInput.
type VerifyWanted struct {
	// Names only asks for the names and ids of all tables; else TableIDs are wanted.
	Names    bool    `json:"names,omitempty"`
	TableIDs []int64 `json:"table_ids,omitempty"`
}

// VerifyPlan is the result of PlanVerification: the tables and views to verify, by
// source id, sorted by name.
type VerifyPlan struct {
	Tables []VerifyTarget `json:"tables"`
	// Found is what the job tells of earlier verifications.
	Found []VerifyFinding `json:"found,omitempty"`
}

// VerifyTarget is one table or view.
type VerifyTarget struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	View bool   `json:"view,omitempty"`
}

// VerifyTableInput is the input of VerifyTable.
type VerifyTableInput struct {
	Job     string        `json:"job"`
	Request VerifyRequest `json:"request"`
	Target  VerifyTarget  `json:"target"`
	// Before is how far an earlier activity was, nil if there was none.
	Before *Verifying `json:"before,omitempty"`
}

// Verifying is how far the verification of a table is.
type Verifying struct {
	Table string `json:"table"`
	// Definition is a digest of what the table was on both sides: with another one
	// everything is compared again.
	Definition string `json:"definition,omitempty"`
	// Of counts the partitions of the table; Done are those that were found equal.
	Of   int                 `json:"of"`
	Done []VerifiedPartition `json:"done,omitempty"`
}

// VerifiedPartition is a partition that is equal on both sides in these versions.
type VerifiedPartition struct {
	ID            int64 `json:"id"`
	DestID        int64 `json:"d"`
	SourceVersion int64 `json:"sv"`
	DestVersion   int64 `json:"dv"`
	Rows          int64 `json:"n"`
}

// VerifyOutcome is what is known of a table.
type VerifyOutcome string

const (
	VerifyEqual         VerifyOutcome = "equal"
	VerifyDifferent     VerifyOutcome = "different"
	VerifyBusy          VerifyOutcome = "busy"           // written too often to be compared
	VerifyNotComparable VerifyOutcome = "not_comparable" // Why says why
	// VerifyRepaired is a table that was different, was repaired, and is equal. Its
	// Differences are those that it had.
	VerifyRepaired VerifyOutcome = "repaired"
)

// VerifiedTable is the result of VerifyTable.
type VerifiedTable struct {
	Table   string        `json:"table"`
	TableID int64         `json:"table_id,omitempty"`
	View    bool          `json:"view,omitempty"`
	Outcome VerifyOutcome `json:"result"`
	// Why explains what is neither equal nor different.
	Why         string             `json:"why,omitempty"`
	Differences []VerifyDifference `json:"differences,omitempty"`
	// More counts the differences that a report leaves out (MaxVerifyDifferences).
	More int `json:"more_differences,omitempty"`
	// Busy are partitions that could not be compared, with what was seen of them.
	Busy []VerifyDifference `json:"busy,omitempty"`
	// NotCompared are columns that no text stands for exactly.
	NotCompared []string `json:"not_compared,omitempty"`
	// Partitions counts those compared.
	Partitions      int   `json:"partitions,omitempty"`
	SourceRows      int64 `json:"source_rows"`
	DestinationRows int64 `json:"dest_rows"`
	// SourceBytes is about how many bytes the source has stored of a table that differs,
	// once: what has to be brought of it. 0: it does not tell.
	SourceBytes int64 `json:"source_bytes,omitempty"`
	// RowsRead and BytesRead are what the queries read, on both clusters together:
	// the rows that they have counted, and about how many bytes a replica of what they
	// were about has stored. 0 bytes: no cluster tells.
	RowsRead  int64 `json:"rows_read,omitempty"`
	BytesRead int64 `json:"bytes_read,omitempty"`
	// Held is how long commits of loads have waited so that partitions could be read.
	Held time.Duration `json:"held,omitempty"`
	// Position is the job's when the table was done.
	Position int64         `json:"position,omitempty"`
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"took"`
}

// VerifyDifference is one difference of a table.
type VerifyDifference struct {
	// Kind is what differs: "objects", "definition", "partitions", "buckets",
	// "indexes", "rollups", "rows" (numbers of rows), "content" (checksums), "replicas" (those of one
	// cluster differ from each other).
	Kind string `json:"kind"`
	// Partition is its name on the source, or on the destination if only that has it;
	// "" = the table.
	Partition string `json:"partition,omitempty"`
	// Side is the cluster whose replicas differ from each other, "source" or
	// "destination"; empty for all other kinds.
	Side string `json:"side,omitempty"`
	// Buckets are those whose tablets differ: where in the partition.
	Buckets []int `json:"buckets,omitempty"`
	// Columns are those that differ (VerifyColumns), Keys some rows (VerifyRows).
	Columns         []string `json:"columns,omitempty"`
	Keys            []string `json:"keys,omitempty"`
	SourceRows      int64    `json:"source_rows,omitempty"`
	DestinationRows int64    `json:"dest_rows,omitempty"`
	// SourceBytes is as in VerifiedTable, of the partition.
	SourceBytes int64  `json:"source_bytes,omitempty"`
	Text        string `json:"text"`
}

// VerifyReport is what a verification has found so far.
type VerifyReport struct {
	// ID is unique among the verifications of the job: the id of the first run of its
	// workflow.
	ID      string        `json:"id"`
	Job     string        `json:"job"`
	Request VerifyRequest `json:"request"`
	By      string        `json:"by,omitempty"`
	// State is "running", "paused", "done", "cancelled" or "failed" (Error says why).
	State string `json:"state"`
	Error string `json:"error,omitempty"`
	// Problem is why a table is tried again just now.
	Problem   string    `json:"problem,omitempty"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// ResumesAt is when a verification that is paused goes on by itself: its window has
	// ended, and begins then. Zero: when a person resumes it.
	ResumesAt time.Time `json:"resumes_at,omitzero"`
	// Total counts the tables to be verified, those done included. Planned are those
	// still to be done; Doing is the one at hand.
	Total   int            `json:"total"`
	Planned []VerifyTarget `json:"planned,omitempty"`
	Doing   string         `json:"doing,omitempty"`
	// Tables are those done, in order. Of equal tables beyond MaxVerified only the
	// numbers below remain.
	Tables          []VerifiedTable `json:"tables,omitempty"`
	Equal           int             `json:"equal"`
	Different       int             `json:"different"`
	Repaired        int             `json:"repaired"`
	Busy            int             `json:"busy"`
	NotComparable   int             `json:"not_comparable"`
	SourceRows      int64           `json:"source_rows"`
	DestinationRows int64           `json:"dest_rows"`
	RowsRead        int64           `json:"rows_read"`
	BytesRead       int64           `json:"bytes_read,omitempty"`
	// Repairs are the partial syncs that were ordered, or planned (dry run).
	Repairs []Repair `json:"repairs,omitempty"`
}

// What a report holds at most: tables by name, and differences of a table.
const (
	MaxVerified          = 1000
	MaxVerifyDifferences = 100
)

// The states of a verification.
const (
	VerifyRunning   = "running"
	VerifyPaused    = "paused"
	VerifyDone      = "done"
	VerifyCancelled = "cancelled"
	VerifyFailed    = "failed"
)

// Result is "equal" if all tables are, those included that have been repaired,
// "different" if some are different, "cancelled" or "failed" as the state, else
// "incomplete": some tables are busy or not comparable.
func (r *VerifyReport) Result() string {
	switch {
	case r.Different > 0:
		return string(VerifyDifferent)
	case r.State == VerifyCancelled || r.State == VerifyFailed:
		return r.State
	case r.Busy > 0 || r.NotComparable > 0:
		return "incomplete"
	}
	return string(VerifyEqual)
}

// Repair is a partial sync of what differs.
type Repair struct {
	Partial PartialSync `json:"partial"`
	// Rows are what the source has in it.
	Rows int64 `json:"rows"`
	// Bytes is about how many bytes a replica of it has stored; 0: it is not known.
	Bytes int64 `json:"bytes,omitempty"`
	// State is one of the words below.
	State string `json:"state"`
	Text  string `json:"text,omitempty"`
	// Request is the id of the order to the job, Orders how often it was given.
	Request string `json:"request_id,omitempty"`
	Orders  int    `json:"orders,omitempty"`
}

// The states of a repair.
const (
	RepairPlanned = "planned"
	RepairOrdered = "ordered"
	RepairDone    = "done" // the job has brought it; it is not verified yet
	RepairSuccess = "repaired"
	RepairUseless = "still different"
	RepairFailed  = "failed"
	// RepairUnproven: the job has brought it, but it could not be compared again.
	RepairUnproven = "not verified"
)

// RepairOrder is the payload of SignalRepair.
type RepairOrder struct {
	Partial PartialSync `json:"partial"`
	// Report is the id of the report that found the difference.
	Report string `json:"report,omitempty"`
}

// RepairBusy begins the refusal of an order to which the job may agree later: it is
// taking another snapshot.
const RepairBusy = "[normal] a repair has to wait"

// RepairAwaited is the input of AwaitRepair.
type RepairAwaited struct {
	Job     string `json:"job"`
	Request string `json:"request_id"`
}

// RepairOutcome is the result of AwaitRepair: the job has done it, or has refused it.
type RepairOutcome struct {
	Refused string `json:"refused,omitempty"`
	// Later: it may be ordered again.
	Later bool `json:"later,omitempty"`
}

// Verified is how the last verification of a job ended (SignalVerified); it is in
// Progress and in job_status.
type Verified struct {
	At       time.Time `json:"at"`
	Position int64     `json:"position"`
	// Result is that of the report (VerifyReport.Result).
	Result    string `json:"result"`
	Report    string `json:"report"`
	Equal     int    `json:"equal"`
	Different int    `json:"different"`
	Repaired  int    `json:"repaired"`
	Busy      int    `json:"busy"`
	Skipped   int    `json:"not_comparable"`
	// Method is that of the request. All: no tables and partitions were named.
	Method VerifyMethod `json:"method,omitempty"`
	All    bool         `json:"all_tables"`
	// RowsRead are by both clusters together, Seconds how long it took, pauses
	// included.
	RowsRead int64 `json:"rows_read"`
	Seconds  int64 `json:"seconds"`
	// BytesRead is as in VerifiedTable.
	BytesRead int64 `json:"bytes_read,omitempty"`
	// EqualAt is when a verification of all tables last ended with "equal"; zero if none
	// has.
	EqualAt time.Time `json:"equal_at,omitzero"`
	// StillDifferent are tables that this or an earlier verification has found to differ,
	// and none has found equal since; MoreDifferent counts those beyond
	// MaxVerifyFindings. In SignalVerified they are those of this one.
	StillDifferent []VerifyFinding `json:"still_different,omitempty"`
	MoreDifferent  int             `json:"more_different,omitempty"`
}
