package binlog

import (
	"encoding/json"
)

// AddPartition is ALTER TABLE ADD PARTITION (doris-binlogs.md 2.4).
type AddPartition struct {
	CommitSeq int64     `json:"commitSeq"`
	DBID      int64     `json:"dbId"`
	TableID   int64     `json:"tableId"`
	Partition Partition `json:"partition"`
	// Range and ListPartitionItem are kept as sent: SQL has the same in words.
	Range             json.RawMessage `json:"range,omitempty"`
	ListPartitionItem json.RawMessage `json:"listPartitionItem,omitempty"`
	DataProperty      DataProperty    `json:"dataProperty"`
	InMemory          bool            `json:"isInMemory"`
	Temporary         bool            `json:"isTempPartition"`
	Mutable           bool            `json:"isMutable"`
	// SQL is a fragment: ADD PARTITION `p5` VALUES [("400"), ("500")) ("version_info" = "1");
	SQL string `json:"sql"`
}

// DecodeAddPartition decodes an ADD_PARTITION.
func DecodeAddPartition(data string) (AddPartition, error) {
	return decode[AddPartition](TypeAddPartition, data)
}

// Partition is the part of the server's partition object that replication uses.
type Partition struct {
	ID           int64        `json:"id"`
	Name         string       `json:"name"`
	Distribution Distribution `json:"distributionInfo"`
}

// UnmarshalJSON understands the long names of 2.x and the short ones of 3.x.
func (p *Partition) UnmarshalJSON(data []byte) error {
	var raw struct {
		ID    int64         `json:"id"`
		Name  string        `json:"name"`
		Short string        `json:"nm"`
		Dist  *Distribution `json:"distributionInfo"`
		DI    *Distribution `json:"di"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*p = Partition{ID: raw.ID, Name: either(raw.Name, raw.Short)}
	if d := either(raw.Dist, raw.DI); d != nil {
		p.Distribution = *d
	}
	return nil
}

// Distribution says how rows are spread over buckets.
type Distribution struct {
	Type       string   `json:"type"` // HASH or RANDOM, "" if missing
	BucketNum  int      `json:"bucketNum"`
	AutoBucket bool     `json:"autoBucket"`
	Columns    []Column `json:"distributionColumns"`
}

// UnmarshalJSON finds the type in the class name when it stands nowhere else.
func (d *Distribution) UnmarshalJSON(data []byte) error {
	type plain Distribution
	var raw struct {
		plain
		Class string `json:"clazz"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*d = Distribution(raw.plain)
	if d.Type == "" {
		switch raw.Class {
		case "HashDistributionInfo":
			d.Type = "HASH"
		case "RandomDistributionInfo":
			d.Type = "RANDOM"
		}
	}
	return nil
}

// DataProperty says where a partition is stored.
type DataProperty struct {
	StorageMedium  string `json:"storageMedium"`
	CooldownTimeMs int64  `json:"cooldownTimeMs"`
	StoragePolicy  string `json:"storagePolicy"`
	Mutable        bool   `json:"isMutable"`
}

// DropPartition is ALTER TABLE DROP PARTITION (doris-binlogs.md 2.5).
type DropPartition struct {
	DBID        int64 `json:"dbId"`
	TableID     int64 `json:"tableId"`
	PartitionID int64 `json:"pid"` // 0 on old servers
	// PartitionName and Force say the same as SQL, which old servers leave empty.
	PartitionName string `json:"partitionName"`
	Temporary     bool   `json:"isTempPartition"`
	Force         bool   `json:"forceDrop"`
	SQL           string `json:"sql"`
}

// DecodeDropPartition decodes a DROP_PARTITION.
func DecodeDropPartition(data string) (DropPartition, error) {
	return decode[DropPartition](TypeDropPartition, data)
}

// ModifyPartitions is ALTER TABLE MODIFY PARTITION, or a cool-down
// (doris-binlogs.md 2.13).
type ModifyPartitions struct {
	Infos []PartitionInfo `json:"infos"`
}

// PartitionInfo is one changed partition.
type PartitionInfo struct {
	DBID          int64        `json:"dbId"`
	TableID       int64        `json:"tableId"`
	PartitionID   int64        `json:"partitionId"`
	PartitionName string       `json:"partitionName"` // newer servers only
	DataProperty  DataProperty `json:"dataProperty"`
	Temporary     bool         `json:"isTempPartition"`
}

// DecodeModifyPartitions decodes a MODIFY_PARTITIONS.
func DecodeModifyPartitions(data string) (ModifyPartitions, error) {
	return decode[ModifyPartitions](TypeModifyPartitions, data)
}

// ReplacePartitions is ALTER TABLE REPLACE PARTITION, or INSERT OVERWRITE
// (doris-binlogs.md 2.14).
type ReplacePartitions struct {
	DBID      int64  `json:"dbId"`
	DBName    string `json:"dbName"`
	TableID   int64  `json:"tblId"`
	TableName string `json:"tblName"`
	// Partitions are the names of those replaced by TempPartitions.
	Partitions     []string `json:"partitions"`
	TempPartitions []string `json:"tempPartitions"`
	StrictRange    bool     `json:"strictRange"`
	// UseTempName: the result keeps the temporary partitions' names.
	UseTempName bool `json:"useTempPartitionName"`
	Force       bool `json:"force"`
}

// DecodeReplacePartitions decodes a REPLACE_PARTITIONS.
func DecodeReplacePartitions(data string) (ReplacePartitions, error) {
	return decode[ReplacePartitions](TypeReplacePartitions, data)
}

// Truncate is TRUNCATE TABLE (doris-binlogs.md 2.15).
type Truncate struct {
	DBID        int64  `json:"dbId"`
	DBName      string `json:"db"`
	TableID     int64  `json:"tblId"`
	TableName   string `json:"table"`
	EntireTable bool   `json:"isEntireTable"`
	// RawSQL is "" for the entire table, else e.g. PARTITIONS (`p5`).
	RawSQL string `json:"rawSql"`
	// OldPartitions are the names of the partitions that died, by id.
	OldPartitions map[int64]string `json:"op"`
}

// DecodeTruncate decodes a TRUNCATE_TABLE.
func DecodeTruncate(data string) (Truncate, error) { return decode[Truncate](TypeTruncateTable, data) }
