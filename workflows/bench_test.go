package workflows

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// bench runs the workflow on virtual time. Its activities answer from a script;
// what is not scripted succeeds in the dullest possible way.
type bench struct {
	*testsuite.TestWorkflowEnvironment
	t     *testing.T
	spec  job.Spec
	input job.WorkflowInput
	// workflow is the registered name of what runs.
	workflow string
	// steps are the activities that were started, in order.
	steps []string
	// streams are the inputs of the shifts, in order.
	streams []job.StreamInput
	applies []job.ApplyInput
	several []job.ApplySeveralInput
	cleans  []job.CleanUpInput
}

func newBench(t *testing.T) *bench {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	b := &bench{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, spec: databaseJob(), workflow: job.WorkflowType}
	// The SDK's three seconds are little for the race detector on a busy machine.
	b.SetTestTimeout(time.Minute)
	b.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{Interceptor()}})
	b.RegisterWorkflowWithOptions(ReplicationJob, workflow.RegisterOptions{Name: job.WorkflowType})
	b.SetOnActivityStartedListener(b.note)
	register(b, job.ActivityCheck, func(in job.StepInput) (job.Checked, error) {
		return job.Checked{Spec: in.Spec}, nil
	})
	register(b, job.ActivityTakeSnapshot, func(in job.StepInput) (job.SnapshotTaken, error) {
		s := in.Progress.Snapshot
		return job.SnapshotTaken{Name: job.SnapshotName(&in.Spec, in.Progress.Epoch, s.Partial != nil, s.Attempt)}, nil
	})
	register(b, job.ActivityRestoreSnapshot, func(job.StepInput) (job.SnapshotRestored, error) {
		return job.SnapshotRestored{Restored: &job.Restored{Tables: map[int64]job.Table{11: {Name: "orders"}}}}, nil
	})
	register(b, job.ActivityFinishSnapshot, func(in job.StepInput) (job.SnapshotFinished, error) {
		return job.SnapshotFinished{
			State:    job.DBIncrementalSync,
			Position: job.Position{CommitSeq: max(100, in.Progress.Snapshot.Trigger)},
			Tables:   map[int64]job.Table{11: {DestID: 21, Name: "orders"}},
		}, nil
	})
	register(b, job.ActivityApply, func(job.ApplyInput) (job.ApplyResult, error) { return job.ApplyResult{Done: true}, nil })
	register(b, job.ActivityApplySeveral, func(in job.ApplySeveralInput) (job.ApplySeveralResult, error) {
		return severalDone(1 + len(in.Following)), nil
	})
	register(b, job.ActivityObserveLag, func(job.StepInput) (binlog.Lag, error) {
		return binlog.Lag{Binlogs: 7, ObservedAt: b.Now()}, nil
	})
	register(b, job.ActivitySelectTables, func(job.StepInput) (job.TablesSelected, error) { return job.TablesSelected{}, nil })
	register(b, job.ActivityCleanUp, func(job.CleanUpInput) (job.CleanedUp, error) { return job.CleanedUp{}, nil })
	register(b, job.ActivityStream, func(in job.StreamInput) (job.StreamResult, error) {
		return job.StreamResult{End: job.EndShiftOver, Position: in.Progress.Position}, nil
	})
	registerLean(b)
	return b
}

// registerLean registers the steps of jobs with many tables.
func registerLean(b *bench) {
	register(b, job.LeanName(job.ActivityRestoreSnapshot), func(job.Lean[job.StepInput]) (job.Packed[job.SnapshotRestored], error) {
		return job.Pack(job.SnapshotRestored{}), nil
	})
	register(b, job.LeanName(job.ActivityFinishSnapshot), func(job.Lean[job.StepInput]) (job.Packed[job.SnapshotFinished], error) {
		return job.Pack(job.SnapshotFinished{}), nil
	})
	register(b, job.LeanName(job.ActivityApply), func(job.Lean[job.ApplyInput]) (job.ApplyResult, error) { return job.ApplyResult{Done: true}, nil })
	register(b, job.LeanName(job.ActivityApplySeveral), func(in job.Lean[job.ApplySeveralInput]) (job.ApplySeveralResult, error) {
		return severalDone(1 + len(in.Without().Following)), nil
	})
	register(b, job.LeanName(job.ActivitySelectTables), func(job.Lean[job.StepInput]) (job.TablesSelected, error) { return job.TablesSelected{}, nil })
	register(b, job.LeanName(job.ActivityCleanUp), func(job.Lean[job.CleanUpInput]) (job.CleanedUp, error) { return job.CleanedUp{}, nil })
	register(b, job.LeanName(job.ActivityStream), func(in job.Lean[job.StreamInput]) (job.StreamResult, error) {
		return job.StreamResult{End: job.EndShiftOver, Position: in.Without().Progress.Position}, nil
	})
}

func databaseJob() job.Spec {
	side := job.Cluster{Host: "127.0.0.1", Port: 9030, ThriftPort: 9020, User: "root", Password: "ccr1:sealed", Database: "shop"}
	spec := job.Spec{Name: "j1", UID: "0123456789abcdef", Source: side, Destination: side, CreatedAt: time.Unix(1_700_000_000, 0).UTC()}
	spec.Destination.Database = "shop_copy"
	return spec
}

// register registers an activity under its name.
func register[In, Out any](b *bench, name string, do func(In) (Out, error)) {
	b.RegisterActivityWithOptions(func(_ context.Context, in In) (Out, error) { return do(in) }, activity.RegisterOptions{Name: name})
}

