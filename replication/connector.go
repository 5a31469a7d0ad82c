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
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/thriftpool"
	"github.com/doris-ccr/ccr/job"
)

// Options configure a Connector. The zero value of each field is its default.
type Options struct {
	Logger  *slog.Logger // default slog.Default()
	Metrics *Metrics     // default: metrics that nobody reads

	// Group is how many UPSERTs without a common table may share a destination
	// transaction in global order (default 8); 1 switches sharing off.
	Group int
	// Features are the switches of the existing tool (nil: the defaults).
	Features *job.Features

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
	// against one source cluster (default 400); those of active jobs have twice as
	// much beside it (pace.go).
	PollBudget int

	// LookEvery is how often a shift looks whether its source still is what the job
	// follows, and records (default 15 s).
	LookEvery time.Duration
	// SurveyEvery is how often a shift compares a table that nobody writes with the
	// destination's (default 15 s); negative: never.
	SurveyEvery time.Duration

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
	// SettleTime is how long after a binlog was met one with a smaller commit seq
	// can still be filed (default 1.5 s).
	SettleTime time.Duration
	// SnapshotPoll is the interval between looks at a running backup or restore
	// (default: from 50 ms growing to 2 s).
	SnapshotPoll time.Duration
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	integer := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	duration := func(v *time.Duration, to time.Duration) {
		if *v <= 0 {
			*v = to
		}
	}
	if o.Features == nil {
		defaults := job.DefaultFeatures()
		o.Features = &defaults
	}
	if !o.Features.PipelineCommit {
		o.Window, o.Group = 1, 1
	}
	integer(&o.Window, 16)
	integer(&o.Group, 8)
	integer(&o.BatchSize, 255)
	integer(&o.IngestLimit, be.DefaultLimit)
	integer(&o.PollBudget, 400)
	duration(&o.IdlePollMin, 5*time.Millisecond)
	duration(&o.IdlePollMax, time.Second)
	duration(&o.LookEvery, lookEvery)
	if o.SurveyEvery == 0 {
		o.SurveyEvery = surveyEvery
	}
	duration(&o.ConnectTimeout, thriftpool.DefaultConnectTimeout)
	duration(&o.RPCTimeout, fe.DefaultRPCTimeout)
	duration(&o.CommitTimeout, fe.DefaultCommitTimeout)
	duration(&o.IngestTimeout, be.DefaultIngestTimeout)
	duration(&o.MetaMaxAge, 10*time.Minute)
	duration(&o.RetryBudget, 10*time.Second)
	duration(&o.SettleTime, 1500*time.Millisecond)
}

// ingestFunc makes one backend fetch one tablet's rows of one version.
type ingestFunc func(ctx context.Context, to be.Endpoint, req be.IngestRequest) error

// Connector holds what the jobs of a process share. It is safe for concurrent
// use.
type Connector struct {
	opts      Options
	frontends *thriftpool.Pool
	backends  *be.Pool
	ingest    ingestFunc // backends.Ingest, unless a test has another
	http      *http.Client
	learned   learned

	mu      sync.Mutex
	budgets map[string]*pollBudget // by source cluster
	looks   map[string]*pollBudget // the same for questions for the lag that somebody asks
	pulses  map[string]*pollBudget // the same for looks at what jobs follow
	surveys map[string]*pollBudget // the same for comparing tables
	books   map[string]*book       // what is remembered of jobs, by uid
}

// NewConnector returns a connector; it makes no call.
func NewConnector(opts Options) *Connector {
	opts.setDefaults()
	backends := be.NewPool(be.Config{
		Limit: opts.IngestLimit, ConnectTimeout: opts.ConnectTimeout, IngestTimeout: opts.IngestTimeout,
		Observe: opts.Metrics.observeBE,
	})
	return &Connector{
		opts:      opts,
		frontends: thriftpool.New(thriftpool.Config{}),
		backends:  backends,
		ingest:    backends.Ingest,
		http:      &http.Client{Timeout: opts.ConnectTimeout},
		budgets:   map[string]*pollBudget{},
		looks:     map[string]*pollBudget{},
		pulses:    map[string]*pollBudget{},
		surveys:   map[string]*pollBudget{},
		books:     map[string]*book{},
	}
}

// Close closes the connections. Steps still running fail.
func (c *Connector) Close() error {
	c.http.CloseIdleConnections()
	return errors.Join(c.frontends.Close(), c.backends.Close())
}

// budgetOf is the poll budget of a source cluster.
func (c *Connector) budgetOf(source job.Cluster) *pollBudget {
	return c.budgetIn(c.budgets, source, c.opts.PollBudget)
}

// looksOf bounds the questions for the lag at a source cluster that people and
// monitors cause, beside the polls.
func (c *Connector) looksOf(source job.Cluster) *pollBudget {
	return c.budgetIn(c.looks, source, c.opts.PollBudget)
}

// pulsesOf bounds the looks of shifts at what they follow.
func (c *Connector) pulsesOf(source job.Cluster) *pollBudget {
	return c.budgetIn(c.pulses, source, looksAtOnce)
}

// surveysOf bounds how many tables shifts compare.
func (c *Connector) surveysOf(source job.Cluster) *pollBudget {
	return c.budgetIn(c.surveys, source, surveysAtOnce)
}

func (c *Connector) budgetIn(budgets map[string]*pollBudget, source job.Cluster, perSecond int) *pollBudget {
	key := net.JoinHostPort(source.Host, strconv.Itoa(source.ThriftPort))
	c.mu.Lock()
	defer c.mu.Unlock()
	b := budgets[key]
	if b == nil {
		b = newPollBudget(perSecond)
		budgets[key] = b
	}
	return b
}

// Job is one replication job with its connections. Its methods are the steps
// that the job's workflow asks for, one at a time.
type Job struct {
	c           *Connector
	opts        *Options
	spec        job.Spec
	log         *slog.Logger
	source      *cluster
	destination *cluster
}

// Open returns the job that spec describes. It makes no call; the spec's host
// mappings are applied to every address that the clusters tell.
func (c *Connector) Open(spec job.Spec, passwords Passwords) *Job {
	if !c.opts.Features.OverrideReplicationNum {
		spec.ReplicationNum = 0
	}
	return &Job{
		c: c, opts: &c.opts, spec: spec,
		log:         c.opts.Logger.With("job", spec.Name),
		source:      c.openCluster("source", spec.Source, passwords.Source),
		destination: c.openCluster("destination", spec.Destination, passwords.Destination),
	}
}

// Close gives up the job's connections.
func (j *Job) Close() {
	j.source.close()
	j.destination.close()
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
	// Look makes the shift ask its source for the lag now: somebody wants to know
	// it, and the last answer is no longer fresh. nil: nobody asks.
	Look <-chan struct{}
	// Stop ends the shift normally when it is closed, as does the context.
	Stop <-chan struct{}
	// Alive tells whether the reports of this attempt have been acknowledged
	// recently enough to start new transactions (architecture.md 4.5). nil: always.
	Alive func() bool
}
