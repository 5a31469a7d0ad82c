package replication

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
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
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
)

const testEpoch = 1700000000

// fakeSource serves binlogs and the metadata of its tables. Methods that are not
// faked panic.
type fakeSource struct {
	frontend
	mu      sync.Mutex
	log     []binlog.Record
	gone    meta.Database // only the dropped maps
	tables  map[int64]*meta.Table
	asked   map[string]int
	batches int // binlogs a call, 0 = as many as asked for
	locked  []int64
	lag     binlog.Lag
	// backends, if there is another than the usual one.
	backends []meta.Backend
	// refuse may fail a call for binlogs.
	refuse func(req fe.BinlogRequest) error
	// onBinlogs sees what the log is asked for.
	onBinlogs func(prev int64)
	// onMeta is called with the number of the getMeta call, and may change what is
	// dropped.
	onMeta func(call int)
}

func (f *fakeSource) count(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[method]++
}

func (f *fakeSource) Binlogs(_ context.Context, req fe.BinlogRequest) (fe.BinlogBatch, error) {
	f.count("getBinlog")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		if err := f.refuse(req); err != nil {
			return fe.BinlogBatch{}, err
		}
	}
	if f.onBinlogs != nil {
		f.onBinlogs(req.PrevCommitSeq)
	}
	limit := int(req.Limit)
	if f.batches > 0 {
		limit = f.batches
	}
	var got []binlog.Record
	for _, rec := range f.log {
		if rec.CommitSeq > req.PrevCommitSeq && len(got) < limit {
			got = append(got, rec)
		}
	}
	switch {
	case len(got) == 0:
		return fe.BinlogBatch{Status: status.BinlogTooNewCommitSeq}, nil
	case got[0].Type == binlog.TypeDummy:
		return fe.BinlogBatch{Status: status.BinlogTooOldCommitSeq, Binlogs: got[:1]}, nil
	}
	return fe.BinlogBatch{Binlogs: got}, nil
}

func (f *fakeSource) BinlogLag(_ context.Context, req fe.BinlogRequest) (lag binlog.Lag, err error) {
	f.count("getBinlogLag")
	if f.lag != (binlog.Lag{}) {
		return f.lag, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rec := range f.log {
		if rec.CommitSeq <= req.PrevCommitSeq {
			continue
		}
		if lag.Binlogs++; lag.NextCommitSeq == 0 || rec.CommitSeq < lag.NextCommitSeq {
			lag.NextCommitSeq = rec.CommitSeq
		}
	}
	return lag, nil
}

func (f *fakeSource) LockBinlog(_ context.Context, req fe.LockRequest) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locked = append(f.locked, req.CommitSeq)
	return req.CommitSeq, nil
}

func (f *fakeSource) Backends(context.Context) ([]meta.Backend, error) {
	f.count("getBackendMeta")
	if f.backends != nil {
		return f.backends, nil
	}
	return []meta.Backend{{ID: 1, Host: "src-be", HTTPPort: 8040, Alive: true}}, nil
}

func (f *fakeSource) Meta(_ context.Context, req fe.MetaRequest) (*meta.Database, error) {
	f.count("getMeta")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onMeta != nil {
		f.onMeta(f.asked["getMeta"])
	}
	return pick(f.tables, req, f.gone), nil
}

func (f *fakeSource) Close() error { return nil }

func pick(tables map[int64]*meta.Table, req fe.MetaRequest, gone meta.Database) *meta.Database {
	db := gone
	db.ID, db.Tables = max(db.ID, req.DatabaseID, 1), map[int64]*meta.Table{}
	for id, t := range tables {
		if slices.Contains(req.TableIDs, id) || slices.Contains(req.Tables, t.Name) {
			db.Tables[id] = t
		}
	}
	return &db
}

