// Package load writes rows into a simulated Doris cluster the way an INSERT
// does: it routes them to partitions, buckets and indexes, writes them to every
// replica, and commits through core's transactions.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// AutoPartitioner creates the partitions of AUTO PARTITION tables; *ddl.Executor
// does.
type AutoPartitioner interface {
	// AddAutoPartition creates the partition that holds the key tuple, unless it
	// exists.
	AddAutoPartition(ctx context.Context, db, table string, key []types.Value) error
}

// Loader writes batches. It is safe for concurrent use.
type Loader struct {
	core *core.Core
	auto AutoPartitioner
	// turn distributes rows over RANDOM buckets.
	turn atomic.Uint64
}

// New returns a loader.
func New(c *core.Core, auto AutoPartitioner) *Loader { return &Loader{core: c, auto: auto} }

// Batch is what one statement writes into one table.
type Batch struct {
	DB, Table int64
	// Columns names what Rows hold: all columns of the table, hidden ones
	// included, unless Partial.
	Columns []string
	// Partial: columns that are not named keep their old value (partial update
	// of a UNIQUE table).
	Partial bool
	// ExistingOnly refuses rows for which an AUTO partition would have to be made.
	ExistingOnly bool
	Rows         []types.Row
	// Delete: every row deletes its key (UNIQUE tables).
	Delete bool
	// DeleteRows are the rows that do if not all do: by index, nil = none.
	DeleteRows map[int]bool
	// Predicate deletes the rows that satisfy it (DUPLICATE and AGGREGATE tables).
	Predicate *be.DeletePredicate
	// Partitions restricts the batch to these partitions; nil = all.
	Partitions []string
	// Temporary says that Partitions are temporary ones.
	Temporary bool
}

// Options of one transaction.
type Options struct {
	Label string
	// Timeout after which an unfinished transaction is aborted; 0 = default.
	Timeout time.Duration
	// Wait bounds the wait for visibility; 0 = default, negative = none.
	Wait        time.Duration
	Coordinator core.Coordinator
}

// Outcome tells what became of a transaction.
type Outcome struct {
	Label   string
	TxnID   int64
	Visible bool
	Rows    int
}

// Status is the word that an INSERT reports.
func (o Outcome) Status() core.TxnState {
	if o.Visible {
		return core.TxnVisible
	}
	return core.TxnCommitted
}

// Load writes the batches as one transaction: one batch as a plain transaction,
// several as sub-transactions of one (doris-binlogs.md 3.1). Errors of core and
// of routing are *core.Error; the transaction is then aborted.
func (l *Loader) Load(ctx context.Context, o Options, batches ...Batch) (Outcome, error) {
	out := Outcome{Label: o.Label}
	routed := make([][]tabletWrite, len(batches))
	for i := range batches {
		writes, err := l.Route(ctx, &batches[i])
		if err != nil {
			return out, err
		}
		routed[i] = writes
		out.Rows += len(batches[i].Rows)
	}
	txn, err := l.core.Begin(ctx, beginRequest(o, batches))
	if err != nil {
		return out, err
	}
	out.TxnID = txn.ID
	if err := l.routeAgain(ctx, batches, routed); err != nil {
		l.abort(ctx, txn, err)
		return out, err
	}
	out.Visible, err = l.writeAndCommit(ctx, o, txn, batches, routed)
	if err != nil {
		l.abort(ctx, txn, err)
		return out, err
	}
	return out, nil
}

// abort ends the transaction of a failed load. The caller's context may be the
// reason; the abort must happen anyway.
func (l *Loader) abort(ctx context.Context, txn *core.Txn, reason error) {
	err := l.core.Abort(context.WithoutCancel(ctx), txn.DB, txn.ID, reason.Error())
	var unknown *core.TxnNotFoundError
	if err != nil && !errors.As(err, &unknown) {
		l.core.Logger().Debug("abort after a failed load", "txn", txn.ID, "error", err)
	}
}

