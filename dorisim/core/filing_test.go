package core_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// TestLateFilingOrder: what concerns one table, and the UPSERTs of a database,
// are filed in the order of their numbers; the list of the database is not.
func TestLateFilingOrder(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	w.SetLateFiling(core.LateFiling{Percent: 70, Max: 300 * time.Millisecond, Seed: 3})
	var tables []int64
	for _, name := range []string{"a", "b", "c", "d"} {
		tables = append(tables, w.table(name, 1).ID)
	}
	const rounds = 100
	for i := range rounds {
		w.record(binlog.TypeUpsert, tables[i%4])
		w.record(binlog.TypeBarrier, tables[(i+1)%4], tables[(i+2)%4])
	}
	seen := map[int64]bool{}
	newest, newestUpsert, late := int64(0), int64(0), 0
	newestOf := map[int64]int64{}
	require.Eventually(t, func() bool {
		entries, _ := w.ReadBinlogs(w.db.ID, -1, -1, 255)
		require.True(t, slices.IsSorted(seqs(entries)))
		fresh := slices.DeleteFunc(entries, func(b *core.Binlog) bool { return seen[b.CommitSeq] })
		if len(fresh) > 0 && fresh[0].CommitSeq < newest {
			late++
		}
		for _, b := range fresh {
			seen[b.CommitSeq] = true
			newest = max(newest, b.CommitSeq)
			for _, table := range b.Tables {
				require.Greater(t, b.CommitSeq, newestOf[table], "in the order of its table")
				newestOf[table] = b.CommitSeq
			}
			if b.Type == binlog.TypeUpsert {
				require.Greater(t, b.CommitSeq, newestUpsert, "in the order of the UPSERTs")
				newestUpsert = b.CommitSeq
			}
		}
		return len(seen) == 2*rounds
	}, soon, time.Millisecond)
	require.Positive(t, late, "nothing was filed late")
	require.Zero(t, w.UnfiledBinlogs())
}

// TestLateFilingHidesFromReaders: lag, lock, lists of dropped things and the
// collector know what is filed, and a new master files everything.
func TestLateFilingHidesFromReaders(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	a := w.table("a", 1).ID
	first := w.record(binlog.TypeUpsert, a)
	w.SetLateFiling(core.LateFiling{Percent: 100, Max: time.Hour, Seed: 1})
	second := w.record(binlog.TypeUpsert, a)
	require.Equal(t, 1, w.UnfiledBinlogs())

	entries, _ := w.ReadBinlogs(w.db.ID, a, -1, 10)
	require.Equal(t, []int64{first}, seqs(entries))
	lag, _ := w.Lag(w.db.ID, a, -1)
	require.Equal(t, first, lag.LastCommitSeq)
	locked, _ := w.LockBinlogs(w.db.ID, a, "job", -1)
	require.Equal(t, first, locked)
	w.CollectBinlogs(w.db.ID, second)
	lag, _ = w.Lag(w.db.ID, -1, first)
	require.Equal(t, core.BinlogLag{FirstCommitSeq: first, FirstTimestamp: lag.FirstTimestamp, LastCommitSeq: first, LastTimestamp: lag.LastTimestamp}, lag)

	w.LoseMasterMemory()
	require.Zero(t, w.UnfiledBinlogs())
	entries, _ = w.ReadBinlogs(w.db.ID, a, first, 10)
	require.Equal(t, []int64{second}, seqs(entries))
}
