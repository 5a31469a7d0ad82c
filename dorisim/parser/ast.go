package parser

import "github.com/doris-ccr/ccr/dorisim/types"

// Statement is one parsed statement: a pointer to one of the structs of this
// package that implement it.
type Statement interface{ statement() }

// Name is a name with an optional database; a leading catalog `internal` is
// dropped.
type Name struct {
	Database string // "" = the current one
	Name     string
}

// Properties are the "key" = "value" pairs of a statement.
type Properties map[string]string

// CreateDatabase is CREATE DATABASE.
type CreateDatabase struct {
	IfNotExists bool
	Name        string
	Properties  Properties
}

// DropDatabase is DROP DATABASE.
type DropDatabase struct {
	IfExists bool
	Name     string
	Force    bool
}

// AlterDatabase is ALTER DATABASE: SET PROPERTIES or, with NewName, RENAME, or,
// with DataQuota in bytes, SET DATA QUOTA.
type AlterDatabase struct {
	Name       string
	NewName    string
	Properties Properties
	DataQuota  int64
}

// CreateTable is CREATE TABLE.
type CreateTable struct {
	// External is CREATE EXTERNAL TABLE.
	External    bool
	IfNotExists bool
	Table       Name
	Columns     []ColumnDef
	Indexes     []IndexDef
	Engine      string // as written, "" = not stated
	// Keys is "" when there is no key clause.
	Keys         types.KeysType
	KeyColumns   []string
	ClusterBy    []string
	Comment      string
	Partitioning *PartitionBy  // nil = none
	Distribution *Distribution // nil = not stated
	Rollups      []RollupDef
	Properties   Properties
}

// CreateTableLike is CREATE TABLE a LIKE b [WITH ROLLUP].
type CreateTableLike struct {
	Allowed     SessionFlags
	IfNotExists bool
	Table, Like Name
	WithRollup  bool
}

// CreateTableAs is CREATE TABLE ... AS SELECT; whoever runs the query adds the
// columns to Create.
type CreateTableAs struct {
	Create *CreateTable
	// Names of the columns, nil = as the query names them.
	Names []string
	Query string
}

// DropTable is DROP TABLE.
type DropTable struct {
	IfExists bool
	Table    Name
	Force    bool
}

// TruncateTable is TRUNCATE TABLE; without Partitions the entire table.
type TruncateTable struct {
	Table      Name
	Partitions []string
	Force      bool
}

// CreateView is CREATE VIEW; Query is the text after AS.
type CreateView struct {
	Allowed     SessionFlags
	OrReplace   bool
	IfNotExists bool
	View        Name
	Columns     []ViewColumnDef
	Comment     string
	Query       string
}

// AlterView is ALTER VIEW: a new definition, or a comment when SetComment.
type AlterView struct {
	Allowed    SessionFlags
	View       Name
	Columns    []ViewColumnDef
	Query      string
	SetComment bool
	Comment    string
}

// ViewColumnDef is a named output column of a view.
type ViewColumnDef struct {
	Name    string
	Comment string
}

// DropView is DROP VIEW.
type DropView struct {
	IfExists bool
	View     Name
}

// AlterTable is ALTER TABLE with one or more clauses.
type AlterTable struct {
	Table   Name
	Clauses []AlterClause
}

// Backup is BACKUP SNAPSHOT.
type Backup struct {
	Label      Name
	Repository string
	// Tables of ON (or of EXCLUDE); none = the whole database.
	Tables     []BackupTable
	Exclude    bool
	Properties Properties
}

// BackupTable is one table of a backup.
type BackupTable struct {
	Table               Name
	Alias               string
	Partitions          []string
	TemporaryPartitions bool
}

// CancelBackup is CANCEL BACKUP or, with Restore, CANCEL RESTORE.
type CancelBackup struct {
	Database string // "" = the current one
	Restore  bool
}

// AdminSetConfig is ADMIN SET FRONTEND CONFIG.
type AdminSetConfig struct{ Config Properties }

// AlterSystem is ALTER SYSTEM, and CANCEL DECOMMISSION BACKEND: Nodes are
// addresses or, of backends, ids.
type AlterSystem struct {
	Action SystemAction
	Nodes  []string
}

// SystemAction is what ALTER SYSTEM does.
type SystemAction string

// The actions. DropBackend without the second P is only ever refused.
const (
	AddBackend          SystemAction = "ADD BACKEND"
	DropBackend         SystemAction = "DROP BACKEND"
	DroppBackend        SystemAction = "DROPP BACKEND"
	DecommissionBackend SystemAction = "DECOMMISSION BACKEND"
	CancelDecommission  SystemAction = "CANCEL DECOMMISSION BACKEND"
	AddFollower         SystemAction = "ADD FOLLOWER"
	AddObserver         SystemAction = "ADD OBSERVER"
	DropFollower        SystemAction = "DROP FOLLOWER"
	DropObserver        SystemAction = "DROP OBSERVER"
)

