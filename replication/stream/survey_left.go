package stream

import (
	"cmp"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/compare"
)

// What is not compared is told: that nothing is known to differ says no more than
// what was looked at.

// busyFor is how long a table has been written whenever its turn came before that
// is told, in units of Options.SurveyEvery: two minutes, as it is set by default.
const busyFor = 8

// textBusy is why the rows of a table are not counted.
const textBusy = "it is written all the time: its rows are not counted"

// skipped notes that a table was written when its turn came.
func (t *tableState) skipped(now time.Time) {
	if t.busy.IsZero() {
		t.busy = now
	}
}

// answered notes that a table was compared, with its rows or without.
func (t *tableState) answered(now time.Time, what compare.What) {
	switch {
	case what.Rows:
		t.busy, t.failed = time.Time{}, ""
	case what.Busy:
		t.skipped(now)
	}
	if !now.Before(t.uncount) {
		t.failed = ""
	}
}

// uncomparable notes that a table could not be compared, be it that counting its
// rows takes too long.
func (b *book) uncomparable(id int64, now time.Time, what compare.What, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.table(id)
	defer b.note(id, t)
	t.visited, t.suspect = now, nil
	if t.failed == "" {
		t.failedAt = now
	}
	t.failed = compare.Limited(err.Error())
	if what.Rows {
		t.uncount = now.Add(uncountable)
	}
}

// namesAnswered notes whether the names of all tables could be compared.
func (b *book) namesAnswered(now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &b.contents
	switch {
	case err == nil:
		c.failed = ""
	case c.failed == "":
		c.failedAt = now
		fallthrough
	default:
		c.failed = compare.Limited(err.Error())
	}
}

// recall begins with when a table was compared last.
func (b *book) recall(known *job.Comparing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known != nil && b.contents.compared.Before(known.ComparedAt) {
		b.contents.compared = known.ComparedAt
	}
}

// comparing tells how the comparing goes; every is Options.SurveyEvery.
func (b *book) comparing(now time.Time, every time.Duration) *job.Comparing {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := job.Comparing{Off: every < 0, ComparedAt: b.contents.compared}
	if c.Off {
		return &c
	}
	if failed := b.contents.failed; failed != "" {
		c.NotCompared = append(c.NotCompared, job.NotCompared{Table: job.AllTables, Text: failed, Since: b.contents.failedAt})
	}
	for _, t := range b.contents.notable {
		switch {
		case t.name == "":
		case t.failed != "":
			c.NotCompared = append(c.NotCompared, job.NotCompared{Table: t.name, Text: t.failed, Since: t.failedAt})
		case !t.busy.IsZero() && now.Sub(t.busy) >= busyFor*every:
			c.NotCompared = append(c.NotCompared, job.NotCompared{Table: t.name, Text: textBusy, Since: t.busy})
		}
	}
	slices.SortFunc(c.NotCompared, func(x, y job.NotCompared) int { return cmp.Compare(x.Table, y.Table) })
	c.NotComparedTotal = len(c.NotCompared)
	c.NotCompared = c.NotCompared[:min(len(c.NotCompared), job.MaxNotCompared)]
	return &c
}
