package job

import "fmt"

// BinlogType is Doris' number of a binlog kind (doris-binlogs.md 2.2).
type BinlogType int32

const (
	Upsert                      BinlogType = 0
	AddPartition                BinlogType = 1
	CreateTable                 BinlogType = 2
	DropPartition               BinlogType = 3
	DropTable                   BinlogType = 4
	AlterJob                    BinlogType = 5
	ModifyTableAddOrDropColumns BinlogType = 6
	Dummy                       BinlogType = 7
	AlterDatabaseProperty       BinlogType = 8
	ModifyTableProperty         BinlogType = 9
	Barrier                     BinlogType = 10
	ModifyPartitions            BinlogType = 11
	ReplacePartitions           BinlogType = 12
	TruncateTable               BinlogType = 13
	RenameTable                 BinlogType = 14
	RenameColumn                BinlogType = 15
	ModifyComment               BinlogType = 16
	ModifyViewDef               BinlogType = 17
	ReplaceTable                BinlogType = 18
	ModifyInvertedIndices       BinlogType = 19
	IndexChangeJob              BinlogType = 20
	RenameRollup                BinlogType = 21
	RenamePartition             BinlogType = 22
	DropRollup                  BinlogType = 23
	RecoverInfo                 BinlogType = 24
	ModifyDistributionBucketNum BinlogType = 25
	ModifyDistributionType      BinlogType = 26
)

var binlogTypeNames = [...]string{
	"UPSERT", "ADD_PARTITION", "CREATE_TABLE", "DROP_PARTITION", "DROP_TABLE", "ALTER_JOB",
	"MODIFY_TABLE_ADD_OR_DROP_COLUMNS", "DUMMY", "ALTER_DATABASE_PROPERTY", "MODIFY_TABLE_PROPERTY",
	"BARRIER", "MODIFY_PARTITIONS", "REPLACE_PARTITIONS", "TRUNCATE_TABLE", "RENAME_TABLE",
	"RENAME_COLUMN", "MODIFY_COMMENT", "MODIFY_VIEW_DEF", "REPLACE_TABLE",
	"MODIFY_TABLE_ADD_OR_DROP_INVERTED_INDICES", "INDEX_CHANGE_JOB", "RENAME_ROLLUP",
	"RENAME_PARTITION", "DROP_ROLLUP", "RECOVER_INFO", "MODIFY_DISTRIBUTION_BUCKET_NUM",
	"MODIFY_DISTRIBUTION_TYPE",
}

// String returns Doris' name, or "UNKNOWN(n)".
func (t BinlogType) String() string {
	if t >= 0 && int(t) < len(binlogTypeNames) {
		return binlogTypeNames[t]
	}
	return fmt.Sprintf("UNKNOWN(%d)", int32(t))
}

// Known tells whether the type has a name.
func (t BinlogType) Known() bool { return t >= 0 && int(t) < len(binlogTypeNames) }

// Binlog is one binlog on its way through the workflow. Data is left out when it
// is larger than MaxCarriedData: the step that applies it reads it again.
type Binlog struct {
	CommitSeq int64      `json:"commit_seq"`
	Type      BinlogType `json:"type"`
	Timestamp int64      `json:"timestamp,omitempty"`
	DBID      int64      `json:"db_id,omitempty"`
	TableIDs  []int64    `json:"table_ids,omitempty"`
	Data      string     `json:"data,omitempty"`
	// Truncated is set when Data was left out for its size.
	Truncated bool `json:"truncated,omitempty"`
	// Summary is one line for people, e.g. "ADD_PARTITION p20260101 of orders".
	Summary string `json:"summary,omitempty"`
}

// MaxCarriedData is the largest Data, in bytes, that travels through the
// workflow's history.
const MaxCarriedData = 64 << 10
