package replication

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
)

// What a look at the source finds (doris-binlogs.md 1.5, doris-rpc.md 3.4). The
// table job follows id 10 and is for the name t.
func TestLookAtSource(t *testing.T) {
	called := func(name string) *job.Spec {
		spec := tableSpec()
		spec.Source.Call(name)
		return spec
	}
	missing := fe.ErrDatabaseNotFound
	for name, c := range map[string]struct {
		spec   *job.Spec
		src    script
		tables map[int64]string
		what   string // "" = fine
		err    string
		other  int64
	}{
		"as it was":                       {spec: tableSpec(), tables: map[int64]string{10: "t"}},
		"dropped":                         {spec: tableSpec(), tables: map[int64]string{11: "u"}, what: "no table", err: "src.t does not exist any more"},
		"created again":                   {spec: tableSpec(), tables: map[int64]string{11: "t"}, what: "table 11", other: 11},
		"swapped by renames":              {spec: called("t_old"), tables: map[int64]string{10: "t_old", 11: "t"}, what: "table 11", other: 11},
		"replaced, the binlog is to come": {spec: tableSpec(), tables: map[int64]string{10: "x", 11: "t"}, what: "table 11", other: 11},
		"renamed only":                    {spec: called("t2"), tables: map[int64]string{10: "t2"}},
		"renamed, not told yet":           {spec: tableSpec(), tables: map[int64]string{10: "t2"}},
		"renamed and dropped":             {spec: called("t2"), tables: map[int64]string{11: "t3"}, what: "no table", err: "src.t does not exist"},
		"switched off":                    {spec: tableSpec(), tables: map[int64]string{10: "t"}, src: script{off: map[string]bool{"t": true}}, what: "off", err: "source table src.t does not record binlogs"},
		"its database created again":      {spec: tableSpec(), src: script{id: 9}, what: "database 9", err: "its id was 1 and is 9"},
		"database as it was":              {spec: databaseSpec()},
		"database switched off":           {spec: databaseSpec(), src: script{off: map[string]bool{"src": true}}, what: "off", err: "source database src does not record binlogs"},
		"database created again":          {spec: databaseSpec(), src: script{id: 9}, what: "database 9", err: "its id was 1 and is 9"},
		"database dropped":                {spec: databaseSpec(), src: script{metaErr: missing}, what: "no database", err: "does not exist any more"},
	} {
		t.Run(name, func(t *testing.T) {
			c.src.tables = map[int64]*meta.Table{}
			for id, name := range c.tables {
				c.src.tables[id] = &meta.Table{ID: id, Name: name}
			}
			f, err := scripted(c.spec, &c.src, nil).lookAtSource(context.Background())
			require.NoError(t, err)
			require.Equal(t, c.what, f.what)
			if c.err != "" {
				require.ErrorContains(t, f.err, c.err)
				require.NotEmpty(t, Remedy(f.err))
			}
			if c.other != 0 {
				require.Equal(t, c.other, f.other.ID)
			}
		})
	}
}

// What a look at the destination finds while nobody writes there.
func TestLookAtDestination(t *testing.T) {
	for name, c := range map[string]struct {
		dst script
		err string // "" = fine
	}{
		"as it was":     {dst: script{id: 2}},
		"dropped":       {dst: script{metaErr: fe.ErrDatabaseNotFound}, err: "destination database dst does not exist any more"},
		"created again": {dst: script{id: 9}, err: "destination database dst is another one than the job has written to: its id was 2 and is 9"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := scripted(databaseSpec(), &script{}, &c.dst).lookAtBoth(context.Background())
			require.NoError(t, err)
			require.Equal(t, c.err == "", f.fine())
			if c.err != "" {
				require.ErrorContains(t, f.err, c.err)
				require.Contains(t, Remedy(f.err), "force_fullsync")
			}
		})
	}
	f, err := scripted(databaseSpec(), &script{off: map[string]bool{"src": true}}, &script{metaErr: fe.ErrDatabaseNotFound}).lookAtBoth(context.Background())
	require.NoError(t, err)
	require.True(t, f.off, "the source comes first")
}

// A turn that a shift did not take is the next shift's: those that nobody takes
// would delay all others.
func TestATurnIsNotGivenTwice(t *testing.T) {
	b, budget := &book{}, newPollBudget(1)
	require.True(t, b.await(t.Context(), &b.surveyTurn, budget), "the first is at once")
	ended, end := context.WithCancel(t.Context())
	end()
	for range 100 {
		require.False(t, b.await(ended, &b.surveyTurn, budget))
	}
	require.Less(t, budget.reserve(time.Now(), false), 5*time.Second)
}

