package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// The source gives a commit seq out before the binlog can be read, and files the
// binlogs of a database in no order: who has met 106 and asks for what is greater
// never gets 104 (doris-binlogs.md 1.2). So a shift applies what it meets at once,
// but what it met is read a second time after settleTime, and only then the
// durable position moves. What is found then was filed late, and has its turn if
// nothing that was applied since is about its tables. The list of a single table
// is in order.

// settling remembers when the binlogs up to some commit seq had been met.
type settling struct {
	mu  sync.Mutex
	met []job.Met // oldest first
}

// recall begins with what the shift before noted. A clock that is ahead of ours
// must not make us wait.
func (st *settling) recall(m job.Met) {
	if m.At.IsZero() {
		return
	}
	if now := time.Now(); m.At.After(now) {
		m.At = now
	}
	st.met = append(st.met, m)
}

// note adds that everything up to seq has been met now.
func (st *settling) note(seq int64, now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if n := len(st.met); n == 0 || st.met[n-1].CommitSeq < seq {
		st.met = append(st.met, job.Met{CommitSeq: seq, At: now})
	}
}

// due returns the greatest commit seq that had been met before a moment, 0 if
// there is none, and forgets what is up to it.
func (st *settling) due(before time.Time) (seq int64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for len(st.met) > 0 && !st.met[0].At.After(before) {
		seq = st.met[0].CommitSeq
		st.met = st.met[1:]
	}
	return seq
}

// oldest is the first moment that is still to come due, for the next shift.
func (st *settling) oldest(settled int64) job.Met {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, m := range st.met {
		if m.CommitSeq > settled {
			return m
		}
	}
	return job.Met{}
}

// rereadResult is what a second look at the log has brought.
type rereadResult struct {
	upTo   int64
	missed []binlog.Record // filed since the first look
}

// readAgain reads again what was met a while ago, until ctx is done. An idle source
// costs nothing, a busy one a call a second: what it files in a second is one
// answer. Beyond 255 binlogs a second, or for a server of before num_acquired
// beyond one, it is one answer more for as many again, for a server gives no more
// at once, whatever it is asked for (doris-rpc.md 3.4); the first look costs the
// same. Nothing else in the protocol tells that nothing was filed since: of
// getBinlogLag only the number of all that is newer is known, which never stands
// still there.
func (s *shift) readAgain(ctx context.Context, found chan<- rereadResult) {
	every := s.job.Options.SettleTime * 2 / 3
	size := pair.NewBatchSize(s.job.Options.BatchSize)
	size.Limit = size.Most
	for pair.Sleep(ctx, every) {
		from, to := s.tracker.unsettled()
		if to <= from {
			continue
		}
		now := time.Now()
		s.settling.note(to, now)
		upTo := s.settling.due(now.Add(-s.job.Options.SettleTime))
		if upTo <= from {
			continue
		}
		r := rereadResult{upTo: upTo}
		_, err := s.between(ctx, size, from, upTo, func(rec binlog.Record) {
			if !s.tracker.has(rec.CommitSeq) {
				r.missed = append(r.missed, rec)
			}
		})
		if err != nil {
			s.log.Debug("the log could not be read again", "error", err)
			continue // the next moment covers it
		}
		select {
		case found <- r:
		case <-ctx.Done():
		}
	}
}

// between visits the binlogs after one commit seq and up to another.
// collected is up to where the source has them no more: what has been met is not
// lost with them.
func (s *shift) between(ctx context.Context, size *pair.BatchSize, after, upTo int64, visit func(binlog.Record)) (collected int64, err error) {
	req := s.job.BinlogRequest(after, 0)
	for req.PrevCommitSeq < upTo {
		size.Ask(&req)
		got, err := s.job.Source.FE.Binlogs(ctx, req)
		switch {
		case size.Less(req.Limit, err):
			continue
		case errors.Is(err, fe.ErrBinlogNotFound):
			return collected, nil
		case err != nil:
			return collected, fmt.Errorf("read binlogs after commit seq %d again: %w", req.PrevCommitSeq, err)
		case len(got.Binlogs) == 0:
			return collected, nil
		}
		if got.Status == status.BinlogTooOldCommitSeq {
			collected = got.Binlogs[0].CommitSeq
			if collected <= req.PrevCommitSeq {
				return collected, nil
			}
			req.PrevCommitSeq = collected
			continue
		}
		size.Got(got.Binlogs)
		for _, rec := range got.Binlogs {
			if rec.CommitSeq > upTo {
				return collected, nil
			}
			req.PrevCommitSeq = rec.CommitSeq
			visit(rec)
		}
	}
	return collected, nil
}

// begin is the binlog after which a shift goes on reading.
func (s *shift) begin() int64 {
	position, _ := s.tracker.now()
	if s.tracker.inOrder {
		return position.CommitSeq
	}
	_, front := s.tracker.unsettled()
	return front
}

