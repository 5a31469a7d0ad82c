package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// lagMaxAge is how old an observation may be that still answers a request. It
// also bounds what a monitor that asks all the time costs the history.
const lagMaxAge = time.Second

// lagDesk takes requests to observe the lag.
type lagDesk struct {
	requests  []string // request ids, which may be empty
	position  int64    // the highest that a request knew, 0 for none
	observing bool
}

func (d *lagDesk) ask(requestID string, position int64) {
	d.requests = append(d.requests, requestID)
	d.position = max(d.position, position)
}

func (d *lagDesk) busy() bool { return d.observing || len(d.requests) > 0 }

// serveLag answers requests to observe the lag, beside the loop: neither a
// pause nor a restore that takes hours keeps an operator from an answer.
func (r *run) serveLag(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(r.lag.requests) > 0 })
		asked := r.lag.requests
		r.lag.requests, r.lag.observing = nil, true
		err := r.observeLag(ctx)
		r.lag.observing = false
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
// doing well observes the lag itself; for who finds its heartbeats too old and
// names the position that they told, the source is asked all the same.
func (r *run) observeLag(ctx workflow.Context) error {
	switch {
	case !r.checked():
		return errors.New("the job has not passed its first checks yet")
	case r.streaming && r.p.Problem == nil && (r.lag.position == 0 || !r.version(changeObserveShift)):
		return nil
	case r.now().Sub(r.p.Lag.ObservedAt) < lagMaxAge:
		return nil
	}
	o := r.settings.activityOptions("observe the lag", lagTimeout)
	o.ScheduleToCloseTimeout = lagTimeout
	var lag binlog.Lag
	in := r.input()
	in.Progress.Position.CommitSeq = max(in.Progress.Position.CommitSeq, r.lag.position)
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), job.ActivityObserveLag, in).Get(ctx, &lag)
	if err != nil {
		return errors.New(problemOf(err, "observe the lag").Text)
	}
	r.observed(lag)
	return nil
}

// observed keeps the newer observation.
func (r *run) observed(lag binlog.Lag) {
	if lag.ObservedAt.After(r.p.Lag.ObservedAt) {
		r.p.Lag = lag
	}
}

// lagInput is what observing the lag takes, and no more.
func (r *run) lagInput() job.StepInput {
	in := job.StepInput{Spec: job.Spec{Name: r.spec.Name, UID: r.spec.UID, Source: r.spec.Source}}
	in.Spec.Destination.Table = r.spec.Destination.Table
	in.Progress.Position, in.Progress.Settled, in.Progress.Ahead = r.p.Position, r.p.Settled, r.p.Ahead
	return in
}