// A finding is believed when it lasts: two statements may be meant as one, and
// binlogs that tell the same may be on their way.
func TestAFindingIsBelievedWhenItLasts(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	gone, other := finding{what: "no table"}, finding{what: "table 11"}
	idle := time.Time{}

	b := &book{}
	require.False(t, b.looked(at(0), 0, gone, idle, lookEvery))
	require.True(t, b.looked(at(2), 0, gone, idle, lookEvery), "no binlog has come since")

	b = &book{}
	require.False(t, b.looked(at(0), 0, gone, idle, lookEvery))
	require.False(t, b.looked(at(2), 0, other, idle, lookEvery), "something else")
	require.False(t, b.looked(at(4), 0, other, at(3), lookEvery), "binlogs come")
	require.False(t, b.looked(at(11), 0, other, at(10.9), lookEvery))
	require.True(t, b.looked(at(12), 0, other, at(11.9), lookEvery), "and come, and it is so still")

	b = &book{}
	require.False(t, b.looked(at(0), 0, gone, idle, lookEvery))
	require.False(t, b.looked(at(2), 0, finding{}, idle, lookEvery))
	require.Equal(t, at(17), b.nextLook())
	require.False(t, b.looked(at(17), 0, gone, idle, lookEvery), "it was fine in between")
	require.False(t, b.looked(at(19), 3*time.Second, finding{}, idle, lookEvery))
	require.Equal(t, at(19+150), b.nextLook(), "a look that is dear comes seldom")
	require.False(t, b.looked(at(200), time.Hour, finding{}, idle, lookEvery))
	require.Equal(t, at(200).Add(lookSeldom), b.nextLook())
}

func tableBench(t *testing.T) *bench {
	b := newBench(t)
	b.spec = *tableSpec()
	b.opts.LookEvery = 10 * time.Millisecond
	b.src.tables = map[int64]*meta.Table{10: {ID: 10, Name: "t"}}
	return b
}

// rename gives the source's tables other names at once.
func (b *bench) rename(names map[int64]string) {
	b.src.mu.Lock()
	defer b.src.mu.Unlock()
	b.src.tables = map[int64]*meta.Table{}
	for id, name := range names {
		b.src.tables[id] = &meta.Table{ID: id, Name: name}
	}
}

// The log of a dropped table goes on being empty. The job stalls; a probe, which
// ends at its first success, does not take that for one; and a table that is
// created in its place is brought.
func TestAnIdleShiftNoticesThatItsTableIsGone(t *testing.T) {
	b := tableBench(t)
	var once sync.Once
	idle := make(chan struct{})
	b.src.onBinlogs = func(int64) { once.Do(func() { close(idle) }) }
	go func() {
		<-idle
		b.rename(map[int64]string{11: "u"})
	}()
	got := b.stream(0, StreamHooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, got.Problem.Text, "src.t does not exist any more")
	require.Contains(t, got.Problem.Remedy, "goes on by itself")
	require.Equal(t, int64(100), got.Position.CommitSeq)

	b.p.Problem = got.Problem
	probe := func() job.StreamResult {
		got, err := b.job().Stream(context.Background(), job.StreamInput{StepInput: job.StepInput{Spec: b.spec, Progress: b.p}, Shift: 20 * time.Second, Probe: true}, StreamHooks{})
		require.NoError(t, err)
		return got
	}
	got = probe()
	require.Equal(t, job.EndBlocked, got.End)

	// As long as its log has binlogs that were not read yet they have the word: the
	// table may have been replaced, and what took its place renamed.
	b.append(150, binlog.TypeReplaceTable, map[string]any{"dbId": 1, "origTblId": 10, "origTblName": "t", "newTblName": 11, "actualNewTblName": "u"}, 10)
	got = probe()
	require.Equal(t, job.EndBinlog, got.End)
	require.Equal(t, int64(150), got.Binlog.CommitSeq)
	b.src.log = nil

	b.rename(map[int64]string{12: "t"})
	got = probe()
	require.Equal(t, job.EndSnapshot, got.End)
	require.Equal(t, &job.PartialSync{TableID: 12, Table: "t", Replace: true}, got.Wanted.Partial)
	require.Contains(t, got.Wanted.Reason, "its id was 10 and is 12")

	b.rename(map[int64]string{10: "t"}) // recovered
	require.Equal(t, job.EndShiftOver, probe().End)
}

