package fe

import (
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

// credentials are user, password and token of a request.
type credentials struct{ user, password, token *string }

// trusted tells whether a token takes the place of the password.
func (c credentials) trusted() bool { return c.token != nil && *c.token != "" }

// login checks the password only.
func (s *service) login(ctx context.Context, c credentials) (core.User, error) {
	user, ok := s.core.Users.Check(*c.user, *c.password)
	if ok {
		return user, nil
	}
	using := "YES"
	if *c.password == "" {
		using = "NO"
	}
	return core.User{}, core.Errorf("Access denied for user '%s@%s' (using password: %s)", *c.user, thriftserver.Peer(ctx), using)
}

// authorize checks password and privilege, unless a token is given.
func (s *service) authorize(ctx context.Context, c credentials, privilege string) error {
	if c.trusted() {
		return nil
	}
	user, err := s.login(ctx, c)
	if err != nil {
		return err
	}
	if !user.Admin {
		return core.Errorf("Access denied; you need (at least one of) the (%s) privilege(s) for this operation", privilege)
	}
	return nil
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