// reread reads again what earlier shifts and attempts have met beyond the durable
// position: the shift has to know what it was about, and what is missing.
func (s *shift) reread(stop context.Context) *ending {
	from, to := s.tracker.unsettled()
	if s.tracker.inOrder || to <= from {
		return nil
	}
	now := time.Now()
	upTo := s.settling.due(now.Add(-s.job.Options.SettleTime))
	s.settling.note(to, now)
	all, collected, e := s.rereadAll(stop, from, to)
	if e != nil {
		return e
	}
	position, _ := s.tracker.now()
	if s.in.Spec.CommitOrder == job.CommitOrderPerTable && collected > max(position.CommitSeq, s.in.Progress.GapTo) {
		return s.binlogsLost(stop, position.CommitSeq, collected)
	}
	if e := s.handleReread(stop, all, position.CommitSeq); e != nil {
		return e
	}
	s.handled = max(s.handled, to)
	s.tracker.settle(min(upTo, to))
	return nil
}

// rereadAll reads the binlogs after one commit seq and up to another, for as long
// as it takes. collected is up to where the source has them no more.
func (s *shift) rereadAll(stop context.Context, from, to int64) (all []binlog.Record, collected int64, e *ending) {
	retry := pair.Backoff{Budget: s.job.Options.RetryBudget}
	size := pair.NewBatchSize(s.job.Options.BatchSize)
	size.Limit = size.Most
	for {
		all = all[:0]
		collected, err := s.between(stop, size, from, to, func(rec binlog.Record) { all = append(all, rec) })
		if err == nil {
			if retry.Tries > 0 {
				s.clearProblem(s.nextSeq())
			}
			return all, collected, nil
		}
		if stop.Err() != nil {
			return nil, 0, &ending{end: job.EndStopped}
		}
		s.reportProblem(err, s.nextSeq(), binlog.TypeDummy)
		if _, retryable := problem.Classify(err); !retryable || !retry.Failed(stop) {
			return nil, 0, s.blocked(err, s.nextSeq(), binlog.TypeDummy)
		}
	}
}

// handleReread goes through what was read again: what is applied is known from now on,
// what is not has its turn.
func (s *shift) handleReread(stop context.Context, all []binlog.Record, position int64) *ending {
	for _, rec := range all {
		if s.tracker.has(rec.CommitSeq) {
			s.tracker.meet(rec.CommitSeq, touchOf(rec)) // for those before it
		}
	}
	var missed []binlog.Record
	for _, rec := range all {
		switch {
		case s.tracker.has(rec.CommitSeq):
			s.metAgain(rec, position)
		case s.in.Spec.CommitOrder == job.CommitOrderPerTable:
			// It was filed late, or its table had to wait. A later one of its table must
			// not be begun before it.
			if e := s.applyLate(stop, []binlog.Record{rec}); e != nil {
				return e
			}
		default:
			missed = append(missed, rec)
		}
	}
	return s.applyLate(stop, missed)
}

// metAgain meets a binlog that is dealt with already.
func (s *shift) metAgain(rec binlog.Record, position int64) {
	what := touchOf(rec)
	switch {
	case rec.CommitSeq <= position:
	case what.upsert:
		s.tracker.known(rec.CommitSeq, rec.Timestamp, what.tables)
		return
	default:
		s.tracker.passed(rec.CommitSeq)
	}
	s.tracker.meet(rec.CommitSeq, what)
}

// touchOf says which tables a binlog is about.
func touchOf(rec binlog.Record) touch {
	inner, err := rec.Unwrap()
	if err != nil {
		return touch{tables: rec.TableIDs}
	}
	switch inner.Type {
	case binlog.TypeDummy, binlog.TypeBarrier, binlog.TypeModifyPartitions, binlog.TypeAlterDatabaseProperty:
		return touch{}
	case binlog.TypeUpsert:
		if len(inner.TableIDs) > 0 {
			return touch{tables: inner.TableIDs, upsert: true}
		}
		u, err := binlog.DecodeUpsert(inner.Data)
		if err != nil {
			return touch{upsert: true}
		}
		return touch{tables: tablesIn(&u), upsert: true}
	case binlog.TypeReplaceTable:
		if replace, err := binlog.DecodeReplaceTable(inner.Data); err == nil {
			return touch{tables: []int64{replace.OriginTableID, replace.NewTableID}}
		}
	}
	return touch{tables: inner.TableIDs}
}

// tablesIn are the source tables of an UPSERT.
func tablesIn(u *binlog.Upsert) []int64 { return slices.Sorted(maps.Keys(u.TableRecords)) }

// newestPartition is the greatest id of the source partitions of an UPSERT.
func newestPartition(u *binlog.Upsert) (id int64) {
	for _, table := range u.TableRecords {
		for _, part := range table.PartitionRecords {
			id = max(id, part.PartitionID)
		}
	}
	return id
}

