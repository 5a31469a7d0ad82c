package replication

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
)

// unknownAhead is how many UPSERTs an attempt can have applied beyond the last
// position that was heard of: those under way at a checkpoint and those begun
// since, with a group to spare.
const unknownAhead = maxAhead + mostUncovered + 64

// unknownUpsert is an UPSERT that an earlier attempt may have applied.
type unknownUpsert struct {
	seq     int64
	records map[int64]binlog.TableRecord
}

// unknownRange is the part of the log whose UPSERTs an earlier attempt may have
// applied: after what is durable, up to the next fence.
type unknownRange struct {
	durable, position int64                // commit seqs
	has               func(seq int64) bool // what is dealt with beyond durable
	last              int64                // no binlog beyond; 0: it is not known
	limit             int                  // how many UPSERTs at most; 0: all
}

// unknownUpserts reads again the UPSERTs that an earlier attempt may have applied.
func (j *Job) unknownUpserts(ctx context.Context, p *job.Progress, r unknownRange, visit func(unknownUpsert)) error {
	size := newBatchSize(j.opts.BatchSize)
	req := j.binlogRequest(r.durable, 0)
	for upserts := 0; ; {
		size.ask(&req)
		got, err := j.source.fe.Binlogs(ctx, req)
		if size.less(req.Limit, err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read binlogs after commit seq %d: %w", req.PrevCommitSeq, err)
		}
		size.got(got.Binlogs)
		if got.Status == status.BinlogTooOldCommitSeq && len(got.Binlogs) > 0 {
			if to := got.Binlogs[0].CommitSeq; req.PrevCommitSeq < to && to <= max(r.position, p.GapTo) {
				req.PrevCommitSeq = to // it is dealt with, or older than the comparison of all tables
				continue
			}
			return &wantSnapshot{wanted: job.SnapshotWanted{Reason: lostReason(req.PrevCommitSeq, got.Binlogs[0].CommitSeq)}}
		}
		for _, rec := range got.Binlogs {
			if r.has(rec.CommitSeq) {
				req.PrevCommitSeq = rec.CommitSeq
				continue
			}
			if r.last > 0 && rec.CommitSeq > r.last {
				return nil
			}
			records, err := j.recordsIn(rec, p)
			if err != nil {
				return err
			}
			if len(records) > 0 {
				visit(unknownUpsert{seq: rec.CommitSeq, records: records})
			}
			if rec.Type == binlog.TypeUpsert {
				upserts++
			} else if j.endsShift(rec, p) {
				return nil
			}
			if r.limit > 0 && upserts >= r.limit {
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
	return recordsOf(&u, rec.CommitSeq, &j.spec, p)
}

// endsShift tells whether an attempt cannot have come past the binlog.
func (j *Job) endsShift(rec binlog.Record, p *job.Progress) bool {
	inner, err := rec.Unwrap()
	if err != nil {
		return true
	}
	v, err := judge(inner, &j.spec, p)
	return err != nil || v == handOver || v == lost
}

// labelsOf are the labels that an UPSERT may have been applied with, from an epoch
// on.
func (j *Job) labelsOf(p *job.Progress, seq, first int64) (labels []string) {
	for epoch := first; epoch <= p.Epoch; epoch++ {
		labels = append(labels, job.TxnLabel(j.spec.UID, epoch, j.spec.Source.DatabaseID, seq))
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
	r := unknownRange{
		durable: durable, position: p.Position.CommitSeq, limit: unknownAhead, // so that not all of a long log is read
		has: func(seq int64) bool { return seq <= durable || slices.Contains(p.Ahead, seq) },
	}
	var labels []string
	err := j.unknownUpserts(ctx, p, r, func(u unknownUpsert) {
		labels = append(labels, j.labelsOf(p, u.seq, min(firstUnheardEpoch(p), p.Epoch-1))...)
	})
	var lost *wantSnapshot
	if err != nil && !errors.As(err, &lost) { // what is lost cannot be asked for, and comes by a snapshot
		return nil, err
	}
	return j.byLabels(ctx, labels)
}

// firstUnheardEpoch is the first epoch in which something may have been applied
// that nobody but the destination knows of.
func firstUnheardEpoch(p *job.Progress) int64 {
	switch {
	case p.Unheard.IsZero():
		return p.Epoch // only this step is in doubt
	case p.UnheardEpoch > 0:
		return p.UnheardEpoch
	case p.FirstEpoch > 0:
		return p.FirstEpoch
	}
	return p.Epoch
}

// rollbackAll rolls back the job's open transactions, found by their labels.
func (j *Job) rollbackAll(ctx context.Context, p *job.Progress) error {
	if err := j.destination.findMaster(ctx); err != nil {
		return err
	}
	list, err := j.transactions(ctx, job.LabelPrefix(j.spec.UID)+":")
	if lacksPrivilege(err) {
		list, err = j.leftByLabel(ctx, p)
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, tx := range list {
		if tx.Status == sqlclient.TxnPrepare || tx.Status == sqlclient.TxnPrecommitted {
			if err := j.rollback(ctx, tx.ID, "the replication job ends"); !errors.Is(err, errStuck) {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}
