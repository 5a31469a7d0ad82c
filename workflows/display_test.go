package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// details are the current details of the job, as the Web UI asks for them.
func (b *bench) details() string {
	return query[*sdkpb.WorkflowMetadata](b, "__temporal_workflow_metadata").GetCurrentDetails()
}

// A run that goes on with a job has none of the details that the job was created with.
func TestDetailsOfALaterRun(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.SetMemoOnStart(map[string]any{job.MemoCreatedBy: "ann (10.0.0.7)"}))
	p := job.Progress{Phase: job.PhaseApply, State: job.DBIncrementalSync, FullSyncs: 1, CreatedAt: b.spec.CreatedAt, Position: job.Position{CommitSeq: 100},
		Pending: &job.Binlog{CommitSeq: 120, Type: binlog.TypeModifyComment}}
	b.input.Spec, b.input.Progress = b.spec, &p
	always(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Problem: &job.Problem{Text: `no "x"`, CommitSeq: 120, Remedy: `job_skip_binlog with {"skip_by":"silence"}`}}, nil
	})
	b.at(time.Minute, func() {
		details := b.details()
		require.Contains(t, details, "| Source | shop on 127.0.0.1:9030 (as root) |")
		require.Contains(t, details, `| Destination | shop\_copy on 127.0.0.1:9030 (as root) |`)
		require.Contains(t, details, "| Created | 2023-11-14 22:13:20 UTC by ann (10.0.0.7) |")
		require.Contains(t, details, "**What to do:** `job_skip_binlog` with `{\"skip_by\":\"silence\"}`")
		words := query[job.StatusAnswer](b, job.QueryStatus).Words
		require.Equal(t, "running", words.State)
		require.Equal(t, "DBIncrementalSync", words.ProgressState)
		require.Contains(t, details, "> no `\"x\"`")
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

// A job that the first checks refuse is found as such.
func TestARefusedJobIsNotRunning(t *testing.T) {
	b := newBench(t)
	var states []string
	b.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		if state, ok := args.Get(0).(temporal.SearchAttributes).GetKeyword(keyJobState); ok {
			states = append(states, state)
		}
	}).Return(nil)
	once(b, job.ActivityCheck, 0, func(job.StepInput) (job.Checked, error) {
		return job.Checked{}, refused("src database shop not exists")
	})
	require.ErrorContains(t, b.run(), "src database shop not exists")
	require.Equal(t, []string{"running", "refused"}, states)
	require.Contains(t, b.details(), `shop\_copy: refused`)
}
