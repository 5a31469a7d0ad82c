package core

import (
	"errors"
	"fmt"
	"sync"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// repairQueue has the tablets with bad replicas.
type repairQueue struct {
	mu      sync.Mutex
	waiting map[int64]bool
	running map[int64]bool
}

func (q *repairQueue) init() { q.waiting, q.running = map[int64]bool{}, map[int64]bool{} }

func (q *repairQueue) add(tablet int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting[tablet] = true
}

// take returns the waiting tablets that are not being repaired.
func (q *repairQueue) take() []int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []int64
	for id := range q.waiting {
		if !q.running[id] {
			delete(q.waiting, id)
			q.running[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

func (q *repairQueue) done(tablet int64, again bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.running, tablet)
	if again {
		q.waiting[tablet] = true
	}
}

// errNotYet says that a repair needs a backend that is down.
var errNotYet = errors.New("no healthy source, or the target is down")

// repairReplicas copies bad replicas anew from healthy siblings.
func (c *Core) repairReplicas() {
	for _, id := range c.repairer.take() {
		c.wg.Go(func() {
			err := c.repairTablet(id)
			if err != nil && !errors.Is(err, errNotYet) {
				c.log.Warn("replica repair failed", "tablet", id, "error", err)
			}
			c.repairer.done(id, err != nil)
		})
	}
}

// repairTablet repairs the bad replicas of one tablet. It takes a place in the
// partition's order of publications, so that no version is published meanwhile.
func (c *Core) repairTablet(id int64) error {
	if err := c.beforeClone(); err != nil {
		return err
	}
	c.Lock()
	c.txns.mu.Lock()
	home, ok := c.tablets[id]
	if !ok {
		c.txns.mu.Unlock()
		c.Unlock()
		return nil
	}
	turn, done := c.takeTurn(home.Partition.ID)
	c.txns.mu.Unlock()
	c.Unlock()
	defer done()
	if turn != nil {
		select {
		case <-turn:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	return c.cloneBadReplicas(id)
}

// FaultClone is the fault point before a replica is copied.
const FaultClone = "clone"

// beforeClone takes the profile's time.
func (c *Core) beforeClone() error {
	if errors.As(c.faults.Before(c.ctx, FaultClone), new(*faults.Failure)) {
		return errNotYet
	}
	return faults.Sleep(c.ctx, c.Profile().Clone)
}

// takeTurn enters the partition's order of publications: wait for turn (nil:
// it is free), then call done. It needs c.txns.mu.
func (c *Core) takeTurn(partition int64) (turn <-chan struct{}, done func()) {
	prev, ok := c.txns.chain[partition]
	mine := make(chan struct{})
	c.txns.chain[partition] = mine
	if ok {
		turn = prev
	}
	return turn, func() {
		c.txns.mu.Lock()
		defer c.txns.mu.Unlock()
		if c.txns.chain[partition] == mine {
			delete(c.txns.chain, partition)
		}
		close(mine)
	}
}

// cloneBadReplicas does the copying; the caller holds the partition's turn.
func (c *Core) cloneBadReplicas(id int64) error {
	c.RLock()
	home, ok := c.tablets[id]
	if !ok {
		c.RUnlock()
		return nil
	}
	tablet := findTablet(home, id)
	var bad []*catalog.Replica
	var source *be.Backend
	for _, r := range tablet.Replicas {
		tasks, _ := c.Backend(r.BackendID)
		if r.LastFailed != 0 || r.Bad || r.State == catalog.ReplicaClone {
			bad = append(bad, r)
		} else if b, ok := tasks.(*be.Backend); ok && c.backendAlive(r.BackendID) {
			source = b
		}
	}
	c.RUnlock()
	if len(bad) == 0 {
		return nil
	}
	if source == nil {
		return errNotYet
	}
	var failures error
	for _, r := range bad {
		failures = errors.Join(failures, c.cloneReplica(home, id, r, source))
	}
	return failures
}

func (c *Core) cloneReplica(home TabletHome, id int64, r *catalog.Replica, source *be.Backend) error {
	tasks, ok := c.Backend(r.BackendID)
	if !ok || !c.backendAlive(r.BackendID) {
		return errNotYet
	}
	if err := tasks.Clone(c.ctx, id, source); err != nil {
		if errors.Is(err, be.ErrDown) {
			return errNotYet
		}
		return fmt.Errorf("clone tablet %d to backend %d: %w", id, r.BackendID, err)
	}
	version, err := tasks.Version(id)
	if err != nil {
		return fmt.Errorf("version of tablet %d on backend %d: %w", id, r.BackendID, err)
	}
	c.Lock()
	defer c.Unlock()
	if _, t, ok := c.TableByID(home.TableID); ok {
		if schema, ok := schemaOf(t, home.IndexID); ok {
			_ = tasks.UpdateSchema(id, schema)
		}
		_ = tasks.SetBinlog(id, t.Properties["binlog.enable"] == "true")
	}
	r.Version, r.Bad = version, false
	if r.State == catalog.ReplicaClone {
		r.State = ""
		c.scheduler.wake()
	}
	// Versions that are committed without this replica make it bad again when
	// they are published.
	r.LastFailed = 0
	return nil
}

func findTablet(home TabletHome, id int64) *catalog.Tablet {
	for _, t := range home.Partition.Tablets[home.IndexID] {
		if t.ID == id {
			return t
		}
	}
	return &catalog.Tablet{ID: id}
}

// MarkBad notes that a replica missed version and lets it be repaired. It needs
// the lock.
func (c *Core) MarkBad(tabletID int64, r *catalog.Replica, version int64) {
	r.LastFailed = version
	c.repairer.add(tabletID)
}
