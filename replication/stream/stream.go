package stream

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// shift is one run of Stream: it follows the binlogs until it has a reason to
// end. Transactions run in goroutines of their own (txn.go), the next binlogs
// are fetched by another (fetch.go), and one reports (report.go); all of them
// end before run returns.
type shift struct {
	job     *Job
	book    *book // what this process remembers of the job
	in      job.StreamInput
	hooks   Hooks
	log     *slog.Logger
	tracker *tracker

	source, destination *metaCache

	// work is the context of everything that must not end in the middle of a
	// commit just because the shift is asked to stop.
	work       context.Context
	cancelWork context.CancelFunc
	stop       context.Context // done when nothing new may begin
	halt       context.CancelFunc
	txns       sync.WaitGroup
	slots      chan struct{} // one per open transaction
	size       *groupSize

	// Only the loop uses these.
	last            *txn             // in global order: the one to commit after
	lastOf          map[int64]*txn   // in per_table order: the same by source table
	maxMaybeApplied int64            // see findMaxMaybeApplied
	noPredecessor   bool             // no attempt before this one can have left anything behind
	byLabel         bool             // the destination refuses to list transactions (pair/labels.go)
	memory          pair.LabelMemory // of the destination
	before          *cleanEnd        // the shift before; see nothingLeft
	lookedBack      time.Time        // when the destination was asked what is there
	group           []*part          // UPSERTs that are going to share a transaction (group.go)
	uniques         map[int64]bool   // destination tables whose key model has been read
	begun           int              // transactions begun beyond the last checkpoint's position
	versions        versions
	handled         int64 // the last binlog looked at
	reached         int64 // the last UPSERT whose transaction was let go
	filter          int64 // see filterEnd

	settling   settling
	failing    chan struct{} // closed at the first failure
	drainedNow chan struct{} // for observe: the log has just been read to its end
	noticed    chan struct{} // see noteOnce
	superseded atomic.Bool   // another attempt owns the transactions now
	faltered   atomic.Bool   // a transaction did not go through at its first try

	dropping     sync.Mutex     // one look at dropped rollups at a time
	droppedAhead map[int64]bool // source tables; guarded by dropping

	mu             sync.Mutex
	unconfirmed    time.Time // see lastHeard; zero once the destination has been asked
	ownUnconfirmed time.Time // of the first commit that nobody knows the outcome of
	notes          []string  // for the job's events
	failure        *failure  // the one with the lowest commit seq
	problem        *job.Problem
	lag            binlog.Lag
	idle           bool
	// delivered is when binlogs came last.
	delivered time.Time
	drained   time.Time // when the log was last read to its end
	unhandled int       // batches that were read and are not handled to their ends
	oldSource bool      // see mayNotRecord
	warned    time.Time
	excluded  map[int64]bool // tables that are left out from now on (filter.go)
}

