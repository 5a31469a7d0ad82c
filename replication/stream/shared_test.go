package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// oneTable is a bench with many UPSERTs of one table, which may share transactions.
func oneTable(t *testing.T, n int) (*bench, []int64) {
	b := newBench(t)
	b.Options.Group = 16
	b.Options.RetryBudget = time.Minute
	want := seqs(n)
	for _, seq := range want {
		b.Upsert(seq, 10)
	}
	return b, want
}

// sizes are how many UPSERTs travelled in each transaction that was committed with
// rows, in the order of their commits.
func (b *bench) sizes() (list []int) {
	b.Dst.Mu.Lock()
	defer b.Dst.Mu.Unlock()
	for _, seq := range b.Dst.Order {
		if tx := b.Dst.ByLabel(b.Label(seq)); len(tx.Ingested) > 0 {
			list = append(list, len(tx.Ingested))
		}
	}
	return list
}

func TestUpsertsOfOneTableShareATransaction(t *testing.T) {
	b, want := oneTable(t, 100)
	b.Dst.OnIngest = scatteredDelay
	got := b.stream(want[99], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Visible(), "each once, in order")
	require.Equal(t, want[99], got.Position.CommitSeq)
	require.Equal(t, int64(100), got.Position.Applied)
	require.Zero(t, b.Dst.Open())
	sizes := b.sizes()
	require.Equal(t, 16, sizes[0])
	require.Less(t, len(sizes), 20)
	for _, seq := range want {
		require.NotNil(t, b.Dst.ByLabel(b.Label(seq)), "the label of %d is taken, so no other attempt can apply it", seq)
	}
	first := b.Dst.ByLabel(b.Label(want[15]))
	require.True(t, first.Commit.TxnInsert)
	require.Len(t, first.Commit.SubTxns, 16, "each has a sub-transaction of its own")
	for i, sub := range first.Commit.SubTxns {
		require.Equal(t, first.Subs[i], sub.ID)
		require.Equal(t, []fe.TabletCommit{{TabletID: 6000, BackendID: 1}}, sub.CommitInfos)
	}
}

// Several tables, UPSERTs of two tables among them: each share of a table is in its
// place.
func TestUpsertsOfTablesShareATransaction(t *testing.T) {
	b := newBench(t)
	b.Options.Group = 64
	r := rand.New(rand.NewPCG(3, 4))
	var want []int64
	for _, seq := range seqs(200) {
		tables := []int64{10 + r.Int64N(4)}
		if r.IntN(4) == 0 {
			tables = []int64{10, 12}
		}
		b.Upsert(seq, tables...)
		for range tables {
			want = append(want, seq)
		}
	}
	b.Dst.OnIngest = scatteredDelay
	got := b.stream(seqs(200)[199], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Visible())
	for _, tx := range b.Dst.Txns {
		for _, sub := range tx.Commit.SubTxns {
			require.Len(t, sub.CommitInfos, 1, "a sub-transaction has one table")
		}
	}
}

// A few do not wait for each other's publication.
func TestFewUpsertsOfOneTableTravelAlone(t *testing.T) {
	b, want := oneTable(t, leastShared-1)
	got := b.stream(want[leastShared-2], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Visible())
	require.Len(t, b.sizes(), leastShared-1)
	for _, tx := range b.Dst.Txns {
		require.False(t, tx.Commit.TxnInsert)
	}
}

// Backends publish only so many versions of a merge-on-write table quickly.
func TestGroupsOfAUniqueTableAreSmaller(t *testing.T) {
	for text, most := range map[string]int{"CREATE TABLE `t0` (\n`k` int\n)\nUNIQUE KEY(`k`)": mostVersions, "DUPLICATE KEY(`k`)": 64} {
		b, want := oneTable(t, 100)
		b.Options.Group = 64
		b.Dst.CreateTexts = map[string]string{"t0": text}
		b.stream(want[99], Hooks{})
		require.Equal(t, want, b.Dst.Visible())
		require.Equal(t, most, slices.Max(b.sizes()), text)
		require.LessOrEqual(t, b.Dst.Asked["show create table"], 1)
	}
}

// Only a UNIQUE table's commits wait until the rows are visible. A table that is
// locked meanwhile is waited for.
func TestCommitsThatDoNotWait(t *testing.T) {
	for text, wait := range map[string]time.Duration{"UNIQUE KEY(`k`)": 0, "DUPLICATE KEY(`k`)": briefly} {
		b, want := oneTable(t, 32)
		b.Dst.CreateTexts = map[string]string{"t0": text}
		var tries atomic.Int64
		b.Dst.BeforeCommit = func(seq int64) error {
			if seq == want[15] && tries.Add(1) <= 3 && wait > 0 {
				return &fe.StatusError{Server: "fe", Method: "commitTxn", Messages: []string{"get tableList write lock timeout, tableList=(t)"}}
			}
			return nil
		}
		b.stream(want[31], Hooks{})
		require.Equal(t, want, b.Dst.Visible())
		require.Equal(t, []int{16, 16}, b.sizes(), "a lock is no failure")
		require.Zero(t, b.Dst.ByLabel(b.Label(want[15])).Commit.Wait)
		require.Equal(t, wait, b.Dst.ByLabel(b.Label(want[31])).Commit.Wait, text)
	}
}

