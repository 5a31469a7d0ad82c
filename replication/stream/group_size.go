package stream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// groupSize is how many UPSERTs may share a transaction now. It is halved when one
// has failed, or has taken long, and grows again with each that is full and does
// well.
type groupSize struct {
	mu    sync.Mutex
	most  int
	limit int
}

// longGroup is how long the rows of a group may take: what they take a failure takes
// back, and a sub-transaction must not be half an hour old (doris-rpc.md 3.8).
const longGroup = 5 * time.Second

func newGroupSize(most int) *groupSize { return &groupSize{most: most, limit: most} }

func (g *groupSize) now() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limit
}

// failed notes that a transaction of so many UPSERTs has failed.
func (g *groupSize) failed(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = min(g.limit, max(1, n/2))
}

// filled notes that the rows of so many UPSERTs were there after a time.
func (g *groupSize) filled(n int, took time.Duration) {
	if took > longGroup && n > 1 {
		g.failed(n)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if n >= g.limit && took < longGroup/2 {
		g.limit = min(g.most, 2*g.limit)
	}
}

// unique tells whether the destination of a source table is a UNIQUE table. One that
// cannot be asked is taken for one.
func (s *shift) unique(ctx context.Context, table int64) bool {
	id := s.destinationOf(table)
	if known, asked := s.uniques[id]; asked {
		return known
	}
	unique, err := s.readUnique(ctx, id)
	if err != nil {
		s.log.Debug("the key model of a table could not be read", "table", table, "error", err)
		return true // and asked again next time
	}
	s.uniques[id] = unique
	return unique
}

func (s *shift) readUnique(ctx context.Context, id int64) (bool, error) {
	found, _, err := s.destination.get(ctx, []int64{id}, time.Time{})
	if err != nil {
		return true, err
	}
	if found[id].Table == nil {
		return true, fmt.Errorf("table %d: %w", id, sqlclient.ErrNotExist)
	}
	text, err := s.job.Destination.SQL.CreateTableText(ctx, s.in.Spec.Destination.Database, found[id].Name)
	if err != nil {
		return true, err
	}
	return strings.Contains(text, "UNIQUE KEY("), nil
}
