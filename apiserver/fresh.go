package apiserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// status returns what the workflow knows of the job, brought up to date with
// what its running step has reported since: a shift lasts minutes, and the
// workflow learns of its progress only at its end.
func (j *jobs) status(ctx context.Context, name string) (job.Status, error) {
	var s job.Status
	err := j.query(ctx, name, job.QueryStatus, &s)
	if errors.Is(err, errTaskFails) || errors.Is(err, errPaused) {
		if known, found := j.withoutAnswer(ctx, name); found {
			return known, nil
		}
	}
	if err != nil {
		return job.Status{}, err
	}
	if step, found := j.pending(ctx, name); found {
		step.merge(&s)
	}
	s.Lag = newerLag(s.Lag, j.lags.latest(name))
	return s, nil
}

// progressNow is the durable state of a job, brought up to date.
type progressNow struct {
	job.Progress
	// tried is the binlog that the job stands at, or works at, or else the last that it
	// is done with: the number that job_skip_binlog needs.
	tried int64
}

// progress is status for the whole durable state.
func (j *jobs) progress(ctx context.Context, name string) (progressNow, error) {
	p, err := j.wholeProgress(ctx, name)
	if err != nil {
		return progressNow{}, err
	}
	now := progressNow{Progress: p}
	step, found := j.pending(ctx, name)
	if found && step.activity == job.ActivityStream {
		now.Position = newerPosition(p.Position, step.report.Position)
		now.Lag = newerLag(p.Lag, step.report.Lag)
	}
	now.tried = triedOf(now.Progress, step)
	return now, nil
}

func triedOf(p job.Progress, step pendingStep) int64 {
	if p.Pending != nil {
		if step.activity == job.ActivityApplySeveral { // it may be past the first
			return max(p.Pending.CommitSeq, step.report.Tried)
		}
		return p.Pending.CommitSeq
	}
	for _, trouble := range []*job.Problem{step.report.Problem, step.failed, p.Problem} {
		if trouble != nil && trouble.At(p.Position.CommitSeq) {
			return trouble.CommitSeq
		}
	}
	return max(p.Position.CommitSeq, step.report.Tried)
}

// wholeProgress asks for the durable state. A worker of an earlier release knows one
// form of it only.
func (j *jobs) wholeProgress(ctx context.Context, name string) (job.Progress, error) {
	var packed job.Packed[job.Progress]
	err := j.query(ctx, name, job.QueryState, &packed)
	if err == nil {
		p, err := packed.Open()
		if err != nil {
			return job.Progress{}, fmt.Errorf("the state of job %s: %w", name, err)
		}
		return p, nil
	}
	if !isUnknownQuery(err) {
		return job.Progress{}, err
	}
	var p job.Progress
	if err := j.query(ctx, name, job.QueryProgress, &p); err != nil {
		return job.Progress{}, err
	}
	return p, nil
}

// isUnknownQuery tells whether a worker could not answer: of an earlier release it does
// not know the query.
func isUnknownQuery(err error) bool {
	var failed *serviceerror.QueryFailed
	return errors.As(err, &failed)
}

// pendingStep is what the server knows of the step that is under way.
type pendingStep struct {
	activity string
	report   job.Heartbeat // its last one, zero if there was none
	// current: report is of the attempt that runs now.
	current bool
	// failed is why the attempt before this one ended, with the number of
	// attempts so far. The workflow does not know it: the server tries again the step
	// of a job that has been stalled for a while.
	failed *job.Problem
	// standstill is what holds the job up on Temporal's side.
	standstill *job.Problem
}

