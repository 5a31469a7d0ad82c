package binlog

import (
	"encoding/json"
	"strings"
)

// Column is the part of the server's column object that replication uses
// (doris-binlogs.md 2.8).
type Column struct {
	Name string `json:"name"`
	// Type is kept as sent: its fields depend on its class.
	Type        json.RawMessage `json:"type,omitempty"`
	Aggregation string          `json:"aggregationType,omitempty"` // "" for key columns
	// AggregationImplicit: it follows from the table's model.
	AggregationImplicit bool    `json:"isAggregationTypeImplicit,omitempty"`
	Key                 bool    `json:"isKey"`
	AllowNull           bool    `json:"isAllowNull"`
	AutoIncrement       bool    `json:"isAutoInc,omitempty"`
	AutoIncrementStart  int64   `json:"autoIncInitValue,omitempty"`
	Default             *string `json:"defaultValue,omitempty"`
	// DefaultExpr is set if the default is computed.
	DefaultExpr *DefaultExpr `json:"defaultValueExprDef,omitempty"`
	Comment     string       `json:"comment,omitempty"`
	Visible     bool         `json:"visible"`
	// UniqueID goes on from the highest ever given in the table: a column that was
	// dropped and added again has another one.
	UniqueID     int64            `json:"uniqueId"`
	OnUpdate     bool             `json:"hasOnUpdateDefaultValue,omitempty"`
	OnUpdateExpr *DefaultExpr     `json:"onUpdateDefaultValueExprDef,omitempty"`
	Generated    *GeneratedColumn `json:"gci,omitempty"`
}

// DefaultExpr is a computed default, e.g. now with a precision.
type DefaultExpr struct {
	Name      string `json:"exprName"`
	Precision int    `json:"precision,omitempty"`
}

// GeneratedColumn is the expression of a generated column.
type GeneratedColumn struct {
	SQL string `json:"es"`
}

// UnmarshalJSON takes a missing visible for true: columns are.
func (c *Column) UnmarshalJSON(data []byte) error {
	type plain Column
	raw := plain{Visible: true}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*c = Column(raw)
	return nil
}

// Index is the server's object of a secondary index (doris-binlogs.md 2.21).
type Index struct {
	ID         int64             `json:"indexId"`
	Name       string            `json:"indexName"`
	Columns    []string          `json:"columns"`
	Type       string            `json:"indexType"` // BITMAP, INVERTED, BLOOMFILTER, NGRAM_BF
	Properties map[string]string `json:"properties"`
	Comment    string            `json:"comment"`
}

