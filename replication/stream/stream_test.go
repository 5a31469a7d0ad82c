package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// seqs are n commit seqs after the position, with gaps as in Doris.
func seqs(n int) (list []int64) {
	for i := range n {
		list = append(list, int64(102+2*i))
	}
	return list
}

func (b *bench) upserts(n int) []int64 {
	list := seqs(n)
	for i, seq := range list {
		b.Upsert(seq, int64(10+i%4))
	}
	return list
}

// begun are ten UPSERTs of which an attempt before this one has applied three: in order,
// or each in the order of its table.
func (b *bench) begun(order job.CommitOrder) []int64 {
	b.Spec.CommitOrder = order
	want := b.upserts(10)
	applied := want[:3]
	if order == job.CommitOrderPerTable {
		applied = []int64{want[0], want[2], want[3]}
	}
	for _, seq := range applied {
		b.Dst.Put(b.Label(seq), sqlclient.TxnVisible)
	}
	return want
}

// scatteredDelay lets ingests end in another order than they begin, the same in each run.
func scatteredDelay(_ int64, r be.IngestRequest) error {
	time.Sleep(time.Duration(r.TxnID*7919%2000) * time.Microsecond)
	return nil
}

func TestStreamCommitsInOrder(t *testing.T) {
	b := newBench(t)
	want := b.upserts(300)
	b.Dst.OnIngest = scatteredDelay
	got := b.stream(want[299], Hooks{})
	require.Equal(t, job.EndStopped, got.End)
	require.Equal(t, want, b.Dst.Commits(), "each once, in order")
	require.Equal(t, want[299], got.Position.CommitSeq)
	require.Equal(t, int64(300), got.Position.Applied)
	require.Equal(t, want[299]*1000, got.Position.Timestamp)
	calls := 0
	for _, asked := range []map[string]int{b.Src.Asked, b.Dst.Asked} {
		for _, n := range asked {
			calls += n
		}
	}
	require.LessOrEqual(t, float64(calls)/300, 2.5, "calls per transaction")
}

func TestStreamPerTableDoesNotWaitForOthers(t *testing.T) {
	b := newBench(t)
	b.Spec.CommitOrder = job.CommitOrderPerTable
	want := b.upserts(40) // every fourth into table 10
	release := make(chan struct{})
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if seq == want[0] {
			<-release
		}
		return nil
	}
	var position atomic.Int64
	done := make(chan job.StreamResult, 1)
	go func() {
		done <- b.stream(want[39], Hooks{Heartbeat: func(h job.Heartbeat) { position.Store(h.Position.CommitSeq) }})
	}()
	// Of the first window only the transactions of table 10 wait.
	require.Eventually(t, func() bool { return len(b.Dst.Commits()) >= 3 }, 5*time.Second, time.Millisecond)
	require.NotContains(t, b.Dst.Commits(), want[0])
	require.NotContains(t, b.Dst.Commits(), want[4])
	require.LessOrEqual(t, position.Load(), int64(100), "the position is the unbroken row")
	close(release)
	got := <-done
	require.Equal(t, want[39], got.Position.CommitSeq)
	require.ElementsMatch(t, want, b.Dst.Commits())
	var ofTable10 []int64
	for _, seq := range b.Dst.Commits() {
		if (seq-102)/2%4 == 0 {
			ofTable10 = append(ofTable10, seq)
		}
	}
	require.True(t, slices.IsSorted(ofTable10))
}

func TestStreamGoesOnFromWhatIsApplied(t *testing.T) {
	for _, order := range []job.CommitOrder{job.CommitOrderGlobal, job.CommitOrderPerTable} {
		b := newBench(t)
		want := b.begun(order)
		left := b.Dst.Put(b.Label(want[6]), sqlclient.TxnPrepare)
		old := b.Dst.Put(job.TxnLabel(b.Spec.UID, pairtest.Epoch-1, 1, 90), sqlclient.TxnPrepare)
		b.Dst.Put("somebody_else", sqlclient.TxnPrepare)
		got := b.stream(want[9], Hooks{})
		require.Equal(t, want[9], got.Position.CommitSeq)
		require.ElementsMatch(t, want, b.Dst.Commits(), "none twice, none missing")
		require.Equal(t, int64(10), got.Position.Applied)
		require.Equal(t, sqlclient.TxnAborted, b.Dst.Txns[left].State, "what an earlier attempt left open is rolled back")
		require.Equal(t, sqlclient.TxnAborted, b.Dst.Txns[old].State)
		require.Equal(t, 1, b.Dst.Open(), "what is not ours is left alone")
	}
}

