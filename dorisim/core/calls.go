package core

import (
	"maps"
	"sync"
)

// Calls counts what clients ask of the frontends of a cluster. The zero value is
// ready for use.
type Calls struct {
	mu         sync.Mutex
	thrift     map[string]int64
	statements map[string]int64
}

// CallCounts are the calls up to a moment: Thrift calls by method, statements by the
// account that sent them.
type CallCounts struct {
	Thrift     map[string]int64 `json:"thrift"`
	Statements map[string]int64 `json:"statements"`
}

// Thrift counts a call of a method.
func (c *Calls) Thrift(method string) { c.count(&c.thrift, method) }

// Statement counts a statement of an account.
func (c *Calls) Statement(user string) { c.count(&c.statements, user) }

func (c *Calls) count(of *map[string]int64, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *of == nil {
		*of = map[string]int64{}
	}
	(*of)[key]++
}

// Counts returns what has been counted since the cluster was started.
func (c *Calls) Counts() CallCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := CallCounts{Thrift: maps.Clone(c.thrift), Statements: maps.Clone(c.statements)}
	if counts.Thrift == nil {
		counts.Thrift = map[string]int64{}
	}
	if counts.Statements == nil {
		counts.Statements = map[string]int64{}
	}
	return counts
}
