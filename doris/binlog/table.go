package binlog

import (
	"encoding/json"
)

// CreateTable is CREATE TABLE or CREATE VIEW (doris-binlogs.md 2.3).
type CreateTable struct {
	CommitSeq int64  `json:"commitSeq"`
	DBID      int64  `json:"dbId"` // -1 if the database is gone
	DBName    string `json:"dbName"`
	TableID   int64  `json:"tableId"`
	TableName string `json:"tableName"` // "" on very old servers
	// TableType is OLAP, VIEW, MATERIALIZED_VIEW, ...; "" before 2.1.8 and 3.0.4.
	TableType string `json:"tableType"`
	// SQL is the statement without a database name.
	SQL string `json:"sql"`
}

// DecodeCreateTable decodes a CREATE_TABLE.
func DecodeCreateTable(data string) (CreateTable, error) {
	return decode[CreateTable](TypeCreateTable, data)
}

// DropTable is DROP TABLE or DROP VIEW (doris-binlogs.md 2.6).
type DropTable struct {
	CommitSeq int64  `json:"commitSeq"`
	DBID      int64  `json:"dbId"`
	TableID   int64  `json:"tableId"`
	TableName string `json:"tableName"`
	View      bool   `json:"isView"`
	RawSQL    string `json:"rawSql"`
}

// DecodeDropTable decodes a DROP_TABLE.
func DecodeDropTable(data string) (DropTable, error) { return decode[DropTable](TypeDropTable, data) }

// DatabaseProperty is ALTER DATABASE SET PROPERTIES (doris-binlogs.md 2.10).
type DatabaseProperty struct {
	DBID       int64             `json:"dbId"`
	DBName     string            `json:"dbName"`
	Properties map[string]string `json:"properties"`
}

// DecodeDatabaseProperty decodes an ALTER_DATABASE_PROPERTY.
func DecodeDatabaseProperty(data string) (DatabaseProperty, error) {
	return decode[DatabaseProperty](TypeAlterDatabaseProperty, data)
}

// TableProperty is ALTER TABLE SET (doris-binlogs.md 2.11).
type TableProperty struct {
	DBID       int64             `json:"dbId"`
	TableID    int64             `json:"tableId"`
	DBName     string            `json:"dbName"`
	TableName  string            `json:"tableName"`
	Properties map[string]string `json:"properties"`
	SQL        string            `json:"sql"` // for people only: it is not quoted
}

// DecodeTableProperty decodes a MODIFY_TABLE_PROPERTY.
func DecodeTableProperty(data string) (TableProperty, error) {
	return decode[TableProperty](TypeModifyTableProperty, data)
}

// Barrier marks a backup, or wraps a binlog of a type that the server's release
// may not add (doris-binlogs.md 2.12).
type Barrier struct {
	DBID      int64  `json:"dbId"`
	DBName    string `json:"dbName"`
	TableID   int64  `json:"tableId"`
	TableName string `json:"tableName"`
	// Binlog is the payload of the wrapped binlog, "" if there is none.
	BinlogType int32  `json:"binlogType"`
	Binlog     string `json:"binlog,omitempty"`
}

// DecodeBarrier decodes a BARRIER; an empty payload is a bare one.
func DecodeBarrier(data string) (Barrier, error) {
	if data == "" {
		return Barrier{}, nil
	}
	return decode[Barrier](TypeBarrier, data)
}

// TableInfo is a rename of a table, rollup or partition, or a change of the
// distribution type (doris-binlogs.md 2.16, 2.23, 2.27). Unused ids are -1,
// unused names "". Old servers leave the old names out.
type TableInfo struct {
	DBID         int64  `json:"db"`
	TableID      int64  `json:"tb"`
	IndexID      int64  `json:"ind"`
	PartitionID  int64  `json:"p"`
	NewTable     string `json:"nT"`
	OldTable     string `json:"oT"`
	NewRollup    string `json:"nR"`
	OldRollup    string `json:"oR"`
	NewPartition string `json:"nP"`
	OldPartition string `json:"oP"`
}

