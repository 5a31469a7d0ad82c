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

	"github.com/doris-ccr/ccr/job"
)

// routes is the index of the interface (http-api.md 2).
func (s *Server) routes(registry *prometheus.Registry) *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.handleError
	e.Use(s.logRequests, s.recoverPanics, refuseForeignPages)

	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
	})
	for path, handler := range map[string]echo.HandlerFunc{
		"/version":      s.handleVersion,
		"/features":     s.handleFeatures,
		"/metrics":      echo.WrapHandler(metrics),
		"/healthz":      s.handleHealth,
		"/list_jobs":    s.handleListJobs,
		"/create_ccr":   s.handleCreate,
		"/job_status":   s.handleJobStatus,
		"/job_detail":   s.handleJobDetail,
		"/job_progress": s.handleJobProgress,
		"/get_lag":      s.handleGetLag,

		"/pause":  s.commandHandler(job.SignalPause),
		"/resume": s.commandHandler(job.SignalResume),
		"/desync": s.commandHandler(job.SignalDesync),
		"/sync":   s.commandHandler(job.SignalSync),
		"/delete": s.handleDelete,

		"/force_fullsync":      s.handleForceFullSync,
		"/job_skip_binlog":     s.handleSkipBinlog,
		"/update_host_mapping": s.handleHostMapping,
		"/add_host_mapping":    s.handleHostMapping, // the seed's example uses this name
	} {
		e.Any(path, handler)
		// Any knows the registered methods only; the interface takes all.
		e.RouteNotFound(path, handler)
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
	if err := c.Blob(status, contentType, []byte(text)); err != nil {
		s.log.Debug("reply not delivered", "path", c.Path(), "error", err)
	}
}

// logRequests logs who asked for what, never a body: bodies hold passwords.
func (s *Server) logRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		err := next(c)
		s.log.Debug("request", "method", c.Request().Method, "path", c.Request().URL.Path,
			"remote", c.Request().RemoteAddr, "status", c.Response().Status, "took", time.Since(start))
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

// refuseForeignPages keeps web pages of other origins from sending commands
// through the browser of somebody who can reach the server: bodies are read
// whatever their Content-Type, so the browser would not ask first. Scripts send
// none of the headers that are looked at.
func refuseForeignPages(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		if err := protection.Check(c.Request()); err != nil {
			return echo.NewHTTPError(http.StatusForbidden, "refused: sent by a web page of another origin")
		}
		return next(c)
	}
}
