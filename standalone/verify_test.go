package standalone_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/apiserver"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/standalone/temporalserver"
	"github.com/doris-ccr/ccr/worker"
	"github.com/doris-ccr/ccr/workflows"
	"github.com/doris-ccr/ccr/workflows/histories"
)

// verifyStand is the HTTP interface before a real Temporal server, with workflows that
// are real and activities that are not.
type verifyStand struct {
	*testing.T
	client client.Client
	api    http.Handler
	// repaired is set once the job has restored something.
	repaired atomic.Bool
	// hold has the next VerifyTable of orders find a partition equal, and wait until it
	// is interrupted; before is what the one after it was told.
	hold   atomic.Bool
	before atomic.Pointer[job.Verifying]
}

func newVerifyStand(t *testing.T) *verifyStand {
	t.Helper()
	ctx := t.Context()
	server, err := temporalserver.Start(ctx, temporalserver.Options{Path: filepath.Join(t.TempDir(), "temporal.db"), Frontend: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	s := &verifyStand{T: t}
	s.client, err = worker.Dial(ctx, worker.DialOptions{Address: server.Address()})
	require.NoError(t, err)
	t.Cleanup(s.client.Close)
	api, err := apiserver.New(apiserver.Options{Client: s.client, DataConverter: worker.DataConverter()})
	require.NoError(t, err)
	s.api = api.Handler()
	for queue, activities := range map[string]map[string]any{
		job.TaskQueue: {
			job.ActivityCheck: func(_ context.Context, in job.StepInput) (job.Checked, error) { return job.Checked{Spec: in.Spec}, nil },
			job.ActivityTakeSnapshot: func(context.Context, job.StepInput) (job.SnapshotTaken, error) {
				return job.SnapshotTaken{Name: "s"}, nil
			},
			job.ActivityRestoreSnapshot: s.restore,
			job.ActivityFinishSnapshot:  s.finish,
			job.ActivityCleanUp:         func(context.Context, job.CleanUpInput) (job.CleanedUp, error) { return job.CleanedUp{}, nil },
			job.ActivityAwaitRepair:     s.awaitRepair,
			job.ActivityScheduledJob:    s.scheduledJob,
		},
		job.StreamTaskQueue: {job.ActivityStream: s.stream},
		job.VerifyTaskQueue: {
			job.ActivityPlanVerification: func(context.Context, job.VerifyInput) (job.VerifyPlan, error) {
				return job.VerifyPlan{Tables: []job.VerifyTarget{{ID: 11, Name: "orders"}, {ID: 12, Name: "users"}}}, nil
			},
			job.ActivityVerifyTable: s.verify,
		},
	} {
		w := sdkworker.New(s.client, queue, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{workflows.Interceptor()}})
		if queue == job.TaskQueue {
			w.RegisterWorkflowWithOptions(workflows.ReplicationJob, workflow.RegisterOptions{Name: job.WorkflowType})
			w.RegisterWorkflowWithOptions(workflows.Workflow{}.VerifyTables, workflow.RegisterOptions{Name: job.WorkflowTypeVerify})
			w.RegisterWorkflowWithOptions(workflows.StartVerification, workflow.RegisterOptions{Name: job.WorkflowTypeVerifyStart})
		}
		for name, do := range activities {
			w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
		}
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
	return s
}

func (s *verifyStand) restore(_ context.Context, in job.StepInput) (job.SnapshotRestored, error) {
	s.repaired.Store(in.Progress.Snapshot.Partial != nil)
	return job.SnapshotRestored{Restored: &job.Restored{Tables: map[int64]job.Table{11: {Name: "orders"}}}}, nil
}

func (s *verifyStand) finish(_ context.Context, in job.StepInput) (job.SnapshotFinished, error) {
	return job.SnapshotFinished{
		State: job.DBIncrementalSync, Position: job.Position{CommitSeq: max(100, in.Progress.Position.CommitSeq)},
		Tables: map[int64]job.Table{11: {DestID: 21, Name: "orders"}, 12: {DestID: 22, Name: "users"}},
	}, nil
}

// stream is a shift in which nothing happens.
func (s *verifyStand) stream(ctx context.Context, in job.StreamInput) (job.StreamResult, error) {
	for ctx.Err() == nil {
		activity.RecordHeartbeat(ctx, job.Heartbeat{Position: in.Progress.Position, At: time.Now()})
		select {
		case <-ctx.Done():
		case <-activity.GetWorkerStopChannel(ctx):
			return job.StreamResult{End: job.EndStopped, Position: in.Progress.Position}, nil
		case <-time.After(100 * time.Millisecond):
		}
	}
	return job.StreamResult{End: job.EndStopped, Position: in.Progress.Position}, nil
}

// scheduledJob is what a worker does, in short.
func (s *verifyStand) scheduledJob(ctx context.Context, name string) (job.ScheduledJob, error) {
	d, err := s.client.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
	if err != nil || d.GetWorkflowExecutionInfo().GetCloseTime() == nil {
		return job.ScheduledJob{}, err
	}
	return job.ScheduledJob{Gone: true}, s.client.ScheduleClient().GetHandle(ctx, job.VerifyScheduleID(name)).Delete(ctx)
}

func (s *verifyStand) verify(ctx context.Context, in job.VerifyTableInput) (job.VerifiedTable, error) {
	if in.Target.ID == 11 && s.hold.CompareAndSwap(true, false) {
		for ctx.Err() == nil {
			beat(ctx)
		}
		return job.VerifiedTable{}, temporal.NewCanceledError(job.Verifying{Table: in.Target.Name, Done: []job.VerifiedPartition{{ID: 1}}})
	}
	if in.Before != nil {
		s.before.Store(in.Before)
	}
	t := job.VerifiedTable{Table: in.Target.Name, TableID: in.Target.ID, Outcome: job.VerifyEqual, Partitions: 4, Position: 100}
	if in.Target.ID == 11 && !s.repaired.Load() {
		t.Outcome, t.Differences = job.VerifyDifferent, []job.VerifyDifference{{Kind: "content", Partition: "p1", Text: "p1 differs"}}
	}
	return t, nil
}

func (s *verifyStand) awaitRepair(ctx context.Context, in job.RepairAwaited) (job.RepairOutcome, error) {
	for ctx.Err() == nil {
		v, err := s.client.QueryWorkflow(ctx, job.WorkflowID(in.Job), "", job.QueryStatus)
		if err != nil {
			return job.RepairOutcome{}, err
		}
		var status job.Status
		if err := v.Get(&status); err != nil {
			return job.RepairOutcome{}, err
		}
		if o, found := status.Outcome(in.Request); found && (o.Refused != "" || status.Phase == job.PhaseStream) {
			return job.RepairOutcome{Refused: o.Refused}, nil
		}
		beat(ctx)
	}
	return job.RepairOutcome{}, ctx.Err()
}

// beat reports that the activity is alive and waits a little, or until it is cancelled.
func beat(ctx context.Context) {
	activity.RecordHeartbeat(ctx)
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}

// reply is what the tests read of replies.
type reply struct {
	Success  bool                        `json:"success"`
	ErrorMsg string                      `json:"error_msg"`
	Report   json.RawMessage             `json:"report"`
	Result   string                      `json:"result"`
	Verified *job.Verified               `json:"verified"`
	Phase    job.Phase                   `json:"phase"`
	Schedule *struct{ Next []time.Time } `json:"schedule"`
}

func (s *verifyStand) ask(path, body string) (r reply) {
	s.Helper()
	rec := httptest.NewRecorder()
	s.api.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "http://localhost"+path, strings.NewReader(body)))
	require.NoError(s, json.Unmarshal(rec.Body.Bytes(), &r), rec.Body.String())
	return r
}

