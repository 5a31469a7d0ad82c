package activities

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
	"github.com/doris-ccr/ccr/replication/ddl"
	"github.com/doris-ccr/ccr/replication/problem"
	"github.com/doris-ccr/ccr/replication/stream"
	"github.com/doris-ccr/ccr/secret"
)

// fake is a job whose methods are what a test sets.
type fake struct {
	checker
	snapshotter
	streamer
	verifier
	check  func(context.Context) (job.Checked, error)
	change func(context.Context, job.ChangeCheck) (job.ChangeChecked, error)
	take   func(context.Context, func(job.Heartbeat)) (job.SnapshotTaken, error)
	apply  func(context.Context, job.ApplyInput) (job.ApplyResult, error)
	stream func(context.Context, job.StreamInput, stream.Hooks) (job.StreamResult, error)
	finish func(context.Context, job.StepInput) (job.SnapshotFinished, error)
	// several applies one of several binlogs.
	several func(ctx context.Context, number int, unsure bool) (job.ApplyResult, error)

	may       func(context.Context) error
	passwords replication.Passwords
	closed    int
}

func (f *fake) Check(ctx context.Context) (job.Checked, error) { return f.check(ctx) }
func (f *fake) CheckChange(ctx context.Context, in job.ChangeCheck) (job.ChangeChecked, error) {
	return f.change(ctx, in)
}
func (f *fake) TakeSnapshot(ctx context.Context, _ job.StepInput, report func(job.Heartbeat)) (job.SnapshotTaken, error) {
	return f.take(ctx, report)
}
func (f *fake) Apply(ctx context.Context, in job.ApplyInput) (job.ApplyResult, error) {
	return f.apply(ctx, in)
}

// ApplySeveral is what package ddl does, without clusters.
func (f *fake) ApplySeveral(ctx context.Context, in job.ApplySeveralInput, s ddl.Steps) ([]job.ApplyResult, error) {
	done := slices.Clone(s.Done)
	for all := in.Binlogs(); len(done) < len(all); {
		if may, err := s.Next(ctx, done, all[len(done)]); err != nil || !may {
			return done, err
		}
		out, err := f.several(ctx, len(done), s.Unsure)
		if err != nil {
			return done, err
		}
		done = append(done, out)
	}
	return done, nil
}

func (f *fake) Stream(ctx context.Context, in job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
	return f.stream(ctx, in, h)
}
func (f *fake) FinishSnapshot(ctx context.Context, in job.StepInput) (job.SnapshotFinished, error) {
	return f.finish(ctx, in)
}
func (f *fake) Guard(may func(context.Context) error) { f.may = may }
func (f *fake) Close()                                { f.closed++ }

// bench runs activities of a worker whose jobs are fake.
type bench struct {
	*testsuite.TestActivityEnvironment
	fake *fake
	acts *Activities
	logs *strings.Builder
	stop chan struct{}
}

func newBench(t *testing.T) *bench {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	b := &bench{TestActivityEnvironment: suite.NewTestActivityEnvironment(), fake: &fake{}, logs: &strings.Builder{}, stop: make(chan struct{})}
	keyring, err := secret.NewKeyring(make([]byte, secret.KeySize))
	require.NoError(t, err)
	b.acts = New(nil, keyring, slog.New(slog.NewTextHandler(b.logs, nil)))
	b.acts.open = func(_ job.Spec, p replication.Passwords) rooms {
		b.fake.passwords = p
		return rooms{connection: b.fake, preflight: b.fake, snapshot: b.fake, ddl: b.fake, stream: b.fake, verify: b.fake.verifier}
	}
	b.SetWorkerOptions(worker.Options{})
	b.SetWorkerStopChannel(b.stop)
	for _, all := range []map[string]any{b.acts.Steps(), b.acts.Streams(), b.acts.Verifications()} {
		for name, do := range all {
			b.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
		}
	}
	return b
}

// call runs an activity by name.
func call[Out any](b *bench, name string, in any) (Out, error) {
	var out Out
	v, err := b.ExecuteActivity(name, in)
	if err != nil {
		return out, err
	}
	return out, v.Get(&out)
}

