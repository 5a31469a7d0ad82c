package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// hide takes a binlog out of the log; what it returns files it.
func (b *bench) hide(seq int64) (file func()) {
	b.Src.Mu.Lock()
	defer b.Src.Mu.Unlock()
	at := slices.IndexFunc(b.Src.Log, func(r binlog.Record) bool { return r.CommitSeq == seq })
	rec := b.Src.Log[at]
	b.Src.Log = slices.Delete(slices.Clone(b.Src.Log), at, at+1)
	return func() {
		b.Src.Mu.Lock()
		defer b.Src.Mu.Unlock()
		at, _ := slices.BinarySearchFunc(b.Src.Log, seq, func(r binlog.Record, seq int64) int { return int(r.CommitSeq - seq) })
		b.Src.Log = slices.Insert(slices.Clone(b.Src.Log), at, rec)
	}
}

// settled runs a shift until the durable position has reached the commit seq.
func (b *bench) settled(seq int64) job.StreamResult {
	b.T.Helper()
	ctx, cancel := context.WithCancel(b.T.Context())
	defer cancel()
	return b.streamContext(ctx, 0, Hooks{Heartbeat: func(h job.Heartbeat) {
		if h.Settled >= seq {
			cancel()
		}
	}})
}

// fileAfter files what is hidden once the commit seq is applied.
func (b *bench) fileAfter(seq int64, file ...func()) {
	b.Dst.AfterCommit = func(committed int64) error {
		if committed == seq {
			for _, f := range file {
				f()
			}
			file = nil
		}
		return nil
	}
}

// A binlog is filed after others with greater commit seqs (doris-binlogs.md 1.2).
func TestStreamFindsLateUpserts(t *testing.T) {
	for _, order := range []job.CommitOrder{job.CommitOrderGlobal, job.CommitOrderPerTable} {
		b := newBench(t)
		b.Spec.CommitOrder = order
		b.Options.Group = 8
		want := b.upserts(8)
		for i := range b.Src.Log[4:] { // the first four have other tables
			b.Src.Log[4+i].CommitSeq += 100
			want[4+i] += 100
		}
		b.Src.Log = b.Src.Log[:4]
		file := []func(){b.hide(want[0]), b.hide(want[2])}
		b.fileAfter(want[3], file...)
		got := b.settled(want[3])
		require.Equal(t, job.EndStopped, got.End, "%+v", got)
		require.Equal(t, want[3], got.Position.CommitSeq)
		require.Equal(t, want[3], got.Settled)
		require.Empty(t, got.AppliedBeyond)
		require.Equal(t, int64(4), got.Position.Applied)
		require.ElementsMatch(t, want[:4], b.Dst.Visible(), "each once")
	}
}

// A table that has moved on comes by a snapshot, and the binlog counts as
// contained in it then.
func TestStreamLateUpsertThatWasOvertaken(t *testing.T) {
	b := newBench(t)
	b.Upsert(102, 10, 11)
	b.Upsert(104, 11)
	file := b.hide(102)
	b.fileAfter(104, file)
	got := b.settled(104)
	require.Equal(t, job.EndSnapshot, got.End, "%+v", got)
	require.Equal(t, &job.PartialSync{TableID: 11, Table: "t1", Replace: true}, got.Wanted.Partial)
	require.Contains(t, got.Wanted.Reason, "at commit seq 102 only after commit seq 104")
	require.Less(t, got.Settled, int64(102))
	require.Equal(t, []int64{104}, got.AppliedBeyond)

	// The snapshot has brought table 11; table 10 still waits for its rows.
	b.Progress.State = job.DBTablesIncrementalSync
	b.Progress.Tables[11] = job.Table{DestID: 21, Name: "t1", CommitSeq: 200}
	b.Progress.Position, b.Progress.Settled, b.Progress.AppliedBeyond, b.Progress.Met = got.Position, got.Settled, got.AppliedBeyond, got.Met
	got = b.settled(104)
	require.Equal(t, job.EndStopped, got.End, "%+v", got)
	require.Equal(t, []int64{104, 102}, b.Dst.Visible())
	for _, tx := range b.Dst.Txns {
		require.LessOrEqual(t, len(tx.Ingested), 1)
	}
}

