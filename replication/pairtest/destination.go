package pairtest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Destination keeps transactions as a Doris frontend does: labels, request
// ids and states (doris-rpc.md 3.7-3.9).
type Destination struct {
	pair.Frontend
	pair.Database
	TableMeta map[int64]*meta.Table

	Mu       sync.Mutex
	Asked    map[string]int
	nextID   int64
	Txns     map[int64]*Txn
	Order    []int64 // commit seqs in the order of their commits
	rows     []int64 // source versions in the order in which they became visible
	Others   int     // finished transactions of somebody else
	AnyLabel bool    // labels are the source's (load_<seq>), not ours

	// MasterKnown: a Thrift call has told who the master is. Before, statements are
	// answered by a follower that knows no transaction yet.
	MasterKnown bool

	// Denied: the account may neither list transactions nor read settings, as one
	// without Admin_priv (doris-sql.md 2.13).
	Denied bool
	// Unreadable: it may not read settings, but list transactions, as before April
	// 2024.
	Unreadable bool
	// Settings of the frontend, if they are not the defaults.
	Settings     map[string]string
	FrontendsErr error // of SHOW FRONTENDS
	// UnpublishedPartitions is a partition of each table that does not show all yet, once.
	UnpublishedPartitions []string

	// NoSubTxns: it is older than sub-transactions.
	NoSubTxns bool
	// CreateTexts are those of tables, by name.
	CreateTexts map[string]string

	// BeforeCommit and AfterCommit may fail the call, without and with effect.
	BeforeCommit, AfterCommit func(seq int64) error
	// Unreachable fails every question about transactions, and rollbacks.
	Unreachable atomic.Bool
	// Stuck are labels of transactions of which a table was dropped.
	Stuck map[string]bool
	// BeforeRollback sees a transaction before it is rolled back.
	BeforeRollback func(*Txn)
	// Nodes, if there is another than the usual one; refuses is what some of
	// them answer to an ingest, by host.
	Nodes   []meta.Backend
	Refuses map[string]error
	// Seqs are the commit seqs of versions, by source tablet: what is told of rows is
	// told by those.
	Seqs map[[2]int64]int64
	// twice are the replicas that a transaction was ingested into more than once.
	twice []string
	// Executed are the statements; OnExec may refuse one, or carry it out.
	Executed []string
	OnExec   func(statement string) error
	// OnIngest may fail or delay an ingest.
	OnIngest func(seq int64, req be.IngestRequest) error
}

// Txn is a transaction of the destination.
type Txn struct {
	id        int64
	label     string
	Request   fe.UniqueID
	State     string
	Seq       int64
	Subs      []int64
	SubTxnNum int64                     // as asked for
	Ingested  map[string]bool           // txn/tablet/version
	shares    map[int64]map[int64]int64 // source versions by sub-transaction and tablet
	calls     map[string]int            // ingests by transaction and replica, whatever their outcome
	Commit    fe.CommitRequest
}

// versions are the source versions that a commit makes visible at once, one for
// each tablet: those of sub-transactions in the order of its list, the others
// ascending.
func (tx *Txn) versions(req fe.CommitRequest) (list []int64) {
	if !req.TxnInsert {
		return slices.Sorted(maps.Values(tx.shares[tx.id]))
	}
	for _, sub := range req.SubTxns {
		list = append(list, slices.Sorted(maps.Values(tx.shares[sub.ID]))...)
	}
	return list
}

// Visible are the source versions in the order in which they became visible.
func (f *Destination) Visible() []int64 {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	return append([]int64(nil), f.rows...)
}

func (f *Destination) count(method string) {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	f.Asked[method]++
	f.MasterKnown = true
}

// ByLabel is the transaction that has a label, nil if it is free.
func (f *Destination) ByLabel(label string) *Txn {
	for _, tx := range f.Txns {
		if tx.label == label && tx.State != sqlclient.TxnAborted {
			return tx
		}
	}
	return nil
}

// newestOf is the last transaction with a label, aborted ones included.
func (f *Destination) newestOf(label string) (newest *Txn) {
	for _, tx := range f.Txns {
		if tx.label == label && (newest == nil || tx.id > newest.id) {
			newest = tx
		}
	}
	return newest
}

