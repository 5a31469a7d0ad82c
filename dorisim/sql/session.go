package sql

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"
)

// session is the state of one connection. Its statements run one after the
// other; only close may come from another goroutine.
type session struct {
	server  *Server
	id      uint32
	started time.Time
	host    string // the client's address
	// user and db are written with server.mu held: other sessions read them.
	user string
	db   string

	vars      map[string]string         // set by this session, lower case
	userVars  map[string]sqltypes.Value // SET @name, lower case
	txn       *openTxn                  // between BEGIN and COMMIT
	temporary temporaryTables
	// warnings of the last statement: rows that an INSERT left out.
	warnings uint16

	ctx    context.Context
	cancel context.CancelFunc
}

// newSession needs s.mu.
func newSession(s *Server, id uint32, host string, now time.Time) *session {
	ctx, cancel := context.WithCancel(s.ctx)
	return &session{server: s, id: id, host: host, started: now, vars: maps.Clone(s.globals), ctx: ctx, cancel: cancel}
}

// close ends what the session still runs.
func (s *session) close() {
	s.cancel()
	s.dropTemporary()
}

// reset is what COM_RESET_CONNECTION asks for.
func (s *session) reset() {
	s.server.mu.Lock()
	s.vars = maps.Clone(s.server.globals)
	s.server.mu.Unlock()
	s.userVars, s.txn = nil, nil
}

// CurrentDatabase is the default database, "" if none is selected.
func (s *session) CurrentDatabase() string { return s.db }

// User is the account's name.
func (s *session) User() string { return s.user }

// use selects the default database.
func (s *session) use(name string) error {
	if !s.hasDatabase(name) {
		return errUnknownDatabase(name)
	}
	if !s.sees(name) {
		return s.errDatabaseDenied(name)
	}
	s.setDB(name)
	return nil
}

func (s *session) setDB(name string) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.db = name
}

func (s *session) hasDatabase(name string) bool {
	if slices.Contains(systemDatabases, strings.ToLower(name)) {
		return true
	}
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	_, ok := s.server.core.Database(name)
	return ok
}

func (s *session) hasTable(database, table string) bool {
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	db, ok := s.server.core.Database(database)
	return ok && db.Tables[table] != nil
}

// database returns the named database, or the current one for "". What of it an
// account may see is for the statement to decide.
func (s *session) database(name string) (string, error) {
	if name == "" {
		name = s.db
	}
	if name == "" {
		return "", errNoDatabase()
	}
	if !s.hasDatabase(name) {
		return "", errUnknownDatabase(name)
	}
	return name, nil
}

// flag reads a boolean session variable.
func (s *session) flag(name string) bool {
	v, _ := s.variable(name)
	return strings.EqualFold(v, "true") || v == "1" || strings.EqualFold(v, "on")
}