// A snapshot of one table, ordered while it was not known how far the shift
// before had come, begins an epoch: what was applied in the one before it still
// is. What was applied before a full sync is not.
func TestStreamTrustsCommitsSinceTheLastFullSync(t *testing.T) {
	for name, c := range map[string]struct {
		first int64
		order job.CommitOrder
		twice bool
	}{
		"partial sync":            {first: pairtest.Epoch - 1},
		"partial sync, per table": {first: pairtest.Epoch - 1, order: job.CommitOrderPerTable},
		"full sync":               {first: pairtest.Epoch, twice: true},
		"full sync, per table":    {first: pairtest.Epoch, order: job.CommitOrderPerTable, twice: true},
		"nobody knows":            {twice: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Progress.FirstEpoch, b.Spec.CommitOrder = c.first, c.order
			want := b.upserts(10)
			for _, seq := range want[:7] {
				b.Dst.Put(job.TxnLabel(b.Spec.UID, pairtest.Epoch-1, 1, seq), sqlclient.TxnVisible)
			}
			got := b.stream(want[9], Hooks{})
			require.Equal(t, want[9], got.Position.CommitSeq)
			if c.twice {
				require.Len(t, b.Dst.Commits(), 17)
				return
			}
			require.ElementsMatch(t, want, b.Dst.Commits(), "none twice")
		})
	}
}

// What earlier attempts have left on the destination, and what it says.
func TestAdopt(t *testing.T) {
	committed := func(seqs ...int64) (list []committedLabel) {
		for _, seq := range seqs {
			list = append(list, committedLabel{Label: pair.Label{Seq: seq, Epoch: pairtest.Epoch}, txn: seq})
		}
		return list
	}
	for name, c := range map[string]struct {
		order  job.CommitOrder
		found  traces
		met    []int64
		newest int64
	}{
		"global":              {found: traces{committed: committed(106, 104, 98), begun: []int64{105, 110}}, met: []int64{98, 104, 105, 106}, newest: 106},
		"global, nothing new": {found: traces{committed: committed(98), begun: []int64{104}}, met: []int64{98}},
		"per table": {order: job.CommitOrderPerTable, found: traces{committed: committed(106, 104), begun: []int64{105}},
			met: []int64{104, 106}, newest: 106},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Spec.CommitOrder = c.order
			s := &shift{job: b.job(), in: job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}}, tracker: newTracker(b.Progress.Position, false, 95, nil)}
			s.log = s.job.Log
			require.Equal(t, c.newest, s.recoverCommitted(b.Progress.Position, c.found))
			require.Equal(t, c.met, slices.Sorted(maps.Keys(s.tracker.met)))
		})
	}
}

func TestStreamCommitOutcomeUnknown(t *testing.T) {
	for name, effect := range map[string]bool{"before the effect": false, "after the effect": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Options.RetryBudget = time.Minute
			want := b.upserts(30)
			var once sync.Once
			fail := func(seq int64) (err error) {
				if seq == want[7] {
					once.Do(func() { err = pairtest.LostReply() })
				}
				return err
			}
			if effect {
				b.Dst.AfterCommit = fail
			} else {
				b.Dst.BeforeCommit = fail
			}
			got := b.stream(want[29], Hooks{})
			require.Nil(t, got.Problem)
			require.Equal(t, want, b.Dst.Commits())
		})
	}
}

// A new master of the destination does not know transactions that were open.
func TestStreamBeginsAgainWhenMasterForgot(t *testing.T) {
	b := newBench(t)
	want := b.upserts(40)
	var once sync.Once
	b.Dst.BeforeCommit = func(seq int64) (err error) {
		if seq == want[10] {
			once.Do(func() {
				b.Dst.Mu.Lock()
				defer b.Dst.Mu.Unlock()
				for id, tx := range b.Dst.Txns {
					if tx.State == sqlclient.TxnPrepare {
						delete(b.Dst.Txns, id)
					}
				}
				err = fe.ErrTxnNotFound
			})
		}
		return err
	}
	got := b.stream(want[39], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Commits())
}

