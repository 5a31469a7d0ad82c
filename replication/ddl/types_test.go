package ddl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// TestEveryType plays every type of binlog in every kind of job: once, twice,
// with an unknown outcome, wrapped in a BARRIER, too large to be carried, and
// contained in a snapshot of its table or of some of its partitions.
// A type without a case fails it.
func TestEveryType(t *testing.T) {
	played := map[binlog.Type]bool{binlog.TypeUpsert: true, binlog.TypeDummy: true} // TestEveryTypeOfTheStream
	for i := range typeCases {
		c := &typeCases[i]
		played[c.typ] = true
		for _, kind := range pairtest.JobKinds {
			t.Run(fmt.Sprintf("%s/%d/%s", c.typ, i, kind), func(t *testing.T) { c.play(t, kind) })
		}
	}
	for typ := binlog.TypeUpsert; typ.Known(); typ++ {
		require.True(t, played[typ], "%s has no case", typ)
		_, handled := handlers[typ]
		require.Equal(t, typ != binlog.TypeUpsert && typ != binlog.TypeDummy, handled, "%s has no handler", typ)
	}
}

// in is the case as a kind of job has it.
func (c *typeCase) in(kind string) *typeCase {
	other := c.table
	if kind == "alias" && c.alias != nil {
		other = c.alias
	}
	if kind == "db" || other == nil {
		return c
	}
	changed := *other
	changed.typ, changed.payload, changed.tables, changed.before = c.typ, c.payload, c.tables, c.before
	changed.unfiltered = c.unfiltered
	return &changed
}

// start is the state before the binlog.
func (c *typeCase) start(kind string) *applied {
	tables := c.tables
	if tables == nil {
		tables = []int64{10}
	}
	a := applying(c.typ, c.payload, tables...)
	a.in.Progress.Tables[13] = job.Table{Name: "w", View: true}
	if kind != "db" {
		name := map[string]string{"table": "t", "alias": "copy"}[kind]
		a.dst.TableMeta[20].Name, a.dst.Names = name, []string{name}
		a.in.Spec.Source.Table, a.in.Spec.Source.TableID = "t", 10
		a.in.Spec.Destination.Table, a.in.Spec.Destination.TableID = name, 20
		a.in.Progress.Tables = map[int64]job.Table{10: {Name: "t", DestID: 20}}
	}
	if c.before != nil {
		c.before(a)
	}
	return a
}

// statements are those that are wanted, with the destination's name.
func (c *typeCase) statements(kind string) (list []string) {
	name := "t"
	if kind == "alias" {
		name = "copy"
	}
	for _, s := range c.want {
		list = append(list, strings.ReplaceAll(s, "{t}", name))
	}
	return list
}

func (c *typeCase) play(t *testing.T, kind string) {
	c = c.in(kind)
	c.judged(t, kind)
	once := func(name string, change func(*applied)) *applied {
		a := c.start(kind)
		change(a)
		c.require(t, kind, name, a, a.run(t))
		return a
	}
	a := once("once", func(*applied) {})
	c.second(t, kind, a)
	once("unknown outcome, not done", func(a *applied) { a.in.OutcomeUnknown = true })
	once("wrapped in a BARRIER", func(a *applied) {
		b := a.in.Progress.Pending
		b.Data, b.Type = pairtest.Wrapped(b.Type, b.Data), binlog.TypeBarrier
	})
	once("too large to be carried", func(a *applied) {
		b := a.in.Progress.Pending
		a.src.log = fe.BinlogBatch{Binlogs: []binlog.Record{{CommitSeq: b.CommitSeq, Type: b.Type, TableIDs: b.TableIDs, Data: b.Data}}}
		b.Data, b.Truncated = "", true
	})
	if kind == "db" && !c.unfiltered {
		c.filtered(t)
	}
}

// require compares what happened with what the case says.
func (c *typeCase) require(t *testing.T, kind, name string, a *applied, got job.ApplyResult) {
	t.Helper()
	require.Nil(t, got.Problem, name)
	require.Equal(t, c.statements(kind), a.dst.Executed, name)
	switch {
	case c.full:
		require.NotNil(t, got.Wanted, name)
		require.Nil(t, got.Wanted.Partial, name)
	case c.partial != nil:
		require.NotNil(t, got.Wanted, name)
		require.Equal(t, c.partial, got.Wanted.Partial, name)
	default:
		require.True(t, got.Done, name)
	}
	require.Equal(t, c.source, got.SourceTable, name)
	if kind == "db" {
		require.Equal(t, c.change, got.Tables, name)
	}
}

// second does it again after it has been done, with an unknown outcome: the
// matrix of doris-binlogs.md 4.7.
func (c *typeCase) second(t *testing.T, kind string, a *applied) {
	t.Helper()
	if c.after != nil {
		c.after(a)
	}
	a.dst.Executed, a.in.OutcomeUnknown = nil, true
	got := a.run(t)
	require.Nil(t, got.Problem, "twice")
	switch c.again {
	case repeated:
		require.Equal(t, c.statements(kind), a.dst.Executed, "twice")
	case snapshotted:
		require.NotNil(t, got.Wanted, "twice")
		require.Empty(t, a.dst.Executed, "twice")
		return
	default:
		require.Empty(t, a.dst.Executed, "twice")
	}
	require.True(t, got.Done, "twice")
	if kind == "db" {
		require.Equal(t, c.change, got.Tables, "what the job knows is the same after the second time")
	}
}

// filtered: a snapshot of the table, or of some of its partitions, is newer.
func (c *typeCase) filtered(t *testing.T) {
	t.Helper()
	a := c.start("db")
	for id, table := range a.in.Progress.Tables {
		table.CommitSeq = 500
		a.in.Progress.Tables[id] = table
	}
	for _, id := range a.in.Progress.Pending.TableIDs {
		if _, known := a.in.Progress.Tables[id]; !known {
			a.in.Progress.Tables[id] = job.Table{Name: "new", DestID: 98, CommitSeq: 500}
		}
	}
	got := a.run(t)
	require.True(t, got.Done, "contained in a snapshot")
	require.Empty(t, a.dst.Executed, "contained in a snapshot")

	a = c.start("db")
	table := a.in.Progress.Tables[10]
	table.Partly = 500
	a.in.Progress.Tables[10] = table
	got = a.run(t)
	if c.partly {
		require.Empty(t, a.dst.Executed, "a snapshot of partitions is newer")
		require.Equal(t, whole, got.Wanted.Partial, "a snapshot of partitions is newer")
		return
	}
	require.Equal(t, c.statements("db"), a.dst.Executed, "a snapshot of partitions is newer")
}

// judged: what the stream does with it.
func (c *typeCase) judged(t *testing.T, kind string) {
	t.Helper()
	a := c.start(kind)
	b := a.in.Progress.Pending
	rec := binlog.Record{CommitSeq: b.CommitSeq, Type: b.Type, TableIDs: b.TableIDs, Data: b.Data}
	want := pair.ActionHandOver
	if c.passed || c.typ == binlog.TypeBarrier {
		want = pair.ActionPass
	}
	got, err := pair.ClassifyBinlog(rec, &a.in.Spec, &a.in.Progress)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, order := range []int64{b.CommitSeq, b.CommitSeq + 1} {
		a.in.Progress.Skip = &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: order}
		got, err = pair.ClassifyBinlog(rec, &a.in.Spec, &a.in.Progress)
		require.NoError(t, err)
		require.Equal(t, order == b.CommitSeq, got == pair.ActionSkip, "exactly the one that was ordered")
	}
}
