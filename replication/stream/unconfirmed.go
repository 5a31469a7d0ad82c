package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// UnconfirmedSince is since when something beyond the position may have been applied by
// an attempt that ended without reporting its position; zero: nothing. last is the last
// report of such an attempt, nil if it left none. The reports of this attempt carry the
// time on until the destination has been asked: if this attempt dies before, the next
// one must not believe that the destination had little time to forget.
func UnconfirmedSince(p *job.Progress, last *job.Heartbeat) time.Time {
	heard := p.Unconfirmed.Since
	if last != nil && (heard.IsZero() || last.Position.CommitSeq > p.Position.CommitSeq) {
		heard = last.At
		if !last.UnconfirmedSince.IsZero() {
			heard = last.UnconfirmedSince
		}
	}
	return heard
}

// leavesUnconfirmed is what the next shift has to know: since when binlogs beyond the
// position may have been applied, and up to which one. The caller holds the lock.
func (s *shift) leavesUnconfirmed() (since time.Time, upTo int64) {
	switch {
	case !s.unconfirmed.IsZero(): // the destination has not answered: as before
		if s.hooks.Resume == nil {
			upTo = s.in.Progress.Unconfirmed.To
		}
		return s.unconfirmed, upTo
	case !s.ownUnconfirmed.IsZero():
		return s.ownUnconfirmed, s.reached
	}
	return time.Time{}, 0
}

// noteUnconfirmed notes a commit, sent at that time, whose outcome is not known.
func (s *shift) noteUnconfirmed(sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ownUnconfirmed.IsZero() || sent.Before(s.ownUnconfirmed) {
		s.ownUnconfirmed = sent
	}
}

// confirm notes that nothing of earlier attempts is unknown any more.
func (s *shift) confirm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unconfirmed = time.Time{}
}

// bringForgotten deals with a destination that may have forgotten transactions of the
// attempt that this one follows: applying them twice would double rows. That
// takes an attempt that died without a report, and hours, or many other loads, since. The
// tables concerned come by snapshots (architecture.md 4.2). list has the job's
// transactions that the destination knows; nil: it has to be asked.
func (s *shift) bringForgotten(ctx context.Context, position job.Position, list []sqlclient.Transaction) (*ending, error) {
	if s.unconfirmed.IsZero() || pair.ContainsTransaction(list, position.TxnID) {
		return nil, nil // what is newer than a transaction that is known would be known as well
	}
	reason, err := s.mayHaveForgotten(ctx, position, s.unconfirmed)
	if err != nil || reason == "" {
		return nil, err
	}
	return s.bringUnconfirmed(ctx, position, math.MaxInt64, fmt.Sprintf("it is unknown what was applied after commit seq %d: %s", position.CommitSeq, reason))
}

// mayHaveForgotten says why the destination may have forgotten a transaction that
// ended after the position's, not before since; "" if it surely has not. It
// forgets in the order in which transactions end.
func (s *shift) mayHaveForgotten(ctx context.Context, position job.Position, since time.Time) (reason string, err error) {
	if position.TxnID != 0 {
		known, err := s.job.KnowsTransaction(ctx, position.TxnID)
		if known || err != nil {
			return "", err
		}
	}
	if unheard := time.Since(since); unheard > s.memory.Keeps() {
		return fmt.Sprintf("the last report is %s old", unheard.Round(time.Minute)), nil
	}
	all, err := s.job.Transactions(ctx, "")
	switch {
	case problem.LacksPrivilege(err), err == nil && !s.memory.Known: // a number says nothing if it is not known of how many
		if position.TxnID == 0 {
			return "no transaction of before is known, and the account may not ask how many the destination remembers", nil
		}
		return fmt.Sprintf("the destination has forgotten transaction %d, the last that was reported", position.TxnID), nil
	case err != nil:
		return "", fmt.Errorf("list transactions: %w", err)
	case s.memory.Crowded(len(all)):
		return fmt.Sprintf("the destination database had more loads since than it remembers (%s = %d)", pair.LabelNumber, s.memory.Number), nil
	}
	return "", nil
}

// bringUnconfirmed marks the tables of which it is unknown what the destination has of the
// UPSERTs up to a commit seq, and orders the snapshot of the first; each of the
// others asks for its own when its turn comes. Only if the binlogs that name them
// are lost a full sync is left.
func (s *shift) bringUnconfirmed(ctx context.Context, position job.Position, upTo int64, reason string) (*ending, error) {
	ids, err := s.unconfirmedTables(ctx, position, upTo)
	var want *problem.WantSnapshot
	if errors.As(err, &want) {
		want.Wanted.Reason = reason + "; " + want.Wanted.Reason
		return &ending{end: job.EndSnapshot, wanted: &want.Wanted}, nil
	}
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	sources, _, err := s.source.get(ctx, ids, time.Now())
	if err != nil {
		return nil, err
	}
	e := &ending{end: job.EndSnapshot, tables: job.TableChanges{Set: map[int64]job.Table{}}}
	for _, id := range ids {
		from := sources[id]
		if from.Table == nil || from.AsyncView() || s.excludes(id, from.Name, s.destinationOf(id) != 0) {
			continue // its loads are passed over
		}
		if known, mapped := s.in.Progress.Tables[id]; mapped {
			known.Unconfirmed = true
			e.tables.Set[id] = known
		}
		if e.wanted == nil {
			e.wanted = &job.SnapshotWanted{
				Partial: &job.PartialSync{TableID: id, Table: from.Name, Replace: true}, Reason: reason,
			}
		}
	}
	if e.wanted == nil {
		return nil, nil
	}
	return e, nil
}

// unconfirmedTables reads again which tables the UPSERTs after the position and up to
// a commit seq are about, as far as an earlier attempt can have come.
func (s *shift) unconfirmedTables(ctx context.Context, position job.Position, upTo int64) ([]int64, error) {
	tables := map[int64]bool{}
	err := s.unconfirmedUpserts(ctx, position, func(u pair.UnconfirmedUpsert) {
		if u.Seq > upTo {
			return
		}
		for id := range u.Records {
			tables[id] = true
		}
	})
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(tables)), nil
}

// UnconfirmedUpserts reads again the UPSERTs that attempts before this one may have
// applied beyond the position, as far as they can have come.
func (s *shift) unconfirmedUpserts(ctx context.Context, position job.Position, visit func(pair.UnconfirmedUpsert)) error {
	durable, _ := s.tracker.unsettled()
	r := pair.UnconfirmedRange{Durable: durable, Position: position.CommitSeq, Has: s.tracker.has}
	switch last := s.hooks.Resume; {
	case last != nil && last.Position.CommitSeq >= position.CommitSeq:
		r.Limit = pair.MaxUnconfirmed
	case last == nil:
		r.Last = s.in.Progress.Unconfirmed.To
	}
	return s.job.UnconfirmedUpserts(ctx, &s.in.Progress, r, visit)
}