// fakeDestination keeps transactions as a Doris frontend does: labels, request
// ids and states (doris-rpc.md 3.7-3.9).
type fakeDestination struct {
	frontend
	database
	tables map[int64]*meta.Table

	mu       sync.Mutex
	asked    map[string]int
	nextID   int64
	txns     map[int64]*fakeTxn
	order    []int64 // commit seqs in the order of their commits
	rows     []int64 // source versions in the order in which they became visible
	others   int     // finished transactions of somebody else
	anyLabel bool    // labels are the source's (load_<seq>), not ours

	// masterKnown: a Thrift call has told who the master is. Before, statements are
	// answered by a follower that knows no transaction yet.
	masterKnown bool

	// denied: the account may neither list transactions nor read settings, as one
	// without Admin_priv (doris-sql.md 2.13).
	denied bool
	// unreadable: it may not read settings, but list transactions, as before April
	// 2024.
	unreadable bool
	// settings of the frontend, if they are not the defaults.
	settings     map[string]string
	frontendsErr error // of SHOW FRONTENDS
	// unpublished is a partition of each table that does not show all yet, once.
	unpublished []string

	// beforeCommit and afterCommit may fail the call, without and with effect.
	beforeCommit, afterCommit func(seq int64) error
	// unreachable fails every question about transactions, and rollbacks.
	unreachable atomic.Bool
	// stuck are labels of transactions of which a table was dropped.
	stuck map[string]bool
	// beforeRollback sees a transaction before it is rolled back.
	beforeRollback func(*fakeTxn)
	// backends, if there is another than the usual one; refuses is what some of
	// them answer to an ingest, by host.
	backends []meta.Backend
	refuses  map[string]error
	// seqs are the commit seqs of versions, by source tablet: what is told of rows is
	// told by those.
	seqs map[[2]int64]int64
	// twice are the replicas that a transaction was ingested into more than once.
	twice []string
	// executed are the statements; onExec may refuse one, or carry it out.
	executed []string
	onExec   func(statement string) error
	// onIngest may fail or delay an ingest.
	onIngest func(seq int64, req be.IngestRequest) error
}

type fakeTxn struct {
	id       int64
	label    string
	request  fe.UniqueID
	state    string
	seq      int64
	subs     []int64
	ingested map[string]bool // txn/tablet/version
	calls    map[string]int  // ingests by transaction and replica, whatever their outcome
	commit   fe.CommitRequest
}

// versions are the source versions in the transaction, ascending: they become
// visible at once.
func (tx *fakeTxn) versions() (list []int64) {
	for key := range tx.ingested {
		_, text, _ := strings.Cut(key, "@")
		version, _ := strconv.ParseInt(text, 10, 64)
		list = append(list, version)
	}
	slices.Sort(list)
	return list
}

func (f *fakeDestination) visible() []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]int64(nil), f.rows...)
}

func (f *fakeDestination) count(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[method]++
	f.masterKnown = true
}

func (f *fakeDestination) byLabel(label string) *fakeTxn {
	for _, tx := range f.txns {
		if tx.label == label && tx.state != sqlclient.TxnAborted {
			return tx
		}
	}
	return nil
}

// newestOf is the last transaction with a label, aborted ones included.
func (f *fakeDestination) newestOf(label string) (newest *fakeTxn) {
	for _, tx := range f.txns {
		if tx.label == label && (newest == nil || tx.id > newest.id) {
			newest = tx
		}
	}
	return newest
}

// put adds a transaction of an earlier attempt.
func (f *fakeDestination) put(label, state string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nextID++
	l, _ := parseLabel(label)
	f.txns[f.nextID] = &fakeTxn{id: f.nextID, label: label, state: state, seq: l.seq, ingested: map[string]bool{}}
	if state == sqlclient.TxnVisible || state == sqlclient.TxnCommitted {
		f.order = append(f.order, l.seq)
	}
	return f.nextID
}

