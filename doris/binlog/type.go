package binlog

import "fmt"

// Type is Doris' number of a binlog kind (doris-binlogs.md 2.2).
type Type int32

const (
	TypeUpsert                      Type = 0
	TypeAddPartition                Type = 1
	TypeCreateTable                 Type = 2
	TypeDropPartition               Type = 3
	TypeDropTable                   Type = 4
	TypeAlterJob                    Type = 5
	TypeModifyTableAddOrDropColumns Type = 6
	TypeDummy                       Type = 7
	TypeAlterDatabaseProperty       Type = 8
	TypeModifyTableProperty         Type = 9
	TypeBarrier                     Type = 10
	TypeModifyPartitions            Type = 11
	TypeReplacePartitions           Type = 12
	TypeTruncateTable               Type = 13
	TypeRenameTable                 Type = 14
	TypeRenameColumn                Type = 15
	TypeModifyComment               Type = 16
	TypeModifyViewDef               Type = 17
	TypeReplaceTable                Type = 18
	TypeModifyInvertedIndices       Type = 19
	TypeIndexChangeJob              Type = 20
	TypeRenameRollup                Type = 21
	TypeRenamePartition             Type = 22
	TypeDropRollup                  Type = 23
	TypeRecoverInfo                 Type = 24
	TypeModifyDistributionBucketNum Type = 25
	TypeModifyDistributionType      Type = 26
)

var typeNames = [...]string{
	"UPSERT", "ADD_PARTITION", "CREATE_TABLE", "DROP_PARTITION", "DROP_TABLE", "ALTER_JOB",
	"MODIFY_TABLE_ADD_OR_DROP_COLUMNS", "DUMMY", "ALTER_DATABASE_PROPERTY", "MODIFY_TABLE_PROPERTY",
	"BARRIER", "MODIFY_PARTITIONS", "REPLACE_PARTITIONS", "TRUNCATE_TABLE", "RENAME_TABLE",
	"RENAME_COLUMN", "MODIFY_COMMENT", "MODIFY_VIEW_DEF", "REPLACE_TABLE",
	"MODIFY_TABLE_ADD_OR_DROP_INVERTED_INDICES", "INDEX_CHANGE_JOB", "RENAME_ROLLUP",
	"RENAME_PARTITION", "DROP_ROLLUP", "RECOVER_INFO", "MODIFY_DISTRIBUTION_BUCKET_NUM",
	"MODIFY_DISTRIBUTION_TYPE",
}

// String returns Doris' name, or "UNKNOWN(n)".
func (t Type) String() string {
	if t >= 0 && int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("UNKNOWN(%d)", int32(t))
}

// Known tells whether the type has a name.
func (t Type) Known() bool { return t >= 0 && int(t) < len(typeNames) }