// Put adds a transaction of an earlier attempt.
func (f *Destination) Put(label, state string) int64 {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	f.nextID++
	l, _ := pair.ParseLabel(label)
	f.Txns[f.nextID] = &Txn{id: f.nextID, label: label, State: state, Seq: l.Seq, Ingested: map[string]bool{}}
	if state == sqlclient.TxnVisible || state == sqlclient.TxnCommitted {
		f.Order = append(f.Order, l.Seq)
	}
	return f.nextID
}

// BeginTxn fakes the call.
func (f *Destination) BeginTxn(_ context.Context, req fe.BeginRequest) (fe.Txn, error) {
	f.count("beginTxn")
	f.Mu.Lock()
	defer f.Mu.Unlock()
	if tx := f.ByLabel(req.Label); tx != nil {
		switch {
		case tx.State != sqlclient.TxnPrepare:
			return fe.Txn{}, &fe.LabelExistsError{Label: req.Label, TxnID: tx.id, TxnStatus: tx.State, JobStatus: fe.JobFinished, Err: &fe.StatusError{Server: "fe", Method: "beginTxn"}}
		case tx.Request == req.RequestID && req.RequestID != (fe.UniqueID{}):
			return fe.Txn{ID: tx.id, Existing: true}, nil
		}
		return fe.Txn{}, &fe.LabelExistsError{Label: req.Label, TxnID: tx.id, TxnStatus: tx.State, JobStatus: fe.JobRunning, Err: &fe.StatusError{Server: "fe", Method: "beginTxn"}}
	}
	f.nextID++
	l, ok := pair.ParseLabel(req.Label)
	if n, err := fmt.Sscanf(req.Label, "load_%d", &l.Seq); f.AnyLabel && n == 1 && err == nil {
		ok = true
	}
	if !ok {
		return fe.Txn{}, fmt.Errorf("label %q", req.Label)
	}
	tx := &Txn{id: f.nextID, label: req.Label, Request: req.RequestID, State: sqlclient.TxnPrepare, Seq: l.Seq, SubTxnNum: req.SubTxnNum, Ingested: map[string]bool{}}
	for i := range req.SubTxnNum {
		if f.NoSubTxns {
			break
		}
		tx.Subs = append(tx.Subs, f.nextID+i)
	}
	f.nextID += req.SubTxnNum
	f.Txns[tx.id] = tx
	return fe.Txn{ID: tx.id, DatabaseID: 2, SubIDs: tx.Subs}, nil
}

// CommitTxn fakes the call.
func (f *Destination) CommitTxn(_ context.Context, req fe.CommitRequest) (bool, error) {
	f.count("commitTxn")
	f.Mu.Lock()
	tx := f.Txns[req.TxnID]
	f.Mu.Unlock()
	if tx == nil {
		return false, fe.ErrTxnNotFound
	}
	if f.BeforeCommit != nil {
		if err := f.BeforeCommit(tx.Seq); err != nil {
			return false, err
		}
	}
	f.Mu.Lock()
	switch tx.State {
	case sqlclient.TxnAborted:
		f.Mu.Unlock()
		return false, fe.ErrTxnAborted
	case sqlclient.TxnPrepare:
		tx.State, tx.Commit = sqlclient.TxnVisible, req
		f.Order = append(f.Order, tx.Seq)
		f.rows = append(f.rows, tx.versions(req)...)
	}
	f.Mu.Unlock()
	if f.AfterCommit != nil {
		return false, f.AfterCommit(tx.Seq)
	}
	return false, nil
}

// RollbackTxn fakes the call.
func (f *Destination) RollbackTxn(_ context.Context, req fe.RollbackRequest) error {
	f.count("rollbackTxn")
	if f.Unreachable.Load() {
		return LostReply()
	}
	f.Mu.Lock()
	defer f.Mu.Unlock()
	tx := f.Txns[req.TxnID]
	if tx != nil && f.Stuck[tx.label] {
		return &fe.StatusError{Server: "fe", Method: "rollbackTxn", Messages: []string{"errCode = 7, detailMessage = table not found, tableId=20"}}
	}
	if tx != nil && f.BeforeRollback != nil {
		f.BeforeRollback(tx)
	}
	if tx == nil || tx.State != sqlclient.TxnPrepare {
		return fe.ErrTxnNotFound // as Doris says of finished ones too
	}
	tx.State = sqlclient.TxnAborted
	return nil
}

