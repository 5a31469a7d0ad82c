package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// ending is how a shift ends that has found this, nil if it can go on.
func (s *shift) endingOf(f pair.Finding) *ending {
	switch {
	case f.Other != nil:
		src := &s.in.Spec.Source
		return &ending{end: job.EndSnapshot, wanted: &job.SnapshotWanted{
			Partial: &job.PartialSync{TableID: f.Other.ID, Table: f.Other.Name, Replace: true},
			Reason:  fmt.Sprintf("another table is called %s on the source now: its id was %d and is %d", f.Other.Name, src.TableID, f.Other.ID),
		}}
	case f.Err != nil:
		e := s.blocked(f.Err, s.nextSeq(), binlog.TypeDummy)
		if f.Off && s.in.Progress.Gap == nil {
			e.gap = &job.Gap{Reason: f.Err.Error(), CommitSeq: s.nextSeq()}
		}
		return e
	case s.in.Progress.Gap == nil:
		return nil
	case s.in.Spec.Type() == job.DatabaseSync:
		return &ending{end: job.EndGapOver}
	}
	src := &s.in.Spec.Source
	return &ending{end: job.EndSnapshot, wanted: &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: src.TableID, Table: src.Table, Replace: true},
		Reason:  "what was written while binlogs were off is in no binlog: " + s.in.Progress.Gap.Reason,
	}}
}

const (
	// lookCost bounds the share of the time that looks take: metadata of a table
	// with very many tablets is large.
	lookCost = 50
	// lookSeldom bounds what that leads to.
	lookSeldom = 5 * time.Minute
	// rereadAll is the time between the looks at something that was found.
	lookAgain = 2 * time.Second
	// foundFor is how long a finding has to last while binlogs still come: they may
	// be about to tell the same. With none it is believed at the second look.
	foundFor = 10 * time.Second
	// booksForgotten is how long a job is remembered that does not stream.
	booksForgotten = time.Hour
	// tellAgain is when something that goes on is told again.
	tellAgain = time.Hour
	// hurryEvery is how often a shift ends for what is told once.
	hurryEvery = time.Minute
)

// book is what a process remembers of a job between its shifts, which end with
// every DDL.
type book struct {
	mu   sync.Mutex
	used time.Time
	due  time.Time // of the next look
	// turns in what jobs share, that were given and not taken yet: a shift that ends
	// meanwhile leaves its turn to the next one of the job.
	lookTurn, surveyTurn, namesTurn time.Time
	suspect                         pair.Finding // of the last one
	since                           time.Time    // of the first look that found it

	reported     map[string]time.Time // what was told, and when last; see noteOnce
	endedForNews time.Time            // when a shift ended for it

	contents contents    // survey.go
	ended    *cleanEnd   // cleanend.go
	pacer    *pair.Pacer // of the shift before; fetch.go
}

// isNews tells whether something is news, because it has not been told lately, and
// whether a shift should end for it.
func (b *book) isNews(about string, now time.Time) (news, hurry bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.reported, func(_ string, at time.Time) bool { return now.Sub(at) >= tellAgain })
	if _, told := b.reported[about]; told {
		return false, false
	}
	if b.reported == nil {
		b.reported = map[string]time.Time{}
	}
	b.reported[about] = now
	if hurry = now.Sub(b.endedForNews) >= hurryEvery; hurry {
		b.endedForNews = now
	}
	return true, hurry
}

// Books are what a process remembers of the jobs that it streams.
type Books struct {
	lookEvery time.Duration

	mu    sync.Mutex
	books map[string]*book // by uid
}

// NewBooks returns books in which nothing is written.
func NewBooks(opts *pair.Options) *Books {
	return &Books{lookEvery: opts.LookEvery, books: map[string]*book{}}
}

// of returns the book of a job.
func (k *Books) of(uid string) *book {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for other, b := range k.books {
		if b.lastUsed().Before(now.Add(-booksForgotten)) {
			delete(k.books, other)
		}
	}
	b := k.books[uid]
	if b == nil {
		b = &book{due: now.Add(k.lookEvery)}
		k.books[uid] = b
	}
	b.use(now)
	return b
}

func (b *book) lastUsed() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

func (b *book) use(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = now
}

func (b *book) nextLook() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.due
}

