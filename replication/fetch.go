package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
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
	size := newBatchSize(s.job.opts.BatchSize)
	req := s.job.binlogRequest(s.begin(), 0)
	budget := s.job.c.budgetOf(s.job.spec.Source)
	pace := pacer{shortest: s.job.opts.IdlePollMin, longest: s.job.opts.IdlePollMax, lastBinlog: time.Now(), lastPoll: time.Now()}
	retry := backoff{budget: s.job.opts.RetryBudget}
	trouble := false
	for ctx.Err() == nil {
		if !sleep(ctx, budget.reserve(time.Now(), pace.active(time.Now()))) {
			return
		}
		size.ask(&req)
		got, err := s.job.source.fe.Binlogs(ctx, req)
		if errors.Is(err, fe.ErrBinlogNotFound) {
			err = nil // nothing has been recorded yet; if it never will be, look.go tells
		}
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			if errors.Is(err, fe.ErrTooLarge) && size.less(req.Limit, err) {
				continue // the sizes were not what they have been: no trouble
			}
			err = fmt.Errorf("read %d binlogs after commit seq %d: %w", req.Limit, req.PrevCommitSeq, oversized(req.Limit, err))
			s.troubled(err, req.PrevCommitSeq, binlog.TypeDummy)
			trouble = true
			if size.less(req.Limit, err) {
				continue
			}
			if _, retryable := Classify(err); retryable && retry.failed(ctx) {
				continue
			}
			send(ctx, out, batch{err: err})
			return
		}
		if trouble {
			trouble = false
			retry.succeeded()
			s.fine(req.PrevCommitSeq)
		}
		n := len(got.Binlogs)
		size.got(got.Binlogs)
		s.setIdle(n == 0)
		if n > 0 {
			s.setLastBinlog(time.Now())
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
		if !sleep(ctx, pace.found(time.Now(), n, int64(n) >= req.Limit)) {
			return
		}
	}
}

func send(ctx context.Context, out chan<- batch, b batch) bool {
	select {
	case out <- b:
		return true
	case <-ctx.Done():
		return false
	}
}

// binlogRequest addresses the log that this job follows.
func (j *Job) binlogRequest(prev, limit int64) fe.BinlogRequest {
	req := fe.BinlogRequest{Database: j.spec.Source.Database, PrevCommitSeq: prev, Limit: limit}
	if j.spec.Type() == job.TableSync {
		req.Table, req.TableID = j.spec.Source.Table, j.spec.Source.TableID
	}
	return req
}

// lockBinlog tells the source that nothing before seq is needed any more; a
// negative seq stands for the newest binlog.
func (j *Job) lockBinlog(ctx context.Context, seq int64) (int64, error) {
	req := fe.LockRequest{Database: j.spec.Source.Database, TableID: -1, JobUniqueID: j.spec.Name + "_" + j.spec.UID, CommitSeq: seq}
	if j.spec.Type() == job.TableSync {
		req.Table, req.TableID = j.spec.Source.Table, j.spec.Source.TableID
	}
	return j.source.fe.LockBinlog(ctx, req)
}