// routeAgain routes the batches anew whose tables got or lost an index before
// the transaction began: a job that builds an index counts on transactions that
// began after it to write the index too.
func (l *Loader) routeAgain(ctx context.Context, batches []Batch, routed [][]tabletWrite) error {
	for i := range batches {
		if l.stillRight(&batches[i], routed[i]) {
			continue
		}
		writes, err := l.Route(ctx, &batches[i])
		if err != nil {
			return err
		}
		routed[i] = writes
	}
	return nil
}

// stillRight tells whether the writes go to exactly the indexes of the table.
func (l *Loader) stillRight(b *Batch, writes []tabletWrite) bool {
	l.core.RLock()
	defer l.core.RUnlock()
	_, t, ok := l.core.TableByID(b.Table)
	if !ok || len(writes) == 0 {
		return true // the commit decides
	}
	seen := map[int64]bool{}
	for i := range writes {
		if id := writes[i].index; !seen[id] {
			if _, ok := t.Indexes[id]; !ok {
				return false
			}
			seen[id] = true
		}
	}
	return len(seen) == len(t.Indexes)
}

func beginRequest(o Options, batches []Batch) core.BeginRequest {
	r := core.BeginRequest{DB: batches[0].DB, Label: o.Label, Timeout: o.Timeout, Coordinator: o.Coordinator}
	seen := map[int64]bool{}
	for _, b := range batches {
		if !seen[b.Table] {
			seen[b.Table] = true
			r.Tables = append(r.Tables, b.Table)
		}
	}
	if len(batches) > 1 {
		r.SubTxns = len(batches)
	}
	return r
}

func (l *Loader) writeAndCommit(ctx context.Context, o Options, txn *core.Txn, batches []Batch, routed [][]tabletWrite) (visible bool, err error) {
	request := core.CommitRequest{DB: txn.DB, TxnID: txn.ID, Wait: o.Wait}
	if len(batches) == 1 {
		request.Tablets = l.write(txn.ID, routed[0])
		return l.core.Commit(ctx, request)
	}
	if len(txn.SubIDs) != len(batches) {
		return false, fmt.Errorf("begin gave %d sub-transactions, want %d", len(txn.SubIDs), len(batches))
	}
	for i, b := range batches {
		sub := core.SubTxn{ID: txn.SubIDs[i], Table: b.Table}
		sub.Tablets = l.write(sub.ID, routed[i])
		request.SubTxns = append(request.SubTxns, sub)
	}
	return l.core.Commit(ctx, request)
}

// write sends the rowsets to the backends, all backends at once, and returns
// what arrived. A replica that did not get its rowset is missing from the
// commit, which decides by its quorum rule.
func (l *Loader) write(txnID int64, writes []tabletWrite) []core.TabletCommit {
	byBackend := map[int64][]*tabletWrite{}
	for i := range writes {
		for _, id := range writes[i].backends {
			byBackend[id] = append(byBackend[id], &writes[i])
		}
	}
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		commit = make([]core.TabletCommit, 0, len(writes))
	)
	send := func(id int64, list []*tabletWrite) {
		tasks, ok := l.core.Backend(id)
		if !ok {
			return
		}
		var arrived []core.TabletCommit
		for _, w := range list {
			if err := tasks.Write(txnID, w.partition, w.tablet, w.data); err != nil {
				l.core.Logger().Debug("write a rowset", "backend", id, "tablet", w.tablet, "error", err)
				continue
			}
			arrived = append(arrived, core.TabletCommit{TabletID: w.tablet, BackendID: id})
		}
		mu.Lock()
		defer mu.Unlock()
		commit = append(commit, arrived...)
	}
	if len(byBackend) == 1 || len(writes) < parallelFrom {
		for id, list := range byBackend {
			send(id, list)
		}
		return commit
	}
	for id, list := range byBackend {
		wg.Go(func() { send(id, list) })
	}
	wg.Wait()
	return commit
}

// parallelFrom is the number of tablets from which goroutines are cheaper than
// doing one backend after the other.
const parallelFrom = 8
