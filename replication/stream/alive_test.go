package stream

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// A turn that a shift did not take is the next shift's: those that nobody takes
// would delay all others.
func TestATurnIsNotGivenTwice(t *testing.T) {
	b, budget := &book{}, pair.NewPollBudget(1)
	require.True(t, b.await(t.Context(), &b.surveyTurn, budget), "the first is at once")
	ended, end := context.WithCancel(t.Context())
	end()
	for range 100 {
		require.False(t, b.await(ended, &b.surveyTurn, budget))
	}
	require.Less(t, budget.Reserve(time.Now(), pair.Idle), 5*time.Second)
}

// A finding is believed when it lasts: two statements may be meant as one, and
// binlogs that tell the same may be on their way.
func TestAFindingIsBelievedWhenItLasts(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	gone, other := pair.Finding{What: "no table"}, pair.Finding{What: "table 11"}
	idle := time.Time{}

	b := &book{}
	require.False(t, b.looked(at(0), 0, gone, idle, pair.LookEvery))
	require.True(t, b.looked(at(2), 0, gone, idle, pair.LookEvery), "no binlog has come since")

	b = &book{}
	require.False(t, b.looked(at(0), 0, gone, idle, pair.LookEvery))
	require.False(t, b.looked(at(2), 0, other, idle, pair.LookEvery), "something else")
	require.False(t, b.looked(at(4), 0, other, at(3), pair.LookEvery), "binlogs come")
	require.False(t, b.looked(at(11), 0, other, at(10.9), pair.LookEvery))
	require.True(t, b.looked(at(12), 0, other, at(11.9), pair.LookEvery), "and come, and it is so still")

	b = &book{}
	require.False(t, b.looked(at(0), 0, gone, idle, pair.LookEvery))
	require.False(t, b.looked(at(2), 0, pair.Finding{}, idle, pair.LookEvery))
	require.Equal(t, at(17), b.nextLook())
	require.False(t, b.looked(at(17), 0, gone, idle, pair.LookEvery), "it was fine in between")
	require.False(t, b.looked(at(19), 3*time.Second, pair.Finding{}, idle, pair.LookEvery))
	require.Equal(t, at(19+150), b.nextLook(), "a look that is dear comes seldom")
	require.False(t, b.looked(at(200), time.Hour, pair.Finding{}, idle, pair.LookEvery))
	require.Equal(t, at(200).Add(lookSeldom), b.nextLook())
}

func tableBench(t *testing.T) *bench {
	b := newBench(t)
	b.Spec = *pairtest.TableSpec()
	b.Options.LookEvery = 10 * time.Millisecond
	b.Src.TableMeta = map[int64]*meta.Table{10: {ID: 10, Name: "t"}}
	return b
}

// rename gives the source's tables other names at once.
func (b *bench) rename(names map[int64]string) {
	b.Src.Mu.Lock()
	defer b.Src.Mu.Unlock()
	b.Src.TableMeta = map[int64]*meta.Table{}
	for id, name := range names {
		b.Src.TableMeta[id] = &meta.Table{ID: id, Name: name}
	}
}

// The log of a dropped table goes on being empty. The job stalls; a probe, which
// ends at its first success, does not take that for one; and a table that is
// created in its place is brought.
func TestAnIdleShiftNoticesThatItsTableIsGone(t *testing.T) {
	b := tableBench(t)
	var once sync.Once
	idle := make(chan struct{})
	b.Src.OnBinlogs = func(int64) { once.Do(func() { close(idle) }) }
	go func() {
		<-idle
		b.rename(map[int64]string{11: "u"})
	}()
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, got.Problem.Text, "src.t does not exist any more")
	require.Contains(t, got.Problem.Remedy, "goes on by itself")
	require.Equal(t, int64(100), got.Position.CommitSeq)

	b.Progress.Problem = got.Problem
	probe := func() job.StreamResult {
		got, err := b.job().Stream(context.Background(), job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}, Shift: 20 * time.Second, Probe: true}, Hooks{})
		require.NoError(t, err)
		return got
	}
	got = probe()
	require.Equal(t, job.EndBlocked, got.End)

	// As long as its log has binlogs that were not read yet they have the word: the
	// table may have been replaced, and what took its place renamed.
	b.Append(150, binlog.TypeReplaceTable, map[string]any{"dbId": 1, "origTblId": 10, "origTblName": "t", "newTblName": 11, "actualNewTblName": "u"}, 10)
	got = probe()
	require.Equal(t, job.EndBinlog, got.End)
	require.Equal(t, int64(150), got.Binlog.CommitSeq)
	b.Src.Log = nil

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
	b.SQL.Off = map[string]bool{"t": true}
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, got.Problem.Remedy, "ALTER TABLE `src`.`t` SET (\"binlog.enable\" = \"true\")")
	require.NotNil(t, got.Gap)

	// Told, and off still: nothing new. Then on: the gap is closed before anything else.
	b.Progress.Gap = got.Gap
	got = b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Nil(t, got.Gap)
	b.SQL.Off = nil
	b.Upsert(200, 10)
	got = b.stream(0, Hooks{})
	require.Equal(t, job.EndSnapshot, got.End)
	require.Equal(t, int64(10), got.Wanted.Partial.TableID)
	require.Equal(t, int64(100), got.Position.CommitSeq)

	b.Spec = *pairtest.DatabaseSpec()
	require.Equal(t, job.EndGapOver, b.stream(0, Hooks{}).End)
}

