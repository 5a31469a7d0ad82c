package workflows

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// scheduleTimeout bounds a look whether a job exists, and the deletion of its schedule.
const scheduleTimeout = time.Minute

// StartVerification starts a verification that a schedule asks for, unless one is
// under way already, or the job does not exist any more. It ends when that has begun.
func StartVerification(ctx workflow.Context, in job.VerifyInput) (string, error) {
	if reached(ctx, changeVerifySchedule) {
		o := Workflow{}.activityOptions("look whether job "+in.Job+" exists", scheduleTimeout)
		o.HeartbeatTimeout, o.RetryPolicy = 0, &verifyRetries
		var found job.ScheduledJob
		if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), job.ActivityScheduledJob, in.Job).Get(ctx, &found); err != nil {
			return "", err
		}
		if found.Gone {
			return "job " + in.Job + " does not exist any more: its schedule is deleted", nil
		}
	}
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:        job.VerifyWorkflowID(in.Job),
		TaskQueue:         job.TaskQueue,
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:     job.VerifySummary(in),
	})
	var started workflow.Execution
	err := workflow.ExecuteChildWorkflow(ctx, job.WorkflowTypeVerify, in).GetChildWorkflowExecution().Get(ctx, &started)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return "another verification of the job is under way", nil
	}
	return started.RunID, err
}

// keepToWindow has a verification that a schedule has started pause outside of its
// window. A run that goes on for another one (continue-as-new) keeps what was decided.
func (v *verification) keepToWindow() {
	s := v.in.Schedule
	if s == nil || s.Window == "" || !reached(v.ctx, changeVerifySchedule) {
		return
	}
	v.windowed = true
	switch {
	case !v.in.Until.IsZero():
		v.pauseAt(v.in.Until)
	case v.report.State == job.VerifyRunning:
		v.enterWindow(false)
	}
}

// enterWindow has the verification work until the window ends. If it is closed, a
// verification that somebody has resumed works until its next end; others pause until
// it opens.
func (v *verification) enterWindow(resumed bool) {
	if !v.windowed {
		return
	}
	now := workflow.Now(v.ctx)
	late := v.in.Schedule.Late(v.report.StartedAt)
	open, change := v.in.Schedule.Open(now, late)
	switch {
	case open:
		v.pauseAt(change)
	case resumed:
		_, end := v.in.Schedule.Open(change, late)
		v.pauseAt(end)
	default:
		v.report.State, v.report.ResumesAt = job.VerifyPaused, change
	}
}

// pauseAt has a timer wake the workflow when the window ends.
func (v *verification) pauseAt(end time.Time) {
	if v.closes != nil && end.Equal(v.in.Until) && !v.closes.IsReady() {
		return
	}
	v.in.Until = end
	v.closes = workflow.NewTimerWithOptions(v.ctx, max(end.Sub(workflow.Now(v.ctx)), time.Millisecond), workflow.TimerOptions{Summary: summaryOf("the window of the verification ends")})
}

// windowEnded tells whether the verification has to pause.
func (v *verification) windowEnded() bool {
	return v.report.State == job.VerifyRunning && v.closes != nil && v.closes.IsReady()
}

// leaveWindow pauses until the window opens.
func (v *verification) leaveWindow() {
	v.closes, v.in.Until = nil, time.Time{}
	v.enterWindow(false)
}

// awaitResume waits for a person, or for the window to open.
func (v *verification) awaitResume() {
	at := v.report.ResumesAt
	if at.IsZero() {
		_ = workflow.Await(v.ctx, v.signals.unread)
		return
	}
	if wait := at.Sub(workflow.Now(v.ctx)); wait > 0 {
		_, _ = workflow.AwaitWithOptions(v.ctx, workflow.AwaitOptions{
			Timeout: wait, TimerOptions: workflow.TimerOptions{Summary: summaryOf("the window of the verification opens")},
		}, v.signals.unread)
		return
	}
	v.report.State, v.report.ResumesAt = job.VerifyRunning, time.Time{}
	v.succeeded()
	v.enterWindow(false)
}
