package core

import (
	"maps"
	"slices"
	"strings"
)

// Privilege is a set of Doris' privileges.
type Privilege uint

const (
	NodePriv Privilege = 1 << iota
	AdminPriv
	GrantPriv
	SelectPriv
	LoadPriv
	AlterPriv
	CreatePriv
	DropPriv
	UsagePriv
	ShowViewPriv
)

// ShowPriv is what lets a user know that an object exists: any privilege on it.
const ShowPriv = SelectPriv | LoadPriv | AlterPriv | CreatePriv | DropPriv | ShowViewPriv

// AllPriv is what GRANT ALL gives.
const AllPriv = GrantPriv | ShowPriv

// privilegeNames are the spellings of SHOW GRANTS, in its order.
var privilegeNames = []struct {
	set  Privilege
	name string
}{
	{NodePriv, "Node_priv"}, {AdminPriv, "Admin_priv"}, {GrantPriv, "Grant_priv"}, {SelectPriv, "Select_priv"}, {LoadPriv, "Load_priv"},
	{AlterPriv, "Alter_priv"}, {CreatePriv, "Create_priv"}, {DropPriv, "Drop_priv"}, {UsagePriv, "Usage_priv"}, {ShowViewPriv, "Show_view_priv"},
}

// ParsePrivilege reads one privilege of GRANT: with or without _PRIV, in any
// case. ALL is AllPriv.
func ParsePrivilege(text string) (Privilege, bool) {
	text = strings.ToLower(text)
	if text == "all" {
		return AllPriv, true
	}
	for _, p := range privilegeNames {
		if name := strings.ToLower(p.name); text == name || text == strings.TrimSuffix(name, "_priv") {
			return p.set, true
		}
	}
	return 0, false
}

// String lists the privileges as SHOW GRANTS does: Select_priv,Load_priv.
func (p Privilege) String() string {
	var names []string
	for _, known := range privilegeNames {
		if p&known.set != 0 {
			names = append(names, known.name)
		}
	}
	return strings.Join(names, ",")
}

// Scope is where a privilege holds: in all catalogs (the zero value), in the
// catalog `internal`, in a database, or for a table.
type Scope struct {
	Internal        bool // implied by Database
	Database, Table string
}

// covers tells whether what is granted in s holds for the table of the database;
// "" asks for the whole of what contains it.
func (s Scope) covers(database, table string) bool {
	return s.Database == "" || s.Database == database && (s.Table == "" || s.Table == table)
}

// May tells whether the user has one of the privileges on the table, or on the
// whole database for "", or everywhere for two "". Administrators may
// everything, except that Node_priv is its own.
func (u User) May(wanted Privilege, database, table string) bool {
	if u.Admin {
		return true
	}
	if wanted != NodePriv {
		wanted |= AdminPriv
	}
	for scope, granted := range u.Grants {
		if granted&wanted != 0 && scope.covers(database, table) {
			return true
		}
	}
	return false
}

// Sees tells whether the user may know of the database: one privilege on
// something in it is enough.
func (u User) Sees(database string) bool {
	if u.May(ShowPriv, database, "") {
		return true
	}
	for scope, granted := range u.Grants {
		if granted&ShowPriv != 0 && scope.Database == database {
			return true
		}
	}
	return false
}

// DenyError is Doris' refusal of an operation that needs a privilege, which it
// names (doris-rpc.md 3, rule 3).
func DenyError(privilege string) *Error {
	return CodeErrorf(1227, "Access denied; you need (at least one of) the (%s) privilege(s) for this operation", privilege)
}

// Change replaces an account by what change makes of it. It tells whether there
// is such an account.
func (u *Users) Change(name string, change func(*User)) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	user, ok := u.m[strings.TrimPrefix(name, legacyCluster)]
	if !ok {
		return false
	}
	user.Grants = maps.Clone(user.Grants)
	if user.Grants == nil {
		user.Grants = map[Scope]Privilege{}
	}
	change(&user)
	u.m[user.Name] = user
	return true
}

// Scopes are where the user has privileges, by name.
func (u User) Scopes() []Scope {
	return slices.SortedFunc(maps.Keys(u.Grants), func(a, b Scope) int {
		if a.Database != b.Database {
			return strings.Compare(a.Database, b.Database)
		}
		return strings.Compare(a.Table, b.Table)
	})
}
