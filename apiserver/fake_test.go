package apiserver

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/secret"
)

// fakeTemporal is the part of a Temporal server that the API server uses, with
// job workflows that are told what to answer. Calls it does not know panic.
type fakeTemporal struct {
	client.Client

	mu       sync.Mutex
	jobs     map[string]*fakeJob // by workflow id
	noWorker bool
	lists    int // list calls so far
	pageSize int
	down     error // every call fails with it
	// listed replaces what ListWorkflow finds: visibility lags behind.
	listed []string
	// workers are worker processes, by the id of their workflow; each answers as it
	// is set here, or not at all.
	workers map[string]func(job.LagsWanted) (job.LagsKnown, error)
	// memories are what worker processes have in memory; without one a process does not
	// know the query.
	memories map[string]func(job.JobsWanted) job.JobsKnown
	// samples are what worker processes know of the last hour.
	samples map[string]job.SamplesKnown
	queries int // to workers
	// raced: somebody else starts the workflow first.
	raced bool

	// onStart decides what becomes of a job that is started.
	onStart func(*fakeJob)
	started []startCall

	// looks at clusters that were asked for; onLook answers them.
	looks  []job.ClustersWanted
	onLook func(job.ClustersWanted) (job.ClustersSeen, error)

	// aheads are the looks at binlogs that were asked for, ahead what they see.
	aheads []job.BinlogsWanted
	ahead  job.BinlogsAhead

	// onCheck answers the checks of changes; nil: nothing speaks against any. changes are
	// what was to be checked.
	onCheck func(job.ChangeCheck) (job.ChangeChecked, error)
	changes []job.ChangeCheck

	// old are the types of workflows that the workers do not know; terminated those that were ended.
	old        []string
	terminated []string
	// why is what the workflow task failed with that is asked for.
	why string

	// verifications that were started, and what the schedules are.
	verifications []job.VerifyInput
	schedules     map[string]client.ScheduleOptions
}

type startCall struct {
	options client.StartWorkflowOptions
	input   job.WorkflowInput
}

// fakeJob is one workflow.
type fakeJob struct {
	spec     job.Spec
	status   job.Status
	progress job.Progress
	closed   bool
	result   error // why it closed

	describes int // describe calls so far
	// report is set for a verification.
	report *job.VerifyReport

	activity string
	beat     *job.Heartbeat
	attempt  int32        // of the activity
	failed   *job.Problem // of the attempt before it

	// held changes what the server tells of the job.
	held func(*workflowservice.DescribeWorkflowExecutionResponse)
	// listed changes what the list of workflows has of the job.
	listed func(*workflowpb.WorkflowExecutionInfo)
	// unpacked: the job's worker is of a release that knows no packed state.
	unpacked bool
	// queriesFail makes the next queries fail with these errors.
	queriesFail []error
	// silent is how many of the next queries get no answer.
	silent int
	// onSignal carries out a signal; nil records the outcome as done.
	onSignal func(j *fakeJob, name string, cmd job.Command)
	signals  []fakeSignal
}

type fakeSignal struct {
	name string
	cmd  job.Command
}

// awaitSignal waits for the first signal to a job.
func (f *fakeTemporal) awaitSignal(t *testing.T, j *fakeJob) {
	t.Helper()
	require.Eventually(t, func() (arrived bool) {
		f.with(func() { arrived = len(j.signals) == 1 })
		return arrived
	}, 5*time.Second, time.Millisecond)
}

func (j *fakeJob) conclude(cmd job.Command, refused string) {
	j.status.Outcomes = append(j.status.Outcomes, job.Outcome{RequestID: cmd.RequestID, Refused: refused})
}

func newFake() *fakeTemporal { return &fakeTemporal{jobs: map[string]*fakeJob{}} }

