package ddl

// The JSON payloads of DDL binlogs, with the field names of doris-binlogs.md
// chapter 2.

type createTablePayload struct {
	CommitSeq int64  `json:"commitSeq"`
	DBID      int64  `json:"dbId"`
	DBName    string `json:"dbName"`
	TableID   int64  `json:"tableId"`
	TableName string `json:"tableName"`
	TableType string `json:"tableType"`
	SQL       string `json:"sql"`
}

type dropTablePayload struct {
	CommitSeq int64  `json:"commitSeq"`
	DBID      int64  `json:"dbId"`
	TableID   int64  `json:"tableId"`
	TableName string `json:"tableName"`
	IsView    bool   `json:"isView"`
	RawSQL    string `json:"rawSql"`
}

type alterDatabasePayload struct {
	DBID       int64             `json:"dbId"`
	DBName     string            `json:"dbName"`
	Properties map[string]string `json:"properties"`
}

type dropPartitionPayload struct {
	DBID        int64  `json:"dbId"`
	TableID     int64  `json:"tableId"`
	PartitionID int64  `json:"pid"`
	Name        string `json:"partitionName"`
	Temporary   bool   `json:"isTempPartition"`
	Force       bool   `json:"forceDrop"`
	RecycleTime int64  `json:"recycleTime"`
	SQL         string `json:"sql"`
	Version     int64  `json:"version"`
	VersionTime int64  `json:"versionTime"`
}

type truncatePayload struct {
	DBID        int64            `json:"dbId"`
	DB          string           `json:"db"`
	TableID     int64            `json:"tblId"`
	Table       string           `json:"table"`
	EntireTable bool             `json:"isEntireTable"`
	RawSQL      string           `json:"rawSql"`
	Old         map[int64]string `json:"op"` // dead partition id -> name
}

// renamePayload is the record of all kinds of renames of tables, partitions and
// rollups (doris-binlogs.md 2.16, 2.23); unused ids are -1.
type renamePayload struct {
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

type renameColumnPayload struct {
	DBID           int64           `json:"dbId"`
	TableID        int64           `json:"tableId"`
	Old            string          `json:"colName"`
	New            string          `json:"newColName"`
	SchemaVersions map[int64]int32 `json:"indexIdToSchemaVersion"`
}

type commentPayload struct {
	Type     string            `json:"type"` // TABLE or COLUMN
	DBID     int64             `json:"dbId"`
	TableID  int64             `json:"tblId"`
	Columns  map[string]string `json:"colToComment,omitempty"`
	TableTxt *string           `json:"tblComment,omitempty"`
}

type viewPayload struct {
	DBID       int64           `json:"dbId"`
	TableID    int64           `json:"tableId"`
	Definition string          `json:"inlineViewDef"`
	SQLMode    int             `json:"sqlMode"`
	Schema     []columnPayload `json:"newFullSchema"`
	Comment    string          `json:"comment,omitempty"`
}

type replaceTablePayload struct {
	DBID       int64  `json:"dbId"`
	OriginID   int64  `json:"origTblId"`
	NewID      int64  `json:"newTblName"` // an id; the name is a misnomer of the FE
	Swap       bool   `json:"swapTable"`
	Force      bool   `json:"isForce"`
	OriginName string `json:"origTblName"`
	NewName    string `json:"actualNewTblName"`
}

type tablePropertyPayload struct {
	DBID       int64             `json:"dbId"`
	TableID    int64             `json:"tableId"`
	Catalog    string            `json:"ctlName,omitempty"` // later than M24
	DBName     string            `json:"dbName,omitempty"`  // later than M24
	TableName  string            `json:"tableName"`
	Properties map[string]string `json:"properties"`
	SQL        string            `json:"sql"`
}

type bucketNumPayload struct {
	DBID       int64  `json:"dbId"`
	TableID    int64  `json:"tableId"`
	Type       string `json:"type"`
	AutoBucket bool   `json:"autoBucket"`
	Buckets    int    `json:"bucketNum"`
	Columns    string `json:"columnsName"`
}

type lightSchemaPayload struct {
	DBID    int64                     `json:"dbId"`
	TableID int64                     `json:"tableId"`
	Schemas map[int64][]columnPayload `json:"indexSchemaMap"`
	Indexes []secondaryPayload        `json:"indexes"`
	JobID   int64                     `json:"jobId"`
	RawSQL  string                    `json:"rawSql"`
}

type secondaryPayload struct {
	ID         int64             `json:"i"`
	Name       string            `json:"in"`
	Columns    []string          `json:"c"`
	Kind       string            `json:"it"`
	Properties map[string]string `json:"pt"`
	Comment    string            `json:"ct"`
	ColumnIDs  []int32           `json:"cui"`
}
