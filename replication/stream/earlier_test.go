package stream

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// newDeniedBench is a job whose account may not list the destination's
// transactions (doris-sql.md 2.13). The position names a transaction that the
// destination remembers.
func newDeniedBench(t *testing.T) *bench {
	b := newBench(t)
	b.Dst.Denied = true
	b.Progress.Position.TxnID = b.Dst.Put("reported", sqlclient.TxnVisible)
	b.Dst.Order = nil
	return b
}

// heard is a first attempt that told the position and died.
func (b *bench) heard() Hooks {
	return Hooks{Resume: &job.Heartbeat{Position: b.Progress.Position, At: time.Now()}}
}

// Label by label, too, an attempt finds what the one before has applied, and rolls
// back what that left open.
func TestStreamAsksLabelByLabel(t *testing.T) {
	for _, order := range []job.CommitOrder{job.CommitOrderGlobal, job.CommitOrderPerTable} {
		b := newDeniedBench(t)
		want := b.begun(order)
		left := b.Dst.Put(b.Label(want[6]), sqlclient.TxnPrepare)
		b.Dst.Put(b.Label(want[7]), sqlclient.TxnAborted)
		b.Dst.Put("somebody_else", sqlclient.TxnPrepare)
		got := b.stream(want[9], b.heard())
		require.Equal(t, want[9], got.Position.CommitSeq)
		require.ElementsMatch(t, want, b.Dst.Commits(), "none twice, none missing")
		require.Equal(t, int64(10), got.Position.Applied)
		require.Equal(t, sqlclient.TxnAborted, b.Dst.Txns[left].State)
		require.Equal(t, 1, b.Dst.Open(), "what is not ours is left alone")
		require.Zero(t, got.Unconfirmed.Since)
	}
}

// A group's transaction has the label of its last UPSERT; those of the others are
// open and say nothing.
func TestStreamAsksLabelByLabelForGroups(t *testing.T) {
	b := newDeniedBench(t)
	b.Options.Group = 8
	want := b.upserts(10)
	for _, seq := range want[:6] {
		b.Dst.Put(b.Label(seq), sqlclient.TxnPrepare)
	}
	b.Dst.Put(b.Label(want[6]), sqlclient.TxnCommitted)
	got := b.stream(want[9], b.heard())
	require.Equal(t, want[9], got.Position.CommitSeq)
	require.Equal(t, want[7:], b.Dst.Visible(), "the rows of the others came with the seventh")
	require.Zero(t, b.Dst.Open())
}

// The members of a group were rolled back by an attempt that died as well: their
// labels are aborted, not free. An UPSERT between them whose label is free was
// filed late, and has its turn.
func TestStreamTellsMembersFromWhatWasFiledLate(t *testing.T) {
	for _, denied := range []bool{true, false} {
		b := newDeniedBench(t)
		b.Dst.Denied = denied
		b.Options.Group = 8
		want := b.upserts(8) // of tables 10 to 13, twice
		for _, seq := range want[:3] {
			if seq != want[1] {
				b.Dst.Put(b.Label(seq), sqlclient.TxnAborted)
			}
		}
		b.Dst.Put(b.Label(want[3]), sqlclient.TxnCommitted)
		got := b.stream(want[7], b.heard())
		require.Equal(t, want[7], got.Position.CommitSeq, "%+v %+v", got, got.Wanted)
		require.ElementsMatch(t, slices.Concat(want[1:2], want[4:]), b.Dst.Visible(), "denied: %v", denied)
	}
}

// Where the destination may have forgotten labels, an UPSERT before the newest
// commit is either a member of its group or was filed late. Nobody can tell: its
// table comes by a snapshot, and no other.
func TestStreamDoubtsMembersThatMayBeForgotten(t *testing.T) {
	for _, denied := range []bool{true, false} {
		b := newDeniedBench(t)
		b.Dst.Denied = denied
		b.Progress.Position.TxnID = 77 // which the destination does not know any more
		b.Dst.Others = 5000
		want := b.upserts(6) // a table each, from 10 on
		b.Dst.Put(b.Label(want[0]), sqlclient.TxnVisible)
		b.Dst.Put(b.Label(want[3]), sqlclient.TxnVisible)
		got := b.stream(0, b.heard())
		require.Equal(t, job.EndSnapshot, got.End, "%+v", got)
		require.Contains(t, got.Wanted.Reason, "it is unknown what was applied between")
		doubtful := slices.Sorted(maps.Keys(got.Tables.Set))
		require.Equal(t, []int64{11, 12}, doubtful)
		require.Contains(t, doubtful, got.Wanted.Partial.TableID)
		require.Contains(t, got.AppliedBeyond, want[0])
		require.Contains(t, got.AppliedBeyond, want[3])
	}
}

