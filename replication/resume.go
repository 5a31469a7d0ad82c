package replication

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// resume asks the destination how far earlier attempts have come, and rolls
// back what they left open. A non-nil ending means that the shift cannot go on.
func (s *shift) resume(ctx context.Context) *ending {
	retry := backoff{budget: s.job.opts.RetryBudget}
	position, _ := s.tracker.now()
	for {
		e, err := s.lookBack(ctx)
		if err == nil {
			if retry.tries > 0 {
				s.fine(position.CommitSeq)
			}
			return e
		}
		if ctx.Err() != nil {
			return &ending{end: job.EndStopped}
		}
		err = fmt.Errorf("ask the destination what is applied: %w", err)
		s.troubled(err, position.CommitSeq, job.Upsert)
		if _, retryable := Classify(err); !retryable || !retry.failed(ctx) {
			if ctx.Err() != nil {
				return &ending{end: job.EndStopped}
			}
			return s.blocked(err, position.CommitSeq, job.Upsert)
		}
	}
}

func (s *shift) lookBack(ctx context.Context) (*ending, error) {
	// What a follower does not know yet would be begun again.
	if err := s.job.destination.findMaster(ctx); err != nil {
		return nil, err
	}
	var err error
	if s.memory, err = s.job.destination.labelMemory(ctx); err != nil {
		return nil, err
	}
	e, err := s.settle(ctx)
	if e != nil || err != nil {
		return e, err
	}
	return nil, s.anchor(ctx)
}

// settle finds out what attempts before this one have applied beyond the
// position.
func (s *shift) settle(ctx context.Context) (*ending, error) {
	position, _ := s.tracker.now()
	if s.in.Spec.ReuseBinlogLabel {
		// The labels are the source's: begin tells, one by one, if they are known.
		if err := s.boundOfEarlier(ctx, position); err != nil {
			return nil, err
		}
		_, err := s.job.transactions(ctx, job.LabelPrefix(s.in.Spec.UID)+":")
		if s.byLabel = lacksPrivilege(err); err != nil && !s.byLabel {
			return nil, err
		}
		return s.forgotten(ctx, position, nil)
	}
	list, err := s.earlier(ctx, position)
	var lost *wantSnapshot
	if errors.As(err, &lost) {
		return &ending{end: job.EndSnapshot, wanted: &lost.wanted}, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := s.sift(ctx, position, list)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || s.in.Spec.CommitOrder == job.CommitOrderPerTable {
		// In per_table order the newest says little about those before it.
		if e, err := s.forgotten(ctx, position, list); e != nil || err != nil {
			return e, err
		}
	}
	s.adopt(position, found)
	return nil, nil
}

// boundOfEarlier finds the newest binlog that an attempt before this one can
// have applied: what is newer was not there yet.
func (s *shift) boundOfEarlier(ctx context.Context, position job.Position) error {
	lag, err := s.job.lag(ctx, position.CommitSeq)
	switch {
	case err != nil:
		return err
	case s.alone && s.in.Spec.CommitOrder != job.CommitOrderPerTable, lag.Binlogs == 0:
		s.bound = position.CommitSeq
	case lag.LastCommitSeq > 0:
		s.bound = lag.LastCommitSeq
	default:
		s.bound = math.MaxInt64 // servers that do not tell
	}
	return nil
}

// sift rolls back what earlier attempts left open, and returns what they have
// committed beyond the position.
func (s *shift) sift(ctx context.Context, position job.Position, list []sqlclient.Transaction) (found []committedLabel, err error) {
	spec := &s.in.Spec
	for _, tx := range list {
		l, ok := parseLabel(tx.Label)
		if !ok || l.uid != spec.UID || l.db != spec.Source.DatabaseID {
			continue
		}
		switch tx.Status {
		case sqlclient.TxnPrepare, sqlclient.TxnPrecommitted:
			// It may hold rows of binlogs whose labels say nothing of it (group.go):
			// this attempt must not begin before it is surely aborted.
			if err := s.job.abort(ctx, tx.ID, "left by an earlier attempt"); err != nil {
				return nil, fmt.Errorf("roll back %s, left by an earlier attempt: %w", tx.Label, err)
			}
		case sqlclient.TxnCommitted, sqlclient.TxnVisible:
			if l.seq > position.CommitSeq && s.counts(l.epoch) {
				found = append(found, committedLabel{label: l, txn: tx.ID})
			}
		}
	}
	return found, nil
}

// counts tells whether what was applied in an epoch is on the destination: what
// was before the last full sync is not. A partial sync begins an epoch, too, and
// is often ordered before it is known what the shift before it has applied.
func (s *shift) counts(epoch int64) bool {
	p := &s.in.Progress
	first := p.FirstEpoch
	if first == 0 && s.in.Spec.CommitOrder != job.CommitOrderPerTable {
		first = p.Epoch
	}
	return first <= epoch && epoch <= p.Epoch
}

// committedLabel is a transaction beyond the position.
type committedLabel struct {
	label
	txn int64
}

// adopt makes what earlier attempts have committed beyond the position known to
// this one. In global order everything before the newest commit is applied. In
// per_table order that holds for everything more than maxAhead commits before
// the newest; the others are remembered one by one.
func (s *shift) adopt(position job.Position, found []committedLabel) {
	slices.SortFunc(found, func(a, b committedLabel) int { return cmp.Compare(a.seq, b.seq) })
	start := position.CommitSeq
	var surely int // how many of them are part of the position
	if s.in.Spec.CommitOrder == job.CommitOrderPerTable {
		surely = max(0, len(found)-maxAhead)
		for _, l := range found[surely:] {
			s.applied[l.seq] = true
		}
	} else {
		surely = len(found)
	}
	if surely == 0 {
		return
	}
	last := found[surely-1]
	position.CommitSeq, position.TxnID = last.seq, last.txn
	position.Applied += int64(surely)
	s.log.Info("an earlier attempt came further than it could tell", "reported", start, "applied", position.CommitSeq)
	s.tracker.reset(position)
}

func containsTxn(list []sqlclient.Transaction, id int64) bool {
	for _, tx := range list {
		if tx.ID == id {
			return true
		}
	}
	return false
}

// transactions lists the destination's transactions whose labels begin with
// prefix.
func (j *Job) transactions(ctx context.Context, prefix string) ([]sqlclient.Transaction, error) {
	list, err := j.destination.sql.Transactions(ctx, j.spec.Destination.Database, prefix)
	if errors.Is(err, sqlclient.ErrNotExist) {
		return nil, nil
	}
	return list, err
}

// label is a transaction label taken apart; see job.TxnLabel.
type label struct {
	uid            string
	epoch, db, seq int64
}

func parseLabel(text string) (label, bool) {
	rest, ok := strings.CutPrefix(text, job.LabelPrefix(""))
	if !ok {
		return label{}, false
	}
	parts := strings.Split(rest, ":")
	if len(parts) != 4 {
		return label{}, false
	}
	l := label{uid: parts[0]}
	for i, to := range []*int64{&l.epoch, &l.db, &l.seq} {
		n, err := strconv.ParseInt(parts[i+1], 10, 64)
		if err != nil {
			return label{}, false
		}
		*to = n
	}
	return l, true
}
