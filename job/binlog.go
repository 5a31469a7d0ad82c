package job

import "github.com/doris-ccr/ccr/doris/binlog"

// Binlog is one binlog on its way through the workflow. Data is left out when it
// is larger than MaxCarriedData: the step that applies it reads it again.
type Binlog struct {
	CommitSeq int64       `json:"commit_seq"`
	Type      binlog.Type `json:"type"`
	Timestamp int64       `json:"timestamp,omitempty"`
	DBID      int64       `json:"db_id,omitempty"`
	TableIDs  []int64     `json:"table_ids,omitempty"`
	Data      string      `json:"data,omitempty"`
	// Truncated is set when Data was left out for its size.
	Truncated bool `json:"truncated,omitempty"`
	// Summary is one line for people, e.g. "ADD_PARTITION p20260101 of orders".
	Summary string `json:"summary,omitempty"`
}

// MaxCarriedData is the largest Data, in bytes, that travels through the
// workflow's history.
const MaxCarriedData = 64 << 10