// The commit of a stale attempt arrives while this one rolls back what it has
// found: it looks again.
func TestStreamAsksLabelByLabelAgainAfterACommitInBetween(t *testing.T) {
	b := newDeniedBench(t)
	want := b.upserts(10)
	for _, seq := range want[:4] {
		b.Dst.Put(b.Label(seq), sqlclient.TxnVisible)
	}
	for _, seq := range want[4:7] {
		b.Dst.Put(b.Label(seq), sqlclient.TxnPrepare)
	}
	b.Dst.BeforeRollback = func(tx *pairtest.Txn) {
		if tx.Seq == want[6] {
			tx.State = sqlclient.TxnVisible
		}
	}
	got := b.stream(want[9], b.heard())
	require.Equal(t, want[9], got.Position.CommitSeq)
	require.Equal(t, slices.Concat(want[:4], want[7:]), b.Dst.Commits())
}

// A partial sync, ordered while it was not known how far the shift before had
// come, begins an epoch: the labels are those of the epoch before.
func TestStreamAsksForLabelsOfEarlierEpochs(t *testing.T) {
	for _, order := range []job.CommitOrder{job.CommitOrderGlobal, job.CommitOrderPerTable} {
		b := newDeniedBench(t)
		b.Spec.CommitOrder = order
		b.Progress.FirstEpoch, b.Progress.Epoch = pairtest.Epoch-50, pairtest.Epoch-2
		b.Progress.Unconfirmed.Shift(time.Now().Add(-time.Minute), 0, b.Progress.Epoch)
		b.Progress.Epoch = pairtest.Epoch // two partial syncs
		require.Equal(t, int64(pairtest.Epoch-2), b.Progress.Unconfirmed.Epoch)
		want := b.upserts(10)
		for i, seq := range want[:7] {
			b.Dst.Put(job.TxnLabel(b.Spec.UID, pairtest.Epoch-2+int64(i%3), 1, seq), sqlclient.TxnVisible)
		}
		got := b.stream(want[9], Hooks{})
		require.Equal(t, want[9], got.Position.CommitSeq)
		require.ElementsMatch(t, want, b.Dst.Commits(), "none twice")
	}
}

// Nothing before a first transaction tells whether the destination has forgotten
// anything: so one is begun and rolled back, and reported before any other begins.
func TestStreamMarksWhatIsRemembered(t *testing.T) {
	for _, reuse := range []bool{false, true} {
		b := newBench(t)
		b.Dst.Denied, b.Spec.ReuseBinlogLabel, b.Dst.AnyLabel = true, reuse, true
		want := b.upserts(3)
		var first job.Position
		got := b.stream(want[2], Hooks{Checkpoint: func(_ context.Context, h job.Heartbeat) error {
			if first.TxnID == 0 {
				first = h.Position
				require.Empty(t, b.Dst.Commits())
			}
			return nil
		}})
		require.Equal(t, want[2], got.Position.CommitSeq)
		require.Equal(t, sqlclient.TxnAborted, b.Dst.Txns[first.TxnID].State)
		require.Equal(t, int64(100), first.CommitSeq)

		// The next attempt knows by it that nothing was forgotten. A position that
		// the destination still remembers needs no other mark.
		begun := b.Dst.Asked["beginTxn"]
		again := b.stream(want[2], Hooks{Resume: &job.Heartbeat{Position: first, At: time.Now()}})
		require.Equal(t, want[2], again.Position.CommitSeq, "%+v", again)
		require.Equal(t, want, b.Dst.Commits(), "none twice")
		require.Equal(t, begun+3, b.Dst.Asked["beginTxn"], "a question for each label in use")
	}
}

// A transaction whose label somebody else has taken meanwhile is looked up by its
// id.
func TestTransactionByLabelAndID(t *testing.T) {
	b := newDeniedBench(t)
	j := b.job()
	require.NoError(t, j.Destination.FindMaster(t.Context()))
	for _, state := range []string{sqlclient.TxnPrepare, sqlclient.TxnCommitted, sqlclient.TxnVisible, sqlclient.TxnAborted} {
		id := b.Dst.Put(b.Label(102), state)
		tx, err := j.Transaction(t.Context(), b.Label(102), id)
		require.NoError(t, err)
		require.Equal(t, sqlclient.Transaction{ID: id, Label: b.Label(102), Status: state}, tx)
		delete(b.Dst.Txns, id)
	}
	open := b.Dst.Open()
	_, err := j.Transaction(t.Context(), b.Label(102), 4711)
	require.ErrorIs(t, err, sqlclient.ErrNotExist)
	require.Equal(t, open, b.Dst.Open(), "the question leaves nothing open")
}

