package stream

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/compare"
	"github.com/doris-ccr/ccr/replication/pair"
)

const (
	// surveyCost bounds the share of the time that comparing takes.
	surveyCost = 20
	// surveySeldom bounds what that leads to.
	surveySeldom = 10 * time.Minute
	// quietFor is how long no binlog of a table has come when it is compared.
	quietFor = 10 * time.Second
	// drainedFor is how long ago the log may have been read to its end.
	drainedFor = time.Minute
	// doubtEvery is how often a table that differed is compared again.
	doubtEvery = time.Minute
	// differsFor is how long a difference has to last before it is told.
	differsFor = 8 * time.Second
	// namesEvery is how often the names of all tables and views are compared, in
	// units of surveyEvery: every half minute, as it is set by default.
	namesEvery = 2
	// lostAtOnce bounds how many tables are looked at that a list of names lacks.
	lostAtOnce = 4
	// uncountable is how long the rows of a table are not counted that took too long.
	uncountable = time.Hour
)

// tableState is what a process remembers of one table between looks at it.
type tableState struct {
	dest    int64  // the destination's table that this is about
	name    string // "" until it was looked for
	loaded  bool   // a binlog of it has come since
	visited time.Time
	counted map[int64]compare.VersionPair
	// suspect is what the last look has found, of these versions, and since when.
	suspect  []job.Difference
	versions map[int64]compare.VersionPair
	since    time.Time
	reported []job.Difference // and is told
	brought  string           // what the table was brought again for
	uncount  time.Time        // its rows are not counted before
	// busy is since when it was written whenever its turn came, failed why it could
	// not be compared, and failedAt since when.
	busy     time.Time
	failed   string
	failedAt time.Time
	// met and changed are the last binlog of the table, and the last that is no
	// UPSERT: the commit seq and when it was read.
	met, changed mark
}

type mark struct {
	seq int64
	at  time.Time
}

// contents is the part of a book about the content of tables.
type contents struct {
	tables map[int64]*tableState
	// notable are those of them of which something may have to be told: each heartbeat
	// asks, and a database can have hundreds of thousands of tables.
	notable  map[int64]*tableState
	last     int64     // the table that was compared last in turn
	due      time.Time // of the next one
	listed   time.Time // when the names were compared
	lost     bool      // the destination lacked some of them
	compared time.Time // when a table was compared last
	// missing are the names that only the source has, told and suspected.
	missing, suspected []job.Difference
	// failed is why the names could not be compared, and failedAt since when.
	failed   string
	failedAt time.Time
}

// seed begins with what is known to differ, of the tables that the job still has.
func (b *book) seed(known []job.Difference, tables map[int64]job.Table, now time.Time, every time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.contents.tables == nil {
		b.contents.tables = map[int64]*tableState{}
		b.contents.due = now.Add(every)
		ids := map[string]int64{}
		for id, t := range tables {
			ids[t.Name] = id
		}
		for _, d := range known {
			if id, ok := ids[d.Table]; ok {
				t := b.table(id)
				t.reported = append(t.reported, d)
				b.note(id, t)
			} else {
				b.contents.missing = append(b.contents.missing, d)
			}
		}
	}
	for id := range b.contents.tables {
		if _, ok := tables[id]; !ok {
			delete(b.contents.tables, id)
			delete(b.contents.notable, id)
		}
	}
}

// note follows a change of what may have to be told of a table. It is called with the
// lock held.
func (b *book) note(id int64, t *tableState) {
	if len(t.reported) == 0 && t.failed == "" && t.busy.IsZero() {
		delete(b.contents.notable, id)
		return
	}
	if b.contents.notable == nil {
		b.contents.notable = map[int64]*tableState{}
	}
	b.contents.notable[id] = t
}

// table is called with the lock held.
func (b *book) table(id int64) *tableState {
	t := b.contents.tables[id]
	if t == nil {
		t = &tableState{}
		if b.contents.tables == nil {
			b.contents.tables = map[int64]*tableState{}
		}
		b.contents.tables[id] = t
	}
	return t
}

// met notes a binlog.
func (b *book) met(rec binlog.Record, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range rec.TableIDs {
		t := b.table(id)
		t.met, t.loaded = mark{rec.CommitSeq, now}, true
		if rec.Type != binlog.TypeUpsert && rec.Type != binlog.TypeBarrier {
			t.changed = t.met
		}
	}
}

