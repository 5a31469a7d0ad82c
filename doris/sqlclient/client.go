// Package sqlclient talks to Doris' frontends over the MySQL protocol
// (doris-sql.md 1.1): plain text statements without a default database, rows
// read by column name, every cell a string.
package sqlclient

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/doris-ccr/ccr/doris/endpoint"
)

// Endpoint is a frontend's MySQL address as this process reaches it.
type Endpoint = endpoint.Endpoint

// Defaults of Config.
const (
	DefaultConnectTimeout   = 10 * time.Second
	DefaultStatementTimeout = 5 * time.Minute

	// maxPacket bounds one statement and one row: SHOW CREATE of a table with
	// thousands of partitions is big.
	maxPacket = 1 << 30
	maxOpen   = 20
	maxIdle   = 2
	idleTime  = time.Minute
	// silence is how long a master that could not be reached is not asked first:
	// by then another one has been elected, or it is back.
	silence = 30 * time.Second
)

// Config says which cluster to talk to. The zero value of a field is its
// default, except for Frontends and User.
type Config struct {
	Frontends      []Endpoint
	User, Password string
	ConnectTimeout time.Duration // default 10 s
	// StatementTimeout of one statement on one frontend (default 5 min).
	StatementTimeout time.Duration
	// MaxAnswer bounds the answer to a statement, in bytes (default 1 GiB); a larger one is
	// ErrTooLarge.
	MaxAnswer int64
	// TLS encrypts the connections, nil does not. A name that it does not give is the
	// frontend's host.
	TLS *tls.Config
	// Unusable is why the cluster must not be asked, nil if it may be. It is the answer to
	// each statement.
	Unusable error
	// Database only labels what Observe is told: connections have no default
	// database.
	Database string
	// Master tells which frontend is the master as far as is known, the zero
	// Endpoint if that is not. It is asked first: the others answer SHOW from what
	// they have replayed so far, and do not know transactions in PREPARE
	// (doris-rpc.md 3.10). Optional.
	Master func() Endpoint
	// Observe is told of each attempt.
	Observe func(host, db string, d time.Duration, err error)
}

// Client runs statements on the master of a cluster, if that is known and can be
// reached, else on any frontend: the others forward what only the master may do.
// It is safe for concurrent use.
type Client struct {
	cfg   Config
	pools []*pool

	mu        sync.Mutex
	preferred int // index of the frontend that answered last
	// silent could not be reached lately, and is not preferred before silentUntil.
	silent      Endpoint
	silentUntil time.Time
}

// pool is one frontend.
type pool struct {
	endpoint Endpoint
	db       *sql.DB
	limits   *limits
}

// New returns a client. It opens no connection.
func New(cfg Config) *Client {
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = DefaultConnectTimeout
	}
	if cfg.StatementTimeout <= 0 {
		cfg.StatementTimeout = DefaultStatementTimeout
	}
	if cfg.MaxAnswer <= 0 {
		cfg.MaxAnswer = DefaultMaxAnswer
	}
	c := &Client{cfg: cfg}
	for i, ep := range cfg.Frontends {
		if !slices.Contains(cfg.Frontends[:i], ep) {
			p := &pool{endpoint: ep, limits: &limits{most: cfg.MaxAnswer}}
			p.db = open(cfg, ep, p.limits)
			c.pools = append(c.pools, p)
		}
	}
	return c
}

func open(cfg Config, ep Endpoint, l *limits) *sql.DB {
	dsn := mysql.NewConfig()
	dsn.User, dsn.Passwd = cfg.User, cfg.Password
	dsn.Net, dsn.Addr = "tcp", ep.String()
	dsn.Timeout, dsn.DialFunc = cfg.ConnectTimeout, l.dial
	dsn.MaxAllowedPacket = maxPacket
	if cfg.TLS != nil {
		dsn.TLS = cfg.TLS.Clone()
		if dsn.TLS.ServerName == "" {
			dsn.TLS.ServerName = ep.Host
		}
	}
	dsn.Logger = &mysql.NopLogger{} // every error it would log is returned, too
	db := sql.OpenDB(connector{cfg: dsn})
	db.SetMaxOpenConns(maxOpen)
	db.SetMaxIdleConns(maxIdle)
	db.SetConnMaxIdleTime(idleTime)
	return db
}

// connector puts the connect timeout over the whole handshake: the driver
// applies it to the dial only, and a frontend that hangs accepts connections.
type connector struct{ cfg *mysql.Config }

func (c connector) Driver() driver.Driver { return mysql.MySQLDriver{} }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := mysql.NewConnector(c.cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	return inner.Connect(ctx)
}

// Close closes all connections.
func (c *Client) Close() error {
	var errs []error
	for _, p := range c.pools {
		errs = append(errs, p.db.Close())
	}
	return errors.Join(errs...)
}

// Exec runs a statement that returns no rows. A refusal is an *Error. If the
// connection breaks before the answer, it is a *NetworkError with Sent set: the
// statement may have been executed, and it is not tried elsewhere. Session
// variables that names in the statement need are set for it.
func (c *Client) Exec(ctx context.Context, statement string) error {
	return c.ExecWith(ctx, nil, statement)
}

