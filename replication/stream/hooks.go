package stream

import (
	"context"

	"github.com/doris-ccr/ccr/job"
)

// Hooks connect a shift with whoever runs it.
type Hooks struct {
	// Resume is what an earlier attempt of the same shift last reported, nil
	// for a first attempt.
	Resume *job.Heartbeat
	// Run is the run of the job's workflow. It is empty unless this is surely the
	// first attempt at its shift.
	Run string
	// Heartbeat notes where the shift is. It is called often: it must be cheap
	// and may drop all but the last report.
	Heartbeat func(job.Heartbeat)
	// Checkpoint records where the shift is before it returns. An error means
	// that this attempt is no longer the current one: the shift stops.
	Checkpoint func(context.Context, job.Heartbeat) error
	// Look makes the shift ask its source for the lag now: somebody wants to know
	// it, and the last answer is no longer fresh. nil: nobody asks.
	Look <-chan struct{}
	// Stop ends the shift normally when it is closed, as does the context.
	Stop <-chan struct{}
	// Alive tells whether the reports of this attempt have been acknowledged
	// recently enough to start new transactions (architecture.md 4.5). nil: always.
	Alive func() bool
	// Tries is how often the job has tried before this attempt to get over what it stands at.
	Tries int
	// Fail is asked at each binlog that is neither done with nor to be skipped: an error
	// is one at that binlog. For tests of what surrounds ccr. nil: none fails.
	Fail func() error
	// Holds are what verifications have held back. nil: nothing.
	Holds *Holds
}
