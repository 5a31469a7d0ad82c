package job

import (
	"slices"
	"time"
)

// Unconfirmed is what may be on the destination without the job knowing it. Only the
// destination can tell, and not for ever (architecture.md 4.2). The zero value:
// there is nothing.
//
// It is part of Progress, and the first two fields of a StreamResult. The JSON names
// are older than the type.
type Unconfirmed struct {
	// Since is set when a shift ended without telling its position, or without
	// knowing what became of its last commits: before that moment nothing beyond
	// Position was applied.
	Since time.Time `json:"unheard,omitzero"`
	// To is the last binlog of which that holds, 0 if nobody can tell.
	To int64 `json:"unheard_to,omitempty"`
	// Epoch is the one in which that began, 0 if nobody can tell.
	Epoch int64 `json:"unheard_epoch,omitempty"`

	// Pending is set when an attempt at Progress.Pending ended without a known
	// outcome (ApplyInput.OutcomeUnknown).
	Pending bool `json:"pending_unknown,omitempty"`
	// CommitSeq is a binlog that Pending was true of when a partial sync came in
	// between: it is still to be applied. 0 = none.
	CommitSeq int64 `json:"unknown_seq,omitempty"`
	// Through is the last binlog of a step with several of them of which no outcome is
	// known: Pending is true of all up to it. 0 = none.
	Through int64 `json:"unknown_through,omitempty"`
	// ImportedUntil is set for a job that was imported from another tool: that tool
	// may have applied what the source recorded before this moment.
	ImportedUntil time.Time `json:"doubt_until,omitzero"`
}

// Covers tells whether a binlog, which is to be applied now, may have been already:
// by an attempt before a partial sync came in between, or by the tool that the job
// was imported from. Binlogs without a time (old servers) may have been as long as
// any may.
func (u *Unconfirmed) Covers(b *Binlog) bool {
	if b.CommitSeq == u.CommitSeq || b.CommitSeq <= u.Through {
		return true
	}
	return !u.ImportedUntil.IsZero() && (b.Timestamp <= 0 || b.Timestamp <= u.ImportedUntil.UnixMilli())
}

// Shift notes what a shift of an epoch has left unconfirmed; the zero time: nothing.
func (u *Unconfirmed) Shift(since time.Time, to, epoch int64) {
	switch {
	case since.IsZero():
		u.Epoch = 0
	case u.Since.IsZero():
		u.Epoch = epoch
	}
	u.Since, u.To = since, to
}

// leavePending notes that the pending binlog gives way to a partial sync that was
// ordered at a commit seq. One that was ordered at the binlog itself replaces it.
func (u *Unconfirmed) leavePending(b *Binlog, commitSeq int64) {
	if b != nil && u.Pending && b.CommitSeq != commitSeq {
		u.CommitSeq = b.CommitSeq
	}
	u.Pending = false
}

// Settling is what of the log is dealt with for good, and beyond that. A binlog can be
// filed after one with a greater commit seq (doris-binlogs.md 1.2), so what was read is
// read again after a while, and only then it is sure to be complete. It is part of
// Progress, and of what shifts report.
type Settling struct {
	// Settled is where the binlogs have to be read from again. 0 = Position, which it
	// always is for a table, negative = the beginning. See Progress.Durable.
	Settled int64 `json:"settled,omitempty"`
	// AppliedBeyond are the binlogs beyond Durable that have been dealt with, sorted.
	// They may be beyond Position as well: with CommitOrderPerTable the tables do not
	// wait for each other. The destination knows the UPSERTs among them, too, but not
	// for ever.
	AppliedBeyond []int64 `json:"ahead,omitempty"`
	// Met is a moment at which the binlogs up to some commit seq had been met: what
	// was still missing then has been filed a while later.
	Met Met `json:"met,omitzero"`
}

// Met says when the binlogs up to a commit seq had been met.
type Met struct {
	CommitSeq int64     `json:"commit_seq"`
	At        time.Time `json:"at"`
}

// Durable is the commit seq up to which no binlog is ever needed again.
func (p *Progress) Durable() int64 {
	if p.Settled == 0 {
		return p.Position.CommitSeq
	}
	return max(0, min(p.Settled, p.Position.CommitSeq))
}

// Dealt tells whether the binlog is applied, or passed over.
func (p *Progress) Dealt(commitSeq int64) bool {
	_, beyond := slices.BinarySearch(p.AppliedBeyond, commitSeq)
	return beyond || commitSeq <= p.Durable()
}

// Deal notes that the binlog is applied, or passed over: the position moves to
// it unless it is beyond it, for it may have been filed late.
func (p *Progress) Deal(commitSeq int64) {
	if !p.Dealt(commitSeq) && p.Settled != 0 {
		at, _ := slices.BinarySearch(p.AppliedBeyond, commitSeq)
		p.AppliedBeyond = slices.Insert(slices.Clone(p.AppliedBeyond), at, commitSeq)
	}
	p.Position.CommitSeq = max(p.Position.CommitSeq, commitSeq)
}