// add makes a running job.
func (f *fakeTemporal) add(name string, change func(*fakeJob)) *fakeJob {
	j := &fakeJob{
		spec:   job.Spec{Name: name},
		status: job.Status{Name: name, Running: true, Checked: true, ProgressState: job.DBIncrementalSync, Phase: job.PhaseStream},
	}
	if change != nil {
		change(j)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jobs[job.WorkflowID(name)] = j
	return j
}

// with reads or changes a job while requests may be running.
func (f *fakeTemporal) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeTemporal) find(id string) (*fakeJob, error) {
	if f.down != nil {
		return nil, f.down
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, errors.New("header key \"temporal-resource-id\" contains value with non-printable ASCII characters") // as gRPC does
	}
	j, ok := f.jobs[id]
	if !ok {
		return nil, serviceerror.NewNotFound("workflow not found for ID: " + id)
	}
	return j, nil
}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kind, ok := workflow.(string); ok && slices.Contains(f.old, kind) {
		f.why = "unable to find workflow type: " + kind + ". Supported types: [ReplicationJob]"
		f.jobs[o.ID] = &fakeJob{held: func(d *workflowservice.DescribeWorkflowExecutionResponse) {
			d.PendingWorkflowTask = &workflowpb.PendingWorkflowTaskInfo{Attempt: failingAttempts}
		}}
		return &fakeStuck{id: o.ID}, nil
	}
	if wanted, ok := args[0].(job.BinlogsWanted); ok && workflow == job.WorkflowTypeBinlogs {
		f.aheads = append(f.aheads, wanted)
		return &fakeAhead{seen: f.ahead}, nil
	}
	if workflow == job.WorkflowTypeClusters {
		wanted := args[0].(job.ClustersWanted)
		f.looks = append(f.looks, wanted)
		seen, err := f.onLook(wanted)
		return &fakeLook{seen: seen, err: err}, nil
	}
	if check, ok := args[0].(job.ChangeCheck); ok && workflow == job.WorkflowTypeCheckChange {
		f.changes = append(f.changes, check)
		run := &fakeCheck{}
		if f.onCheck != nil {
			run.checked, run.err = f.onCheck(check)
		}
		return run, nil
	}
	if workflow != job.WorkflowType && workflow != job.WorkflowTypeVerify {
		return nil, errors.New("unexpected workflow type")
	}
	if j, ok := f.jobs[o.ID]; f.raced || ok && !j.closed {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already", "", "")
	}
	if in, ok := args[0].(job.VerifyInput); ok {
		f.verifications = append(f.verifications, in)
		j := &fakeJob{report: &job.VerifyReport{ID: "run1", Job: in.Job, Request: in.Request, State: job.VerifyRunning}}
		f.jobs[o.ID] = j
		return &fakeRun{f: f, job: j}, nil
	}
	in := args[0].(job.WorkflowInput)
	f.started = append(f.started, startCall{o, in})
	j := &fakeJob{spec: in.Spec, status: job.Status{Name: in.Spec.Name, Running: true, Phase: job.PhaseCheck}}
	if f.onStart != nil {
		f.onStart(j)
	} else {
		j.status.Checked = true
	}
	f.jobs[o.ID] = j
	return &fakeRun{f: f, job: j}, nil
}

// fakeStuck is a run that no worker can go on with.
type fakeStuck struct {
	client.WorkflowRun
	id string
}

func (r *fakeStuck) GetID() string { return r.id }

func (r *fakeStuck) GetRunID() string { return "run1" }

func (r *fakeStuck) Get(ctx context.Context, _ any) error {
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeTemporal) TerminateWorkflow(_ context.Context, id, _, _ string, _ ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.terminated = append(f.terminated, id)
	return nil
}

// fakeLook is the run of a look at clusters.
type fakeLook struct {
	client.WorkflowRun
	seen job.ClustersSeen
	err  error
}

func (l *fakeLook) Get(_ context.Context, into any) error {
	*into.(*job.ClustersSeen) = l.seen
	return l.err
}

// fakeAhead is the run of a look at binlogs.
type fakeAhead struct {
	client.WorkflowRun
	seen job.BinlogsAhead
}

func (r *fakeAhead) Get(_ context.Context, into any) error {
	*into.(*job.BinlogsAhead) = r.seen
	return nil
}

// fakeCheck is the run of a check of a change.
type fakeCheck struct {
	client.WorkflowRun
	checked job.ChangeChecked
	err     error
}

func (r *fakeCheck) Get(_ context.Context, into any) error {
	*into.(*job.ChangeChecked) = r.checked
	return r.err
}

type fakeRun struct {
	client.WorkflowRun
	f   *fakeTemporal
	job *fakeJob
}

func (r *fakeRun) GetRunID() string { return "run1" }

func (r *fakeRun) Get(_ context.Context, into any) error {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if report, ok := into.(*job.VerifyReport); ok {
		*report = *r.job.report
	}
	return r.job.result
}

