package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/compare"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// A table is compared when all that is known of it is applied and a while ago.
func TestOnlyQuietTablesAreCompared(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	ago := func(s int) time.Time { return now.Add(-time.Duration(s) * time.Second) }
	tables := map[int64]job.Table{10: {Name: "t", DestID: 20}}
	for name, c := range map[string]struct {
		met, changed mark
		drained      time.Time
		compared     bool
		rows         bool
	}{
		"never written":              {drained: ago(1), compared: true, rows: true},
		"written a while ago":        {met: mark{90, ago(20)}, drained: ago(1), compared: true, rows: true},
		"written just now":           {met: mark{90, ago(5)}, drained: ago(1), compared: true},
		"changed just now":           {met: mark{90, ago(5)}, changed: mark{90, ago(5)}, drained: ago(1)},
		"not applied yet":            {met: mark{110, ago(20)}, drained: ago(1), compared: true},
		"a change not applied yet":   {met: mark{110, ago(20)}, changed: mark{110, ago(20)}, drained: ago(1)},
		"not read to the end since":  {met: mark{90, ago(20)}, drained: ago(30), compared: true},
		"not read to the end lately": {drained: ago(100)},
	} {
		t.Run(name, func(t *testing.T) {
			b := &book{}
			b.seed(nil, tables, now, time.Second)
			b.table(10).met, b.table(10).changed = c.met, c.changed
			id, what := b.pick(tables, now, c.drained, 100, false)
			require.Equal(t, c.compared, id == 10)
			require.Equal(t, c.rows, what.Rows)
		})
	}
	b := &book{}
	for _, seq := range []int64{1, 2} {
		b.met(binlog.Record{CommitSeq: seq, Type: binlog.TypeUpsert, TableIDs: []int64{10}}, now)
	}
	require.Equal(t, mark{2, now}, b.table(10).met)
	require.Zero(t, b.table(10).changed)
	b.met(binlog.Record{CommitSeq: 3, Type: binlog.TypeAddPartition, TableIDs: []int64{10}}, now)
	require.Equal(t, mark{3, now}, b.table(10).changed)
}

// A difference is told when it is found twice with nothing in between, and until
// it is gone.
func TestADifferenceIsToldWhenItLasts(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	tables := map[int64]job.Table{10: {Name: "t", DestID: 20}, 11: {Name: "u", DestID: 21}}
	versions := map[int64]compare.VersionPair{101: {Source: 4, Destination: 4, ID: 201}}
	found := func(texts ...string) compare.Comparison {
		c := compare.Comparison{Table: "t", Versions: versions}
		for _, text := range texts {
			c.Differ(job.DifferentRows, "%s", text)
		}
		return c
	}
	rows := compare.What{Rows: true}
	b := &book{}
	b.seed([]job.Difference{{Table: "u", Kind: job.DifferentRows, Text: "x"}, {Table: "new", Kind: job.DifferentObjects, Text: "y"}}, tables, start, time.Second)
	require.Len(t, b.differences(), 2, "what was known before is known still")
	_, news := b.compared(11, compare.Comparison{Table: "u"}, rows, mark{}, at(0))
	require.True(t, news)
	require.Len(t, b.differences(), 1)
	b.named(nil, at(0))
	require.Empty(t, b.differences())

	_, news = b.compared(10, found("2 and 3"), rows, mark{}, at(0))
	require.False(t, news, "once is not enough")
	_, news = b.compared(10, found("2 and 3"), rows, mark{}, at(4))
	require.False(t, news, "nor so soon")
	told, news := b.compared(10, found("2 and 3"), rows, mark{}, at(9))
	require.True(t, news)
	require.Equal(t, []job.Difference{{Table: "t", Kind: job.DifferentRows, Text: "2 and 3", Since: at(0)}}, told)
	_, news = b.compared(10, found("2 and 3"), rows, mark{}, at(99))
	require.False(t, news, "it is known")
	_, news = b.compared(10, compare.Comparison{Table: "t", Versions: versions}, compare.What{}, mark{}, at(120))
	require.False(t, news, "nobody has counted")
	_, news = b.compared(10, compare.Comparison{Table: "t", Versions: versions}, rows, mark{}, at(140))
	require.True(t, news)
	require.Empty(t, b.differences())

	// A load in between, or a version that has moved: nothing is known.
	b.compared(10, found("2 and 3"), rows, mark{}, at(200))
	b.met(binlog.Record{CommitSeq: 5, Type: binlog.TypeUpsert, TableIDs: []int64{10}}, at(201))
	_, news = b.compared(10, found("2 and 3"), rows, mark{}, at(220))
	require.False(t, news)
	met := b.lastMet(10)
	b.compared(10, found("2 and 3"), rows, met, at(240))
	versions = map[int64]compare.VersionPair{101: {Source: 5, Destination: 5, ID: 201}}
	_, news = b.compared(10, found("2 and 3"), rows, met, at(260))
	require.False(t, news, "of other versions")
	_, news = b.compared(10, found("2 and 3"), rows, met, at(280))
	require.True(t, news)

	// A snapshot brings the table: it is compared first.
	tables[10] = job.Table{Name: "t", DestID: 30}
	id, _ := b.pick(tables, at(300), at(299), 100, false)
	require.Equal(t, int64(10), id)
}

