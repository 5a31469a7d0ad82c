package core_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

func TestTransactionStates(t *testing.T) {
	ctx := context.Background()
	commit := func(w *world, id int64) error {
		_, err := w.Commit(ctx, core.CommitRequest{DB: w.db.ID, TxnID: id, Tablets: w.write(id, w.db.Tables["t"], 1)})
		return err
	}
	abort := func(w *world, id int64) error { return w.Abort(ctx, w.db.ID, id, "why not") }
	stuck := func(w *world, id int64) error { // COMMITTED, not VISIBLE
		held, err := w.Faults().Add(faults.Rule{Point: core.FaultPublish, Action: faults.Fail})
		require.NoError(t, err)
		if _, err = w.Commit(ctx, core.CommitRequest{DB: w.db.ID, TxnID: id, Tablets: w.write(id, w.db.Tables["t"], 1), OnlyCommit: true}); err == nil {
			faultstest.Await(t, w.Faults(), held)
		}
		return err
	}
	lose := func(w *world, _ int64) error { w.LoseMasterMemory(); return nil }
	tests := []struct {
		name      string
		steps     []func(*world, int64) error
		last      func(*world, int64) error
		wantError string // %d is the transaction's id
		wantState core.TxnState
	}{
		{"commit", nil, commit, "", core.TxnVisible},
		{"commit twice", []func(*world, int64) error{commit}, commit, "", core.TxnVisible},
		{"commit while committed", []func(*world, int64) error{stuck}, func(w *world, id int64) error {
			w.Faults().Clear()
			return commit(w, id)
		}, "", core.TxnVisible},
		{"commit aborted", []func(*world, int64) error{abort}, commit,
			"errCode = 2, detailMessage = transaction [%d] is already aborted. abort reason: why not", core.TxnAborted},
		{"commit lost", []func(*world, int64) error{lose}, commit, "errCode = 2, detailMessage = transaction [%d] not found", ""},
		{"abort", nil, abort, "", core.TxnAborted},
		{"abort twice", []func(*world, int64) error{abort}, abort, "errCode = 2, detailMessage = transaction not found", core.TxnAborted},
		{"abort visible", []func(*world, int64) error{commit}, abort, "errCode = 2, detailMessage = transaction not found", core.TxnVisible},
		{"abort committed", []func(*world, int64) error{stuck}, abort,
			"errCode = 2, detailMessage = transaction [%d] is already COMMITTED, could not abort.", core.TxnCommitted},
		{"abort lost", []func(*world, int64) error{lose}, abort, "errCode = 2, detailMessage = transaction [%d] not found", ""},
		{"committed survives a master switch", []func(*world, int64) error{stuck, lose}, func(w *world, id int64) error {
			w.Faults().Clear()
			return commit(w, id)
		}, "", core.TxnVisible},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 1, core.Config{Faults: &faults.Set{}})
			id := w.begin("l", w.table("t", 1)).ID
			for _, step := range tt.steps {
				require.NoError(t, step(w, id))
			}
			err := tt.last(w, id)
			if tt.wantError == "" {
				require.NoError(t, err)
			} else {
				want := tt.wantError
				if tt.wantState == "" || tt.name == "commit aborted" || tt.name == "abort committed" {
					want = fmt.Sprintf(want, id)
				}
				require.EqualError(t, err, want)
			}
			txn, ok := w.Txn(w.db.ID, id)
			require.Equal(t, tt.wantState != "", ok)
			require.Equal(t, tt.wantState, txn.State)
		})
	}
}

func TestLabels(t *testing.T) {
	w := newWorld(t, 1, core.Config{FEConfig: map[string]string{"label_num_threshold": "2", "max_running_txn_num_per_db": "3"}})
	table := w.table("t", 1)
	begin := func(label string, request *[2]int64) (*core.Txn, error) {
		return w.Begin(context.Background(), core.BeginRequest{DB: w.db.ID, Tables: []int64{table.ID}, Label: label, RequestID: request})
	}
	first, err := begin("a", &[2]int64{1, 2})
	require.NoError(t, err)

	again, err := begin("a", &[2]int64{1, 2})
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	require.True(t, again.Repeated)

	for _, request := range []*[2]int64{nil, {1, 3}} {
		_, err = begin("a", request)
		var used *core.LabelUsedError
		require.ErrorAs(t, err, &used)
		require.Equal(t, first.ID, used.TxnID)
		require.EqualError(t, err, fmt.Sprintf("errCode = 2, detailMessage = Label [a] has already been used, relate to txn [%d], status [PREPARE].", first.ID))
	}

	require.NoError(t, w.Abort(context.Background(), w.db.ID, first.ID, ""))
	second, err := begin("a", nil)
	require.NoError(t, err, "the label of an aborted transaction is free")
	require.NoError(t, w.Abort(context.Background(), w.db.ID, second.ID, ""))

	w.insert("b", table, 1)
	_, err = begin("b", &[2]int64{1, 2})
	require.ErrorContains(t, err, "status [VISIBLE]")
	w.insert("c", table, 2)
	w.insert("d", table, 3)
	_, err = begin("b", nil)
	require.NoError(t, err, "two newer finished transactions push the label out")
	_, err = begin("c", nil)
	require.Error(t, err)
	w.AdvanceClock(13 * time.Hour)
	_, err = begin("c", nil)
	require.NoError(t, err, "labels are forgotten after 12 h")

	_, err = begin("no blanks", nil)
	require.ErrorContains(t, err, "Label format error. regex: ^[-_A-Za-z0-9:]{1,128}$, label: no blanks")
	_, err = begin("e", nil)
	require.NoError(t, err)
	_, err = begin("f", nil)
	require.EqualError(t, err, fmt.Sprintf("errCode = 2, detailMessage = current running txns on db %d is 3, larger than limit 3", w.db.ID))
}

