package apiserver

import (
	"context"

	"github.com/doris-ccr/ccr/job"
)

// status returns what the workflow knows of the job, brought up to date with
// what its running step has reported since: a shift lasts minutes, and the
// workflow learns of its progress only at its end.
func (j *jobs) status(ctx context.Context, name string) (job.Status, error) {
	var s job.Status
	if err := j.query(ctx, name, job.QueryStatus, &s); err != nil {
		return job.Status{}, err
	}
	activity, beat, found := j.heartbeat(ctx, name)
	if found {
		mergeStatus(&s, activity, beat)
	}
	return s, nil
}

// progress is status for the whole durable state.
func (j *jobs) progress(ctx context.Context, name string) (job.Progress, error) {
	var p job.Progress
	if err := j.query(ctx, name, job.QueryProgress, &p); err != nil {
		return job.Progress{}, err
	}
	if activity, beat, found := j.heartbeat(ctx, name); found && activity == job.ActivityStream {
		p.Position = newerPosition(p.Position, beat.Position)
		p.Lag = newerLag(p.Lag, beat.Lag)
	}
	return p, nil
}

// heartbeat returns the last report of the job's pending activity. Without one
// the workflow's own answer stands, so failures are only logged.
func (j *jobs) heartbeat(ctx context.Context, name string) (activity string, beat job.Heartbeat, found bool) {
	d, err := j.client.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
	if err != nil {
		j.log.Debug("no heartbeat of job", "job", name, "error", err)
		return "", job.Heartbeat{}, false
	}
	for _, a := range d.GetPendingActivities() {
		if a.GetActivityType().GetName() == job.ActivityObserveLag {
			continue // beside the step
		}
		details := a.GetHeartbeatDetails()
		if len(details.GetPayloads()) == 0 {
			continue
		}
		if err := j.converter.FromPayloads(details, &beat); err != nil {
			j.log.Debug("heartbeat of job cannot be read", "job", name, "error", err)
			continue
		}
		return a.GetActivityType().GetName(), beat, true
	}
	return "", job.Heartbeat{}, false
}

func mergeStatus(s *job.Status, activity string, beat job.Heartbeat) {
	if beat.Note != "" {
		s.Doing = beat.Note
	}
	if beat.Problem != nil {
		s.Problem, s.Stalled = mergeProblem(s.Problem, *beat.Problem), s.Running && s.Phase != job.PhaseDeleting
	}
	if activity == job.ActivityStream {
		s.Position = newerPosition(s.Position, beat.Position)
		s.Lag = newerLag(s.Lag, beat.Lag)
	}
}

// mergeProblem adds what the job knew before this step: each shift counts its
// tries anew.
func mergeProblem(known *job.Problem, reported job.Problem) *job.Problem {
	if known != nil {
		reported.Tries += known.Tries
		if known.Since.Before(reported.Since) {
			reported.Since = known.Since
		}
	}
	return &reported
}

// newerPosition: positions only grow within a shift, and the pending shift
// started at the workflow's position.
func newerPosition(known, reported job.Position) job.Position {
	if reported.CommitSeq > known.CommitSeq {
		return reported
	}
	return known
}

func newerLag(known, reported job.Lag) job.Lag {
	if reported.ObservedAt.After(known.ObservedAt) {
		return reported
	}
	return known
}