func (f *Destination) ingest(_ context.Context, to be.Endpoint, req be.IngestRequest) error {
	f.Mu.Lock()
	tx := f.Txns[req.TxnID]
	for _, other := range f.Txns {
		for _, sub := range other.Subs {
			if sub == req.TxnID {
				tx = other
			}
		}
	}
	f.Mu.Unlock()
	if tx == nil {
		return nil // backends take what the frontend has forgotten
	}
	f.Mu.Lock()
	if tx.calls == nil {
		tx.calls = map[string]int{}
	}
	replica := fmt.Sprintf("transaction %d, tablet %d on %s", req.TxnID, req.LocalTabletID, to.Host)
	if tx.calls[replica]++; tx.calls[replica] > 1 {
		f.twice = append(f.twice, replica)
	}
	f.Mu.Unlock()
	if err := f.Refuses[to.Host]; err != nil {
		return err
	}
	if f.OnIngest != nil {
		if err := f.OnIngest(tx.Seq, req); err != nil {
			return err
		}
	}
	f.Mu.Lock()
	defer f.Mu.Unlock()
	version := req.Version
	if seq := f.Seqs[[2]int64{req.RemoteTabletID, version}]; seq != 0 {
		version = seq
	}
	tx.Ingested[fmt.Sprintf("%d<-%d@%d", req.LocalTabletID, req.RemoteTabletID, version)] = true
	if tx.shares == nil {
		tx.shares = map[int64]map[int64]int64{}
	}
	if tx.shares[req.TxnID] == nil {
		tx.shares[req.TxnID] = map[int64]int64{}
	}
	tx.shares[req.TxnID][req.LocalTabletID] = version // of two the first would be gone, as in Doris
	return nil
}

// Backends fakes the call.
func (f *Destination) Backends(context.Context) ([]meta.Backend, error) {
	f.count("getBackendMeta")
	if f.Nodes != nil {
		return f.Nodes, nil
	}
	return []meta.Backend{{ID: 1, Host: "dst-be", Port: 9060, Alive: true}}, nil
}

// Meta fakes the call.
func (f *Destination) Meta(_ context.Context, req fe.MetaRequest) (*meta.Database, error) {
	f.count("getMeta")
	f.Mu.Lock()
	defer f.Mu.Unlock()
	return pick(f.TableMeta, req, meta.Database{ID: 2}), nil
}

// deny is how Doris refuses what only administrators may do.
func (f *Destination) deny() error {
	if !f.Denied {
		return nil
	}
	return &sqlclient.Error{Code: 1227, Message: "errCode = 2, detailMessage = Access denied; you need (at least one of) the (Admin_priv) privilege(s) for this operation"}
}

// MasterToken fakes the call.
func (f *Destination) MasterToken(context.Context) (string, error) { return "token", nil }

// Frontends fakes the call.
func (f *Destination) Frontends(context.Context) ([]meta.Frontend, error) {
	return nil, f.FrontendsErr
}

// FrontendConfig fakes the call.
func (f *Destination) FrontendConfig(_ context.Context, key string) (string, bool, error) {
	value, ok := f.Settings[key]
	if f.Unreadable {
		return "", false, &sqlclient.Error{Code: 1105, Message: "errCode = 2, detailMessage = Access denied; you need (at least one of) the (ADMIN) privilege(s) for this operation"}
	}
	return value, ok, f.deny()
}

