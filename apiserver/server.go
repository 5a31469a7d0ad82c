// Package apiserver speaks the HTTP interface that operators script with curl
// (http-api.md). It turns requests into starts, signals and
// queries of job workflows, and their answers into replies; it keeps no state
// of its own, so any number of servers may run side by side.
//
// It knows the Temporal client and package job, nothing of Doris.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/secret"
)

// DefaultCommandTimeout is Options.CommandTimeout if that is not given.
const DefaultCommandTimeout = 15 * time.Second

const (
	// bodyLimit bounds a request body, in bytes. The largest sensible body is a
	// host mapping of a large cluster.
	bodyLimit = 1 << 20

	// writeTimeout bounds a request from its header to the end of its reply. The
	// longest ones wait half a minute for a job.
	writeTimeout = 2 * time.Minute

	// questionTimeout is how long one question waits for its answer. Then the server
	// looks what is wrong, and asks anew.
	questionTimeout = 5 * time.Second
	// failoverTimeout bounds the answer to a question about a job. It is what the
	// servers of a Temporal cluster need to notice that one of them died and to
	// take over from it, measured as ten seconds, and a little more.
	failoverTimeout = 15 * time.Second
	// deleteTimeout is how long delete waits until the job's clean-up is over.
	deleteTimeout = 30 * time.Second

	// freshLagAge is how old a lag may be to be answered without asking the job
	// to observe it again.
	freshLagAge = 2 * time.Second
	// cachedLagAge is how old a lag may be to be answered without any call:
	// monitors that ask for the same job share an answer.
	cachedLagAge = time.Second
	// nextHeartbeatTime is how long to wait for the next heartbeat of a shift before
	// its job is ordered to observe the lag. With up to 100 shifts a worker there is
	// one every 2 s, with more every 3 s.
	nextHeartbeatTime = 800 * time.Millisecond
	// observeRate bounds the orders to observe a lag that this server gives, in
	// jobs a second, where no worker process answers. Each is about ten events of a
	// history, and an overloaded Temporal must not get more of them.
	observeRate = 5
	// zeroMaxAge is how old a lag of zero may be at most, when no newer one can
	// be had in time. Reports come every 9 s with a heartbeat timeout of 30 s.
	zeroMaxAge = 15 * time.Second

	// Stopping: requests in flight may finish for stopGrace, then they are
	// cancelled; after stopTimeout their connections are cut.
	stopGrace   = 3 * time.Second
	stopTimeout = 10 * time.Second
)

// Options configure a Server. Client is required.
type Options struct {
	Client  client.Client
	Keyring *secret.Keyring // seals passwords; nil knows no key
	Tokens  *access.Tokens  // who may do what; nil lets everybody do everything
	// Hosts are the names under which the server may be asked as long as nobody needs
	// a token; the zero value are IP addresses and localhost.
	Hosts   access.Hosts
	Version string // answered by /version, "<tag>:<commit>"
	// Features are answered by /features; the workers have to have the same. nil:
	// the defaults.
	Features *job.Features
	Logger   *slog.Logger // default slog.Default()

	// Failpoints may be switched by /failpoint; nil refuses it.
	Failpoints *failpoint.Set

	// Registry is served by /metrics; the gauges of running jobs are added to
	// it. Default: a new one.
	Registry *prometheus.Registry

	// Namespace is named in error texts; the Client knows it for itself.
	Namespace string
	// TemporalUI is where people reach the Temporal Web UI, to which the console links; "" links nowhere.
	TemporalUI string
	// DataConverter decodes heartbeats; it has to be the Client's. Default: the
	// SDK's default.
	DataConverter converter.DataConverter

	// CommandTimeout is how long a request waits until its job has carried out what
	// was asked. The default, DefaultCommandTimeout, outlasts the heartbeat timeout
	// after which another worker takes over a step that has to end first.
	CommandTimeout time.Duration
	CreateTimeout  time.Duration // default 30 s
}

// Server answers the interface.
type Server struct {
	echo           *echo.Echo
	handler        http.Handler // echo, with what every answer has
	jobs           *jobs
	list           *jobList
	overview       *overview
	answers        *answers
	reports        *answers // of verifications that have ended: no command changes them
	keyring        *secret.Keyring
	tokens         *access.Tokens
	hosts          access.Hosts
	failpoints     *failpoint.Set
	version        string
	features       job.Features
	openapi        []byte
	log            *slog.Logger
	commandTimeout time.Duration
	createTimeout  time.Duration
}

// New makes a server. It registers the job gauges with opts.Registry, so a
// registry serves one Server.
func New(opts Options) (*Server, error) {
	if opts.Client == nil {
		return nil, errors.New("apiserver: no Temporal client given")
	}
	setDefaults(&opts)
	s := &Server{
		jobs: &jobs{client: opts.Client, namespace: opts.Namespace, converter: opts.DataConverter, log: opts.Logger, try: min(opts.CommandTimeout, questionTimeout),
			workers: workerClients{client: opts.Client, log: opts.Logger}},
		keyring:        opts.Keyring,
		tokens:         opts.Tokens,
		hosts:          opts.Hosts,
		failpoints:     opts.Failpoints,
		version:        opts.Version,
		features:       *opts.Features,
		log:            opts.Logger,
		commandTimeout: opts.CommandTimeout,
		createTimeout:  opts.CreateTimeout,
	}
	s.list = newJobList(s.jobs)
	s.answers, s.reports = newAnswers(), newAnswers()
	s.overview = &overview{jobs: s.jobs, list: s.list, answers: s.answers}
	if err := opts.Registry.Register(newJobGauges(s.jobs, s.overview)); err != nil {
		return nil, fmt.Errorf("register job gauges: %w", err)
	}
	var err error
	if s.openapi, err = openapiDocument(opts.Version); err != nil {
		return nil, err
	}
	s.echo = s.routes(slices.Concat(s.operators(opts.Registry), s.resources()))
	pages, err := s.newConsole(opts)
	if err != nil {
		return nil, err
	}
	s.addConsole(s.echo, pages)
	s.handler = access.SafeHeaders(s.echo)
	return s, nil
}

func setDefaults(o *Options) {
	if o.Features == nil {
		defaults := job.DefaultFeatures()
		o.Features = &defaults
	}
	if o.Keyring == nil {
		o.Keyring = &secret.Keyring{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Namespace == "" {
		o.Namespace = client.DefaultNamespace
	}
	if o.Version == "" {
		o.Version = "devel:unknown"
	}
	if o.DataConverter == nil {
		o.DataConverter = converter.GetDefaultDataConverter()
	}
	if o.CommandTimeout <= 0 {
		o.CommandTimeout = DefaultCommandTimeout
	}
	if o.CreateTimeout <= 0 {
		o.CreateTimeout = 30 * time.Second
	}
}

// Handler returns the server as a handler.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers requests on l until ctx is done, then stops gracefully and
// closes l. It returns nil after an orderly stop.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	requests, cancelRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelRequests()
	srv := access.NewServer(s.handler, s.log)
	srv.BaseContext, srv.WriteTimeout = func(net.Listener) context.Context { return requests }, writeTimeout
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP API on %s: %w", l.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		grace := time.AfterFunc(stopGrace, cancelRequests)
		defer grace.Stop()
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := srv.Shutdown(stopCtx); err != nil {
			s.log.Warn("HTTP API stopped before all requests were answered", "error", err)
			return srv.Close()
		}
		return nil
	})
	return g.Wait()
}

// answerContext is the context of the answer to a question about a job.
func (s *Server) answerContext(c echo.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Request().Context(), max(s.commandTimeout, failoverTimeout))
}