// Nobody takes a table for equal that was never compared.
func TestWhatIsNotComparedIsTold(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	tables := map[int64]job.Table{10: {Name: "busy", DestID: 20}, 11: {Name: "failing", DestID: 21}, 12: {Name: "v", View: true}}
	b := &book{}
	b.seed(nil, tables, start, time.Second)
	b.recall(&job.Comparing{ComparedAt: at(-100)})
	require.Equal(t, &job.Comparing{ComparedAt: at(-100)}, b.comparing(start, time.Second))
	require.Equal(t, &job.Comparing{Off: true, ComparedAt: at(-100)}, b.comparing(start, -1))

	look := func(s int, c compare.Comparison, err error) {
		b.met(binlog.Record{CommitSeq: 50, Type: binlog.TypeUpsert, TableIDs: []int64{10}}, at(s))
		id, what := b.pick(tables, at(s), at(s), 100, false)
		switch {
		case id == 11:
			b.uncomparable(id, at(s), what, errors.New("no such backend"))
		default:
			b.compared(id, c, what, b.lastMet(id), at(s))
		}
	}
	for s := range 12 {
		look(s, compare.Comparison{}, nil)
	}
	got := b.comparing(at(12), time.Second)
	require.Equal(t, []job.NotCompared{{Table: "busy", Text: textBusy, Since: at(0)}, {Table: "failing", Text: "no such backend", Since: at(1)}}, got.NotCompared)
	require.Equal(t, 2, got.NotComparedTotal)
	require.Equal(t, at(11), got.ComparedAt)
	require.Len(t, b.comparing(at(7), time.Second).NotCompared, 1, "a burst of loads is nothing to tell")

	for _, s := range []int{20, 30} {
		b.namesAnswered(at(s), fmt.Errorf("refused at %d", s))
	}
	require.Equal(t, job.NotCompared{Table: job.AllTables, Text: "refused at 30", Since: at(20)}, b.comparing(at(40), time.Second).NotCompared[0])
	b.namesAnswered(at(41), nil)

	// Each was compared in the end.
	b.compared(10, compare.Comparison{}, compare.What{Rows: true}, b.lastMet(10), at(60))
	b.compared(11, compare.Comparison{}, compare.What{}, b.lastMet(11), at(61))
	require.Len(t, b.comparing(at(62), time.Second).NotCompared, 1, "its rows were not counted")
	b.compared(11, compare.Comparison{}, compare.What{Rows: true}, b.lastMet(11), at(4000))
	require.Empty(t, b.comparing(at(4001), time.Second).NotCompared)

	// A load in between is a table that is written, too.
	b.compared(11, compare.Comparison{Moved: true}, compare.What{Rows: true}, b.lastMet(11), at(4100))
	require.Len(t, b.comparing(at(4200), time.Second).NotCompared, 1)

	for id := range int64(30) {
		tables[id] = job.Table{Name: fmt.Sprintf("t%02d", id), DestID: 100 + id}
		b.table(id).name = tables[id].Name
		b.compared(id, compare.Comparison{Moved: true}, compare.What{}, b.lastMet(id), at(4300))
	}
	got = b.comparing(at(5000), time.Second)
	require.Len(t, got.NotCompared, job.MaxNotCompared)
	require.Equal(t, 30, got.NotComparedTotal)
}

