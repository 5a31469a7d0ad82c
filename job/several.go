package job

import (
	"maps"
	"slices"
)

// ApplySeveralInput is the input of ApplyBinlogs: the binlog of ApplyInput, and those
// behind it, which are applied in the same step.
type ApplySeveralInput struct {
	ApplyInput
	Following []Binlog `json:"following"`
}

// Binlogs are all binlogs of the step, in the order in which they are applied.
func (in *ApplySeveralInput) Binlogs() []*Binlog {
	all := []*Binlog{in.Progress.Pending}
	for i := range in.Following {
		all = append(all, &in.Following[i])
	}
	return all
}

// ApplySeveralResult is the result of ApplyBinlogs. It may be about some of the
// binlogs only: those behind them have not been begun, but for the next one.
type ApplySeveralResult struct {
	// Outcomes are those of the first binlogs, in order. None but the last is anything
	// but Done.
	Outcomes []ApplyResult `json:"outcomes,omitempty"`
	// Failed is set if the step failed at the binlog behind those.
	Failed *Problem `json:"failed,omitempty"`
	// Unknown is set if nobody knows whether the binlog behind those has been applied.
	Unknown bool `json:"unknown,omitempty"`
}

// Details are what a heartbeat travels as. Outcomes may be many, and large payloads are
// compressed: beside them, the rest stays readable in the Web UI.
func (b Heartbeat) Details() []any {
	if len(b.Outcomes) == 0 {
		return []any{b}
	}
	outcomes := b.Outcomes
	b.Outcomes = nil
	return []any{b, outcomes}
}

// ReadHeartbeat is the inverse of Details; get decodes them.
func ReadHeartbeat(get func(...any) error) (b Heartbeat, err error) {
	var outcomes []ApplyResult
	if err := get(&b, &outcomes); err != nil {
		return Heartbeat{}, err
	}
	if outcomes != nil {
		b.Outcomes = outcomes
	}
	return b, nil
}

// Ends tells whether nothing may be applied in the same step after this outcome: the
// job does something else now, or follows another table.
func (r *ApplyResult) Ends() bool {
	return !r.Done || r.Wanted != nil || r.Problem != nil || r.SourceTable != "" || r.SourceTableID != 0
}

// Applied notes the outcome of a binlog that is done, as the job's workflow does. The
// maps of p must be its own.
func (p *Progress) Applied(b *Binlog, out *ApplyResult) {
	p.Apply(out.Tables)
	if out.SetShadowIndexes {
		p.ShadowIndexes = out.ShadowIndexes
	}
	p.Deal(b.CommitSeq)
	p.SettleIncremental()
}

// Then returns the changes that have the effect of c and then of next.
func (c TableChanges) Then(next TableChanges) TableChanges {
	all := TableChanges{Set: maps.Clone(c.Set), Drop: slices.Clone(c.Drop)}
	for id, t := range next.Set {
		if all.Set == nil {
			all.Set = map[int64]Table{}
		}
		all.Set[id] = t
		all.Drop = slices.DeleteFunc(all.Drop, func(dropped int64) bool { return dropped == id })
	}
	for _, id := range next.Drop {
		delete(all.Set, id)
		if !slices.Contains(all.Drop, id) {
			all.Drop = append(all.Drop, id)
		}
	}
	return all
}
