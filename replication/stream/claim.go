package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// claim is a transaction without rows that holds the label of an UPSERT whose rows
// travel in the transaction of a later one.
type claim struct{ id int64 }

// claimsAtOnce bounds the calls for claims that one transaction has in flight.
const claimsAtOnce = 16

// claimLabels begins transactions with the labels of all UPSERTs but the last.
func (t *txn) claimLabels(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(claimsAtOnce)
	for _, p := range t.parts[:len(t.parts)-1] {
		if p.claim == nil && !p.plan.empty() {
			g.Go(func() error { return t.claimLabel(ctx, p) })
		}
	}
	return g.Wait()
}

func (t *txn) claimLabel(ctx context.Context, p *part) error {
	got, err := t.s.job.Destination.FE.BeginTxn(ctx, fe.BeginRequest{
		Database: t.s.in.Spec.Destination.Database, TableIDs: p.plan.destinations(),
		Label: p.label, RequestID: pair.RequestID(p.label), Timeout: t.s.job.abandonedAfter(),
	})
	var exists *fe.LabelExistsError
	switch {
	case errors.As(err, &exists):
		// Whoever holds it, the next attempt finds out by asking for all of them.
		t.s.noteUnconfirmed(time.Now())
		if err := t.s.checkpoint(ctx); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", problem.ErrOtherAttempt, exists)
	case err != nil:
		return fmt.Errorf("begin transaction %s: %w", p.label, err)
	}
	if got.Existing {
		if err := t.s.clear(ctx, got.ID); err != nil {
			return err
		}
		return errAgain
	}
	p.claim = &claim{id: got.ID}
	return nil
}

// concludeClaims commits the transactions without rows once the group's own is
// committed. One that a server does not commit without rows is rolled back: open
// ones count against the destination's limit. One that is left open in spite of
// that is rolled back by the next attempt.
func (t *txn) concludeClaims() {
	t.eachClaim(func(ctx context.Context, id int64) error {
		dst := &t.s.in.Spec.Destination
		_, err := t.s.job.Destination.FE.CommitTxn(ctx, fe.CommitRequest{
			Database: dst.Database, DatabaseID: dst.DatabaseID, TxnID: id, OnlyCommit: true,
		})
		if err != nil {
			return errors.Join(err, t.s.job.Rollback(ctx, id, "applied with "+t.last().label))
		}
		return nil
	})
}

// abandonClaims rolls the transactions without rows back.
func (t *txn) abandonClaims() {
	t.eachClaim(func(ctx context.Context, id int64) error {
		return t.s.job.Rollback(ctx, id, "replication stops here for now")
	})
}

func (t *txn) eachClaim(do func(context.Context, int64) error) {
	if len(t.parts) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.s.work), rollbackTimeout)
	defer cancel()
	var all sync.WaitGroup
	room := make(chan struct{}, claimsAtOnce)
	for _, p := range t.parts {
		if p.claim == nil {
			continue
		}
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			if err := do(ctx, p.claim.id); err != nil {
				t.s.faltered.Store(true)
				t.s.log.Debug("transaction without rows is left open", "label", p.label, "txn", p.claim.id, "error", err)
			}
			p.claim = nil
		})
	}
	all.Wait()
}
