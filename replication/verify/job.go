// Package verify compares the tables of a job row by row while loads run: cheap
// questions first, then checksums by partition, then where a partition differs.
// It changes nothing and locks nothing.
//
// What it says is certain. Two sides are equal when the same content was read on
// both; they differ when the destination must have had what the source had, and
// had not, twice (evidence.go). What was written too often for either is told as
// busy.
package verify

import (
	"context"
	"time"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/compare"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Job verifies the tables of a job.
type Job struct {
	*pair.Job
	shared  *Shared
	compare *compare.Job
}

// New returns what verifies the tables of j.
func New(j *pair.Job, shared *Shared) *Job {
	return &Job{Job: j, shared: shared, compare: compare.New(j)}
}

// Hooks are what the verification of a table needs of whoever runs it.
type Hooks struct {
	// Report tells how far it is.
	Report func(note string, progress job.Verifying)
	// Before is what an earlier attempt has reported last; zero if there is none.
	Before job.Verifying
	// CaughtUp tells whether the job has applied all that its source had recorded when
	// it was asked, and the job's position.
	CaughtUp func(context.Context) (position int64, caughtUp bool, err error)
	// Hold has the job's stream hold a partition back; nil: nothing can.
	Hold func(context.Context, job.Hold) (job.Held, error)
	// Input asks the job again for what it has of the table.
	Input func(context.Context) (job.StepInput, error)
}

// limits bound the trying. Tests have smaller ones.
type limits struct {
	tries    int           // at one partition
	atBucket int           // at one bucket of a partition that differs
	standing int           // at anything of a job that stands still
	restarts int           // of a table
	pause    time.Duration // before the second try; each later one is half as long again
	longest  time.Duration // pause
	follow   time.Duration // how long to wait for the destination to get to a version
	// followLong is the same for a version that it is held at, of a job that is behind.
	followLong time.Duration
	slack      time.Duration // what a hold may take beside its queries
	visible    time.Duration // how long to wait for transactions to become visible
	behind     time.Duration // how long a job counts as behind that was seen to be
	budget     time.Duration // for trying again after a broken connection
}

var defaultLimits = limits{
	tries: 20, atBucket: 6, standing: 4, restarts: 5, pause: 200 * time.Millisecond, longest: 10 * time.Second,
	follow: 2 * time.Second, followLong: time.Minute, slack: 300 * time.Millisecond, visible: 10 * time.Second, behind: 3 * time.Second, budget: time.Minute,
}
