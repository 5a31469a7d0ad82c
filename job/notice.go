package job

import "time"

// The events that a webhook is told of.
const (
	NoticeCreated     = "created" // the first checks have passed
	NoticeRunning     = "running" // after resume
	NoticePaused      = "paused"
	NoticeStalled     = "stalled"      // it cannot go on; Error says why
	NoticeRecovered   = "recovered"    // it goes on after that
	NoticeFullSync    = "full_sync"    // a full sync was ordered; Reason says why
	NoticePartialSync = "partial_sync" // the same for some tables
	NoticeDeleted     = "deleted"
	NoticeDiffers     = "differs"              // something new differs on both sides; Reason says what
	NoticeVerified    = "verification_differs" // a verification has found a difference; Reason says what
	NoticeDiffersNot  = "differs_no_more"      // nothing that was known to differ does any more
)

// Notice is the body of a webhook request: one change of a job's state. It may
// arrive more than once, with the same ID.
type Notice struct {
	// ID is unique among all notices of all jobs.
	ID    string    `json:"id"`
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	Job   string    `json:"job"`
	UID   string    `json:"uid"`
	// State is "running", "paused", "stalled" or "deleting" at that time.
	State         string       `json:"state"`
	ProgressState string       `json:"progress_state"`
	CommitSeq     int64        `json:"commit_seq"`
	Reason        string       `json:"reason,omitempty"`
	Error         *NoticeError `json:"error,omitempty"`
	// Source and Destination are "database" or "database.table".
	Source      string `json:"source"`
	Destination string `json:"destination"`
}

// NoticeError is why a job is stalled.
type NoticeError struct {
	Text   string    `json:"text"`
	Kind   Kind      `json:"kind"`
	Binlog string    `json:"binlog,omitempty"`
	Since  time.Time `json:"since"`
	Remedy string    `json:"remedy,omitempty"`
}

// MaxNotices bounds the notices of a job that wait for a webhook which does not
// answer; the oldest are dropped.
const MaxNotices = 20

// Told is what the webhook was last told of a job.
type Told struct {
	State        string `json:"state"`
	FullSyncs    int    `json:"full_syncs"`
	PartialSyncs int    `json:"partial_syncs"`
}
