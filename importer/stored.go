package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// storedJob is the job_info of the existing syncer, the object of http-api.md
// 3.11 in all its versions. What is missing is zero, what is unknown is ignored.
type storedJob struct {
	Name           string        `json:"name"`
	SyncType       int           `json:"sync_type"`
	Src            storedCluster `json:"src"`
	Dest           storedCluster `json:"dest"`
	State          int           `json:"state"`
	SkipError      bool          `json:"skip_error"` // October 2024 only
	ReplicationNum int           `json:"replication_num"`
	Extra          storedExtra   `json:"extra"`
}

type storedExtra struct {
	ReuseBinlogLabel bool   `json:"reuse_binlog_label"`
	ReplicationNum   int    `json:"replication_num"`
	SkipBinlog       bool   `json:"skip_binlog"`
	SkipBy           string `json:"skip_by"`
	SkipCommitSeq    int64  `json:"skip_commit_seq"`
	SkipTable        string `json:"skip_table"`
	SkipTableID      int64  `json:"skip_table_id"`
}

type storedFrontend struct {
	Host       string     `json:"host"`
	Port       storedPort `json:"port"`
	ThriftPort storedPort `json:"thrift_port"`
	IsMaster   bool       `json:"is_master"`
}

type storedCluster struct {
	storedFrontend
	Frontends   []storedFrontend  `json:"frontends"`
	User        string            `json:"user"`
	Password    string            `json:"password"` // in clear
	Cluster     string            `json:"cluster"`
	Database    string            `json:"database"`
	DatabaseID  int64             `json:"db_id"`
	Table       string            `json:"table"`
	TableID     int64             `json:"table_id"`
	HostMapping map[string]string `json:"host_mapping"`
}

// storedPort is a port, stored as a string.
type storedPort int

// UnmarshalJSON implements json.Unmarshaler. What is no number becomes 0, which
// the job's validation names.
func (p *storedPort) UnmarshalJSON(b []byte) error {
	n, _ := strconv.Atoi(string(bytes.Trim(b, `" `)))
	*p = storedPort(n)
	return nil
}

// storedProgress is the progress of the existing syncer, the object of
// http-api.md 3.12 in all its versions.
type storedProgress struct {
	SyncState        *int             `json:"sync_state"`
	SubSyncState     storedSubState   `json:"sub_sync_state"`
	JobSyncID        int64            `json:"job_sync_id"`
	PrevCommitSeq    int64            `json:"prev_commit_seq"`
	CommitSeq        int64            `json:"commit_seq"`
	TableMapping     map[int64]int64  `json:"table_mapping"`
	TableNames       map[int64]string `json:"table_name_mapping"`
	TableCommitSeqs  map[int64]int64  `json:"table_commit_seq_map"`
	PartitionSeqs    map[int64]int64  `json:"partition_commit_seq_map"`
	PartialSyncData  *storedPartial   `json:"partial_sync_data"`
	PrevTxnID        int64            `json:"prev_txn_id"`
	ShadowIndexes    map[int64]int64  `json:"shadow_index_map"`
	CreatedAt        int64            `json:"created_at"`
	FullSyncStart    int64            `json:"full_sync_start_at"`
	PartialSyncStart int64            `json:"partial_sync_start_at"`
	IncrementalStart int64            `json:"incremental_sync_start_at"`
	FullSyncInfo     storedFullSync   `json:"full_sync_info"`
}

type storedSubState struct {
	State      int `json:"state"`
	BinlogType int `json:"binlog_type"`
}

// subDone is the sub state between two binlogs.
const subDone = -1

type storedPartial struct {
	TableID    int64    `json:"table_id"`
	Table      string   `json:"table"`
	IsView     bool     `json:"is_view"`
	Partitions []string `json:"partitions"`
}

type storedFullSync struct {
	CommitSeq int64  `json:"commit_seq"`
	Info      string `json:"info"`
}

// The numbers of sync_state (http-api.md 3.7); the names are job.SyncState's,
// but for the one that is no more.
const dbSpecificTableFullSync = 2

// decodeStored reads an object that may be stored as a string holding JSON, as
// the oldest versions answered it. The error never quotes the text: it holds
// passwords.
func decodeStored(what string, text []byte, into any) error {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '"' {
		var inner string
		if err := json.Unmarshal(text, &inner); err != nil {
			return fmt.Errorf("%s cannot be read: it is no JSON", what)
		}
		text = []byte(inner)
	}
	err := json.Unmarshal(text, into)
	switch e := err.(type) {
	case nil:
		return nil
	case *json.UnmarshalTypeError:
		return fmt.Errorf("%s cannot be read: %s is a JSON %s, want %s", what, e.Field, e.Value, e.Type)
	case *json.SyntaxError:
		return fmt.Errorf("%s cannot be read: not JSON at byte %d of %d", what, e.Offset, len(text))
	}
	return fmt.Errorf("%s cannot be read: it does not fit", what)
}
