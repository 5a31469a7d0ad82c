package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
)

const (
	// lagEvery is how often a busy shift asks the source for its lag.
	lagEvery = time.Second
	// lagGap is the least time before it asks again because the log is at its end.
	lagGap = lagEvery / 2
)

// lag asks the source how many binlogs there are after a commit seq.
func (j *Job) lag(ctx context.Context, position int64) (binlog.Lag, error) {
	lag, err := j.source.fe.BinlogLag(ctx, j.binlogRequest(position, 0))
	if errors.Is(err, fe.ErrBinlogNotFound) {
		lag, err = binlog.Lag{}, nil // nothing recorded, nothing to catch up with
	}
	if err != nil {
		return binlog.Lag{}, fmt.Errorf("ask for the binlog lag: %w", err)
	}
	lag.ObservedAt = time.Now()
	return lag, nil
}

// reached is how far a job has come in the log of its source.
type reached struct {
	position int64
	// settled: up to here nothing is filed any more. dealt is how many binlogs
	// beyond it are applied, or passed over.
	settled int64
	dealt   int
}

// lagAfter asks the source how far a job is behind. A binlog that was filed after
// others with greater commit seqs stands before the position, and is missing all
// the same (doris-binlogs.md 1.2): where the position has no lag, what is not
// settled is counted.
func (j *Job) lagAfter(ctx context.Context, r reached) (binlog.Lag, error) {
	lag, err := j.lag(ctx, r.position)
	if err != nil || lag.Binlogs > 0 || r.settled >= r.position {
		return lag, err
	}
	all, err := j.lag(ctx, r.settled)
	if err != nil {
		return binlog.Lag{}, err
	}
	if late := all.Binlogs - int64(r.dealt); late > 0 {
		all.Binlogs = late
		return all, nil
	}
	return lag, nil
}

// Lag measures how far the job is behind its source.
func (j *Job) Lag(ctx context.Context, in job.StepInput) (binlog.Lag, error) {
	p := &in.Progress
	r := reached{position: p.Position.CommitSeq, settled: p.Durable(), dealt: len(p.Ahead)}
	if r.dealt == 0 || p.Ahead[r.dealt-1] < r.position {
		r.settled = r.position // a newer position, of which is not known what is dealt with
	}
	return j.lagAfter(ctx, r)
}

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
			if lag, err := s.job.lagAfter(ctx, r); err == nil {
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
		asked = false
		select {
		case <-ctx.Done():
			return
		case <-time.After(lagEvery):
		case <-s.drainedNow:
			if !sleep(ctx, time.Until(last.Add(lagGap))) {
				return
			}
		case <-s.hooks.Look:
			if !sleep(ctx, s.job.c.looksOf(s.job.spec.Source).reserve(time.Now(), false)) {
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
