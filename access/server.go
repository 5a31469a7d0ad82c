package access

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer is the frame of a server that anybody may connect to: a client that sends slowly, or
// nothing, holds its connection for a bounded time, and a header has a bounded size. How long an
// answer takes is the handler's to bound.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          ServerLog(log),
	}
}
