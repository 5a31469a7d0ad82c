package stream

import (
	"context"
	"errors"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/replication/pair"
)

const (
	// lagEvery is how often a busy shift asks the source for its lag.
	lagEvery = time.Second
	// lagGap is the least time before it asks again because the log is at its end.
	lagGap = lagEvery / 2
)

// observe asks the source for the lag while the shift is busy, while binlogs may
// still be filed late, and when somebody wants to know it: an idle shift has no lag
// and learns that from its polls, but with many jobs those are seconds apart. Once
// it moves the lock on the source's binlogs (doris-binlogs.md 1.7) to the durable
// position that the workflow knows, and no further: what this shift reports of
// itself is lost if it ends without an answer, and the next one begins there again.
func (s *shift) observe(ctx context.Context) {
	unlocked := true
	asked := true
	var last time.Time
	for {
		if asked || !s.atRest() {
			last = time.Now()
			r := s.tracker.reached()
			if lag, err := s.job.LagFrom(ctx, r); err == nil {
				s.setLag(lag)
			}
		}
		if asked && s.hooks.Heartbeat != nil {
			s.hooks.Heartbeat(s.heartbeat())
		}
		if unlocked {
			// A log that does not exist yet has nothing that could be collected.
			_, err := s.job.LockBinlog(ctx, s.in.Progress.Durable())
			s.setOldSource(errors.Is(err, fe.ErrUnknownMethod))
			unlocked = err != nil && !errors.Is(err, fe.ErrUnknownMethod) && !errors.Is(err, fe.ErrBinlogNotFound)
		}
		asked = false
		select {
		case <-ctx.Done():
			return
		case <-time.After(lagEvery):
		case <-s.drainedNow:
			if !pair.Sleep(ctx, time.Until(last.Add(lagGap))) {
				return
			}
		case <-s.hooks.Look:
			if !pair.Sleep(ctx, s.job.Connector.LagBudget(s.job.Spec.Source).Reserve(time.Now(), pair.Idle)) {
				return
			}
			asked = true
		}
	}
}

// atRest tells that the last poll has found nothing, that nothing is open, and that
// nothing can be filed late any more: then there is no lag.
func (s *shift) atRest() bool {
	_, open := s.tracker.now()
	from, to := s.tracker.unsettled()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle && open == 0 && (s.tracker.inOrder || to <= from)
}

func (s *shift) setLag(lag binlog.Lag) {
	if lag.Binlogs > 0 && lag.NextTimestamp <= 0 {
		_, lag.NextBefore = s.tracker.begun()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = lag
}

// setIdle notes whether the last poll found nothing.
func (s *shift) setIdle(idle bool) {
	s.mu.Lock()
	drained := idle && !s.idle
	s.idle = idle
	if idle {
		s.drained = time.Now()
	}
	s.mu.Unlock()
	if s.atRest() {
		s.noLag()
	} else if drained {
		select {
		case s.drainedNow <- struct{}{}:
		default:
		}
	}
}

func (s *shift) noLag() {
	position, _ := s.tracker.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag.Binlogs, s.lag.NextCommitSeq, s.lag.NextTimestamp = 0, 0, 0
	s.lag.LastCommitSeq = max(s.lag.LastCommitSeq, position.CommitSeq)
	s.lag.ObservedAt = time.Now()
}
