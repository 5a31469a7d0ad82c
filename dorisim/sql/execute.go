package sql

import (
	"context"
	"errors"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// statementFunc runs a statement whose first word has been consumed.
type statementFunc func(*session, context.Context, *cursor) (*sqltypes.Result, error)

// statements by first word; everything else is DDL.
func statementFor(word string) statementFunc {
	switch word {
	case "SELECT", "WITH":
		return (*session).selectStatement
	case "SHOW":
		return (*session).show
	case "DESC", "DESCRIBE":
		return (*session).describe
	case "EXPLAIN":
		return (*session).explain
	case "INSERT":
		return (*session).insert
	case "DELETE":
		return (*session).deleteRows
	case "UPDATE":
		return (*session).update
	case "BEGIN", "START":
		return (*session).begin
	case "COMMIT":
		return (*session).commit
	case "ROLLBACK":
		return (*session).rollback
	case "SET":
		return (*session).set
	case "USE":
		return (*session).useStatement
	case "UNSET", "KILL", "GRANT", "REVOKE", "REFRESH", "ANALYZE", "SWITCH", "WARM":
		return (*session).ignore
	}
	return nil
}

// execute runs one statement.
func (s *session) execute(ctx context.Context, text string) (*sqltypes.Result, error) {
	c, err := newCursor(text)
	if err != nil {
		return nil, asRefusal(err)
	}
	if c.end() {
		return done(), nil
	}
	if c.peek().IsSymbol("(") {
		return s.selectStatement(ctx, c)
	}
	first := strings.ToUpper(c.peek().Text)
	if run := statementFor(first); run != nil && c.peek().Kind == parser.Word {
		c.next()
		return run(s, ctx, c)
	}
	switch {
	case c.keyword("ADMIN", "SHOW"):
		return s.show(ctx, c)
	case c.keyword("CREATE", "USER"):
		return s.createUser(c)
	case c.keyword("DROP", "USER"):
		return s.dropUser(c)
	}
	return s.executeDDL(ctx, text)
}

// executeDDL runs what package parser knows.
func (s *session) executeDDL(ctx context.Context, text string) (*sqltypes.Result, error) {
	statement, err := parser.Parse(text)
	switch {
	case errors.Is(err, parser.ErrUnknownStatement):
		return nil, errSyntax(text)
	case err != nil:
		return nil, asRefusal(err)
	}
	if err := s.server.cfg.DDL.Exec(ctx, s.db, statement); err != nil {
		return nil, err
	}
	if drop, ok := statement.(*parser.DropDatabase); ok && drop.Name == s.db {
		s.db = ""
	}
	return done(), nil
}

// asRefusal turns an error of the parser into one that clients see.
func asRefusal(err error) error {
	var refusal *core.Error
	if errors.As(err, &refusal) {
		return err
	}
	return core.Errorf("%s", err.Error())
}

// ignore accepts statements that have no effect in the simulator.
func (s *session) ignore(context.Context, *cursor) (*sqltypes.Result, error) { return done(), nil }

func (s *session) useStatement(_ context.Context, c *cursor) (*sqltypes.Result, error) {
	catalogOrDB, name, err := c.name()
	if err != nil {
		return nil, err
	}
	_ = catalogOrDB // USE internal.db
	if err := c.finish(); err != nil {
		return nil, err
	}
	return done(), s.use(name)
}

// explain answers with the statement itself: there is no plan worth reading.
func (s *session) explain(_ context.Context, c *cursor) (*sqltypes.Result, error) {
	l := newListing("Explain String")
	l.add(c.rest())
	return l.result(), nil
}

// createUser knows CREATE USER [IF NOT EXISTS] 'name'[@'host'] [IDENTIFIED BY 'password'].
func (s *session) createUser(c *cursor) (*sqltypes.Result, error) {
	quiet := c.keyword("IF", "NOT", "EXISTS")
	name, err := userName(c)
	if err != nil {
		return nil, err
	}
	password := ""
	if c.keyword("IDENTIFIED", "BY") {
		if password, err = c.text(); err != nil {
			return nil, err
		}
	}
	if _, ok := s.server.core.Users.Get(name); ok {
		if quiet {
			return done(), nil
		}
		return nil, core.Errorf("User '%s'@'%%' already exist", name)
	}
	s.server.core.Users.Set(core.User{Name: name, Password: password, Admin: true})
	return done(), nil
}

func (s *session) dropUser(c *cursor) (*sqltypes.Result, error) {
	quiet := c.keyword("IF", "EXISTS")
	name, err := userName(c)
	if err != nil {
		return nil, err
	}
	if !s.server.core.Users.Remove(name) && !quiet {
		return nil, core.Errorf("User '%s'@'%%' does not exist", name)
	}
	return done(), nil
}

// userName consumes a user, quoted in any way, with an optional host.
func userName(c *cursor) (string, error) {
	t := c.next()
	if t.Kind == parser.EOF || t.Kind == parser.Symbol {
		return "", errSyntax(t.Text)
	}
	if c.symbol("@") {
		c.next()
	}
	return t.Text, nil
}
