package core

import (
	"cmp"
	"maps"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// TabletHome says what a tablet belongs to.
type TabletHome struct {
	TableID, IndexID int64
	Partition        *catalog.Partition
}

// NewPartition makes a partition of t with tablets of every index on the
// backends, all at version 1. It is not added to t. Tablet ids ascend in bucket
// order. It needs the lock.
func (c *Core) NewPartition(t *catalog.Table, name string, item catalog.Item, d catalog.Distribution, replicas int) (*catalog.Partition, error) {
	now := c.Now()
	p := &catalog.Partition{
		ID: c.NextID(), Name: name, Item: item, Distribution: d, ReplicaNum: replicas,
		Properties: map[string]string{}, VisibleVersion: 1, VisibleTime: now, NextVersion: 2,
		State: catalog.StateNormal, Tablets: map[int64][]*catalog.Tablet{}, Created: now,
	}
	for _, idx := range SortedIndexes(t) {
		if err := c.addTablets(t, p, idx); err != nil {
			c.DropPartition(p)
			return nil, err
		}
	}
	return p, nil
}

// NewIndexTablets makes the tablets of a new index in all partitions of t,
// temporary ones included. It needs the lock.
func (c *Core) NewIndexTablets(t *catalog.Table, idx *catalog.Index) error {
	for _, p := range Partitions(t) {
		if err := c.addTablets(t, p, idx); err != nil {
			return err
		}
	}
	return nil
}

// addTablets makes the tablets of one index of one partition. They begin at the
// partition's committed version: what was committed before is not published to
// them any more.
func (c *Core) addTablets(t *catalog.Table, p *catalog.Partition, idx *catalog.Index) error {
	version := p.NextVersion - 1
	for range max(p.Distribution.Buckets, 1) {
		tablet := &catalog.Tablet{ID: c.NextID()}
		hosts, err := c.place(p.ReplicaNum)
		if err != nil {
			return err
		}
		// Registered first, so that DropPartition also removes a half made one.
		p.Tablets[idx.ID] = append(p.Tablets[idx.ID], tablet)
		c.tablets[tablet.ID] = TabletHome{TableID: t.ID, IndexID: idx.ID, Partition: p}
		for _, host := range hosts {
			spec := be.TabletSpec{
				TabletID: tablet.ID, PartitionID: p.ID, TableID: t.ID, IndexID: idx.ID, Schema: idx.Schema,
				BinlogEnabled: t.Properties["binlog.enable"] == "true", MergeOnWrite: mergeOnWrite(t), InvertedIndexes: invertedIndexes(t),
			}
			tasks, _ := c.Backend(host)
			if err := tasks.CreateTablet(spec); err != nil {
				return Errorf("failed to create tablet %d on backend %d: %v", tablet.ID, host, err)
			}
			if version > 1 {
				if err := tasks.Rebase(tablet.ID, version, be.RowsetData{}); err != nil {
					return Errorf("failed to create tablet %d on backend %d: %v", tablet.ID, host, err)
				}
			}
			tablet.Replicas = append(tablet.Replicas, &catalog.Replica{ID: c.NextID(), BackendID: host, Version: version})
		}
	}
	return nil
}

// mergeOnWrite tells whether the table's tablets have delete bitmaps.
func mergeOnWrite(t *catalog.Table) bool {
	return t.Keys == types.UniqueKeys && t.Properties["enable_unique_key_merge_on_write"] == "true"
}

// place chooses backends for the replicas of one tablet, in turn.
func (c *Core) place(replicas int) ([]int64, error) {
	var alive []int64
	for _, b := range c.Backends() {
		if b.Alive && !b.Decommissioned {
			alive = append(alive, b.ID)
		}
	}
	replicas = max(replicas, 1)
	if len(alive) < replicas {
		return nil, Errorf("Failed to find enough backend, please check the replication num,replication tag and storage medium and avail capacity of backends or maybe all be on same host.\n"+
			"Create failed replications:\nreplication tag: {\"location\" : \"default\"}, replication num: %d, storage medium: HDD", replicas)
	}
	chosen := make([]int64, replicas)
	for i := range chosen {
		chosen[i] = alive[(c.placed+i)%len(alive)]
	}
	c.placed++
	return chosen, nil
}

// DropPartition removes the tablets of a partition from the backends. It needs
// the lock.
func (c *Core) DropPartition(p *catalog.Partition) {
	for _, tablets := range p.Tablets {
		c.dropTablets(tablets)
	}
}

// DropTable removes all tablets of a table from the backends. It needs the lock.
func (c *Core) DropTable(t *catalog.Table) {
	for _, p := range Partitions(t) {
		c.DropPartition(p)
	}
}

func (c *Core) dropTablets(tablets []*catalog.Tablet) {
	for _, tablet := range tablets {
		delete(c.tablets, tablet.ID)
		for _, r := range tablet.Replicas {
			if tasks, ok := c.Backend(r.BackendID); ok {
				tasks.DropTablet(tablet.ID)
			}
		}
	}
}

// SyncTabletSettings pushes the schemas, inverted indexes and binlog switch of t to its
// tablets. A backend that is down learns them when the tablet is repaired. It
// needs the lock.
func (c *Core) SyncTabletSettings(t *catalog.Table) {
	binlog, inverted := t.Properties["binlog.enable"] == "true", invertedIndexes(t)
	c.eachReplica(t, func(idx *catalog.Index, tablet *catalog.Tablet, tasks be.Tasks) {
		_ = tasks.UpdateSchema(tablet.ID, idx.Schema)
		_ = tasks.SetInvertedIndexes(tablet.ID, inverted)
		_ = tasks.SetBinlog(tablet.ID, binlog)
	})
}

func (c *Core) eachReplica(t *catalog.Table, f func(*catalog.Index, *catalog.Tablet, be.Tasks)) {
	for _, p := range Partitions(t) {
		for indexID, tablets := range p.Tablets {
			idx, ok := t.Indexes[indexID]
			if !ok {
				continue
			}
			for _, tablet := range tablets {
				for _, r := range tablet.Replicas {
					if tasks, ok := c.Backend(r.BackendID); ok {
						f(idx, tablet, tasks)
					}
				}
			}
		}
	}
}

// Tablet tells where a tablet belongs. It needs the lock.
func (c *Core) Tablet(id int64) (TabletHome, bool) {
	home, ok := c.tablets[id]
	return home, ok
}

// Partitions returns the formal and temporary partitions of t by id.
func Partitions(t *catalog.Table) []*catalog.Partition {
	list := slices.AppendSeq(slices.Collect(maps.Values(t.Partitions)), maps.Values(t.Temporary))
	slices.SortFunc(list, func(a, b *catalog.Partition) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// SortedIndexes returns the indexes of t, the base index first, then by id.
func SortedIndexes(t *catalog.Table) []*catalog.Index {
	return slices.SortedFunc(maps.Values(t.Indexes), func(a, b *catalog.Index) int {
		if (a.ID == t.BaseIndexID) != (b.ID == t.BaseIndexID) {
			if a.ID == t.BaseIndexID {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.ID, b.ID)
	})
}

func invertedIndexes(t *catalog.Table) []int64 {
	var ids []int64
	for _, s := range t.Secondary {
		if s.Kind == "INVERTED" {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// schemaOf returns the schema of the index of t.
func schemaOf(t *catalog.Table, indexID int64) (types.Schema, bool) {
	idx, ok := t.Indexes[indexID]
	if !ok {
		return types.Schema{}, false
	}
	return idx.Schema, true
}
