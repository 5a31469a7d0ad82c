package apiserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/doris-ccr/ccr/job"
)

func TestStandstill(t *testing.T) {
	now := time.Now()
	at := func(ago time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-ago)) }
	type described = workflowservice.DescribeWorkflowExecutionResponse
	step := func(name string, a *workflowpb.PendingActivityInfo) *described {
		a.ActivityType = &commonpb.ActivityType{Name: name}
		return &described{PendingActivities: []*workflowpb.PendingActivityInfo{a}}
	}
	const scheduled, started = enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, enumspb.PENDING_ACTIVITY_STATE_STARTED
	task := func(state enumspb.PendingWorkflowTaskState, attempt int32, ago time.Duration) *described {
		return &described{PendingWorkflowTask: &workflowpb.PendingWorkflowTaskInfo{State: state, Attempt: attempt, ScheduledTime: at(ago), OriginalScheduledTime: at(ago)}}
	}
	for _, c := range []struct {
		name   string
		d      *described
		text   string // "" = nothing holds it up
		remedy string
	}{
		{"idle", &described{}, "", ""},
		{"a step runs", step(job.ActivityStream, &workflowpb.PendingActivityInfo{State: started, ScheduledTime: at(time.Hour)}), "", ""},
		{"a step is about to begin", step(job.ActivityStream, &workflowpb.PendingActivityInfo{State: scheduled, ScheduledTime: at(time.Second)}), "", ""},
		{"nobody takes a step", step(job.ActivityStream, &workflowpb.PendingActivityInfo{State: scheduled, ScheduledTime: at(time.Minute)}), `StreamUpserts from the task queue "ccr-stream"`, "start a worker"},
		{"nobody takes another step", step(job.ActivityTakeSnapshot, &workflowpb.PendingActivityInfo{State: scheduled, ScheduledTime: at(time.Minute)}), `from the task queue "ccr"`, "start a worker"},
		{"the next try is not due yet", step(job.ActivityStream, &workflowpb.PendingActivityInfo{State: scheduled, ScheduledTime: at(time.Hour), NextAttemptScheduleTime: at(-time.Second)}), "", ""},
		{"a step is paused", step(job.ActivityStream, &workflowpb.PendingActivityInfo{State: scheduled, Paused: true, ActivityId: "17", PauseInfo: &workflowpb.PendingActivityInfo_PauseInfo{PauseTime: at(time.Hour)}}),
			"the job's step StreamUpserts is paused in Temporal", "temporal activity unpause -w ccr-job-j --activity-id 17"},
		{"what runs beside is paused", step(job.ActivityNotify, &workflowpb.PendingActivityInfo{State: scheduled, Paused: true}), "", ""},
		{"a workflow task is under way", task(enumspb.PENDING_WORKFLOW_TASK_STATE_STARTED, 1, time.Minute), "", ""},
		{"a workflow task failed once", task(enumspb.PENDING_WORKFLOW_TASK_STATE_STARTED, 2, time.Minute), "", ""},
		{"workflow tasks fail", task(enumspb.PENDING_WORKFLOW_TASK_STATE_STARTED, 7, time.Minute), "fails again and again, 6 times so far", "temporal workflow show -w ccr-job-j"},
		{"nobody takes a workflow task", task(enumspb.PENDING_WORKFLOW_TASK_STATE_SCHEDULED, 1, time.Minute), "no worker takes the job's workflow task", "start a worker"},
		{"the workflow is paused", &described{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED}}, "workflow is paused in Temporal", "temporal workflow unpause -w ccr-job-j"},
	} {
		p := standstill("j", c.d, now)
		if c.text == "" {
			require.Nil(t, p, c.name)
			continue
		}
		require.NotNil(t, p, c.name)
		require.Contains(t, p.Text, c.text, c.name)
		require.Contains(t, p.Remedy, c.remedy, c.name)
	}
}

func TestStatusTellsOfAStandstill(t *testing.T) {
	f := newFake()
	f.add("paused", func(j *fakeJob) {
		j.activity = job.ActivityStream
		j.held = func(d *workflowservice.DescribeWorkflowExecutionResponse) { d.PendingActivities[0].Paused = true }
	})
	f.add("broken", func(j *fakeJob) {
		failing := serviceerror.NewWorkflowNotReady("Unable to query workflow due to Workflow Task in failed state.")
		j.queriesFail = []error{failing, failing, failing}
		j.held = func(d *workflowservice.DescribeWorkflowExecutionResponse) {
			d.PendingWorkflowTask = &workflowpb.PendingWorkflowTaskInfo{Attempt: 9}
		}
	})
	s := newServer(t, f, nil)
	reply := ask(s, "/job_status", `{"name":"paused"}`).Body.String()
	require.Contains(t, reply, `"stalled":true`)
	require.Contains(t, reply, "is paused in Temporal")
	reply = ask(s, "/job_status", `{"name":"broken"}`).Body.String()
	require.Contains(t, reply, `"stalled":true`)
	require.Contains(t, reply, "fails again and again, 8 times so far: no worker can go on with its history: nondeterministic workflow")
}