// differences are all that are told, at most MaxDifferences of them.
func (b *book) differences() []job.Difference {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Clone(b.contents.missing)
	for _, t := range b.contents.notable {
		all = append(all, t.reported...)
	}
	slices.SortFunc(all, func(x, y job.Difference) int {
		return cmp.Or(cmp.Compare(x.Table, y.Table), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Text, y.Text))
	})
	if len(all) > job.MaxDifferences {
		all = all[:job.MaxDifferences]
	}
	return all
}

// quiet tells whether nothing is known to be under way for a table: the log was
// read to its end lately, and what it had of the table has been applied and is a
// while ago. rows is false where that holds of changes only.
func (t *tableState) quiet(now, drained time.Time, position int64) (changes, rows bool) {
	if now.Sub(drained) > drainedFor {
		return false, false
	}
	settled := func(m mark) bool { return m.seq <= position && now.Sub(m.at) >= quietFor && drained.After(m.at) }
	return settled(t.changed), settled(t.met) && now.After(t.uncount)
}

// forget begins anew with tables that a snapshot has brought since. It is called
// with the lock held.
func (b *book) forget(tables map[int64]job.Table) {
	for id, known := range tables {
		t := b.table(id)
		t.name = known.Name
		if t.dest != known.DestID {
			t.dest, t.visited, t.suspect, t.counted = known.DestID, time.Time{}, nil, nil
		}
	}
}

// pick chooses the next table to compare, 0 if none is quiet: one that is in
// doubt, else, of a source that may not record some changes, one that was loaded
// lately, else the next in turn.
func (b *book) pick(tables map[int64]job.Table, now, drained time.Time, position int64, unsure bool) (id int64, what compare.What) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(tables)
	ids := slices.Sorted(maps.Keys(tables))
	at, _ := slices.BinarySearch(ids, b.contents.last+1)
	inTurn := slices.Concat(ids[at:], ids[:at])
	usable := func(id int64) (compare.What, bool) {
		known, t := tables[id], b.table(id)
		if known.External || known.Unconfirmed || known.Gone || known.DestID == 0 && !known.View {
			return compare.What{}, false
		}
		changes, rows := t.quiet(now, drained, position)
		return compare.What{Rows: rows && !known.View, Busy: !rows && !known.View && now.After(t.uncount), Counted: maps.Clone(t.counted)}, changes
	}
	for _, id := range inTurn {
		t := b.table(id)
		if len(t.suspect) > 0 && now.Sub(t.since) >= differsFor || len(t.reported) > 0 && now.Sub(t.visited) >= doubtEvery || unsure && t.loaded {
			if what, ok := usable(id); ok {
				return id, what
			}
		}
	}
	for _, id := range inTurn {
		if what, ok := usable(id); ok {
			b.contents.last = id
			return id, what
		}
	}
	return 0, compare.What{}
}

// compared notes what a comparison has found. It returns what is told of the table
// from now on, and whether that is news.
func (b *book) compared(id int64, c compare.Comparison, what compare.What, met mark, now time.Time) (told []job.Difference, news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.table(id)
	defer b.note(id, t)
	t.visited, t.loaded = now, false
	if c.Moved || t.met != met {
		t.suspect = nil
		t.skipped(now)
		return t.reported, false
	}
	t.answered(now, what)
	b.contents.compared = now
	if what.Rows {
		t.counted = c.Counted
	} else {
		// Nobody has counted: what is known of rows stays.
		c.Differences = append(c.Differences, only(t.reported, job.DifferentRows)...)
	}
	before := t.reported
	switch {
	case len(c.Differences) == 0:
		t.suspect, t.reported = nil, nil
	case sameDifferences(c.Differences, t.reported):
		t.suspect = nil
	case sameDifferences(c.Differences, t.suspect) && maps.Equal(c.Versions, t.versions):
		if now.Sub(t.since) >= differsFor {
			t.reported, t.suspect = dated(c.Differences, t.reported, t.since), nil
		}
	default:
		t.suspect, t.versions, t.since = c.Differences, c.Versions, now
	}
	return t.reported, !sameDifferences(before, t.reported)
}

func only(list []job.Difference, kind job.DifferenceKind) (some []job.Difference) {
	for _, d := range list {
		if d.Kind == kind {
			some = append(some, d)
		}
	}
	return some
}

func sameDifferences(a, b []job.Difference) bool {
	return slices.EqualFunc(a, b, job.Difference.Same)
}