// note records a started activity.
func (b *bench) note(info *activity.Info, _ context.Context, args converter.EncodedValues) {
	b.steps = append(b.steps, info.ActivityType.Name)
	switch info.ActivityType.Name {
	case job.ActivityStream:
		b.streams = append(b.streams, decoded[job.StreamInput](b, args))
	case job.ActivityApply:
		b.applies = append(b.applies, decoded[job.ApplyInput](b, args))
	case job.ActivityApplySeveral:
		b.several = append(b.several, decoded[job.ApplySeveralInput](b, args))
	case job.ActivityCleanUp:
		b.cleans = append(b.cleans, decoded[job.CleanUpInput](b, args))
	case job.LeanName(job.ActivityCleanUp):
		b.cleans = append(b.cleans, decoded[job.Lean[job.CleanUpInput]](b, args).Without())
	}
}

func decoded[T any](b *bench, args converter.EncodedValues) T {
	b.t.Helper()
	var in T
	require.NoError(b.t, args.Get(&in))
	return in
}

// once scripts the next call of an activity that has no script yet: it takes
// the given virtual time and ends with what do says.
func once[In, Out any](b *bench, name string, takes time.Duration, do func(In) (Out, error)) {
	call := b.OnActivity(name, mock.Anything, mock.Anything).Return(func(_ context.Context, in In) (Out, error) { return do(in) })
	if takes > 0 {
		call.After(takes)
	}
	call.Once()
}

// always scripts all further calls.
func always[In, Out any](b *bench, name string, takes time.Duration, do func(In) (Out, error)) {
	call := b.OnActivity(name, mock.Anything, mock.Anything).Return(func(_ context.Context, in In) (Out, error) { return do(in) })
	if takes > 0 {
		call.After(takes)
	}
}

// shift scripts the next shift.
func (b *bench) shift(takes time.Duration, result job.StreamResult) {
	once(b, job.ActivityStream, takes, func(in job.StreamInput) (job.StreamResult, error) {
		if result.Position.CommitSeq == 0 {
			result.Position = in.Progress.Position
		}
		return result, nil
	})
}

// idle scripts all further shifts: full length, nothing to do.
func (b *bench) idle() {
	always(b, job.LeanName(job.ActivityStream), ShiftLength, func(in job.Lean[job.StreamInput]) (job.StreamResult, error) {
		return job.StreamResult{End: job.EndShiftOver, Position: in.Without().Progress.Position}, nil
	})
	always(b, job.ActivityStream, ShiftLength, func(in job.StreamInput) (job.StreamResult, error) {
		return job.StreamResult{End: job.EndShiftOver, Position: in.Progress.Position}, nil
	})
}

// at runs do at a virtual time after the start.
func (b *bench) at(after time.Duration, do func()) { b.RegisterDelayedCallback(do, after) }

// signal sends a command at a virtual time, with its time as request id.
func (b *bench) signal(after time.Duration, name string, c job.Command) {
	if c.RequestID == "" {
		c.RequestID = fmt.Sprintf("%s@%s", name, after)
	}
	b.at(after, func() { b.SignalWorkflow(name, c) })
}

// deleteAt ends the job, and with it the test.
func (b *bench) deleteAt(after time.Duration) { b.signal(after, job.SignalDelete, job.Command{}) }

// run runs the workflow to its end and returns how it ended.
func (b *bench) run() error {
	b.t.Helper()
	if b.input.Spec.Name == "" {
		b.input.Spec = b.spec
	}
	b.ExecuteWorkflow(b.workflow, b.input)
	require.True(b.t, b.IsWorkflowCompleted(), "the workflow did not end")
	return b.GetWorkflowError()
}

// mustRun is run for jobs that end by deletion.
func (b *bench) mustRun() {
	b.t.Helper()
	require.NoError(b.t, b.run())
}

func query[T any](b *bench, name string, args ...any) T {
	b.t.Helper()
	var out T
	v, err := b.QueryWorkflow(name, args...)
	require.NoError(b.t, err)
	require.NoError(b.t, v.Get(&out))
	return out
}

func (b *bench) status() job.Status     { return query[job.Status](b, job.QueryStatus) }
func (b *bench) progress() job.Progress { return query[job.Progress](b, job.QueryProgress) }

// outcome returns the recorded outcome of a request.
func (b *bench) outcome(requestID string) job.Outcome {
	b.t.Helper()
	o, ok := b.status().Outcome(requestID)
	require.True(b.t, ok, "no outcome of %s in %+v", requestID, b.status().Outcomes)
	return o
}

// events returns all events as text, one a line.
func (b *bench) events() string {
	var lines []string
	for _, e := range query[[]job.Event](b, job.QueryEvents) {
		lines = append(lines, e.Level+" "+e.Text)
	}
	return strings.Join(lines, "\n")
}

// carried returns the input of the next run.
func carried(t *testing.T, err error) job.WorkflowInput {
	t.Helper()
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	require.Equal(t, job.WorkflowType, next.WorkflowType.Name)
	var in job.WorkflowInput
	require.NoError(t, workflowInput(next, &in))
	return in
}

func refused(text string) error {
	return temporal.NewApplicationErrorWithOptions(text, job.ErrorTypeRefused, temporal.ApplicationErrorOptions{NonRetryable: true})
}

func failed(p job.Problem) error {
	return temporal.NewApplicationErrorWithOptions(p.Text, string(p.Kind), temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{p}})
}
