// Package meta describes the databases of a cluster as its frontends tell them
// to replication: which tables, partitions, indexes, tablets and replicas there
// are (doris-rpc.md 3.2, 3.3). It is plain data and does no I/O.
package meta

import "strings"

// ShadowPrefix begins the names of indexes that a running schema change builds.
const ShadowPrefix = "__doris_shadow_"

// Backend is one BE of a cluster. Host is the address that the cluster itself
// uses: it may need a host mapping.
type Backend struct {
	ID       int64
	Host     string
	Port     int // Thrift
	HTTPPort int
	Alive    bool
}

// Database is what getMeta says of a database, or of the tables asked for.
type Database struct {
	ID     int64
	Name   string
	Tables map[int64]*Table

	// What was dropped lately, by id, with the commit seq of the drop (0: the
	// server does not tell). Older upserts for it are to be passed over.
	DroppedPartitions map[int64]int64
	DroppedTables     map[int64]int64
	DroppedIndexes    map[int64]int64
}

// TableByName returns the table with exactly this name, or nil.
func (d *Database) TableByName(name string) *Table {
	for _, t := range d.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Table is an internal table or materialized view; views are never listed.
type Table struct {
	ID   int64
	Name string
	// Type is e.g. "OLAP" or "MATERIALIZED_VIEW"; "" when the server is too old
	// to tell.
	Type       string
	Partitions []*Partition
}

// IsBase tells whether the index is the table's base index, which is the one
// that has the table's name.
func (t *Table) IsBase(i *Index) bool { return i.Name == t.Name }

// AsyncView tells whether the table is an asynchronous materialized view, which
// is not replicated.
func (t *Table) AsyncView() bool { return t.Type == "MATERIALIZED_VIEW" }

// PartitionByID returns the partition, or nil.
func (t *Table) PartitionByID(id int64) *Partition {
	for _, p := range t.Partitions {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// PartitionByKey returns the formal partition with the normalized range, or
// nil. A temporary partition may have the same range as a formal one and is
// never returned (doris-binlogs.md 3.3).
func (t *Table) PartitionByKey(key string) *Partition {
	for _, p := range t.Partitions {
		if p.Key == key && !p.Temporary {
			return p
		}
	}
	return nil
}

// Partition of a table. An unpartitioned table has one, named like the table.
type Partition struct {
	ID   int64
	Name string
	// Range is the text that tells which keys the partition holds, as sent; Key
	// is NormalizeRange(Range), which is equal on all versions of Doris.
	Range          string
	Key            string
	VisibleVersion int64
	Temporary      bool
	Indexes        []*Index
}

// IndexByID returns the index, or nil.
func (p *Partition) IndexByID(id int64) *Index {
	for _, i := range p.Indexes {
		if i.ID == id {
			return i
		}
	}
	return nil
}

// IndexByName returns the index with exactly this name, or nil.
func (p *Partition) IndexByName(name string) *Index {
	for _, i := range p.Indexes {
		if i.Name == name {
			return i
		}
	}
	return nil
}

// Index is the base index, a rollup, or a shadow index under construction.
type Index struct {
	ID      int64
	Name    string
	Tablets []*Tablet // in bucket order
}

// Shadow tells whether a running schema change is still building the index.
func (i *Index) Shadow() bool { return strings.HasPrefix(i.Name, ShadowPrefix) }

// Tablet is one bucket of an index in a partition.
type Tablet struct {
	ID       int64
	Replicas []Replica
}

// Replica is a tablet's copy on one backend.
type Replica struct {
	ID        int64
	BackendID int64
	Version   int64
}
