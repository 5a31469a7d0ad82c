package stream

import (
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

const (
	// reportGap is the least time between two reports of a moving position,
	// reportIdle the time between reports of one that stands still.
	reportGap  = 200 * time.Millisecond
	reportIdle = 500 * time.Millisecond
	// warnEvery bounds what a trouble that keeps a whole window busy logs.
	warnEvery = time.Second
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
		s.job.Options.Metrics.Reached(s.job.Spec.Name, hb.Position.CommitSeq)
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
	tried, _ := s.tracker.begun()
	s.mu.Lock()
	defer s.mu.Unlock()
	hb := job.Heartbeat{Position: p, Settling: job.Settling{Settled: settled, AppliedBeyond: ahead}, Lag: s.lag, At: time.Now(), UnconfirmedSince: s.unconfirmed, Differences: s.differing(), Comparing: s.comparing(), Note: s.hooks.Holds.doing()}
	if tried > p.CommitSeq {
		hb.Tried = tried
	}
	if s.problem != nil {
		problem := *s.problem
		hb.Problem = &problem
	}
	return hb
}

// reportProblem notes that something is being retried. Of several binlogs in trouble
// the first one is told of: the job stands there, and that one is what an
// operator may have to skip.
func (s *shift) reportProblem(err error, seq int64, t binlog.Type) {
	position, _ := s.tracker.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := problem.Of(err, seq, t)
	if old := s.problem; old != nil {
		if old.CommitSeq < seq && (old.CommitSeq > position.CommitSeq || s.tracker.open(old.CommitSeq)) {
			return
		}
		*p = p.Continues(old)
	}
	s.problem = p
	if time.Since(s.warned) > warnEvery {
		s.warned = time.Now()
		s.log.Warn("retrying", "commit_seq", seq, "attempt", p.Tries+s.hooks.Tries, "error", err)
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
	news, hurry := s.book.isNews(about, time.Now())
	if news {
		s.note(format, args...)
	}
	if hurry {
		select {
		case s.noticed <- struct{}{}:
		default:
		}
	}
}

// clearProblem ends the trouble at seq, and any that the position has passed.
func (s *shift) clearProblem(seq int64) {
	position, _ := s.tracker.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.problem; p != nil && (p.CommitSeq == seq || p.CommitSeq <= position.CommitSeq && !s.tracker.open(p.CommitSeq)) {
		s.problem = nil
	}
}

// differing is what the two sides are known to differ in, nil if nobody compares.
func (s *shift) differing() *[]job.Difference {
	if s.job.Options.SurveyEvery < 0 {
		return nil
	}
	list := s.book.differences()
	if list == nil {
		list = []job.Difference{} // as JSON, nil would say that nobody compares
	}
	return &list
}

// comparing tells how the comparing goes.
func (s *shift) comparing() *job.Comparing {
	return s.book.comparing(time.Now(), s.job.Options.SurveyEvery)
}

func (s *shift) setOldSource(old bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldSource = old
}