func (f *fakeTemporal) QueryWorkflowWithOptions(ctx context.Context, q *client.QueryWorkflowWithOptionsRequest) (*client.QueryWorkflowWithOptionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if answer := f.workers[q.WorkflowID]; answer != nil {
		f.queries++
		var known any
		var err error
		switch wanted := q.Args[0].(type) {
		case job.LagsWanted:
			known, err = answer(wanted)
		case job.SamplesWanted:
			known = f.samples[q.WorkflowID]
		case job.JobsWanted:
			memory := f.memories[q.WorkflowID]
			if memory == nil {
				return nil, serviceerror.NewQueryFailed("unknown queryType jobs")
			}
			known = memory(wanted)
		}
		if err != nil {
			return nil, err
		}
		payloads, err := converter.GetDefaultDataConverter().ToPayloads(known)
		return &client.QueryWorkflowWithOptionsResponse{QueryResult: client.NewValue(payloads)}, err
	}
	j, err := f.find(q.WorkflowID)
	if err != nil {
		return nil, err
	}
	if j.closed && j.report == nil {
		if q.QueryRejectCondition != enumspb.QUERY_REJECT_CONDITION_NOT_OPEN {
			return nil, errors.New("closed workflows must not answer")
		}
		return &client.QueryWorkflowWithOptionsResponse{
			QueryRejected: &querypb.QueryRejected{Status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED},
		}, nil
	}
	if len(j.queriesFail) > 0 {
		err := j.queriesFail[0]
		j.queriesFail = j.queriesFail[1:]
		return nil, err
	}
	if f.noWorker || j.silent > 0 {
		j.silent--
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return nil, serviceerror.NewDeadlineExceeded("query timed out")
	}
	var answer any
	switch q.QueryType {
	case job.QueryStatus:
		answer = j.status
	case job.QueryDetail:
		answer = j.spec
	case job.QueryOrders:
		answer = job.Orders{Paused: j.progress.Paused, Skip: j.progress.Skip, Position: j.progress.Position}
	case job.QueryProgress:
		answer = j.progress
	case job.QueryState:
		if j.unpacked {
			return nil, serviceerror.NewQueryFailed("unknown queryType job_state. KnownQueryTypes=[job_progress]")
		}
		answer = job.Pack(j.progress)
	case job.QueryLagInput:
		answer = job.StepInput{Spec: job.Spec{Name: j.spec.Name, Source: j.spec.Source}, Progress: job.Progress{Position: j.status.Position}}
	case job.QueryChangeInput:
		answer = job.ChangeCheck{Spec: j.spec}
	case job.QueryVerifyReport:
		answer = j.report
	case job.QueryEvents:
		answer = j.progress.Events
	default:
		return nil, errors.New("unexpected query " + q.QueryType)
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(answer)
	if err != nil {
		return nil, err
	}
	return &client.QueryWorkflowWithOptionsResponse{QueryResult: client.NewValue(payloads)}, nil
}

func (f *fakeTemporal) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	j, err := f.find(id)
	if err != nil {
		return nil, err
	}
	j.describes++
	status := enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	if j.closed {
		status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}
	d := &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: status},
	}
	if j.activity != "" {
		a := &workflowpb.PendingActivityInfo{ActivityType: &commonpb.ActivityType{Name: j.activity}}
		if j.failed != nil {
			details, err := converter.GetDefaultDataConverter().ToPayloads(*j.failed)
			if err != nil {
				return nil, err
			}
			a.Attempt = j.attempt
			a.LastFailure = &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
				ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Details: details},
			}}
		}
		if j.beat != nil {
			if a.HeartbeatDetails, err = converter.GetDefaultDataConverter().ToPayloads(*j.beat); err != nil {
				return nil, err
			}
		}
		d.PendingActivities = append(d.PendingActivities, a)
	}
	if j.held != nil {
		j.held(d)
	}
	return d, nil
}

// WorkflowService has the calls that the client does not wrap.
func (f *fakeTemporal) WorkflowService() workflowservice.WorkflowServiceClient {
	return fakeService{f: f}
}

type fakeService struct {
	workflowservice.WorkflowServiceClient
	f *fakeTemporal
}

func (s fakeService) GetWorkflowExecutionHistoryReverse(context.Context, *workflowservice.GetWorkflowExecutionHistoryReverseRequest, ...grpc.CallOption) (*workflowservice.GetWorkflowExecutionHistoryReverseResponse, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	return &workflowservice.GetWorkflowExecutionHistoryReverseResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{
		{},
		{Attributes: &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
			Failure: &failurepb.Failure{Message: cmp.Or(s.f.why, "nondeterministic workflow")},
		}}},
	}}}, nil
}

func (f *fakeTemporal) SignalWorkflow(_ context.Context, id, _, name string, arg any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	j, err := f.find(id)
	if err != nil {
		return err
	}
	if j.closed {
		return serviceerror.NewNotFound("workflow execution already completed")
	}
	cmd := arg.(job.Command)
	j.signals = append(j.signals, fakeSignal{name, cmd})
	if j.onSignal != nil {
		j.onSignal(j, name, cmd)
	} else if !f.noWorker {
		j.conclude(cmd, "")
	}
	return nil
}

