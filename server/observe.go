package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/access"
)

// observeHandler serves what a process without API is watched by.
func (p *process) observeHandler() http.Handler {
	mux := http.NewServeMux()
	metrics := promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	mux.Handle("/metrics", p.tokens.Protect(metrics, access.Read, p.opts.Logger))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		if _, err := p.temporal.CheckHealth(r.Context(), &client.CheckHealthRequest{}); err != nil {
			http.Error(w, fmt.Sprintf("temporal is not reachable: %v", err), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// shield is around the small servers: what every answer has, and no request to a
// stranger's name where nobody needs a token.
func (p *process) shield(h http.Handler) http.Handler {
	if p.tokens == nil {
		h = access.NewHosts(p.opts.Config.HostNames()...).Protect(h)
	}
	return access.SafeHeaders(h)
}

// pprofHandler serves Go profiles, on a mux of its own: the default one is
// shared with whatever else registers there.
func pprofHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// serveHTTP serves h on l until ctx is done.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := access.NewServer(h, log)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := srv.Shutdown(stopCtx); err != nil {
			return srv.Close() // a long profile does not hold up the stop
		}
		return nil
	})
	return g.Wait()
}

// accessGauges tell whether a file that says who may ask has become useless while the
// process runs: what was read before stays in use, which nobody would notice.
func accessGauges(tokens *access.Tokens, certificate *access.Certificate) []prometheus.Collector {
	gauge := func(name, help string, is func() bool) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if is() {
				return 1
			}
			return 0
		})
	}
	return []prometheus.Collector{
		gauge("ccr_tokens_file_unreadable", "1 while the tokens file has changed and cannot be read: the tokens of before stay in use.", tokens.Unreadable),
		gauge("ccr_certificate_unreadable", "1 while the server's certificate or its key has changed and cannot be read: the certificate of before stays in use.", certificate.Unreadable),
	}
}

// buildInfo is the metric by which one sees what runs where, and whether all
// processes are of one version.
func buildInfo(opts Options) prometheus.Collector {
	parts := map[bool]string{true: "1", false: "0"}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ccr_build_info", Help: "What this process is; always 1.",
		ConstLabels: prometheus.Labels{
			"version": opts.Version, "goversion": runtime.Version(), "api": parts[opts.API], "worker": parts[opts.Worker],
		},
	})
	g.Set(1)
	return g
}