func (f *fakeDestination) BeginTxn(_ context.Context, req fe.BeginRequest) (fe.Txn, error) {
	f.count("beginTxn")
	f.mu.Lock()
	defer f.mu.Unlock()
	if tx := f.byLabel(req.Label); tx != nil {
		switch {
		case tx.state != sqlclient.TxnPrepare:
			return fe.Txn{}, &fe.LabelExistsError{Label: req.Label, TxnID: tx.id, TxnStatus: tx.state, JobStatus: fe.JobFinished, Err: &fe.StatusError{Server: "fe", Method: "beginTxn"}}
		case tx.request == req.RequestID && req.RequestID != (fe.UniqueID{}):
			return fe.Txn{ID: tx.id, Existing: true}, nil
		}
		return fe.Txn{}, &fe.LabelExistsError{Label: req.Label, TxnID: tx.id, TxnStatus: tx.state, JobStatus: fe.JobRunning, Err: &fe.StatusError{Server: "fe", Method: "beginTxn"}}
	}
	f.nextID++
	l, ok := parseLabel(req.Label)
	if n, err := fmt.Sscanf(req.Label, "load_%d", &l.seq); f.anyLabel && n == 1 && err == nil {
		ok = true
	}
	if !ok {
		return fe.Txn{}, fmt.Errorf("label %q", req.Label)
	}
	tx := &fakeTxn{id: f.nextID, label: req.Label, request: req.RequestID, state: sqlclient.TxnPrepare, seq: l.seq, ingested: map[string]bool{}}
	for i := range req.SubTxnNum {
		tx.subs = append(tx.subs, f.nextID+i)
	}
	f.nextID += req.SubTxnNum
	f.txns[tx.id] = tx
	return fe.Txn{ID: tx.id, DatabaseID: 2, SubIDs: tx.subs}, nil
}

func (f *fakeDestination) CommitTxn(_ context.Context, req fe.CommitRequest) (bool, error) {
	f.count("commitTxn")
	f.mu.Lock()
	tx := f.txns[req.TxnID]
	f.mu.Unlock()
	if tx == nil {
		return false, fe.ErrTxnNotFound
	}
	if f.beforeCommit != nil {
		if err := f.beforeCommit(tx.seq); err != nil {
			return false, err
		}
	}
	f.mu.Lock()
	switch tx.state {
	case sqlclient.TxnAborted:
		f.mu.Unlock()
		return false, fe.ErrTxnAborted
	case sqlclient.TxnPrepare:
		tx.state, tx.commit = sqlclient.TxnVisible, req
		f.order = append(f.order, tx.seq)
		f.rows = append(f.rows, tx.versions()...)
	}
	f.mu.Unlock()
	if f.afterCommit != nil {
		return false, f.afterCommit(tx.seq)
	}
	return false, nil
}

