package worker

import (
	"context"
	"log/slog"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// sdkHandler words the SDK's log lines as all others of ccr: a line about a
// workflow names its job, and what is the same in every line of a process, or
// means nothing to people, is left out.
type sdkHandler struct{ slog.Handler }

// sdkLogger returns the logger that the SDK is given.
func sdkLogger(l *slog.Logger) *slog.Logger { return slog.New(sdkHandler{l.Handler()}) }

// started is what the SDK says of each worker, after "ccr is ready" no news.
const started = "Started Worker"

// Handle implements slog.Handler. The SDK adds some attributes line by line.
func (h sdkHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == started && !h.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(plain([]slog.Attr{a})...)
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h sdkHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sdkHandler{h.Handler.WithAttrs(plain(attrs))}
}

// WithGroup implements slog.Handler.
func (h sdkHandler) WithGroup(name string) slog.Handler {
	return sdkHandler{h.Handler.WithGroup(name)}
}

// plain translates the attributes of the SDK. Its keys begin with capitals, so
// that they are not taken for ours.
func plain(attrs []slog.Attr) []slog.Attr {
	var out []slog.Attr
	for _, a := range attrs {
		switch a.Key {
		case "Namespace", "TaskQueue", "WorkerID", "WorkflowType", "RunID", "ActivityID", "WorkerType":
			continue
		case "Attempt":
			if a.Value.Kind() == slog.KindInt64 && a.Value.Int64() == 1 {
				continue
			}
		case "WorkflowID":
			if name, ok := strings.CutPrefix(a.Value.String(), job.WorkflowIDPrefix); ok {
				a = slog.String("job", name)
			}
		case "ActivityType":
			a.Key = "step"
		case "Error":
			a.Key = "error"
		}
		out = append(out, a)
	}
	return out
}