func TestTimedOutTransactionsAreAborted(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	txn := w.begin("l", w.table("t", 1))
	w.AdvanceClock(73 * time.Hour)
	require.Eventually(t, func() bool {
		now, _ := w.Txn(w.db.ID, txn.ID)
		return now.State == core.TxnAborted
	}, soon, time.Millisecond)
}

func TestQuorum(t *testing.T) {
	w := newWorld(t, 2, core.Config{})
	table := w.table("t", 2)
	txn := w.begin("l", table)
	commits := w.write(txn.ID, table, 1)
	tablet := w.partition(table).Tablets[table.BaseIndexID][1]
	_, err := w.Commit(context.Background(), core.CommitRequest{DB: w.db.ID, TxnID: txn.ID, Tablets: commits[:3]})
	require.ErrorContains(t, err, fmt.Sprintf(
		"errCode = 2, detailMessage = Failed to commit txn %d, cause tablet %d succ replica num 1 < load required replica num 2. table %d, partition: [ id=%d, commit version 1, visible version 1 ], this tablet detail: ",
		txn.ID, tablet.ID, table.ID, w.partition(table).ID))
	_, err = w.Commit(context.Background(), core.CommitRequest{DB: w.db.ID, TxnID: txn.ID, Tablets: commits})
	require.NoError(t, err, "a refused commit leaves the transaction open")
}

func TestVersionsBecomeVisibleInOrder(t *testing.T) {
	profile := core.Instant
	profile.Publish = 5 * time.Millisecond
	w := newWorld(t, 1, core.Config{Profile: profile})
	table := w.table("t", 1)
	const n = 100
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			txn := w.begin(fmt.Sprintf("l%d", i), table)
			_, err := w.Commit(context.Background(), core.CommitRequest{DB: w.db.ID, TxnID: txn.ID, Tablets: w.write(txn.ID, table, int64(i)), Wait: time.Minute})
			require.NoError(t, err)
		})
	}
	wg.Wait()
	upserts := w.upserts(table.ID)
	require.Len(t, upserts, n)
	for i, u := range upserts {
		record := u.Tables[fmt.Sprint(table.ID)]
		require.Equal(t, int64(i+2), record.Partitions[0].Version)
		require.Equal(t, int64(-1), record.Partitions[0].SubTxnID)
		require.Equal(t, []int64{table.BaseIndexID}, record.Indexes)
	}
	require.Equal(t, n, w.rows(table))
}

func TestSubTransactions(t *testing.T) {
	w := newWorld(t, 1, core.Config{})
	a, b := w.table("a", 1), w.table("b", 1)
	txn, err := w.Begin(context.Background(), core.BeginRequest{DB: w.db.ID, Tables: []int64{a.ID, b.ID}, Label: "l", SubTxns: 3})
	require.NoError(t, err)
	require.Len(t, txn.SubIDs, 3)
	require.Equal(t, txn.ID, txn.SubIDs[0])
	var subs []core.SubTxn
	for i, table := range []*struct{ id int64 }{{a.ID}, {b.ID}, {a.ID}} {
		_, tab, ok := w.TableByID(table.id)
		require.True(t, ok)
		subs = append(subs, core.SubTxn{ID: txn.SubIDs[i], Table: table.id, Tablets: w.write(txn.SubIDs[i], tab, int64(i))})
	}
	visible, err := w.Commit(context.Background(), core.CommitRequest{DB: w.db.ID, TxnID: txn.ID, SubTxns: subs})
	require.NoError(t, err)
	require.True(t, visible)
	require.Equal(t, 2, w.rows(a))
	require.Equal(t, 1, w.rows(b))

	u := w.upserts(-1)[0]
	require.Equal(t, txn.SubIDs, u.SubTxnIDs)
	parts := u.Tables[fmt.Sprint(a.ID)].Partitions
	require.Len(t, parts, 2)
	require.Equal(t, []int64{2, 3}, []int64{parts[0].Version, parts[1].Version})
	require.Equal(t, []int64{txn.SubIDs[0], txn.SubIDs[2]}, []int64{parts[0].SubTxnID, parts[1].SubTxnID})
	require.Len(t, w.upserts(b.ID), 1, "the same binlog is in both lists")
}

