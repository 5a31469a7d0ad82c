package apiserver

import (
	"context"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/doris-ccr/ccr/job"
)

// A workflow does not know what holds its job up on Temporal's side, because it is
// not asked to do anything then. The server knows.

const (
	// unclaimedAfter is how long a task may wait for a worker. Workers that live
	// take one within milliseconds; one that has died gives its tasks back after
	// ten seconds.
	unclaimedAfter = 30 * time.Second
	// failingAttempts is from which attempt on a workflow task is said to fail
	// again and again. From this one on the server does not pass on queries.
	failingAttempts = 3
)

// standstill returns what holds a job up on Temporal's side, nil if nothing does.
func standstill(name string, d *workflowservice.DescribeWorkflowExecutionResponse, now time.Time) *job.Problem {
	if d.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED {
		return standstillProblem(d.GetWorkflowExtendedInfo().GetPauseInfo().GetPausedTime(), now,
			fmt.Sprintf("unpause it with the tool that has paused it (temporal workflow unpause -w %s, if your temporal has that command)", job.WorkflowID(name)),
			"the job's workflow is paused in Temporal")
	}
	if p := taskStandstill(name, d.GetPendingWorkflowTask(), now); p != nil {
		return p
	}
	for _, a := range d.GetPendingActivities() {
		if besideStep(a.GetActivityType().GetName()) {
			continue
		}
		if p := stepStandstill(name, a, now); p != nil {
			return p
		}
	}
	return nil
}

// besideStep tells activities that a job runs beside its step.
func besideStep(activity string) bool {
	return activity == job.ActivityObserveLag || activity == job.ActivityNotify
}

func taskStandstill(name string, t *workflowpb.PendingWorkflowTaskInfo, now time.Time) *job.Problem {
	switch {
	case t == nil:
		return nil
	case t.GetAttempt() >= failingAttempts:
		return standstillProblem(t.GetOriginalScheduledTime(), now,
			fmt.Sprintf("look at the last WorkflowTaskFailed event (temporal workflow show -w %s) and at the log of the workers: run workers of the version that the job ran on before, or a newer one", job.WorkflowID(name)),
			"the job's workflow task fails again and again, %d times so far: no worker can go on with its history", t.GetAttempt()-1)
	case t.GetState() == enumspb.PENDING_WORKFLOW_TASK_STATE_SCHEDULED && waited(t.GetScheduledTime(), now) > unclaimedAfter:
		return standstillProblem(t.GetScheduledTime(), now, remedyNoTaker(job.TaskQueue),
			"no worker takes the job's workflow task from the task queue %q", job.TaskQueue)
	}
	return nil
}

func stepStandstill(name string, a *workflowpb.PendingActivityInfo, now time.Time) *job.Problem {
	step := job.StepName(a.GetActivityType().GetName())
	queue := job.TaskQueue
	if step == job.ActivityStream {
		queue = job.StreamTaskQueue
	}
	due := a.GetScheduledTime()
	if next := a.GetNextAttemptScheduleTime(); next != nil {
		due = next
	}
	switch {
	case a.GetPaused():
		return standstillProblem(a.GetPauseInfo().GetPauseTime(), now,
			fmt.Sprintf("unpause it there, or: temporal activity unpause -w %s --activity-id %s", job.WorkflowID(name), a.GetActivityId()),
			"the job's step %s is paused in Temporal", step)
	case a.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED && waited(due, now) > unclaimedAfter:
		return standstillProblem(due, now, remedyNoTaker(queue), "no worker takes the job's step %s from the task queue %q", step, queue)
	}
	return nil
}

func remedyNoTaker(queue string) string {
	return fmt.Sprintf("start a worker (ccr worker, ccr server), or more of them: those that poll %q are too few or hang", queue)
}

func waited(since *timestamppb.Timestamp, now time.Time) time.Duration {
	if since == nil {
		return 0
	}
	return now.Sub(since.AsTime())
}

func standstillProblem(since *timestamppb.Timestamp, now time.Time, remedy, format string, args ...any) *job.Problem {
	p := &job.Problem{Text: fmt.Sprintf(format, args...), Kind: job.KindNormal, Since: now, Tries: 1, Remedy: remedy}
	if since != nil {
		p.Since = since.AsTime()
	}
	return p
}

// withoutAnswer is the status of a job whose workflow does not answer because it is
// paused, or its task fails again and again: what the server itself knows.
func (j *jobs) withoutAnswer(ctx context.Context, name string) (job.Status, bool) {
	d, err := j.client.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
	if err != nil || !isOpen(d) {
		return job.Status{}, false
	}
	paused := d.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
	if !paused && d.GetPendingWorkflowTask().GetAttempt() < failingAttempts {
		return job.Status{}, false
	}
	s := job.Status{Name: name, Running: true, Checked: true, Stalled: true, Problem: standstill(name, d, time.Now())}
	if why := j.taskFailure(ctx, job.WorkflowID(name)); why != "" && !paused {
		s.Problem.Text += ": " + why
	}
	s.ProgressState = j.lastState(d)
	s.NextStep = s.Advice()
	return s, true
}

// lastState reads the sync state from the search attributes.
func (j *jobs) lastState(d *workflowservice.DescribeWorkflowExecutionResponse) job.SyncState {
	payload := d.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()[job.SearchAttributeSyncState]
	var text string
	if payload == nil || j.converter.FromPayload(payload, &text) != nil {
		return job.DBFullSync
	}
	return job.SyncStateNamed(text)
}

// failureEvents is how many events taskFailure reads, the newest first.
const failureEvents = 20

// taskFailure is why a workflow task of a workflow failed, "" if that cannot be found
// out. Only the first of several failures in a row is an event.
func (j *jobs) taskFailure(ctx context.Context, id string) string {
	page, err := j.client.WorkflowService().GetWorkflowExecutionHistoryReverse(ctx, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{
		Namespace: j.namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: id}, MaximumPageSize: failureEvents,
	})
	if err != nil {
		return ""
	}
	for _, event := range page.GetHistory().GetEvents() {
		if failed := event.GetWorkflowTaskFailedEventAttributes(); failed != nil {
			return failed.GetFailure().GetMessage()
		}
	}
	return ""
}
