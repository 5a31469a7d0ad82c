package activities

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/stream"
)

// StreamUpserts runs one shift of the stream. It ends with a result whatever
// happens: an error of the shift is in the result as a problem. It returns an
// error only when it has lost the right to speak for the job, or to be tried again
// (serverretries.go).
func (a *Activities) StreamUpserts(ctx context.Context, in job.StreamInput) (job.StreamResult, error) {
	return a.streamUpserts(ctx, wholeInput(in))
}

func (a *Activities) streamUpserts(ctx context.Context, g given[job.StreamInput]) (job.StreamResult, error) {
	a.shifts.Add(1)
	defer a.shifts.Add(-1)
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	s := &shift{acts: a, in: g.without, whole: g.whole, end: end, beats: a.shiftHeartbeater(ctx, end), previous: lastReport(ctx)}
	if err := s.claim(running); err != nil {
		return s.notBegun(err)
	}
	out, err := s.run(running)
	out, err = s.conclude(ctx, out, err)
	if err == nil {
		a.changed(s.in.Spec.UID, g.digest, out.Tables)
	}
	return out, err
}

// shift is one attempt at a shift of the stream, in three phases: it claims the
// right to act for the job, runs, and concludes with a result.
type shift struct {
	acts *Activities
	// in may lack the job's tables; whole returns it with them.
	in    job.StreamInput
	whole func(context.Context) (job.StreamInput, error)
	end   context.CancelCauseFunc // ends the phase that is under way
	beats *heartbeater
	// previous is what the attempt before this one last reported, nil for a first attempt.
	previous *job.Heartbeat
	// unconfirmedSince is since when it is not known what became of commits, as far as this
	// attempt knows before it asks the destination.
	unconfirmedSince time.Time
	// claimed is what the attempt has told when it claimed the right to act, nil after the
	// stream's first checkpoint.
	claimed atomic.Pointer[job.Heartbeat]
	began   time.Time
	// stopped is why the run was told to end, nil if it ended by itself.
	stopped error
}

// claim asks the server, before the first side effect, whether it still wants this
// attempt. What it reports with that must not set the job back.
func (s *shift) claim(ctx context.Context) error {
	progress := &s.in.Progress
	s.unconfirmedSince = stream.UnconfirmedSince(progress, s.previous)
	start := job.Heartbeat{Position: progress.Position, Settling: job.Settling{Settled: progress.Settled, AppliedBeyond: progress.AppliedBeyond}, Lag: progress.Lag}
	if s.previous != nil && s.previous.Position.CommitSeq >= start.Position.CommitSeq {
		start = *s.previous
		if start.Settled == 0 && start.AppliedBeyond == nil {
			start.AppliedBeyond = progress.AppliedBeyond // reports of older versions do not have it
		}
		if start.UnconfirmedSince.IsZero() {
			start.UnconfirmedSince = s.previous.At // until the shift has asked the destination
		}
	}
	if attempt := activity.GetInfo(ctx).Attempt; attempt > 1 && s.in.ServerRetries == 0 {
		s.acts.log.Info("taking over the stream: the attempt before this one fell silent", "job", s.in.Spec.Name,
			"commit_seq", start.Position.CommitSeq, "attempt", attempt)
	}
	s.claimed.Store(&start)
	return s.beats.checkpoint(ctx, start)
}

// claimLasts is how long a claim stands for the first checkpoint of the stream.
const claimLasts = time.Second

// checkpoint is the stream's. Its first one comes before the first side effect, as the
// claim did. If it tells the same right after that, the server knows it: after the death
// of a worker with hundreds of jobs each write of the server counts.
func (s *shift) checkpoint(ctx context.Context, b job.Heartbeat) error {
	claimed := s.claimed.Swap(nil)
	if claimed != nil && s.beats.silence() < claimLasts && ctx.Err() == nil && claimed.Position == b.Position &&
		claimed.Settled == b.Settled && slices.Equal(claimed.AppliedBeyond, b.AppliedBeyond) && claimed.UnconfirmedSince.Equal(b.UnconfirmedSince) {
		s.beats.report(b)
		return nil
	}
	return s.beats.checkpoint(ctx, b)
}

// notBegun is the end of a shift that could not claim the right to act.
func (s *shift) notBegun(err error) (job.StreamResult, error) {
	if errors.Is(err, errLost) {
		return job.StreamResult{}, err
	}
	return unmoved(job.StreamResult{End: job.EndStopped, Unconfirmed: job.Unconfirmed{Since: s.unconfirmedSince}}, &s.in.Progress), nil
}

