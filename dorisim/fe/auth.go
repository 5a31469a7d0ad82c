package fe

import (
	"cmp"
	"context"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/thriftserver"
)

// given is a named argument that must be set.
type given struct {
	name string
	set  bool
}

// require fails for the first argument that is not set (doris-rpc.md 3, rule 2).
func require(arguments ...given) error {
	for _, a := range arguments {
		if !a.set {
			return core.Errorf("%s is not set", a.name)
		}
	}
	return nil
}

// credentials are user, password and token of a request. The account must be
// valid from the address: the socket's peer, or where the request has a field
// for it what that says (doris-rpc.md 3, rule 3).
type credentials struct {
	user, password, token *string
	address               string
}

// fromPeer are credentials of a method without user_ip, or that ignores it.
func fromPeer(ctx context.Context, user, password, token *string) credentials {
	return credentials{user, password, token, thriftserver.Peer(ctx)}
}

// trusted tells whether a token takes the place of the password.
func (c credentials) trusted() bool { return c.token != nil && *c.token != "" }

// login checks account and password only. The refusal says that there was a
// password even if it was empty (doris-rpc.md 3, rule 3).
func (s *service) login(c credentials) (core.User, error) {
	user, ok := s.core.Users.Check(*c.user, *c.password, c.address)
	if ok {
		return user, nil
	}
	return core.User{}, core.Errorf("Access denied for user '%s@%s' (using password: YES)", *c.user, cmp.Or(c.address, "null"))
}

// scope is what a request asks a privilege for: tables of a database, or all of
// it.
type scope struct {
	database string
	tables   []string // none, or only "": the database
}

// What calls need; administrators may everything.
const (
	mayRead = core.SelectPriv
	mayLoad = core.LoadPriv
)

// authorize checks password and privilege, unless a token is given.
func (s *service) authorize(c credentials, p core.Privilege, on scope) error {
	if c.trusted() {
		return nil
	}
	user, err := s.login(c)
	if err != nil {
		return err
	}
	if len(on.tables) == 0 {
		on.tables = []string{""}
	}
	for _, table := range on.tables {
		if !user.May(p, on.database, table) {
			return core.Errorf("%s", core.DenyError("priv predicate: OR, "+(core.AdminPriv|p).String()).Message)
		}
	}
	return nil
}

// named is the scope of a request with an optional table.
func named(database, table *string) scope {
	on := scope{tables: []string{""}}
	if database != nil {
		on.database = *database
	}
	if table != nil {
		on.tables[0] = *table
	}
	return on
}

// tableNames turns ids of tables into names; those that are gone are left out.
func (s *service) tableNames(ids []int64) []string {
	s.core.RLock()
	defer s.core.RUnlock()
	var names []string
	for _, id := range ids {
		if _, t, ok := s.core.TableByID(id); ok {
			names = append(names, t.Name)
		}
	}
	return names
}

// database finds a database by its name; refusal makes the error.
func (s *service) database(name string, refusal func(string, ...any) *core.Error) (*catalog.Database, error) {
	s.core.RLock()
	defer s.core.RUnlock()
	if db, ok := s.core.Database(name); ok {
		return db, nil
	}
	return nil, refusal("unknown database, database=%s", name)
}
