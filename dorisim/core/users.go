package core

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// User is an account. All accounts are valid from any host ('%').
type User struct {
	Name     string
	Password string
	// Admin may do everything; others what Grants says (doris-rpc.md 3, rule 6).
	Admin bool
	// Grants are replaced, never changed, once a User is in Users.
	Grants map[Scope]Privilege
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

// Check tells whether the clear-text password is right.
func (u *Users) Check(name, password string) (User, bool) {
	user, ok := u.Get(name)
	return user, ok && user.Password == password
}

// List returns the accounts by name.
func (u *Users) List() []User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return slices.SortedFunc(maps.Values(u.m), func(a, b User) int { return strings.Compare(a.Name, b.Name) })
}
