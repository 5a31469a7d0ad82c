package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

const (
	// planTimeout bounds the listing of a job's tables on both sides.
	planTimeout = 10 * time.Minute
	// verifyTimeout bounds an attempt at one table. What it has found equal is in its
	// heartbeats, so the next attempt goes on from there.
	verifyTimeout = 24 * time.Hour
	// verifyTries is how often a table is tried that a cluster refuses to have read.
	// While a cluster cannot be reached the tries have no end.
	verifyTries = 6
)

// verifyRetries has no bound: what is left for the server to retry is that the worker
// has died, or that the job does not answer.
var verifyRetries = temporal.RetryPolicy{
	InitialInterval:    retryPause,
	BackoffCoefficient: 2,
	MaximumInterval:    lastBackoff,
	NonRetryableErrorTypes: []string{
		job.ErrorTypeNoJob,
	},
}

// verification is one run of the workflow VerifyTables. As in a job, handlers only
// note what has arrived; the loop acts.
type verification struct {
	// root is cancelled by a request to cancel the workflow, which is another way to
	// send the signal.
	root workflow.Context
	// ctx is never cancelled.
	ctx      workflow.Context
	log      log.Logger
	settings Workflow
	in       job.VerifyInput
	report   job.VerifyReport

	signals   verifySignals
	cancelled bool
	// tries counts failures in a row, notBefore delays the next try.
	tries     int
	notBefore time.Time
	details   string
	// windowed is set when it keeps to the window of its schedule; closes is ready when
	// that has ended.
	windowed bool
	closes   workflow.Future
}

// VerifyTables compares the tables of a job, one after the other, and repairs what
// differs if it is asked to. Its result is the report, however it ends.
func (w Workflow) VerifyTables(ctx workflow.Context, in job.VerifyInput) (job.VerifyReport, error) {
	v := newVerification(ctx, w, in)
	o := workflow.QueryHandlerOptions{Description: "What the verification has found so far."}
	answer := func() (converter.RawValue, error) { return w.readable(v.report) }
	if err := workflow.SetQueryHandlerWithOptions(ctx, job.QueryVerifyReport, answer, o); err != nil {
		return v.report, fmt.Errorf("register query %s: %w", job.QueryVerifyReport, err)
	}
	v.keepToWindow()
	err := v.loop()
	return v.report, err
}

func newVerification(ctx workflow.Context, w Workflow, in job.VerifyInput) *verification {
	work, _ := workflow.NewDisconnectedContext(ctx)
	v := &verification{root: ctx, ctx: work, log: workflow.GetLogger(ctx), settings: w, in: in, signals: newVerifySignals(ctx)}
	if in.Report != nil {
		v.report = *in.Report
		return v
	}
	info := workflow.GetInfo(ctx)
	v.report = job.VerifyReport{
		ID: info.FirstRunID, Job: in.Job, Request: in.Request, By: in.By,
		State: job.VerifyRunning, StartedAt: workflow.Now(ctx),
	}
	if v.report.ID == "" {
		v.report.ID = info.WorkflowExecution.RunID
	}
	for _, t := range in.Found {
		v.report.Tables = append(v.report.Tables, t)
		v.report.Total++
		v.report.Different++
	}
	return v
}

func (v *verification) loop() error {
	for {
		v.readSignals()
		v.publishDetails()
		switch {
		case v.cancelled:
			v.end(job.VerifyCancelled)
			return nil
		case v.report.Error != "":
			v.end(job.VerifyFailed)
			return nil
		case workflow.GetInfo(v.ctx).GetContinueAsNewSuggested() && v.report.Total > 0:
			next := v.in
			next.Found, next.Report = nil, &v.report
			return workflow.NewContinueAsNewError(v.root, job.WorkflowTypeVerify, next)
		case v.report.State == job.VerifyPaused:
			v.awaitResume()
		case v.windowEnded():
			v.leaveWindow()
		case v.delay() > 0:
			v.awaitNextTry()
		case v.report.Total == 0:
			v.plan()
		case len(v.report.Planned) > 0:
			v.verifyNext()
		case v.mustPlanRepairs():
			v.planRepairs()
		default:
			if next := v.nextRepair(); next != nil {
				v.takeOn(next)
				continue
			}
			v.end(job.VerifyDone)
			return nil
		}
	}
}

