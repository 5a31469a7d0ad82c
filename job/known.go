package job

import "time"

// QueryJobs asks the workflow of a worker process what the process has of jobs in its
// memory: the answer to a question about all jobs is one query for each process.
const QueryJobs = "jobs"

// QueryLoad asks the workflow of a worker process for its Load.
const QueryLoad = "load"

// Load is what a worker process has to do.
type Load struct {
	// Shifts is how many jobs stream in the process.
	Shifts int `json:"shifts"`
	// Slots is how many may.
	Slots int `json:"slots"`
}

// JobsWanted is the argument of QueryJobs.
type JobsWanted struct {
	// Jobs are the names of jobs that may be in the memory of the process.
	Jobs []string `json:"jobs,omitempty"`
	// LagAge is how old the lag of a job may be that does not stream, before the process
	// asks the source for it; 0: it asks no source.
	LagAge time.Duration `json:"lag_age,omitempty"`
}

// JobsKnown is the answer, by name of the job. Jobs that the process has nothing of
// are left out.
type JobsKnown map[string]JobKnown

// JobKnown is what one process has of a job.
type JobKnown struct {
	// Run is there if the process has the job's workflow in memory. Another process may
	// have taken it over since.
	Run *RunKnown `json:"run,omitempty"`
	// Shift is there while the process streams the job.
	Shift *ShiftKnown `json:"shift,omitempty"`
	// Lag is there if the process has asked the source of a job that does not stream, and
	// has an answer that is young enough.
	Lag *LagAnswer `json:"lag,omitempty"`
}

// RunKnown is how the workflow of a job was after its last workflow task in a process.
type RunKnown struct {
	RunID string `json:"run_id"`
	// Events is how long its history was then: of several processes the one with the
	// longest history has the latest.
	Events int `json:"events"`
	// Shift is the number of the shift that is under way, 0 if none is.
	Shift  int    `json:"shift,omitempty"`
	Status Status `json:"status"`
	// Spec is as QueryDetail shows it: passwords are masked.
	Spec Spec `json:"spec"`
}

// ShiftKnown is a shift that a process runs, and may run: the server has acknowledged
// that lately.
type ShiftKnown struct {
	RunID string `json:"run_id"`
	// Shift is StreamInput.Number.
	Shift  int       `json:"shift"`
	Report Heartbeat `json:"report"`
}
