package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// batch is what one getBinlog brought. Binlogs are in commit-seq order.
type batch struct {
	binlogs []binlog.Record
	fetched time.Time
	err     error // the source could not be read for the whole retry budget
}

// fetch reads the source's binlogs ahead of the pipeline: while a batch is being
// applied the next one is already here. It ends with ctx or after an error that
// lasted.
func (s *shift) fetch(ctx context.Context, out chan<- batch) {
	size := pair.NewBatchSize(s.job.Options.BatchSize)
	req := s.job.BinlogRequest(s.begin(), 0)
	budget := s.job.Connector.PollBudget(s.job.Spec.Source)
	pace := s.book.takePacer(s.job.Options)
	defer s.book.keepPacer(pace)
	retry := pair.Backoff{Budget: s.job.Options.RetryBudget}
	trouble := false
	for ctx.Err() == nil {
		if !pair.Sleep(ctx, budget.Reserve(time.Now(), pace.Activity(time.Now()))) {
			return
		}
		size.Ask(&req)
		got, err := s.job.Source.FE.Binlogs(ctx, req)
		if errors.Is(err, fe.ErrBinlogNotFound) {
			err = nil // nothing has been recorded yet; if it never will be, look.go tells
		}
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			if errors.Is(err, fe.ErrTooLarge) && size.Less(req.Limit, err) {
				continue // the sizes were not what they have been: no trouble
			}
			err = fmt.Errorf("read %d binlogs after commit seq %d: %w", req.Limit, req.PrevCommitSeq, pair.Oversized(req.Limit, err))
			s.reportProblem(err, req.PrevCommitSeq, binlog.TypeDummy)
			trouble = true
			if size.Less(req.Limit, err) {
				continue
			}
			if _, retryable := problem.Classify(err); retryable && retry.Failed(ctx) {
				continue
			}
			send(ctx, out, batch{err: err})
			return
		}
		if trouble {
			trouble = false
			retry.Succeeded()
			s.clearProblem(req.PrevCommitSeq)
		}
		n := len(got.Binlogs)
		size.Got(got.Binlogs)
		s.setIdle(n == 0)
		if n > 0 {
			s.setLastBinlog(time.Now())
			s.setUnhandled(1)
		}
		if n > 0 || s.in.Probe {
			if !send(ctx, out, batch{binlogs: got.Binlogs, fetched: time.Now()}) {
				return
			}
		}
		if n > 0 {
			req.PrevCommitSeq = got.Binlogs[n-1].CommitSeq
			if got.Status == status.BinlogTooOldCommitSeq && req.PrevCommitSeq > s.in.Progress.GapTo {
				return // the loop ends at the DUMMY
			}
		}
		now := time.Now()
		wait := pace.Found(now, stampsOf(got.Binlogs), int64(n) >= req.Limit)
		if pace.Activity(now) == pair.Silent {
			wait = pair.InStep(now, wait)
		}
		if !pair.Sleep(ctx, wait) {
			return
		}
	}
}

// takePacer hands out what the shift before knew of the source's rhythm, for one shift at a
// time.
func (b *book) takePacer(opts *pair.Options) *pair.Pacer {
	b.mu.Lock()
	defer b.mu.Unlock()
	pace := b.pacer
	b.pacer = nil
	if pace == nil {
		return pair.NewPacer(time.Now(), opts.IdlePollMin, opts.IdlePollMax)
	}
	pace.Begin(time.Now())
	return pace
}

// keepPacer keeps it for the next shift.
func (b *book) keepPacer(pace *pair.Pacer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pacer = pace
}

// stampsOf are the times that the source gives to binlogs, zero for those without one.
func stampsOf(binlogs []binlog.Record) []time.Time {
	stamps := make([]time.Time, len(binlogs))
	for i, b := range binlogs {
		if b.Timestamp > 0 {
			stamps[i] = time.UnixMilli(b.Timestamp)
		}
	}
	return stamps
}

func send(ctx context.Context, out chan<- batch, b batch) bool {
	select {
	case out <- b:
		return true
	case <-ctx.Done():
		return false
	}
}