// plan lists what is to be verified.
func (v *verification) plan() {
	o := v.activityOptions("list the tables of job "+v.in.Job, planTimeout)
	out, err := executeVerify[job.VerifyPlan](v, o, job.ActivityPlanVerification, v.in)
	switch {
	case err == nil && len(out.Tables) == 0:
		v.report.Error = "the job has no such table: see its tables with job_progress, its filter with job_detail"
	case err == nil:
		v.report.Planned, v.report.Total = out.Tables, len(out.Tables)
		v.in.Earlier = out.Found
		v.settleGone()
		v.succeeded()
	case interrupted(err):
	case v.hopeless(err):
		v.report.Error = stepProblem(err, "plan the verification").Text
	default:
		v.tryLater(err, "plan the verification")
	}
}

// verifyNext verifies the next table.
func (v *verification) verifyNext() {
	target := v.report.Planned[0]
	out, err := v.verify(target, v.in.Request.Partitions)
	switch {
	case err == nil:
	case interrupted(err):
		return // paused or cancelled: it goes on with the partitions that are left
	case isNoJob(err):
		v.report.Error = stepProblem(err, "verify "+target.Name).Text
		return
	case v.hopeless(err):
		out = job.VerifiedTable{
			Table: target.Name, TableID: target.ID, View: target.View,
			Outcome: job.VerifyNotComparable, Why: limit(stepProblem(err, "verify").Text, problemLimit), At: workflow.Now(v.ctx),
		}
	default:
		v.tryLater(err, "verify "+target.Name)
		return
	}
	v.in.Before = nil
	v.report.Planned = v.report.Planned[1:]
	v.add(out)
	v.succeeded()
}

// verify has one table compared.
func (v *verification) verify(target job.VerifyTarget, partitions []string) (job.VerifiedTable, error) {
	v.report.Doing = target.Name
	v.publishDetails()
	request := v.in.Request
	request.Tables, request.Partitions = nil, partitions
	o := v.activityOptions("verify "+target.Name, verifyTimeout)
	out, err := executeVerify[job.VerifiedTable](v, o, job.ActivityVerifyTable, job.VerifyTableInput{Job: v.in.Job, Request: request, Target: target, Before: v.in.Before})
	v.report.Doing = ""
	if reached := reachedBy(err); reached != nil {
		v.in.Before = reached
	}
	return out, err
}

// add counts a table that is done, and keeps what was found of it.
func (v *verification) add(t job.VerifiedTable) {
	v.count(t.Outcome, 1)
	v.settle(t)
	v.report.SourceRows += t.SourceRows
	v.report.DestinationRows += t.DestinationRows
	v.addCost(t)
	if extra := len(t.Differences) - job.MaxVerifyDifferences; extra > 0 {
		t.Differences, t.More = t.Differences[:job.MaxVerifyDifferences], t.More+extra
	}
	if extra := len(t.Busy) - job.MaxVerifyDifferences; extra > 0 {
		t.Busy, t.More = t.Busy[:job.MaxVerifyDifferences], t.More+extra
	}
	v.report.Tables = append(v.report.Tables, t)
	if len(v.report.Tables) <= job.MaxVerified {
		return
	}
	for i := range v.report.Tables {
		if v.report.Tables[i].Outcome == job.VerifyEqual {
			v.report.Tables = append(v.report.Tables[:i:i], v.report.Tables[i+1:]...)
			return
		}
	}
	v.report.Tables = v.report.Tables[:job.MaxVerified]
}

func (v *verification) addCost(t job.VerifiedTable) {
	v.report.RowsRead += t.RowsRead
	v.report.BytesRead += t.BytesRead
}

// count adds to the number of tables with an outcome.
func (v *verification) count(o job.VerifyOutcome, n int) {
	switch o {
	case job.VerifyEqual:
		v.report.Equal += n
	case job.VerifyDifferent:
		v.report.Different += n
	case job.VerifyRepaired:
		v.report.Repaired += n
	case job.VerifyBusy:
		v.report.Busy += n
	default:
		v.report.NotComparable += n
	}
}