// pending returns the job's step. If it cannot be found out, the workflow's own
// answer is the best that there is, so failures are only logged.
func (j *jobs) pending(ctx context.Context, name string) (step pendingStep, found bool) {
	d, err := j.client.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
	if err != nil {
		j.log.Debug("no heartbeat of job", "job", name, "error", err)
		return step, false
	}
	held := standstill(name, d, time.Now())
	for _, a := range d.GetPendingActivities() {
		step = pendingStep{activity: job.StepName(a.GetActivityType().GetName()), standstill: held}
		if besideStep(step.activity) {
			continue
		}
		step.failed = j.lastFailure(a)
		details := a.GetHeartbeatDetails()
		if len(details.GetPayloads()) == 0 {
			if step.failed != nil || held != nil {
				return step, true
			}
			continue
		}
		if err := j.converter.FromPayloads(details, &step.report); err != nil {
			j.log.Debug("heartbeat of job cannot be read", "job", name, "error", err)
			continue
		}
		step.current = isCurrent(a)
		return step, true
	}
	return pendingStep{standstill: held}, held != nil
}

// isCurrent tells whether the last heartbeat of an activity came from the attempt that
// runs now.
func isCurrent(a *workflowpb.PendingActivityInfo) bool {
	return a.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED && !a.GetLastHeartbeatTime().AsTime().Before(a.GetLastStartedTime().AsTime())
}

// works tells whether what the workflow knows to have failed works now. The workflow hears
// of it only when the step ends, which may take hours.
func (step pendingStep) works(s *job.Status) bool {
	if !step.current || step.report.Problem != nil || step.standstill != nil || s.Problem == nil {
		return false
	}
	if step.activity == job.ActivityStream {
		return step.report.Position.CommitSeq > s.Position.CommitSeq && !s.Problem.Late && step.report.Position.CommitSeq >= s.Problem.CommitSeq
	}
	return step.report.Works && !s.Problem.Recurs
}

// lastFailure reads the problem with which the step's last attempt ended; nil if
// it did not end with one.
func (j *jobs) lastFailure(a *workflowpb.PendingActivityInfo) *job.Problem {
	details := a.GetLastFailure().GetApplicationFailureInfo().GetDetails()
	if len(details.GetPayloads()) == 0 {
		return nil
	}
	var p job.Problem
	if err := j.converter.FromPayloads(details, &p); err != nil || p.Text == "" {
		return nil
	}
	p.Tries = int(a.GetAttempt()) - 1
	p.Since = time.Now()
	return &p
}

func (step pendingStep) merge(s *job.Status) {
	if step.report.Note != "" {
		s.Doing = step.report.Note
	}
	s.Copying = step.report.Copying
	// The server tries a step again by itself only if the workflow knows the problem,
	// so what failed is that one, with newer words.
	if step.failed != nil && s.Problem != nil {
		s.Problem = mergeProblem(s.Problem, *step.failed)
	}
	if step.works(s) {
		s.Problem, s.Stalled = nil, false
	}
	if p := step.report.Problem; p != nil {
		s.Problem, s.Stalled = mergeProblem(s.Problem, *p), s.Running && s.Phase != job.PhaseDeleting
	}
	if step.activity == job.ActivityStream {
		s.Position = newerPosition(s.Position, step.report.Position)
		s.Lag = newerLag(s.Lag, step.report.Lag)
		if found := step.report.Differences; found != nil {
			s.Differences = *found
		}
		if c := step.report.Comparing; c != nil {
			s.Comparing = c
			if c.Off {
				s.Differences = nil
			}
		}
	}
	// A paused job has nothing to do anyway.
	if p := step.standstill; p != nil && s.Running {
		s.Problem, s.Stalled = p, true
		s.NextStep = s.Advice()
	}
}

// mergeProblem adds the tries that the job knew of before this step: each shift
// counts its own.
func mergeProblem(known *job.Problem, reported job.Problem) *job.Problem {
	merged := reported.Continues(known)
	return &merged
}

// newerPosition returns the position that is further. Positions only grow within a
// shift, and the pending shift started at the workflow's position.
func newerPosition(known, reported job.Position) job.Position {
	if reported.CommitSeq > known.CommitSeq {
		return reported
	}
	return known
}

func newerLag(known, reported binlog.Lag) binlog.Lag {
	if reported.ObservedAt.After(known.ObservedAt) {
		return reported
	}
	return known
}