// Each sub-transaction has a majority, but only one replica has both: the
// transaction stays COMMITTED.
func TestSubTransactionsOfDifferentReplicas(t *testing.T) {
	w := newWorld(t, 3, core.Config{RepairPeriod: time.Hour})
	table := w.table("t", 3)
	txn, err := w.Begin(context.Background(), core.BeginRequest{DB: w.db.ID, Tables: []int64{table.ID}, Label: "l", SubTxns: 2})
	require.NoError(t, err)
	var subs []core.SubTxn
	for i, id := range txn.SubIDs {
		sub := core.SubTxn{ID: id, Table: table.ID}
		for _, tc := range w.write(id, table, int64(i)) {
			if tc.BackendID != w.backends[2*i].ID() {
				sub.Tablets = append(sub.Tablets, tc)
			}
		}
		subs = append(subs, sub)
	}
	visible, err := w.Commit(context.Background(), core.CommitRequest{DB: w.db.ID, TxnID: txn.ID, SubTxns: subs, Wait: 50 * time.Millisecond})
	require.NoError(t, err)
	require.False(t, visible)
	got, ok := w.Txn(w.db.ID, txn.ID)
	require.True(t, ok)
	require.Contains(t, got.ErrMsg, "succeed replica num 1 < load required replica num 2")
}

func TestMissedReplicaIsRepaired(t *testing.T) {
	w := newWorld(t, 3, core.Config{})
	table := w.table("t", 3)
	down := w.backends[2]
	w.UpdateBackend(down.ID(), func(b *core.BackendInfo) { b.Alive = false })
	down.Kill()
	w.insert("l", table, 1)
	bad := func() (n int) {
		w.RLock()
		defer w.RUnlock()
		for _, tablet := range w.partition(table).Tablets[table.BaseIndexID] {
			for _, r := range tablet.Replicas {
				if r.LastFailed != 0 || r.Version != 2 {
					n++
				}
			}
		}
		return n
	}
	require.Equal(t, 2, bad())
	require.NoError(t, down.Restart())
	w.UpdateBackend(down.ID(), func(b *core.BackendInfo) { b.Alive = true })
	require.Eventually(t, func() bool { return bad() == 0 }, soon, time.Millisecond)
	w.insert("l2", table, 2)
	require.Zero(t, bad()-6, "all six replicas are at version 3")
}

func TestPublishWaitsForBackend(t *testing.T) {
	w := newWorld(t, 1, core.Config{Faults: &faults.Set{}})
	table := w.table("t", 1)
	txn := w.begin("l", table)
	commits := w.write(txn.ID, table, 1)
	w.backends[0].Kill()
	visible, err := w.Commit(context.Background(), core.CommitRequest{DB: w.db.ID, TxnID: txn.ID, Tablets: commits, Wait: time.Millisecond})
	require.NoError(t, err)
	require.False(t, visible)
	require.NoError(t, w.backends[0].Restart())
	state, ok := w.WaitTxn(context.Background(), w.db.ID, txn.ID, soon)
	require.True(t, ok)
	require.Equal(t, core.TxnVisible, state)
	require.Equal(t, 1, w.rows(table))
}

func TestTableDroppedBetweenCommitAndPublish(t *testing.T) {
	w := newWorld(t, 1, core.Config{Faults: &faults.Set{}})
	table := w.table("t", 1)
	held, err := w.Faults().Add(faults.Rule{Point: core.FaultPublish, Action: faults.Fail})
	require.NoError(t, err)
	txn := w.begin("l", table)
	_, err = w.Commit(context.Background(), core.CommitRequest{DB: w.db.ID, TxnID: txn.ID, Tablets: w.write(txn.ID, table, 1), OnlyCommit: true})
	require.NoError(t, err)
	faultstest.Await(t, w.Faults(), held)
	w.Lock()
	delete(w.db.Tables, "t")
	w.DropTable(table)
	w.Unlock()
	w.Faults().Clear()
	state, _ := w.WaitTxn(context.Background(), w.db.ID, txn.ID, soon)
	require.Equal(t, core.TxnVisible, state)
	require.Len(t, w.upserts(-1), 1)
	require.Empty(t, w.upserts(-1)[0].Tables, "a record without tables")
}

// A query that was planned before its table was dropped or replaced is planned
// again; one whose table is there fails with what the backends say.
func TestScanOfATableThatIsGone(t *testing.T) {
	w := newWorld(t, 1, core.Config{Faults: &faults.Set{}})
	gone, kept := w.table("gone", 1), w.table("kept", 1)
	w.insert("l1", gone, 1)
	w.insert("l2", kept, 1)
	p := w.partition(gone)
	w.Lock()
	delete(w.db.Tables, "gone")
	w.DropTable(gone)
	for _, tablet := range w.partition(kept).Tablets[kept.BaseIndexID] {
		w.backends[0].DropTablet(tablet.ID)
	}
	w.Unlock()
	_, err := w.Scan(t.Context(), gone, p, gone.BaseIndexID)
	require.ErrorIs(t, err, core.ErrIndexGone)
	_, err = w.Scan(t.Context(), kept, w.partition(kept), kept.BaseIndexID)
	require.ErrorContains(t, err, "no queryable replicas")
	require.NotErrorIs(t, err, core.ErrIndexGone)
}
