package stream

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// What the destination may have forgotten is never applied twice: the tables
// concerned come by snapshots, those and no others (architecture.md 4.2).
func TestStreamForgottenTransactions(t *testing.T) {
	const long = 20 * time.Hour
	for name, c := range map[string]struct {
		unheard time.Duration // since the last report
		ended   time.Duration // since the begin of a shift that ended without an answer
		others  int
		known   bool // the destination remembers the last transaction reported
		order   job.CommitOrder
		reuse   bool
		denied  bool // the account may not list transactions
		blind   bool // it may list them, and not read how many are remembered
		doubt   bool
	}{
		"just now":                 {unheard: time.Second},
		"long ago":                 {unheard: long, doubt: true},
		"long ago, per table":      {unheard: long, doubt: true, order: job.CommitOrderPerTable},
		"long ago, source's label": {unheard: long, doubt: true, reuse: true},
		"just now, source's label": {unheard: time.Second, reuse: true},
		"many others since":        {unheard: time.Minute, others: 5000, doubt: true},
		"many others, but known":   {unheard: time.Minute, others: 5000, known: true},
		"many, known, source's":    {unheard: time.Minute, others: 5000, known: true, reuse: true},
		"paused without an answer": {ended: long, doubt: true},
		"a report that says so":    {unheard: time.Second, ended: long, doubt: true},

		"not listed, just now":             {unheard: time.Second, known: true, denied: true},
		"not listed, just now, per table":  {unheard: time.Second, known: true, denied: true, order: job.CommitOrderPerTable},
		"not listed, just now, source's":   {unheard: time.Second, known: true, denied: true, reuse: true},
		"not listed, long ago, but known":  {unheard: long, known: true, denied: true},
		"listed, number unknown":           {unheard: time.Second, blind: true, doubt: true},
		"listed, number unknown, known":    {unheard: time.Second, blind: true, known: true},
		"not listed, forgotten":            {unheard: time.Second, denied: true, doubt: true},
		"not listed, forgotten, source's":  {unheard: time.Second, denied: true, reuse: true, doubt: true},
		"not listed, forgotten, per table": {unheard: time.Second, denied: true, order: job.CommitOrderPerTable, doubt: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Spec.CommitOrder, b.Spec.ReuseBinlogLabel = c.order, c.reuse
			b.Dst.AnyLabel, b.Dst.Denied, b.Dst.Unreadable = c.reuse, c.denied, c.blind
			b.Upsert(102, 12)
			b.Upsert(104, 10, 11)
			b.Upsert(106, 12)
			b.Append(108, binlog.TypeBarrier, map[string]any{"dbId": 1}, 13)
			b.Append(110, binlog.TypeModifyComment, binlog.Comment{Type: "TABLE", TableID: 13}, 13)
			b.Upsert(112, 13)
			b.Dst.Others = c.others
			position := job.Position{CommitSeq: 103, TxnID: 77}
			if c.known {
				position.TxnID = b.Dst.Put(b.Label(102), sqlclient.TxnVisible)
			}
			var h Hooks
			if c.unheard > 0 {
				h.Resume = &job.Heartbeat{Position: position, At: time.Now().Add(-c.unheard)}
			}
			if c.ended > 0 {
				b.Progress.Unconfirmed.Since, b.Progress.Position = time.Now().Add(-c.ended), position
			}
			got := b.stream(0, h)
			if !c.doubt {
				require.Equal(t, job.EndBinlog, got.End, "%+v", got)
				require.Equal(t, int64(108), got.Position.CommitSeq)
				return
			}
			require.Equal(t, job.EndSnapshot, got.End)
			require.Equal(t, &job.PartialSync{TableID: 10, Table: "t0", Replace: true}, got.Wanted.Partial)
			require.Contains(t, got.Wanted.Reason, "it is unknown what was applied after commit seq 103")
			require.Empty(t, b.Dst.Visible())
			require.Len(t, got.Tables.Set, 3, "those before the fence")
			for id, name := range map[int64]string{10: "t0", 11: "t1", 12: "t2"} {
				require.Equal(t, job.Table{DestID: id + 10, Name: name, Unconfirmed: true}, got.Tables.Set[id])
			}

			// The snapshot of the first is done: each of the others has its turn.
			b.Progress.Apply(got.Tables)
			b.Progress.Tables[10] = job.Table{DestID: 20, Name: "t0", CommitSeq: 200}
			b.Progress.Unconfirmed.Since, b.Progress.Position, b.Progress.State = time.Time{}, position, job.DBTablesIncrementalSync
			got = b.stream(0, Hooks{})
			require.Equal(t, job.EndSnapshot, got.End)
			require.Equal(t, int64(11), got.Wanted.Partial.TableID)
			require.Empty(t, b.Dst.Visible(), "not applied to what is unknown")
		})
	}
}

