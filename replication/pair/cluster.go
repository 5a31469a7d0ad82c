package pair

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// Cluster is one side of a job: its frontends over both of their protocols.
type Cluster struct {
	Side string // "source" or "destination"
	Spec job.Cluster
	FE   Frontend
	SQL  Database
	// Master is the frontend last known as master, zero if none is; nil in tests.
	Master func() fe.Endpoint
	// At opens the cluster at another address, with the same login; nil in tests.
	At func(job.Cluster) *Cluster

	known *lacking // nil in tests
	own   lacking
}

// lacking is what a cluster has turned out not to support. A process keeps it from
// step to step, so that it asks once.
type lacking struct{ subTxns atomic.Bool }

func (c *Cluster) lacks() *lacking {
	if c.known != nil {
		return c.known
	}
	return &c.own
}

// LacksSubTxns tells whether the cluster is known to give out no sub-transactions.
func (c *Cluster) LacksSubTxns() bool { return c.lacks().subTxns.Load() }

// NoteLacksSubTxns notes that the cluster gives out no sub-transactions.
func (c *Cluster) NoteLacksSubTxns() { c.lacks().subTxns.Store(true) }

// Frontend is what is asked of a cluster over Thrift: *fe.Client, or a fake.
type Frontend interface {
	MasterToken(ctx context.Context) (string, error)
	Backends(ctx context.Context) ([]meta.Backend, error)
	Meta(ctx context.Context, req fe.MetaRequest) (*meta.Database, error)
	Binlogs(ctx context.Context, req fe.BinlogRequest) (fe.BinlogBatch, error)
	BinlogLag(ctx context.Context, req fe.BinlogRequest) (binlog.Lag, error)
	LockBinlog(ctx context.Context, req fe.LockRequest) (int64, error)
	BeginTxn(ctx context.Context, req fe.BeginRequest) (fe.Txn, error)
	CommitTxn(ctx context.Context, req fe.CommitRequest) (visible bool, err error)
	RollbackTxn(ctx context.Context, req fe.RollbackRequest) error
	WaitTxn(ctx context.Context, q fe.TxnQuestion) (fe.TxnStatus, error)
	Snapshot(ctx context.Context, req fe.SnapshotRequest) (fe.Snapshot, error)
	RestoreSnapshot(ctx context.Context, req fe.RestoreRequest) error
	Close() error
}

// Database is what is asked of a cluster in SQL: *sqlclient.Client, or a fake.
type Database interface {
	Exec(ctx context.Context, statement string) error
	ExecWith(ctx context.Context, set sqlclient.Setting, statement string) error
	Query(ctx context.Context, statement string) ([]sqlclient.Row, error)
	Session(ctx context.Context, set sqlclient.Setting, timeout time.Duration, work func(context.Context, sqlclient.QueryFunc) error) error
	FrontendConfig(ctx context.Context, key string) (value string, ok bool, err error)
	Frontends(ctx context.Context) ([]meta.Frontend, error)
	DatabaseExists(ctx context.Context, db string) (bool, error)
	CreateDatabase(ctx context.Context, db string) error
	CreateDatabaseText(ctx context.Context, db string) (string, error)
	CreateTableText(ctx context.Context, db, table string) (string, error)
	TableExists(ctx context.Context, db, table string) (bool, error)
	Tables(ctx context.Context, db string) ([]string, error)
	Views(ctx context.Context, db string) ([]string, error)
	Columns(ctx context.Context, db, table string) ([]sqlclient.Column, error)
	HiddenColumns(ctx context.Context, db, table string) ([]string, error)
	IndexColumns(ctx context.Context, db, table string) (map[string][]string, error)
	Rollups(ctx context.Context, db, table string) ([]string, error)
	SecondaryIndexes(ctx context.Context, db, table string) ([]string, error)
	Partitions(ctx context.Context, db, table string) ([]string, error)
	Unpublished(ctx context.Context, db, table string) (partition string, err error)
	DropTable(ctx context.Context, db, table string) error
	DropView(ctx context.Context, db, view string) error
	BackupJob(ctx context.Context, db, name string) (job sqlclient.BackupJob, ok bool, err error)
	CancelBackup(ctx context.Context, db string) error
	RestoreJobs(ctx context.Context, db, prefix string) ([]sqlclient.RestoreJob, error)
	CancelRestore(ctx context.Context, db string) error
	Transactions(ctx context.Context, db, labelPrefix string) ([]sqlclient.Transaction, error)
	CommittedTransactions(ctx context.Context, db, labelPrefix string) ([]sqlclient.Transaction, error)
	TransactionByID(ctx context.Context, db string, id int64) (sqlclient.Transaction, error)
	Close() error
}

