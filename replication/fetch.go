package replication

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// emptyLogCheck is how often a log that does not exist is looked into: a
// database without any binlog yet is idle, one that is gone is a problem.
const emptyLogCheck = 30 * time.Second

// fetch reads the source's binlogs ahead of the pipeline: while a batch is being
// applied the next one is already here. It ends with ctx or after an error that
// lasted.
func (s *shift) fetch(ctx context.Context, out chan<- batch) {
	position, _ := s.tracker.now()
	req := s.job.binlogRequest(position.CommitSeq, int64(s.job.opts.BatchSize))
	budget := s.job.c.budgetOf(s.job.spec.Source)
	pace := pacer{shortest: s.job.opts.IdlePollMin, longest: s.job.opts.IdlePollMax, lastBinlog: time.Now(), lastPoll: time.Now()}
	retry := backoff{budget: s.job.opts.RetryBudget}
	var checked time.Time
	for ctx.Err() == nil {
		if !sleep(ctx, budget.reserve(time.Now(), pace.active(time.Now()))) {
			return
		}
		got, err := s.job.source.fe.Binlogs(ctx, req)
		if errors.Is(err, fe.ErrBinlogNotFound) {
			if time.Since(checked) < emptyLogCheck {
				err = nil
			} else if err = s.job.explainEmptyLog(ctx); err == nil {
				checked = time.Now()
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			err = fmt.Errorf("read binlogs after commit seq %d: %w", req.PrevCommitSeq, err)
			s.troubled(err, req.PrevCommitSeq, job.Dummy)
			if _, retryable := Classify(err); retryable && retry.failed(ctx) {
				continue
			}
			send(ctx, out, batch{err: err})
			return
		}
		if retry.tries > 0 {
			retry.succeeded()
			s.fine(req.PrevCommitSeq)
		}
		n := len(got.Binlogs)
		s.setIdle(n == 0)
		if n > 0 || s.in.Probe {
			if !send(ctx, out, batch{binlogs: got.Binlogs, fetched: time.Now()}) {
				return
			}
		}
		if n > 0 {
			req.PrevCommitSeq = got.Binlogs[n-1].CommitSeq
			if got.Status == status.BinlogTooOldCommitSeq {
				return // the loop ends at the DUMMY
			}
		}
		if !sleep(ctx, pace.found(time.Now(), n, n >= s.job.opts.BatchSize)) {
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

// explainEmptyLog says why the source has no log for this job; nil means that
// simply nothing has been recorded yet.
func (j *Job) explainEmptyLog(ctx context.Context) error {
	if j.spec.Type() == job.TableSync {
		t, isDropped, err := j.source.tableByID(ctx, j.spec.Source.TableID)
		switch {
		case err != nil:
			return err
		case t == nil && isDropped:
			return withRemedy(metaErrorf("source table %s.%s has been dropped", j.spec.Source.Database, j.spec.Source.Table),
				remedyNoTable)
		case t == nil:
			return withRemedy(metaErrorf("source table %s.%s (id %d) does not exist", j.spec.Source.Database, j.spec.Source.Table, j.spec.Source.TableID),
				remedyNoTable)
		}
		text, err := j.source.sql.CreateTableText(ctx, j.spec.Source.Database, t.Name)
		return switchedOff(fmt.Sprintf("source table %s.%s", j.spec.Source.Database, t.Name), text, err)
	}
	if _, err := j.source.databaseID(ctx); err != nil {
		return err
	}
	text, err := j.source.sql.CreateDatabaseText(ctx, j.spec.Source.Database)
	return switchedOff("source database "+j.spec.Source.Database, text, err)
}

// switchedOff is the error that what has no log records none: nothing of it
// would ever follow, although the job looks idle.
func switchedOff(what, text string, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("look whether the %s records binlogs: %w", what, err)
	case strings.Contains(text, binlogEnabled):
		return nil
	}
	return withRemedy(metaErrorf("the %s does not record binlogs: binlog.enable is off", what),
		`switch it on again: SET ("binlog.enable" = "true"); then force_fullsync, for what was written meanwhile is in no binlog`)
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

// lag asks the source how far the position is behind.
func (j *Job) lag(ctx context.Context, position int64) (job.Lag, error) {
	lag, err := j.source.fe.BinlogLag(ctx, j.binlogRequest(position, 0))
	if errors.Is(err, fe.ErrBinlogNotFound) {
		lag, err = job.Lag{}, nil // nothing recorded, nothing to catch up with
	}
	if err != nil {
		return job.Lag{}, fmt.Errorf("ask for the binlog lag: %w", err)
	}
	lag.ObservedAt = time.Now()
	return lag, nil
}

// Lag measures how far the job's position is behind its source.
func (j *Job) Lag(ctx context.Context, in job.StepInput) (job.Lag, error) {
	return j.lag(ctx, in.Progress.Position.CommitSeq)
}