// WaitTxn does not wait: a transaction that is running is no answer in time.
func (f *Destination) WaitTxn(_ context.Context, q fe.TxnQuestion) (fe.TxnStatus, error) {
	if f.Unreachable.Load() {
		return fe.TxnUnknown, LostReply()
	}
	f.Mu.Lock()
	defer f.Mu.Unlock()
	f.Asked["waitingTxnStatus"]++
	if !f.MasterKnown {
		return fe.TxnUnknown, fe.ErrMasterUnknown
	}
	tx := f.Txns[q.TxnID]
	if q.TxnID == 0 {
		if tx = f.newestOf(q.Label); tx == nil {
			return fe.TxnUnknown, nil
		}
	}
	switch {
	case tx == nil:
		return fe.TxnUnknown, fe.ErrTxnNotFound
	case tx.State == sqlclient.TxnVisible:
		return fe.TxnVisible, nil
	case tx.State == sqlclient.TxnAborted:
		return fe.TxnAborted, nil
	case q.Within > 0:
		return fe.TxnUnknown, &fe.TransportError{Method: "waitingTxnStatus", Sent: true, Err: os.ErrDeadlineExceeded}
	case tx.State == sqlclient.TxnCommitted:
		return fe.TxnCommitted, nil
	}
	return fe.TxnUnknown, fe.ErrTxnPending
}

// Unpublished fakes the call.
func (f *Destination) Unpublished(context.Context, string, string) (string, error) {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	if len(f.UnpublishedPartitions) == 0 {
		return "", nil
	}
	first := f.UnpublishedPartitions[0]
	f.UnpublishedPartitions = f.UnpublishedPartitions[1:]
	return first, nil
}

// Transactions fakes the call.
func (f *Destination) Transactions(_ context.Context, _, prefix string) ([]sqlclient.Transaction, error) {
	if f.Unreachable.Load() {
		return nil, LostReply()
	}
	if err := f.deny(); err != nil {
		return nil, err
	}
	f.Mu.Lock()
	defer f.Mu.Unlock()
	f.Asked["list transactions"]++
	if !f.MasterKnown {
		return nil, nil
	}
	var list []sqlclient.Transaction
	for _, tx := range f.Txns {
		if strings.HasPrefix(tx.label, prefix) {
			list = append(list, sqlclient.Transaction{ID: tx.id, Label: tx.label, Status: tx.State})
		}
	}
	if prefix == "" {
		list = append(list, make([]sqlclient.Transaction, f.Others)...)
	}
	return list, nil
}

// CommittedTransactions fakes the call.
func (f *Destination) CommittedTransactions(ctx context.Context, db, prefix string) ([]sqlclient.Transaction, error) {
	list, err := f.Transactions(ctx, db, prefix)
	return slices.DeleteFunc(list, func(tx sqlclient.Transaction) bool { return tx.Status != sqlclient.TxnCommitted }), err
}

// TransactionByID fakes the call.
func (f *Destination) TransactionByID(_ context.Context, _ string, id int64) (sqlclient.Transaction, error) {
	if f.Unreachable.Load() {
		return sqlclient.Transaction{}, LostReply()
	}
	if err := f.deny(); err != nil {
		return sqlclient.Transaction{}, err
	}
	f.Mu.Lock()
	defer f.Mu.Unlock()
	tx := f.Txns[id]
	if tx == nil {
		return sqlclient.Transaction{}, sqlclient.ErrNotExist
	}
	return sqlclient.Transaction{ID: tx.id, Label: tx.label, Status: tx.State}, nil
}

// CreateTableText fakes the call.
func (f *Destination) CreateTableText(_ context.Context, _, name string) (string, error) {
	f.count("show create table")
	return f.CreateTexts[name], nil
}

// Exec fakes the call.
func (f *Destination) Exec(_ context.Context, statement string) error {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	if f.OnExec != nil {
		if err := f.OnExec(statement); err != nil {
			return err
		}
	}
	f.Executed = append(f.Executed, statement)
	return nil
}

// Close fakes the call.
func (f *Destination) Close() error { return nil }

// Commits are the commit seqs in the order of their commits.
func (f *Destination) Commits() []int64 {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	return append([]int64(nil), f.Order...)
}

// Open counts the transactions that are neither committed nor aborted.
func (f *Destination) Open() (n int) {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	for _, tx := range f.Txns {
		if tx.State == sqlclient.TxnPrepare {
			n++
		}
	}
	return n
}