// applyLate deals with binlogs that were filed after others with greater commit seqs.
func (s *shift) applyLate(stop context.Context, missed []binlog.Record) *ending {
	for _, rec := range missed {
		if s.tracker.has(rec.CommitSeq) {
			continue
		}
		if e := s.applyLateOne(stop, rec); e != nil {
			return e
		}
	}
	return nil
}

func (s *shift) applyLateOne(stop context.Context, rec binlog.Record) *ending {
	inner, v, e := s.classified(rec)
	switch {
	case e != nil:
		return e
	case v == pair.ActionApply:
		return s.lateUpsert(stop, inner)
	case v == pair.ActionHandOver:
		return s.lateChange(stop, inner)
	case v == pair.ActionLost: // the loop has met it
		s.tracker.passed(inner.CommitSeq)
	}
	return nil
}

// lateUpsert applies an UPSERT after its turn, if no later one that is applied is
// about the same table.
func (s *shift) lateUpsert(stop context.Context, rec binlog.Record) *ending {
	u, records, e := s.selected(rec)
	if e != nil {
		return e
	}
	for _, id := range slices.Sorted(maps.Keys(records)) {
		if by := s.tracker.touchedAfter(rec.CommitSeq, id, false); by != 0 {
			if e := s.snapshotInstead(stop, rec, id, by); e != nil {
				return e
			}
			delete(records, id)
		}
	}
	if len(records) == 0 {
		s.tracker.passed(rec.CommitSeq)
		return nil
	}
	if s.in.Spec.CommitOrder != job.CommitOrderPerTable {
		// An attempt that follows this one must not take its label for one of a group
		// that is applied (recoverCommitted): so all before it is, and is reported to be.
		s.log.Info("an UPSERT was filed late", "commit_seq", rec.CommitSeq, "tables", tablesIn(u))
		if e := s.awaitNoneOpen(stop); e != nil {
			return e
		}
		if err := s.checkpoint(stop); err != nil {
			return &ending{end: job.EndStopped}
		}
	}
	p := newPart(s, rec, u, records, time.Now())
	p.alone = true
	return s.collect(stop, p)
}

// awaitNoneOpen waits until nothing is open.
func (s *shift) awaitNoneOpen(stop context.Context) *ending {
	if e := s.flush(stop); e != nil {
		return e
	}
	for {
		if _, open := s.tracker.now(); open == 0 {
			return nil
		}
		select {
		case <-s.tracker.moved:
		case <-s.failing:
			return &ending{end: job.EndBlocked}
		case <-stop.Done():
			return &ending{end: job.EndStopped}
		}
	}
}

// lateChange hands over a binlog that is no UPSERT after its turn, if nothing that
// is applied stands in its way.
func (s *shift) lateChange(stop context.Context, rec binlog.Record) *ending {
	for _, id := range touchOf(rec).tables {
		by := int64(0)
		switch rec.Type {
		case binlog.TypeCreateTable, binlog.TypeDropTable, binlog.TypeReplaceTable, binlog.TypeModifyViewDef, binlog.TypeAlterJob, binlog.TypeReplacePartitions, binlog.TypeRecoverInfo:
			// They go by ids and by what is there, or bring the table anyway.
		case binlog.TypeAddPartition, binlog.TypeRenameTable, binlog.TypeRenamePartition, binlog.TypeRenameRollup, binlog.TypeModifyComment, binlog.TypeModifyTableProperty:
			by = s.tracker.touchedAfter(rec.CommitSeq, id, true) // loads do not mind
		default:
			by = s.tracker.touchedAfter(rec.CommitSeq, id, false)
		}
		if by == 0 {
			continue
		}
		if e := s.snapshotInstead(stop, rec, id, by); e != nil {
			return e
		}
		s.tracker.passed(rec.CommitSeq)
		return nil
	}
	return &ending{end: job.EndBinlog, binlog: pair.Carried(rec, &s.in.Progress)}
}

// snapshotInstead orders a snapshot of a table because a binlog that was filed late cannot
// be applied any more: a later one about the table is. nil: there is nothing to
// bring, for the source does not have the table, or the job leaves it out.
func (s *shift) snapshotInstead(ctx context.Context, rec binlog.Record, id, by int64) *ending {
	table, _, err := s.job.Source.TableByID(ctx, id)
	switch {
	case err != nil && ctx.Err() != nil:
		return &ending{end: job.EndStopped}
	case err != nil:
		return s.blocked(err, rec.CommitSeq, rec.Type)
	case table == nil || table.AsyncView() || s.job.Excludes(table.Name):
		s.note("%s at commit seq %d was filed late and is passed over: the source has its table %s no more, or the job leaves it out", rec.Type, rec.CommitSeq, s.nameOf(id))
		return nil
	}
	return &ending{end: job.EndSnapshot, late: rec.CommitSeq, wanted: &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: id, Table: table.Name, Replace: true},
		Reason: fmt.Sprintf("the source filed %s of table %s at commit seq %d only after commit seq %d, which is about the table, too, and is applied",
			rec.Type, table.Name, rec.CommitSeq, by),
	}}
}