func TestStreamLateChange(t *testing.T) {
	add := func(b *bench) {
		b.Append(102, binlog.TypeAddPartition, map[string]any{"tableId": 11, "sql": "ADD PARTITION p"}, 11)
	}
	truncate := func(b *bench) {
		b.Append(102, binlog.TypeTruncateTable, map[string]any{"tblId": 11, "rawSql": "PARTITIONS (p)"}, 11)
	}
	for name, c := range map[string]struct {
		change func(*bench)
		later  func(*bench)
		end    job.StreamEnd
	}{
		"nothing in its way":             {add, func(b *bench) { b.Upsert(104, 10) }, job.EndBinlog},
		"loads do not mind":              {add, func(b *bench) { b.Upsert(104, 11) }, job.EndBinlog},
		"nothing in the way of TRUNCATE": {truncate, func(b *bench) { b.Upsert(104, 10) }, job.EndBinlog},
		"TRUNCATE before a load":         {truncate, func(b *bench) { b.Upsert(104, 11) }, job.EndSnapshot},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.change(b)
			c.later(b)
			b.Upsert(106, 12)
			file := b.hide(102)
			b.fileAfter(106, file)
			got := b.settled(106)
			require.Equal(t, c.end, got.End, "%+v", got)
			require.Equal(t, int64(106), got.Position.CommitSeq, "the position stays where it is")
			if c.end == job.EndSnapshot {
				require.Equal(t, int64(11), got.Wanted.Partial.TableID)
				return
			}
			require.Equal(t, int64(102), got.Binlog.CommitSeq)

			// The workflow has applied it.
			b.Progress.Position, b.Progress.Settled, b.Progress.AppliedBeyond, b.Progress.Met = got.Position, got.Settled, got.AppliedBeyond, got.Met
			b.Progress.Deal(102)
			got = b.settled(106)
			require.Equal(t, job.EndStopped, got.End, "%+v", got)
			require.Empty(t, got.AppliedBeyond)
			require.Len(t, b.Dst.Visible(), 2)
		})
	}
}

// A load that fails because a change before it was filed late does not keep the
// change away: the snapshot of its table is worth more than the failure.
func TestStreamLoadThatFailsForWantOfALateChange(t *testing.T) {
	for _, order := range []job.CommitOrder{job.CommitOrderGlobal, job.CommitOrderPerTable} {
		b := newBench(t)
		b.Spec.CommitOrder = order
		b.Options.RetryBudget = 2 * time.Second
		b.Append(102, binlog.TypeModifyTableAddOrDropColumns, map[string]any{"tableId": 11}, 11)
		b.Upsert(104, 11)
		b.Upsert(106, 12)
		file := sync.OnceFunc(b.hide(102))
		b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
			if seq == 104 {
				file()
				return be.ErrHTTP
			}
			return nil
		}
		got := b.settled(106)
		require.Equal(t, job.EndSnapshot, got.End, "%s: %+v", order, got)
		require.Equal(t, int64(11), got.Wanted.Partial.TableID)
		require.Contains(t, got.Wanted.Reason, "at commit seq 102 only after commit seq 104")
		require.NotContains(t, b.Dst.Visible(), int64(104))
	}
}

// What waits beyond the position is not begun before what was filed late before it.
func TestStreamResumesWithTheLateChangeFirst(t *testing.T) {
	b := newBench(t)
	b.Spec.CommitOrder = job.CommitOrderPerTable
	b.Append(102, binlog.TypeModifyTableAddOrDropColumns, map[string]any{"tableId": 11}, 11)
	b.Upsert(103, 12)
	b.Upsert(104, 11)
	b.Upsert(106, 12)
	b.Progress.Position.CommitSeq, b.Progress.Settling = 103, job.Settling{Settled: 100, AppliedBeyond: []int64{103, 106}}
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBinlog, got.End, "%+v", got)
	require.Equal(t, int64(102), got.Binlog.CommitSeq)
	require.Empty(t, b.Dst.Commits())
}

