// Package pair is what all steps of a job stand on: its two clusters and how they are
// asked, what the jobs of a process share, the log of the source, transactions and
// labels on the destination, the table filter, and what a binlog means to the job.
package pair

import (
	"context"
	"crypto/tls"
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

// MaxGroup is how many UPSERTs may share a destination transaction at most. Doris has
// no limit, but what its frontend does under the locks of the tables grows with the
// square of them (doris-rpc.md 3.8).
const MaxGroup = 64

// Options configure a Connector. The zero value of each field is its default.
type Options struct {
	Logger  *slog.Logger // default slog.Default()
	Metrics *Metrics     // default: metrics that nobody reads

	// Group is how many UPSERTs may share a destination transaction in global order
	// (default and at most MaxGroup); 1 switches sharing off.
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

	// SQLTLS says how SQL goes to a side: nil is in the clear. It refuses a side that asks
	// for less than the process allows. The default knows no TLS.
	SQLTLS func(job.SideTLS) (*tls.Config, error)

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
	if o.SQLTLS == nil {
		o.SQLTLS = plainSQL
	}
	integer(&o.Window, 16)
	integer(&o.Group, MaxGroup)
	o.Group = min(o.Group, MaxGroup)
	integer(&o.BatchSize, 255)
	integer(&o.IngestLimit, be.DefaultLimit)
	integer(&o.PollBudget, 400)
	duration(&o.IdlePollMin, 5*time.Millisecond)
	duration(&o.IdlePollMax, time.Second)
	duration(&o.LookEvery, LookEvery)
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

// IngestFunc makes one backend fetch one tablet's rows of one version.
type IngestFunc func(ctx context.Context, to be.Endpoint, req be.IngestRequest) error

// Connector holds what the jobs of a process share. It is safe for concurrent
// use.
type Connector struct {
	Options   Options
	frontends *thriftpool.Pool
	backends  *be.Pool
	Ingest    IngestFunc // backends.Ingest, unless a test has another
	HTTP      *http.Client
	Learned   learned

	mu      sync.Mutex
	budgets map[string]*PollBudget // by source cluster
	looks   map[string]*PollBudget // the same for questions for the lag that somebody asks
	pulses  map[string]*PollBudget // the same for looks at what jobs follow
	surveys map[string]*PollBudget // the same for comparing tables
	lacks   map[string]*lacking    // by cluster
}

// NewConnector returns a connector; it makes no call.
func NewConnector(opts Options) *Connector {
	opts.setDefaults()
	backends := be.NewPool(be.Config{
		Limit: opts.IngestLimit, ConnectTimeout: opts.ConnectTimeout, IngestTimeout: opts.IngestTimeout,
		Observe: opts.Metrics.observeBE,
	})
	return &Connector{
		Options:   opts,
		frontends: thriftpool.New(thriftpool.Config{}),
		backends:  backends,
		Ingest:    backends.Ingest,
		HTTP:      &http.Client{Timeout: opts.ConnectTimeout},
		budgets:   map[string]*PollBudget{},
		looks:     map[string]*PollBudget{},
		pulses:    map[string]*PollBudget{},
		surveys:   map[string]*PollBudget{},
		lacks:     map[string]*lacking{},
	}
}

// Close closes the connections. Steps still running fail.
func (c *Connector) Close() error {
	c.HTTP.CloseIdleConnections()
	return errors.Join(c.frontends.Close(), c.backends.Close())
}

// PollBudget is the poll budget of a source cluster.
func (c *Connector) PollBudget(source job.Cluster) *PollBudget {
	return c.budgetIn(c.budgets, source, c.Options.PollBudget)
}

// LagBudget bounds the questions for the lag at a source cluster that people and
// monitors cause, beside the polls.
func (c *Connector) LagBudget(source job.Cluster) *PollBudget {
	return c.budgetIn(c.looks, source, c.Options.PollBudget)
}

// LookBudget bounds the looks of shifts at what they follow.
func (c *Connector) LookBudget(source job.Cluster) *PollBudget {
	return c.budgetIn(c.pulses, source, looksAtOnce)
}

// CompareBudget bounds how many tables shifts compare.
func (c *Connector) CompareBudget(source job.Cluster) *PollBudget {
	return c.budgetIn(c.surveys, source, surveysAtOnce)
}

func (c *Connector) budgetIn(budgets map[string]*PollBudget, source job.Cluster, perSecond int) *PollBudget {
	key := net.JoinHostPort(source.Host, strconv.Itoa(source.ThriftPort))
	c.mu.Lock()
	defer c.mu.Unlock()
	b := budgets[key]
	if b == nil {
		b = NewPollBudget(perSecond)
		budgets[key] = b
	}
	return b
}

// lackingOf is what is known to be missing in a cluster.
func (c *Connector) lackingOf(cluster string) *lacking {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lacks[cluster]
	if l == nil {
		l = &lacking{}
		c.lacks[cluster] = l
	}
	return l
}

// Job is one replication job with its connections. Its methods are the steps
// that the job's workflow asks for, one at a time.
type Job struct {
	Connector   *Connector
	Options     *Options
	Spec        job.Spec
	Log         *slog.Logger
	Source      *Cluster
	Destination *Cluster
}

// Open returns the job that spec describes. It makes no call; the spec's host
// mappings are applied to every address that the clusters tell.
func (c *Connector) Open(spec job.Spec, passwords Passwords) *Job {
	if !c.Options.Features.OverrideReplicationNum {
		spec.ReplicationNum = 0
	}
	return &Job{
		Connector: c, Options: &c.Options, Spec: spec,
		Log:         c.Options.Logger.With("job", spec.Name),
		Source:      c.OpenCluster("source", spec.Source, passwords.Source),
		Destination: c.OpenCluster("destination", spec.Destination, passwords.Destination),
	}
}

// Close gives up the job's connections.
func (j *Job) Close() {
	j.Source.Close()
	j.Destination.Close()
}

// Passwords are the clear passwords of the two clusters of a job. They live in
// memory only.
type Passwords struct {
	Source, Destination string
}