// A fence that was filed late the attempt before may not have met: what is behind it
// may be applied as well, as far as the attempt can have come until it found the fence.
func TestStreamForgottenTransactionsBehindALateFence(t *testing.T) {
	b := newBench(t)
	b.Options.SettleTime = 1500 * time.Millisecond
	b.Upsert(102, 12)
	b.Append(104, binlog.TypeCreateTable, map[string]any{"dbId": 1, "tableId": 99, "tableName": "new"}, 99)
	b.Upsert(106, 10)
	b.Upsert(107, 99) // nobody can have applied that
	b.Upsert(108, 11)
	b.Upsert(130, 13) // much later
	b.Dst.Others = 5000
	got := b.stream(0, Hooks{Resume: &job.Heartbeat{Position: job.Position{CommitSeq: 101, TxnID: 77}, At: time.Now().Add(-time.Minute)}})
	require.Equal(t, job.EndSnapshot, got.End, "%+v", got)
	require.Contains(t, got.Wanted.Reason, "it is unknown what was applied after commit seq 101")
	require.Empty(t, b.Dst.Visible())
	require.ElementsMatch(t, []int64{10, 11, 12}, slices.Collect(maps.Keys(got.Tables.Set)))
}

// Who dies before the destination has been asked leaves no younger report.
func TestStreamKeepsWhenItWasHeard(t *testing.T) {
	b := newBench(t)
	b.Upsert(102, 10)
	old := time.Now().Add(-20 * time.Hour)
	var reports []job.Heartbeat
	b.streamContext(t.Context(), 0, Hooks{
		Resume: &job.Heartbeat{Position: job.Position{CommitSeq: 101}, At: time.Now(), UnconfirmedSince: old},
		Checkpoint: func(_ context.Context, h job.Heartbeat) error {
			reports = append(reports, h)
			return errors.New("superseded")
		},
	})
	require.True(t, reports[0].UnconfirmedSince.Equal(old))
}

// Only if the binlogs that tell the tables are lost a full sync is left.
func TestStreamForgottenAndLost(t *testing.T) {
	b := newBench(t)
	b.Append(150, binlog.TypeDummy, map[string]any{})
	got := b.stream(0, Hooks{Resume: &job.Heartbeat{Position: job.Position{CommitSeq: 101, TxnID: 77}, At: time.Now().Add(-20 * time.Hour)}})
	require.Equal(t, job.EndSnapshot, got.End)
	require.Nil(t, got.Wanted.Partial)
	require.Contains(t, got.Wanted.Reason, "it is unknown what was applied")
	require.Contains(t, got.Wanted.Reason, "lost")

}

// next is the shift after got, as the workflow begins it.
func (b *bench) next(until int64, got job.StreamResult) job.StreamResult {
	b.Progress.Apply(got.Tables)
	b.Progress.Position, b.Progress.Unconfirmed.Since, b.Progress.Unconfirmed.To = got.Position, got.Unconfirmed.Since, got.Unconfirmed.To
	b.Progress.Settling = got.Settling
	return b.stream(until, Hooks{})
}

