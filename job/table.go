package job

import (
	"encoding/json"
	"math"
)

// Table is what a job knows of one source table or view.
type Table struct {
	// DestID is the destination table id, 0 for views and unknown ids.
	DestID int64 `json:"d,omitempty"`
	// Name is the source name as of Position.
	Name string `json:"n"`
	// CommitSeq: binlogs of this table up to here are contained in a snapshot.
	// Only meaningful in DBTablesIncrementalSync; 0 = no filter.
	CommitSeq int64 `json:"s,omitempty"`
	// Gone: every binlog of the table counts as contained, for ever: the source had it
	// no more when a snapshot of it was to be taken (doris-binlogs.md 4.5.5).
	Gone bool `json:"-"`
	// Partly: up to here a snapshot contains the binlogs of some of the table's
	// partitions (Progress.Partitions). 0 = none.
	Partly int64 `json:"q,omitempty"`
	View   bool  `json:"v,omitempty"`
	// Unconfirmed: the destination has forgotten which loads of the table it has
	// (architecture.md 4.2). The next one asks for a snapshot of it.
	Unconfirmed bool `json:"u,omitempty"`
	// External: the destination has its definition only. It has no id that
	// getMeta tells (doris-rpc.md 5), so Name stands for it.
	External bool `json:"x,omitempty"`
}

// Contains tells whether the binlog is contained in the table's snapshot.
func (t Table) Contains(commitSeq int64) bool { return t.Gone || commitSeq <= t.CommitSeq }

// The bits of a table's flags.
const (
	flagView = 1 << iota
	flagGone
	flagUnconfirmed
	flagExternal
	allFlags = 1<<iota - 1
)

// flags are what of a table is true or false.
func (t Table) flags() (f byte) {
	if t.View {
		f |= flagView
	}
	if t.Gone {
		f |= flagGone
	}
	if t.Unconfirmed {
		f |= flagUnconfirmed
	}
	if t.External {
		f |= flagExternal
	}
	return f
}

// setFlags is the inverse of flags.
func (t *Table) setFlags(f byte) {
	t.View, t.Gone, t.Unconfirmed, t.External = f&flagView != 0, f&flagGone != 0, f&flagUnconfirmed != 0, f&flagExternal != 0
}

// goneSeq is the commit seq that stands for Gone in JSON, as in the existing tool.
const goneSeq = int64(math.MaxInt64)

// SeqOrGone is the table's commit seq in the vocabulary of the existing tool: the
// greatest there is for a table that is gone.
func (t Table) SeqOrGone() int64 {
	if t.Gone {
		return goneSeq
	}
	return t.CommitSeq
}

// plainTable is a Table without its methods.
type plainTable Table

// MarshalJSON implements json.Marshaler.
func (t Table) MarshalJSON() ([]byte, error) {
	t.CommitSeq = t.SeqOrGone()
	return json.Marshal(plainTable(t))
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Table) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*plainTable)(t)); err != nil {
		return err
	}
	if t.Gone = t.CommitSeq == goneSeq; t.Gone {
		t.CommitSeq = 0
	}
	return nil
}
