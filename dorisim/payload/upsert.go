// Package payload has the JSON payloads of binlogs that the simulator's core
// writes itself: UPSERT and BARRIER. Those of DDL belong to package ddl.
package payload

import (
	"slices"
	"strconv"
)

// Upsert is the payload of an UPSERT (doris-binlogs.md 3.1).
type Upsert struct {
	CommitSeq int64                   `json:"commitSeq"`
	TxnID     int64                   `json:"txnId"`
	Timestamp int64                   `json:"timeStamp"` // ms
	Label     string                  `json:"label"`
	DBID      int64                   `json:"dbId"`
	Tables    map[string]*UpsertTable `json:"tableRecords"`
	SubTxnIDs []int64                 `json:"stids,omitempty"`
}

// UpsertTable is what one table received.
type UpsertTable struct {
	Partitions []UpsertPartition `json:"partitionRecords"`
	Indexes    []int64           `json:"indexIds"`
}

// UpsertPartition is one version of one partition.
type UpsertPartition struct {
	PartitionID int64  `json:"partitionId"`
	Range       string `json:"range"`
	Version     int64  `json:"version"`
	Temporary   bool   `json:"isTempPartition"`
	SubTxnID    int64  `json:"stid"` // -1 without sub-transactions
}

// Add appends a partition to the table's record; indexes are the ones that
// received data.
func (u *Upsert) Add(table int64, indexes []int64, p UpsertPartition) {
	t := u.AddTable(table, indexes)
	t.Partitions = append(t.Partitions, p)
}

// AddTable makes sure that the table has a record, which has no partitions if
// those that were loaded have vanished (doris-binlogs.md 3.1).
func (u *Upsert) AddTable(table int64, indexes []int64) *UpsertTable {
	key := strconv.FormatInt(table, 10)
	t, ok := u.Tables[key]
	if !ok {
		t = &UpsertTable{Partitions: []UpsertPartition{}}
		u.Tables[key] = t
	}
	for _, id := range indexes {
		if !slices.Contains(t.Indexes, id) {
			t.Indexes = append(t.Indexes, id)
		}
	}
	return t
}

// Barrier is the payload of a BARRIER (doris-binlogs.md 2.12). BinlogType and
// Binlog carry a wrapped event.
type Barrier struct {
	DBID       int64  `json:"dbId"`
	DBName     string `json:"dbName"`
	TableID    int64  `json:"tableId"`
	TableName  string `json:"tableName"`
	BinlogType int32  `json:"binlogType"`
	Binlog     string `json:"binlog,omitempty"`
}