// UnmarshalJSON understands the long names of 2.x and the short ones of 3.x.
func (i *Index) UnmarshalJSON(data []byte) error {
	var raw struct {
		ID              int64             `json:"indexId"`
		ShortID         int64             `json:"i"`
		Name            string            `json:"indexName"`
		ShortName       string            `json:"in"`
		Columns         []string          `json:"columns"`
		ShortColumns    []string          `json:"c"`
		Type            string            `json:"indexType"`
		ShortType       string            `json:"it"`
		Properties      map[string]string `json:"properties"`
		ShortProperties map[string]string `json:"pt"`
		Comment         string            `json:"comment"`
		ShortComment    string            `json:"ct"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*i = Index{
		ID: either(raw.ID, raw.ShortID), Name: either(raw.Name, raw.ShortName),
		Columns: eitherSlice(raw.Columns, raw.ShortColumns), Type: either(raw.Type, raw.ShortType),
		Properties: raw.Properties, Comment: either(raw.Comment, raw.ShortComment),
	}
	if i.Properties == nil {
		i.Properties = raw.ShortProperties
	}
	return nil
}

// The states of ALTER_JOB and INDEX_CHANGE_JOB.
const (
	StatePending    = "PENDING"
	StateWaitingTxn = "WAITING_TXN"
	StateRunning    = "RUNNING"
	StateFinished   = "FINISHED"
	StateCancelled  = "CANCELLED"
)

// The kinds of ALTER_JOB.
const (
	AlterSchemaChange = "SCHEMA_CHANGE"
	AlterRollup       = "ROLLUP"
)

// AlterJob is a state change of a schema change or rollup job (doris-binlogs.md
// 2.7).
type AlterJob struct {
	Type      string `json:"type"` // SCHEMA_CHANGE or ROLLUP
	DBID      int64  `json:"dbId"`
	TableID   int64  `json:"tableId"`
	TableName string `json:"tableName"` // at the job's creation
	JobID     int64  `json:"jobId"`
	State     string `json:"jobState"`
	RawSQL    string `json:"rawSql"` // may be empty
	// ShadowIndexes maps shadow to origin index ids of a schema change; missing
	// on old servers.
	ShadowIndexes map[int64]int64 `json:"iim,omitempty"`
	// The index a ROLLUP builds, and its base; newer servers only.
	RollupIndexID   int64  `json:"rollupIndexId,omitempty"`
	RollupIndexName string `json:"rollUpIndexName,omitempty"`
	BaseIndexID     int64  `json:"baseIndexid,omitempty"`
	BaseIndexName   string `json:"baseIndexName,omitempty"`
}

// Origins maps the ids of the indexes under construction to those of the
// indexes they are made from.
func (a AlterJob) Origins() map[int64]int64 {
	origins := make(map[int64]int64, len(a.ShadowIndexes)+1)
	for shadow, origin := range a.ShadowIndexes {
		origins[shadow] = origin
	}
	if a.RollupIndexID > 0 {
		origins[a.RollupIndexID] = a.BaseIndexID
	}
	return origins
}

// DecodeAlterJob decodes an ALTER_JOB.
func DecodeAlterJob(data string) (AlterJob, error) { return decode[AlterJob](TypeAlterJob, data) }

// ModifyColumns is a light ADD or DROP COLUMN (doris-binlogs.md 2.8).
type ModifyColumns struct {
	DBID    int64 `json:"dbId"`
	TableID int64 `json:"tableId"`
	JobID   int64 `json:"jobId"`
	// IndexSchema is the whole new schema of each index, by source index id.
	IndexSchema map[int64][]Column `json:"indexSchemaMap"`
	Indexes     []Index            `json:"indexes"`
	// BaseIndexID is only sent by the newest servers.
	BaseIndexID int64  `json:"baseIndexId,omitempty"`
	RawSQL      string `json:"rawSql"` // a whole statement, with the source database
}

// DecodeModifyColumns decodes a MODIFY_TABLE_ADD_OR_DROP_COLUMNS.
func DecodeModifyColumns(data string) (ModifyColumns, error) {
	return decode[ModifyColumns](TypeModifyTableAddOrDropColumns, data)
}

// RenameColumn is ALTER TABLE RENAME COLUMN (doris-binlogs.md 2.17).
type RenameColumn struct {
	DBID    int64  `json:"dbId"`
	TableID int64  `json:"tableId"`
	OldName string `json:"colName"`
	NewName string `json:"newColName"`
}

// DecodeRenameColumn decodes a RENAME_COLUMN.
func DecodeRenameColumn(data string) (RenameColumn, error) {
	return decode[RenameColumn](TypeRenameColumn, data)
}

// InvertedIndices is a light ADD or DROP INDEX (doris-binlogs.md 2.21).
type InvertedIndices struct {
	DBID        int64              `json:"dbId"`
	TableID     int64              `json:"tableId"`
	JobID       int64              `json:"jobId"`
	IndexSchema map[int64][]Column `json:"indexSchemaMap"`
	Indexes     []Index            `json:"indexes"`
	// Changed are the indexes that were added or dropped.
	Changed []Index `json:"alterInvertedIndexes"`
	Drop    bool    `json:"isDropInvertedIndex"`
	RawSQL  string  `json:"rawSql"` // not fit for execution on some servers
}

// DecodeInvertedIndices decodes a MODIFY_TABLE_ADD_OR_DROP_INVERTED_INDICES.
func DecodeInvertedIndices(data string) (InvertedIndices, error) {
	return decode[InvertedIndices](TypeModifyInvertedIndices, data)
}

// IndexChangeJob is a state change of BUILD INDEX in one partition, or of the
// removal of its files (doris-binlogs.md 2.22).
type IndexChangeJob struct {
	JobID         int64   `json:"jobId"`
	State         string  `json:"jobState"`
	DBID          int64   `json:"dbId"`
	TableID       int64   `json:"tableId"`
	TableName     string  `json:"tableName"`
	PartitionID   int64   `json:"partitionId"`
	PartitionName string  `json:"partitionName"`
	Drop          bool    `json:"isDropOp"`
	Changed       []Index `json:"alterInvertedIndexes"`
	OriginIndexID int64   `json:"originIndexId"`
}

// DecodeIndexChangeJob decodes an INDEX_CHANGE_JOB.
func DecodeIndexChangeJob(data string) (IndexChangeJob, error) {
	return decode[IndexChangeJob](TypeIndexChangeJob, data)
}

// DropRollup is DROP ROLLUP or DROP MATERIALIZED VIEW (doris-binlogs.md 2.24).
type DropRollup struct {
	DBID      int64  `json:"dbId"`
	TableID   int64  `json:"tableId"`
	TableName string `json:"tableName"`
	IndexID   int64  `json:"indexId"`
	IndexName string `json:"indexName"`
	View      bool   `json:"isView"`
	Force     bool   `json:"forceDrop"`
}

// DecodeDropRollup decodes a DROP_ROLLUP.
func DecodeDropRollup(data string) (DropRollup, error) {
	return decode[DropRollup](TypeDropRollup, data)
}

// indexNames lists the names of indexes for people.
func indexNames(indexes []Index) string {
	names := make([]string, len(indexes))
	for i, index := range indexes {
		names[i] = index.Name
	}
	return strings.Join(names, ", ")
}
