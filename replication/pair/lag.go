package pair

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
)

// BinlogLag asks the source how many binlogs there are after a commit seq.
func (j *Job) BinlogLag(ctx context.Context, position int64) (binlog.Lag, error) {
	lag, err := j.Source.FE.BinlogLag(ctx, j.BinlogRequest(position, 0))
	if errors.Is(err, fe.ErrBinlogNotFound) {
		lag, err = binlog.Lag{}, nil // nothing recorded, nothing to catch up with
	}
	if err != nil {
		return binlog.Lag{}, fmt.Errorf("ask for the binlog lag: %w", err)
	}
	lag.ObservedAt = time.Now()
	return lag, nil
}

// Reached is how far a job has come in the log of its source.
type Reached struct {
	Position int64
	// Settled: up to here nothing is filed any more. dealt is how many binlogs
	// beyond it are applied, or passed over.
	Settled int64
	Dealt   int
}

// LagFrom asks the source how far a job is behind. A binlog that was filed after
// others with greater commit seqs stands before the position, and is missing all
// the same (doris-binlogs.md 1.2): where the position has no lag, what is not
// settled is counted.
func (j *Job) LagFrom(ctx context.Context, r Reached) (binlog.Lag, error) {
	lag, err := j.BinlogLag(ctx, r.Position)
	if err != nil || lag.Binlogs > 0 || r.Settled >= r.Position {
		return lag, err
	}
	all, err := j.BinlogLag(ctx, r.Settled)
	if err != nil {
		return binlog.Lag{}, err
	}
	if late := all.Binlogs - int64(r.Dealt); late > 0 {
		all.Binlogs = late
		return all, nil
	}
	return lag, nil
}

// Lag measures how far the job is behind its source.
func (j *Job) Lag(ctx context.Context, in job.StepInput) (binlog.Lag, error) {
	p := &in.Progress
	r := Reached{Position: p.Position.CommitSeq, Settled: p.Durable(), Dealt: len(p.AppliedBeyond)}
	if r.Dealt == 0 || p.AppliedBeyond[r.Dealt-1] < r.Position {
		r.Settled = r.Position // a newer position, of which is not known what is dealt with
	}
	lag, err := j.LagFrom(ctx, r)
	if err == nil && lag.Binlogs > 0 && lag.NextTimestamp <= 0 {
		lag.NextBefore = j.writtenBefore(ctx, r.Position)
	}
	return lag, err
}

// timeReads is how often writtenBefore asks: old servers answer with one binlog.
const timeReads = 8

// writtenBefore is a time, in ms, at which the binlog behind a position had been written,
// 0 unknown. Sources tell that of loads only, and those before 2.1.9 and 3.0.5 do not
// tell it with the lag (doris-rpc.md 3.5), so it is that of the first load.
func (j *Job) writtenBefore(ctx context.Context, position int64) int64 {
	for range timeReads {
		batch, err := j.Source.FE.Binlogs(ctx, j.BinlogRequest(position, timeReads))
		if err != nil || len(batch.Binlogs) == 0 {
			return 0
		}
		for _, rec := range batch.Binlogs {
			if rec.Timestamp > 0 && rec.Type != binlog.TypeDummy {
				return rec.Timestamp
			}
			position = rec.CommitSeq
		}
	}
	return 0
}
