// Package binlog knows Doris' binlogs: the record that getBinlog returns and the
// JSON payload of each type (doris-binlogs.md 2 and 3.1). Payloads are decoded
// leniently: unknown fields are ignored, missing ones are zero, and both the
// long and the short spelling of a name are understood.
package binlog

import (
	"fmt"
	"slices"
)

// Record is one binlog as a frontend serves it (doris-binlogs.md 2.1).
type Record struct {
	CommitSeq int64
	// Timestamp in ms since the epoch, -1 if unknown.
	Timestamp int64
	Type      Type
	DBID      int64
	TableIDs  []int64
	// Data is the JSON payload, "" for DUMMY.
	Data string
	// Belong is set on DUMMY only: the table whose log it heads, -1 for the log
	// of the database.
	Belong int64
}

// Unwrap returns the binlog inside a BARRIER, with the barrier's commit seq: a
// server that may not add types wraps newer ones (doris-binlogs.md 2.12). Any
// other record, and a bare BARRIER, is returned as it is.
func (r Record) Unwrap() (Record, error) {
	if r.Type != TypeBarrier {
		return r, nil
	}
	b, err := DecodeBarrier(r.Data)
	if err != nil {
		return r, err
	}
	if b.Binlog == "" {
		return r, nil
	}
	inner := r
	inner.Type, inner.Data = Type(b.BinlogType), b.Binlog
	if inner.Type == TypeBarrier {
		return r, fmt.Errorf("binlog %d is a BARRIER inside a BARRIER", r.CommitSeq)
	}
	if len(inner.TableIDs) == 0 && b.TableID > 0 {
		inner.TableIDs = []int64{b.TableID}
	}
	return inner, nil
}

// Tables returns the ids of all source tables that the binlog concerns, in
// ascending order: those it is filed under and those its payload names. A
// payload that cannot be decoded adds none.
func (r Record) Tables() []int64 {
	ids := slices.Clone(r.TableIDs)
	switch r.Type {
	case TypeUpsert:
		if u, err := DecodeUpsert(r.Data); err == nil {
			for id := range u.TableRecords {
				ids = append(ids, id)
			}
		}
	case TypeReplaceTable:
		if p, err := DecodeReplaceTable(r.Data); err == nil {
			ids = append(ids, p.OriginTableID, p.NewTableID)
		}
	case TypeModifyPartitions:
		if p, err := DecodeModifyPartitions(r.Data); err == nil {
			for _, info := range p.Infos {
				ids = append(ids, info.TableID)
			}
		}
	}
	ids = slices.DeleteFunc(ids, func(id int64) bool { return id <= 0 })
	slices.Sort(ids)
	return slices.Compact(ids)
}
