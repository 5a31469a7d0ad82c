// Package replication knows what replicating means: how a snapshot of a source
// database or table reaches the destination, how the binlogs that follow are
// applied exactly once and in order, and what each kind of binlog does.
//
// It knows nothing of Temporal. A Connector holds what all jobs of a process
// share (connections, limits, metrics); Open gives a Job, whose methods are the
// steps of job/steps.go. Every step may be started again after it died halfway:
// it finds its own backups, restores and transactions by their names and goes on.
package replication

import (
	"context"
	"log/slog"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// Options configure a Connector. The zero value of each field is its default.
type Options struct {
	Logger  *slog.Logger // default slog.Default()
	Metrics *Metrics     // default: metrics that nobody reads

	// Window is how many destination transactions of one job may be open at
	// once (default 16).
	Window int
	// BatchSize is how many binlogs one getBinlog asks for (default 255, which
	// is also the most a server gives).
	BatchSize int
	// IngestLimit bounds the ingests in flight per destination backend over all
	// jobs of the process (default 48).
	IngestLimit int

	// IdlePollMin and IdlePollMax bound the growing interval between polls of
	// an idle source (default 5 ms and 1 s).
	IdlePollMin, IdlePollMax time.Duration
	// PollBudget bounds the polls per second of all idle jobs of this process
	// against one source cluster (default 400).
	PollBudget int

	ConnectTimeout time.Duration // default 10 s
	RPCTimeout     time.Duration // default 30 s
	CommitTimeout  time.Duration // default 33 s
	IngestTimeout  time.Duration // default 15 min

	// MetaMaxAge is the longest time that table metadata is trusted without
	// asking again (default 10 min).
	MetaMaxAge time.Duration
	// RetryBudget is how long a shift retries a transient error before it ends
	// as blocked (default 10 s).
	RetryBudget time.Duration
	// SnapshotPoll is the interval between looks at a running backup or restore
	// (default: from 50 ms growing to 2 s).
	SnapshotPoll time.Duration
}

// Passwords are the clear passwords of the two clusters of a job. They live in
// memory only.
type Passwords struct {
	Source, Destination string
}

// StreamHooks connect a shift with whoever runs it.
type StreamHooks struct {
	// Resume is what an earlier attempt of the same shift last reported, nil
	// for a first attempt.
	Resume *job.Heartbeat
	// Heartbeat notes where the shift is. It is called often: it must be cheap
	// and may drop all but the last report.
	Heartbeat func(job.Heartbeat)
	// Checkpoint records where the shift is before it returns. An error means
	// that this attempt is no longer the current one: the shift stops.
	Checkpoint func(context.Context, job.Heartbeat) error
	// Stop ends the shift normally when it is closed, as does the context.
	Stop <-chan struct{}
	// Alive tells whether the reports of this attempt have been acknowledged
	// recently enough to start new transactions (design.md 4.5). nil: always.
	Alive func() bool
}
