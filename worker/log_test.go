package worker

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
)

func TestLinesOfTheSDKNameTheJob(t *testing.T) {
	var out bytes.Buffer
	noTime := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	sdk := log.With(log.NewStructuredLogger(sdkLogger(slog.New(slog.NewTextHandler(&out, noTime)))),
		"Namespace", "default", "TaskQueue", "ccr", "WorkerID", "17@vm@", "WorkflowType", "ReplicationJob",
		"WorkflowID", "ccr-job-shop", "RunID", "01a2", "Attempt", 1)
	sdk.Info(started)
	sdk.Info("full sync done", "commit_seq", 5006)
	sdk.Warn("Activity error.", "ActivityType", "ApplyBinlog", "Attempt", 2, "Error", "refused")
	require.Equal(t, `level=INFO msg="full sync done" job=shop commit_seq=5006
level=WARN msg="Activity error." job=shop step=ApplyBinlog Attempt=2 error=refused
`, out.String())

	out.Reset()
	log.NewStructuredLogger(sdkLogger(slog.New(slog.NewTextHandler(&out, noTime)))).Info("x", "WorkflowID", "temporal-sys-scanner")
	require.Equal(t, "level=INFO msg=x WorkflowID=temporal-sys-scanner\n", out.String())
}
