package sql

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"

	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// handler connects the MySQL protocol with sessions.
type handler struct{ server *Server }

// NewConnection implements mysql.Handler.
func (h handler) NewConnection(c *mysql.Conn) {
	c.StatusFlags |= mysql.ServerStatusAutocommit
	h.server.addConn(c)
}

// ConnectionClosed implements mysql.Handler.
func (h handler) ConnectionClosed(c *mysql.Conn) { h.server.removeConn(c) }

// ConnectionAborted implements mysql.Handler.
func (h handler) ConnectionAborted(_ *mysql.Conn, reason string) error {
	h.server.log.Debug("connection refused", "reason", reason)
	return nil
}

// ComInitDB implements mysql.Handler.
func (h handler) ComInitDB(c *mysql.Conn, name string) error {
	s := h.session(c)
	if s == nil {
		return wireError(errNoSession)
	}
	if err := s.use(name); err != nil {
		return wireError(err)
	}
	return nil
}

var errNoSession = errors.New("the session is closed")

// session returns the connection's session, knowing its user.
func (h handler) session(c *mysql.Conn) *session { return h.server.session(c) }

// ComQuery implements mysql.Handler for clients without CLIENT_MULTI_STATEMENTS:
// all statements run, the client sees the last result (doris-sql.md 1.3).
func (h handler) ComQuery(_ context.Context, c *mysql.Conn, text string, callback mysql.ResultSpoolFn) error {
	result := done()
	for _, statement := range parser.Split(text) {
		var err error
		if result, err = h.run(c, statement); err != nil {
			return wireError(err)
		}
	}
	return callback(result, false)
}

// ComMultiQuery implements mysql.Handler: it runs the first statement and
// returns the others.
func (h handler) ComMultiQuery(_ context.Context, c *mysql.Conn, text string, callback mysql.ResultSpoolFn) (string, error) {
	statements := parser.Split(text)
	if len(statements) == 0 {
		return "", callback(done(), false)
	}
	result, err := h.run(c, statements[0])
	if err != nil {
		return "", wireError(err)
	}
	rest := strings.Join(statements[1:], ";\n")
	return rest, callback(result, rest != "")
}

// run executes one statement and turns a panic of the engine into an error:
// one bad query must not take the frontend down.
func (h handler) run(c *mysql.Conn, statement string) (result *sqltypes.Result, err error) {
	s := h.session(c)
	if s == nil {
		return nil, errNoSession
	}
	defer func() {
		if p := recover(); p != nil {
			h.server.log.Error("statement panicked", "panic", p, "stack", string(debug.Stack()))
			err = core.Errorf("internal error: %v", p)
		}
	}()
	h.server.core.Calls.Statement(s.user)
	return s.execute(s.ctx, statement)
}

// ComPrepare implements mysql.Handler. The columns of the result are told when
// the statement is executed.
func (handler) ComPrepare(context.Context, *mysql.Conn, string, *mysql.PrepareData) ([]*querypb.Field, error) {
	return nil, nil
}

// ComStmtExecute implements mysql.Handler.
func (h handler) ComStmtExecute(_ context.Context, c *mysql.Conn, prepare *mysql.PrepareData, callback func(*sqltypes.Result) error) error {
	text, err := bind(prepare.PrepareStmt, prepare.BindVars)
	if err != nil {
		return wireError(err)
	}
	result, err := h.run(c, text)
	if err != nil {
		return wireError(err)
	}
	return callback(result)
}

// WarningCount implements mysql.Handler.
func (h handler) WarningCount(c *mysql.Conn) uint16 {
	if s := h.session(c); s != nil {
		return s.warnings
	}
	return 0
}

// ComResetConnection implements mysql.Handler.
func (h handler) ComResetConnection(c *mysql.Conn) error {
	if s := h.session(c); s != nil {
		s.reset()
	}
	return nil
}

// ParserOptionsForConnection implements mysql.Handler.
func (handler) ParserOptionsForConnection(*mysql.Conn) (sqlparser.ParserOptions, error) {
	return sqlparser.ParserOptions{}, nil
}
