package binlog

// Upsert is a transaction that became visible (doris-binlogs.md 3.1).
type Upsert struct {
	CommitSeq int64  `json:"commitSeq"`
	TxnID     int64  `json:"txnId"`
	Timestamp int64  `json:"timeStamp"` // finish time, ms since the epoch
	Label     string `json:"label"`
	DBID      int64  `json:"dbId"`
	// TableRecords by source table id.
	TableRecords map[int64]TableRecord `json:"tableRecords"`
	// SubTxnIDs in execution order; empty for all but transactional inserts.
	SubTxnIDs []int64 `json:"stids,omitempty"`
}

// TableRecord says what a transaction wrote into one table.
type TableRecord struct {
	PartitionRecords []PartitionRecord `json:"partitionRecords"`
	// IndexIDs that got rows, shadow indexes included. May be missing on a
	// frontend that has replayed its journal: all visible indexes then.
	IndexIDs []int64 `json:"indexIds,omitempty"`
}

// PartitionRecord is one new version of a partition. One partition can occur
// several times, with rising versions, if several sub-transactions touched it.
type PartitionRecord struct {
	PartitionID int64  `json:"partitionId"`
	Range       string `json:"range"` // as meta.NormalizeRange takes it
	Version     int64  `json:"version"`
	Temporary   bool   `json:"isTempPartition"`
	// SubTxnID is the sub-transaction that wrote it, -1 (or 0 on old servers)
	// outside transactional inserts.
	SubTxnID int64 `json:"stid"`
}

// DecodeUpsert decodes an UPSERT.
func DecodeUpsert(data string) (Upsert, error) { return decode[Upsert](TypeUpsert, data) }
