package core

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// TxnState is a transaction's state as printed.
type TxnState string

const (
	TxnUnknown   TxnState = "UNKNOWN"
	TxnPrepare   TxnState = "PREPARE"
	TxnCommitted TxnState = "COMMITTED"
	TxnVisible   TxnState = "VISIBLE"
	TxnAborted   TxnState = "ABORTED"
)

// Txn is a copy of what is known about a transaction.
type Txn struct {
	ID, DB    int64
	Label     string
	RequestID *[2]int64
	Tables    []int64
	State     TxnState
	// SubIDs are the sub-transaction ids; the first equals ID. Nil without any.
	SubIDs []int64
	// Source is the load job source type, e.g. INSERT_STREAMING.
	Source      string
	Coordinator Coordinator
	Timeout     time.Duration

	PrepareTime, CommitTime, PublishTime, FinishTime time.Time
	Reason                                           string
	ErrorReplicas                                    int
	// ErrMsg is why a COMMITTED transaction cannot be published.
	ErrMsg string
	// Repeated is set by Begin when the transaction existed already (same label
	// and request id).
	Repeated bool
}

// BeginRequest asks for a transaction.
type BeginRequest struct {
	DB        int64
	Tables    []int64
	Label     string
	RequestID *[2]int64
	// Timeout after which a PREPARE transaction is aborted; 0 = FE default.
	Timeout     time.Duration
	SubTxns     int
	Source      string // default INSERT_STREAMING
	Coordinator Coordinator
}

// TabletCommit says that a backend has the transaction's rowset of a tablet.
type TabletCommit struct{ TabletID, BackendID int64 }

// SubTxn is the part of a commit that belongs to one sub-transaction.
type SubTxn struct {
	ID, Table int64
	Tablets   []TabletCommit
}

// CommitRequest commits a transaction: Tablets, or SubTxns unless they are nil.
type CommitRequest struct {
	DB, TxnID int64
	Tablets   []TabletCommit
	SubTxns   []SubTxn
	// OnlyCommit returns as soon as the transaction is COMMITTED.
	OnlyCommit bool
	// Wait bounds the wait for visibility; 0 = FE default (5 s), negative = none.
	Wait time.Duration
}

// txn is a transaction inside of the store.
type txn struct {
	Txn
	// committed is set, in commit order, when the state becomes COMMITTED.
	parts []*partitionCommit
	// subs are the sub-transactions that the commit named, in its order.
	subs []int64
	// after are the publications that must come first.
	after []<-chan struct{}
	// done is closed when the transaction is VISIBLE or ABORTED.
	done chan struct{}
}

// partitionCommit is one version that a transaction gives to a partition.
type partitionCommit struct {
	tableID   int64
	partition *catalog.Partition
	version   int64
	stid      int64 // -1 without sub-transactions
	writeID   int64 // the id under which backends have the rowsets
	indexes   []int64
	// holders are the backends that have the rowset, by tablet.
	holders map[int64][]int64
}

// txnStore has the transactions of all databases.
type txnStore struct {
	mu  sync.Mutex
	dbs map[int64]*dbTxns
	// chain has, by partition id, the done channel of its last committed
	// publication or repair.
	chain map[int64]chan struct{}
}

type dbTxns struct {
	running  map[int64]*txn
	finished []*txn // oldest first
	byID     map[int64]*txn
	labels   map[string]*txn // not ABORTED
}

// oldestRunningTxn is the smallest id of a transaction that is neither VISIBLE
// nor ABORTED, the largest number there is without any.
func (c *Core) oldestRunningTxn() int64 {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	oldest := int64(math.MaxInt64)
	for _, d := range c.txns.dbs {
		for id := range d.running {
			oldest = min(oldest, id)
		}
	}
	return oldest
}

func (s *txnStore) init() {
	s.dbs = map[int64]*dbTxns{}
	s.chain = map[int64]chan struct{}{}
}

// of returns the transactions of a database. It needs s.mu.
func (s *txnStore) of(db int64) *dbTxns {
	d, ok := s.dbs[db]
	if !ok {
		d = &dbTxns{running: map[int64]*txn{}, byID: map[int64]*txn{}, labels: map[string]*txn{}}
		s.dbs[db] = d
	}
	return d
}

// finish moves a transaction to the finished ones. It needs s.mu.
func (d *dbTxns) finish(t *txn) {
	delete(d.running, t.ID)
	if t.State == TxnAborted && d.labels[t.Label] == t {
		delete(d.labels, t.Label)
	}
	d.finished = append(d.finished, t)
	close(t.done)
}

// forget drops the n oldest finished transactions and their labels.
func (d *dbTxns) forget(n int) {
	for _, t := range d.finished[:n] {
		delete(d.byID, t.ID)
		if d.labels[t.Label] == t {
			delete(d.labels, t.Label)
		}
	}
	d.finished = slices.Delete(d.finished, 0, n)
}

// lookUp returns a database's transactions without those that Doris has
// forgotten by now: finished ones, whatever they ended with and whoever began
// them, that are too old or too many. Doris looks every 30 s and this at each
// look; the limits may be changed at run time (doris-rpc.md 3.7). It needs
// c.txns.mu.
func (c *Core) lookUp(db int64) *dbTxns {
	d := c.txns.of(db)
	limit := c.Now().Add(-time.Duration(c.feConfigInt("streaming_label_keep_max_second", 43200)) * time.Second)
	n := 0
	for n < len(d.finished) && d.finished[n].FinishTime.Before(limit) {
		n++
	}
	if keep := c.feConfigInt("label_num_threshold", 2000); keep >= 0 {
		n = max(n, len(d.finished)-keep)
	}
	d.forget(n)
	return d
}

// copy returns what is known, detached from the store.
func (t *txn) copy() Txn {
	out := t.Txn
	out.Tables, out.SubIDs = slices.Clone(t.Tables), slices.Clone(t.SubIDs)
	return out
}

// Txn returns a transaction by id: PREPARE ones, and finished ones until they
// are forgotten.
func (c *Core) Txn(db, id int64) (Txn, bool) {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	if t, ok := c.lookUp(db).byID[id]; ok {
		return t.copy(), true
	}
	return Txn{}, false
}

// TxnByLabel returns the newest transaction with the label; one that was not
// aborted wins.
func (c *Core) TxnByLabel(db int64, label string) (Txn, bool) {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	d := c.lookUp(db)
	if t, ok := d.labels[label]; ok {
		return t.copy(), true
	}
	for _, t := range slices.Backward(d.finished) {
		if t.Label == label {
			return t.copy(), true
		}
	}
	return Txn{}, false
}

// HasCommitted tells whether a transaction of the table is COMMITTED and not yet
// VISIBLE.
func (c *Core) HasCommitted(db, table int64) bool {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	for _, t := range c.txns.of(db).running {
		if t.State == TxnCommitted && slices.Contains(t.Tables, table) {
			return true
		}
	}
	return false
}

// Txns returns the transactions of a database by id, newest last.
func (c *Core) Txns(db int64) []Txn {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	var list []Txn
	for _, t := range c.lookUp(db).byID {
		list = append(list, t.copy())
	}
	slices.SortFunc(list, func(a, b Txn) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
