package core_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

func seqs(entries []*core.Binlog) []int64 {
	var list []int64
	for _, b := range entries {
		list = append(list, b.CommitSeq)
	}
	return list
}

func TestBinlogLists(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	_, status := w.ReadBinlogs(w.db.ID, -1, -1, 1)
	require.Equal(t, core.ReadNotFoundDB, status)

	a, b := w.table("a", 1), w.table("b", 1)
	created := w.record(binlog.TypeCreateTable, a.ID)
	_, status = w.ReadBinlogs(w.db.ID, a.ID, -1, 1)
	require.Equal(t, core.ReadNotFoundTable, status, "CREATE_TABLE is in the db list only")
	both := w.record(binlog.TypeUpsert, a.ID, b.ID)
	property := w.record(binlog.TypeAlterDatabaseProperty)
	only := w.record(binlog.TypeBarrier, b.ID)
	dropped := w.record(binlog.TypeDropTable, b.ID)

	entries, status := w.ReadBinlogs(w.db.ID, -1, -1, 100)
	require.Equal(t, core.ReadOK, status)
	require.Equal(t, []int64{created, both, property, only, dropped}, seqs(entries))
	entries, _ = w.ReadBinlogs(w.db.ID, b.ID, -1, 100)
	require.Equal(t, []int64{both, only}, seqs(entries))
	entries, _ = w.ReadBinlogs(w.db.ID, -1, created, 0)
	require.Equal(t, []int64{both}, seqs(entries), "strictly greater, and one at least")
	_, status = w.ReadBinlogs(w.db.ID, -1, dropped, 1)
	require.Equal(t, core.ReadTooNew, status)
	entries, status = w.ReadBinlogs(w.db.ID, -1, -2, 1)
	require.Equal(t, core.ReadTooOld, status)
	require.Equal(t, binlog.TypeDummy, entries[0].Type)

	lag, _ := w.Lag(w.db.ID, -1, created)
	require.Equal(t, core.BinlogLag{Lag: 4, FirstCommitSeq: -1, FirstTimestamp: -1, LastCommitSeq: dropped,
		LastTimestamp: lag.LastTimestamp, NextCommitSeq: both, NextTimestamp: lag.NextTimestamp}, lag)
	lag, _ = w.Lag(w.db.ID, -1, -2)
	require.Equal(t, int64(6), lag.Lag, "the DUMMY counts")
}

func TestRecordingRules(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	a, b := w.table("a", 1), w.table("b", 1)
	set := func(db, ta, tb string) {
		w.Lock()
		defer w.Unlock()
		w.db.Properties["binlog.enable"], a.Properties["binlog.enable"], b.Properties["binlog.enable"] = db, ta, tb
	}
	recorded := func(kind binlog.Type, tables ...int64) bool {
		seq := w.record(kind, tables...)
		entries, _ := w.ReadBinlogs(w.db.ID, -1, seq-1, 1)
		return len(entries) == 1 && entries[0].CommitSeq == seq
	}
	set("false", "false", "true")
	require.False(t, recorded(binlog.TypeUpsert, a.ID))
	require.True(t, recorded(binlog.TypeUpsert, b.ID))
	require.True(t, recorded(binlog.TypeUpsert, a.ID, b.ID), "one of several is enough")
	require.False(t, recorded(binlog.TypeAlterDatabaseProperty))
	require.False(t, recorded(binlog.TypeDropTable, 999), "dropped tables follow the database")
	_, status := w.ReadBinlogs(w.db.ID, a.ID, -1, 1)
	require.Equal(t, core.ReadNotFoundTable, status)
	set("true", "false", "false")
	require.False(t, recorded(binlog.TypeUpsert, a.ID), "one table: its own setting alone counts")
	require.True(t, recorded(binlog.TypeDropTable, 999))
	w.SetFEConfig("enable_feature_binlog", "false")
	require.False(t, recorded(binlog.TypeAlterDatabaseProperty))
}