// Stream follows the source's binlogs from the position in the progress: it
// applies UPSERTs and passes over what means nothing, until the shift is over or
// the next binlog needs another step. Cancelling ctx ends it normally; the
// result then has the position reached and no error is returned.
func (j *Job) Stream(ctx context.Context, in job.StreamInput, h Hooks) (job.StreamResult, error) {
	position, durable, ahead := startOf(&in.Progress, h.Resume)
	s := &shift{
		job: j, in: in, hooks: h,
		log:          j.Log,
		tracker:      newTracker(position, j.Spec.Type() == job.TableSync, durable, ahead),
		source:       newMetaCache(j.Source, j.Spec.Source.DatabaseID, j.Options.MetaMaxAge),
		destination:  newMetaCache(j.Destination, j.Spec.Destination.DatabaseID, j.Options.MetaMaxAge),
		slots:        make(chan struct{}, j.Options.Window),
		size:         newGroupSize(j.Options.Group),
		lastOf:       map[int64]*txn{},
		uniques:      map[int64]bool{},
		droppedAhead: map[int64]bool{},
		failing:      make(chan struct{}),
		drainedNow:   make(chan struct{}, 1),
		noticed:      make(chan struct{}, 1),
		lag:          in.Progress.Lag,
		filter:       filterEnd(&in.Progress),
		memory:       pair.DefaultLabelMemory,
	}
	s.settling.recall(in.Progress.Met)
	s.book = j.books.of(in.Spec.UID)
	s.before = s.book.takeCleanEnd()
	s.book.seed(in.Progress.Differences, s.followed(), time.Now(), j.Options.SurveyEvery)
	s.book.recall(in.Progress.Comparing)
	s.work, s.cancelWork = context.WithCancel(context.WithoutCancel(ctx))
	defer s.cancelWork()
	s.unconfirmed = UnconfirmedSince(&in.Progress, h.Resume)
	s.noPredecessor = s.unconfirmed.IsZero() && h.Resume == nil

	e := s.run(ctx)
	p, open := s.tracker.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	e.tables.Drop = append(e.tables.Drop, slices.Sorted(maps.Keys(s.excluded))...)
	since, upTo := s.leavesUnconfirmed()
	settled, ahead := s.durable()
	s.book.noteCleanEnd(s.cleanly(e, p, open, since))
	return job.StreamResult{
		End: e.end, Position: p, Binlog: e.binlog, Following: e.following, Wanted: e.wanted, Problem: e.problem, Lag: s.lag, Notes: s.notes, Tables: e.tables,
		Unconfirmed: job.Unconfirmed{Since: since, To: upTo},
		Settling:    job.Settling{Settled: settled, AppliedBeyond: ahead, Met: s.settling.oldest(settled)}, Gap: e.gap, NewEpoch: e.newEpoch,
		Differences: s.differing(), Comparing: s.comparing(),
	}, nil
}

// startOf is where a shift goes on: its position, where the binlogs have to be
// read from, and what is dealt with beyond that.
func startOf(p *job.Progress, last *job.Heartbeat) (position job.Position, durable int64, ahead []int64) {
	from := *p
	if last != nil && last.Position.CommitSeq >= p.Position.CommitSeq {
		from.Position = last.Position
		if last.Settled != 0 || last.Position.CommitSeq > p.Position.CommitSeq {
			from.Settled = last.Settled
		}
		if last.Settled != 0 || len(last.AppliedBeyond) > 0 {
			from.AppliedBeyond = last.AppliedBeyond
		}
	}
	return from.Position, from.Durable(), from.AppliedBeyond
}

// durable are the next Progress.Settled and Ahead.
func (s *shift) durable() (settled int64, ahead []int64) {
	settled, ahead = s.tracker.durable()
	switch {
	case s.tracker.inOrder:
		settled = 0 // the position says it
	case settled == 0:
		settled = -1
	}
	return settled, ahead
}

// run is the shift from its first report to the end of its last goroutine.
func (s *shift) run(ctx context.Context) ending {
	// The first report comes before the first side effect: an attempt that was
	// given up meanwhile learns it here (architecture.md 3).
	if err := s.checkpoint(ctx); err != nil || ctx.Err() != nil {
		return ending{end: job.EndStopped}
	}
	stop, cancel := context.WithTimeout(ctx, s.in.Shift)
	defer cancel()
	s.stop, s.halt = stop, cancel

	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	if s.hooks.Stop != nil {
		helpers.Go(func() {
			select {
			case <-s.hooks.Stop:
				cancel()
			case <-stop.Done():
			}
		})
	}
	over := make(chan struct{})
	defer close(over)
	helpers.Go(func() { s.report(over) })
	helpers.Go(func() { s.observe(stop) })

	e := s.recoverPosition(stop)
	if e == nil || e.end == job.EndSnapshot {
		s.confirm()
	}
	if e == nil {
		e = s.lookFirst(stop)
	}
	if e == nil {
		e = s.reread(stop)
	}
	if e == nil {
		batches, again, found := make(chan batch), make(chan rereadResult), make(chan *ending, 1)
		helpers.Go(func() { s.fetch(stop, batches) })
		helpers.Go(func() { s.watch(stop, found) })
		helpers.Go(func() { s.survey(stop, found) })
		helpers.Go(func() { s.surveyNames(stop, found) })
		if !s.tracker.inOrder {
			helpers.Go(func() { s.readAgain(stop, again) })
		}
		e = s.loop(stop, batches, again, found)
		e = lookedUp(found, e)
	}
	s.drain(stop)
	return s.decideEnding(ctx, stop, *e)
}