func input(t *testing.T, b *bench) job.StepInput {
	t.Helper()
	sealed, err := b.acts.keyring.Seal("s3cret")
	require.NoError(t, err)
	return job.StepInput{Spec: job.Spec{Name: "j1", Source: job.Cluster{Password: sealed}}}
}

func applicationError(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	return app
}

func TestEveryActivityOfTheJobIsThere(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{job.ActivityCheck, job.ActivityTakeSnapshot, job.ActivityRestoreSnapshot, job.ActivityFinishSnapshot, job.ActivityApply, job.ActivityApplySeveral, job.ActivityObserveLag, job.ActivityCleanUp} {
		require.Contains(t, b.acts.Steps(), name)
	}
	require.Contains(t, b.acts.Streams(), job.ActivityStream)
}

func TestAStepGetsItsPasswordsAndClosesItsConnections(t *testing.T) {
	b := newBench(t)
	b.fake.check = func(context.Context) (job.Checked, error) { return job.Checked{Spec: job.Spec{Name: "resolved"}}, nil }
	out, err := call[job.Checked](b, job.ActivityCheck, input(t, b))
	require.NoError(t, err)
	require.Equal(t, "resolved", out.Spec.Name)
	require.Equal(t, replication.Passwords{Source: "s3cret"}, b.fake.passwords)
	require.Equal(t, 1, b.fake.closed)
}

func TestARefusalKeepsItsExactText(t *testing.T) {
	b := newBench(t)
	b.fake.check = func(context.Context) (job.Checked, error) {
		return job.Checked{}, &problem.Refusal{Text: "src database shop not enable binlog"}
	}
	_, err := call[job.Checked](b, job.ActivityCheck, input(t, b))
	app := applicationError(t, err)
	require.Equal(t, job.ErrorTypeRefused, app.Type())
	require.Equal(t, "src database shop not enable binlog", app.Message())
	require.True(t, app.NonRetryable())
}

func TestAnErrorCarriesTheWholeProblem(t *testing.T) {
	b := newBench(t)
	b.fake.take = func(context.Context, func(job.Heartbeat)) (job.SnapshotTaken, error) {
		return job.SnapshotTaken{}, errors.New("disk full")
	}
	_, err := call[job.SnapshotTaken](b, job.ActivityTakeSnapshot, input(t, b))
	app := applicationError(t, err)
	require.True(t, app.NonRetryable(), "the workflow tries again, not the server")
	var p job.Problem
	require.NoError(t, app.Details(&p))
	require.Equal(t, "disk full", p.Text)
	require.NotEmpty(t, p.Kind)
}

func TestAPasswordThatCannotBeOpenedSaysWhatToDo(t *testing.T) {
	b := newBench(t)
	in := input(t, b)
	b.acts.keyring = &secret.Keyring{}
	_, err := call[job.Checked](b, job.ActivityCheck, in)
	app := applicationError(t, err)
	require.Contains(t, app.Message(), "password of the source cluster")
	var p job.Problem
	require.NoError(t, app.Details(&p))
	require.Contains(t, p.Remedy, "same secret key")
	require.NotContains(t, err.Error(), "s3cret")
}

// The first heartbeat of a step comes before its first side effect: the server
// refuses that of a stale attempt, whose context then is over.
func TestAStepBeatsBeforeItsFirstSideEffect(t *testing.T) {
	b := newBench(t)
	beats := 0
	b.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var h job.Heartbeat
		require.NoError(t, details.Get(&h))
		require.False(t, h.At.IsZero())
		beats++
	})
	open := b.acts.open
	b.acts.open = func(spec job.Spec, p replication.Passwords) rooms {
		require.Equal(t, 1, beats)
		return open(spec, p)
	}
	b.fake.check = func(context.Context) (job.Checked, error) { return job.Checked{}, nil }
	_, err := call[job.Checked](b, job.ActivityCheck, input(t, b))
	require.NoError(t, err)
	require.Equal(t, 1, b.fake.closed)
}

