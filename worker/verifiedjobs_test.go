package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// oneJob is a Temporal server with the job j1. Each look takes the next of what it
// has; the last stays.
type oneJob struct {
	client.Client
	input    job.StepInput
	statuses []job.Status
	beats    []job.Heartbeat
	closed   bool
	// earlier: the job's worker knows no query for all tables.
	earlier bool
	queries []string
}

func (o *oneJob) QueryWorkflowWithOptions(_ context.Context, q *client.QueryWorkflowWithOptionsRequest) (*client.QueryWorkflowWithOptionsResponse, error) {
	if q.WorkflowID != job.WorkflowID("j1") {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	if o.closed {
		return &client.QueryWorkflowWithOptionsResponse{QueryRejected: &querypb.QueryRejected{}}, nil
	}
	o.queries = append(o.queries, q.QueryType)
	var answer any = o.input
	switch {
	case q.QueryType == job.QueryTables && o.earlier:
		return nil, serviceerror.NewQueryFailed("unknown queryType tables. KnownQueryTypes=[verify_input]")
	case q.QueryType == job.QueryTables:
		packed := job.Pack(job.Mapping{Tables: o.input.Progress.Tables})
		answer = job.TablesKnown{Tables: &packed}
	case q.QueryType == job.QueryVerifyInput && !q.Args[0].(job.VerifyWanted).Names:
		without := o.input
		without.Progress.Tables = nil
		answer = without
	}
	if q.QueryType == job.QueryStatus {
		answer = o.statuses[0]
		o.statuses = o.statuses[min(1, len(o.statuses)-1):]
	}
	payloads, err := DataConverter().ToPayloads(answer)
	return &client.QueryWorkflowWithOptionsResponse{QueryResult: client.NewValue(payloads)}, err
}

func (o *oneJob) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	d := &workflowservice.DescribeWorkflowExecutionResponse{}
	if len(o.beats) > 0 {
		details, err := DataConverter().ToPayloads(o.beats[0])
		if err != nil {
			return nil, err
		}
		o.beats = o.beats[min(1, len(o.beats)-1):]
		d.PendingActivities = append(d.PendingActivities, &workflowpb.PendingActivityInfo{
			ActivityType: &commonpb.ActivityType{Name: job.ActivityStream}, HeartbeatDetails: details,
		})
	}
	return d, nil
}

func beatAt(position, settled int64) job.Heartbeat {
	return job.Heartbeat{Position: job.Position{CommitSeq: position}, Settling: job.Settling{Settled: settled}}
}

func lagTo(last int64) func(context.Context, job.StepInput) (binlog.Lag, error) {
	return func(context.Context, job.StepInput) (binlog.Lag, error) { return binlog.Lag{LastCommitSeq: last}, nil }
}

// All tables of a job come packed, of an earlier release's worker as they used to.
func TestAllTablesOfAJob(t *testing.T) {
	want := job.StepInput{Spec: job.Spec{Name: "j1"}, Progress: job.Progress{Position: job.Position{CommitSeq: 5}, Tables: map[int64]job.Table{11: {Name: "orders"}}}}
	for earlier, queries := range map[bool][]string{
		false: {job.QueryVerifyInput, job.QueryTables},
		true:  {job.QueryVerifyInput, job.QueryTables, job.QueryVerifyInput},
	} {
		o := &oneJob{input: want, earlier: earlier}
		got, err := (&verifiedJobs{client: o}).VerifyInput(t.Context(), "j1", job.VerifyWanted{Names: true})
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, queries, o.queries)
	}
}

func TestCaughtUp(t *testing.T) {
	at := func(commitSeq int64) job.StepInput {
		return job.StepInput{Progress: job.Progress{Position: job.Position{CommitSeq: commitSeq}}}
	}
	for name, tt := range map[string]struct {
		input    job.StepInput
		beats    []job.Heartbeat
		last     int64
		position int64
	}{
		"the workflow knows it":                {at(100), nil, 100, 100},
		"the shift has got there":              {at(50), []job.Heartbeat{beatAt(90, 0), beatAt(120, 0)}, 110, 120},
		"what is not settled does not count":   {at(50), []job.Heartbeat{beatAt(120, 90), beatAt(120, 115)}, 110, 115},
		"an older heartbeat takes no position": {at(100), []job.Heartbeat{beatAt(90, 0)}, 100, 100},
	} {
		t.Run(name, func(t *testing.T) {
			v := &verifiedJobs{client: &oneJob{input: tt.input, beats: tt.beats}, lag: lagTo(tt.last)}
			position, caughtUp, err := v.CaughtUp(t.Context(), "j1")
			require.NoError(t, err)
			require.True(t, caughtUp)
			require.Equal(t, tt.position, position)
		})
	}
}