// dated sets since when each difference is known.
func dated(list, known []job.Difference, since time.Time) []job.Difference {
	list = slices.Clone(list)
	for i := range list {
		list[i].Since = since
		if k := slices.IndexFunc(known, list[i].Same); k >= 0 {
			list[i].Since = known[k].Since
		}
	}
	return list
}

// survey compares one table after the other until ctx is done. An ending tells
// the workflow what is new.
func (s *shift) survey(ctx context.Context, found chan<- *ending) {
	every := s.job.Options.SurveyEvery
	if every < 0 {
		return
	}
	s.job.Options.Metrics.Differing(s.job.Spec.Name, len(s.book.differences()))
	if !sameDifferences(s.book.differences(), s.in.Progress.Differences) {
		// What was told of a table that another has taken the place of is over.
		select {
		case found <- &ending{end: job.EndShiftOver}:
		case <-ctx.Done():
		}
		return
	}
	budget := s.job.Connector.CompareBudget(s.job.Spec.Source)
	for pair.Sleep(ctx, time.Until(s.book.surveyDue())) && s.book.await(ctx, &s.book.surveyTurn, budget) {
		started := time.Now()
		e := s.compareNext(ctx, s.followed())
		s.job.Options.Metrics.Differing(s.job.Spec.Name, len(s.book.differences()))
		s.book.setSurveyDue(time.Now(), time.Since(started), every)
		if e == nil {
			continue
		}
		select {
		case found <- e:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (b *book) surveyDue() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.contents.due
}

func (b *book) setSurveyDue(now time.Time, took, every time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = now
	b.contents.due = now.Add(min(max(every, surveyCost*took), max(every, surveySeldom)))
}

// followed are the tables and views that the job has, by source id.
func (s *shift) followed() map[int64]job.Table {
	tables := maps.Clone(s.in.Progress.Tables)
	if s.in.Spec.Type() == job.TableSync {
		id := s.in.Spec.Source.TableID
		known := tables[id]
		known.Name = cmp.Or(known.Name, s.in.Spec.Source.Table)
		known.DestID = cmp.Or(known.DestID, s.in.Spec.Destination.TableID)
		return map[int64]job.Table{id: known}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.excluded {
		delete(tables, id)
	}
	return tables
}

// compareNext compares the next of some tables that is quiet.
func (s *shift) compareNext(ctx context.Context, tables map[int64]job.Table) *ending {
	position, _ := s.tracker.now()
	id, what := s.book.pick(tables, time.Now(), s.drainedAt(), position.CommitSeq, s.mayNotRecord())
	if id == 0 {
		return nil
	}
	known := tables[id]
	met := s.book.lastMet(id)
	var c compare.Comparison
	var err error
	if known.View {
		c, err = compare.New(s.job.Job).CompareView(ctx, known)
	} else {
		c, err = compare.New(s.job.Job).CompareTable(ctx, id, known, what)
	}
	if err != nil {
		if ctx.Err() == nil {
			s.log.Info("cannot compare a table on both sides", "table", known.Name, "error", err)
			s.book.uncomparable(id, time.Now(), what, err)
		}
		return nil
	}
	told, news := s.book.compared(id, c, what, met, time.Now())
	if e := s.bringUnrecorded(id, known, c.Table, told); e != nil {
		return e
	}
	if news {
		return &ending{end: job.EndShiftOver}
	}
	return nil
}

func (b *book) lastMet(id int64) mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.table(id).met
}

// bringUnrecorded brings a table that an old source has changed without a record
// of it (doris-binlogs.md 2.2). Each difference leads to one snapshot: one that
// stays is another matter, and only told.
func (s *shift) bringUnrecorded(id int64, known job.Table, name string, told []job.Difference) *ending {
	if !s.mayNotRecord() || s.in.Spec.Type() == job.TableSync && name != s.in.Spec.Source.Table {
		return nil
	}
	what := slices.DeleteFunc(slices.Clone(told), func(d job.Difference) bool { return d.Kind == job.DifferentRows })
	if len(what) == 0 || !s.book.bring(id, what) {
		return nil
	}
	return &ending{end: job.EndSnapshot, wanted: &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: id, Table: name, View: known.View, Replace: !known.View},
		Reason:  "this version of Doris may change a table without a binlog: " + what[0].Text,
	}}
}

// bring tells whether the table has not been brought for that yet.
func (b *book) bring(id int64, what []job.Difference) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.table(id)
	var texts strings.Builder
	for _, d := range what {
		texts.WriteString(d.Text + "\n")
	}
	if t.brought == texts.String() {
		return false
	}
	t.brought = texts.String()
	return true
}
