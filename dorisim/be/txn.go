package be

import (
	"errors"
	"sync"
)

// localState is what a backend knows of a transaction's rowset in one tablet.
type localState int

const (
	localUnknown localState = iota
	localPrepared
	localCommitted
	localFailed
	// localElsewhere: the client has named another partition (doris-rpc.md 4.1:
	// what is ingested is registered under partition, transaction and tablet).
	localElsewhere
)

// rememberedFailures bounds how many failed or aborted local transactions
// query_ingest_binlog can still report.
const rememberedFailures = 20_000

// localTxns are the unpublished rowsets by transaction and tablet. Committed
// ones are on the disk and survive a restart; the rest does not.
type localTxns struct {
	mu     sync.Mutex
	byTxn  map[int64]map[int64]*localTxn
	failed []int64 // transactions with failures, oldest first
}

type localTxn struct {
	state       localState
	partitionID int64
	rowset      *rowset
	aborted     bool // by the FE
}

func newLocalTxns() *localTxns { return &localTxns{byTxn: map[int64]map[int64]*localTxn{}} }

// state returns what is known of the transaction in the partition's tablet.
func (l *localTxns) state(txnID, partitionID, tabletID int64) (localState, *rowset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.byTxn[txnID][tabletID]
	switch {
	case !ok:
		return localUnknown, nil
	case t.partitionID != partitionID:
		return localElsewhere, nil
	}
	return t.state, t.rowset
}

// committed tells whether the tablet has a rowset of the transaction, for
// whatever partition.
func (l *localTxns) committed(txnID, tabletID int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.byTxn[txnID][tabletID]
	return ok && t.state == localCommitted
}

// prepare registers the transaction for an ingest and returns its entry.
// Ingests of one transaction into one tablet share it, whether they overlap or
// the first one is done.
func (l *localTxns) prepare(txnID, partitionID, tabletID int64) *localTxn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.byTxn[txnID][tabletID]; ok && t.partitionID == partitionID && t.state != localFailed {
		return t
	}
	t := &localTxn{state: localPrepared, partitionID: partitionID}
	l.set(txnID, tabletID, t)
	return t
}

// errTxnAborted is the failure of an ingest whose transaction was aborted
// meanwhile.
var errTxnAborted = errors.New("the transaction was aborted")

// commitIngest completes an ingest. If the transaction has a rowset of the same
// load in the tablet already, it keeps that one, and lost are the rows of it
// whose marks go with the second call's delete bitmap; a rowset of another load
// replaces it. After publish nothing happens any more (doris-rpc.md 4.1).
func (l *localTxns) commitIngest(txnID, tabletID int64, t *localTxn, rs *rowset, lost []int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case t.aborted:
		return errTxnAborted
	case l.byTxn[txnID][tabletID] != t:
	case t.rowset == nil || t.rowset.loadID != rs.loadID:
		t.state, t.rowset = localCommitted, rs
	case len(lost) > 0:
		t.rowset = t.rowset.withUnmarked(lost)
	}
	return nil
}

// hasRowset tells whether an ingest into the entry has succeeded already.
func (l *localTxns) hasRowset(t *localTxn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return t.rowset != nil
}

// commit keeps rs as the transaction's rowset of the tablet, replacing one that
// is there.
func (l *localTxns) commit(txnID, tabletID int64, rs *rowset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(txnID, tabletID, &localTxn{state: localCommitted, partitionID: rs.partitionID, rowset: rs})
}

// fail ends an ingest without a rowset and remembers the failure.
func (l *localTxns) fail(txnID int64, t *localTxn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.state == localPrepared {
		t.state = localFailed
		l.remember(txnID)
	}
}

// abort drops everything the transaction wrote.
func (l *localTxns) abort(txnID int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tablets, ok := l.byTxn[txnID]
	if !ok {
		return
	}
	for _, t := range tablets {
		t.state, t.rowset, t.aborted = localFailed, nil, true
	}
	l.remember(txnID)
}

// forget drops the tablet's entry after publish.
func (l *localTxns) forget(txnID, tabletID int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tablets := l.byTxn[txnID]
	delete(tablets, tabletID)
	if len(tablets) == 0 {
		delete(l.byTxn, txnID)
	}
}

// loseTablet ends the transactions of a tablet whose content is replaced: what
// they have written is gone with it, and publishing them fails.
func (l *localTxns) loseTablet(tabletID int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for txn, tablets := range l.byTxn {
		if t, ok := tablets[tabletID]; ok && t.state != localFailed {
			t.state, t.rowset, t.aborted = localFailed, nil, true
			l.remember(txn)
		}
	}
}

// forgetTablet drops the entries of a dropped tablet.
func (l *localTxns) forgetTablet(tabletID int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for txn, tablets := range l.byTxn {
		delete(tablets, tabletID)
		if len(tablets) == 0 {
			delete(l.byTxn, txn)
		}
	}
}

// crash loses everything that is not committed.
func (l *localTxns) crash() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for txn, tablets := range l.byTxn {
		for id, t := range tablets {
			if t.state != localCommitted {
				delete(tablets, id)
			}
		}
		if len(tablets) == 0 {
			delete(l.byTxn, txn)
		}
	}
	l.failed = nil
}

func (l *localTxns) set(txnID, tabletID int64, t *localTxn) {
	if l.byTxn[txnID] == nil {
		l.byTxn[txnID] = map[int64]*localTxn{}
	}
	l.byTxn[txnID][tabletID] = t
}

// remember notes that the transaction has failures and forgets the oldest
// beyond rememberedFailures.
func (l *localTxns) remember(txnID int64) {
	l.failed = append(l.failed, txnID)
	for len(l.failed) > rememberedFailures {
		oldest := l.failed[0]
		l.failed = l.failed[1:]
		for id, t := range l.byTxn[oldest] {
			if t.state == localFailed {
				delete(l.byTxn[oldest], id)
			}
		}
		if len(l.byTxn[oldest]) == 0 {
			delete(l.byTxn, oldest)
		}
	}
}
