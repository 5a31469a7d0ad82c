package core

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/dorisim/faults"
)

// The debug points that the simulator knows (doris-sql.md 4.11, 5.8).
const (
	// PauseRestore holds the restore whose label is the point's value, once it is
	// neither PENDING nor CREATING.
	PauseRestore = "FE.PAUSE_NON_PENDING_RESTORE_JOB"
	// PauseBackup holds the PENDING backups whose labels begin with the point's
	// value.
	PauseBackup = "FE.PAUSE_PENDING_BACKUP_JOB"
)

// DebugPoint is one debug point of a frontend.
type DebugPoint struct {
	Value   string
	Limit   int       // it is passed that often, 0 = without limit
	Expires time.Time // zero = never
	passed  int
}

// DebugPoints are the debug points of all frontends: each has its own, which end
// with its process.
type DebugPoints struct {
	mu sync.Mutex
	of map[int]map[string]*DebugPoint
}

// Add switches a point on.
func (d *DebugPoints) Add(frontend int, name string, p DebugPoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[int]map[string]*DebugPoint{}
	}
	if d.of[frontend] == nil {
		d.of[frontend] = map[string]*DebugPoint{}
	}
	d.of[frontend][name] = &p
}

// Remove switches a point off.
func (d *DebugPoints) Remove(frontend int, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.of[frontend], name)
}

// Clear switches all points of a frontend off.
func (d *DebugPoints) Clear(frontend int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.of, frontend)
}

// pass returns the value of a point and counts the passing.
func (d *DebugPoints) pass(frontend int, name string, now time.Time) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.of[frontend][name]
	if !ok {
		return "", false
	}
	p.passed++
	if !p.Expires.IsZero() && !now.Before(p.Expires) || p.Limit > 0 && p.passed > p.Limit {
		delete(d.of[frontend], name)
		return "", false
	}
	return p.Value, true
}

// DebugPoints returns the debug points of the cluster's frontends.
func (c *Core) DebugPoints() *DebugPoints { return &c.debugPoints }

// debugPoll is how often a held job looks whether its debug point is still on.
const debugPoll = 5 * time.Millisecond

// HoldJob waits while the debug point of the master holds the job with that label.
func (c *Core) HoldJob(ctx context.Context, name, label string) error {
	holds := func(value string) bool { return value == label }
	if name == PauseBackup {
		holds = func(value string) bool { return strings.HasPrefix(label, value) }
	}
	for c.FEConfig("enable_debug_points") == "true" {
		value, on := c.debugPoints.pass(c.Master(), name, c.Now())
		if !on || value == "" || !holds(value) {
			return nil
		}
		if err := faults.Sleep(ctx, debugPoll); err != nil {
			return err
		}
	}
	return nil
}
