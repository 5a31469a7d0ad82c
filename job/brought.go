package job

import (
	"slices"
	"strings"
	"time"
)

// MaxOwnSnapshots bounds the partial syncs that a job remembers: its state must not grow with its tables.
const MaxOwnSnapshots = 50

// maxSnapshotReason bounds the reason that is remembered of each, in bytes.
const maxSnapshotReason = 300

// Brought is which snapshots have brought a job's tables, and why.
type Brought struct {
	// Full is the last full sync that has ended, nil if none has since jobs keep this.
	Full *FullSnapshot `json:"full,omitempty"`
	// Own are the partial syncs since, the newest last, one a table (MaxOwnSnapshots).
	Own []OwnSnapshot `json:"own,omitempty"`
	// Before: partial syncs up to then are forgotten. The zero time: none is since Full.
	Before time.Time `json:"before,omitzero"`
}

// FullSnapshot is a full sync that has ended.
type FullSnapshot struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Newest is the greatest id of a table in it: Doris numbers tables as they are made, so one with a
	// greater id is younger.
	Newest int64 `json:"newest,omitempty"`
}

// OwnSnapshot is a partial sync that has ended.
type OwnSnapshot struct {
	TableID int64     `json:"id"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
	// Partitions is how many partitions it was of, 0: the whole table.
	Partitions int `json:"partitions,omitempty"`
}

// NoteSnapshot remembers that the snapshot in progress has ended: Tables are those that it leaves.
func (p *Progress) NoteSnapshot(at time.Time) {
	s := p.Snapshot
	reason := s.Reason
	if len(reason) > maxSnapshotReason {
		reason = strings.ToValidUTF8(reason[:maxSnapshotReason], "") + "..."
	}
	if s.Partial == nil {
		p.Brought = Brought{Full: &FullSnapshot{At: at, Reason: reason}}
		//workflowcheck:ignore the greatest: order does not matter
		for id := range p.Tables {
			p.Brought.Full.Newest = max(p.Brought.Full.Newest, id)
		}
		return
	}
	b := &p.Brought
	own := OwnSnapshot{TableID: s.Partial.TableID, At: at, Reason: reason, Partitions: len(s.Partial.Partitions)}
	if id, known := p.idOf(s.Partial.Table); known {
		own.TableID = id // a table that was replaced has another
	}
	// Deleting copies in place: what a step is being given shares the list.
	list := make([]OwnSnapshot, 0, len(b.Own)+1)
	for _, o := range b.Own {
		if o.TableID != own.TableID {
			list = append(list, o)
		}
	}
	list = append(list, own)
	if len(list) > MaxOwnSnapshots {
		b.Before = list[0].At
		list = slices.Clone(list[1:])
	}
	b.Own = list
}

// idOf is the id of the table of that name.
func (p *Progress) idOf(name string) (id int64, known bool) {
	//workflowcheck:ignore the greatest: order does not matter
	for i, t := range p.Tables {
		if t.Name == name {
			id, known = max(id, i), true
		}
	}
	return id, known
}

// BroughtBy is the kind of what has brought a table last.
type BroughtBy string

// What has brought a table last.
const (
	ByFullSync    BroughtBy = "full sync"
	ByPartialSync BroughtBy = "partial sync"
	// ByPartitions: some of its partitions came by a partial sync later than the rest.
	ByPartitions BroughtBy = "partial sync of partitions"
	// ByBinlogs: the table is younger than the last full sync, and no snapshot of it is known.
	ByBinlogs BroughtBy = "its binlogs"
	// ByUnknown: no snapshot has ended that the job remembers.
	ByUnknown BroughtBy = ""
)

// TableBrought tells which snapshot has brought a table last.
type TableBrought struct {
	By     BroughtBy `json:"by,omitempty"`
	At     time.Time `json:"at,omitzero"`
	Reason string    `json:"reason,omitempty"`
	// Before is set if a partial sync may have brought the table up to then: that is forgotten.
	Before time.Time `json:"unless_before,omitzero"`
}

// BroughtTable tells which snapshot has brought a table last.
func (p *Progress) BroughtTable(id int64) TableBrought {
	b := p.Brought
	if b.Full == nil && len(b.Own) == 0 {
		return p.broughtBefore(id)
	}
	if i := slices.IndexFunc(b.Own, func(o OwnSnapshot) bool { return o.TableID == id }); i >= 0 {
		o := b.Own[i]
		t := TableBrought{By: ByPartialSync, At: o.At, Reason: o.Reason}
		if o.Partitions > 0 {
			t.By = ByPartitions
		}
		return t
	}
	switch {
	case b.Full == nil:
		return TableBrought{} // nobody knows which tables are younger than the last full sync
	case id > b.Full.Newest:
		return TableBrought{By: ByBinlogs, Before: b.Before}
	}
	return TableBrought{By: ByFullSync, At: b.Full.At, Reason: b.Full.Reason, Before: b.Before}
}

// broughtBefore is BroughtTable for a state in which no snapshot has ended since jobs take note of them: it knows
// the table of the last partial sync, and of the others not which are younger than the last full sync.
func (p *Progress) broughtBefore(id int64) TableBrought {
	if p.PartialSyncs > 0 && p.Snapshot == nil && p.PartialSyncInfo.Table != "" && p.Tables[id].Name == p.PartialSyncInfo.Table {
		return TableBrought{By: ByPartialSync, At: p.PartialSyncStartedAt, Reason: p.PartialSyncInfo.Info}
	}
	return TableBrought{}
}
