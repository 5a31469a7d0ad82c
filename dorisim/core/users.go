package core

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// anyHost is the host pattern of accounts that are valid from everywhere.
const anyHost = "%"

// User is an account. There is one of each name: Doris would tell accounts of
// the same name and different hosts apart.
type User struct {
	Name string
	// Host is the pattern, as of LIKE, of the addresses from which the account is
	// valid; "" is any.
	Host     string
	Password string
	// Admin may do everything; others what Grants says (doris-rpc.md 3, rule 6).
	Admin bool
	// Grants are replaced, never changed, once a User is in Users.
	Grants map[Scope]Privilege
}

// HostPattern is Host, written out.
func (u User) HostPattern() string { return cmp.Or(u.Host, anyHost) }

// Identity is 'name'@'host'.
func (u User) Identity() string { return "'" + u.Name + "'@'" + u.HostPattern() + "'" }

// From tells whether the account is valid from the address. "" is an address
// that nobody has told: only accounts for any host are valid then (doris-rpc.md
// 3, rule 3).
func (u User) From(address string) bool {
	pattern := u.HostPattern()
	if pattern == anyHost {
		return true
	}
	expression := regexp.QuoteMeta(pattern)
	expression = strings.NewReplacer("%", ".*", "_", ".").Replace(expression)
	matched, err := regexp.MatchString("^"+expression+"$", address)
	return err == nil && matched && address != ""
}

// legacyCluster may stand before a user's name.
const legacyCluster = "default_cluster:"

// Users are the accounts of a cluster, safe for concurrent use.
type Users struct {
	mu sync.RWMutex
	m  map[string]User
}

func newUsers() *Users {
	return &Users{m: map[string]User{"root": {Name: "root", Admin: true}}}
}

// Set adds or replaces an account.
func (u *Users) Set(user User) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.m[user.Name] = user
}

// Remove deletes an account and tells whether there was one.
func (u *Users) Remove(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.m[name]
	delete(u.m, name)
	return ok
}

// Get returns an account. The legacy "default_cluster:" prefix is ignored.
func (u *Users) Get(name string) (User, bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	user, ok := u.m[strings.TrimPrefix(name, legacyCluster)]
	return user, ok
}

// Check tells whether the clear-text password is right and the account valid
// from the address.
func (u *Users) Check(name, password, address string) (User, bool) {
	user, ok := u.Get(name)
	return user, ok && user.Password == password && user.From(address)
}

// List returns the accounts by name.
func (u *Users) List() []User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return slices.SortedFunc(maps.Values(u.m), func(a, b User) int { return strings.Compare(a.Name, b.Name) })
}