func TestNotCaughtUpIsNoError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := &oneJob{input: job.StepInput{Progress: job.Progress{Position: job.Position{CommitSeq: 5}}}}
	v := &verifiedJobs{client: o, lag: lagTo(10)}
	time.AfterFunc(10*time.Millisecond, cancel)
	_, caughtUp, err := v.CaughtUp(ctx, "j1")
	require.ErrorIs(t, err, context.Canceled, "it waits for the next heartbeats")
	require.False(t, caughtUp)
	v.lag = func(context.Context, job.StepInput) (binlog.Lag, error) {
		return binlog.Lag{}, errors.New("no frontend")
	}
	_, _, err = v.CaughtUp(t.Context(), "j1")
	require.ErrorContains(t, err, "ask the source of job j1 how far it is: no frontend")
}

func TestAVerificationOfADeletedJobEnds(t *testing.T) {
	for name, v := range map[string]*verifiedJobs{"unknown": {client: &oneJob{}}, "j1": {client: &oneJob{closed: true}}} {
		_, err := v.VerifyInput(t.Context(), name, job.VerifyWanted{})
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		require.True(t, app.NonRetryable())
		require.Equal(t, job.ErrorTypeNoJob, app.Type())
		require.Contains(t, app.Message(), "job "+name+" not exist")
	}
}

// schedules are those of a server; deleted has what was deleted.
type schedules struct {
	client.ScheduleClient
	client.ScheduleHandle
	deleted []string
	err     error
}

func (s *schedules) GetHandle(_ context.Context, id string) client.ScheduleHandle {
	s.deleted = append(s.deleted, id)
	return s
}

func (s *schedules) Delete(context.Context) error { return s.err }

// described is a server with one workflow, and schedules.
type described struct {
	client.Client
	status    enumspb.WorkflowExecutionStatus
	err       error
	schedules schedules
}

func (d *described) DescribeWorkflowExecution(_ context.Context, id, run string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if id != job.WorkflowID("j1") || run != "" {
		return nil, errors.New("who asked for that?")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: d.status}}, d.err
}

func (d *described) ScheduleClient() client.ScheduleClient { return &d.schedules }

func TestTheScheduleOfAJobThatIsGone(t *testing.T) {
	for _, d := range []*described{
		{err: serviceerror.NewNotFound("forgotten")},
		{status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED},
		{status: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED},
		{status: enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, schedules: schedules{err: serviceerror.NewNotFound("somebody was faster")}},
	} {
		got, err := (&verifiedJobs{client: d}).ScheduledJob(t.Context(), "j1")
		require.NoError(t, err)
		require.True(t, got.Gone)
		require.Equal(t, []string{job.VerifyScheduleID("j1")}, d.schedules.deleted)
	}
	for _, d := range []*described{{status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}, {err: serviceerror.NewUnavailable("later")}} {
		got, err := (&verifiedJobs{client: d}).ScheduledJob(t.Context(), "j1")
		require.Equal(t, d.err != nil, err != nil)
		require.False(t, got.Gone)
		require.Empty(t, d.schedules.deleted)
	}
	_, err := (&verifiedJobs{client: &described{status: enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, schedules: schedules{err: serviceerror.NewUnavailable("later")}}}).ScheduledJob(t.Context(), "j1")
	require.Error(t, err)
}

func TestAwaitRepair(t *testing.T) {
	status := func(phase job.Phase, outcomes ...job.Outcome) job.Status {
		return job.Status{Phase: phase, Outcomes: outcomes}
	}
	done := job.Outcome{RequestID: "r1"}
	for name, tt := range map[string]struct {
		statuses []job.Status
		want     job.RepairOutcome
	}{
		"done":          {[]job.Status{status(job.PhaseStream), status(job.PhaseTakeSnapshot, done), status(job.PhaseRestore, done), status(job.PhaseStream, done)}, job.RepairOutcome{}},
		"refused":       {[]job.Status{status(job.PhaseStream, job.Outcome{RequestID: "r1", Refused: "no such table"})}, job.RepairOutcome{Refused: "no such table"}},
		"for the while": {[]job.Status{status(job.PhaseRestore, job.Outcome{RequestID: "r1", Refused: job.RepairBusy + ": a full sync"})}, job.RepairOutcome{Refused: job.RepairBusy + ": a full sync", Later: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &oneJob{statuses: tt.statuses}
			v := &verifiedJobs{client: o}
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.RegisterActivity(v.AwaitRepair)
			result, err := env.ExecuteActivity(v.AwaitRepair, job.RepairAwaited{Job: "j1", Request: "r1"})
			require.NoError(t, err)
			var got job.RepairOutcome
			require.NoError(t, result.Get(&got))
			require.Equal(t, tt.want, got)
			require.Len(t, o.statuses, 1, "it looks until the job has done it")
		})
	}
}
