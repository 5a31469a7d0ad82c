package stream

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// withRollups gives the destination's table 20 rollups, which it loses by DROP
// ROLLUP.
func (b *bench) withRollups(names ...string) {
	set := func(names []string) {
		p := pairtest.Partition(200, "t0", "", pairtest.Index(2000, "t0", 6000))
		for i, name := range names {
			p.Indexes = append(p.Indexes, pairtest.Index(2100+int64(i), name, 6100+int64(i)))
		}
		b.Dst.TableMeta[20] = &meta.Table{ID: 20, Name: "t0", Partitions: []*meta.Partition{p}}
	}
	set(names)
	b.Dst.OnExec = func(string) error { set(nil); return nil }
}

// Row of doris-binlogs.md 3.8: the source has dropped a rollup, the load from
// before is still to be applied.
func TestRollupIsDroppedAheadOfItsTurn(t *testing.T) {
	loads := func(b *bench, indexes ...int64) {
		for i, seq := range []int64{102, 104, 106} {
			version := int64(i + 2)
			b.Dst.Seqs[[2]int64{5000, version}] = seq
			b.Append(seq, binlog.TypeUpsert, binlog.Upsert{CommitSeq: seq, TableRecords: map[int64]binlog.TableRecord{
				10: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: version, SubTxnID: -1}}, IndexIDs: indexes},
			}}, 10)
		}
	}
	drop := func(b *bench, seq, table int64, name string) {
		b.Append(seq, binlog.TypeDropRollup, binlog.DropRollup{TableID: table, IndexID: 1100, IndexName: name}, table)
	}
	const statement = "ALTER TABLE `dst`.`t0` DROP ROLLUP "

	t.Run("by its binlog", func(t *testing.T) {
		b := newBench(t)
		b.withRollups("r")
		loads(b, 1000, 1100)
		drop(b, 120, 10, "r")
		b.Src.Gone.DroppedIndexes = map[int64]int64{1100: 120, 7: 0}
		got := b.stream(0, Hooks{})
		require.Equal(t, job.EndBinlog, got.End, "%+v", got)
		require.Equal(t, int64(120), got.Binlog.CommitSeq, "its turn comes all the same")
		require.Equal(t, []string{statement + "`r`"}, b.Dst.Executed, "once for all loads")
		require.Equal(t, []int64{102, 104, 106}, b.Dst.Visible())
		require.Len(t, got.Notes, 1)
		require.Contains(t, got.Notes[0], statement)
	})
	t.Run("with siblings whose binlogs are lost", func(t *testing.T) {
		b := newBench(t)
		b.withRollups("r", "s", "u")
		loads(b, 1000, 1100, 1101, 1102)
		drop(b, 120, 10, "s")
		b.Src.Gone.DroppedIndexes = map[int64]int64{1100: 120, 1101: 120, 1102: 120}
		require.Equal(t, job.EndBinlog, b.stream(0, Hooks{}).End)
		require.Equal(t, []string{statement + "`s`, `r`, `u`"}, b.Dst.Executed)
	})
	t.Run("a sibling of one that has had its turn", func(t *testing.T) {
		b := newBench(t)
		b.withRollups("s")
		loads(b, 1000)
		b.Src.Log = append([]binlog.Record{{CommitSeq: 98, Type: binlog.TypeDropRollup, TableIDs: []int64{10},
			Data: `{"tableId":10,"indexId":1100,"indexName":"r"}`}}, b.Src.Log...)
		b.Src.Gone.DroppedIndexes = map[int64]int64{1100: 98, 1101: 98}
		got := b.stream(106, Hooks{})
		require.Nil(t, got.Wanted)
		require.Equal(t, []string{statement + "`s`"}, b.Dst.Executed)
		require.Equal(t, []int64{102, 104, 106}, b.Dst.Visible())
	})

	for name, change := range map[string]func(*bench){
		"of another table":     func(b *bench) { drop(b, 120, 11, "r") },
		"of another name":      func(b *bench) { drop(b, 120, 10, "x") },
		"binlog not there":     func(*bench) {},
		"a rename is to come":  func(b *bench) { drop(b, 120, 10, "r"); b.sourceRollup("q") },
		"a schema change":      func(b *bench) { b.Append(120, binlog.TypeAlterJob, map[string]any{"tableId": 10}, 10) },
		"more than the source": func(b *bench) { b.withRollups("x", "y"); drop(b, 120, 10, "r") },
	} {
		t.Run("snapshot: "+name, func(t *testing.T) {
			b := newBench(t)
			b.withRollups("r")
			loads(b, 1000, 1100)
			b.Src.Gone.DroppedIndexes = map[int64]int64{1100: 120}
			change(b)
			got := b.stream(0, Hooks{})
			require.Equal(t, job.EndSnapshot, got.End)
			require.Equal(t, &job.PartialSync{TableID: 10, Table: "t0", Replace: true}, got.Wanted.Partial)
			require.Empty(t, b.Dst.Executed)
		})
	}
}

// sourceRollup gives the source's table 10 a rollup.
func (b *bench) sourceRollup(name string) {
	p := b.Src.TableMeta[10].Partitions[0]
	p.Indexes = append(p.Indexes, pairtest.Index(1200, name, 5200))
}