// run streams, with heartbeats beside. When it returns nothing runs any more.
func (s *shift) run(ctx context.Context) (job.StreamResult, error) {
	s.began = time.Now()
	var beside sync.WaitGroup
	beside.Go(func() { s.beats.run(ctx) })
	out, err := guard(s.acts.log.With("job", s.in.Spec.Name), job.ActivityStream, func() (job.StreamResult, error) { return s.stream(ctx) })
	s.stopped = context.Cause(ctx)
	s.end(nil)
	beside.Wait()
	return out, err
}

// stream calls the stream with its hooks.
func (s *shift) stream(ctx context.Context) (job.StreamResult, error) {
	a, name := s.acts, s.in.Spec.Name
	in, err := s.whole(ctx)
	if err != nil {
		return job.StreamResult{}, err
	}
	r, err := a.connect(s.in.Spec)
	if err != nil {
		return job.StreamResult{}, err
	}
	defer r.Close()
	entry, leave := s.enter(ctx)
	defer leave()
	return r.stream.Stream(ctx, in, stream.Hooks{
		Look:       entry.look,
		Resume:     s.previous,
		Run:        firstAttempt(ctx),
		Heartbeat:  s.beats.report,
		Checkpoint: s.checkpoint,
		Stop:       entry.stop,
		Alive:      s.beats.alive,
		Holds:      entry.holds,
		Tries:      triesBefore(ctx, in.StepInput),
		Fail:       func() error { return a.failpoints.At(name, failpoint.HandleBinlog) },
	})
}

// orderedJustNow is how long after it was ordered a first attempt begins. One that
// begins later may follow another that an operator has had forgotten, by resetting the
// activity.
const orderedJustNow = 5 * time.Second

// firstAttempt returns the run of the workflow, "" if this may not be the first attempt.
func firstAttempt(ctx context.Context) string {
	info := activity.GetInfo(ctx)
	if info.Attempt != 1 || activity.HasHeartbeatDetails(ctx) || info.StartedTime.Sub(info.ScheduledTime) > orderedJustNow {
		return ""
	}
	return info.WorkflowExecution.RunID
}

// conclude makes the result of a shift that has run, from what its stream
// returned.
func (s *shift) conclude(ctx context.Context, out job.StreamResult, err error) (job.StreamResult, error) {
	if errors.Is(s.stopped, errLost) {
		return job.StreamResult{}, s.stopped
	}
	if err != nil {
		out = s.failed(out, err)
	}
	if out.Resealed, err = s.acts.reseal(s.in.Spec); err != nil {
		s.acts.log.Warn("Passwords stay sealed with their old key.", "job", s.in.Spec.Name, "error", err)
	}
	if out.Problem == nil {
		return out, nil
	}
	if s.stopped == nil && onlyBlocked(s.in, out) && serverRetries(ctx, s.in.StepInput, *out.Problem) {
		return job.StreamResult{}, retryByServer(*out.Problem)
	}
	*out.Problem = withAttempts(ctx, s.in.StepInput, *out.Problem)
	return out, nil
}

// failed is the result of a shift that ended with an error. Where it was is in
// its last report, if that is beyond the progress.
func (s *shift) failed(out job.StreamResult, err error) job.StreamResult {
	out.Unconfirmed.Since = s.unconfirmedSince
	if errors.Is(err, errPanicked) && s.unconfirmedSince.IsZero() {
		out.Unconfirmed.Since = s.began
	}
	out = unmoved(out, &s.in.Progress)
	out.End = job.EndStopped
	if s.stopped == nil {
		problem := describeError(err)
		out.End, out.Problem = job.EndBlocked, &problem
	}
	out.Binlog, out.Following, out.Wanted = nil, nil, nil
	if last := s.beats.last(); last.Position.CommitSeq > out.Position.CommitSeq {
		out.Position, out.Settled, out.AppliedBeyond = last.Position, last.Settled, last.AppliedBeyond
	}
	return out
}

// unmoved is the result of a shift that got no further than the progress.
func unmoved(out job.StreamResult, p *job.Progress) job.StreamResult {
	out.Position, out.Settled, out.AppliedBeyond, out.Met = p.Position, p.Settled, p.AppliedBeyond, p.Met
	return out
}

// lastReport returns what the attempt before this one last reported.
func lastReport(ctx context.Context) *job.Heartbeat {
	if !activity.HasHeartbeatDetails(ctx) {
		return nil
	}
	b, err := job.ReadHeartbeat(func(into ...any) error { return activity.GetHeartbeatDetails(ctx, into...) })
	if err != nil {
		// A hint only: without it the destination tells where it is.
		activity.GetLogger(ctx).Warn("The last heartbeat of an earlier attempt cannot be read.", "error", err)
		return nil
	}
	return &b
}
