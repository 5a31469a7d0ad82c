package sql

import (
	"context"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

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
	s.server.core.Users.Set(core.User{Name: name, Password: password})
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

// grant is GRANT ... TO user, and REVOKE ... FROM user with admin = false. There
// are two kinds of users: those who may do everything and those who may only
// connect (doris-rpc.md 3.6); any privilege makes one of the former.
func (s *session) grant(c *cursor, admin bool) (*sqltypes.Result, error) {
	preposition := "FROM"
	if admin {
		preposition = "TO"
	}
	for !c.end() && !c.peek().Is(preposition) {
		c.next()
	}
	if !c.keyword(preposition) {
		return nil, c.mismatch()
	}
	c.keyword("USER")
	name, err := userName(c)
	if err != nil {
		return nil, err
	}
	user, ok := s.server.core.Users.Get(name)
	if !ok {
		return nil, core.Errorf("User '%s'@'%%' does not exist", name)
	}
	user.Admin = admin
	s.server.core.Users.Set(user)
	return done(), nil
}

// userStatement dispatches what changes accounts; ok is false for anything else.
func (s *session) userStatement(_ context.Context, c *cursor) (result *sqltypes.Result, ok bool, err error) {
	switch {
	case c.keyword("CREATE", "USER"):
		result, err = s.createUser(c)
	case c.keyword("DROP", "USER"):
		result, err = s.dropUser(c)
	case c.keyword("GRANT"):
		result, err = s.grant(c, true)
	case c.keyword("REVOKE"):
		result, err = s.grant(c, false)
	default:
		return nil, false, nil
	}
	return result, true, err
}

// mayWrite refuses users without privileges, and everybody while the cluster has
// no master.
func (s *session) mayWrite() error {
	switch {
	case !s.isAdmin():
		return core.CodeErrorf(codeDenied, "Access denied; you need (at least one of) the (ADMIN) privilege(s) for this operation")
	case s.server.core.Master() < 0:
		return errNotReady()
	}
	return nil
}