func TestCollectBinlogs(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	a, b := w.table("a", 1), w.table("b", 1)
	first := w.record(binlog.TypeBarrier, a.ID)
	second := w.record(binlog.TypeBarrier, b.ID)
	third := w.record(binlog.TypeBarrier, a.ID)
	w.CollectBinlogs(w.db.ID, second)

	entries, status := w.ReadBinlogs(w.db.ID, -1, first, 10)
	require.Equal(t, core.ReadTooOld, status)
	require.Equal(t, []int64{second}, seqs(entries))
	entries, status = w.ReadBinlogs(w.db.ID, -1, second, 10)
	require.Equal(t, core.ReadOK, status, "the last collected number is a valid position")
	require.Equal(t, []int64{third}, seqs(entries))
	_, status = w.ReadBinlogs(w.db.ID, a.ID, first, 10)
	require.Equal(t, core.ReadTooOld, status)
	w.CollectBinlogs(w.db.ID, math.MaxInt64)
	_, status = w.ReadBinlogs(w.db.ID, b.ID, third, 10)
	require.Equal(t, core.ReadTooNew, status)
}

// TestDummyOfOldVersions has no timestamp (doris-rpc.md 3.4, TBinlog 2).
func TestDummyOfOldVersions(t *testing.T) {
	for version, stamped := range map[core.Version]bool{core.Version21: false, core.Version30: false, core.VersionNew: true} {
		w := newWorld(t, 1, core.Config{Version: version})
		a := w.table("a", 1)
		w.Lock()
		w.db.Properties = map[string]string{"binlog.enable": "true"}
		seq := w.Record(core.Event{DB: w.db.ID, Tables: []int64{a.ID}, Type: binlog.TypeUpsert, Timestamp: 4711, Data: "{}"})
		w.Unlock()
		w.CollectBinlogs(w.db.ID, seq)
		for _, table := range []int64{-1, a.ID} {
			entries, status := w.ReadBinlogs(w.db.ID, table, seq-1, 1)
			require.Equal(t, core.ReadTooOld, status)
			require.Equal(t, map[bool]int64{true: 4711, false: -1}[stamped], entries[0].Timestamp, version)
		}
	}
}

func TestCollectionByLimits(t *testing.T) {
	day := 24 * time.Hour
	tests := []struct {
		name       string
		properties map[string]string
		age        time.Duration
		want       int // left of five
	}{
		{"nothing", nil, 0, 5},
		{"ttl", map[string]string{"binlog.ttl_seconds": "60"}, 2 * time.Minute, 0},
		{"default ttl", nil, day + time.Second, 0},
		{"history", map[string]string{"binlog.max_history_nums": "3"}, 0, 2}, // the DUMMY counts
		{"bytes", map[string]string{"binlog.max_bytes": "200"}, 0, 2},        // 90 each
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, database := range []bool{true, false} {
				w := newWorld(t, 1, core.Config{})
				a := w.table("a", 1)
				w.Lock()
				if !database {
					w.db.Properties["binlog.enable"] = "false"
				}
				for k, v := range tt.properties {
					w.db.Properties[k], a.Properties[k] = v, v
				}
				w.Unlock()
				for range 5 {
					w.record(binlog.TypeBarrier, a.ID)
				}
				w.AdvanceClock(tt.age)
				w.CollectExpiredBinlogs()
				lag, _ := w.Lag(w.db.ID, -1, math.MinInt64)
				require.Equal(t, int64(tt.want+1), lag.Lag, "db list, database enabled: %v", database)
				lag, _ = w.Lag(w.db.ID, a.ID, math.MinInt64)
				require.Equal(t, int64(tt.want+1), lag.Lag, "table list, database enabled: %v", database)
			}
		})
	}
}

func TestBinlogLocks(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	a := w.table("a", 1)
	var seq [5]int64
	for i := range seq {
		seq[i] = w.record(binlog.TypeBarrier, a.ID)
	}
	lock := func(jobID string, at int64) int64 {
		got, _ := w.LockBinlogs(w.db.ID, -1, jobID, at)
		return got
	}
	require.Equal(t, seq[1], lock("x", seq[1]))
	require.Equal(t, seq[1], lock("x", seq[0]), "locks never move back")
	require.Equal(t, seq[4], lock("y", -1), "negative locks the newest")
	_, status := w.LockBinlogs(w.db.ID, -1, "z", seq[4]+1)
	require.Equal(t, core.ReadTooNew, status)
	w.CollectExpiredBinlogs()
	require.Equal(t, []int64{seq[1], seq[2], seq[3], seq[4]}, readAll(w), "what lies below the lowest lock may go")
	w.LoseMasterMemory()
	w.CollectExpiredBinlogs()
	require.Len(t, readAll(w), 4, "without locks only the limits count")
	require.Equal(t, seq[0], lock("x", 1), "raised to the first entry, the DUMMY")
}