// Before a DDL, an account that may not list transactions waits for the last one,
// and until the table that it is about shows all that was committed.
func TestApplyWaitsWithoutTheList(t *testing.T) {
	b := newDeniedBench(t)
	j := b.job()
	b.Dst.UnpublishedPartitions = []string{"p1", "p1"}
	rec := binlog.Record{CommitSeq: 102, Type: binlog.TypeTruncateTable, TableIDs: []int64{10, 99}}
	require.NoError(t, j.AwaitVisible(t.Context(), rec, &b.Progress))
	require.Empty(t, b.Dst.UnpublishedPartitions, "asked until all is shown")

	b.Dst.UnpublishedPartitions = []string{"p1"}
	rec.Type = binlog.TypeAddPartition
	require.NoError(t, j.AwaitVisible(t.Context(), rec, &b.Progress))
	require.NotEmpty(t, b.Dst.UnpublishedPartitions, "a new partition waits for no other")

	b.Dst.Txns[b.Progress.Position.TxnID].State = sqlclient.TxnCommitted
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, j.AwaitVisible(short, rec, &b.Progress), "is visible")
}

// What a lost shift has left open is rolled back before a restore and at the end
// of the job, if its log is not lost as well.
func TestRollBackAllByLabel(t *testing.T) {
	b := newDeniedBench(t)
	want := b.upserts(3)
	b.Progress.Epoch++ // of the snapshot
	left := b.Dst.Put(b.Label(want[1]), sqlclient.TxnPrepare)
	j := b.job()
	require.NoError(t, j.RollbackAll(t.Context(), &b.Progress))
	require.Equal(t, sqlclient.TxnAborted, b.Dst.Txns[left].State)

	b.Src.Log = nil
	b.Append(150, binlog.TypeDummy, map[string]any{})
	require.NoError(t, j.RollbackAll(t.Context(), &b.Progress))

	b.Progress.Position = job.Position{}
	clear(b.Src.Asked)
	require.NoError(t, j.RollbackAll(t.Context(), &b.Progress))
	require.Zero(t, b.Src.Asked["getBinlog"], "a job without a shift has left nothing")
}

// Labels whose binlogs are lost cannot be asked for: they come by a full sync.
func TestStreamCannotAskForLostBinlogs(t *testing.T) {
	b := newDeniedBench(t)
	b.Append(150, binlog.TypeDummy, map[string]any{})
	got := b.stream(0, b.heard())
	require.Equal(t, job.EndSnapshot, got.End)
	require.Nil(t, got.Wanted.Partial)
	require.Contains(t, got.Wanted.Reason, "lost")
}

// An attempt that meets a label of another one ends, and the next asks for what is
// unsure.
func TestStreamOfNobodyMeetsALabelOfItsOwn(t *testing.T) {
	b := newDeniedBench(t)
	b.Options.Group = 8
	want := b.upserts(8)
	for _, seq := range want[:7] {
		b.Dst.Put(b.Label(seq), sqlclient.TxnVisible)
	}
	before := slices.Clone(b.Dst.Commits())
	got := b.stream(0, Hooks{}) // as if nobody had been there
	require.Equal(t, job.EndBlocked, got.End)
	require.NotZero(t, got.Unconfirmed.Since)
	got = b.next(want[7], got)
	require.Equal(t, want[7], got.Position.CommitSeq)
	require.ElementsMatch(t, append(before, want[7]), b.Dst.Commits(), "none twice")
}

func TestLabelMemory(t *testing.T) {
	for name, c := range map[string]struct {
		settings        map[string]string
		denied, crowded bool
		want            pair.LabelMemory
		uncovered       int
		keeps           time.Duration
	}{
		"defaults":    {want: pair.LabelMemory{Seconds: 43200, Number: 2000, Known: true}, uncovered: 500, keeps: 11 * time.Hour},
		"denied":      {denied: true, settings: map[string]string{pair.LabelNumber: "5"}, want: pair.LabelMemory{Seconds: 43200, Number: 2000, Known: false}, uncovered: 500, keeps: 11 * time.Hour},
		"small":       {settings: map[string]string{pair.LabelNumber: "100", pair.LabelSeconds: "600"}, want: pair.LabelMemory{Seconds: 600, Number: 100, Known: true}, uncovered: 25, keeps: 550 * time.Second, crowded: true},
		"no limit":    {settings: map[string]string{pair.LabelNumber: "-1"}, want: pair.LabelMemory{Seconds: 43200, Number: -1, Known: true}, uncovered: 500, keeps: 11 * time.Hour},
		"next to one": {settings: map[string]string{pair.LabelNumber: "3"}, want: pair.LabelMemory{Seconds: 43200, Number: 3, Known: true}, uncovered: 1, keeps: 11 * time.Hour, crowded: true},
	} {
		b := newBench(t)
		b.Dst.Settings, b.Dst.Denied = c.settings, c.denied
		got, err := b.job().Destination.LabelMemory(t.Context())
		require.NoError(t, err)
		require.Equal(t, c.want, got, name)
		require.Equal(t, c.uncovered, got.Uncovered(), name)
		require.Equal(t, c.keeps, got.Keeps(), name)
		require.Equal(t, c.crowded, got.Crowded(99), name)
	}
}