// A destination without sub-transactions is asked once, and loses nothing.
func TestDestinationWithoutSubTransactions(t *testing.T) {
	b, want := oneTable(t, 100)
	b.Dst.NoSubTxns = true
	b.Options.Window = 1
	got := b.stream(want[99], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Visible())
	require.Equal(t, 1, slices.Max(b.sizes()))
	asked := 0
	for _, tx := range b.Dst.Txns {
		if tx.State == sqlclient.TxnAborted && tx.SubTxnNum > 0 {
			asked++
		}
	}
	require.Equal(t, 1, asked)
}

// One UPSERT cannot be applied: those before it are, and it is told of by its own
// number. Nothing of it is visible, and nothing after it.
func TestAFailureInTheMiddleOfAGroup(t *testing.T) {
	b, want := oneTable(t, 16)
	b.Options.RetryBudget = 50 * time.Millisecond
	bad := want[11]
	b.Dst.OnIngest = func(_ int64, r be.IngestRequest) error {
		if b.Dst.Seqs[[2]int64{r.RemoteTabletID, r.Version}] == bad {
			return be.ErrHTTP
		}
		return nil
	}
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Equal(t, bad, got.Problem.CommitSeq)
	require.Equal(t, want[:11], b.Dst.Visible())
	require.Equal(t, want[10], got.Position.CommitSeq)
	require.Zero(t, b.Dst.Open(), "labels are free again")

	// The next attempt meets the labels of before, and brings the rest.
	b.Dst.OnIngest = nil
	b.Progress.Position = got.Position
	b.Progress.Settled, b.Progress.AppliedBeyond, b.Progress.Met = got.Settled, got.AppliedBeyond, got.Met
	got = b.stream(want[15], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Visible())
}

// What fails once goes on in smaller groups, which grow again.
func TestGroupsShrinkAndGrow(t *testing.T) {
	b, want := oneTable(t, 250)
	b.Options.Window = 1
	var failed atomic.Bool
	b.Dst.BeforeCommit = func(seq int64) error {
		if seq == want[15] && !failed.Swap(true) {
			return &fe.StatusError{Server: "fe", Method: "commitTxn", Messages: []string{"succ replica num 0 < load required replica num 1"}}
		}
		return nil
	}
	got := b.stream(want[249], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Visible())
	sizes := b.sizes()
	require.Equal(t, []int{8, 8}, sizes[:2])
	require.Equal(t, 16, slices.Max(sizes))
}

func TestGroupSize(t *testing.T) {
	g := newGroupSize(64)
	g.failed(64)
	require.Equal(t, 32, g.now())
	g.failed(64)
	require.Equal(t, 32, g.now(), "of the same time")
	g.failed(1)
	require.Equal(t, 1, g.now())
	for _, want := range []int{2, 4, 8, 16, 32, 64, 64} {
		g.filled(g.now(), time.Second)
		require.Equal(t, want, g.now())
	}
	g.filled(64, longGroup+time.Second)
	require.Equal(t, 32, g.now(), "large loads")
	g.filled(16, time.Second)
	require.Equal(t, 32, g.now(), "it was not full")
	g.filled(32, longGroup*3/4)
	require.Equal(t, 32, g.now(), "it would be too long again")
}

// The commit of a group whose reply is lost: whether it took effect decides, and a
// group whose outcome is not known is not taken apart.
func TestSharedCommitOutcomeUnknown(t *testing.T) {
	for name, effect := range map[string]bool{"before the effect": false, "after the effect": true} {
		t.Run(name, func(t *testing.T) {
			b, want := oneTable(t, 60)
			b.loseReplies(3, effect)
			got := b.stream(want[59], Hooks{})
			require.Nil(t, got.Problem)
			require.Equal(t, want, b.Dst.Visible())
			require.Equal(t, []int{16, 16, 16, 12}, b.sizes(), "not taken apart")
		})
	}
}

// A worker dies with half of a group's labels claimed, or right after the commit of
// the group, or between that and the labels of the others: whoever follows finds each
// UPSERT applied once, whatever its own groups are.
func TestAnAttemptAfterHalfAGroup(t *testing.T) {
	for name, committed := range map[string]bool{"before the commit": false, "after the commit": true} {
		for _, size := range []int{1, 5, 16} {
			t.Run(fmt.Sprintf("%s, groups of %d", name, size), func(t *testing.T) {
				b, want := oneTable(t, 20)
				b.Options.Group = size
				for i, seq := range want[:12] {
					switch {
					case i < 11 && i%2 == 0:
						b.Dst.Put(b.Label(seq), sqlclient.TxnPrepare) // claimed, without rows
					case i < 11 && committed:
						b.Dst.Put(b.Label(seq), sqlclient.TxnVisible)
					}
				}
				state := sqlclient.TxnPrepare
				if committed {
					state = sqlclient.TxnVisible
				}
				b.Dst.Put(b.Label(want[11]), state)
				got := b.stream(want[19], Hooks{Resume: &job.Heartbeat{Position: b.Progress.Position, At: time.Now()}})
				require.Nil(t, got.Problem)
				require.Equal(t, want[19], got.Position.CommitSeq)
				require.Zero(t, b.Dst.Open())
				if committed {
					require.Equal(t, want[12:], b.Dst.Visible(), "what travelled with the newest is applied")
				} else {
					require.Equal(t, want, b.Dst.Visible())
				}
			})
		}
	}
}

