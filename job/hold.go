package job

import "time"

// QueryHold asks a worker process to hold one partition of a job's destination back
// for the time that a verification needs to read it. As QueryLags it goes to the
// workflow of the process, so it works between any two processes, the shift goes on,
// and no history gets an event.
const QueryHold = "hold"

// The bounds of a hold.
const (
	// MaxHold is how long commits wait at most because of one hold.
	MaxHold = 5 * time.Second
	// HoldLife is when a hold ends that is not ended before: its verification is gone.
	HoldLife = 2 * time.Minute
)

// Hold is the argument of QueryHold. A verification gives several in a row that
// change one another: nothing is let through, then only what it has read on the
// source, then all.
type Hold struct {
	Job string `json:"job"`
	// ID is that of the hold, Step rises with each order of it: a question may arrive
	// twice, or late. Both only rise.
	ID   int64 `json:"id"`
	Step int   `json:"step"`
	// TableID and PartitionID are the source's.
	TableID     int64 `json:"table_id"`
	PartitionID int64 `json:"partition_id"`
	// Partition is its name, for people.
	Partition string `json:"partition,omitempty"`
	// Version is up to which version of the source's partition loads are committed; 0:
	// none is.
	Version int64 `json:"version,omitempty"`
	// Over ends the hold.
	Over bool `json:"over,omitempty"`
	// Limit is how long commits may wait because of it, all steps together.
	Limit time.Duration `json:"limit,omitempty"`
}

// Held is the answer to a Hold.
type Held struct {
	// Here tells that the job streams in the process, and obeys.
	Here bool `json:"here,omitempty"`
	// Waited is how long commits have waited so far because of the hold.
	Waited time.Duration `json:"waited,omitempty"`
}
