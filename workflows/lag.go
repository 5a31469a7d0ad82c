package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// observationMaxAge is how old an observation may be that still answers a request.
// It also bounds what a monitor that asks all the time costs the history.
const observationMaxAge = time.Second

// lagRequests are the requests to observe the lag that wait for an answer.
type lagRequests struct {
	ids       []string // may be empty strings
	position  int64    // the highest that a request knew, 0 for none
	observing bool
}

func (q *lagRequests) add(requestID string, position int64) {
	q.ids = append(q.ids, requestID)
	q.position = max(q.position, position)
}

func (q *lagRequests) busy() bool { return q.observing || len(q.ids) > 0 }

// serveLag answers requests to observe the lag, beside the loop: neither a
// pause nor a restore that takes hours keeps an operator from an answer.
func (r *run) serveLag(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(r.lagRequests.ids) > 0 })
		asked := r.lagRequests.ids
		r.lagRequests.ids, r.lagRequests.observing = nil, true
		err := r.observeLag(ctx)
		r.lagRequests.observing = false
		for _, id := range asked {
			outcome := job.Outcome{RequestID: id, Command: job.SignalObserveLag, At: r.now()}
			if err != nil {
				outcome.Refused = err.Error()
			}
			r.p.AddOutcome(outcome)
		}
	}
}

// observeLag asks the source, unless somebody else did just now. A shift that is
// doing well observes the lag itself, and its heartbeats carry it. A caller that
// finds these too old names the position that they had: then the source is asked
// all the same.
func (r *run) observeLag(ctx workflow.Context) error {
	switch {
	case !r.checked():
		return errors.New("the job has not passed its first checks yet")
	case r.streaming && r.p.Problem == nil && (r.lagRequests.position == 0 || !r.version(changeObserveShift)):
		return nil
	case r.now().Sub(r.p.Lag.ObservedAt) < observationMaxAge:
		return nil
	}
	o := r.settings.activityOptions("observe the lag", lagTimeout)
	o.ScheduleToCloseTimeout = lagTimeout
	var lag binlog.Lag
	in := r.input()
	if r.mapped() > leanAbove {
		in.Progress.Tables, in.Progress.Partitions, in.Progress.Awaited = nil, nil, nil // it needs none of them
	}
	in.Progress.Position.CommitSeq = max(in.Progress.Position.CommitSeq, r.lagRequests.position)
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), job.ActivityObserveLag, in).Get(ctx, &lag)
	if err != nil {
		return errors.New(stepProblem(err, "observe the lag").Text)
	}
	r.noteLag(lag)
	return nil
}

// noteLag keeps the newer observation.
func (r *run) noteLag(lag binlog.Lag) {
	if lag.ObservedAt.After(r.p.Lag.ObservedAt) {
		r.p.Lag = lag
	}
}

// lagInput is what observing the lag takes, and no more.
func (r *run) lagInput() job.StepInput {
	in := job.StepInput{Spec: job.Spec{Name: r.spec.Name, UID: r.spec.UID, Source: r.spec.Source}}
	in.Spec.Destination.Table = r.spec.Destination.Table
	in.Progress.Position, in.Progress.Settled, in.Progress.AppliedBeyond = r.p.Position, r.p.Settled, r.p.AppliedBeyond
	return in
}