// A stale attempt may still commit something after this one has looked back.
func TestStreamMeetsItsOwnLabel(t *testing.T) {
	b := newBench(t)
	want := b.upserts(5)
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if seq == want[0] {
			b.Dst.Put(b.Label(want[3]), sqlclient.TxnVisible)
		}
		return nil
	}
	b.Options.Window = 1
	got := b.stream(want[4], Hooks{})
	require.Equal(t, want[4], got.Position.CommitSeq)
	sorted := b.Dst.Commits()
	slices.Sort(sorted)
	require.Equal(t, want, sorted, "a finished label means applied")
}

func TestStreamEndsAtFences(t *testing.T) {
	b := newBench(t)
	want := b.upserts(12)
	b.Append(131, binlog.TypeBarrier, map[string]any{"dbId": 1}, 10)
	b.Append(133, binlog.TypeDropTable, map[string]any{"tableId": 13, "tableName": "t3"}, 13)
	b.Upsert(135, 10)
	b.Dst.OnIngest = scatteredDelay
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBinlog, got.End)
	require.Equal(t, int64(133), got.Binlog.CommitSeq)
	require.Equal(t, binlog.TypeDropTable, got.Binlog.Type)
	require.Contains(t, got.Binlog.Summary, "t3")
	require.Equal(t, want, b.Dst.Commits(), "all before it are committed, none after")
	require.Equal(t, int64(131), got.Position.CommitSeq, "what needs nothing is passed")
}

func TestStreamUnwrapsBarrier(t *testing.T) {
	b := newBench(t)
	b.Append(131, binlog.TypeBarrier, map[string]any{"binlogType": binlog.TypeRenameTable, "binlog": `{"tb":10,"nT":"x","oT":"t0"}`}, 10)
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBinlog, got.End)
	require.Equal(t, binlog.TypeRenameTable, got.Binlog.Type)
	require.Equal(t, int64(131), got.Binlog.CommitSeq)
}

func TestStreamLostBinlogs(t *testing.T) {
	b := newBench(t)
	b.Append(500, binlog.TypeDummy, nil)
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndSnapshot, got.End)
	require.Nil(t, got.Wanted.Partial)
	require.Contains(t, got.Wanted.Reason, "500")
	require.Equal(t, int64(100), got.Position.CommitSeq)
}

func TestStreamAsksForSnapshot(t *testing.T) {
	for name, change := range map[string]func(b *bench){
		"unmapped table":           func(b *bench) { delete(b.Progress.Tables, 13) },
		"destination table gone":   func(b *bench) { delete(b.Dst.TableMeta, 23) },
		"partition is not there":   func(b *bench) { b.Dst.TableMeta[23].Partitions = nil },
		"index dropped afterwards": func(b *bench) { b.Src.Gone.DroppedIndexes = map[int64]int64{1003: 900} },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			want := b.upserts(12)
			change(b)
			got := b.stream(0, Hooks{})
			require.Equal(t, job.EndSnapshot, got.End)
			require.Equal(t, &job.PartialSync{TableID: 13, Table: "t3", Replace: true}, got.Wanted.Partial)
			require.Equal(t, want[:3], b.Dst.Commits(), "everything before, nothing after")
			require.Equal(t, want[2], got.Position.CommitSeq)
			require.Zero(t, b.Dst.Open(), "transactions behind it are rolled back")
		})
	}
}

func TestStreamPassesWhatIsGone(t *testing.T) {
	b := newBench(t)
	want := b.upserts(8)
	delete(b.Src.TableMeta, 13)
	b.Src.Gone.DroppedTables = map[int64]int64{13: 900}
	b.Src.TableMeta[12].Partitions = nil
	b.Src.Gone.DroppedPartitions = map[int64]int64{102: 901}
	b.Src.TableMeta[11].Type = "MATERIALIZED_VIEW"
	// What is passed must not let its successors overtake its predecessors.
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if seq == want[0] {
			time.Sleep(10 * time.Millisecond)
		}
		return nil
	}
	got := b.stream(want[7], Hooks{})
	require.Equal(t, want[7], got.Position.CommitSeq)
	require.Equal(t, []int64{want[0], want[4]}, b.Dst.Commits())
}

