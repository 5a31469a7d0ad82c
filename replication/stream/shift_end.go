package stream

import (
	"context"
	"errors"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// How a shift ends: transactions under way are waited for, and of all that was
// noted the one thing is chosen that the workflow has to know.

// stopGrace is how long transactions under way may take to finish when a shift is
// asked to stop.
const stopGrace = 5 * time.Second

// failure is why a binlog could not be applied.
type failure struct {
	seq int64
	err error
}

// ending is why a shift ends.
type ending struct {
	end    job.StreamEnd
	binlog *job.Binlog
	// following are binlogs behind it for the same step.
	following []job.Binlog
	wanted    *job.SnapshotWanted
	problem   *job.Problem
	tables    job.TableChanges
	gap       *job.Gap
	// found: the source is not what the job follows (look.go). That counts more
	// than what its last binlogs lead to.
	found bool
	// late is the binlog, filed late, that a snapshot is wanted for: later ones may fail
	// for want of it.
	late int64
	// newEpoch: the labels of this epoch are of no use any more.
	newEpoch bool
}

// handedOver are the binlogs for the step behind the shift.
func (e *ending) handedOver() []job.Binlog {
	if e.binlog == nil {
		return nil
	}
	return append([]job.Binlog{*e.binlog}, e.following...)
}

// drain waits for the transactions under way. When the shift was asked to stop
// they get a limited time.
func (s *shift) drain(stop context.Context) {
	done := make(chan struct{})
	go func() {
		s.txns.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-stop.Done():
	}
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.cancelWork()
		<-done
	}
}

// decideEnding turns what was noted into the shift's end. A failed transaction
// wins over what its successors would have led to, but not over the snapshot that a
// predecessor wants which was filed late; an order to stop wins over
// both, unless everything before the reason to end has been applied. What a
// shift that is told to stop has been trying again is told all the same: a pause
// is no cure.
func (s *shift) decideEnding(ctx, stop context.Context, e ending) ending {
	s.mu.Lock()
	failed, trouble := s.failure, s.problem
	s.mu.Unlock()
	ordered := ctx.Err() != nil || s.stopClosed() || s.superseded.Load()
	_, open := s.tracker.now()
	switch {
	case ordered && (failed != nil || open > 0):
		return ending{end: job.EndStopped, problem: trouble}
	case e.found:
		return e
	case failed != nil && (e.late == 0 || failed.seq < e.late):
		var want *problem.WantSnapshot
		if errors.As(failed.err, &want) {
			return ending{end: job.EndSnapshot, wanted: &want.Wanted}
		}
		if errors.Is(failed.err, problem.ErrStuck) && !s.in.Spec.ReuseBinlogLabel {
			s.note("going on with other labels, for those of epoch %d are of no use any more", s.in.Progress.Epoch)
			return ending{end: job.EndShiftOver, newEpoch: true}
		}
		return *s.blocked(failed.err, failed.seq, binlog.TypeUpsert)
	case e.late != 0:
		return e
	case open > 0 && trouble != nil: // its time was over before its troubles
		return ending{end: job.EndBlocked, problem: trouble}
	case open > 0:
		return ending{end: job.EndShiftOver}
	case e.end == job.EndStopped && !ordered && errors.Is(stop.Err(), context.DeadlineExceeded):
		return ending{end: job.EndShiftOver}
	case e.end == job.EndStopped && ordered:
		e.problem = trouble
	}
	return e
}

func (s *shift) stopClosed() bool {
	select {
	case <-s.hooks.Stop: // a nil channel never gets here
		return true
	default:
		return false
	}
}

// fail notes why a binlog could not be applied and stops the loop.
func (s *shift) fail(seq int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		close(s.failing)
	}
	if s.failure == nil || seq < s.failure.seq {
		s.failure = &failure{seq: seq, err: err}
	}
}

// hasFailed tells whether a binlog could not be applied.
func (s *shift) hasFailed() bool {
	select {
	case <-s.failing:
		return true
	default:
		return false
	}
}

// blocked ends the shift with a problem.
func (s *shift) blocked(err error, seq int64, t binlog.Type) *ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := problem.Of(err, seq, t)
	if s.problem != nil {
		p.Tries = 0 // troubled has counted this one
		*p = p.Continues(s.problem)
	}
	s.job.Options.Metrics.Failed(s.job.Spec.Name, "stream", p.Kind)
	return &ending{end: job.EndBlocked, problem: p}
}

// nextSeq stands for a binlog that could not even be fetched: the position.
func (s *shift) nextSeq() int64 {
	p, _ := s.tracker.now()
	return p.CommitSeq
}
