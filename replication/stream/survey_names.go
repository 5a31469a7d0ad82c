package stream

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// The names of all tables and views are compared beside their contents: a table that
// the destination has lost is compared at once (survey.go).

// surveyNames compares the names of all tables and views until ctx is done. One
// list finds what a turn through all tables would find much later.
func (s *shift) surveyNames(ctx context.Context, found chan<- *ending) {
	every := s.job.Options.SurveyEvery
	if every < 0 {
		return
	}
	budget := s.job.Connector.LookBudget(s.job.Spec.Source)
	for pair.Sleep(ctx, max(every, s.book.namesDue(time.Now(), every))) && s.book.await(ctx, &s.book.namesTurn, budget) {
		e := s.compareNames(ctx)
		if e == nil {
			continue
		}
		select {
		case found <- e:
			return
		case <-ctx.Done():
		}
	}
}

// compareNames looks for tables and views that the source has and the job does
// not, although it has read all binlogs, and for those that the destination has
// lost.
func (s *shift) compareNames(ctx context.Context) *ending {
	now := time.Now()
	if now.Sub(s.drainedAt()) > quietFor || now.Sub(s.lastBinlog()) < quietFor || !s.book.listNames(now, s.job.Options.SurveyEvery) {
		return nil
	}
	for _, table := range s.lost(ctx) {
		if e := s.compareNext(ctx, table); e != nil {
			return e
		}
	}
	if s.in.Spec.Type() == job.TableSync {
		return nil
	}
	names, err := s.job.unknownNames(ctx, s.in.Progress.Tables)
	if ctx.Err() != nil {
		return nil
	}
	if s.book.namesAnswered(now, err); err != nil {
		return nil // the next time
	}
	if !s.lastBinlog().Before(now) {
		return nil
	}
	news, told := s.book.named(names, now)
	switch {
	case !news:
		return nil
	case len(told) > 0 && s.mayNotRecord():
		s.note("this version of Doris may recover and replace tables without a binlog: %d tables are on the source that the job does not have", len(told))
		s.book.forgetNames()
		return &ending{end: job.EndGapOver}
	}
	return &ending{end: job.EndShiftOver}
}

// lost are tables and views whose names the destination does not list, and of which
// nothing is told yet. They have to be compared: the name alone proves nothing.
func (s *shift) lost(ctx context.Context) (some []map[int64]job.Table) {
	dest := &s.in.Spec.Destination
	names, err := s.job.Destination.SQL.Tables(ctx, dest.Database)
	if err != nil {
		return nil // whoever looks at the destination says what is wrong
	}
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	tables := s.followed()
	for _, id := range slices.Sorted(maps.Keys(tables)) {
		name := tables[id].Name
		if s.in.Spec.Type() == job.TableSync {
			name = cmp.Or(dest.Table, name)
		}
		if !there[name] && len(some) < lostAtOnce && !s.book.reportedOf(id) {
			some = append(some, map[int64]job.Table{id: tables[id]})
		}
	}
	s.book.lost(len(some) > 0)
	return some
}

// reportedOf tells whether differences of the table are told already.
func (b *book) reportedOf(id int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.table(id).reported) > 0
}

// lost notes whether the destination lacked names when they were listed last.
func (b *book) lost(any bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.contents.lost = any
}

// namesDue is how long it is until the names are to be compared.
func (b *book) namesDue(now time.Time, every time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	pause := namesEvery * every
	if len(b.contents.suspected) > 0 || b.contents.lost {
		pause = min(pause, differsFor)
	}
	return b.contents.listed.Add(pause).Sub(now)
}

// listNames tells whether it is time to compare the names.
func (b *book) listNames(now time.Time, every time.Duration) bool {
	if b.namesDue(now, every) > 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.contents.listed = now
	return true
}

// named notes the names that only the source has; those that were there the last
// time, too, are told.
func (b *book) named(names []string, now time.Time) (news bool, told []job.Difference) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &b.contents
	var found []job.Difference
	for _, name := range names {
		found = append(found, job.Difference{Table: name, Kind: job.DifferentObjects, Text: "the job does not have the table or view, and no binlog tells of it", Since: now})
	}
	before := c.missing
	known := append(slices.Clone(c.missing), c.suspected...)
	c.missing, c.suspected = nil, nil
	for _, d := range found {
		if i := slices.IndexFunc(known, d.Same); i >= 0 {
			c.missing = append(c.missing, known[i])
		} else {
			c.suspected = append(c.suspected, d)
		}
	}
	return !sameDifferences(before, c.missing), c.missing
}

func (b *book) forgetNames() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.contents.missing, b.contents.suspected = nil, nil
}

// unknownNames lists the tables and views that the source has and the job should
// have, and does not.
func (j *Job) unknownNames(ctx context.Context, tables map[int64]job.Table) ([]string, error) {
	names, err := j.SelectedNames(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, t := range tables {
		known[t.Name] = true
	}
	names = slices.DeleteFunc(names, func(name string) bool { return known[name] })
	if len(names) == 0 {
		return nil, nil
	}
	if names, err = j.WithoutAsyncViews(ctx, names); err != nil {
		return nil, fmt.Errorf("compare the names of tables: %w", err)
	}
	return names, nil
}
