package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/ddl"
)

// fixture is a cluster of one frontend and two backends with its MySQL port.
type fixture struct {
	t      testing.TB
	core   *core.Core
	bes    []*be.Backend
	server *Server
	addr   string
	db     *sql.DB
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, core: core.New(core.Config{Name: "test"})}
	t.Cleanup(f.core.Close)
	for i := range 2 {
		b := be.New(be.Config{ID: int64(10028 + i), Token: f.core.Token})
		require.NoError(t, b.Start())
		t.Cleanup(func() { b.Close() })
		f.bes = append(f.bes, b)
		f.core.AddBackend(core.BackendInfo{ID: b.ID(), Host: b.Host(), HeartbeatPort: 9050, BePort: 9060, HTTPPort: 8040, BrpcPort: 8060, Alive: true, LastStart: time.Now()}, b)
	}
	manager := backup.New(f.core)
	t.Cleanup(manager.Close)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f.addr = listener.Addr().String()
	port := listener.Addr().(*net.TCPAddr).Port
	f.core.AddFrontend(core.FrontendInfo{Name: "fe_1", Host: "127.0.0.1", EditLogPort: 9010, HTTPPort: 8030, QueryPort: port, RPCPort: 9020, Alive: true, LastStart: time.Now()})
	f.server = NewServer(Config{Core: f.core, Backup: manager, DDL: ddl.New(f.core, manager), Users: map[string]string{"reader": "s3cret"}})
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(listener) }()
	t.Cleanup(func() {
		f.server.Close()
		require.ErrorIs(t, <-served, ErrClosed)
	})
	f.db = f.open("root@tcp(%s)/")
	f.exec("CREATE DATABASE ccr")
	require.NoError(t, f.db.Close())
	f.db = f.open("root@tcp(%s)/ccr")
	return f
}

// open connects; %s in the DSN is the address.
func (f *fixture) open(dsn string) *sql.DB {
	f.t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf(dsn, f.addr))
	require.NoError(f.t, err)
	f.t.Cleanup(func() { db.Close() })
	return db
}

func (f *fixture) exec(statements ...string) {
	f.t.Helper()
	for _, s := range statements {
		_, err := f.db.Exec(s)
		require.NoError(f.t, err, s)
	}
}

// rows returns the result with cells joined by commas, NULL for SQL NULL.
func (f *fixture) rows(query string) []string {
	f.t.Helper()
	_, rows, err := readAll(f.db, query)
	require.NoError(f.t, err, query)
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = strings.Join(row, ",")
	}
	return lines
}

// maps returns the result with cells by column name.
func (f *fixture) maps(query string) []map[string]string {
	f.t.Helper()
	titles, rows, err := readAll(f.db, query)
	require.NoError(f.t, err, query)
	out := make([]map[string]string, len(rows))
	for i, row := range rows {
		out[i] = map[string]string{}
		for j, title := range titles {
			out[i][title] = row[j]
		}
	}
	return out
}

// fails runs a statement that must be refused with a text that contains want.
func (f *fixture) fails(statement, want string) *mysql.MySQLError {
	f.t.Helper()
	_, _, err := readAll(f.db, statement)
	require.Error(f.t, err, statement)
	var refusal *mysql.MySQLError
	require.True(f.t, errors.As(err, &refusal), "%v", err)
	require.Contains(f.t, refusal.Message, want, statement)
	return refusal
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func readAll(q queryer, query string, args ...any) (titles []string, all [][]string, err error) {
	rows, err := q.QueryContext(context.Background(), query, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	if titles, err = rows.Columns(); err != nil {
		return nil, nil, err
	}
	for rows.Next() {
		cells := make([]sql.NullString, len(titles))
		into := make([]any, len(titles))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, nil, err
		}
		line := make([]string, len(cells))
		for i, c := range cells {
			line[i] = "NULL"
			if c.Valid {
				line[i] = c.String
			}
		}
		all = append(all, line)
	}
	return titles, all, rows.Err()
}