// What the source has dropped it reports once the binlog of that is filed, which
// may be after the drop shows in its metadata.
func TestStreamWaitsUntilADropIsTold(t *testing.T) {
	for name, drop := range map[string]func(b *bench){
		"partition": func(b *bench) { b.Src.Gone.DroppedPartitions = map[int64]int64{102: 901} },
		"table":     func(b *bench) { b.Src.Gone.DroppedTables = map[int64]int64{12: 901} },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			want := b.upserts(8)
			if name == "table" {
				delete(b.Src.TableMeta, 12)
			} else {
				b.Src.TableMeta[12].Partitions = nil
			}
			b.Src.OnMeta = func(call int) {
				if call > 4 {
					drop(b)
				}
			}
			got := b.stream(want[7], Hooks{})
			require.Nil(t, got.Wanted)
			require.Equal(t, want[7], got.Position.CommitSeq)
			require.Len(t, b.Dst.Commits(), 6)
		})
	}
}

// An answer that lacks a table which is not known as dropped is no fact.
func TestStreamDoesNotBelieveHalfAnAnswer(t *testing.T) {
	b := newBench(t)
	want := b.upserts(8)
	delete(b.Src.TableMeta, 13)
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Equal(t, job.KindMeta, got.Problem.Kind)
	require.Equal(t, want[3], got.Problem.CommitSeq)
	require.NotEmpty(t, got.Problem.Remedy)
}

// Unless the log says that the source has not recorded everything since: then the
// table may have been dropped unrecorded, and nothing is to stand for it.
func TestStreamOfATableThatWasDroppedUnrecorded(t *testing.T) {
	b := newBench(t)
	want := b.upserts(8)
	delete(b.Src.TableMeta, 13)
	b.Append(900, binlog.TypeAlterDatabaseProperty, map[string]any{"dbId": 1, "properties": map[string]any{"binlog.enable": "false"}})
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndSnapshot, got.End, "%+v", got.Problem)
	require.Equal(t, int64(13), got.Wanted.Partial.TableID)
	require.Contains(t, got.Wanted.Reason, "has not recorded everything since")
	require.Equal(t, want[:3], b.Dst.Commits())
}

func TestStreamBlocked(t *testing.T) {
	b := newBench(t)
	want := b.upserts(20)
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if seq == want[5] {
			return be.ErrHTTP
		}
		return nil
	}
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Equal(t, want[5], got.Problem.CommitSeq)
	require.Greater(t, got.Problem.Tries, 1, "it was tried again")
	require.Equal(t, want[:5], b.Dst.Commits())
	require.Equal(t, want[4], got.Position.CommitSeq)
	require.Zero(t, b.Dst.Open())
}

func TestStreamRecoversByItself(t *testing.T) {
	b := newBench(t)
	want := b.upserts(20)
	var tries atomic.Int64
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if seq == want[5] && tries.Add(1) < 2 {
			return be.ErrHTTP
		}
		return nil
	}
	got := b.stream(want[19], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Commits())
}

func TestStreamStopsWhenSuperseded(t *testing.T) {
	b := newBench(t)
	b.upserts(20)
	b.Dst.OnIngest = func(int64, be.IngestRequest) error { time.Sleep(time.Millisecond); return nil }
	alive := atomic.Int64{}
	got := b.stream(0, Hooks{
		Alive: func() bool { return alive.Add(1) < 5 },
		Checkpoint: func(context.Context, job.Heartbeat) error {
			if alive.Load() == 0 {
				return nil
			}
			return errors.New("activity not found")
		},
	})
	require.Equal(t, job.EndStopped, got.End)
	require.LessOrEqual(t, len(b.Dst.Commits()), 4, "nothing new after the reports are not acknowledged")
	require.Zero(t, b.Dst.Asked["rollbackTxn"], "another attempt owns what is open")
}

// An earlier attempt stood still just before it committed a group: the commit
// arrives while this one rolls back what it has found. The rows of the group's
// other UPSERTs, whose labels are open and empty, are then applied as well.
func TestStreamLooksAgainAfterACommitInBetween(t *testing.T) {
	b := newBench(t)
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
	got := b.stream(want[9], Hooks{})
	require.Equal(t, want[9], got.Position.CommitSeq)
	require.Equal(t, slices.Concat(want[:4], want[7:]), b.Dst.Commits())
}

