package pair

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// MaxAppliedBeyond is how many binlogs a shift may be ahead of its position. Only in
// per_table order can it be more than the window; an attempt that starts over
// relies on it (stream/recover.go).
const MaxAppliedBeyond = 256

// MaxUnconfirmed is how many UPSERTs an attempt can have applied beyond the last
// position that was reported: those under way at a checkpoint and those begun
// since, with a group to spare.
const MaxUnconfirmed = MaxAppliedBeyond + mostUncovered + MaxGroup

// UnconfirmedUpsert is an UPSERT that an earlier attempt may have applied.
type UnconfirmedUpsert struct {
	Seq     int64
	Records map[int64]binlog.TableRecord
}

// UnconfirmedRange is the part of the log whose UPSERTs an earlier attempt may have
// applied: after what is durable, up to the next fence. One that was filed late
// (doris-binlogs.md 1.2) the attempt may have missed, and come past it for as long as it
// takes to find it.
type UnconfirmedRange struct {
	Durable, Position int64                // commit seqs
	Has               func(seq int64) bool // what is dealt with beyond durable
	Last              int64                // no binlog beyond; 0: it is not known
	Limit             int                  // how many UPSERTs at most; 0: all
}

// UnconfirmedUpserts reads again the UPSERTs that an earlier attempt may have applied.
func (j *Job) UnconfirmedUpserts(ctx context.Context, p *job.Progress, r UnconfirmedRange, visit func(UnconfirmedUpsert)) error {
	size := NewBatchSize(j.Options.BatchSize)
	req := j.BinlogRequest(r.Durable, 0)
	missed := false // a fence is behind
	var until int64 // with missed: the time of the last binlog that may have been applied
	for upserts := 0; ; {
		size.Ask(&req)
		got, err := j.Source.FE.Binlogs(ctx, req)
		if size.Less(req.Limit, err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read binlogs after commit seq %d: %w", req.PrevCommitSeq, err)
		}
		size.Got(got.Binlogs)
		if got.Status == status.BinlogTooOldCommitSeq && len(got.Binlogs) > 0 {
			if to := got.Binlogs[0].CommitSeq; req.PrevCommitSeq < to && to <= max(r.Position, p.GapTo) {
				req.PrevCommitSeq = to // it is dealt with, or older than the comparison of all tables
				continue
			}
			return &problem.WantSnapshot{Wanted: job.SnapshotWanted{Reason: LostReason(req.PrevCommitSeq, got.Binlogs[0].CommitSeq)}}
		}
		for _, rec := range got.Binlogs {
			if r.Has(rec.CommitSeq) {
				req.PrevCommitSeq = rec.CommitSeq
				continue
			}
			if r.Last > 0 && rec.CommitSeq > r.Last || missed && rec.Timestamp > until {
				return nil
			}
			records, err := j.recordsIn(rec, p)
			if err != nil {
				return err
			}
			if missed {
				maps.DeleteFunc(records, func(id int64, _ binlog.TableRecord) bool { return p.Tables[id].DestID == 0 }) // nothing of it was applied
			}
			if len(records) > 0 {
				visit(UnconfirmedUpsert{Seq: rec.CommitSeq, Records: records})
			}
			if rec.Type == binlog.TypeUpsert {
				upserts++
			} else if !missed && j.endsShift(rec, p) {
				if j.Spec.Type() == job.TableSync || rec.Timestamp <= 0 {
					return nil // the log of a table is in order
				}
				missed, until = true, rec.Timestamp+(3*j.Options.SettleTime).Milliseconds()
			}
			if r.Limit > 0 && upserts >= r.Limit {
				return nil
			}
			req.PrevCommitSeq = rec.CommitSeq
		}
		if len(got.Binlogs) == 0 {
			return nil
		}
	}
}

// recordsIn are the tables of an UPSERT that the job applies; of any other binlog
// there are none.
func (j *Job) recordsIn(rec binlog.Record, p *job.Progress) (map[int64]binlog.TableRecord, error) {
	if rec.Type != binlog.TypeUpsert {
		return nil, nil
	}
	u, err := binlog.DecodeUpsert(rec.Data)
	if err != nil {
		return nil, err
	}
	return RecordsOf(&u, rec.CommitSeq, &j.Spec, p)
}

// endsShift tells whether an attempt that meets the binlog does not come past it.
func (j *Job) endsShift(rec binlog.Record, p *job.Progress) bool {
	inner, err := rec.Unwrap()
	if err != nil {
		return true
	}
	v, err := ClassifyBinlog(inner, &j.Spec, p)
	return err != nil || v == ActionHandOver || v == ActionLost
}

// LabelsOf are the labels that an UPSERT may have been applied with, from an epoch
// on.
func (j *Job) LabelsOf(p *job.Progress, seq, first int64) (labels []string) {
	for epoch := first; epoch <= p.Epoch; epoch++ {
		labels = append(labels, job.TxnLabel(j.Spec.UID, epoch, j.Spec.Source.DatabaseID, seq))
	}
	return labels
}

// leftByLabel lists the transactions that a shift of this epoch or the one before
// may have left beyond the position.
func (j *Job) leftByLabel(ctx context.Context, p *job.Progress) ([]sqlclient.Transaction, error) {
	if p.Position.CommitSeq == 0 {
		return nil, nil // there was no shift
	}
	durable := p.Durable()
	r := UnconfirmedRange{
		Durable: durable, Position: p.Position.CommitSeq, Limit: MaxUnconfirmed, // so that not all of a long log is read
		Has: func(seq int64) bool { return seq <= durable || slices.Contains(p.AppliedBeyond, seq) },
	}
	var labels []string
	err := j.UnconfirmedUpserts(ctx, p, r, func(u UnconfirmedUpsert) {
		labels = append(labels, j.LabelsOf(p, u.Seq, min(FirstUnconfirmedEpoch(p), p.Epoch-1))...)
	})
	var lost *problem.WantSnapshot
	if err != nil && !errors.As(err, &lost) { // what is lost cannot be asked for, and comes by a snapshot
		return nil, err
	}
	return j.ByLabels(ctx, labels)
}

// FirstUnconfirmedEpoch is the first epoch in which something may have been applied
// that nobody but the destination knows of.
func FirstUnconfirmedEpoch(p *job.Progress) int64 {
	switch {
	case p.Unconfirmed.Since.IsZero():
		return p.Epoch // only what this step did is unconfirmed
	case p.Unconfirmed.Epoch > 0:
		return p.Unconfirmed.Epoch
	case p.FirstEpoch > 0:
		return p.FirstEpoch
	}
	return p.Epoch
}

// RollbackAll rolls back the job's open transactions, found by their labels.
func (j *Job) RollbackAll(ctx context.Context, p *job.Progress) error {
	if err := j.Destination.FindMaster(ctx); err != nil {
		return err
	}
	list, err := j.Transactions(ctx, job.LabelPrefix(j.Spec.UID)+":")
	if problem.LacksPrivilege(err) {
		list, err = j.leftByLabel(ctx, p)
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, tx := range list {
		if tx.Status == sqlclient.TxnPrepare || tx.Status == sqlclient.TxnPrecommitted {
			if err := j.Rollback(ctx, tx.ID, "the replication job ends"); !errors.Is(err, problem.ErrStuck) {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}
