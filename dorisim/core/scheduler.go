package core

import (
	"slices"
	"sync/atomic"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// replicaScheduler gives tablets the replicas that they lack and takes those
// away from backends that are decommissioned: the new replica is entered in
// state CLONE, filled by the repair, and the old one goes when no transaction
// can need it any more.
type replicaScheduler struct{ pending atomic.Bool }

// wake makes the next pass look at all tablets.
func (s *replicaScheduler) wake() { s.pending.Store(true) }

// scheduleReplicas is one pass. It looks again in the next one as long as
// something is under way.
func (c *Core) scheduleReplicas() {
	if !c.scheduler.pending.Swap(false) {
		return
	}
	c.Lock()
	backends := map[int64]BackendInfo{}
	leaving := map[int64]int{} // replicas left on decommissioned backends
	for _, b := range c.Backends() {
		backends[b.ID] = b
		if b.Decommissioned {
			leaving[b.ID] = 0
		}
	}
	again := len(leaving) > 0
	oldest := c.oldestRunningTxn()
	for id, home := range c.tablets {
		tablet := findTablet(home, id)
		if c.scheduleTablet(home, tablet, backends, oldest) {
			again = true
		}
		for _, r := range tablet.Replicas {
			if _, ok := leaving[r.BackendID]; ok {
				leaving[r.BackendID]++
			}
		}
	}
	c.Unlock()
	if c.FEConfig("drop_backend_after_decommission") == "true" {
		for id, replicas := range leaving {
			if replicas == 0 {
				c.removeBackend(id)
			}
		}
	}
	if again {
		c.scheduler.wake()
	}
}

// scheduleTablet does what one tablet needs next and tells whether it needs more
// later. It needs the lock.
func (c *Core) scheduleTablet(home TabletHome, tablet *catalog.Tablet, backends map[int64]BackendInfo, oldest int64) (again bool) {
	if _, t, ok := c.TableByID(home.TableID); ok && t.State == catalog.StateRestore {
		return true
	}
	known := func(r *catalog.Replica) bool { _, ok := backends[r.BackendID]; return ok }
	if !allOf(tablet.Replicas, known) {
		tablet.Replicas = filtered(tablet.Replicas, known)
	}
	staying := filtered(tablet.Replicas, func(r *catalog.Replica) bool { return !backends[r.BackendID].Decommissioned })
	want := max(home.Partition.ReplicaNum, 1)
	for len(staying) < want && len(tablet.Replicas) > 0 {
		r, ok := c.newReplica(tablet, backends)
		if !ok {
			return true // until there is a backend for it
		}
		staying = append(staying, r)
	}
	complete := filtered(staying, func(r *catalog.Replica) bool { return r.CanRead(home.Partition.VisibleVersion) })
	for _, r := range tablet.Replicas {
		if !backends[r.BackendID].Decommissioned {
			continue
		}
		again = true
		switch {
		case len(complete) < want:
		case r.State != catalog.ReplicaDecommission:
			r.State, r.Watermark = catalog.ReplicaDecommission, c.txnIDs.Load()
		case oldest > r.Watermark:
			c.retire(tablet, r)
		}
	}
	return again || len(complete) < want
}

// newReplica enters a replica in state CLONE on a backend that has none.
func (c *Core) newReplica(tablet *catalog.Tablet, backends map[int64]BackendInfo) (*catalog.Replica, bool) {
	var free []int64
	for _, b := range backends {
		hosts := func(r *catalog.Replica) bool { return r.BackendID == b.ID }
		if b.Alive && !b.Decommissioned && !slices.ContainsFunc(tablet.Replicas, hosts) {
			free = append(free, b.ID)
		}
	}
	if len(free) == 0 {
		return nil, false
	}
	slices.Sort(free)
	r := &catalog.Replica{ID: c.NextID(), BackendID: free[c.placed%len(free)], Version: -1, State: catalog.ReplicaClone}
	c.placed++
	tablet.Replicas = append(slices.Clone(tablet.Replicas), r)
	c.repairer.add(tablet.ID)
	return r, true
}

// retire takes a replica out of the tablet and off its backend.
func (c *Core) retire(tablet *catalog.Tablet, gone *catalog.Replica) {
	tablet.Replicas = filtered(tablet.Replicas, func(r *catalog.Replica) bool { return r != gone })
	if tasks, ok := c.Backend(gone.BackendID); ok {
		tasks.DropTablet(tablet.ID)
	}
}

// Replicas returns the replicas of a tablet. It takes the lock itself: do not
// hold it.
func (c *Core) Replicas(tablet *catalog.Tablet) []*catalog.Replica {
	c.RLock()
	defer c.RUnlock()
	return tablet.Replicas
}

// BreakReplica makes a backend lose a tablet and the frontend know it: the
// replica is bad until it is copied from a healthy one.
func (c *Core) BreakReplica(tabletID, backendID int64) error {
	c.Lock()
	defer c.Unlock()
	if err := c.markBad(tabletID, backendID); err != nil {
		return err
	}
	if tasks, ok := c.Backend(backendID); ok {
		tasks.DropTablet(tabletID)
	}
	return nil
}

// SetReplicaBad is ADMIN SET REPLICA STATUS: the backend keeps the data until
// the replica is copied anew. An unknown replica is passed over, as in Doris.
func (c *Core) SetReplicaBad(tabletID, backendID int64, bad bool) {
	c.Lock()
	defer c.Unlock()
	if bad {
		_ = c.markBad(tabletID, backendID)
		return
	}
	if home, ok := c.tablets[tabletID]; ok {
		for _, r := range findTablet(home, tabletID).Replicas {
			r.Bad = r.Bad && r.BackendID != backendID
		}
	}
}

func (c *Core) markBad(tabletID, backendID int64) error {
	home, ok := c.tablets[tabletID]
	if !ok {
		return Errorf("tablet %d does not exist", tabletID)
	}
	for _, r := range findTablet(home, tabletID).Replicas {
		if r.BackendID == backendID {
			r.Bad = true
			c.repairer.add(tabletID)
			return nil
		}
	}
	return Errorf("tablet %d has no replica on backend %d", tabletID, backendID)
}

func filtered(list []*catalog.Replica, keep func(*catalog.Replica) bool) []*catalog.Replica {
	return slices.DeleteFunc(slices.Clone(list), func(r *catalog.Replica) bool { return !keep(r) })
}

func allOf(list []*catalog.Replica, ok func(*catalog.Replica) bool) bool {
	return !slices.ContainsFunc(list, func(r *catalog.Replica) bool { return !ok(r) })
}
