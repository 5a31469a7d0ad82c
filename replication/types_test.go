package replication

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
)

// The kinds of jobs: of a database, of a table, of a table with another name on
// the destination.
var jobKinds = []string{"db", "table", "alias"}

// TestEveryType plays every type of binlog in every kind of job: once, twice,
// with an unknown outcome, wrapped in a BARRIER, too large to be carried, and
// contained in a snapshot of its table or of some of its partitions.
// A type without a case fails it.
func TestEveryType(t *testing.T) {
	played := map[binlog.Type]bool{binlog.TypeUpsert: true, binlog.TypeDummy: true} // TestEveryTypeOfTheStream
	for i := range typeCases {
		c := &typeCases[i]
		played[c.typ] = true
		for _, kind := range jobKinds {
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
		a.dst.tables[20].Name, a.dst.names = name, []string{name}
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
	once("unknown outcome, not done", func(a *applied) { a.in.Unknown = true })
	once("wrapped in a BARRIER", func(a *applied) {
		b := a.in.Progress.Pending
		b.Data, b.Type = wrapped(b.Type, b.Data), binlog.TypeBarrier
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
	require.Equal(t, c.statements(kind), a.dst.executed, name)
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
	a.dst.executed, a.in.Unknown = nil, true
	got := a.run(t)
	require.Nil(t, got.Problem, "twice")
	switch c.again {
	case repeated:
		require.Equal(t, c.statements(kind), a.dst.executed, "twice")
	case snapshotted:
		require.NotNil(t, got.Wanted, "twice")
		require.Empty(t, a.dst.executed, "twice")
		return
	default:
		require.Empty(t, a.dst.executed, "twice")
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
	require.Empty(t, a.dst.executed, "contained in a snapshot")

	a = c.start("db")
	table := a.in.Progress.Tables[10]
	table.Partly = 500
	a.in.Progress.Tables[10] = table
	got = a.run(t)
	if c.partly {
		require.Empty(t, a.dst.executed, "a snapshot of partitions is newer")
		require.Equal(t, whole, got.Wanted.Partial, "a snapshot of partitions is newer")
		return
	}
	require.Equal(t, c.statements("db"), a.dst.executed, "a snapshot of partitions is newer")
}

// judged: what the stream does with it.
func (c *typeCase) judged(t *testing.T, kind string) {
	t.Helper()
	a := c.start(kind)
	b := a.in.Progress.Pending
	rec := binlog.Record{CommitSeq: b.CommitSeq, Type: b.Type, TableIDs: b.TableIDs, Data: b.Data}
	want := handOver
	if c.passed || c.typ == binlog.TypeBarrier {
		want = pass
	}
	got, err := judge(rec, &a.in.Spec, &a.in.Progress)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, order := range []int64{b.CommitSeq, b.CommitSeq + 1} {
		a.in.Progress.Skip = &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: order}
		got, err = judge(rec, &a.in.Spec, &a.in.Progress)
		require.NoError(t, err)
		require.Equal(t, order == b.CommitSeq, got == skipped, "exactly the one that was ordered")
	}
}

func wrapped(typ binlog.Type, data string) string {
	if typ == binlog.TypeBarrier {
		return data
	}
	raw, _ := json.Marshal(map[string]any{"binlogType": typ, "binlog": data, "tableId": 10})
	return string(raw)
}

// TestEveryTypeOfTheStream is TestEveryType for the two types that do not become
// a step: UPSERT and DUMMY.
func TestEveryTypeOfTheStream(t *testing.T) {
	for _, kind := range jobKinds {
		start := func(t *testing.T) *bench {
			b := newBench(t)
			b.upsert(102, 10, 11)
			if kind != "db" {
				b.spec.Source.Table, b.spec.Source.TableID = "t0", 10
				b.spec.Destination.Table, b.spec.Destination.TableID = "t0", 20
				b.p.State, b.p.Tables = job.TableIncrementalSync, nil
			}
			if kind == "alias" {
				b.spec.Destination.Table = "copy"
				b.dst.tables[20].Name, b.dst.tables[20].Partitions[0].Indexes[0].Name = "copy", "copy"
			}
			return b
		}
		want := map[int64]string{20: "6000<-5000@102", 21: "6001<-5001@102"}
		if kind != "db" {
			delete(want, 21) // of another table
		}
		once := func(t *testing.T, b *bench, h StreamHooks, want map[int64]string) {
			t.Helper()
			got := b.stream(102, h)
			require.Nil(t, got.Problem)
			require.Nil(t, got.Wanted)
			require.Equal(t, int64(102), got.Position.CommitSeq)
			b.requireRows(want)
		}
		for name, play := range map[string]func(t *testing.T, b *bench){
			"once": func(t *testing.T, b *bench) { once(t, b, StreamHooks{}, want) },
			"twice": func(t *testing.T, b *bench) {
				once(t, b, StreamHooks{}, want)
				once(t, b, StreamHooks{Resume: &job.Heartbeat{Position: b.p.Position, At: time.Now()}}, want)
			},
			"unknown outcome, done": func(t *testing.T, b *bench) {
				b.dst.afterCommit = func(int64) error { return lostReply() }
				once(t, b, StreamHooks{}, want)
			},
			"unknown outcome, not done": func(t *testing.T, b *bench) {
				tries := 0
				b.dst.beforeCommit = func(int64) error {
					if tries++; tries == 1 {
						return lostReply()
					}
					return nil
				}
				once(t, b, StreamHooks{}, want)
			},
			"wrapped in a BARRIER": func(t *testing.T, b *bench) {
				rec := &b.src.log[0]
				rec.Data, rec.Type = wrapped(rec.Type, rec.Data), binlog.TypeBarrier
				once(t, b, StreamHooks{}, want)
			},
			"source's label": func(t *testing.T, b *bench) {
				b.spec.ReuseBinlogLabel, b.dst.anyLabel = true, true
				once(t, b, StreamHooks{}, want)
				once(t, b, StreamHooks{Resume: &job.Heartbeat{Position: b.p.Position, At: time.Now()}}, want)
			},
			"contained in a snapshot of partitions": func(t *testing.T, b *bench) {
				b.p.Partitions = map[int64]int64{100: 102, 101: 102}
				once(t, b, StreamHooks{}, nil)
			},
			"contained in a snapshot": func(t *testing.T, b *bench) {
				if kind != "db" {
					t.Skip("a table job's position says it")
				}
				b.p.State = job.DBTablesIncrementalSync
				b.p.Tables[10] = job.Table{DestID: 20, Name: "t0", CommitSeq: 102}
				once(t, b, StreamHooks{}, map[int64]string{21: want[21]})
			},
			"to be skipped": func(t *testing.T, b *bench) {
				b.p.Skip = &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 102}
				require.Equal(t, job.EndSkipped, b.stream(102, StreamHooks{}).End)
				b.requireRows(nil)
			},
			"DUMMY": func(t *testing.T, b *bench) {
				b.src.log = nil
				b.append(150, binlog.TypeDummy, map[string]any{})
				got := b.stream(0, StreamHooks{})
				require.Equal(t, job.EndSnapshot, got.End)
				require.Nil(t, got.Wanted.Partial)
				require.Contains(t, got.Wanted.Reason, "lost")
			},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				play(t, start(t))
			})
		}
	}
}

// requireRows compares the ingested rows of the destination's tables; each must
// have become visible once.
func (b *bench) requireRows(want map[int64]string) {
	b.t.Helper()
	b.dst.mu.Lock()
	defer b.dst.mu.Unlock()
	var have, wanted []string
	for _, tx := range b.dst.txns {
		if tx.state == "VISIBLE" {
			for rows := range tx.ingested {
				have = append(have, rows)
			}
		}
	}
	for _, rows := range want {
		wanted = append(wanted, rows)
	}
	slices.Sort(have)
	slices.Sort(wanted)
	require.Equal(b.t, wanted, have)
}
