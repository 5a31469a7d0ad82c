package pair

import (
	"context"
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
)

// BinlogRequest addresses the log that this job follows.
func (j *Job) BinlogRequest(prev, limit int64) fe.BinlogRequest {
	req := fe.BinlogRequest{Database: j.Spec.Source.Database, PrevCommitSeq: prev, Limit: limit}
	if j.Spec.Type() == job.TableSync {
		req.Table, req.TableID = j.Spec.Source.Table, j.Spec.Source.TableID
	}
	return req
}

// LockBinlog tells the source that nothing before seq is needed any more; a
// negative seq stands for the newest binlog.
func (j *Job) LockBinlog(ctx context.Context, seq int64) (int64, error) {
	req := fe.LockRequest{Database: j.Spec.Source.Database, TableID: -1, JobUniqueID: j.Spec.Name + "_" + j.Spec.UID, CommitSeq: seq}
	if j.Spec.Type() == job.TableSync {
		req.Table, req.TableID = j.Spec.Source.Table, j.Spec.Source.TableID
	}
	return j.Source.FE.LockBinlog(ctx, req)
}

// MaxRetraced bounds how many batches of binlogs becameOf reads: hours of loads.
const MaxRetraced = 10_000

const (
	// gapBatch is how many binlogs are read to find the records of the switch.
	gapBatch = 255
)

// RecordedTo is the end of the binlogs that are there now, or a place on the way
// to it if the source does not tell where that is, never 0.
func (j *Job) RecordedTo(ctx context.Context, position int64) (int64, error) {
	lag, err := j.BinlogLag(ctx, position)
	if err != nil {
		return 0, err
	}
	if lag.LastCommitSeq > 0 {
		return max(lag.LastCommitSeq, position, 1), nil
	}
	got, err := j.Source.FE.Binlogs(ctx, j.BinlogRequest(position, gapBatch))
	if err != nil && !errors.Is(err, fe.ErrBinlogNotFound) {
		return 0, fmt.Errorf("read binlogs after commit seq %d: %w", position, err)
	}
	if n := len(got.Binlogs); n > 0 {
		position = got.Binlogs[n-1].CommitSeq
	}
	return max(position, 1), nil
}

// GapAhead tells whether the binlogs after a position say that the source has not
// recorded for a while, or whether it does not now.
func (j *Job) GapAhead(ctx context.Context, position int64, p *job.Progress) (bool, error) {
	f, err := j.LookAtSource(ctx)
	if err != nil || f.Off {
		return f.Off, err
	}
	for range MaxRetraced {
		got, err := j.Source.FE.Binlogs(ctx, j.BinlogRequest(position, gapBatch))
		if err != nil && !errors.Is(err, fe.ErrBinlogNotFound) {
			return false, fmt.Errorf("look for a time without binlogs after commit seq %d: %w", position, err)
		}
		if err != nil || len(got.Binlogs) == 0 {
			return false, nil
		}
		for _, rec := range got.Binlogs {
			inner, err := rec.Unwrap()
			if err != nil {
				return false, err
			}
			if v, err := ClassifyBinlog(inner, &j.Spec, p); err == nil && v == ActionGap {
				return true, nil
			}
			position = rec.CommitSeq
		}
	}
	return false, nil
}
