package importer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/lib/pq"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// The kinds of store, by the names of the existing syncer's db_type.
const (
	SQLite     = "sqlite3"
	MySQL      = "mysql"
	PostgreSQL = "postgresql"
)

// StoreConfig says where the existing syncer keeps its jobs (http-api.md 4.1).
type StoreConfig struct {
	Type     string // SQLite, MySQL or PostgreSQL
	File     string // SQLite only
	Host     string
	Port     int
	User     string
	Password string
	// Name is MySQL's database or PostgreSQL's schema.
	Name string
	// SSLMode is PostgreSQL's sslmode; empty = "disable", as the existing syncer
	// has it.
	SSLMode string
}

// connectTimeout bounds the connection to a store.
const connectTimeout = 10 * time.Second

// store is an open store. It is only read.
type store struct {
	db    *sql.DB
	where string                   // for messages, without password
	table func(name string) string // the table's quoted name
}

// row is a job as it is stored; progress is empty if there is no such row.
type row struct {
	name, belongsTo string
	info, progress  []byte
}

// stamp is the sign of life of one syncer process.
type stamp struct {
	host string
	at   time.Time
}

// openStore connects to the store and makes sure that it is one.
func openStore(ctx context.Context, c StoreConfig) (*store, error) {
	s, err := c.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := s.db.PingContext(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("open the syncer's store %s: %w", s.where, err)
	}
	return s, nil
}

func (c StoreConfig) open() (*store, error) {
	switch c.Type {
	case SQLite:
		return c.openSQLite()
	case MySQL:
		return c.openMySQL()
	case PostgreSQL:
		return c.openPostgreSQL()
	}
	return nil, fmt.Errorf("db-type %q is none of %s, %s and %s", c.Type, SQLite, MySQL, PostgreSQL)
}

func (c StoreConfig) openSQLite() (*store, error) {
	// Opening read-only would not create it, but says less.
	if _, err := os.Stat(c.File); err != nil {
		return nil, fmt.Errorf("open the syncer's store: %w (--db-dir names its SQLite file)", err)
	}
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: c.File}).EscapedPath(), RawQuery: "mode=ro&_pragma=busy_timeout(5000)"}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the syncer's store %s: %w", c.File, err)
	}
	return &store{db: db, where: c.File, table: func(name string) string { return `"` + name + `"` }}, nil
}

func (c StoreConfig) address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

func (c StoreConfig) openMySQL() (*store, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = c.User, c.Password, "tcp", c.address(), c.Name
	cfg.Timeout = connectTimeout
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("open the syncer's store %s: %w", c.address(), err)
	}
	return &store{
		db:    sql.OpenDB(connector),
		where: fmt.Sprintf("mysql database %s at %s", c.Name, c.address()),
		table: func(name string) string { return "`" + name + "`" },
	}, nil
}

func (c StoreConfig) openPostgreSQL() (*store, error) {
	mode := c.SSLMode
	if mode == "" {
		mode = "disable"
	}
	dsn := url.URL{
		Scheme: "postgres", Host: c.address(), Path: "/postgres", User: url.UserPassword(c.User, c.Password),
		RawQuery: url.Values{"sslmode": {mode}, "connect_timeout": {strconv.Itoa(int(connectTimeout.Seconds()))}}.Encode(),
	}
	connector, err := pq.NewConnector(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open the syncer's store %s: %w", c.address(), err)
	}
	return &store{
		db:    sql.OpenDB(connector),
		where: fmt.Sprintf("postgresql schema %s at %s", c.Name, c.address()),
		table: func(name string) string { return pq.QuoteIdentifier(c.Name) + "." + pq.QuoteIdentifier(name) },
	}, nil
}

func (s *store) close() { _ = s.db.Close() } // it was only read

// jobs reads all jobs with their progress, by name.
func (s *store) jobs(ctx context.Context) ([]row, error) {
	var rows []row
	index := map[string]int{}
	err := s.each(ctx, "SELECT job_name, job_info, belong_to FROM "+s.table("jobs")+" ORDER BY job_name", func(scan func(...any) error) error {
		var r row
		var owner sql.NullString
		if err := scan(&r.name, &r.info, &owner); err != nil {
			return err
		}
		r.belongsTo = owner.String
		index[r.name] = len(rows)
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, "SELECT job_name, progress FROM "+s.table("progresses"), func(scan func(...any) error) error {
		var name string
		var progress []byte
		if err := scan(&name, &progress); err != nil {
			return err
		}
		if i, ok := index[name]; ok {
			rows[i].progress = progress
		}
		return nil
	})
	return rows, err
}

// stamps reads when each syncer process was last seen.
func (s *store) stamps(ctx context.Context) ([]stamp, error) {
	var all []stamp
	err := s.each(ctx, "SELECT host_info, timestamp FROM "+s.table("syncers"), func(scan func(...any) error) error {
		var host string
		var nanoseconds int64
		if err := scan(&host, &nanoseconds); err != nil {
			return err
		}
		all = append(all, stamp{host, time.Unix(0, nanoseconds)})
		return nil
	})
	return all, err
}

func (s *store) each(ctx context.Context, statement string, do func(scan func(...any) error) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the syncer's store %s: %s: %w", s.where, strings.Fields(statement)[3], err)
		}
	}()
	rows, err := s.db.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := do(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
