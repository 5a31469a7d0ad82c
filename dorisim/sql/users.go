package sql

import (
	"context"
	"slices"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// rootUser can neither be dropped nor lose its privileges.
const rootUser = "root"

// userStatement dispatches what changes accounts; ok is false for anything else.
func (s *session) userStatement(_ context.Context, c *cursor) (result *sqltypes.Result, ok bool, err error) {
	var run func() error
	switch {
	case c.keyword("CREATE", "USER"):
		run = func() error { return s.createUser(c) }
	case c.keyword("ALTER", "USER"):
		run = func() error { return s.alterUser(c) }
	case c.keyword("DROP", "USER"):
		run = func() error { return s.dropUser(c) }
	case c.keyword("GRANT"):
		run = func() error { return s.grant(c, false) }
	case c.keyword("REVOKE"):
		run = func() error { return s.grant(c, true) }
	default:
		return nil, false, nil
	}
	if err := s.needGlobal(core.GrantPriv, "GRANT"); err != nil {
		return nil, true, err
	}
	return done(), true, run()
}

// createUser knows CREATE USER [IF NOT EXISTS] 'name'[@'host'] [IDENTIFIED BY
// 'password'] [DEFAULT ROLE 'admin']; further options have no effect.
func (s *session) createUser(c *cursor) error {
	quiet := c.keyword("IF", "NOT", "EXISTS")
	user, err := userIdentity(c)
	if err != nil {
		return err
	}
	if user.Password, err = identifiedBy(c); err != nil {
		return err
	}
	if c.keyword("DEFAULT", "ROLE") {
		role := c.next().Text
		if user.Admin = strings.EqualFold(role, "admin"); !user.Admin {
			return core.Errorf("Role: %s does not exist", role)
		}
	}
	switch old, ok := s.server.core.Users.Get(user.Name); {
	case ok && old.HostPattern() != user.HostPattern():
		return core.Errorf("dorisim has one account of each name, and %s exists", old.Identity())
	case ok && quiet:
		return nil
	case ok:
		return core.Errorf("User %s already exist", user.Identity())
	}
	s.server.core.Users.Set(user)
	return nil
}

// identifiedBy consumes [IDENTIFIED BY 'password'].
func identifiedBy(c *cursor) (string, error) {
	if !c.keyword("IDENTIFIED", "BY") {
		return "", nil
	}
	if c.peek().Is("PASSWORD") {
		return "", core.Errorf("IDENTIFIED BY PASSWORD is not supported by dorisim yet: give the password itself")
	}
	return c.text()
}

// alterUser is ALTER USER [IF EXISTS] 'name' IDENTIFIED BY 'password'.
func (s *session) alterUser(c *cursor) error {
	quiet := c.keyword("IF", "EXISTS")
	user, err := userIdentity(c)
	if err != nil {
		return err
	}
	changes := c.peek().Is("IDENTIFIED")
	password, err := identifiedBy(c)
	if err != nil {
		return err
	}
	if err := s.changeAccount(user, func(u *core.User) {
		if changes {
			u.Password = password
		}
	}); err != nil && !quiet {
		return err
	}
	return nil
}

// known returns the account that a statement names.
func (s *session) known(named core.User) (core.User, error) {
	user, ok := s.server.core.Users.Get(named.Name)
	if !ok || user.HostPattern() != named.HostPattern() {
		return user, core.Errorf("User %s does not exist", named.Identity())
	}
	return user, nil
}

// changeAccount changes the account that a statement names.
func (s *session) changeAccount(named core.User, change func(*core.User)) error {
	if _, err := s.known(named); err != nil {
		return err
	}
	s.server.core.Users.Change(named.Name, change)
	return nil
}

func (s *session) dropUser(c *cursor) error {
	quiet := c.keyword("IF", "EXISTS")
	user, err := userIdentity(c)
	if err == nil && user.Name == rootUser {
		return core.Errorf("Can not drop root user")
	}
	if err != nil {
		return err
	}
	if _, err := s.known(user); err != nil {
		if quiet {
			return c.finish()
		}
		return err
	}
	s.server.core.Users.Remove(user.Name)
	return c.finish()
}

// userIdentity consumes a user, quoted in any way, with an optional host.
func userIdentity(c *cursor) (core.User, error) {
	t := c.next()
	if t.Kind == parser.EOF || t.Kind == parser.Symbol {
		return core.User{}, errSyntax(t.Text)
	}
	user := core.User{Name: t.Text}
	if !c.symbol("@") {
		return user, nil
	}
	if c.peek().IsSymbol("(") || c.peek().IsSymbol("[") {
		return user, core.Errorf("dorisim resolves no domains: name the host of user %s by an address or a pattern", user.Name)
	}
	if c.end() {
		return user, c.mismatch()
	}
	user.Host = c.next().Text
	return user, nil
}

// grant is GRANT privileges ON scope TO user and REVOKE privileges ON scope FROM
// user, and both with the role 'admin'.
func (s *session) grant(c *cursor, revoke bool) error {
	preposition := "TO"
	if revoke {
		preposition = "FROM"
	}
	if c.peek().Kind == parser.String {
		return s.grantRole(c, preposition, revoke)
	}
	set, err := privilegeList(c)
	if err != nil {
		return err
	}
	if !c.keyword("ON") {
		return c.mismatch()
	}
	if onObject(c) {
		return nil // resources and workload groups: everybody may use them
	}
	scope, err := grantScope(c)
	if err != nil {
		return err
	}
	global := scope == core.Scope{}
	if !global && set&(core.AdminPriv|core.NodePriv) != 0 {
		return core.Errorf("ADMIN_PRIV and NODE_PRIV privilege can only be granted/revoked on/from *.*.*")
	}
	return s.changeUser(c, preposition, func(u *core.User) {
		if revoke && global && set&core.AdminPriv != 0 {
			u.Admin = false
		}
		left := u.Grants[scope] | set
		if revoke {
			left = u.Grants[scope] &^ set
		}
		u.Grants[scope] = left
		if left == 0 {
			delete(u.Grants, scope)
		}
	})
}

// grantRole knows the one role there is.
func (s *session) grantRole(c *cursor, preposition string, revoke bool) error {
	role := c.next().Text
	if !strings.EqualFold(role, "admin") {
		return core.Errorf("Role: %s does not exist", role)
	}
	return s.changeUser(c, preposition, func(u *core.User) { u.Admin = !revoke })
}

// changeUser consumes TO|FROM [USER] name and changes the account.
func (s *session) changeUser(c *cursor, preposition string, change func(*core.User)) error {
	if !c.keyword(preposition) {
		return c.mismatch()
	}
	c.keyword("USER")
	user, err := userIdentity(c)
	switch {
	case err != nil:
		return err
	case user.Name == rootUser && preposition == "FROM":
		return core.Errorf("Can not revoke any privilege from root user")
	}
	if err := c.finish(); err != nil {
		return err
	}
	return s.changeAccount(user, change)
}

// privilegeList reads SELECT_PRIV, LOAD_PRIV(columns), ...; the columns do not
// matter: a privilege on some of them is none on the table.
func privilegeList(c *cursor) (core.Privilege, error) {
	var set core.Privilege
	for {
		name, err := c.ident()
		if err != nil {
			return 0, err
		}
		p, ok := core.ParsePrivilege(name)
		if !ok {
			return 0, core.Errorf("Invalid privilege type: %s", name)
		}
		if c.keyword("PRIVILEGES"); c.peek().IsSymbol("(") {
			return 0, core.Errorf("privileges on columns are not supported by dorisim yet")
		}
		set |= p
		if !c.symbol(",") {
			return set, nil
		}
	}
}

// onObject consumes RESOURCE 'x' and the like.
func onObject(c *cursor) bool {
	for _, words := range [][]string{{"RESOURCE"}, {"WORKLOAD", "GROUP"}, {"STORAGE", "VAULT"}, {"COMPUTE", "GROUP"}, {"CLUSTER"}, {"STAGE"}} {
		if after := c.peekAt(len(words)); !after.IsSymbol(".") && !after.Is("TO") && !after.Is("FROM") && c.keyword(words...) {
			for !c.end() {
				c.next()
			}
			return true
		}
	}
	return false
}

// grantScope reads *.*.*, catalog.*.*, [catalog.]db.*, [catalog.]db.table.
func grantScope(c *cursor) (core.Scope, error) {
	var parts []string
	for {
		if c.symbol("*") {
			parts = append(parts, "")
		} else {
			name, err := c.ident()
			if err != nil {
				return core.Scope{}, err
			}
			parts = append(parts, name)
		}
		if !c.symbol(".") {
			break
		}
	}
	if len(parts) == 1 {
		parts = append([]string{""}, parts...) // * is *.*
	}
	var scope core.Scope
	if len(parts) == 3 {
		scope.Internal = parts[0] != ""
		parts = parts[1:]
	}
	if len(parts) != 2 || parts[0] == "" && parts[1] != "" {
		return scope, core.Errorf("Do not support format: %s", strings.Join(parts, "."))
	}
	scope.Database, scope.Table = parts[0], parts[1]
	if scope.Database != "" {
		scope.Internal = true
	}
	return scope, nil
}

// showGrants is SHOW GRANTS [FOR user] and SHOW ALL GRANTS.
func (s *session) showGrants(c *cursor, all bool) (*sqltypes.Result, error) {
	l := newListing("UserIdentity", "Comment", "Password", "Roles", "GlobalPrivs", "CatalogPrivs", "DatabasePrivs", "TablePrivs",
		"ColPrivs", "ResourcePrivs", "CloudClusterPrivs", "CloudStagePrivs", "StorageVaultPrivs", "WorkloadGroupPrivs", "ComputeGroupPrivs")
	users := []core.User{s.account()}
	if c.keyword("FOR") {
		named, err := userIdentity(c)
		if err != nil {
			return nil, err
		}
		user, err := s.known(named)
		if err != nil {
			return nil, err
		}
		users, all = []core.User{user}, user.Name != s.user
	} else if all {
		users = s.server.core.Users.List()
	}
	if all {
		if err := s.needGlobal(core.GrantPriv, "GRANT"); err != nil {
			return nil, err
		}
	}
	for _, u := range users {
		addGrants(l, u)
	}
	return l.result(), c.finish()
}

// rootName is the account that every cluster is born with.
const rootName = "root"

// addGrants prints an account as SHOW GRANTS does.
func addGrants(l *listing, u core.User) {
	password, roles, comment := "No", "", ""
	if u.Password != "" {
		password = "Yes"
	}
	var global core.Privilege
	if u.Admin {
		roles, global = "admin", core.NodePriv|core.AdminPriv
	}
	if u.Name == rootName {
		roles, comment = "operator", "ROOT"
	}
	databases := []string{"internal.information_schema: Select_priv", "internal.mysql: Select_priv"}
	var catalogs, tables []string
	for _, scope := range u.Scopes() {
		set := u.Grants[scope]
		switch {
		case scope.Table != "":
			tables = append(tables, internalCatalog+"."+scope.Database+"."+scope.Table+": "+set.String())
		case scope.Database != "":
			databases = append(databases, internalCatalog+"."+scope.Database+": "+set.String())
		case scope.Internal:
			catalogs = append(catalogs, internalCatalog+": "+set.String())
		default:
			global |= set
		}
	}
	slices.Sort(databases)
	l.add(u.Identity(), comment, password, roles, orNull(global.String()), orNull(strings.Join(catalogs, "; ")),
		strings.Join(databases, "; "), orNull(strings.Join(tables, "; ")), null, null, null, null, null, "normal: Usage_priv", null)
}

func orNull(text string) string {
	if text == "" {
		return null
	}
	return text
}

// mayWrite refuses everybody while the cluster has no master.
func (s *session) mayWrite() error {
	if s.server.core.Master() < 0 {
		return errNotReady()
	}
	return nil
}
