package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"

	"github.com/doris-ccr/ccr/access"
)

// webUI is Temporal's Web UI behind a server of our own: theirs can neither refuse
// the names of strangers nor be stopped in order, and it ends the process when it
// cannot listen.
type webUI struct {
	server  *http.Server
	address string
	done    chan struct{}
}

// startUI listens, so that the Web UI answers when it returns.
func startUI(ctx context.Context, opts Options, frontend string) (*webUI, error) {
	handler, err := uiHandler(uiSettings(frontend, opts.Namespace))
	if err != nil {
		return nil, fmt.Errorf("make the Web UI: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", opts.UI)
	if err != nil {
		return nil, fmt.Errorf("address of the Web UI: %w (choose another with --ui-listen, or switch the UI off with --ui-listen '')", err)
	}
	host, _, err := net.SplitHostPort(opts.UI)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("address %q of the Web UI: %w", opts.UI, err), l.Close())
	}
	u := &webUI{
		address: net.JoinHostPort(host, strconv.Itoa(l.Addr().(*net.TCPAddr).Port)),
		done:    make(chan struct{}),
		server:  access.NewServer(access.NewHosts(opts.UIHosts...).Protect(uiHeaders(handler)), opts.Logger),
	}
	u.server.ErrorLog = slog.NewLogLogger(opts.Logger.Handler(), slog.LevelDebug)
	go func() {
		defer close(u.done)
		if err := u.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			opts.Logger.Error("the Web UI has ended", "error", err)
		}
	}()
	return u, nil
}

// uiSettings leaves out the buttons that end a job, set it back, or stop it behind its
// own back; docs/temporal.md has what they would do. Signals stay.
func uiSettings(frontend, namespace string) *uiconfig.Config {
	return &uiconfig.Config{
		TemporalGRPCAddress: frontend,
		EnableUI:            true,
		DefaultNamespace:    namespace,
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true},

		WorkflowTerminateDisabled: true,
		WorkflowCancelDisabled:    true,
		WorkflowResetDisabled:     true,
		WorkflowPauseDisabled:     true,
		BatchActionsDisabled:      true,
		StartWorkflowDisabled:     true,
		ActivityCommandsDisabled:  true,
	}
}

// uiHandler puts the Web UI's parts together. No other origin may read answers:
// there is no part for that.
func uiHandler(cfg *uiconfig.Config) (http.Handler, error) {
	provider, err := uiconfig.NewConfigProviderWithRefresh(cfg)
	if err != nil {
		return nil, err
	}
	assets, err := ui.Assets()
	if err != nil {
		return nil, err
	}
	if assets, err = fs.Sub(assets, "local"); err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip(),
		csrf.EnsureTokenCookie(!cfg.CORS.CookieInsecure),
		middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, !cfg.CORS.CookieInsecure)))
	route.SetHealthRoute(e)
	if err := route.SetAPIRoutes(e, provider, []api.Middleware{headers.WithForwardHeaders([]string{"Caller-Type"})}); err != nil {
		return nil, err
	}
	route.SetAuthRoutes(e, provider)
	if err := route.SetUIRoutes(e, cfg.PublicPath, assets); err != nil {
		return nil, err
	}
	route.SetRenderRoute(e, cfg.PublicPath)
	return e, nil
}

// uiHeaders are those of our own pages, as far as Temporal's bear them: they have
// scripts in themselves, with a policy for these, and frames of their own.
func uiHeaders(next http.Handler) http.Handler {
	return access.SafeHeaders(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "frame-ancestors 'self'; object-src 'none'; base-uri 'self'")
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
		next.ServeHTTP(w, r)
	}))
}

func (u *webUI) stop() {
	_ = u.server.Close() // nothing is lost with a page that is not finished
	<-u.done
}
