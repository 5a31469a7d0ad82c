// Package verify compares the tables of a job row by row while loads run: cheap
// questions first, then checksums by partition, then where a partition differs.
// It changes nothing and locks nothing.
package verify

import (
	"context"
	"errors"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Job verifies the tables of a job.
type Job struct {
	*pair.Job
	shared *Shared
}

// New returns what verifies the tables of j.
func New(j *pair.Job, shared *Shared) *Job { return &Job{Job: j, shared: shared} }

// Shared is what the verifications of a process share.
type Shared struct{}

// NewShared returns what the verifications of a process share.
func NewShared() *Shared { return &Shared{} }

// Hooks are what the verification of a table needs of whoever runs it.
type Hooks struct {
	// Report tells how far it is.
	Report func(note string, progress job.Verifying)
	// Before is what an earlier attempt has reported last; zero if there is none.
	Before job.Verifying
	// CaughtUp tells whether the job has applied all that its source had recorded when
	// it was asked, and the job's position.
	CaughtUp func(context.Context) (position int64, caughtUp bool, err error)
}

// Plan lists the tables and views that request selects.
func (j *Job) Plan(context.Context, job.StepInput, job.VerifyRequest) (job.VerifyPlan, error) {
	return job.VerifyPlan{}, errors.ErrUnsupported
}

// Table compares a table or view on both sides.
func (j *Job) Table(context.Context, job.StepInput, job.VerifyTableInput, Hooks) (job.VerifiedTable, error) {
	return job.VerifiedTable{}, errors.ErrUnsupported
}