// looked notes what a look has found, and tells whether it is to be believed:
// it was found before, and no binlog has come since, or it has lasted. Two
// statements may follow each other that are meant as one, and the binlogs of what
// was found may be on their way.
func (b *book) looked(now time.Time, took time.Duration, f pair.Finding, lastBinlog time.Time, every time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = now
	if f.Fine() {
		b.suspect = pair.Finding{}
		b.due = now.Add(min(max(every, lookCost*took), max(every, lookSeldom)))
		return false
	}
	again := b.suspect.What == f.What
	if !again {
		b.since = now
	}
	b.suspect = f
	b.due = now.Add(min(lookAgain, every))
	return again && (lastBinlog.Before(b.since) || now.Sub(b.since) >= foundFor)
}

// await waits for the job's turn. A shift that ends before leaves it to the next:
// shifts end with every DDL, and turns that nobody takes would make everybody wait.
func (b *book) await(ctx context.Context, turn *time.Time, budget *pair.PollBudget) bool {
	now := time.Now()
	b.mu.Lock()
	if turn.IsZero() {
		*turn = now.Add(budget.Reserve(now, pair.Idle))
	}
	pause := turn.Sub(now)
	b.mu.Unlock()
	if !pair.Sleep(ctx, pause) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	*turn = time.Time{}
	return true
}

// watch looks at source and destination whenever it is time to, until ctx is done or the
// shift cannot go on.
func (s *shift) watch(ctx context.Context, found chan<- *ending) {
	b := s.book
	budget := s.job.Connector.LookBudget(s.job.Spec.Source)
	for pair.Sleep(ctx, time.Until(b.nextLook())) && b.await(ctx, &b.lookTurn, budget) {
		f, believed := s.look(ctx, b)
		if !believed || f.What == pair.NoTableLeft && s.unread(ctx) {
			continue
		}
		if e := s.endingOf(f); e != nil {
			e.found = true
			select {
			case found <- e:
			case <-ctx.Done():
			}
			s.halt()
			return
		}
	}
}

// lookedUp is what watch has found, else e.
func lookedUp(found <-chan *ending, e *ending) *ending {
	select {
	case f := <-found:
		return f
	default:
		return e
	}
}

// look looks once. What a side cannot tell is looked at again next time: whoever
// reads its binlogs, or writes to it, says what is wrong with it.
func (s *shift) look(ctx context.Context, b *book) (pair.Finding, bool) {
	started := time.Now()
	f, err := s.job.LookAtBoth(ctx)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			s.log.Debug("source and destination do not tell whether they are what they were", "error", err)
		}
		f = pair.Finding{}
	}
	now := time.Now()
	return f, b.looked(now, now.Sub(started), f, s.lastBinlog(), s.job.Options.LookEvery)
}

// lookFirst looks before a shift does anything else that is to find out whether a
// trouble is over, or that has a gap to close. That a log can be read says
// nothing.
func (s *shift) lookFirst(ctx context.Context) *ending {
	if !s.in.Probe && s.in.Progress.Gap == nil {
		return nil
	}
	f, err := s.job.LookAtBoth(ctx)
	known := s.in.Progress.Problem
	switch {
	case err == nil && f.What == pair.NoTableLeft && s.unread(ctx):
		return nil
	case err == nil:
		return s.endingOf(f)
	case ctx.Err() == nil && (s.in.Progress.Gap != nil || known != nil && known.Kind == job.KindMeta):
		return s.blocked(err, s.nextSeq(), binlog.TypeDummy)
	}
	return nil // reading the binlogs tells what is wrong
}

// unread tells whether the log of a table that is gone has binlogs beyond the
// position: they may say which table has taken its place. If the source does not
// answer, whoever reads its binlogs says what is wrong.
func (s *shift) unread(ctx context.Context) bool {
	position, _ := s.tracker.now()
	got, err := s.job.Source.FE.Binlogs(ctx, s.job.BinlogRequest(position.CommitSeq, 1))
	return err != nil && !errors.Is(err, fe.ErrBinlogNotFound) || len(got.Binlogs) > 0
}

// setLastBinlog notes when binlogs came.
func (s *shift) setLastBinlog(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered = now
}

// drainedAt is when the log was last read to its end. It is zero while something of what
// was read is not handled: behind a load that is stuck, or a change that the shift ends
// for, there may be what explains why a table is another on the source.
func (s *shift) drainedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unhandled > 0 {
		return time.Time{}
	}
	return s.drained
}

// setUnhandled notes that a batch was read, or has been handled.
func (s *shift) setUnhandled(batches int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unhandled += batches
}

// mayNotRecord tells whether the source is so old that it changes some things
// without a binlog: what has no lock on binlogs is older than most of their types
// (doris-binlogs.md 1.7, 2.2).
func (s *shift) mayNotRecord() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.oldSource
}

func (s *shift) lastBinlog() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered
}
