package core

import "github.com/doris-ccr/ccr/dorisim/catalog"

// Stats is how much tablets hold.
type Stats struct {
	Rows, Bytes int64
	Versions    int // rowsets, for one replica
}

// ReplicaStats asks the backend of one replica; a backend that is down tells
// nothing.
func (c *Core) ReplicaStats(tablet int64, r *catalog.Replica) Stats {
	tasks, ok := c.Backend(r.BackendID)
	if !ok {
		return Stats{}
	}
	rows, bytes, versions := tasks.Stats(tablet)
	return Stats{Rows: rows, Bytes: bytes, Versions: versions}
}

// Stats adds up tablets: bytes of all replicas, rows of one replica each, as
// Doris prints them. It needs the read lock.
func (c *Core) Stats(tablets []*catalog.Tablet) Stats {
	var sum Stats
	for _, tablet := range tablets {
		rows := int64(0)
		for _, r := range tablet.Replicas {
			one := c.ReplicaStats(tablet.ID, r)
			sum.Bytes += one.Bytes
			rows = max(rows, one.Rows)
		}
		sum.Rows += rows
	}
	return sum
}

// TableTablets are the tablets of all partitions and indexes of a table.
func TableTablets(t *catalog.Table) []*catalog.Tablet {
	var list []*catalog.Tablet
	for _, p := range Partitions(t) {
		list = append(list, partitionTablets(p)...)
	}
	return list
}

func partitionTablets(p *catalog.Partition) []*catalog.Tablet {
	var list []*catalog.Tablet
	for _, tablets := range p.Tablets {
		list = append(list, tablets...)
	}
	return list
}

// PartitionStats is how much a partition holds: bytes of all indexes, rows of
// the base index. It needs the read lock.
func (c *Core) PartitionStats(t *catalog.Table, p *catalog.Partition) Stats {
	sum := c.Stats(partitionTablets(p))
	sum.Rows = c.Stats(p.Tablets[t.BaseIndexID]).Rows
	return sum
}

// TableStats is how much the formal partitions of a table hold. It needs the
// read lock.
func (c *Core) TableStats(t *catalog.Table) Stats {
	var sum Stats
	for _, p := range t.Partitions {
		one := c.PartitionStats(t, p)
		sum.Rows += one.Rows
		sum.Bytes += one.Bytes
	}
	return sum
}
