package activities

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
)

// defaultLeaseTime is the heartbeat timeout of a shift that was started
// without one, in tests.
const defaultLeaseTime = 10 * time.Second

// StreamUpserts runs one shift of the stream. It ends with a result whatever
// happens: an error of the shift is in the result as a problem. It returns an
// error only when it has lost the right to speak for the job, or to be tried again
// (patience.go).
func (a *Activities) StreamUpserts(ctx context.Context, in job.StreamInput) (job.StreamResult, error) {
	timeout := activity.GetInfo(ctx).HeartbeatTimeout
	if timeout <= 0 {
		timeout = defaultLeaseTime
	}
	shift, end := context.WithCancelCause(ctx)
	defer end(nil)
	held := newLease(a.pulse(ctx), timeout, end)
	a.shifts.Add(1)
	defer a.shifts.Add(-1)
	held.pace = func() time.Duration { return eagerness(a.shifts.Load()) }

	resume := resumeFrom(ctx)
	unheard := replication.LastHeard(&in.Progress, resume)
	start := job.Heartbeat{Position: in.Progress.Position, Settled: in.Progress.Settled, Ahead: in.Progress.Ahead, Lag: in.Progress.Lag}
	if resume != nil && resume.Position.CommitSeq >= start.Position.CommitSeq {
		start = *resume
		if start.Settled == 0 && start.Ahead == nil {
			start.Ahead = in.Progress.Ahead // reports of older versions do not have it
		}
		if start.Heard.IsZero() {
			start.Heard = resume.At // until the shift has asked the destination
		}
	}
	if attempt := activity.GetInfo(ctx).Attempt; attempt > 1 && in.Patience == 0 {
		a.log.Info("taking over the stream: the attempt before this one fell silent", "job", in.Spec.Name,
			"commit_seq", start.Position.CommitSeq, "attempt", attempt)
	}
	// Before the first side effect: does the server still want this attempt?
	if err := held.checkpoint(shift, start); err != nil {
		return ended(unmoved(job.StreamResult{End: job.EndStopped, Unheard: unheard}, &in.Progress), err)
	}

	began := time.Now()
	var beside sync.WaitGroup
	beside.Go(func() { held.keep(shift) })
	out, err := a.shift(shift, in, held, resume, end)
	lost := context.Cause(shift)
	end(nil)
	beside.Wait()

	if errors.Is(lost, errLost) {
		return job.StreamResult{}, lost
	}
	if err != nil {
		out.Unheard = unheard
		out = unmoved(out, &in.Progress)
		if errors.Is(err, errPanicked) && unheard.IsZero() {
			out.Unheard = began
		}
		out = failed(out, held.last(), err, lost != nil)
	}
	if out.Resealed, err = a.reseal(in.Spec); err != nil {
		a.log.Warn("Passwords stay sealed with their old key.", "job", in.Spec.Name, "error", err)
	}
	if out.Problem == nil {
		return out, nil
	}
	if lost == nil && onlyBlocked(in, out) && patient(ctx, in.StepInput, *out.Problem) {
		return job.StreamResult{}, tryAgain(*out.Problem)
	}
	*out.Problem = counted(ctx, in.StepInput, *out.Problem)
	return out, nil
}

// unmoved is the result of a shift that got no further than the progress.
func unmoved(out job.StreamResult, p *job.Progress) job.StreamResult {
	out.Position, out.Settled, out.Ahead, out.Met = p.Position, p.Settled, p.Ahead, p.Met
	return out
}

// failed is the result of a shift that ended with an error. Where it was is in
// its last report, if not in what it returned.
func failed(out job.StreamResult, last job.Heartbeat, err error, stopped bool) job.StreamResult {
	out.End = job.EndStopped
	if !stopped {
		problem := problemOf(err)
		out.End, out.Problem = job.EndBlocked, &problem
	}
	out.Binlog, out.Wanted = nil, nil
	if last.Position.CommitSeq > out.Position.CommitSeq {
		out.Position, out.Settled, out.Ahead = last.Position, last.Settled, last.Ahead
	}
	return out
}

// shift calls the stream with its hooks. A failpoint ends it; the next one does
// not begin.
func (a *Activities) shift(ctx context.Context, in job.StreamInput, held *lease, resume *job.Heartbeat, end context.CancelCauseFunc) (job.StreamResult, error) {
	return guard(a.log.With("job", in.Spec.Name), job.ActivityStream, func() (job.StreamResult, error) {
		if err := a.failpoints.At(in.Spec.Name, failpoint.HandleBinlog); err != nil {
			return job.StreamResult{}, err
		}
		r, err := a.connect(in.Spec)
		if err != nil {
			return job.StreamResult{}, err
		}
		defer r.Close()
		look, leave := a.board.enter(in.Spec.Name, held.last)
		defer leave()
		return r.Stream(ctx, in, replication.StreamHooks{
			Look:   look,
			Resume: resume,
			Heartbeat: func(b job.Heartbeat) {
				held.note(b)
				if err := a.failpoints.At(in.Spec.Name, failpoint.HandleBinlog); err != nil {
					end(err)
				}
			},
			Checkpoint: held.checkpoint,
			Stop:       activity.GetWorkerStopChannel(ctx),
			Alive:      held.alive,
		})
	})
}

// resumeFrom returns what an earlier attempt of this shift last reported.
func resumeFrom(ctx context.Context) *job.Heartbeat {
	if !activity.HasHeartbeatDetails(ctx) {
		return nil
	}
	var b job.Heartbeat
	if err := activity.GetHeartbeatDetails(ctx, &b); err != nil {
		// A hint only: without it the destination tells where it is.
		activity.GetLogger(ctx).Warn("The last heartbeat of an earlier attempt cannot be read.", "error", err)
		return nil
	}
	return &b
}

// ended is the end of a shift that did not begin.
func ended(out job.StreamResult, err error) (job.StreamResult, error) {
	if errors.Is(err, errLost) {
		return job.StreamResult{}, err
	}
	return out, nil
}