// A job that follows one table holds what it needs, however far a job that
// follows the database has come.
func TestBinlogLocksOfTables(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	w.Lock()
	w.db.Properties = map[string]string{"binlog.enable": "true"}
	w.Unlock()
	a := w.table("a", 1)
	var seq [4]int64
	for i := range seq {
		seq[i] = w.record(binlog.TypeBarrier, a.ID)
	}
	lock := func(table int64, jobID string, at int64) {
		_, status := w.LockBinlogs(w.db.ID, table, jobID, at)
		require.Equal(t, core.ReadOK, status)
	}
	lock(-1, "database", seq[3])
	lock(a.ID, "table", seq[1])
	w.CollectExpiredBinlogs()
	require.Equal(t, []int64{seq[1], seq[2], seq[3]}, readAll(w))
	entries, status := w.ReadBinlogs(w.db.ID, a.ID, seq[1], core.MaxBinlogBatch)
	require.Equal(t, core.ReadOK, status, "the table's job has lost nothing")
	require.Equal(t, []int64{seq[2], seq[3]}, seqs(entries))
}

func readAll(w *world) []int64 {
	entries, status := w.ReadBinlogs(w.db.ID, -1, -1, core.MaxBinlogBatch)
	if status == core.ReadTooOld {
		entries, _ = w.ReadBinlogs(w.db.ID, -1, entries[0].CommitSeq, core.MaxBinlogBatch)
	}
	return seqs(entries)
}

func TestDroppedResources(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	record := func(kind binlog.Type, data string) int64 {
		w.Lock()
		defer w.Unlock()
		return w.Record(core.Event{DB: w.db.ID, Type: kind, Data: data})
	}
	p := record(binlog.TypeDropPartition, `{"tableId":1,"pid":11}`)
	tr := record(binlog.TypeTruncateTable, `{"op":{"12":"p","13":"q"}}`)
	dt := record(binlog.TypeDropTable, `{"tableId":21}`)
	sc := record(binlog.TypeAlterJob, `{"type":"SCHEMA_CHANGE","jobState":"FINISHED","iim":{"32":31}}`)
	record(binlog.TypeAlterJob, `{"type":"SCHEMA_CHANGE","jobState":"PENDING","iim":{"42":41}}`)
	ro := record(binlog.TypeDropRollup, `{"indexId":33}`)
	re := record(binlog.TypeReplaceTable, `{"origTblId":22,"swapTable":false}`)
	record(binlog.TypeReplaceTable, `{"origTblId":23,"swapTable":true}`)
	wrapped := record(binlog.TypeBarrier, `{"binlogType":3,"binlog":"{\"pid\":14}"}`)
	record(binlog.TypeDropTable, `{"tableId":24}`)
	record(binlog.TypeRecoverInfo, `{"tableId":24,"partitionId":-1}`)

	require.Equal(t, core.Dropped{
		Partitions: map[int64]int64{11: p, 12: tr, 13: tr, 14: wrapped},
		Tables:     map[int64]int64{21: dt, 22: re},
		Indexes:    map[int64]int64{31: sc, 33: ro},
	}, w.Dropped(w.db.ID))
	w.CollectBinlogs(w.db.ID, re)
	require.Equal(t, map[int64]int64{14: wrapped}, w.Dropped(w.db.ID).Partitions, "collection forgets them too")
}

func TestGsonEscapes(t *testing.T) {
	require.Equal(t, `{"a":"\u003c\u003e\u0026\u003d\u0027\""}`, core.Gson(map[string]string{"a": `<>&='"`}))
}
