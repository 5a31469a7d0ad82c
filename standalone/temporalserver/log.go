package temporalserver

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// noHTTP begins the warning that there is no HTTP API, which is on purpose.
const noHTTP = "HTTP API port has not been set"

// logger passes the server's log lines on to slog. The server is chatty and
// speaks of its own insides: only warnings and worse are of interest to an
// operator of ccr, so its Info becomes Debug.
type logger struct {
	out *slog.Logger
	// graph: what is logged is how Temporal puts its parts together. Of its errors
	// Start returns the one that matters.
	graph bool
	// stopping: the four services warn about each other's end, which is no news.
	stopping *atomic.Bool
}

func newLogger(out *slog.Logger, stopping *atomic.Bool) log.Logger {
	return logger{out: out.With("component", "temporal"), stopping: stopping}
}

var _ log.WithLogger = logger{}

func (l logger) write(level slog.Level, msg string, tags []tag.Tag) {
	ctx := context.Background()
	if level == slog.LevelWarn && (l.stopping.Load() || strings.HasPrefix(msg, noHTTP)) {
		level = slog.LevelDebug
	}
	if l.graph || slices.ContainsFunc(tags, ofTheGraph) {
		level = min(level, slog.LevelDebug)
	}
	if !l.out.Enabled(ctx, level) {
		return
	}
	l.out.LogAttrs(ctx, level, msg, attrs(tags)...)
}

func attrs(tags []tag.Tag) []slog.Attr {
	out := make([]slog.Attr, len(tags))
	for i, t := range tags {
		out[i] = slog.Any(t.Key(), t.Value())
	}
	return out
}

func ofTheGraph(t tag.Tag) bool { return t.Key() == "component" && fmt.Sprint(t.Value()) == "fx" }

// With implements log.WithLogger.
func (l logger) With(tags ...tag.Tag) log.Logger {
	l.out = slog.New(l.out.Handler().WithAttrs(attrs(tags)))
	l.graph = l.graph || slices.ContainsFunc(tags, ofTheGraph)
	return l
}

func (l logger) Debug(msg string, tags ...tag.Tag)  { l.write(slog.LevelDebug-4, msg, tags) }
func (l logger) Info(msg string, tags ...tag.Tag)   { l.write(slog.LevelDebug, msg, tags) }
func (l logger) Warn(msg string, tags ...tag.Tag)   { l.write(slog.LevelWarn, msg, tags) }
func (l logger) Error(msg string, tags ...tag.Tag)  { l.write(slog.LevelError, msg, tags) }
func (l logger) DPanic(msg string, tags ...tag.Tag) { l.write(slog.LevelError, msg, tags) }

// Panic and Fatal keep the meaning that the server relies on: they do not return.
func (l logger) Panic(msg string, tags ...tag.Tag) {
	l.write(slog.LevelError, msg, tags)
	panic(msg)
}

func (l logger) Fatal(msg string, tags ...tag.Tag) {
	l.write(slog.LevelError, msg, tags)
	panic("temporal: " + msg)
}
