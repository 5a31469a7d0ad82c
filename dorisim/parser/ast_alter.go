package parser

// AlterClause is one clause of ALTER TABLE: a pointer to one of the structs
// below.
type AlterClause interface{ alterClause() }

// AddPartition is ADD [TEMPORARY] PARTITION.
type AddPartition struct {
	Temporary    bool
	Partition    PartitionDef
	Distribution *Distribution // nil = the table's
	Properties   Properties    // of the clause, after the partition's own
}

// DropPartition is DROP [TEMPORARY] PARTITION.
type DropPartition struct {
	Temporary bool
	IfExists  bool
	Name      string
	Force     bool
}

// ReplacePartition is REPLACE PARTITION (..) WITH TEMPORARY PARTITION (..).
type ReplacePartition struct {
	Partitions, Temporary []string
	Properties            Properties
	Force                 bool
}

// ModifyPartition is MODIFY PARTITION p|(p1, p2)|(*) SET (..).
type ModifyPartition struct {
	Partitions []string // none = (*)
	Properties Properties
}

// RenameKind says what a Rename renames.
type RenameKind string

const (
	RenameTable     RenameKind = "TABLE"
	RenamePartition RenameKind = "PARTITION"
	RenameRollup    RenameKind = "ROLLUP"
	RenameColumn    RenameKind = "COLUMN"
)

// Rename is RENAME [PARTITION|ROLLUP|COLUMN]; Old is "" for a table.
type Rename struct {
	Kind     RenameKind
	Old, New string
}

// ReplaceTable is REPLACE WITH TABLE.
type ReplaceTable struct {
	Other      string
	Properties Properties
	Force      bool
}

// SetProperties is SET (..).
type SetProperties struct{ Properties Properties }

// ModifyComment is MODIFY COMMENT of the table or, with Column, MODIFY COLUMN c
// COMMENT.
type ModifyComment struct {
	Column  string
	Comment string
}

// Position of a column: at the end, FIRST, or AFTER another one.
type Position struct {
	First bool
	After string
}

// AddColumns is ADD COLUMN. Position is only set for a single column, Rollup
// names the index of TO (or IN).
type AddColumns struct {
	Columns  []ColumnDef
	Position Position
	Rollup   string
}

// DropColumn is DROP COLUMN.
type DropColumn struct {
	Name   string
	Rollup string
}

// ModifyColumn is MODIFY COLUMN with a definition.
type ModifyColumn struct {
	Column   ColumnDef
	Position Position
	Rollup   string
}

// OrderBy is ORDER BY (columns).
type OrderBy struct {
	Columns []string
	Rollup  string
}

// ModifyDistribution is MODIFY DISTRIBUTION.
type ModifyDistribution struct{ Distribution Distribution }

// AddIndex is ADD INDEX.
type AddIndex struct{ Index IndexDef }

// DropIndex is DROP INDEX.
type DropIndex struct {
	IfExists bool
	Name     string
}

// AddRollup is ADD ROLLUP.
type AddRollup struct{ Rollups []RollupDef }

// DropRollup is DROP ROLLUP.
type DropRollup struct{ Names []string }

// EnableFeature is ENABLE FEATURE.
type EnableFeature struct {
	Name       string
	Properties Properties
}

func (*AddPartition) alterClause()       {}
func (*DropPartition) alterClause()      {}
func (*ReplacePartition) alterClause()   {}
func (*ModifyPartition) alterClause()    {}
func (*Rename) alterClause()             {}
func (*ReplaceTable) alterClause()       {}
func (*SetProperties) alterClause()      {}
func (*ModifyComment) alterClause()      {}
func (*AddColumns) alterClause()         {}
func (*DropColumn) alterClause()         {}
func (*ModifyColumn) alterClause()       {}
func (*OrderBy) alterClause()            {}
func (*ModifyDistribution) alterClause() {}
func (*AddIndex) alterClause()           {}
func (*DropIndex) alterClause()          {}
func (*AddRollup) alterClause()          {}
func (*DropRollup) alterClause()         {}
func (*EnableFeature) alterClause()      {}