func TestAPanicIsAnErrorOfTheStep(t *testing.T) {
	b := newBench(t)
	b.fake.check = func(context.Context) (job.Checked, error) { panic("nil map") }
	_, err := call[job.Checked](b, job.ActivityCheck, input(t, b))
	app := applicationError(t, err)
	require.Equal(t, "internal error in CheckJob: nil map", app.Message())
	require.Contains(t, b.logs.String(), "A step panicked")
	require.Equal(t, 1, b.fake.closed)
}

func TestAWaitingStepHandsOverWhenItsWorkerStops(t *testing.T) {
	b := newBench(t)
	b.fake.take = func(ctx context.Context, report func(job.Heartbeat)) (job.SnapshotTaken, error) {
		report(job.Heartbeat{Note: "SNAPSHOTING"})
		close(b.stop)
		<-ctx.Done()
		return job.SnapshotTaken{}, ctx.Err()
	}
	_, err := call[job.SnapshotTaken](b, job.ActivityTakeSnapshot, input(t, b))
	app := applicationError(t, err)
	require.Equal(t, job.ErrorTypeWorkerStopping, app.Type())
	require.False(t, app.NonRetryable(), "another worker goes on")
}

func TestAStepThatChangesSomethingFinishesFirst(t *testing.T) {
	b := newBench(t)
	b.fake.apply = func(ctx context.Context, in job.ApplyInput) (job.ApplyResult, error) {
		require.False(t, in.OutcomeUnknown)
		close(b.stop)
		return job.ApplyResult{Done: true}, ctx.Err()
	}
	out, err := call[job.ApplyResult](b, job.ActivityApply, job.ApplyInput{StepInput: input(t, b)})
	require.NoError(t, err)
	require.True(t, out.Done)
}

// A step asks before it changes anything whether it is still the current attempt,
// and only if that is some time ago.
func TestAStepAsksBeforeItChangesAnything(t *testing.T) {
	b, s := streamBench(t)
	s.set(serviceerror.NewNotFound("another attempt runs the step"))
	b.fake.apply = func(ctx context.Context, _ job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Done: true}, b.fake.may(ctx)
	}
	_, err := call[job.ApplyResult](b, job.ActivityApply, job.ApplyInput{StepInput: input(t, b)})
	require.NoError(t, err, "it has just begun")

	const timeout = 10 * time.Second
	stoodStill := func(sent *server) (*heartbeater, context.Context) {
		ctx, end := context.WithCancelCause(t.Context())
		t.Cleanup(func() { end(nil) })
		h := newHeartbeater(sent.confirm, timeout, end)
		h.acknowledged = h.acknowledged.Add(-time.Hour)
		return h, ctx
	}
	h, ctx := stoodStill(s)
	require.ErrorIs(t, h.mayAct(ctx), errLost)
	require.ErrorIs(t, context.Cause(ctx), errLost, "the step ends")

	current := &server{}
	h, ctx = stoodStill(current)
	h.report(at(7))
	require.NoError(t, h.mayAct(ctx))
	h.report(at(8))
	require.NoError(t, h.mayAct(ctx))
	require.Equal(t, []int64{7}, current.positions(), "the second time it is known")

	away := &server{} // a server that restarts is no reason to give up
	away.set(errors.New("connection refused"))
	h, ctx = stoodStill(away)
	time.AfterFunc(50*time.Millisecond, func() { away.set(nil) })
	require.NoError(t, h.mayAct(ctx))
}

// An error that Temporal would not take from the worker is told all the same: else the job
// learns nothing but that no worker has finished the step.
func TestErrorsCanBeTold(t *testing.T) {
	for _, text := range []string{"bad \xff\xfe\x80 text", strings.Repeat("x", 5<<20)} {
		described := describeError(errors.New("cannot ask: " + text))
		require.True(t, utf8.ValidString(described.Text))
		require.Less(t, len(described.Text), 16<<10)
		require.Contains(t, described.Text, "cannot ask: "+text[:3])
	}
}
