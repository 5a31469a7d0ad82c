// Package server runs the parts of ccr that were asked for in one process: the
// HTTP API, a worker, or both, against a Temporal server.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/activities"
	"github.com/doris-ccr/ccr/apiserver"
	"github.com/doris-ccr/ccr/config"
	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/replication"
	"github.com/doris-ccr/ccr/secret"
	"github.com/doris-ccr/ccr/worker"
)

// Options say what to run.
type Options struct {
	Config config.Config
	// API and Worker choose the parts; one of them at least.
	API, Worker bool
	// NearServer tells that the Temporal server runs in this process, too.
	NearServer bool
	Logger     *slog.Logger // default slog.Default()
	Version    string       // "<tag>:<commit>"; empty: devel:unknown
	// Ready, if given, is called once everything runs. apiURL is where the API
	// answers, empty without API.
	Ready func(apiURL string)
}

// Run runs until ctx is done and then stops in order: first the API, so that no
// new request comes in, then the worker, so that running steps can report
// their position, then the connections. It returns nil after an orderly stop.
func Run(ctx context.Context, opts Options) error {
	if opts.Version == "" {
		opts.Version = "devel:unknown" // a build without a stamp
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	LimitMemory(opts.Logger)
	for _, warning := range opts.Config.Warnings {
		opts.Logger.Warn(warning)
	}
	keyring, err := secret.Load(opts.Config.SecretKey, opts.Config.SecretKeyFile)
	if err != nil {
		return err
	}
	tokens, err := access.OpenTokens(opts.Config.TokensFile, opts.Logger)
	if err != nil {
		return err
	}
	certificate, err := access.OpenCertificate(opts.Config.TLSCert, opts.Config.TLSKey, opts.Logger)
	if err != nil {
		return err
	}
	// Listen before anything takes time: a port in use is said at once.
	sockets, err := listen(ctx, opts)
	if err != nil {
		return err
	}
	defer sockets.close()
	sockets.encrypt(certificate)

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(opts))
	for _, gauge := range accessGauges(tokens, certificate) {
		registry.MustRegister(gauge)
	}
	temporal, err := connect(ctx, opts, registry)
	if ctx.Err() != nil {
		return nil // told to stop before anything had begun
	}
	if err != nil {
		return err
	}
	defer temporal.Close()
	p := &process{opts: opts, keyring: keyring, tokens: tokens, registry: registry, temporal: temporal, sockets: sockets}
	if opts.API && opts.Worker && opts.Config.EnableFailpoints {
		p.failpoints = &failpoint.Set{}
	}
	return p.run(ctx)
}

// process is what a running process is made of.
type process struct {
	opts    Options
	keyring *secret.Keyring
	tokens  *access.Tokens
	// failpoints are nil without --enable-failpoints.
	failpoints *failpoint.Set
	registry   *prometheus.Registry
	temporal   client.Client
	sockets    sockets
}

