// Package catalog is the metadata of a simulated Doris cluster: databases,
// tables, partitions, indexes, tablets, replicas. It is plain data; the FE
// (package fe) owns it, guards it with its lock and changes it.
package catalog

import (
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// Database is a database. Tables holds views too.
type Database struct {
	ID         int64
	Name       string
	Properties map[string]string // only what was set explicitly (doris-sql.md 3.5)
	DataQuota  int64             // in bytes; 0 is the default, 1024 TB
	Tables     map[string]*Table // by name
	Created    time.Time
}

// TableKind is the type printed by PROC (doris-sql.md 2.3).
type TableKind string

const (
	OLAP             TableKind = "OLAP"
	View             TableKind = "VIEW"
	MaterializedView TableKind = "MATERIALIZED_VIEW"

	// External tables: metadata without tablets.
	ODBC          TableKind = "ODBC"
	MySQL         TableKind = "MYSQL"
	JDBC          TableKind = "JDBC"
	Elasticsearch TableKind = "ELASTICSEARCH"
	Broker        TableKind = "BROKER"
	Hive          TableKind = "HIVE"
	Iceberg       TableKind = "ICEBERG"
	Hudi          TableKind = "HUDI"
)

// External tells whether the rows of such tables are elsewhere.
func (k TableKind) External() bool { return k != OLAP && k != View && k != MaterializedView }

// TableState as printed by PROC.
type TableState string

const (
	StateNormal       TableState = "NORMAL"
	StateRollup       TableState = "ROLLUP"
	StateSchemaChange TableState = "SCHEMA_CHANGE"
	StateRestore      TableState = "RESTORE"
)

// Table is an OLAP table or a view.
type Table struct {
	ID      int64
	DBID    int64
	Name    string
	Kind    TableKind
	State   TableState
	Comment string
	Created time.Time

	// Version counts the transactions and exchanges of partitions that changed the
	// table, from 1; VersionTime is when the last one did.
	Version     int64
	VersionTime time.Time

	// ViewDefinition is the qualified inline definition of a view.
	ViewDefinition string
	ViewColumns    []ViewColumn
	// Refresh are the BUILD, REFRESH and further clauses of an asynchronous
	// materialized view, as written.
	Refresh string

	Keys       types.KeysType
	KeysHidden bool // duplicate table without key clause: none is printed
	// ClusterBy are the columns of CLUSTER BY.
	ClusterBy []string
	// BaseIndexID is the base index; its name is always the table's.
	BaseIndexID int64
	// Indexes are the materialized indexes by id: base, rollups, shadows.
	Indexes map[int64]*Index
	// Secondary are INVERTED/BITMAP/NGRAM_BF indexes (metadata).
	Secondary []SecondaryIndex

	Partitioning Partitioning
	Distribution Distribution // the default for new partitions
	AutoBucket   bool
	Partitions   map[string]*Partition // formal ones, by name
	Temporary    map[string]*Partition // temporary ones, by name

	// Properties in the spelling of SHOW CREATE TABLE, defaults included;
	// binlog.* and is_being_synced among them.
	Properties map[string]string
	// ReplicaNum is the number of replicas for new partitions.
	ReplicaNum int
	// InAtomicRestore: an atomic restore is going to replace this table.
	InAtomicRestore bool
	// NextAutoInc of the AUTO_INCREMENT column, if there is one.
	NextAutoInc int64
}

// NextVersion notes a change of the table's data.
func (t *Table) NextVersion(now time.Time) {
	t.Version, t.VersionTime = max(t.Version, 1)+1, now
}

// ViewColumn is a named output column of a view.
type ViewColumn struct {
	Name    string
	Comment string
}

// IndexState as printed by PROC level 4.
type IndexState string

const (
	IndexNormal IndexState = "NORMAL"
	IndexShadow IndexState = "SHADOW"
)

// Index is a materialized index: base, rollup, or shadow of a schema change.
type Index struct {
	ID     int64
	Name   string
	State  IndexState
	Schema types.Schema
	// ShortKey is the short key column count.
	ShortKey int
	// MaxUniqueID is the highest column unique id ever given: ids of dropped
	// columns are not given again.
	MaxUniqueID int32
	// FirstHidden is the unique id of the first of the hidden columns that a UNIQUE
	// table has from the beginning; 0 if it has none.
	FirstHidden int32
	// Watershed is the id of the first transaction that loads this index too; 0
	// = all do. It is only set while the index is under construction.
	Watershed int64
	// Statement is the text of CREATE MATERIALIZED VIEW, "" for rollups.
	Statement string
	// Where is the condition of a materialized view, "" if there is none.
	Where string
}

// SecondaryIndex is an index on columns.
type SecondaryIndex struct {
	ID         int64
	Name       string
	Columns    []string
	Kind       string // INVERTED, BITMAP, NGRAM_BF
	Properties map[string]string
	Comment    string
}

// PartitionKind of a table.
type PartitionKind string

const (
	Unpartitioned  PartitionKind = ""
	RangePartition PartitionKind = "RANGE"
	ListPartition  PartitionKind = "LIST"
)

// Partitioning of a table.
type Partitioning struct {
	Kind    PartitionKind
	Columns []string
	// Auto partitions; AutoExpr is e.g. date_trunc(`dt`, 'day') for RANGE.
	Auto     bool
	AutoExpr string
}

// DistributionKind of a partition.
type DistributionKind string

const (
	HashDistribution   DistributionKind = "HASH"
	RandomDistribution DistributionKind = "RANDOM"
)

// Distribution of a partition's rows over buckets.
type Distribution struct {
	Kind    DistributionKind
	Columns []string
	Buckets int
}

// Bound is one key tuple of a partition item; MaxValue marks MAXVALUE, a nil
// value NULL.
type Bound []BoundValue

// BoundValue is one value of a key tuple.
type BoundValue struct {
	Value    types.Value
	MaxValue bool
}

// Item is the partition item: Lower/Upper of RANGE, In of LIST (Default marks
// the default list partition).
type Item struct {
	Lower, Upper Bound
	In           []Bound
	Default      bool
}

// Partition of a table.
type Partition struct {
	ID           int64
	Name         string
	Item         Item
	Distribution Distribution
	ReplicaNum   int
	// Properties set on the partition (storage_medium, ...).
	Properties     map[string]string
	VisibleVersion int64 // 1 when new
	VisibleTime    time.Time
	NextVersion    int64 // 2 when new
	// State is NORMAL or RESTORE.
	State TableState
	// Tablets of each index id, in bucket order.
	Tablets map[int64][]*Tablet
	Created time.Time
}

// Tablet is one bucket of one index of one partition.
type Tablet struct {
	ID       int64
	Replicas []*Replica
}

// Replica is a tablet's copy on one backend.
type Replica struct {
	ID        int64
	BackendID int64
	Version   int64
	// LastFailed is the version it missed, 0 = none: the replica is incomplete
	// until it is repaired.
	LastFailed int64
	// State is "" (NORMAL), ReplicaClone or ReplicaDecommission.
	State ReplicaState
	// Bad replicas have lost their data; they are listed as before.
	Bad bool
	// Watermark of a replica that is to go: transactions up to this one may have
	// written into it.
	Watermark int64
}

// ReplicaState is what a replica is at, apart from its versions.
type ReplicaState string

const (
	// ReplicaClone has no data yet: its version is -1 and its backend does not
	// know the tablet (doris-rpc.md 3.3).
	ReplicaClone ReplicaState = "CLONE"
	// ReplicaDecommission has been replaced by another one and goes once no
	// transaction needs it.
	ReplicaDecommission ReplicaState = "DECOMMISSION"
)

// Name is the state as Doris prints it.
func (s ReplicaState) Name() string {
	if s == "" {
		return "NORMAL"
	}
	return string(s)
}

// CanRead tells whether the replica has the data of version.
func (r *Replica) CanRead(version int64) bool {
	return !r.Bad && r.State != ReplicaClone && r.LastFailed == 0 && r.Version >= version
}

// CanLoad tells whether Doris' own loads write into the replica.
func (r *Replica) CanLoad() bool { return !r.Bad && r.State != ReplicaClone }

// FindPartition looks a name up regardless of case (doris-sql.md 1.5).
func FindPartition(from map[string]*Partition, name string) (*Partition, bool) {
	if p, ok := from[name]; ok {
		return p, true
	}
	for n, p := range from {
		if strings.EqualFold(n, name) {
			return p, true
		}
	}
	return nil, false
}

// FindPartitions looks names up as FindPartition does; missing is the first that
// is no partition, "" if there is none.
func FindPartitions(from map[string]*Partition, names []string) (list []*Partition, missing string) {
	for _, name := range names {
		p, ok := FindPartition(from, name)
		if !ok {
			return nil, name
		}
		list = append(list, p)
	}
	return list, ""
}