// Who dies beyond the durable position leaves reports and labels: nothing is
// applied twice, and what is filed meanwhile is not missed.
func TestStreamResumesBeyondTheDurablePosition(t *testing.T) {
	b := newBench(t)
	want := b.upserts(12)
	b.Dst.Put(b.Label(want[0]), sqlclient.TxnVisible)
	last := b.Dst.Put(b.Label(want[3]), sqlclient.TxnVisible) // with want[2], and want[1] was not filed yet
	b.Dst.Put(b.Label(want[2]), sqlclient.TxnVisible)
	b.Dst.Put(b.Label(want[6]), sqlclient.TxnVisible) // with want[5], whose label was not committed any more
	open := b.Dst.Put(b.Label(want[5]), sqlclient.TxnPrepare)
	aborted := b.Dst.Put(b.Label(want[4]), sqlclient.TxnPrepare)
	b.Dst.Txns[aborted].State = sqlclient.TxnAborted // as an attempt in between left it
	// want[1] and want[7] are about a table of which nothing later is applied.
	got := b.stream(want[11], Hooks{Resume: &job.Heartbeat{
		Position: job.Position{CommitSeq: want[3], TxnID: last, Applied: 3}, Settling: job.Settling{Settled: 100, AppliedBeyond: []int64{want[0], want[2], want[3]}}, At: time.Now(),
	}})
	require.Nil(t, got.Problem)
	_ = open
	if got.End == job.EndSnapshot {
		require.Equal(t, int64(11), got.Wanted.Partial.TableID, "want[5] is about the table of want[1]")
		require.Contains(t, got.Wanted.Reason, "at commit seq 104 only after commit seq 112")
		return
	}
	t.Fatalf("want[1] was overtaken by want[5]: %+v", got)
}

// The same, where the late one can still be applied.
func TestStreamResumesAndAppliesWhatWasLate(t *testing.T) {
	b := newBench(t)
	b.Upsert(102, 10)
	b.Upsert(104, 11)
	b.Upsert(106, 12)
	b.Upsert(108, 13)
	b.Upsert(110, 10)
	first := b.Dst.Put(b.Label(102), sqlclient.TxnVisible)
	b.Dst.Put(b.Label(108), sqlclient.TxnVisible)
	b.Dst.Put(b.Label(106), sqlclient.TxnPrepare)
	got := b.stream(110, Hooks{Resume: &job.Heartbeat{
		Position: job.Position{CommitSeq: 102, TxnID: first}, Settling: job.Settling{Settled: 100, AppliedBeyond: []int64{102}}, At: time.Now(),
	}})
	require.Nil(t, got.Problem)
	require.Equal(t, int64(110), got.Position.CommitSeq)
	require.ElementsMatch(t, []int64{104, 110}, b.Dst.Visible(), "106 went with 108")
}