// What has been begun is not committed after this attempt was given up.
func TestStreamCommitsOnlyWhileAlive(t *testing.T) {
	b := newBench(t)
	b.upserts(1)
	var still atomic.Bool
	b.Dst.OnIngest = func(int64, be.IngestRequest) error { still.Store(true); return nil }
	got := b.stream(0, Hooks{
		Alive: func() bool { return !still.Load() },
		Checkpoint: func(context.Context, job.Heartbeat) error {
			if still.Load() {
				return errors.New("activity not found")
			}
			return nil
		},
	})
	require.Equal(t, job.EndStopped, got.End)
	require.Empty(t, b.Dst.Commits())
	require.Equal(t, 1, b.Dst.Open(), "another attempt owns what is open")
}

func TestStreamFirstReportComesFirst(t *testing.T) {
	b := newBench(t)
	b.upserts(3)
	b.Dst.Put(b.Label(102), sqlclient.TxnPrepare)
	got := b.stream(0, Hooks{Checkpoint: func(context.Context, job.Heartbeat) error { return errors.New("gone") }})
	require.Equal(t, job.EndStopped, got.End)
	require.Empty(t, b.Dst.Asked)
	require.Equal(t, 1, b.Dst.Open())
}

func TestStreamCheckpoints(t *testing.T) {
	b := newBench(t)
	want := b.upserts(900)
	var positions []int64
	got := b.stream(want[899], Hooks{Checkpoint: func(_ context.Context, h job.Heartbeat) error {
		positions = append(positions, h.Position.Applied)
		return nil
	}})
	require.Equal(t, want[899], got.Position.CommitSeq)
	require.Len(t, positions, 2)
	requireCovered(t, append(positions, 900), 500)
}

// The less the destination remembers, the more often a shift reports, and the
// less it has under way: at least four times within label_num_threshold
// (architecture.md 4.2).
func TestStreamCheckpointsWithinTheDestinationsMemory(t *testing.T) {
	for threshold, most := range map[string]int64{"100": 25, "40": 10, "2": 1, "-1": 500, "1000000": 500} {
		t.Run(threshold, func(t *testing.T) {
			b := newBench(t)
			b.Dst.Settings = map[string]string{pair.LabelNumber: threshold}
			b.Options.Window = 32
			want := b.upserts(900)
			var mu sync.Mutex
			var covered, worst int64
			b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
				mu.Lock()
				defer mu.Unlock()
				worst = max(worst, seq-covered)
				return nil
			}
			got := b.stream(want[899], Hooks{Checkpoint: func(_ context.Context, h job.Heartbeat) error {
				mu.Lock()
				defer mu.Unlock()
				covered = h.Position.CommitSeq
				return nil
			}})
			require.Equal(t, want[899], got.Position.CommitSeq)
			require.LessOrEqual(t, worst, 2*most, "two commit seqs an UPSERT")
		})
	}
}

// requireCovered expects that no more than most transactions are applied between
// two reports.
func requireCovered(t *testing.T, positions []int64, most int64) {
	t.Helper()
	for i := 1; i < len(positions); i++ {
		require.LessOrEqual(t, positions[i]-positions[i-1], most)
	}
}

// What a shift reports is lost if it ends without an answer: the binlogs after
// the position in the progress are needed until there is a newer one.
func TestStreamLocksNoFurtherThanTheProgress(t *testing.T) {
	b := newBench(t)
	want := b.upserts(900)
	got := b.stream(want[899], Hooks{})
	require.Equal(t, want[899], got.Position.CommitSeq)
	require.Equal(t, []int64{100}, b.Src.Locked)
}

func TestStreamCancelEndsNormally(t *testing.T) {
	b := newBench(t)
	want := b.upserts(200)
	b.Dst.OnIngest = func(int64, be.IngestRequest) error { time.Sleep(2 * time.Millisecond); return nil }
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	b.Dst.AfterCommit = func(seq int64) error {
		if seq == want[20] {
			once.Do(cancel)
		}
		return nil
	}
	got := b.streamContext(ctx, 0, Hooks{})
	require.Equal(t, job.EndStopped, got.End)
	commits := b.Dst.Commits()
	require.Less(t, len(commits), 200)
	require.Equal(t, commits[len(commits)-1], got.Position.CommitSeq, "the position is exactly what is committed")
	require.Equal(t, want[:len(commits)], commits)
	require.Zero(t, b.Dst.Open())
}

