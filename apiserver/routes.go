package apiserver

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/job"
)

// endpoint is one row of the index of the interface.
type endpoint struct {
	// method is empty for operators: they take every method.
	method string
	path   string
	role   access.Role // what the caller's token has to permit
	handle echo.HandlerFunc
}

// operators is the index of the interface that scripts know (http-api.md 2).
// All of them answer HTTP 200 with the base shape, unless their handler says
// otherwise.
func (s *Server) operators(registry *prometheus.Registry) []endpoint {
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
	})
	return []endpoint{
		{path: "/version", role: access.Open, handle: s.handleVersion},
		{path: "/healthz", role: access.Open, handle: s.handleHealth},
		{path: "/openapi.json", role: access.Open, handle: s.handleOpenAPI},
		{path: "/features", role: access.Read, handle: s.handleFeatures},
		{path: "/metrics", role: access.Read, handle: echo.WrapHandler(metrics)},

		{path: "/view", role: access.Read, handle: s.handleView},
		{method: http.MethodPost, path: "/view/pause", role: access.Operate, handle: s.viewButton(job.SignalPause)},
		{method: http.MethodPost, path: "/view/resume", role: access.Operate, handle: s.viewButton(job.SignalResume)},

		{path: "/list_jobs", role: access.Read, handle: s.handleListJobs},
		{path: "/job_status", role: access.Read, handle: operation(s.handleJobStatus, failOperation)},
		{path: "/job_detail", role: access.Read, handle: operation(s.handleJobDetail, failOperation)},
		{path: "/job_progress", role: access.Read, handle: operation(s.handleJobProgress, failOperation)},
		{path: "/job_events", role: access.Read, handle: operation(s.handleJobEvents, failOperation)},
		{path: "/job_binlogs", role: access.Read, handle: operation(s.handleJobBinlogs, failOperation)},
		{path: "/get_lag", role: access.Read, handle: operation(s.handleGetLag, failLag)},

		{path: "/pause", role: access.Operate, handle: operation(s.handleCommand(job.SignalPause), failOperation)},
		{path: "/resume", role: access.Operate, handle: operation(s.handleCommand(job.SignalResume), failOperation)},
		{path: "/desync", role: access.Operate, handle: operation(s.handleCommand(job.SignalDesync), failOperation)},
		{path: "/sync", role: access.Operate, handle: operation(s.handleCommand(job.SignalSync), failOperation)},
		{path: "/force_fullsync", role: access.Operate, handle: operation(s.handleCommand(job.SignalForceFullSync), failJobNameEmpty)},
		{path: "/job_skip_binlog", role: access.Operate, handle: operation(s.handleSkipBinlog, failOperation)},
		{path: "/update_tables", role: access.Operate, handle: operation(s.handleUpdateTables, failOperation)},

		{path: "/verify_status", role: access.Read, handle: s.handleVerifyStatus},
		{path: "/verify", role: access.Operate, handle: operation(s.handleVerify, failOperation)},
		{path: "/verify_pause", role: access.Operate, handle: operation(s.handleVerifyCommand(job.SignalPause), failOperation)},
		{path: "/verify_resume", role: access.Operate, handle: operation(s.handleVerifyCommand(job.SignalResume), failOperation)},
		{path: "/verify_cancel", role: access.Operate, handle: operation(s.handleVerifyCommand(job.SignalVerifyCancel), failOperation)},
		{path: "/repair", role: access.Operate, handle: operation(s.handleRepair, failOperation)},

		{path: "/create_ccr", role: access.Admin, handle: s.handleCreate},
		{path: "/check_ccr", role: access.Admin, handle: s.handleCheck},
		{path: "/update_credentials", role: access.Admin, handle: operation(s.handleUpdateCredentials, failOperation)},
		{path: "/update_hosts", role: access.Admin, handle: operation(s.handleUpdateHosts, failOperation)},
		{path: "/update_options", role: access.Admin, handle: operation(s.handleUpdateOptions, failOperation)},
		// Whoever names the hosts that jobs talk to gets the passwords of the accounts.
		{path: "/update_host_mapping", role: access.Admin, handle: operation(s.handleHostMapping, failHostMapping)},
		{path: "/add_host_mapping", role: access.Admin, handle: operation(s.handleHostMapping, failHostMapping)}, // a documented example uses this name
		{path: "/delete", role: access.Admin, handle: operation(s.handleDelete, failOperation)},
		{path: "/failpoint", role: access.Admin, handle: operation(s.handleFailpoint, failJobNameEmpty)},
	}
}

func (s *Server) routes(endpoints []endpoint) *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.handleError
	e.Use(s.logRequests, s.recoverPanics, s.refuseForeignHosts, refuseOtherOrigins)
	for _, p := range endpoints {
		handler := s.guard(p)
		if p.method != "" {
			e.Add(p.method, p.path, handler)
			if p.method == http.MethodGet {
				e.HEAD(p.path, handler)
			}
			continue
		}
		e.Any(p.path, handler)
		// Any knows the registered methods only; the interface takes all.
		e.RouteNotFound(p.path, handler)
	}
	return e
}

// handleError answers what no handler answered.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var he *echo.HTTPError
	status, text := http.StatusInternalServerError, "internal error"
	if errors.As(err, &he) {
		status, text = he.Code, fmt.Sprint(he.Message)
	}
	if status == http.StatusNotFound {
		text = "404 page not found"
	}
	answer := func() error { return send(c, status, base{ErrorMsg: text}) }
	switch {
	case isResource(c.Request().URL.Path):
		answer = func() error { return sendProblem(c, status, text) }
	case status == http.StatusNotFound:
		answer = func() error { return c.Blob(status, contentType, []byte(text)) }
	}
	if err := answer(); err != nil {
		s.log.Debug("reply not delivered", "path", c.Path(), "error", err)
	}
}

// logRequests logs who asked for what, never a body: bodies hold passwords.
func (s *Server) logRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		err := next(c)
		s.log.Debug("request", "method", c.Request().Method, "path", c.Request().URL.Path,
			"by", by(c), "status", c.Response().Status, "took", time.Since(start))
		return err
	}
}

// recoverPanics turns a defect of one handler into a failed request.
func (s *Server) recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("request handler panicked", "path", c.Path(), "panic", p, "stack", string(debug.Stack()))
				err = echo.NewHTTPError(http.StatusInternalServerError, "internal error")
			}
		}()
		return next(c)
	}
}

// refuseForeignHosts keeps web pages that were loaded under a name of a stranger,
// who has then pointed it at this server, from using it (access.Hosts). Where tokens
// are asked for, such a page has none: browsers keep them by name.
func (s *Server) refuseForeignHosts(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.tokens == nil {
			if err := s.hosts.Check(c.Request()); err != nil {
				access.LogRefusal(s.log, c.Request(), err)
				return s.refuse(c, http.StatusForbidden, err)
			}
		}
		return next(c)
	}
}

// refuseOtherOrigins keeps web pages of other origins from sending commands
// through the browser of somebody who can reach the server: bodies are read
// whatever their Content-Type, so the browser would not ask first. Scripts send
// none of the headers that are looked at.
func refuseOtherOrigins(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		if err := protection.Check(c.Request()); err != nil {
			return echo.NewHTTPError(http.StatusForbidden, "refused: sent by a web page of another origin")
		}
		return next(c)
	}
}