// Query runs a statement that only reads; it is tried on the next frontend when
// the connection breaks.
func (c *Client) Query(ctx context.Context, statement string) ([]Row, error) {
	var rows []Row
	err := c.run(ctx, statement, true, func(ctx context.Context, conn *sql.Conn) (err error) {
		rows, err = c.read(ctx, conn, statement)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (c *Client) read(ctx context.Context, conn *sql.Conn, statement string) ([]Row, error) {
	if err := CheckSingle(statement); err != nil {
		return nil, err
	}
	result, err := conn.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer func() { _ = result.Close() }() // Err below has what matters
	names, err := result.Columns()
	if err != nil {
		return nil, err
	}
	cells := make([]sql.NullString, len(names))
	targets := make([]any, len(names))
	for i := range cells {
		targets[i] = &cells[i]
	}
	var rows []Row
	kept := int64(0)
	for result.Next() {
		if err := result.Scan(targets...); err != nil {
			return nil, err
		}
		for _, cell := range cells {
			kept += int64(len(cell.String)) + cellCost
		}
		if kept > c.cfg.MaxAnswer {
			return nil, fmt.Errorf("%w: %d rows and more", ErrTooLarge, len(rows))
		}
		row := make(Row, len(names))
		for i, name := range names {
			if cells[i].Valid {
				row[name] = cells[i].String
			}
		}
		rows = append(rows, row)
	}
	return rows, result.Err()
}

// first returns the index of the frontend to begin with: the master, or the one
// that answered last.
func (c *Client) first() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cfg.Master == nil {
		return c.preferred
	}
	master := c.cfg.Master()
	if master == c.silent && time.Now().Before(c.silentUntil) {
		return c.preferred
	}
	if i := slices.IndexFunc(c.pools, func(p *pool) bool { return p.endpoint == master }); i >= 0 {
		return i
	}
	return c.preferred
}

// answered and unreachable note what became of an attempt.
func (c *Client) answered(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.preferred = n
}

func (c *Client) unreachable(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent, c.silentUntil = c.pools[n].endpoint, time.Now().Add(silence)
}

// run executes work on the first frontend that can be reached, see first. What may have been executed is tried again only if
// it is repeatable.
func (c *Client) run(ctx context.Context, statement string, repeatable bool, work func(context.Context, *sql.Conn) error) error {
	return c.runFor(ctx, c.cfg.StatementTimeout, statement, repeatable, work)
}

// runFor is run with a bound on each attempt of its own.
func (c *Client) runFor(ctx context.Context, timeout time.Duration, statement string, repeatable bool, work func(context.Context, *sql.Conn) error) error {
	if c.cfg.Unusable != nil {
		return c.cfg.Unusable
	}
	if len(c.pools) == 0 {
		return errors.New("no frontend is configured")
	}
	first := c.first()
	var err error
	for i := range c.pools {
		n := (first + i) % len(c.pools)
		err = c.attempt(ctx, timeout, c.pools[n], statement, work)
		var lost *NetworkError
		if !errors.As(err, &lost) {
			c.answered(n)
			return err
		}
		c.unreachable(n)
		if ctx.Err() != nil || lost.Sent && !repeatable {
			return err
		}
	}
	return err
}

// attempt executes work on one frontend.
func (c *Client) attempt(ctx context.Context, timeout time.Duration, p *pool, statement string, work func(context.Context, *sql.Conn) error) error {
	started := time.Now()
	err := c.onFrontend(ctx, timeout, p, statement, work)
	if c.cfg.Observe != nil {
		c.cfg.Observe(p.endpoint.Host, c.cfg.Database, time.Since(started), err)
	}
	return err
}

func (c *Client) onFrontend(ctx context.Context, timeout time.Duration, p *pool, statement string, work func(context.Context, *sql.Conn) error) error {
	stmtCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// A connection that died while idle says driver.ErrBadConn, which means that
	// nothing was sent over it. There are at most maxIdle of them.
	for tries := 0; ; tries++ {
		sent, err := onConnection(stmtCtx, p.db, work)
		if errors.Is(err, driver.ErrBadConn) && tries < maxIdle {
			continue
		}
		if err != nil && ctx.Err() == nil && stmtCtx.Err() != nil {
			err = fmt.Errorf("no answer in %v", timeout)
		}
		return replyError(p.endpoint, statement, sent, p.limits.explain(err))
	}
}

// onConnection reports whether the statement may have reached the server.
func onConnection(ctx context.Context, db *sql.DB, work func(context.Context, *sql.Conn) error) (sent bool, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }() // only gives the connection back
	err = work(ctx, conn)
	return !errors.Is(err, driver.ErrBadConn), err
}

// Row is one row of a result: cells by column name as sent. A NULL cell has no
// entry.
type Row map[string]string

// Get returns the cell of a column, whose name is compared without regard to
// case; "" if it is NULL or there is no such column.
func (r Row) Get(name string) string {
	value, _ := r.find(name)
	return value
}

// Null tells whether the cell is NULL or the column missing.
func (r Row) Null(name string) bool {
	_, ok := r.find(name)
	return !ok
}

func (r Row) find(name string) (string, bool) {
	if value, ok := r[name]; ok {
		return value, true
	}
	for column, value := range r {
		if strings.EqualFold(column, name) {
			return value, true
		}
	}
	return "", false
}

// Int returns the cell as a number, 0 if it is none.
func (r Row) Int(name string) int64 {
	n, err := strconv.ParseInt(r.Get(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Bool returns the cell as a truth value: true, yes and 1 are.
func (r Row) Bool(name string) bool {
	switch strings.ToLower(r.Get(name)) {
	case "true", "yes", "1":
		return true
	}
	return false
}
