package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/ddl"
)

const (
	// severalTime is after which time a step with several binlogs begins no further one:
	// people see what was applied when the step is over.
	severalTime = 10 * time.Second
	// severalGrace is how long the binlog under way may go on when the step is told to
	// stop, because cutting it off leaves its outcome unknown.
	severalGrace = 10 * time.Second
	// outcomeText bounds each text of an outcome, in bytes: all outcomes are in each
	// heartbeat.
	outcomeText = 1 << 10
)

// ApplyBinlogs applies binlogs that follow each other and are no UPSERTs. Like a shift it
// ends with a result whatever happens, for the binlogs that were applied before are not to
// be applied again. Before each of them the outcomes of all earlier ones are recorded by a
// heartbeat that has been acknowledged (pair/several.go).
func (a *Activities) ApplyBinlogs(ctx context.Context, in job.ApplySeveralInput) (job.ApplySeveralResult, error) {
	return a.applyBinlogs(ctx, wholeInput(in))
}

func (a *Activities) applyBinlogs(ctx context.Context, g given[job.ApplySeveralInput]) (job.ApplySeveralResult, error) {
	s := a.newSeveral(ctx, g.without)
	defer s.cut(nil)
	defer s.ask(nil)
	if err := s.beats.checkpoint(s.asked, s.heartbeat(s.done)); err != nil {
		if errors.Is(err, errLost) {
			return job.ApplySeveralResult{}, err
		}
		return job.ApplySeveralResult{Outcomes: s.done, Unknown: s.unsure}, nil
	}
	out, err := s.run(ctx, g.whole)
	if err != nil {
		return out, err
	}
	var changes job.TableChanges
	for _, o := range out.Outcomes {
		changes = changes.Then(o.Tables)
	}
	a.changed(s.in.Spec.UID, g.digest, changes)
	return out, nil
}

// several is one attempt at a step with several binlogs.
type several struct {
	acts  *Activities
	in    job.ApplySeveralInput // it may lack the job's tables
	all   []*job.Binlog
	beats *heartbeater
	began time.Time
	// done are the outcomes that the attempt before this one has recorded. unsure is set
	// if it may have come further.
	done   []job.ApplyResult
	unsure bool
	// asked is done when no further binlog may be begun, work when the one under way has
	// to end, too.
	asked, work context.Context
	ask, cut    context.CancelCauseFunc
}

func (a *Activities) newSeveral(ctx context.Context, in job.ApplySeveralInput) *several {
	s := &several{acts: a, in: in, all: in.Binlogs(), began: time.Now(), unsure: firstAttempt(ctx) == ""}
	if last := lastReport(ctx); last != nil {
		s.done = last.Outcomes[:min(len(last.Outcomes), len(s.all))]
	}
	s.asked, s.ask = context.WithCancelCause(ctx)
	s.work, s.cut = context.WithCancelCause(context.WithoutCancel(ctx))
	s.beats = newHeartbeater(a.heartbeats(ctx), activity.GetInfo(ctx).HeartbeatTimeout, func(cause error) {
		s.ask(cause)
		if !errors.Is(cause, errAsked) {
			s.cut(cause)
		}
	})
	s.beats.pause = func() time.Duration { return s.beats.timeout / 4 }
	s.beats.rest = s.beats.pause
	s.beats.watch = (&stepWatchdog{step: job.ActivityApplySeveral}).watch
	return s
}

// run applies the binlogs, with heartbeats beside. When it returns nothing runs any more.
func (s *several) run(ctx context.Context, whole func(context.Context) (job.ApplySeveralInput, error)) (job.ApplySeveralResult, error) {
	var beside sync.WaitGroup
	beside.Go(func() { s.beats.run(s.work) })
	beside.Go(func() { s.endInTime(ctx) })
	out := s.done
	_, err := guard(s.acts.log.With("job", s.in.Spec.Name), job.ActivityApplySeveral, func() (struct{}, error) {
		return struct{}{}, s.apply(whole, &out)
	})
	cut := context.Cause(s.work)
	s.cut(nil)
	beside.Wait()
	result := job.ApplySeveralResult{Outcomes: brief(out), Unknown: s.unsure}
	switch {
	case errors.Is(cut, errLost):
		return job.ApplySeveralResult{}, cut
	case err == nil:
	case cut != nil:
		result.Unknown = true
	default:
		at := s.all[min(len(out), len(s.all)-1)]
		failed := describeError(err)
		failed.CommitSeq, failed.BinlogType = at.CommitSeq, at.Type
		result.Failed, result.Unknown = &failed, true
	}
	return result, nil
}