func (p *process) run(ctx context.Context) error {
	ctx, fatal := context.WithCancelCause(ctx)
	defer fatal(nil)
	g, gctx := errgroup.WithContext(ctx)
	if p.opts.Worker {
		stop, err := p.startWorker(fatal)
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := p.serve(gctx, g); err != nil {
		return err
	}
	p.opts.Logger.Info("ccr is ready", "version", p.opts.Version, "api", p.sockets.apiAddr(), "worker", p.opts.Worker,
		"temporal", p.opts.Config.TemporalAddress, "namespace", p.opts.Config.TemporalNamespace)
	if p.opts.Ready != nil {
		p.opts.Ready(p.apiURL())
	}
	g.Go(func() error { // keeps a process without listeners alive
		<-gctx.Done()
		return fatalCause(ctx)
	})
	err := g.Wait()
	p.opts.Logger.Info("ccr is stopping")
	return err
}

// apiURL is where clients reach the API, empty without API.
func (p *process) apiURL() string {
	address := p.sockets.apiAddr()
	switch {
	case address == "":
		return ""
	case p.opts.Config.TLSCert != "":
		return "https://" + address
	}
	return "http://" + address
}

// workerError is why a worker cannot go on, as the cause of a context's end.
type workerError struct{ err error }

func (e *workerError) Error() string { return "worker: " + e.err.Error() }
func (e *workerError) Unwrap() error { return e.err }

// fatalCause returns the workerError that ended ctx, nil if somebody simply
// told us to stop.
func fatalCause(ctx context.Context) error {
	if failed := (*workerError)(nil); errors.As(context.Cause(ctx), &failed) {
		return failed
	}
	return nil
}

// surveyEvery is the setting compare-every as package replication has it.
func surveyEvery(setting time.Duration) time.Duration {
	if setting == 0 {
		return -1 // never
	}
	return setting
}

// startWorker returns the function that stops the worker and then closes what
// it used. fatal is called when the worker cannot go on.
func (p *process) startWorker(fatal func(error)) (stop func(), err error) {
	c := p.opts.Config
	sqlTLS, err := c.SQLTLS()
	if err != nil {
		return nil, err
	}
	connector := replication.NewConnector(replication.Options{
		Logger:         p.opts.Logger,
		Metrics:        replication.NewMetrics(p.registry),
		Features:       &c.Features,
		Window:         c.PipelineWindow,
		Group:          c.SharedUpserts,
		BatchSize:      c.BinlogBatchSize,
		IngestLimit:    c.IngestConcurrency,
		IdlePollMin:    c.IdlePollMin,
		IdlePollMax:    c.IdlePollMax,
		PollBudget:     c.PollBudget,
		SurveyEvery:    surveyEvery(c.CompareEvery),
		SQLTLS:         sqlTLS,
		ConnectTimeout: c.ConnectTimeout,
		RPCTimeout:     c.RPCTimeout,
		CommitTimeout:  c.CommitTimeout,
	})
	closeConnector := func() {
		if err := connector.Close(); err != nil {
			p.opts.Logger.Warn("close connections to Doris", "error", err)
		}
	}
	w, err := worker.New(worker.Options{
		Client:           p.temporal,
		Connector:        connector,
		Keyring:          p.keyring,
		Failpoints:       p.failpoints,
		Logger:           p.opts.Logger,
		StreamSlots:      c.StreamSlots,
		VerifySlots:      c.VerifySlots,
		HeartbeatTimeout: c.HeartbeatTimeout,
		NearServer:       p.opts.NearServer,
		PayloadLimit:     c.PayloadLimit,
		Webhook:          activities.Webhook{URL: c.WebhookURL, Secret: c.WebhookSecret},
		OnFatalError:     func(err error) { fatal(&workerError{err}) },
	})
	if err == nil {
		err = w.Start()
	}
	if err != nil {
		closeConnector()
		return nil, fmt.Errorf("start worker: %w", err)
	}
	return func() {
		w.Stop()
		closeConnector()
	}, nil
}

// serve starts the listeners that were asked for.
func (p *process) serve(ctx context.Context, g *errgroup.Group) error {
	if p.sockets.api != nil {
		api, err := apiserver.New(apiserver.Options{
			Client:         p.temporal,
			Keyring:        p.keyring,
			Failpoints:     p.failpoints,
			Tokens:         p.tokens,
			Hosts:          access.NewHosts(p.opts.Config.HostNames()...),
			Version:        p.opts.Version,
			Features:       &p.opts.Config.Features,
			Logger:         p.opts.Logger,
			Registry:       p.registry,
			Namespace:      p.opts.Config.TemporalNamespace,
			TemporalUI:     p.opts.Config.TemporalUIURL,
			DataConverter:  worker.DataConverter(),
			CommandTimeout: p.opts.Config.CommandTimeout,
			CreateTimeout:  p.opts.Config.CreateTimeout,
		})
		if err != nil {
			return err
		}
		g.Go(func() error { return api.Serve(ctx, p.sockets.api) })
	}
	if p.sockets.metrics != nil {
		g.Go(func() error { return serveHTTP(ctx, p.sockets.metrics, p.shield(p.observeHandler()), p.opts.Logger) })
	}
	if p.sockets.pprof != nil {
		g.Go(func() error {
			return serveHTTP(ctx, p.sockets.pprof, p.shield(p.tokens.Protect(pprofHandler(), access.Admin, p.opts.Logger)), p.opts.Logger)
		})
	}
	return nil
}

// sockets are the listeners of a process; nil ones were not asked for.
type sockets struct{ api, metrics, pprof net.Listener }

func listen(ctx context.Context, opts Options) (s sockets, err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, l := range []struct {
		name, address, flag string
		wanted              bool
		to                  *net.Listener
	}{
		{"HTTP API", opts.Config.Listen, "--listen", opts.API, &s.api},
		{"metrics", opts.Config.MetricsListen, "--metrics-listen", true, &s.metrics},
		{"pprof", opts.Config.PprofListen, "--pprof-listen", true, &s.pprof},
	} {
		if !l.wanted || l.address == "" {
			continue
		}
		var lc net.ListenConfig
		if *l.to, err = lc.Listen(ctx, "tcp", l.address); err != nil {
			*l.to = nil
			return s, fmt.Errorf("listen for %s: %w (choose another address with %s)", l.name, err, l.flag)
		}
	}
	return s, nil
}

// encrypt makes all of them speak TLS; a nil certificate changes nothing.
func (s *sockets) encrypt(c *access.Certificate) {
	tlsConfig := c.ServerConfig()
	if tlsConfig == nil {
		return
	}
	for _, l := range []*net.Listener{&s.api, &s.metrics, &s.pprof} {
		if *l != nil {
			*l = tls.NewListener(*l, tlsConfig)
		}
	}
}

func (s sockets) apiAddr() string {
	if s.api == nil {
		return ""
	}
	return s.api.Addr().String()
}

// close closes the listeners; closing one that its server has closed already
// does no harm.
func (s sockets) close() {
	for _, l := range []net.Listener{s.api, s.metrics, s.pprof} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// stopTimeout bounds the graceful stop of the small servers beside the API.
const stopTimeout = 2 * time.Second