func (f *fakeDestination) RollbackTxn(_ context.Context, req fe.RollbackRequest) error {
	f.count("rollbackTxn")
	if f.unreachable.Load() {
		return lostReply()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	tx := f.txns[req.TxnID]
	if tx != nil && f.stuck[tx.label] {
		return &fe.StatusError{Server: "fe", Method: "rollbackTxn", Messages: []string{"errCode = 7, detailMessage = table not found, tableId=20"}}
	}
	if tx != nil && f.beforeRollback != nil {
		f.beforeRollback(tx)
	}
	if tx == nil || tx.state != sqlclient.TxnPrepare {
		return fe.ErrTxnNotFound // as Doris says of finished ones too
	}
	tx.state = sqlclient.TxnAborted
	return nil
}

func (f *fakeDestination) ingest(_ context.Context, to be.Endpoint, req be.IngestRequest) error {
	f.mu.Lock()
	tx := f.txns[req.TxnID]
	for _, other := range f.txns {
		for _, sub := range other.subs {
			if sub == req.TxnID {
				tx = other
			}
		}
	}
	f.mu.Unlock()
	if tx == nil {
		return nil // backends take what the frontend has forgotten
	}
	f.mu.Lock()
	if tx.calls == nil {
		tx.calls = map[string]int{}
	}
	replica := fmt.Sprintf("transaction %d, tablet %d on %s", req.TxnID, req.LocalTabletID, to.Host)
	if tx.calls[replica]++; tx.calls[replica] > 1 {
		f.twice = append(f.twice, replica)
	}
	f.mu.Unlock()
	if err := f.refuses[to.Host]; err != nil {
		return err
	}
	if f.onIngest != nil {
		if err := f.onIngest(tx.seq, req); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	version := req.Version
	if seq := f.seqs[[2]int64{req.RemoteTabletID, version}]; seq != 0 {
		version = seq
	}
	tx.ingested[fmt.Sprintf("%d<-%d@%d", req.LocalTabletID, req.RemoteTabletID, version)] = true
	return nil
}

func (f *fakeDestination) Backends(context.Context) ([]meta.Backend, error) {
	f.count("getBackendMeta")
	if f.backends != nil {
		return f.backends, nil
	}
	return []meta.Backend{{ID: 1, Host: "dst-be", Port: 9060, Alive: true}}, nil
}

func (f *fakeDestination) Meta(_ context.Context, req fe.MetaRequest) (*meta.Database, error) {
	f.count("getMeta")
	return pick(f.tables, req, meta.Database{ID: 2}), nil
}

// deny is how Doris refuses what only administrators may do.
func (f *fakeDestination) deny() error {
	if !f.denied {
		return nil
	}
	return &sqlclient.Error{Code: 1227, Message: "errCode = 2, detailMessage = Access denied; you need (at least one of) the (Admin_priv) privilege(s) for this operation"}
}

func (f *fakeDestination) MasterToken(context.Context) (string, error) { return "token", nil }

func (f *fakeDestination) Frontends(context.Context) ([]meta.Frontend, error) {
	return nil, f.frontendsErr
}

func (f *fakeDestination) FrontendConfig(_ context.Context, key string) (string, bool, error) {
	value, ok := f.settings[key]
	if f.unreadable {
		return "", false, &sqlclient.Error{Code: 1105, Message: "errCode = 2, detailMessage = Access denied; you need (at least one of) the (ADMIN) privilege(s) for this operation"}
	}
	return value, ok, f.deny()
}

// WaitTxn does not wait: a transaction that is running is no answer in time.
func (f *fakeDestination) WaitTxn(_ context.Context, q fe.TxnQuestion) (fe.TxnStatus, error) {
	if f.unreachable.Load() {
		return fe.TxnUnknown, lostReply()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked["waitingTxnStatus"]++
	if !f.masterKnown {
		return fe.TxnUnknown, fe.ErrMasterUnknown
	}
	tx := f.txns[q.TxnID]
	if q.TxnID == 0 {
		if tx = f.newestOf(q.Label); tx == nil {
			return fe.TxnUnknown, nil
		}
	}
	switch {
	case tx == nil:
		return fe.TxnUnknown, fe.ErrTxnNotFound
	case tx.state == sqlclient.TxnVisible:
		return fe.TxnVisible, nil
	case tx.state == sqlclient.TxnAborted:
		return fe.TxnAborted, nil
	case q.Within > 0:
		return fe.TxnUnknown, &fe.TransportError{Method: "waitingTxnStatus", Sent: true, Err: os.ErrDeadlineExceeded}
	case tx.state == sqlclient.TxnCommitted:
		return fe.TxnCommitted, nil
	}
	return fe.TxnUnknown, fe.ErrTxnPending
}

func (f *fakeDestination) Unpublished(context.Context, string, string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.unpublished) == 0 {
		return "", nil
	}
	first := f.unpublished[0]
	f.unpublished = f.unpublished[1:]
	return first, nil
}

func (f *fakeDestination) Transactions(_ context.Context, _, prefix string) ([]sqlclient.Transaction, error) {
	if f.unreachable.Load() {
		return nil, lostReply()
	}
	if err := f.deny(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.masterKnown {
		return nil, nil
	}
	var list []sqlclient.Transaction
	for _, tx := range f.txns {
		if strings.HasPrefix(tx.label, prefix) {
			list = append(list, sqlclient.Transaction{ID: tx.id, Label: tx.label, Status: tx.state})
		}
	}
	if prefix == "" {
		list = append(list, make([]sqlclient.Transaction, f.others)...)
	}
	return list, nil
}

func (f *fakeDestination) TransactionByID(_ context.Context, _ string, id int64) (sqlclient.Transaction, error) {
	if f.unreachable.Load() {
		return sqlclient.Transaction{}, lostReply()
	}
	if err := f.deny(); err != nil {
		return sqlclient.Transaction{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	tx := f.txns[id]
	if tx == nil {
		return sqlclient.Transaction{}, sqlclient.ErrNotExist
	}
	return sqlclient.Transaction{ID: tx.id, Label: tx.label, Status: tx.state}, nil
}

func (f *fakeDestination) Exec(_ context.Context, statement string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onExec != nil {
		if err := f.onExec(statement); err != nil {
			return err
		}
	}
	f.executed = append(f.executed, statement)
	return nil
}

func (f *fakeDestination) Close() error { return nil }

func (f *fakeDestination) commits() []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]int64(nil), f.order...)
}

func (f *fakeDestination) open() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, tx := range f.txns {
		if tx.state == sqlclient.TxnPrepare {
			n++
		}
	}
	return n
}

// Bench is a job between two fakes, with tables 10..13 on the source (one
// partition, one tablet) and 20..23 on the destination.
type Bench struct {
	t    *testing.T
	src  *fakeSource
	sql  *script // what the source answers in SQL
	dst  *fakeDestination
	spec job.Spec
	p    job.Progress
	opts Options
}

// NewBench returns the job and its tables.
func NewBench(t *testing.T) *Bench {
	b := &Bench{
		t:    t,
		sql:  &script{},
		src:  &fakeSource{tables: map[int64]*meta.Table{}, asked: map[string]int{}},
		dst:  &fakeDestination{tables: map[int64]*meta.Table{}, asked: map[string]int{}, txns: map[int64]*fakeTxn{}, seqs: map[[2]int64]int64{}, nextID: 1000},
		spec: *databaseSpec(),
		p:    job.Progress{Epoch: testEpoch, State: job.DBIncrementalSync, Position: job.Position{CommitSeq: 100}, Tables: map[int64]job.Table{}},
		opts: Options{
			Logger: slog.New(slog.DiscardHandler), Window: 8, Group: 1, RetryBudget: 80 * time.Millisecond,
			SettleTime: 30 * time.Millisecond, IdlePollMin: time.Millisecond, IdlePollMax: 5 * time.Millisecond, PollBudget: 10000,
		},
	}
	for i := range int64(4) {
		name := fmt.Sprintf("t%d", i)
		b.src.tables[10+i] = &meta.Table{ID: 10 + i, Name: name, Partitions: []*meta.Partition{partition(100+i, name, "", index(1000+i, name, 5000+i))}}
		b.dst.tables[20+i] = &meta.Table{ID: 20 + i, Name: name, Partitions: []*meta.Partition{partition(200+i, name, "", index(2000+i, name, 6000+i))}}
		b.p.Tables[10+i] = job.Table{DestID: 20 + i, Name: name}
	}
	return b
}

// upsert appends an UPSERT into tables at a commit seq.
func (b *Bench) upsert(seq int64, tables ...int64) {
	u := binlog.Upsert{CommitSeq: seq, Label: fmt.Sprintf("load_%d", seq), TableRecords: map[int64]binlog.TableRecord{}}
	for _, id := range tables {
		version := int64(2)
		for b.dst.seqs[[2]int64{id + 4990, version}] != 0 {
			version++
		}
		b.dst.seqs[[2]int64{id + 4990, version}] = seq
		u.TableRecords[id] = binlog.TableRecord{
			PartitionRecords: []binlog.PartitionRecord{{PartitionID: id + 90, Version: version, SubTxnID: -1}},
			IndexIDs:         []int64{id + 990},
		}
	}
	b.append(seq, binlog.TypeUpsert, u, tables...)
}

func (b *Bench) append(seq int64, t binlog.Type, payload any, tables ...int64) {
	data, err := json.Marshal(payload)
	require.NoError(b.t, err)
	b.src.mu.Lock()
	defer b.src.mu.Unlock()
	b.src.log = append(b.src.log, binlog.Record{CommitSeq: seq, Timestamp: seq * 1000, Type: t, TableIDs: tables, Data: string(data)})
}

func (b *Bench) label(seq int64) string {
	return job.TxnLabel(b.spec.UID, testEpoch, b.spec.Source.DatabaseID, seq)
}

// PairJob returns the job.
func (b *Bench) PairJob() *Job {
	c := NewConnector(b.opts)
	c.ingest = b.dst.ingest
	b.t.Cleanup(func() { _ = c.Close() })
	b.t.Cleanup(func() { require.Empty(b.t, b.dst.twice, "one ingest of each replica per transaction") })
	return &Job{
		c: c, opts: &c.opts, spec: b.spec, log: c.opts.Logger,
		source:      &cluster{side: "source", spec: b.spec.Source, fe: b.src, sql: b.sql},
		destination: &cluster{side: "destination", spec: b.spec.Destination, fe: b.dst, sql: b.dst},
	}
}

func lostReply() error {
	return &fe.TransportError{Method: "commitTxn", Addr: "fe:9020", Sent: true, Err: io.ErrUnexpectedEOF}
}