// A shift may end without knowing what became of its last commit: the destination
// cannot be reached any more. The next one must find out, today or tomorrow.
func TestStreamTellsOfACommitOfUnknownOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		reuse, forgotten, denied bool
	}{
		"our label":              {},
		"our label, not listed":  {denied: true},
		"source's, not listed":   {denied: true, reuse: true},
		"the source's":           {reuse: true},
		"our label, forgotten":   {forgotten: true},
		"the source's, tomorrow": {reuse: true, forgotten: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Spec.ReuseBinlogLabel, b.Dst.AnyLabel, b.Options.Window, b.Dst.Denied = c.reuse, c.reuse, 1, c.denied
			want := b.upserts(4) // a table each
			b.Dst.AfterCommit = func(seq int64) error {
				if seq == want[1] {
					b.Dst.Unreachable.Store(true)
					return pairtest.LostReply()
				}
				return nil
			}
			before := time.Now()
			got := b.stream(0, Hooks{})
			require.Equal(t, job.EndBlocked, got.End)
			require.Equal(t, want[0], got.Position.CommitSeq)
			require.WithinRange(t, got.Unconfirmed.Since, before, time.Now())
			require.Equal(t, want[1], got.Unconfirmed.To)

			blocked := b.next(0, got) // still unreachable
			require.Equal(t, job.EndBlocked, blocked.End)
			require.True(t, blocked.Unconfirmed.Since.Equal(got.Unconfirmed.Since))
			require.Equal(t, got.Unconfirmed.To, blocked.Unconfirmed.To)

			b.Dst.Unreachable.Store(false)
			b.Dst.AfterCommit = nil
			if !c.forgotten {
				last := b.next(want[3], blocked)
				require.Nil(t, last.Problem)
				require.Equal(t, want, b.Dst.Commits(), "each once")
				require.Zero(t, last.Unconfirmed.Since)
				return
			}
			blocked.Unconfirmed.Since = blocked.Unconfirmed.Since.Add(-20 * time.Hour)
			clear(b.Dst.Txns)
			last := b.next(0, blocked)
			require.Equal(t, job.EndSnapshot, last.End)
			require.Equal(t, int64(11), last.Wanted.Partial.TableID)
			require.Len(t, last.Tables.Set, 1, "no other table is in doubt")
		})
	}
}

// The outcome of a commit is unknown, and the destination forgets fast.
func TestStreamDoesNotApplyWhatIsForgottenMeanwhile(t *testing.T) {
	for _, denied := range []bool{false, true} {
		streamDoesNotApplyWhatIsForgottenMeanwhile(t, denied)
	}
}

func streamDoesNotApplyWhatIsForgottenMeanwhile(t *testing.T, denied bool) {
	b := newBench(t)
	b.Options.Window, b.Dst.Denied = 1, denied
	want := b.upserts(4)
	b.Dst.AfterCommit = func(seq int64) error {
		if seq != want[1] {
			return nil
		}
		b.Dst.Mu.Lock()
		defer b.Dst.Mu.Unlock()
		clear(b.Dst.Txns)
		b.Dst.Others = 5000
		return pairtest.LostReply()
	}
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Equal(t, want[:2], b.Dst.Commits(), "not twice")
	got = b.next(0, got)
	require.Equal(t, job.EndSnapshot, got.End)
	require.Equal(t, int64(11), got.Wanted.Partial.TableID)
	require.Equal(t, []int64{11}, slices.Collect(maps.Keys(got.Tables.Set)))
}

// In per_table order a table that stands still does not stop the others. What
// they have applied is remembered longer than the destination does.
func TestStreamRemembersWhatIsAppliedAhead(t *testing.T) {
	b := newBench(t)
	b.Spec.CommitOrder = job.CommitOrderPerTable
	want := b.upserts(8) // table 10 at the first and the fifth
	var fail atomic.Bool
	fail.Store(true)
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if fail.Load() && (seq == want[0] || seq == want[4]) {
			return be.ErrHTTP
		}
		return nil
	}
	ahead := slices.Concat(want[1:4], want[5:])
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Equal(t, int64(100), got.Position.CommitSeq)
	require.Subset(t, ahead, got.AppliedBeyond)
	require.ElementsMatch(t, b.Dst.Commits(), got.AppliedBeyond)

	clear(b.Dst.Txns) // tomorrow
	got = b.next(0, got)
	require.Equal(t, job.EndBlocked, got.End)
	require.ElementsMatch(t, b.Dst.Commits(), got.AppliedBeyond)
	clear(b.Dst.Txns)
	fail.Store(false)
	got = b.next(want[7], got)
	require.Nil(t, got.Problem)
	require.Equal(t, want[7], got.Position.CommitSeq)
	require.Subset(t, want, got.AppliedBeyond, "not yet read again, or nothing")
	require.ElementsMatch(t, want, b.Dst.Commits(), "each once")
}