// DecodeTableInfo decodes a RENAME_TABLE, RENAME_ROLLUP, RENAME_PARTITION or
// MODIFY_DISTRIBUTION_TYPE. Early servers use RENAME_TABLE for all renames:
// look at which new name is set.
func DecodeTableInfo(data string) (TableInfo, error) { return decode[TableInfo](TypeRenameTable, data) }

// Comment is a change of comments (doris-binlogs.md 2.18).
type Comment struct {
	Type           string            `json:"type"` // TABLE or COLUMN
	DBID           int64             `json:"dbId"`
	TableID        int64             `json:"tblId"`
	ColumnComments map[string]string `json:"colToComment,omitempty"`
	TableComment   string            `json:"tblComment,omitempty"`
}

// DecodeComment decodes a MODIFY_COMMENT.
func DecodeComment(data string) (Comment, error) { return decode[Comment](TypeModifyComment, data) }

// ViewDef is ALTER VIEW (doris-binlogs.md 2.19).
type ViewDef struct {
	DBID    int64 `json:"dbId"`
	TableID int64 `json:"tableId"`
	// InlineViewDef is the new SELECT; "" means that only the comment changed.
	InlineViewDef string   `json:"inlineViewDef"`
	SQLMode       int64    `json:"sqlMode"`
	FullSchema    []Column `json:"newFullSchema,omitempty"`
	Comment       string   `json:"comment,omitempty"`
}

// DecodeViewDef decodes a MODIFY_VIEW_DEF.
func DecodeViewDef(data string) (ViewDef, error) { return decode[ViewDef](TypeModifyViewDef, data) }

// ReplaceTable is ALTER TABLE origin REPLACE WITH TABLE new (doris-binlogs.md
// 2.20).
type ReplaceTable struct {
	DBID            int64  `json:"dbId"`
	OriginTableID   int64  `json:"origTblId"`
	OriginTableName string `json:"origTblName"`
	// NewTableID travels under a name that promises a name.
	NewTableID   int64  `json:"newTblName"`
	NewTableName string `json:"actualNewTblName"`
	Swap         bool   `json:"swapTable"`
	// Force: without swap, the old table skips the recycle bin.
	Force bool `json:"isForce"`
}

// UnmarshalJSON takes a missing isForce for true, as old records mean it.
func (p *ReplaceTable) UnmarshalJSON(data []byte) error {
	type plain ReplaceTable
	raw := plain{Force: true}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*p = ReplaceTable(raw)
	return nil
}

// DecodeReplaceTable decodes a REPLACE_TABLE.
func DecodeReplaceTable(data string) (ReplaceTable, error) {
	return decode[ReplaceTable](TypeReplaceTable, data)
}

// Recover is RECOVER TABLE or RECOVER PARTITION (doris-binlogs.md 2.25).
type Recover struct {
	DBID             int64  `json:"dbId"`
	NewDBName        string `json:"newDbName"`
	TableID          int64  `json:"tableId"`
	TableName        string `json:"tableName"`
	NewTableName     string `json:"newTableName"`
	PartitionID      int64  `json:"partitionId"` // -1 for a table
	PartitionName    string `json:"partitionName"`
	NewPartitionName string `json:"newPartitionName"`
}

// DecodeRecover decodes a RECOVER_INFO.
func DecodeRecover(data string) (Recover, error) { return decode[Recover](TypeRecoverInfo, data) }

// DistributionBuckets is ALTER TABLE MODIFY DISTRIBUTION (doris-binlogs.md 2.26).
type DistributionBuckets struct {
	DBID       int64  `json:"dbId"`
	TableID    int64  `json:"tableId"`
	Type       string `json:"type"` // HASH or RANDOM
	AutoBucket bool   `json:"autoBucket"`
	BucketNum  int    `json:"bucketNum"`
	Columns    string `json:"columnsName"` // names, separated by commas
}

// DecodeDistributionBuckets decodes a MODIFY_DISTRIBUTION_BUCKET_NUM.
func DecodeDistributionBuckets(data string) (DistributionBuckets, error) {
	return decode[DistributionBuckets](TypeModifyDistributionBucketNum, data)
}