// Replicas fail in different sub-transactions: only those that have all are named, and
// a share that would be nowhere is no empty sub-transaction.
func TestReplicasOfSubTransactions(t *testing.T) {
	tablet := func(id int64) *meta.Tablet { return &meta.Tablet{ID: id} }
	p := together([]*plan{
		{tables: []tablePlan{{destination: 20, pieces: []piece{{to: tablet(1)}, {to: tablet(2)}}}}},
		{tables: []tablePlan{{destination: 20, pieces: []piece{{to: tablet(1)}}}}},
	})
	require.Equal(t, 2, p.subs)
	c := &commitSet{infos: map[commitKey][]fe.TabletCommit{
		{0, 20}: {{TabletID: 1, BackendID: 1}, {TabletID: 1, BackendID: 2}, {TabletID: 2, BackendID: 3}},
		{1, 20}: {{TabletID: 1, BackendID: 2}, {TabletID: 1, BackendID: 3}},
	}}
	require.NoError(t, c.keepCommon(p))
	require.Equal(t, map[commitKey][]fe.TabletCommit{
		{0, 20}: {{TabletID: 1, BackendID: 2}, {TabletID: 2, BackendID: 3}},
		{1, 20}: {{TabletID: 1, BackendID: 2}},
	}, c.infos)
	c.infos[commitKey{1, 20}] = []fe.TabletCommit{{TabletID: 1, BackendID: 3}}
	require.ErrorIs(t, c.keepCommon(p), problem.ErrBackendDown)
}

func TestCutsOfAGroup(t *testing.T) {
	group := func(tables ...int64) (list []*part) {
		for _, id := range tables {
			list = append(list, &part{records: map[int64]binlog.TableRecord{id: {}}})
		}
		return list
	}
	lengths := func(group []*part) (list []int) {
		for _, c := range cut(group, 8) {
			list = append(list, len(c))
		}
		return list
	}
	require.Empty(t, cut(nil, 8))
	require.Equal(t, []int{3}, lengths(group(1, 2, 3)))
	require.Equal(t, []int{2, 2, 1}, lengths(group(1, 2, 1, 2, 1)))
	require.Equal(t, []int{8}, lengths(group(1, 1, 1, 1, 1, 1, 1, 1)))
}

// Backends drop old sub-transactions, and know a plain one for as long as it lives.
func TestAGroupThatHasWaitedForTooLong(t *testing.T) {
	now := time.Now()
	old := &txn{plan: &plan{subs: 2}, opened: now.Add(-subTxnLife - time.Second)}
	require.True(t, old.tooOld(now))
	old.plan.subs = 0
	require.False(t, old.tooOld(now))
	require.False(t, (&txn{plan: &plan{subs: 2}, opened: now}).tooOld(now))
	_, retryable := problem.Classify(errTooOld)
	require.True(t, retryable)
}

// A destination that remembers few labels gets small groups, and each is covered by a
// report before it is forgotten.
func TestGroupsAndTheMemoryOfLabels(t *testing.T) {
	b, want := oneTable(t, 60)
	b.Dst.Settings = map[string]string{pair.LabelNumber: "24"}
	begun, most := 0, 0
	position := int64(100)
	b.Dst.BeforeCommit = func(seq int64) error {
		b.Dst.Mu.Lock()
		defer b.Dst.Mu.Unlock()
		begun = 0
		for _, s := range want {
			if s > position && b.Dst.ByLabel(b.Label(s)) != nil {
				begun++
			}
		}
		most = max(most, begun)
		return nil
	}
	got := b.stream(want[59], Hooks{Checkpoint: func(_ context.Context, h job.Heartbeat) error {
		b.Dst.Mu.Lock()
		defer b.Dst.Mu.Unlock()
		position = h.Position.CommitSeq
		return nil
	}})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Visible())
	require.Equal(t, 6, slices.Max(b.sizes()), "a quarter of what is remembered")
	require.LessOrEqual(t, most, 12, "beyond the last report: two groups")
}

// A group waits for what was met before it, and not for what was met behind it: many
// binlogs that need nothing, while the destination remembers few labels.
func TestAGroupDoesNotWaitForWhatIsBehindIt(t *testing.T) {
	b := newBench(t)
	b.Options.Group = 16
	b.Dst.Settings = map[string]string{pair.LabelNumber: "24"}
	for seq := int64(102); seq < 300; seq += 2 {
		if seq%20 == 2 {
			b.Upsert(seq, 10)
		} else {
			b.Append(seq, binlog.TypeModifyPartitions, struct{}{})
		}
	}
	got := b.stream(298, Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, int64(298), got.Position.CommitSeq)
	require.Len(t, b.Dst.Visible(), 10)
}