// loop handles batches until there is a reason to end.
func (s *shift) loop(stop context.Context, batches <-chan batch, again <-chan rereadResult, found <-chan *ending) *ending {
	for {
		select {
		case <-stop.Done():
			return &ending{end: job.EndStopped}
		case <-s.failing:
			return &ending{end: job.EndBlocked} // conclude says why
		case r := <-again:
			if e := s.applyLate(stop, r.missed); e != nil {
				return e
			}
			s.tracker.settle(r.upTo)
			if e := s.snapshotUnmet(stop, r.upTo); e != nil {
				return e
			}
			if s.caughtUp() {
				return &ending{end: job.EndShiftOver}
			}
		case e := <-found:
			return e
		case <-s.noticed:
			return &ending{end: job.EndShiftOver}
		case b := <-batches:
			if b.err != nil {
				return s.blocked(b.err, s.nextSeq(), binlog.TypeDummy)
			}
			e := s.handleAll(stop, b)
			if e == nil && len(b.binlogs) > 0 {
				s.setUnhandled(-1)
			}
			if flushed := s.flush(stop); flushed != nil {
				return flushed // it ends earlier than e
			}
			if e != nil {
				return e
			}
			if s.in.Probe || s.caughtUp() {
				return &ending{end: job.EndShiftOver}
			}
		}
	}
}

// handleAll handles the binlogs of a batch up to one that ends the loop.
func (s *shift) handleAll(stop context.Context, b batch) *ending {
	for i, rec := range b.binlogs {
		if e := s.handle(stop, rec, b.fetched); e != nil {
			if e.binlog != nil {
				e.following = s.following(e.binlog, b.binlogs[i+1:])
			}
			return e
		}
	}
	return nil
}

// caughtUp tells that every table and partition has reached the position that
// its snapshot had: the workflow can now drop the filter and show the plain
// incremental state (doris-binlogs.md 4.4). What is still being applied is
// waited for at the end of the shift.
func (s *shift) caughtUp() bool {
	complete := s.handled
	if !s.tracker.inOrder { // what a snapshot contains may still be filed
		complete, _ = s.tracker.unsettled()
	}
	return s.filter > 0 && complete >= s.filter
}

// filterEnd is the highest position that a snapshot has given to a table or a
// partition, 0 if there is no filter to drop. A table that counts as contained
// for ever keeps the filter (doris-binlogs.md 4.5.5).
func filterEnd(p *job.Progress) int64 {
	if p.State != job.DBTablesIncrementalSync && len(p.Partitions) == 0 {
		return 0 // as SettleIncremental sees it
	}
	end := int64(0)
	for _, t := range p.Tables {
		if t.Gone {
			return 0
		}
		end = max(end, t.CommitSeq)
	}
	for _, seq := range p.Partitions {
		end = max(end, seq)
	}
	return end
}