func TestAnIdleShiftNoticesThatBinlogsAreOff(t *testing.T) {
	b := tableBench(t)
	b.sql.off = map[string]bool{"t": true}
	got := b.stream(0, StreamHooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, got.Problem.Remedy, "ALTER TABLE `src`.`t` SET (\"binlog.enable\" = \"true\")")
	require.NotNil(t, got.Gap)

	// Told, and off still: nothing new. Then on: the gap is closed before anything else.
	b.p.Gap = got.Gap
	got = b.stream(0, StreamHooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Nil(t, got.Gap)
	b.sql.off = nil
	b.upsert(200, 10)
	got = b.stream(0, StreamHooks{})
	require.Equal(t, job.EndSnapshot, got.End)
	require.Equal(t, int64(10), got.Wanted.Partial.TableID)
	require.Equal(t, int64(100), got.Position.CommitSeq)

	b.spec = *databaseSpec()
	require.Equal(t, job.EndGapOver, b.stream(0, StreamHooks{}).End)
}

// A binlog of another database says that the source is another one.
func TestAStreamOfAnotherDatabaseBlocks(t *testing.T) {
	b := newBench(t)
	b.upsert(200, 10)
	b.src.log[0].DBID = 7
	got := b.stream(0, StreamHooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, got.Problem.Text, "its id was 1 and is 7")
	require.Contains(t, got.Problem.Remedy, "force_fullsync")
	require.Equal(t, int64(100), got.Position.CommitSeq)
}

// Records of the switch (doris-binlogs.md 2.10, 2.11).
func TestRecordsThatOpenAGap(t *testing.T) {
	p := &job.Progress{GapTo: 50, Tables: map[int64]job.Table{10: {Name: "t", CommitSeq: 80}}}
	database := func(properties string) string { return `{"dbId":1,"dbName":"src","properties":{` + properties + `}}` }
	table := func(properties string) string {
		return `{"dbId":1,"tableId":10,"tableName":"t","properties":{` + properties + `}}`
	}
	for name, c := range map[string]struct {
		spec *job.Spec
		seq  int64
		typ  binlog.Type
		data string
		want verdict
	}{
		"database off":               {databaseSpec(), 100, binlog.TypeAlterDatabaseProperty, database(`"binlog.enable":"false"`), unrecorded},
		"database on, so it was off": {databaseSpec(), 100, binlog.TypeAlterDatabaseProperty, database(`"binlog.enable":"true"`), unrecorded},
		"closed already":             {databaseSpec(), 50, binlog.TypeAlterDatabaseProperty, database(`"binlog.enable":"true"`), pass},
		"another property":           {databaseSpec(), 100, binlog.TypeAlterDatabaseProperty, database(`"binlog.ttl_seconds":"1"`), pass},
		"table off":                  {tableSpec(), 100, binlog.TypeModifyTableProperty, table(`"binlog.enable":"false"`), unrecorded},
		"all four of a table":        {tableSpec(), 100, binlog.TypeModifyTableProperty, table(`"binlog.enable":"true","binlog.ttl_seconds":"1"`), handOver},
		"table of a database off":    {databaseSpec(), 100, binlog.TypeModifyTableProperty, table(`"binlog.enable":"false"`), unrecorded},
		"in the table's snapshot":    {databaseSpec(), 70, binlog.TypeModifyTableProperty, table(`"binlog.enable":"false"`), pass},
	} {
		t.Run(name, func(t *testing.T) {
			rec := binlog.Record{CommitSeq: c.seq, Type: c.typ, Data: c.data}
			if c.typ == binlog.TypeModifyTableProperty {
				rec.TableIDs = []int64{10}
			}
			got, err := judge(rec, c.spec, p)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// What a database job brings again when its source records again.
func TestCloseGap(t *testing.T) {
	p := job.Progress{Gap: &job.Gap{Reason: "it was off"}, Position: job.Position{CommitSeq: 100}, Settled: 94, Tables: map[int64]job.Table{
		10: {Name: "t", DestID: 20}, 11: {Name: "u", DestID: 21}, 12: {Name: "gone", DestID: 22}, 13: {Name: "v", View: true}, 14: {Name: "w", View: true},
		15: {Name: "long gone", CommitSeq: job.Contained}, 30: {Name: "met gone", CommitSeq: job.Contained, DestID: 40}, 31: {Name: "filed late", DestID: 41}, 17: {Name: "dropped", DestID: 27}, 18: {Name: "taken", DestID: 28},
	}}
	src := &script{tables: map[int64]*meta.Table{10: {ID: 10, Name: "t"}, 11: {ID: 11, Name: "u2"}, 16: {ID: 16, Name: "new"}, 19: {ID: 19, Name: "taken"}},
		dropped: map[int64]int64{12: 90, 31: 95, 17: 138, 18: 139}, // that of 12 is of before it was recovered
		names:   []string{"t", "u2", "new", "taken", "v", "x"}, views: []string{"v", "x"}, log: map[int64][]binlog.Record{0: {{CommitSeq: 130}, {CommitSeq: 140}, {CommitSeq: 150}}}}
	dst := &script{id: 2, tables: map[int64]*meta.Table{20: {ID: 20, Name: "t"}, 21: {ID: 21, Name: "u"}, 27: {ID: 27, Name: "dropped"}, 28: {ID: 28, Name: "taken"}}}
	in := job.StepInput{Spec: *databaseSpec(), Progress: p}
	out, err := scripted(databaseSpec(), src, dst).SelectTables(context.Background(), in)
	require.NoError(t, err)
	require.Equal(t, int64(150), out.GapTo, "the end, not that of one answer")
	require.Equal(t, []int64{12, 30, 14}, out.Gone)
	require.Equal(t, []int64{17, 18, 31}, out.Dropped, "their drops are recorded")
	require.Equal(t, []string{"DROP dropped"}, dst.executed, "the other gives way to the snapshot of its successor")
	var again, included []string
	for _, part := range out.Missing {
		if part.Again {
			require.NotEmpty(t, part.Why)
			again = append(again, part.Table)
		} else {
			included = append(included, part.Table)
		}
	}
	require.Equal(t, []string{"t", "u2", "v"}, again)
	require.Equal(t, []string{"new", "taken", "x"}, included)

	// Off still, or again: the gap goes on.
	src.off = map[string]bool{"src": true}
	out, err = scripted(databaseSpec(), src, dst).SelectTables(context.Background(), in)
	require.NoError(t, err)
	require.Zero(t, out.GapTo)
	require.Empty(t, out.Gone)
}

// After a gap a table stays as it is if it is the same on both sides: versions of
// partitions, which each load raises, and its definition.
func TestWhatIsTheSameAfterAGapIsNotBroughtAgain(t *testing.T) {
	newest := int64(0)
	for _, c := range []struct {
		want   string
		known  bool
		change func(source, destination *content)
	}{
		{want: "", known: true},
		{want: ""},
		{want: "was written", known: true, change: func(s, _ *content) { s.table.Partitions[0].VisibleVersion++ }},
		{want: "was changed", known: true, change: func(s, _ *content) { s.column = "w" }},
		{want: "was renamed", known: true, change: func(s, _ *content) { s.table.Name = "t2" }},
		// TRUNCATE and a load, or INSERT OVERWRITE: the version is what it was.
		{want: "is another one", known: true, change: func(s, _ *content) { s.table.Partitions[0].ID = newest + 1 }},
		{want: "", known: true, change: func(s, d *content) {
			s.table.Partitions[0].ID, s.table.Partitions[0].VisibleVersion, d.table.Partitions[0].VisibleVersion = newest+1, 1, 1
		}},
		{want: "was changed", change: func(s, _ *content) { s.rows["p1"] = 9 }},
	} {
		source, destination := sides()
		for _, p := range source.table.Partitions {
			newest = max(newest, p.ID)
		}
		if c.change != nil {
			c.change(source, destination)
		}
		p := &job.Progress{Tables: map[int64]job.Table{10: {Name: "t", DestID: 20}}}
		if c.known {
			p.Position.Partition = newest
		}
		why := comparing(source, destination).mayDiffer(context.Background(), p, 10, source.table, destination.table)
		require.Contains(t, why, c.want)
		require.Equal(t, c.want == "", why == "", why)
	}
}

// A source that cannot say which binlog is the newest is read from the beginning:
// that is when it was switched on, and every table came later.
func TestRecordsBeforeAllSnapshotsOpenNoGap(t *testing.T) {
	on := binlog.Record{CommitSeq: 100, Type: binlog.TypeAlterDatabaseProperty, Data: `{"dbId":1,"properties":{"binlog.enable":"true"}}`}
	p := &job.Progress{Tables: map[int64]job.Table{10: {CommitSeq: 120}, 11: {CommitSeq: 130}, 12: {View: true}}}
	got, err := judge(on, databaseSpec(), p)
	require.NoError(t, err)
	require.Equal(t, pass, got)
	p.PartialSyncs = 2
	got, err = judge(on, databaseSpec(), p)
	require.NoError(t, err)
	require.Equal(t, unrecorded, got, "what was created meanwhile is in none of them")
	p.PartialSyncs = 0
	p.Tables[11] = job.Table{CommitSeq: 90}
	got, err = judge(on, databaseSpec(), p)
	require.NoError(t, err)
	require.Equal(t, unrecorded, got)
}