// A binlog of another database says that the source is another one.
func TestAStreamOfAnotherDatabaseBlocks(t *testing.T) {
	b := newBench(t)
	b.Upsert(200, 10)
	b.Src.Log[0].DBID = 7
	got := b.stream(0, Hooks{})
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
		want pair.Action
	}{
		"database off":               {pairtest.DatabaseSpec(), 100, binlog.TypeAlterDatabaseProperty, database(`"binlog.enable":"false"`), pair.ActionGap},
		"database on, so it was off": {pairtest.DatabaseSpec(), 100, binlog.TypeAlterDatabaseProperty, database(`"binlog.enable":"true"`), pair.ActionGap},
		"closed already":             {pairtest.DatabaseSpec(), 50, binlog.TypeAlterDatabaseProperty, database(`"binlog.enable":"true"`), pair.ActionPass},
		"another property":           {pairtest.DatabaseSpec(), 100, binlog.TypeAlterDatabaseProperty, database(`"binlog.ttl_seconds":"1"`), pair.ActionPass},
		"table off":                  {pairtest.TableSpec(), 100, binlog.TypeModifyTableProperty, table(`"binlog.enable":"false"`), pair.ActionGap},
		"all four of a table":        {pairtest.TableSpec(), 100, binlog.TypeModifyTableProperty, table(`"binlog.enable":"true","binlog.ttl_seconds":"1"`), pair.ActionHandOver},
		"table of a database off":    {pairtest.DatabaseSpec(), 100, binlog.TypeModifyTableProperty, table(`"binlog.enable":"false"`), pair.ActionGap},
		"in the table's snapshot":    {pairtest.DatabaseSpec(), 70, binlog.TypeModifyTableProperty, table(`"binlog.enable":"false"`), pair.ActionPass},
	} {
		t.Run(name, func(t *testing.T) {
			rec := binlog.Record{CommitSeq: c.seq, Type: c.typ, Data: c.data}
			if c.typ == binlog.TypeModifyTableProperty {
				rec.TableIDs = []int64{10}
			}
			got, err := pair.ClassifyBinlog(rec, c.spec, p)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// A source that cannot say which binlog is the newest is read from the beginning:
// that is when it was switched on, and every table came later.
func TestRecordsBeforeAllSnapshotsOpenNoGap(t *testing.T) {
	on := binlog.Record{CommitSeq: 100, Type: binlog.TypeAlterDatabaseProperty, Data: `{"dbId":1,"properties":{"binlog.enable":"true"}}`}
	p := &job.Progress{Tables: map[int64]job.Table{10: {CommitSeq: 120}, 11: {CommitSeq: 130}, 12: {View: true}}}
	got, err := pair.ClassifyBinlog(on, pairtest.DatabaseSpec(), p)
	require.NoError(t, err)
	require.Equal(t, pair.ActionPass, got)
	p.PartialSyncs = 2
	got, err = pair.ClassifyBinlog(on, pairtest.DatabaseSpec(), p)
	require.NoError(t, err)
	require.Equal(t, pair.ActionGap, got, "what was created meanwhile is in none of them")
	p.PartialSyncs = 0
	p.Tables[11] = job.Table{CommitSeq: 90}
	got, err = pair.ClassifyBinlog(on, pairtest.DatabaseSpec(), p)
	require.NoError(t, err)
	require.Equal(t, pair.ActionGap, got)
}

// Binlogs that were collected because they were switched off are no reason for a full
// sync: the tables are going to be compared.
func TestLostBinlogsThatWereSwitchedOff(t *testing.T) {
	for name, c := range map[string]struct {
		table, on bool
		want      job.StreamEnd
	}{
		"collected":        {want: job.EndSnapshot},
		"switched off":     {on: true, want: job.EndGap},
		"of a table's job": {on: true, table: true, want: job.EndSnapshot},
	} {
		b := newBench(t)
		if c.table {
			b.Spec.Source.Table, b.Spec.Source.TableID = "t0", 10
			b.Spec.Destination.Table, b.Spec.Destination.TableID = "t0", 20
			b.Progress.State, b.Progress.Tables = job.TableIncrementalSync, nil
		}
		b.Append(150, binlog.TypeDummy, map[string]any{})
		dummy := b.Src.Log[0]
		b.Src.OnBinlogs = func(prev int64) {
			if prev >= dummy.CommitSeq {
				b.Src.Log = b.Src.Log[1:]
			}
		}
		b.Upsert(160, 10)
		if c.on {
			b.Append(170, binlog.TypeAlterDatabaseProperty, map[string]any{"dbId": 1, "dbName": "src", "properties": map[string]string{"binlog.enable": "true"}})
		}
		got := b.stream(0, Hooks{})
		require.Equal(t, c.want, got.End, name)
		if c.want == job.EndGap {
			require.Contains(t, got.Gap.Reason, "are lost")
			require.Equal(t, int64(100), got.Position.CommitSeq)
		} else {
			require.Nil(t, got.Wanted.Partial, name)
		}
		require.Empty(t, b.Dst.Commits(), name)
	}
}