// OpenCluster returns a side of a job; it makes no call.
func (c *Connector) OpenCluster(side string, spec job.Cluster, password string) *Cluster {
	rpc := []fe.Endpoint{{Host: spec.Host, Port: spec.ThriftPort}}
	sql := []sqlclient.Endpoint{{Host: spec.Host, Port: spec.Port}}
	for _, f := range spec.Frontends {
		if f.Host == spec.Host && f.ThriftPort == spec.ThriftPort {
			continue
		}
		rpc = append(rpc, fe.Endpoint{Host: f.Host, Port: f.ThriftPort})
		sql = append(sql, sqlclient.Endpoint{Host: f.Host, Port: f.Port})
	}
	named := net.JoinHostPort(spec.Host, strconv.Itoa(spec.ThriftPort))
	for _, ep := range c.Learned.Of(named) { // from frontends that are no master
		if !slices.Contains(rpc, ep) {
			rpc = append(rpc, ep)
			sql = append(sql, sqlclient.Endpoint{Host: ep.Host, Port: spec.Port})
		}
	}
	sqlTLS, err := c.Options.SQLTLS(spec.SideTLS)
	if err != nil {
		err = unusable(side, err)
	}
	thrift := fe.New(fe.Config{
		Frontends: rpc, User: spec.User, Password: password, HostMapping: spec.HostMapping,
		ConnectTimeout: c.Options.ConnectTimeout, RPCTimeout: c.Options.RPCTimeout, CommitTimeout: c.Options.CommitTimeout,
		Unusable: err, Pool: c.frontends, Observe: c.Options.Metrics.observeFE,
		Learned: func(ep fe.Endpoint) { c.Learned.Add(named, ep) },
	})
	return &Cluster{
		Side:   side,
		Spec:   spec,
		FE:     thrift,
		Master: thrift.Master,
		At:     func(at job.Cluster) *Cluster { return c.OpenCluster(side, at, password) },
		known:  c.lackingOf(named),
		SQL: sqlclient.New(sqlclient.Config{
			Frontends: sql, User: spec.User, Password: password, Database: spec.Database,
			ConnectTimeout: c.Options.ConnectTimeout, Observe: c.Options.Metrics.observeSQL, TLS: sqlTLS, Unusable: err,
			Master: func() (ep sqlclient.Endpoint) {
				if i := slices.Index(rpc, thrift.Master()); i >= 0 {
					ep = sql[i]
				}
				return ep
			},
		}),
	}
}

// learned are the masters that frontends have named, by the cluster's named
// frontend. A process keeps them from step to step: an account without Admin_priv
// learns of other frontends in no other way. The zero value is ready to use.
type learned struct {
	mu sync.Mutex
	m  map[string][]fe.Endpoint
}

func (l *learned) Of(cluster string) []fe.Endpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.m[cluster])
}

func (l *learned) Add(cluster string, ep fe.Endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil {
		l.m = map[string][]fe.Endpoint{}
	}
	if !slices.Contains(l.m[cluster], ep) {
		l.m[cluster] = append(l.m[cluster], ep)
	}
}

// FindMaster makes sure that the master is known, for statements whose answer has
// to be the master's: a Thrift call is answered by nobody else.
func (c *Cluster) FindMaster(ctx context.Context) error {
	if _, err := c.DatabaseID(ctx); err != nil && !errors.Is(err, fe.ErrDatabaseNotFound) {
		return err
	}
	return nil
}

// Close gives up the connections.
func (c *Cluster) Close() {
	// Both only drop idle connections: nothing is left to do about an error.
	_ = c.FE.Close()
	_ = c.SQL.Close()
}

// Backends lists the cluster's backends with public hosts (doris-rpc.md 5.4). A
// dead backend that the host mapping does not know is left out.
func (c *Cluster) Backends(ctx context.Context) ([]meta.Backend, error) {
	list, err := c.FE.Backends(ctx)
	if err != nil {
		return nil, fmt.Errorf("list backends of the %s: %w", c.Side, err)
	}
	public := list[:0:0]
	for _, b := range list {
		host, err := fe.MapHost(c.Spec.HostMapping, b.Host)
		if err != nil {
			if !b.Alive {
				continue
			}
			return nil, fmt.Errorf("backend %d of the %s: %w", b.ID, c.Side, err)
		}
		b.Host = host
		public = append(public, b)
	}
	return public, nil
}

// DatabaseID asks for the id of the cluster's database and nothing else.
func (c *Cluster) DatabaseID(ctx context.Context) (int64, error) {
	db, err := c.FE.Meta(ctx, fe.MetaRequest{Database: c.Spec.Database, Tables: []string{noTable}})
	if err != nil {
		return 0, fmt.Errorf("read the id of %s database %s: %w", c.Side, c.Spec.Database, err)
	}
	return db.ID, nil
}

// noTable is a name that no table has: asking for it alone keeps getMeta from
// listing a whole database.
const noTable = "__ccr_no_table__"

// TableByName returns the table called name, nil if there is none (or if it is
// a view).
func (c *Cluster) TableByName(ctx context.Context, name string) (*meta.Table, error) {
	db, err := c.FE.Meta(ctx, fe.MetaRequest{DatabaseID: c.Spec.DatabaseID, Database: c.Spec.Database, Tables: []string{name}})
	if err != nil {
		return nil, fmt.Errorf("read metadata of %s table %s.%s: %w", c.Side, c.Spec.Database, name, err)
	}
	return db.TableByName(name), nil
}

// TableByID returns the table and whether the cluster reports it as dropped.
func (c *Cluster) TableByID(ctx context.Context, id int64) (t *meta.Table, isDropped bool, err error) {
	db, err := c.FE.Meta(ctx, fe.MetaRequest{DatabaseID: c.Spec.DatabaseID, Database: c.Spec.Database, TableIDs: []int64{id}})
	if err != nil {
		return nil, false, fmt.Errorf("read metadata of %s table %d: %w", c.Side, id, err)
	}
	_, isDropped = db.DroppedTables[id]
	return db.Tables[id], isDropped, nil
}

// MetaByID reads the metadata of some tables; those that are not there are
// missing in the result.
func (c *Cluster) MetaByID(ctx context.Context, ids []int64) (*meta.Database, error) {
	db, err := c.FE.Meta(ctx, fe.MetaRequest{DatabaseID: c.Spec.DatabaseID, Database: c.Spec.Database, TableIDs: ids})
	if err != nil {
		return nil, fmt.Errorf("read metadata of %s database %s: %w", c.Side, c.Spec.Database, err)
	}
	return db, nil
}
