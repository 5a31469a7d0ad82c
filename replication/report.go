package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
)

const (
	// reportGap is the least time between two reports of a moving position,
	// reportIdle the time between reports of one that stands still.
	reportGap  = 200 * time.Millisecond
	reportIdle = 500 * time.Millisecond
	// warnEvery bounds what a trouble that keeps a whole window busy logs.
	warnEvery = time.Second
	// lagEvery is how often a busy shift asks the source for its lag.
	lagEvery = time.Second
	// maxNotes bounds what one shift adds to the job's events.
	maxNotes = 20
)

// report passes the position on whenever it has moved, until over is closed.
func (s *shift) report(over <-chan struct{}) {
	timer := time.NewTimer(reportIdle)
	defer timer.Stop()
	for {
		select {
		case <-over:
			return
		case <-s.tracker.changed:
		case <-timer.C:
		}
		hb := s.heartbeat()
		if s.hooks.Heartbeat != nil {
			s.hooks.Heartbeat(hb)
		}
		s.job.opts.Metrics.reached(s.job.spec.Name, hb.Position.CommitSeq)
		timer.Reset(reportIdle)
		select {
		case <-over:
			return
		case <-time.After(reportGap):
		}
	}
}

func (s *shift) heartbeat() job.Heartbeat {
	p, _ := s.tracker.now()
	settled, ahead := s.durable()
	s.mu.Lock()
	defer s.mu.Unlock()
	hb := job.Heartbeat{Position: p, Settled: settled, Ahead: ahead, Lag: s.lag, At: time.Now(), Heard: s.heard, Differences: s.differing()}
	if s.problem != nil {
		problem := *s.problem
		hb.Problem = &problem
	}
	return hb
}

// troubled notes that something is being retried. Of several binlogs in trouble
// the first one is told of: the job stands there, and that one is what an
// operator may have to skip.
func (s *shift) troubled(err error, seq int64, t job.BinlogType) {
	position, _ := s.tracker.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := problemOf(err, seq, t)
	if old := s.problem; old != nil {
		if old.CommitSeq < seq && (old.CommitSeq > position.CommitSeq || s.tracker.open(old.CommitSeq)) {
			return
		}
		p.Since, p.Tries = old.Since, old.Tries+1
	}
	s.problem = p
	if time.Since(s.warned) > warnEvery {
		s.warned = time.Now()
		s.log.Warn("retrying", "commit_seq", seq, "tries", p.Tries, "error", err)
	}
}

// note keeps something noteworthy for the job's events, and logs it.
func (s *shift) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.log.Info(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.notes) < maxNotes {
		s.notes = append(s.notes, text)
	}
}

// noteOnce is note for what would be told of the same thing again and again. It
// ends the shift soon, for events are told when a shift ends.
func (s *shift) noteOnce(about, format string, args ...any) {
	news, hurry := s.book.tell(about, time.Now())
	if news {
		s.note(format, args...)
	}
	if hurry {
		select {
		case s.telling <- struct{}{}:
		default:
		}
	}
}

// fine ends the trouble at seq, and any that the position has passed.
func (s *shift) fine(seq int64) {
	position, _ := s.tracker.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.problem; p != nil && (p.CommitSeq == seq || p.CommitSeq <= position.CommitSeq && !s.tracker.open(p.CommitSeq)) {
		s.problem = nil
	}
}

// observe asks the source for the lag while the shift is busy, and when somebody
// wants to know it: an idle shift has no lag and learns that from its polls, but
// with many jobs those are seconds apart. Once it moves the lock on the source's
// binlogs (doris-binlogs.md 1.7) to the durable position that the workflow knows, and no
// further: what this shift reports of itself is lost if it ends without an
// answer, and the next one begins there again.
func (s *shift) observe(ctx context.Context) {
	unlocked := true
	asked := true
	for {
		position, open := s.tracker.now()
		s.mu.Lock()
		idle := s.idle && open == 0
		s.mu.Unlock()
		if asked || !idle {
			if lag, err := s.job.lag(ctx, position.CommitSeq); err == nil {
				s.setLag(lag)
			}
		}
		if asked && s.hooks.Heartbeat != nil {
			s.hooks.Heartbeat(s.heartbeat())
		}
		if unlocked {
			// A log that does not exist yet has nothing that could be collected.
			_, err := s.job.lockBinlog(ctx, s.in.Progress.Durable())
			s.setOldSource(errors.Is(err, fe.ErrUnknownMethod))
			unlocked = err != nil && !errors.Is(err, fe.ErrUnknownMethod) && !errors.Is(err, fe.ErrBinlogNotFound)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lagEvery):
			asked = false
		case <-s.hooks.Look:
			if !sleep(ctx, s.job.c.looksOf(s.job.spec.Source).reserve(time.Now(), false)) {
				return
			}
			asked = true
		}
	}
}

// differing is what the two sides are known to differ in, nil if nobody compares.
func (s *shift) differing() *[]job.Difference {
	if s.job.opts.SurveyEvery < 0 {
		return nil
	}
	list := s.book.differences()
	return &list
}

func (s *shift) setOldSource(old bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldSource = old
}

func (s *shift) setLag(lag job.Lag) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = lag
}

// setIdle notes whether the last poll found nothing. A source without newer
// binlogs has no lag once everything under way is applied.
func (s *shift) setIdle(idle bool) {
	position, open := s.tracker.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = idle
	if idle {
		s.drained = time.Now()
	}
	if idle && open == 0 {
		s.lag.Binlogs, s.lag.NextCommitSeq, s.lag.NextTimestamp = 0, 0, 0
		s.lag.LastCommitSeq = max(s.lag.LastCommitSeq, position.CommitSeq)
		s.lag.ObservedAt = time.Now()
	}
}
