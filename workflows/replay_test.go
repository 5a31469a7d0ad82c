package workflows_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/worker"
	"github.com/doris-ccr/ccr/workflows"
	"github.com/doris-ccr/ccr/workflows/histories"
)

// TestRecordedHistoriesReplay fails when a change of the workflow breaks jobs
// that are already running. Then the change needs workflow.GetVersion; the
// recorded history must not be touched. There is a folder for each release; "make
// record-histories" adds one (docs/upgrade.md).
func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*/*.json*")
	require.NoError(t, err)
	require.NotEmpty(t, files, "there is nothing to replay")
	for _, file := range files {
		t.Run(filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file)), func(t *testing.T) {
			t.Parallel()
			replayer, err := sdkworker.NewWorkflowReplayerWithOptions(sdkworker.WorkflowReplayerOptions{
				DataConverter: worker.DataConverter(),
				Interceptors:  []interceptor.WorkerInterceptor{workflows.Interceptor()},
			})
			require.NoError(t, err)
			replayer.RegisterWorkflowWithOptions(workflows.ReplicationJob, workflow.RegisterOptions{Name: job.WorkflowType})
			replayer.RegisterWorkflowWithOptions(workflows.Workflow{}.ReplicationJobLarge, workflow.RegisterOptions{Name: job.WorkflowTypeLarge})
			replayer.RegisterWorkflowWithOptions(workflows.Workflow{}.VerifyTables, workflow.RegisterOptions{Name: job.WorkflowTypeVerify})
			replayer.RegisterWorkflowWithOptions(workflows.StartVerification, workflow.RegisterOptions{Name: job.WorkflowTypeVerifyStart})
			history, err := histories.Load(file)
			require.NoError(t, err)
			logger := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
			require.NoError(t, replayer.ReplayWorkflowHistory(logger, history))
		})
	}
}
