// Package access says who may talk to the HTTP servers of a ccr process: bearer
// tokens with roles, read from a file, and the servers' certificate. Both files
// may change while the process runs (architecture.md 6).
package access

import (
	"fmt"
	"strings"
)

// Role is what a token permits. A higher role permits what the lower ones do.
type Role int

const (
	// Open needs no token at all.
	Open Role = iota
	// Read sees jobs, their state and metrics.
	Read
	// Operate steers jobs that exist: pause, skip a binlog, order a snapshot.
	Operate
	// Admin creates and deletes jobs.
	Admin
)

var roleNames = map[Role]string{Open: "open", Read: "read", Operate: "operate", Admin: "admin"}

// String returns the word of the tokens file.
func (r Role) String() string { return roleNames[r] }

// ParseRole reads read, operate or admin.
func ParseRole(word string) (Role, error) {
	for _, r := range []Role{Read, Operate, Admin} {
		if strings.EqualFold(word, r.String()) {
			return r, nil
		}
	}
	return Open, fmt.Errorf("role %q is not one of read, operate, admin", word)
}