// await asks until what is wanted is there.
func (s *verifyStand) await(path, body string, wanted func(reply) bool) (r reply) {
	s.Helper()
	require.Eventually(s, func() bool {
		r = s.ask(path, body)
		return wanted(r)
	}, time.Minute, 50*time.Millisecond)
	return r
}

// record keeps a history for the replay test (make record-histories).
func (s *verifyStand) record(id, run, name string) {
	s.Helper()
	if dir := os.Getenv("CCR_RECORD_HISTORIES"); dir != "" {
		require.NoError(s, histories.Record(context.Background(), s.client, id, run, filepath.Join(dir, name+".json.gz")))
	}
}

// TestVerificationOnARealServer: what the workflows' own tests only pretend to have is
// there: signals from one workflow to another, one verification a job, results that
// outlive it, schedules.
func TestVerificationOnARealServer(t *testing.T) {
	s := newVerifyStand(t)
	side := job.Cluster{Host: "127.0.0.1", Port: 9030, ThriftPort: 9020, User: "root", Database: "shop"}
	spec := job.Spec{Name: "j1", UID: "0123456789abcdef", Source: side, Destination: side, CreatedAt: time.Now()}
	_, err := s.client.ExecuteWorkflow(t.Context(), apiserver.StartOptions(spec), job.WorkflowType, job.WorkflowInput{Spec: spec})
	require.NoError(t, err)
	s.await("/job_status", `{"name":"j1"}`, func(r reply) bool { return r.Phase == job.PhaseStream })

	require.True(t, s.ask("/verify", `{"name":"j1"}`).Success)
	found := s.await("/verify_status", `{"name":"j1"}`, func(r reply) bool { return r.Result != "" })
	require.Equal(t, "different", found.Result)
	status := s.await("/job_status", `{"name":"j1"}`, func(r reply) bool { return r.Verified != nil })
	require.Equal(t, "different", status.Verified.Result)
	var first job.VerifyReport
	require.NoError(t, json.Unmarshal(found.Report, &first))

	repair := s.ask("/repair", `{"name":"j1","report":"`+first.ID+`"}`)
	require.True(t, repair.Success, repair.ErrorMsg)
	mended := s.await("/verify_status", `{"name":"j1"}`, func(r reply) bool { return r.Result != "" })
	require.Equal(t, "equal", mended.Result, string(mended.Report))
	var second job.VerifyReport
	require.NoError(t, json.Unmarshal(mended.Report, &second))
	require.Equal(t, []string{"p1"}, second.Repairs[0].Partial.Partitions)
	require.Equal(t, job.RepairSuccess, second.Repairs[0].State)
	require.Equal(t, string(repair.Report), `"`+second.ID+`"`)
	older := s.ask("/verify_status", `{"name":"j1","report":"`+first.ID+`"}`)
	require.Equal(t, "different", older.Result, "a report is kept")
	s.await("/job_status", `{"name":"j1"}`, func(r reply) bool { return r.Verified.Repaired == 1 })

	for _, every := range []string{"24h", "12h"} {
		r := s.ask("/verify", `{"name":"j1","every":"`+every+`","window":"01:30-05:00","jitter":"1m"}`)
		require.True(t, r.Success, r.ErrorMsg)
		for _, next := range r.Schedule.Next {
			require.Equal(t, 1, next.UTC().Hour(), "outside of the window")
		}
		require.NotEmpty(t, r.Schedule.Next)
	}
	// What a schedule starts, starts a verification. Outside of its window that waits.
	far := time.Now().UTC().Add(12 * time.Hour)
	require.True(t, s.ask("/verify", `{"name":"j1","every":"24h","window":"`+far.Format("15:04")+"-"+far.Add(time.Hour).Format("15:04")+`"}`).Success)
	schedule := s.client.ScheduleClient().GetHandle(t.Context(), job.VerifyScheduleID("j1"))
	require.NoError(t, schedule.Trigger(t.Context(), client.ScheduleTriggerOptions{}))
	s.await("/verify_status", `{"name":"j1"}`, func(r reply) bool { return strings.Contains(string(r.Report), `"resumes_at"`) })
	s.hold.Store(true)
	require.True(t, s.ask("/verify_resume", `{"name":"j1"}`).Success)
	s.await("/verify_status", `{"name":"j1"}`, func(r reply) bool { return strings.Contains(string(r.Report), `"doing"`) && !s.hold.Load() })
	require.True(t, s.ask("/verify_pause", `{"name":"j1"}`).Success)
	require.True(t, s.ask("/verify_resume", `{"name":"j1"}`).Success)
	third := s.await("/verify_status", `{"name":"j1"}`, func(r reply) bool { return r.Result != "" && string(r.Report) != string(mended.Report) })
	var last job.VerifyReport
	require.NoError(t, json.Unmarshal(third.Report, &last))
	require.Equal(t, "equal", third.Result)
	require.NotNil(t, s.before.Load(), "the partitions that were equal before the pause are not forgotten")
	require.Len(t, s.before.Load().Done, 1)
	ran, err := schedule.Describe(t.Context())
	require.NoError(t, err)
	starter := ran.Info.RecentActions[0].StartWorkflowResult.WorkflowID

	s.record(job.WorkflowID("j1"), "", "verified_job")
	s.record(job.VerifyWorkflowID("j1"), first.ID, "verify_different")
	s.record(job.VerifyWorkflowID("j1"), second.ID, "verify_repair")
	s.record(job.VerifyWorkflowID("j1"), last.ID, "verify_in_window")
	s.record(starter, "", "verify_start")
	require.True(t, s.ask("/delete", `{"name":"j1"}`).Success)
	_, err = schedule.Describe(t.Context())
	require.Error(t, err, "the schedule goes with the job")

	// A job that was ended in Temporal leaves its schedule there. That ends by itself.
	spec.Name = "j2"
	_, err = s.client.ExecuteWorkflow(t.Context(), apiserver.StartOptions(spec), job.WorkflowType, job.WorkflowInput{Spec: spec})
	require.NoError(t, err)
	require.True(t, s.ask("/verify", `{"name":"j2","every":"24h"}`).Success)
	require.NoError(t, s.client.TerminateWorkflow(t.Context(), job.WorkflowID("j2"), "", "by hand"))
	schedule = s.client.ScheduleClient().GetHandle(t.Context(), job.VerifyScheduleID("j2"))
	require.NoError(t, schedule.Trigger(t.Context(), client.ScheduleTriggerOptions{}))
	require.Eventually(t, func() bool {
		_, err := schedule.Describe(t.Context())
		return err != nil
	}, time.Minute, 50*time.Millisecond, "the schedule is left behind")
}