func (f *fakeTemporal) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.Contains(r.Query, job.WorkflowTypeWorker) {
		f.lists++
	}
	if f.down != nil {
		return nil, f.down
	}
	var ids []string
	for id, j := range f.jobs {
		if !j.closed {
			ids = append(ids, id)
		}
	}
	if strings.Contains(r.Query, job.WorkflowTypeWorker) {
		ids = slices.Collect(maps.Keys(f.workers))
	} else if f.listed != nil {
		ids = slices.Clone(f.listed)
	}
	slices.Sort(ids)
	resp := &workflowservice.ListWorkflowExecutionsResponse{}
	after := string(r.NextPageToken)
	for _, id := range ids {
		if id <= after {
			continue
		}
		if f.pageSize > 0 && len(resp.Executions) == f.pageSize {
			resp.NextPageToken = []byte(resp.Executions[f.pageSize-1].Execution.WorkflowId)
			break
		}
		w := &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: id}}
		if j := f.jobs[id]; j != nil && j.listed != nil {
			j.listed(w)
		}
		resp.Executions = append(resp.Executions, w)
	}
	return resp, nil
}

func (f *fakeTemporal) DescribeTaskQueue(context.Context, string, enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, f.down
	}
	if f.noWorker {
		return &workflowservice.DescribeTaskQueueResponse{}, nil
	}
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{{Identity: "w"}}}, nil
}

func (f *fakeTemporal) CheckHealth(context.Context, *client.CheckHealthRequest) (*client.CheckHealthResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &client.CheckHealthResponse{}, f.down
}

// newServer makes a server over f with short timeouts.
func newServer(t *testing.T, f *fakeTemporal, change func(*Options)) *Server {
	t.Helper()
	keys, err := secret.NewKeyring(make([]byte, secret.KeySize))
	require.NoError(t, err)
	o := Options{
		Client: f, Keyring: keys, Version: "v1:abc", Namespace: "default",
		Hosts:          access.NewHosts("example.com", "ccr.example.com"), // which the tests' requests name
		Logger:         slog.New(slog.NewTextHandler(io.Discard, nil)),
		CommandTimeout: 2 * time.Second, CreateTimeout: 2 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	require.NoError(t, err)
	s.answers.keep = 0 // tests change what jobs answer and ask again
	return s
}

// ask posts body to path as the interface's clients do.
func ask(s *Server, path, body string) *httptest.ResponseRecorder {
	return askBy(s, http.MethodPost, path, body)
}

func askBy(s *Server, method, path, body string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
	return rec
}

// GetWorkflow is for reports of verifications.
func (f *fakeTemporal) GetWorkflow(_ context.Context, id, _ string) client.WorkflowRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &fakeRun{f: f, job: f.jobs[id]}
}

// ScheduleClient has the schedules of verifications.
func (f *fakeTemporal) ScheduleClient() client.ScheduleClient { return &fakeSchedules{f: f} }

type fakeSchedules struct {
	client.ScheduleClient
	f *fakeTemporal
}

func (s *fakeSchedules) Create(_ context.Context, o client.ScheduleOptions) (client.ScheduleHandle, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if _, ok := s.f.schedules[o.ID]; ok {
		return nil, temporal.ErrScheduleAlreadyRunning
	}
	if s.f.schedules == nil {
		s.f.schedules = map[string]client.ScheduleOptions{}
	}
	s.f.schedules[o.ID] = o
	return nil, nil
}

func (s *fakeSchedules) GetHandle(_ context.Context, id string) client.ScheduleHandle {
	return &fakeSchedule{f: s.f, id: id}
}

type fakeSchedule struct {
	client.ScheduleHandle
	f  *fakeTemporal
	id string
}

func (s *fakeSchedule) Delete(context.Context) error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if _, ok := s.f.schedules[s.id]; !ok {
		return serviceerror.NewNotFound("schedule not found")
	}
	delete(s.f.schedules, s.id)
	return nil
}

func (s *fakeSchedule) Describe(context.Context) (*client.ScheduleDescription, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	o, ok := s.f.schedules[s.id]
	if !ok {
		return nil, serviceerror.NewNotFound("schedule not found")
	}
	action := *o.Action.(*client.ScheduleWorkflowAction)
	payload, err := converter.GetDefaultDataConverter().ToPayload(action.Args[0])
	if err != nil {
		return nil, err
	}
	action.Args = []any{payload} // as the SDK gives it
	return &client.ScheduleDescription{
		Schedule: client.Schedule{Action: &action, Spec: &o.Spec, State: &client.ScheduleState{}},
		Info:     client.ScheduleInfo{NextActionTimes: []time.Time{time.Unix(1_800_000_000, 0).UTC()}},
	}, nil
}

func (s *fakeSchedule) Update(ctx context.Context, o client.ScheduleUpdateOptions) error {
	d, err := s.Describe(ctx)
	if err != nil {
		return err
	}
	changed, err := o.DoUpdate(client.ScheduleUpdateInput{Description: *d})
	if err != nil {
		return err
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	old := s.f.schedules[s.id]
	old.Spec, old.Action = *changed.Schedule.Spec, changed.Schedule.Action
	s.f.schedules[s.id] = old
	return nil
}