// AdminSetReplica is ADMIN SET REPLICA STATUS.
type AdminSetReplica struct{ Properties Properties }

// Sync is SYNC, which does nothing.
type Sync struct{}

func (*CreateDatabase) statement()  {}
func (*DropDatabase) statement()    {}
func (*AlterDatabase) statement()   {}
func (*CreateTable) statement()     {}
func (*CreateTableLike) statement() {}
func (*CreateTableAs) statement()   {}
func (*DropTable) statement()       {}
func (*TruncateTable) statement()   {}
func (*CreateView) statement()      {}
func (*AlterView) statement()       {}
func (*DropView) statement()        {}
func (*AlterTable) statement()      {}
func (*Backup) statement()          {}
func (*CancelBackup) statement()    {}
func (*AdminSetConfig) statement()  {}
func (*AdminSetReplica) statement() {}
func (*AlterSystem) statement()     {}
func (*Sync) statement()            {}

// ColumnDef is a column as written.
type ColumnDef struct {
	Name string
	Type types.Type
	Key  bool
	Agg  types.Agg
	// Nullable is nil when neither NULL nor NOT NULL is written.
	Nullable *bool
	// Default is nil without a DEFAULT clause.
	Default     *DefaultValue
	OnUpdate    bool
	AutoInc     bool
	AutoIncInit int64  // 1 unless stated
	Generated   string // expression without the outer parentheses
	Comment     string
	// Allowed is set by the session that runs the statement.
	Allowed SessionFlags
}

// SessionFlags are the session variables without which Doris refuses some types
// of columns and some names: enable_agg_state, enable_decimal256,
// enable_unicode_name_support.
type SessionFlags struct{ AggState, Decimal256, UnicodeNames bool }

// Allow sets the flags of the session wherever a statement needs them: on the
// columns that it defines, and where its names come from another text.
func Allow(s Statement, flags SessionFlags) {
	switch s := s.(type) {
	case *CreateTable:
		for i := range s.Columns {
			s.Columns[i].Allowed = flags
		}
	case *CreateTableLike:
		s.Allowed = flags
	case *CreateView:
		s.Allowed = flags
	case *AlterView:
		s.Allowed = flags
	case *CreateMaterializedView:
		s.Allowed = flags
	case *AlterTable:
		for _, clause := range s.Clauses {
			switch c := clause.(type) {
			case *AddColumns:
				for i := range c.Columns {
					c.Columns[i].Allowed = flags
				}
			case *ModifyColumn:
				c.Column.Allowed = flags
			}
		}
	}
}

// DefaultValue is the value of a DEFAULT clause: NULL, a literal, or (Expr) a
// bare word like CURRENT_TIMESTAMP(3) or BITMAP_EMPTY.
type DefaultValue struct {
	Text string
	Null bool
	Expr bool
}

// IndexDef is a secondary index as written.
type IndexDef struct {
	IfNotExists bool
	Name        string
	Columns     []string
	Kind        string // upper case; INVERTED unless stated
	Properties  Properties
	Comment     string
}

// RollupDef is ROLLUP name (columns).
type RollupDef struct {
	Name    string
	Columns []string
}

// PartitionBy is the PARTITION BY clause.
type PartitionBy struct {
	List    bool // else RANGE
	Auto    bool
	Columns []string
	// Expr is the normalised expression of an expression partition, e.g.
	// date_trunc(`dt`, 'day'); Columns then holds its column.
	Expr       string
	Partitions []PartitionDef
}

// PartitionDef is one partition as written. At most one of LessThan, Lower
// with Upper, and In is set; none means the default list partition (or an
// unpartitioned table's temporary one).
type PartitionDef struct {
	IfNotExists bool
	Name        string
	// LessThan holds the upper bound of VALUES LESS THAN.
	LessThan     []PartitionValue
	Lower, Upper []PartitionValue
	In           [][]PartitionValue
	Properties   Properties
	// Bulk stands for many partitions, which have no names yet; nothing else is
	// set then, but Properties.
	Bulk *BulkPartitions
}

// BulkPartitions is FROM (lower) TO (upper) INTERVAL n [unit].
type BulkPartitions struct {
	From, To PartitionValue
	Interval int64
	Unit     string // upper case; "" for numbers
}

// PartitionValue is one value of a partition bound.
type PartitionValue struct {
	Text     string
	Null     bool
	MaxValue bool
}

// Distribution is the DISTRIBUTED BY clause.
type Distribution struct {
	Random  bool // else HASH
	Columns []string
	// Buckets is 0 when not stated or AUTO.
	Buckets int
	Auto    bool
}
