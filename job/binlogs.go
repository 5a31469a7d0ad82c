package job

import "time"

// WorkflowTypeBinlogs is the short workflow that looks at the binlogs that a job has still
// to handle. Its input is a BinlogsWanted, its result a BinlogsAhead. Names are part of the
// interface.
const (
	WorkflowTypeBinlogs     = "DescribeBinlogs"
	BinlogsWorkflowIDPrefix = "ccr-binlogs-"
	ActivityDescribeBinlogs = "DescribeBinlogs"
)

const (
	// MaxBinlogsWanted bounds the binlogs of one look.
	MaxBinlogsWanted = 20
	// MaxRecordShown bounds what is shown of a record, and of a statement.
	MaxRecordShown = 16 << 10
)

// BinlogsWanted asks for the binlogs after a commit seq, MaxBinlogsWanted at most.
type BinlogsWanted struct {
	Job   string `json:"job"`
	After int64  `json:"after"`
	Limit int    `json:"limit"`
}

// BinlogsAhead is what the source has recorded after a commit seq.
type BinlogsAhead struct {
	At      time.Time    `json:"at"`
	After   int64        `json:"after_commit_seq"`
	Binlogs []BinlogSeen `json:"binlogs"`
	// LostTo: the source has dropped the binlogs up to here, 0 if it has not.
	LostTo int64 `json:"lost_to,omitempty"`
	// Error is why no more is known.
	Error string `json:"error,omitempty"`
}

// BinlogSeen is a binlog, and what it would do. Nothing of it has been done.
type BinlogSeen struct {
	CommitSeq int64 `json:"commit_seq"`
	// Type is Doris' name of it.
	Type string `json:"type"`
	// CommittedAt is absent where the source does not tell it.
	CommittedAt time.Time     `json:"committed_at,omitzero"`
	Summary     string        `json:"summary"`
	Tables      []BinlogTable `json:"tables,omitempty"`
	// PassedOver: the job would do nothing for it.
	PassedOver bool `json:"passed_over,omitempty"`
	// Effect is what the job would do, in a sentence, and Statements what it would run on
	// the destination as far as that can be told without asking the destination.
	Effect     string   `json:"effect"`
	Statements []string `json:"statements,omitempty"`
	// SubTransactions are those of a load.
	SubTransactions int `json:"sub_transactions,omitempty"`
	// Bytes is the size of the record at the source. Record is the record, secrets masked;
	// Cut: not all of it.
	Bytes  int    `json:"bytes"`
	Record string `json:"record,omitempty"`
	Cut    bool   `json:"cut,omitempty"`
}

// BinlogTable is a table of the source.
type BinlogTable struct {
	ID   int64  `json:"id"`
	Name string `json:"name,omitempty"` // "" if the job does not know it
}