// Each difference of an old source leads to one snapshot.
func TestWhatAnOldSourceChangedIsBroughtOnce(t *testing.T) {
	b := newBench(t)
	s := &shift{in: job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}}, book: &book{}}
	index := []job.Difference{{Table: "t0", Kind: job.DifferentDefinition, Text: "an index"}}
	require.Nil(t, s.bringUnrecorded(10, b.Progress.Tables[10], "t0", index), "it records everything")
	s.oldSource = true
	require.Nil(t, s.bringUnrecorded(10, b.Progress.Tables[10], "t0", []job.Difference{{Table: "t0", Kind: job.DifferentRows, Text: "2 and 3"}}), "loads are recorded")
	e := s.bringUnrecorded(10, b.Progress.Tables[10], "t0", index)
	require.Equal(t, &job.PartialSync{TableID: 10, Table: "t0", Replace: true}, e.wanted.Partial)
	require.True(t, strings.HasSuffix(e.wanted.Reason, "an index"))
	require.Nil(t, s.bringUnrecorded(10, b.Progress.Tables[10], "t0", index), "it did not help")
}

// One list of names finds what the destination has lost, long before its turn to
// be compared comes.
func TestWhatTheDestinationHasLost(t *testing.T) {
	spec := pairtest.DatabaseSpec()
	in := job.StreamInput{StepInput: job.StepInput{Spec: *spec, Progress: job.Progress{Tables: map[int64]job.Table{
		10: {Name: "t", DestID: 20}, 11: {Name: "lost", DestID: 21}, 12: {Name: "told", DestID: 22}, 13: {Name: "v", View: true},
	}}}}
	dst := &pairtest.Script{ID: 2, Names: []string{"t", "theirs"}}
	s := &shift{job: newJob(pairtest.Scripted(spec, &pairtest.Script{}, dst)), in: in, book: &book{}}
	s.book.table(12).reported = []job.Difference{{Table: "told"}}
	lost := s.lost(t.Context())
	require.Equal(t, []map[int64]job.Table{{11: in.Progress.Tables[11]}, {13: in.Progress.Tables[13]}}, lost)
	now := time.Unix(1_700_000_000, 0)
	s.book.contents.listed = now
	require.Equal(t, differsFor, s.book.namesDue(now, time.Minute), "and looks again soon")
	dst.Names = []string{"t", "lost", "v"}
	require.Empty(t, s.lost(t.Context()))
	require.Equal(t, namesEvery*time.Minute, s.book.namesDue(now, time.Minute))
}

// The list that says that nothing differs any more is not one that says nothing.
func TestNoDifferenceIsSaid(t *testing.T) {
	s := &shift{job: newJob(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, &pairtest.Script{})), book: &book{}}
	text, err := json.Marshal(job.StreamResult{Differences: s.differing()})
	require.NoError(t, err)
	var heard job.StreamResult
	require.NoError(t, json.Unmarshal(text, &heard))
	require.NotNil(t, heard.Differences)
}

// The log is not read to its end while something of it is not handled: behind a change
// that the shift ends for there may be what explains why a table is another now.
func TestWhatIsReadAndNotHandledIsNotTheEnd(t *testing.T) {
	for _, tt := range []struct {
		typ    binlog.Type
		fields map[string]any
		drains bool
	}{
		{binlog.TypeBarrier, map[string]any{"dbId": 1, "tableId": 10}, true},
		{binlog.TypeTruncateTable, map[string]any{"db": "src", "dbId": 1, "table": "t0", "tblId": 10}, false},
	} {
		b := newBench(t)
		b.Append(101, tt.typ, tt.fields, 10)
		j := b.job()
		s := &shift{
			job: j, log: j.Log, book: &book{}, drainedNow: make(chan struct{}, 1), tracker: newTracker(b.Progress.Position, false, 100, nil),
			in: job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}}, size: newGroupSize(1),
		}
		ctx, cancel := context.WithCancel(t.Context())
		var reading sync.WaitGroup
		batches := make(chan batch)
		reading.Go(func() { s.fetch(ctx, batches) })
		if tt.drains {
			reading.Go(func() { s.loop(ctx, batches, nil, nil) })
			require.Eventually(t, func() bool { return !s.drainedAt().IsZero() }, 10*time.Second, time.Millisecond)
		} else {
			require.Equal(t, job.EndBinlog, s.loop(ctx, batches, nil, nil).end)
			require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.idle }, 10*time.Second, time.Millisecond)
			require.Zero(t, s.drainedAt())
		}
		cancel()
		reading.Wait()
	}
}
