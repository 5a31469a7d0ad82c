package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// recoverPosition asks the destination how far earlier attempts have come, and rolls
// back what they left open. A non-nil ending means that the shift cannot go on.
func (s *shift) recoverPosition(ctx context.Context) *ending {
	retry := pair.Backoff{Budget: s.job.Options.RetryBudget}
	position, _ := s.tracker.now()
	for {
		e, err := s.recoverOnce(ctx)
		if err == nil {
			if retry.Tries > 0 {
				s.clearProblem(position.CommitSeq)
			}
			return e
		}
		if ctx.Err() != nil {
			return &ending{end: job.EndStopped}
		}
		err = fmt.Errorf("ask the destination what is applied: %w", err)
		s.reportProblem(err, position.CommitSeq, binlog.TypeUpsert)
		if _, retryable := problem.Classify(err); !retryable || !retry.Failed(ctx) {
			if ctx.Err() != nil {
				return &ending{end: job.EndStopped}
			}
			return s.blocked(err, position.CommitSeq, binlog.TypeUpsert)
		}
	}
}

func (s *shift) recoverOnce(ctx context.Context) (*ending, error) {
	// What a follower does not know yet would be begun again.
	if err := s.job.Destination.FindMaster(ctx); err != nil {
		return nil, err
	}
	if s.nothingLeft(s.before) {
		return nil, nil
	}
	s.lookedBack = time.Now()
	var err error
	if s.memory, err = s.job.Destination.LabelMemory(ctx); err != nil {
		return nil, err
	}
	e, err := s.recoverApplied(ctx)
	if e != nil || err != nil {
		return e, err
	}
	return nil, s.anchor(ctx)
}

// recoverApplied finds out what attempts before this one have applied beyond the
// position.
func (s *shift) recoverApplied(ctx context.Context) (*ending, error) {
	position, _ := s.tracker.now()
	if s.in.Spec.ReuseBinlogLabel {
		// The labels are the source's: begin tells, one by one, if they are known.
		if err := s.findMaxMaybeApplied(ctx, position); err != nil {
			return nil, err
		}
		_, err := s.job.Transactions(ctx, job.LabelPrefix(s.in.Spec.UID)+":")
		if s.byLabel = problem.LacksPrivilege(err); err != nil && !s.byLabel {
			return nil, err
		}
		return s.bringForgotten(ctx, position, nil)
	}
	list, err := s.listEarlier(ctx, position)
	var lost *problem.WantSnapshot
	if errors.As(err, &lost) {
		return &ending{end: job.EndSnapshot, wanted: &lost.Wanted}, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := s.recoverTraces(ctx, position, list)
	if err != nil {
		return nil, err
	}
	newest := s.recoverCommitted(position, found)
	if newest == 0 || s.in.Spec.CommitOrder == job.CommitOrderPerTable {
		// In per_table order the newest says little about those before it.
		return s.bringForgotten(ctx, position, list)
	}
	return s.bringForgottenMembers(ctx, position, newest)
}

// findMaxMaybeApplied finds the newest binlog that an attempt before this one can
// have applied: what is newer was not there yet.
func (s *shift) findMaxMaybeApplied(ctx context.Context, position job.Position) error {
	lag, err := s.job.BinlogLag(ctx, position.CommitSeq)
	switch {
	case err != nil:
		return err
	case s.noPredecessor && s.in.Spec.CommitOrder != job.CommitOrderPerTable, lag.Binlogs == 0:
		s.maxMaybeApplied = position.CommitSeq
	case lag.LastCommitSeq > 0:
		s.maxMaybeApplied = lag.LastCommitSeq
	default:
		s.maxMaybeApplied = math.MaxInt64 // servers that do not tell
	}
	return nil
}

// traces are what earlier attempts have left on the destination.
type traces struct {
	committed []committedLabel // beyond the durable position
	begun     []int64          // beyond the position, and not committed
}

// recoverTraces rolls back what earlier attempts left open, and returns their traces.
func (s *shift) recoverTraces(ctx context.Context, position job.Position, list []sqlclient.Transaction) (found traces, err error) {
	spec := &s.in.Spec
	durable, _ := s.tracker.unsettled()
	for _, tx := range list {
		l, ok := pair.ParseLabel(tx.Label)
		if !ok || l.UID != spec.UID || l.DB != spec.Source.DatabaseID {
			continue
		}
		switch tx.Status {
		case sqlclient.TxnCommitted, sqlclient.TxnVisible:
			if l.Seq > durable && s.counts(l.Epoch) {
				found.committed = append(found.committed, committedLabel{Label: l, txn: tx.ID})
			}
			continue
		case sqlclient.TxnPrepare, sqlclient.TxnPrecommitted:
			// It may hold rows of binlogs whose labels say nothing of it (group.go):
			// this attempt must not begin before it is surely aborted.
			err := s.job.Abort(ctx, tx.ID, "left by an earlier attempt")
			switch {
			case errors.Is(err, problem.ErrStuck): // nobody can commit that one
				s.noteStuck(tx.ID, err)
			case err != nil:
				return traces{}, fmt.Errorf("roll back %s, left by an earlier attempt: %w", tx.Label, err)
			}
		}
		if l.Seq > position.CommitSeq && s.counts(l.Epoch) {
			found.begun = append(found.begun, l.Seq)
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
	pair.Label
	txn int64
}

// recoverCommitted makes what earlier attempts have applied beyond the durable position
// known to this one: what is committed. In global order, what they had begun
// before the newest commit is applied as well, though its label does not say so
// (group.go): binlogs that were filed late, which have their own turn, are begun
// only once a report says that the position has passed them. It returns the newest
// commit beyond the position, 0 if there is none.
func (s *shift) recoverCommitted(position job.Position, found traces) (newest int64) {
	for _, l := range found.committed {
		s.tracker.meet(l.Seq, touch{upsert: true})
		newest = max(newest, l.Seq)
	}
	if newest <= position.CommitSeq {
		return 0
	}
	s.log.Info("an earlier attempt came further than it could tell", "reported", position.CommitSeq, "applied", newest)
	if s.in.Spec.CommitOrder == job.CommitOrderPerTable {
		return newest
	}
	for _, seq := range found.begun {
		if seq < newest {
			s.tracker.meet(seq, touch{upsert: true})
		}
	}
	return newest
}

// bringForgottenMembers deals with a destination that knows the newest commit, and may
// have forgotten the labels of those that travelled with it or before it. An UPSERT
// without a label is then either applied or was filed late: its tables come by
// snapshots.
func (s *shift) bringForgottenMembers(ctx context.Context, position job.Position, newest int64) (*ending, error) {
	since := s.unconfirmed
	if since.IsZero() {
		since = time.Now()
	}
	reason, err := s.mayHaveForgotten(ctx, position, since)
	if err != nil || reason == "" {
		return nil, err
	}
	return s.bringUnconfirmed(ctx, position, newest, fmt.Sprintf("it is unknown what was applied between commit seq %d and %d: %s", position.CommitSeq, newest, reason))
}