// apply applies the binlogs; done are the outcomes, whatever it returns.
func (s *several) apply(whole func(context.Context) (job.ApplySeveralInput, error), done *[]job.ApplyResult) error {
	in, err := whole(s.work)
	if err != nil {
		return err
	}
	r, err := s.acts.connect(in.Spec)
	if err != nil {
		return err
	}
	defer r.Close()
	r.Guard(s.beats.mayAct)
	next := func(ctx context.Context, known []job.ApplyResult, b *job.Binlog) (bool, error) {
		*done = known // should the next one panic
		return s.next(ctx, known)
	}
	out, err := r.ddl.ApplySeveral(s.work, in, ddl.Steps{Done: s.done, Unsure: s.unsure, Next: next})
	*done = out
	return err
}

// next records what has been done, and tells whether another binlog may be begun.
func (s *several) next(ctx context.Context, done []job.ApplyResult) (bool, error) {
	if err := s.acts.failpoints.At(s.in.Spec.Name, failpoint.HandleBinlog); err != nil {
		return false, err
	}
	if s.asked.Err() != nil || isStopping(ctx) {
		return false, nil
	}
	if len(done) == len(s.done) {
		return true, nil // the first of this attempt: it is recorded
	}
	if time.Since(s.began) >= severalTime {
		return false, nil
	}
	err := s.beats.checkpoint(ctx, s.heartbeat(done))
	if errors.Is(err, errAsked) {
		return false, nil
	}
	return err == nil, err
}

// isStopping tells whether the worker of an activity stops.
func isStopping(ctx context.Context) bool {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return true
	default:
		return false
	}
}

// endInTime stops the step when its workflow or its worker wants it to, and has no
// patience with it after a while.
func (s *several) endInTime(ctx context.Context) {
	select {
	case <-s.work.Done():
		return
	case <-s.asked.Done():
	case <-activity.GetWorkerStopChannel(ctx):
		s.ask(errWorkerStopping)
	}
	grace := time.NewTimer(severalGrace)
	defer grace.Stop()
	select {
	case <-s.work.Done():
		return
	case <-grace.C:
	case <-ended(ctx):
	}
	s.cut(context.Cause(s.asked))
}

// ended is closed if the worker, or the time of the attempt, is over already.
func ended(ctx context.Context) <-chan struct{} {
	cause := context.Cause(ctx)
	if errors.Is(cause, worker.ErrWorkerShutdown) || errors.Is(cause, context.DeadlineExceeded) {
		return ctx.Done()
	}
	return nil
}

// heartbeat says what has been done, and what is next.
func (s *several) heartbeat(done []job.ApplyResult) job.Heartbeat {
	b := job.Heartbeat{Outcomes: brief(done)}
	if n := len(done); n < len(s.all) {
		next := s.all[n]
		b.Tried = next.CommitSeq
		b.Note = fmt.Sprintf("apply %s, commit seq %d (%d of %d)", cmp.Or(next.Summary, next.Type.String()), next.CommitSeq, n+1, len(s.all))
	}
	return b
}

// brief are outcomes with texts of bounded size.
func brief(outcomes []job.ApplyResult) []job.ApplyResult {
	short := make([]job.ApplyResult, 0, len(outcomes))
	for _, o := range outcomes {
		for _, text := range []*string{&o.Summary, &o.Refused, &o.Conflict} {
			if len(*text) > outcomeText {
				*text = strings.ToValidUTF8((*text)[:outcomeText], "") + "…"
			}
		}
		short = append(short, o)
	}
	return short
}
