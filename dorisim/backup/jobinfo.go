package backup

import "github.com/doris-ccr/ccr/dorisim/catalog"

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
	Views         []viewInfo     `json:"views"`
	OdbcTables    []odbcTable    `json:"odbc_tables"`
	OdbcResources []odbcResource `json:"odbc_resources"`
}

// odbcTable is an ODBC table, without its password.
type odbcTable struct {
	ID       int64  `json:"id"`
	Name     string `json:"doris_table_name"`
	Database string `json:"linked_odbc_database_name"`
	Table    string `json:"linked_odbc_table_name"`
	Resource string `json:"resource_name"`
	Host     string `json:"host"`
	Port     string `json:"port"`
	User     string `json:"user"`
	Driver   string `json:"driver"`
	Type     string `json:"odbc_type"`
}

func newOdbcTable(t *catalog.Table) odbcTable {
	p := t.Properties
	return odbcTable{
		ID: t.ID, Name: t.Name, Database: p["database"], Table: p["table"], Resource: p["odbc_catalog_resource"],
		Host: p["host"], Port: p["port"], User: p["user"], Driver: p["driver"], Type: p["odbc_type"],
	}
}

type odbcResource struct {
	Name string `json:"name"`
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
	OdbcTables    []odbcTable     `json:"odbc_table_list"`
	OdbcResources []odbcResource  `json:"odbc_resource_list"`
}

type olapTableText struct {
	Name       string   `json:"name"`
	Partitions []string `json:"partition_names"`
}

// complete tells whether no object is null, which JSON allows.
func (i *jobInfo) complete() bool {
	for _, t := range i.Tables {
		if t == nil {
			return false
		}
		for _, p := range t.Partitions {
			if p == nil {
				return false
			}
			for _, index := range p.Indexes {
				if index == nil {
					return false
				}
			}
		}
	}
	return true
}
