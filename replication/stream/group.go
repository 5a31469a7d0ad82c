package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// In global order commits come one after the other, and the round trip of a
// commit is what bounds a job's throughput. So UPSERTs that wait together and
// have no table in common share one destination transaction: their rows become
// visible at once, the order holds as strictly as before, and one commit serves
// all of them.
//
// Exactly-once does not change: the transaction has the label of its last
// UPSERT, so a label still says "everything up to here is applied". The labels
// of the others are begun as well, stay without rows, and are committed after
// it. Two workers that follow the same binlogs thus meet in each single label,
// however they have grouped them (architecture.md 4.5).

// member is an UPSERT whose rows travel in the transaction of a later one.
type member struct {
	label  string
	tables []int64 // source ids
	begun  *fe.Txn
}

// mayGroup tells whether the UPSERT may share a transaction. A probe applies
// binlogs one by one, so that a problem is told of the right one.
func (s *shift) mayGroup(t *txn) bool {
	return s.in.Spec.CommitOrder != job.CommitOrderPerTable && !s.in.Spec.ReuseBinlogLabel &&
		!s.in.Probe && !t.ungrouped && len(t.upsert.SubTxnIDs) == 0
}

// collect adds an UPSERT to the open group, or opens a new one with it.
func (s *shift) collect(stop context.Context, t *txn) *ending {
	if !s.mayGroup(t) || !s.group.fits(t) {
		if e := s.flush(stop); e != nil {
			return e
		}
	}
	s.tracker.add(t.entry)
	t.absorb(s.group)
	s.group = t
	if !s.mayGroup(t) || len(t.entries) >= s.job.Options.Group {
		return s.flush(stop)
	}
	return nil
}

// fits tells whether t has no table in common with the group g.
func (g *txn) fits(t *txn) bool {
	if g == nil {
		return true
	}
	for id := range t.records {
		if _, taken := g.records[id]; taken {
			return false
		}
	}
	return true
}

// absorb makes t the last of the group g, which may be nil.
func (t *txn) absorb(g *txn) {
	if g == nil {
		return
	}
	last := &member{label: g.label}
	for id := range g.records {
		if !g.hasMember(id) {
			last.tables = append(last.tables, id)
		}
	}
	t.members = append(g.members, last)
	t.entries = append(g.entries, t.entries...)
	for id, record := range g.records {
		t.records[id] = record
	}
	t.fetched = g.fetched
}

// hasMember tells whether an earlier UPSERT of the group brought the table.
func (t *txn) hasMember(table int64) bool {
	for _, m := range t.members {
		for _, id := range m.tables {
			if id == table {
				return true
			}
		}
	}
	return false
}

// flush sends the open group on its way.
func (s *shift) flush(stop context.Context) *ending {
	t := s.group
	if t == nil {
		return nil
	}
	s.group = nil
	select {
	case s.slots <- struct{}{}:
	case <-s.failing:
		return &ending{end: job.EndBlocked}
	case <-stop.Done():
		return &ending{end: job.EndStopped}
	}
	e := s.mayBegin(stop, 1+len(t.members))
	if e == nil && s.hasFailed() { // its slot may be that of the failure
		e = &ending{end: job.EndBlocked}
	}
	if e != nil {
		<-s.slots
		return e
	}
	s.order(t)
	s.reached = t.entry.seq
	s.txns.Go(func() {
		defer func() { <-s.slots }()
		t.run(s.work)
	})
	return nil
}

// beginMembers claims the labels of the group's other UPSERTs.
func (t *txn) beginMembers(ctx context.Context) error {
	var g errgroup.Group
	for _, m := range t.members {
		tables := t.plan.destinationsOf(m.tables)
		if m.begun != nil || len(tables) == 0 {
			continue
		}
		g.Go(func() error { return t.beginMember(ctx, m, tables) })
	}
	return g.Wait()
}

func (t *txn) beginMember(ctx context.Context, m *member, tables []int64) error {
	got, err := t.s.job.Destination.FE.BeginTxn(ctx, fe.BeginRequest{
		Database: t.s.in.Spec.Destination.Database, TableIDs: tables,
		Label: m.label, RequestID: pair.RequestID(m.label), Timeout: t.s.job.abandonedAfter(),
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
		return fmt.Errorf("begin transaction %s: %w", m.label, err)
	}
	if got.Existing {
		if err := t.s.clear(ctx, got.ID); err != nil {
			return err
		}
		return errAgain
	}
	m.begun = &got
	return nil
}

// concludeMembers commits the transactions without rows once the group's own is
// committed. One that a server does not commit without rows is rolled back: open
// ones count against the destination's limit. One that is left open in spite of
// that is rolled back by the next attempt.
func (t *txn) concludeMembers() {
	t.eachMember(func(ctx context.Context, id int64) error {
		dst := &t.s.in.Spec.Destination
		_, err := t.s.job.Destination.FE.CommitTxn(ctx, fe.CommitRequest{
			Database: dst.Database, DatabaseID: dst.DatabaseID, TxnID: id, OnlyCommit: true,
		})
		if err != nil {
			return errors.Join(err, t.s.job.Rollback(ctx, id, "applied with "+t.label))
		}
		return nil
	})
}

// abandonMembers rolls the transactions without rows back.
func (t *txn) abandonMembers() {
	t.eachMember(func(ctx context.Context, id int64) error {
		return t.s.job.Rollback(ctx, id, "replication stops here for now")
	})
}

func (t *txn) eachMember(do func(context.Context, int64) error) {
	if len(t.members) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.s.work), rollbackTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, m := range t.members {
		if m.begun == nil {
			continue
		}
		all.Go(func() {
			if err := do(ctx, m.begun.ID); err != nil {
				t.s.log.Debug("transaction without rows is left open", "label", m.label, "txn", m.begun.ID, "error", err)
			}
		})
	}
	all.Wait()
}