func TestStreamProbe(t *testing.T) {
	b := newBench(t)
	want := b.upserts(3)
	in := job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}, Shift: 20 * time.Second, Probe: true}
	got, err := b.job().Stream(context.Background(), in, Hooks{})
	require.NoError(t, err)
	require.Equal(t, job.EndShiftOver, got.End)
	require.Equal(t, want[2], got.Position.CommitSeq)

	in.Progress.Position = got.Position // nothing to do is a success as well
	got, err = b.job().Stream(context.Background(), in, Hooks{})
	require.NoError(t, err)
	require.Equal(t, job.EndShiftOver, got.End)
}

func TestStreamShiftOver(t *testing.T) {
	b := newBench(t)
	in := job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}, Shift: 10 * time.Millisecond}
	got, err := b.job().Stream(context.Background(), in, Hooks{})
	require.NoError(t, err)
	require.Equal(t, job.EndShiftOver, got.End)
}

func TestStreamSkips(t *testing.T) {
	b := newBench(t)
	want := b.upserts(6)
	b.Progress.Skip = &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: want[3]}
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndSkipped, got.End)
	require.Equal(t, want[3], got.Position.CommitSeq)
	require.Equal(t, want[:3], b.Dst.Commits())
}

func TestStreamFiltersPartly(t *testing.T) {
	b := newBench(t)
	covered := b.Progress.Tables[10]
	covered.CommitSeq = 150
	b.Progress.Tables[10] = covered
	b.Upsert(120, 10, 11)
	b.Upsert(130, 10)
	got := b.stream(130, Hooks{})
	require.Equal(t, int64(130), got.Position.CommitSeq)
	require.Equal(t, []int64{120}, b.Dst.Commits())
	for _, tx := range b.Dst.Txns {
		require.Equal(t, map[string]bool{"6001<-5001@120": true}, tx.Ingested, "only the table that is not in its snapshot")
	}
}

func TestStreamSubTransactions(t *testing.T) {
	b := newBench(t)
	b.Append(120, binlog.TypeUpsert, binlog.Upsert{
		CommitSeq: 120, SubTxnIDs: []int64{70, 71, 72},
		TableRecords: map[int64]binlog.TableRecord{
			10: {IndexIDs: []int64{1000}, PartitionRecords: []binlog.PartitionRecord{
				{PartitionID: 100, Version: 5, SubTxnID: 70}, {PartitionID: 100, Version: 6, SubTxnID: 72}}},
			11: {IndexIDs: []int64{1001}, PartitionRecords: []binlog.PartitionRecord{{PartitionID: 101, Version: 9, SubTxnID: 71}}},
		},
	}, 10, 11)
	got := b.stream(120, Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, []int64{120}, b.Dst.Commits())
	for _, tx := range b.Dst.Txns {
		require.True(t, tx.Commit.TxnInsert)
		require.False(t, tx.Commit.OnlyCommit)
		tablet := func(id int64) []fe.TabletCommit { return []fe.TabletCommit{{TabletID: id, BackendID: 1}} }
		require.Equal(t, []fe.SubTxn{
			{ID: tx.Subs[0], TableID: 20, CommitInfos: tablet(6000)},
			{ID: tx.Subs[1], TableID: 21, CommitInfos: tablet(6001)},
			{ID: tx.Subs[2], TableID: 20, CommitInfos: tablet(6000)},
		}, tx.Commit.SubTxns, "paired by position")
	}
}

func TestStreamQuorumOnlyWhenBackendIsDown(t *testing.T) {
	b := newBench(t)
	three := []meta.Replica{{ID: 1, BackendID: 1}, {ID: 2, BackendID: 8}, {ID: 3, BackendID: 3}}
	b.Dst.Nodes = []meta.Backend{{ID: 1, Host: "dst-be", Port: 9060, Alive: true}, {ID: 3, Host: "dst-be3", Port: 9060, Alive: true}}
	b.Dst.TableMeta[20].Partitions[0].Indexes[0].Tablets[0].Replicas = three // 8 is not a living backend
	b.Upsert(120, 10)
	got := b.stream(120, Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, []int64{120}, b.Dst.Commits())

	b = newBench(t)
	b.Dst.TableMeta[20].Partitions[0].Indexes[0].Tablets[0].Replicas = three[1:2]
	b.Upsert(120, 10)
	got = b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Equal(t, job.KindBE, got.Problem.Kind)
}

