package stream

import (
	"context"
	"errors"
	"time"

	"github.com/doris-ccr/ccr/replication/problem"
)

// errNoSubTxns: the destination gives out no sub-transactions.
var errNoSubTxns = errors.New("the destination has no sub-transactions")

// divide makes two transactions of one that has failed, the second after the first;
// ok is false if it has to stay whole. So one UPSERT that cannot be applied holds up
// those behind it only, and is told of by its own number in the end. They have other
// labels: not before it is certain that the whole one is not, and will not be,
// committed.
func (t *txn) divide(err error) (first, rest *txn, ok bool) {
	_, retryable := problem.Classify(err)
	var want *problem.WantSnapshot
	switch {
	case len(t.parts) < 2, !t.sent.IsZero(), errors.Is(err, errAgain):
		return nil, nil, false
	case t.s.stop.Err() != nil, t.s.superseded.Load():
		return nil, nil, false // no time left
	case !retryable && !errors.As(err, &want):
		return nil, nil, false
	}
	if t.begun != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.s.work), rollbackTimeout)
		defer cancel()
		if t.s.job.Abort(ctx, t.begun.ID, "it goes on as smaller ones") != nil {
			return nil, nil, false
		}
		t.begun = nil
	}
	t.abandonClaims()
	// What has been aborted takes room where the destination remembers what is applied.
	if t.s.checkpoint(t.s.work) != nil {
		return nil, nil, false
	}
	if !errors.Is(err, errNoSubTxns) {
		t.s.size.failed(len(t.parts))
	}
	at := len(t.parts) / 2
	if t.misfit > 0 {
		at = t.misfit
	}
	t.s.log.Info("UPSERTs that shared a transaction go on as smaller groups", "first", t.first(), "upserts", len(t.parts), "error", err)
	first, rest = newTxn(t.s, t.parts[:at]), newTxn(t.s, t.parts[at:])
	first.after, rest.after = t.after, []*txn{first}
	first.awaits, rest.awaits = t.awaits, t.awaits
	first.fresh, rest.fresh = t.fresh, t.fresh
	if !errors.Is(err, errNoSubTxns) {
		first.fresh, rest.fresh = time.Now(), time.Now()
	}
	return first, rest, true
}

// tooOld tells whether what was ingested into sub-transactions may be gone soon:
// backends keep it for half an hour, and a commit after that would never become
// visible (doris-rpc.md 3.8).
func (t *txn) tooOld(now time.Time) bool { return t.plan.subs > 0 && now.Sub(t.opened) > subTxnLife }

const subTxnLife = 15 * time.Minute

// errTooOld: what has been ingested may not be there for long.
var errTooOld = errors.New("the transaction has waited for too long")

// runBoth runs the halves of a transaction, one after the other.
func (t *txn) runBoth(ctx context.Context, first, rest *txn) {
	first.run(ctx)
	if first.err != nil {
		t.err = first.err
		return
	}
	rest.run(ctx)
	t.err = rest.err
	t.after, t.plan, t.parts = nil, nil, nil // successors hold on to t
}
