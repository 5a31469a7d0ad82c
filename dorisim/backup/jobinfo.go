package backup

// jobInfo is the job_info JSON (doris-rpc.md 5.3). Ids are JSON numbers of 64
// bits, map keys strings.
type jobInfo struct {
	Name                       string                `json:"name"`
	Database                   string                `json:"database"`
	ID                         int64                 `json:"id"`
	BackupTime                 int64                 `json:"backup_time"` // ms
	Content                    string                `json:"content"`
	Tables                     map[string]*tableInfo `json:"backup_objects"`
	Others                     otherObjects          `json:"new_backup_objects"`
	Result                     string                `json:"backup_result"`
	MetaVersion                int                   `json:"meta_version"`
	MajorVersion               int                   `json:"major_version"`
	MinorVersion               int                   `json:"minor_version"`
	PatchVersion               int                   `json:"patch_version"`
	ForceReplicationAllocation bool                  `json:"is_force_replication_allocation"`
	TabletBackends             map[int64]int64       `json:"tablet_be_map"`
	TabletPaths                map[int64]string      `json:"tablet_snapshot_path_map"`
	TableCommitSeqs            map[int64]int64       `json:"table_commit_seq_map"`
	Aliases                    map[string]string     `json:"tblalias"`
	Extra                      *extraInfo            `json:"extra_info,omitempty"`
}

type tableInfo struct {
	ID         int64                     `json:"id"`
	Partitions map[string]*partitionInfo `json:"partitions"`
}

type partitionInfo struct {
	ID      int64                 `json:"id"`
	Version int64                 `json:"version"`
	Indexes map[string]*indexInfo `json:"indexes"`
}

type indexInfo struct {
	ID           int64              `json:"id"`
	SchemaHash   int32              `json:"schema_hash"`
	Tablets      map[int64][]string `json:"tablets"`
	TabletsOrder []int64            `json:"tablets_order"`
}

type otherObjects struct {
	Views         []viewInfo `json:"views"`
	OdbcTables    []struct{} `json:"odbc_tables"`
	OdbcResources []struct{} `json:"odbc_resources"`
}

type viewInfo struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// extraInfo is what the client adds before a restore (doris-rpc.md 5.4).
type extraInfo struct {
	Backends map[string]backendAddress `json:"be_network_map"`
	Token    string                    `json:"token"`
}

type backendAddress struct {
	IP   string `json:"ip"`
	Port int    `json:"port"`
}

// objectsText is the short form shown in RestoreObjs (doris-sql.md 2.9).
type objectsText struct {
	Name          string          `json:"name"`
	Database      string          `json:"database"`
	BackupTime    int64           `json:"backup_time"`
	Content       string          `json:"content"`
	Tables        []olapTableText `json:"olap_table_list"`
	Views         []viewInfo      `json:"view_list"`
	OdbcTables    []struct{}      `json:"odbc_table_list"`
	OdbcResources []struct{}      `json:"odbc_resource_list"`
}

type olapTableText struct {
	Name       string   `json:"name"`
	Partitions []string `json:"partition_names"`
}