func TestParseLabel(t *testing.T) {
	l, ok := pair.ParseLabel(job.TxnLabel("0123456789abcdef", 5, 6, 7))
	require.True(t, ok)
	require.Equal(t, pair.Label{UID: "0123456789abcdef", Epoch: 5, DB: 6, Seq: 7}, l)
	for _, text := range []string{"", "insert_1", "ccrj-x:1:2", "ccrj-x:1:2:y", "ccrj-ab:db_sync:1:2:3"} {
		_, ok := pair.ParseLabel(text)
		require.False(t, ok, text)
	}
}

func TestRequestIDIsStable(t *testing.T) {
	require.Equal(t, pair.RequestID("a"), pair.RequestID("a"))
	require.NotEqual(t, pair.RequestID("a"), pair.RequestID("b"))
	require.NotEqual(t, fe.UniqueID{}, pair.RequestID(fmt.Sprint(1)))
}

// A shift ends when no table is ahead of the durable position any more, so that the
// state can change; without such a filter it goes on.
func TestStreamEndsWhenTheFilterIsPassed(t *testing.T) {
	b := newBench(t)
	want := b.upserts(6)
	b.Src.Batches = 1
	b.Progress.State = job.DBTablesIncrementalSync
	ahead := b.Progress.Tables[12]
	ahead.CommitSeq = want[3]
	b.Progress.Tables[12] = ahead
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndShiftOver, got.End)
	require.GreaterOrEqual(t, got.Settled, want[3])

	b.Progress.State = job.TableIncrementalSync
	got = b.stream(want[5], Hooks{})
	require.Equal(t, job.EndStopped, got.End)
}

// A shift whose time is over while it is in trouble tells of the trouble.
func TestStreamTimeOverInTrouble(t *testing.T) {
	b := newBench(t)
	want := b.upserts(3)
	b.Options.RetryBudget = time.Minute
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if seq == want[1] {
			return be.ErrHTTP
		}
		return nil
	}
	s := job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}, Shift: 100 * time.Millisecond}
	got, err := b.job().Stream(context.Background(), s, Hooks{})
	require.NoError(t, err)
	require.Equal(t, job.EndBlocked, got.End)
	require.Equal(t, want[0], got.Position.CommitSeq)
	require.Equal(t, want[1], got.Problem.CommitSeq)
	require.Zero(t, b.Dst.Open())
}

// One that is told to stop does so as well.
func TestStreamStoppedInTrouble(t *testing.T) {
	b := newBench(t)
	want := b.upserts(3)
	b.Options.RetryBudget = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	var tries atomic.Int64
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if seq != want[1] {
			return nil
		}
		if tries.Add(1) == 3 {
			cancel()
		}
		return be.ErrHTTP
	}
	got := b.streamContext(ctx, 0, Hooks{})
	require.Equal(t, job.EndStopped, got.End)
	require.Equal(t, want[0], got.Position.CommitSeq)
	require.NotNil(t, got.Problem)
	require.Equal(t, want[1], got.Problem.CommitSeq)
	require.GreaterOrEqual(t, got.Problem.Tries, 2)
}

// Several binlogs are tried at once: the one that the job stands at is told of.
func TestTroubleIsToldOfTheFirstBinlog(t *testing.T) {
	b := newBench(t)
	j := b.job()
	s := &shift{job: j, in: job.StreamInput{}, log: j.Log, tracker: newTracker(job.Position{CommitSeq: 100}, false, 100, nil)}
	s.reportProblem(errors.New("second"), 120, binlog.TypeUpsert)
	s.reportProblem(errors.New("first"), 110, binlog.TypeUpsert)
	s.reportProblem(errors.New("second again"), 120, binlog.TypeUpsert)
	require.Equal(t, int64(110), s.problem.CommitSeq)
	s.clearProblem(120)
	require.NotNil(t, s.problem, "the first one still stands")
	s.clearProblem(110)
	require.Nil(t, s.problem)
}