// An attempt that is to begin a late UPSERT says first that the position has
// passed it.
func TestStreamReportsBeforeALateUpsert(t *testing.T) {
	b := newBench(t)
	b.Upsert(102, 10)
	b.Upsert(104, 11)
	b.Options.Group = 8
	file := b.hide(102)
	var reported atomic.Int64
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if seq == 102 && reported.Load() < 104 {
			return errors.New("begun too early")
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.fileAfter(104, file)
	got := b.streamContext(ctx, 0, Hooks{
		Heartbeat: func(h job.Heartbeat) {
			if h.Settled >= 104 {
				cancel()
			}
		},
		Checkpoint: func(_ context.Context, h job.Heartbeat) error {
			reported.Store(h.Position.CommitSeq)
			return nil
		},
	})
	require.Nil(t, got.Problem)
	require.Equal(t, []int64{104, 102}, b.Dst.Visible())
}

// The log of one table is in order: nothing is read twice. Nor is it while the
// source is idle.
func TestStreamReadsAgainOnlyWhatIsNew(t *testing.T) {
	b := newBench(t)
	want := b.upserts(3)
	got := b.settled(want[2])
	require.Equal(t, want[2], got.Settled)
	b.Progress.Position, b.Progress.Settled, b.Progress.AppliedBeyond, b.Progress.Met = got.Position, got.Settled, got.AppliedBeyond, got.Met
	var asked []int64
	b.Src.OnBinlogs = func(prev int64) { asked = append(asked, prev) }
	ctx, cancel := context.WithTimeout(t.Context(), 10*b.Options.SettleTime)
	defer cancel()
	b.streamContext(ctx, 0, Hooks{})
	require.NotEmpty(t, asked)
	require.Equal(t, []int64{want[2]}, slices.Compact(asked), "only the polls")
}

// A busy source is asked once more at each moment, whatever it has filed since the
// last one, as long as one answer holds it.
func TestStreamReadsAgainWithOneCall(t *testing.T) {
	b := newBench(t)
	b.Options.SettleTime = 150 * time.Millisecond
	want := b.upserts(250)
	front, again := int64(0), 0
	b.Src.OnBinlogs = func(prev int64) {
		if prev < front {
			again++
		}
		front = max(front, prev)
	}
	started, applied := time.Now(), time.Duration(0)
	b.fileAfter(want[249], func() { applied = time.Since(started) })
	got := b.settled(want[249])
	require.Equal(t, want[249], got.Settled)
	moments := int(applied / (b.Options.SettleTime * 2 / 3)) // before everything was met
	require.Positive(t, again)
	require.LessOrEqual(t, again, moments+1)
}

// What the source has collected since it was met is no loss.
func TestStreamMetBinlogsMayBeCollected(t *testing.T) {
	b := newBench(t)
	b.Append(104, binlog.TypeDummy, nil)
	b.Upsert(106, 10)
	b.Progress.Position, b.Progress.Settled, b.Progress.AppliedBeyond = job.Position{CommitSeq: 104}, 100, []int64{102, 104}
	got := b.settled(106)
	require.Equal(t, job.EndStopped, got.End, "%+v", got)
	require.Equal(t, []int64{106}, b.Dst.Visible())
}

// What was collected is no loss either once all tables have been compared since.
func TestStreamBinlogsBeforeAClosedGapMayBeCollected(t *testing.T) {
	for gapTo, lost := range map[int64]bool{104: false, 103: true} {
		b := newBench(t)
		b.Append(104, binlog.TypeDummy, nil)
		b.Upsert(106, 10)
		b.Progress.Position, b.Progress.GapTo = job.Position{CommitSeq: 100}, gapTo
		if lost {
			got := b.stream(0, Hooks{})
			require.Equal(t, job.EndSnapshot, got.End)
			require.Contains(t, got.Wanted.Reason, "are lost")
			continue
		}
		got := b.settled(106)
		require.Equal(t, job.EndStopped, got.End, "%+v", got)
		require.Equal(t, []int64{106}, b.Dst.Visible())
	}
}

// Versions of a partition are consecutive: a load of which no binlog was ever met
// is noticed by the next one of its partition.
func TestStreamNoticesALoadThatItDidNotMeet(t *testing.T) {
	b := newBench(t)
	version := func(seq, table, version int64) {
		b.Append(seq, binlog.TypeUpsert, binlog.Upsert{CommitSeq: seq, TableRecords: map[int64]binlog.TableRecord{
			table: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: table + 90, Version: version, SubTxnID: -1}}, IndexIDs: []int64{table + 990}},
		}}, table)
	}
	version(102, 10, 7)
	version(104, 11, 7)
	version(106, 10, 9)
	version(108, 11, 8)
	got := b.settled(1 << 40)
	require.Equal(t, job.EndSnapshot, got.End, "%+v", got)
	require.Equal(t, &job.PartialSync{TableID: 10, Table: "t0", Replace: true}, got.Wanted.Partial)
	require.Contains(t, got.Wanted.Reason, "between 7 and 9")
	require.Equal(t, int64(108), got.Position.CommitSeq, "all that was met is applied")

	v := versions{}
	v.meet(1, &binlog.Upsert{TableRecords: map[int64]binlog.TableRecord{10: {PartitionRecords: []binlog.PartitionRecord{
		{PartitionID: 100, Version: 5}, {PartitionID: 101, Version: 3}}}}})
	v.meet(2, &binlog.Upsert{TableRecords: map[int64]binlog.TableRecord{10: {PartitionRecords: []binlog.PartitionRecord{
		{PartitionID: 100, Version: 8}, {PartitionID: 100, Version: 6}, {PartitionID: 100, Version: 7}, {PartitionID: 102, Version: 40}}}}})
	v.meet(3, &binlog.Upsert{TableRecords: map[int64]binlog.TableRecord{10: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: 9}}}}})
	require.Empty(t, v.gaps, "sub-transactions have a version each, and a partition may be new")
}
