package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/problem"
)

// Commits and rollbacks of destination transactions, and what their answers say
// (doris-binlogs.md 3.10).

func (t *txn) commitRequest(commits *commitSet) fe.CommitRequest {
	dst := &t.s.in.Spec.Destination
	req := fe.CommitRequest{Database: dst.Database, DatabaseID: dst.DatabaseID, TxnID: t.begun.ID, OnlyCommit: t.s.job.Options.Features.SkipWaitingTxnPublish}
	if t.subTxns() > 0 {
		req.TxnInsert, req.OnlyCommit = true, false
		if t.plan.subs > 0 && !t.awaits && t.s.job.Options.Features.SkipWaitingTxnPublish {
			req.Wait = briefly
		}
		req.SubTxns = commits.subTxns(t)
	} else {
		req.CommitInfos = commits.all()
	}
	return req
}

// briefly is how long a commit with sub-transactions waits: it knows no other way to
// return before the rows are visible. The tables' locks have to be there by then, too:
// if they are not, it waits ten times as long, up to patiently, and then as long as any.
const (
	briefly   = 5 * time.Millisecond
	patiently = 500 * time.Millisecond
)

// commit commits and returns the transaction's id. Losing the reply leaves the
// outcome open: then the destination is asked before anything else is done.
func (t *txn) commit(ctx context.Context, req fe.CommitRequest) (int64, error) {
	id, started := t.begun.ID, time.Now()
	_, err := t.s.job.Destination.FE.CommitTxn(ctx, req)
	for req.Wait > 0 && errors.Is(err, fe.ErrLocked) {
		if req.Wait *= 10; req.Wait > patiently {
			req.Wait = 0
		}
		_, err = t.s.job.Destination.FE.CommitTxn(ctx, req)
	}
	if err == nil || errors.Is(err, fe.ErrTxnCommitted) || errors.Is(err, fe.ErrTxnVisible) {
		t.release()
		return id, nil
	}
	err = fmt.Errorf("commit transaction %d: %w", id, err)
	var lost *fe.TransportError
	switch {
	case errors.As(err, &lost):
		if lost.Sent && t.sent.IsZero() {
			t.sent = started
		}
		committed, askErr := t.outcome(ctx)
		if askErr != nil {
			return 0, fmt.Errorf("%w; its outcome is unknown: %w", err, askErr)
		}
		if committed {
			return id, nil
		}
	case errors.Is(err, fe.ErrTxnAborted):
		t.begun, t.sent = nil, time.Time{} // by somebody else
	case errors.Is(err, fe.ErrTxnNotFound):
		return 0, errors.Join(err, t.gone(ctx)) // lost with the destination's master
	case strings.Contains(err.Error(), "succ replica num"):
		t.filled = nil // the same would be refused again
	}
	return 0, err
}

// outcome asks whether the transaction has been committed.
func (t *txn) outcome(ctx context.Context) (committed bool, err error) {
	got, err := t.s.job.Transaction(ctx, t.last().label, t.begun.ID)
	if errors.Is(err, sqlclient.ErrNotExist) {
		return false, t.gone(ctx)
	}
	if err != nil {
		return false, err
	}
	switch got.Status {
	case sqlclient.TxnCommitted, sqlclient.TxnVisible:
		return true, nil
	case sqlclient.TxnAborted:
		t.begun, t.sent = nil, time.Time{}
	}
	return false, nil
}

// gone lets a transaction that the destination does not know begin again: if it
// was applied after all, its label says so. Where a commit of it may have been
// applied and the destination may have forgotten the label as well, the shift
// ends, and the next one finds out which tables are concerned (architecture.md 4.2).
func (t *txn) gone(ctx context.Context) error {
	if !t.sent.IsZero() {
		position, _ := t.s.tracker.now()
		reason, err := t.s.mayHaveForgotten(ctx, position, t.sent)
		switch {
		case err != nil:
			return err
		case reason != "":
			return problem.ErrForgotten
		}
	}
	t.begun = nil
	return nil
}

// noteStuck tells once of a transaction that is left to the destination.
func (s *shift) noteStuck(id int64, err error) {
	if news, _ := s.book.isNews(fmt.Sprintf("transaction %d", id), time.Now()); !news {
		return
	}
	s.note("a transaction is left to the destination, which ends it after %s: %v", s.job.abandonedAfter(), err)
}
