// Package sql is the MySQL port of a simulated Doris frontend: sessions,
// statement dispatch, SHOW, DML and SELECT (doris-sql.md).
//
// Statements that change metadata are parsed by package parser and executed by
// package ddl; SELECT is evaluated by package query. The package must be built
// with CGO_ENABLED=0 and -tags gms_pure_go.
package sql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/dolthub/vitess/go/mysql"

	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/ddl"
	"github.com/doris-ccr/ccr/dorisim/load"
	"github.com/doris-ccr/ccr/dorisim/sql/query"
)

// serverVersion is what the handshake of every real Doris says
// (doris-sql.md 1.2).
const serverVersion = "5.7.99"

// versionText is the Doris version of version_comment unless Config says
// otherwise.
func versionText(v core.Version) string {
	if v == core.VersionM24 {
		return "doris-0.0.0--Unknown" // a build without a version
	}
	major, minor, patch := v.Release()
	return fmt.Sprintf("doris-%d.%d.%d-rc01-dorisim", major, minor, patch)
}

// Config of a Server. Core, Backup and DDL are required.
type Config struct {
	Core   *core.Core
	Backup *backup.Manager
	DDL    *ddl.Executor
	// Users are accounts to add to Core.Users, name -> password.
	Users map[string]string
	// Frontend is the index of this frontend among Core.Frontends.
	Frontend int
	// Version is printed into version_comment and SHOW FRONTENDS.
	Version string
	// TLS is spoken to clients that ask for it; nil: to none.
	TLS    *tls.Config
	Logger *slog.Logger
}

// Server is one frontend's MySQL port.
type Server struct {
	cfg    Config
	core   *core.Core
	log    *slog.Logger
	engine *query.Engine
	loader *load.Loader

	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	idle     *sync.Cond // signalled when a connection ends
	closed   bool
	listener *mysql.Listener
	conns    map[*mysql.Conn]*session
	globals  map[string]string // by SET GLOBAL; what new sessions start with
}

// NewServer returns a server that does not listen yet.
func NewServer(cfg Config) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Version == "" {
		cfg.Version = versionText(cfg.Core.Version())
	}
	routeLogs(cfg.Logger)
	for name, password := range cfg.Users {
		cfg.Core.Users.Set(core.User{Name: name, Password: password, Admin: true})
	}
	s := &Server{
		cfg: cfg, core: cfg.Core, log: cfg.Logger, engine: query.NewEngine(),
		loader: load.New(cfg.Core, cfg.DDL), conns: map[*mysql.Conn]*session{}, globals: map[string]string{},
	}
	s.idle = sync.NewCond(&s.mu)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// ErrClosed is returned by Serve after Close.
var ErrClosed = errors.New("MySQL server is closed")

// Serve accepts connections until Close, which it answers with ErrClosed, or
// until the listener fails.
func (s *Server) Serve(l net.Listener) error {
	listener, err := mysql.NewFromListener(l, authServer{s}, handler{s}, 0, 0)
	if err != nil {
		return fmt.Errorf("start the MySQL listener: %w", err)
	}
	listener.ServerVersion = serverVersion
	listener.TLSConfig = s.cfg.TLS
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(ErrClosed, l.Close())
	}
	s.listener = listener
	s.mu.Unlock()

	listener.Accept()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return fmt.Errorf("the MySQL listener on %s stopped accepting", l.Addr())
}

// Close stops listening, drops all connections as the death of a process would,
// and waits for the statements that were running. It may be called repeatedly.
func (s *Server) Close() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.listener != nil {
		s.listener.Shutdown()
	}
	for c := range s.conns {
		c.Conn.Close()
	}
	for len(s.conns) > 0 {
		s.idle.Wait()
	}
}

// addConn registers a connection and opens its session.
func (s *Server) addConn(c *mysql.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Conn.Close()
	}
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		host = c.RemoteAddr().String()
	}
	s.conns[c] = newSession(s, c.ConnectionID, host, time.Now())
}

func (s *Server) removeConn(c *mysql.Conn) {
	s.mu.Lock()
	sess := s.conns[c]
	s.mu.Unlock()
	if sess != nil {
		sess.close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.idle.Broadcast()
}

// session returns the connection's session, knowing its user. It is for the
// connection's own goroutine.
func (s *Server) session(c *mysql.Conn) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.conns[c]
	if found != nil {
		found.user = c.User
	}
	return found
}