// handle does what one binlog asks for; an ending stops the loop.
func (s *shift) handle(stop context.Context, rec binlog.Record, fetched time.Time) *ending {
	position, _ := s.tracker.now()
	s.handled = max(s.handled, rec.CommitSeq)
	if s.tracker.has(rec.CommitSeq) {
		s.metAgain(rec, position.CommitSeq)
		return nil
	}
	if id := s.in.Spec.Source.DatabaseID; rec.DBID != 0 && id != 0 && rec.DBID != id {
		return s.blocked(pair.DatabaseReplaced(&s.in.Spec.Source, rec.DBID), position.CommitSeq, binlog.TypeDummy)
	}
	s.book.met(rec, time.Now())
	inner, v, e := s.classified(rec)
	switch {
	case e != nil:
		return e
	case v == pair.ActionLost:
		return s.binlogsLost(stop, position.CommitSeq, inner.CommitSeq)
	case v == pair.ActionHandOver:
		return &ending{end: job.EndBinlog, binlog: pair.Carried(inner, &s.in.Progress)}
	case v == pair.ActionApply:
		return s.upsert(stop, inner, fetched)
	}
	return nil
}

// classified unwraps a binlog and finds out what to do with it. One that asks for
// nothing is passed over.
func (s *shift) classified(rec binlog.Record) (inner binlog.Record, v pair.Action, e *ending) {
	inner, err := rec.Unwrap()
	if err != nil {
		return rec, v, s.blocked(err, rec.CommitSeq, rec.Type)
	}
	v, err = pair.ClassifyBinlog(inner, &s.in.Spec, &s.in.Progress)
	if err != nil {
		return inner, v, s.blocked(err, inner.CommitSeq, inner.Type)
	}
	if s.hooks.Fail != nil && v != pair.ActionSkip {
		if err := s.hooks.Fail(); err != nil {
			return inner, v, s.blocked(err, inner.CommitSeq, inner.Type)
		}
	}
	switch v {
	case pair.ActionPass:
		s.tracker.passed(inner.CommitSeq)
	case pair.ActionSkip:
		s.tracker.passed(inner.CommitSeq)
		e = &ending{end: job.EndSkipped}
	case pair.ActionGap:
		e = s.gapAt(inner)
	}
	return inner, v, e
}

// gapAt ends the shift at a record which says that the source has not recorded
// everything.
func (s *shift) gapAt(rec binlog.Record) *ending {
	s.tracker.passed(rec.CommitSeq)
	return &ending{end: job.EndGap, gap: &job.Gap{Reason: "binlogs were switched off or on: " + rec.Summary(), CommitSeq: rec.CommitSeq}}
}

// binlogsLost ends the shift because the source has collected binlogs, up to a commit seq,
// that the job needs: a full sync. If the source says later on that it did not record
// for a while, as it does when binlogs were collected because they were switched off,
// all tables are going to be compared anyway, and only those come that differ.
func (s *shift) binlogsLost(ctx context.Context, position, to int64) *ending {
	full := &ending{end: job.EndSnapshot, wanted: &job.SnapshotWanted{Reason: pair.LostReason(position, to)}}
	if s.in.Spec.Type() != job.DatabaseSync || s.in.Progress.Gap != nil {
		return full
	}
	gap, err := s.job.GapAhead(ctx, to, &s.in.Progress)
	switch {
	case err != nil && ctx.Err() != nil:
		return &ending{end: job.EndStopped}
	case err != nil:
		return s.blocked(err, position, binlog.TypeDummy)
	case gap:
		return &ending{end: job.EndGap, gap: &job.Gap{Reason: full.wanted.Reason + ", and binlogs were switched off or on since", CommitSeq: position}}
	}
	return full
}

// ErrTxnInsertOff is the existing tool's text (doris-binlogs.md 3.9).
//
//lint:ignore ST1005 scripts look for it
var ErrTxnInsertOff = problem.WithRemedy(errors.New("The txn insert is not supported yet"), "switch feature_txn_insert on; or job_skip_binlog with skip_by fullsync brings what it did")

// upsert puts an UPSERT into the pipeline.
func (s *shift) upsert(stop context.Context, rec binlog.Record, fetched time.Time) *ending {
	u, records, e := s.selected(rec)
	if e != nil {
		return e
	}
	if len(records) == 0 {
		s.tracker.passed(rec.CommitSeq)
		return nil
	}
	return s.collect(stop, newPart(s, rec, u, records, fetched))
}