// end completes the report and tells the job.
func (v *verification) end(state string) {
	r := &v.report
	r.State, r.EndedAt, r.Doing, r.Problem, r.ResumesAt = state, workflow.Now(v.ctx), "", "", time.Time{}
	v.publishDetails()
	told := job.Verified{
		At: r.EndedAt, Result: r.Result(), Report: r.ID, Method: r.Request.Method,
		All:   len(r.Request.Tables) == 0 && len(r.Request.Partitions) == 0 && v.in.Of == "" && state == job.VerifyDone,
		Equal: r.Equal, Different: r.Different, Repaired: r.Repaired, Busy: r.Busy, Skipped: r.NotComparable,
		RowsRead: r.RowsRead, BytesRead: r.BytesRead, Seconds: int64(r.EndedAt.Sub(r.StartedAt).Seconds()),
	}
	for _, t := range r.Tables {
		told.Position = max(told.Position, t.Position)
	}
	v.tellFindings(&told)
	err := workflow.SignalExternalWorkflow(v.ctx, job.WorkflowID(v.in.Job), "", job.SignalVerified, job.Command{Verified: &told, Settled: v.in.Settled}).Get(v.ctx, nil)
	if err != nil {
		v.log.Warn("The job is not told how its verification has ended.", "job", v.in.Job, "error", err)
	}
}

// activityOptions are those of an activity of verifications.
func (v *verification) activityOptions(summary string, timeout time.Duration) workflow.ActivityOptions {
	o := v.settings.activityOptions(summary, timeout)
	o.TaskQueue = job.VerifyTaskQueue
	o.RetryPolicy = &verifyRetries
	return o
}

// reachedBy is how far a table was when its activity failed or was interrupted, nil if
// that is not told.
func reachedBy(err error) *job.Verifying {
	var (
		cancelled *temporal.CanceledError
		failed    *temporal.ApplicationError
		timedOut  *temporal.TimeoutError
		reached   job.Verifying
		described job.Problem
		beat      job.Heartbeat
	)
	switch {
	case errors.As(err, &cancelled) && cancelled.HasDetails():
		_ = cancelled.Details(&reached) // what cannot be read is verified again
	case errors.As(err, &failed) && failed.HasDetails():
		_ = failed.Details(&described, &reached)
	case errors.As(err, &timedOut) && timedOut.HasLastHeartbeatDetails():
		_ = timedOut.LastHeartbeatDetails(&beat)
		return beat.Verifying
	}
	if reached.Table == "" {
		return nil
	}
	return &reached
}

// executeVerify runs one activity. A pause or a cancellation ends it at once, and the
// end of the window ends what reads.
func executeVerify[T any](v *verification, o workflow.ActivityOptions, name string, in any) (T, error) {
	ctx, cancel := workflow.WithCancel(workflow.WithActivityOptions(v.ctx, o))
	defer cancel()
	future := workflow.ExecuteActivity(ctx, name, in)
	for !future.IsReady() {
		_ = workflow.Await(v.ctx, func() bool {
			return future.IsReady() || v.signals.unread() || name == job.ActivityVerifyTable && v.windowEnded()
		})
		v.readSignals()
		if name == job.ActivityVerifyTable && v.windowEnded() {
			v.leaveWindow()
		}
		if v.cancelled || v.report.State == job.VerifyPaused {
			cancel()
			break
		}
	}
	var out T
	err := future.Get(v.ctx, &out)
	return out, err
}

// tryLater notes why something could not be done, and delays the next try.
func (v *verification) tryLater(err error, what string) {
	v.tries++
	v.report.Problem = limit(stepProblem(err, what).Text, problemLimit)
	v.notBefore = workflow.Now(v.ctx).Add(backoff(v.tries))
}

func (v *verification) succeeded() {
	v.tries, v.report.Problem, v.notBefore = 0, "", time.Time{}
}

func (v *verification) delay() time.Duration {
	if v.notBefore.IsZero() {
		return 0
	}
	return v.notBefore.Sub(workflow.Now(v.ctx))
}

func (v *verification) awaitNextTry() {
	_, _ = workflow.AwaitWithOptions(v.ctx, workflow.AwaitOptions{
		Timeout:      v.delay(),
		TimerOptions: workflow.TimerOptions{Summary: summaryOf("try again after: " + v.report.Problem)},
	}, v.signals.unread)
}

// hopeless tells whether trying again does not help, or has not helped often enough.
// Connections are tried for ever.
func (v *verification) hopeless(err error) bool {
	var app *temporal.ApplicationError
	switch {
	case !errors.As(err, &app):
		return false // its worker died
	case app.Type() == job.ErrorTypeWorkerStopping || app.Type() == string(job.KindRPC):
		return false
	case app.Type() == job.ErrorTypeNoJob || app.Type() == job.ErrorTypeRefused || app.Type() == string(job.KindNormal):
		return true
	}
	return v.tries+1 >= verifyTries
}

func isNoJob(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == job.ErrorTypeNoJob
}