// selected decodes an UPSERT and selects what is to be applied of it.
func (s *shift) selected(rec binlog.Record) (*binlog.Upsert, map[int64]binlog.TableRecord, *ending) {
	u, err := binlog.DecodeUpsert(rec.Data)
	if err != nil {
		return nil, nil, s.blocked(err, rec.CommitSeq, rec.Type)
	}
	if !s.tracker.inOrder {
		s.versions.meet(rec.CommitSeq, &u)
	}
	records, err := pair.RecordsOf(&u, rec.CommitSeq, &s.in.Spec, &s.in.Progress)
	if err != nil {
		return nil, nil, s.blocked(err, rec.CommitSeq, rec.Type)
	}
	if len(u.SubTxnIDs) > 0 && !s.job.Options.Features.TxnInsert {
		return nil, nil, s.blocked(ErrTxnInsertOff, rec.CommitSeq, rec.Type)
	}
	return &u, records, nil
}

// order makes t wait for the transactions it must not overtake.
func (s *shift) order(t *txn) {
	if s.in.Spec.CommitOrder != job.CommitOrderPerTable {
		if s.last != nil {
			t.after = append(t.after, s.last)
		}
		s.last = t
		return
	}
	for id := range t.last().records {
		if earlier := s.lastOf[id]; earlier != nil {
			t.after = append(t.after, earlier)
		}
		s.lastOf[id] = t
	}
}

// errSuperseded: another attempt of this shift has taken over.
var errSuperseded = errors.New("another attempt has taken over this shift")

// mayBegin waits until the shift is not too far ahead of its position, and
// reports synchronously when it is time to, or when earlier reports have not
// been acknowledged. n transactions are to begin, the first with the UPSERT first.
// What has been met behind that one cannot be dealt with before it, so it does not
// count. An ending means that nothing new must begin.
func (s *shift) mayBegin(stop context.Context, first *entry, n int) *ending {
	most := max(n, min(pair.MaxAppliedBeyond-1, s.memory.Uncovered()))
	if s.tracker.before(first)+n > most {
		if e := s.awaitRoom(stop, first, most-n); e != nil {
			return e
		}
	}
	if s.alive() && s.begun+n <= s.memory.Uncovered() {
		s.begun += n
		return nil
	}
	begun := s.tracker.before(first) + n
	if err := s.checkpoint(stop); err != nil {
		return &ending{end: job.EndStopped}
	}
	s.begun = begun
	return nil
}

// mayCommit makes sure that no other attempt has begun since the transaction
// was: a process may have stood still between any two lines. An attempt starts
// by rolling back all it finds open, so what was begun before it is not
// committed after it, and what is begun here after it does not get this far.
func (s *shift) mayCommit(ctx context.Context) error {
	if s.alive() {
		return nil
	}
	return s.checkpoint(ctx)
}

// alive tells whether the reports have been acknowledged lately.
func (s *shift) alive() bool { return s.hooks.Alive == nil || s.hooks.Alive() }

// checkpoint records the position before it returns.
func (s *shift) checkpoint(ctx context.Context) error {
	if s.hooks.Checkpoint == nil {
		return nil
	}
	started := time.Now()
	err := s.hooks.Checkpoint(ctx, s.heartbeat())
	m, name := s.job.Options.Metrics, s.job.Spec.Name
	m.Persists.WithLabelValues(name).Inc()
	m.PersistSeconds.WithLabelValues(name).Observe(time.Since(started).Seconds())
	if err != nil {
		s.log.Warn("the checkpoint was refused: this attempt stops", "error", err)
		s.superseded.Store(true)
		s.cancelWork()
		if s.halt != nil {
			s.halt()
		}
		return errors.Join(errSuperseded, err)
	}
	return nil
}
