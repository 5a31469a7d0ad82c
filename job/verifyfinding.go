package job

import (
	"slices"
	"time"
)

// VerifyFinding is a table that a verification has found to differ. A job tells of it
// until a verification finds the table equal, or it is gone: one of another table in
// between says nothing of it.
type VerifyFinding struct {
	Table   string `json:"table"`
	TableID int64  `json:"table_id,omitempty"`
	// Partitions are those that were compared; none = all.
	Partitions []string     `json:"partitions,omitempty"`
	Method     VerifyMethod `json:"method,omitempty"`
	Report     string       `json:"report"`
	At         time.Time    `json:"at"`
}

const (
	// MaxVerifyFindings bounds those that a job names.
	MaxVerifyFindings = 100
	// maxFindingPartitions bounds the partitions of one: with more it is about the whole
	// table.
	maxFindingPartitions = 20
)

// Finding is what a verification with this request, whose report has that id, has found
// of a table.
func (r *VerifyRequest) Finding(t VerifiedTable, report string) VerifyFinding {
	f := VerifyFinding{Table: t.Table, TableID: t.TableID, Method: r.Method, Report: report, At: t.At}
	if len(r.Partitions) <= maxFindingPartitions {
		f.Partitions = r.Partitions
	}
	return f
}

// Same tells whether two are of the same table.
func (f *VerifyFinding) Same(other VerifyFinding) bool {
	if f.TableID != 0 && other.TableID != 0 {
		return f.TableID == other.TableID
	}
	return f.Table == other.Table
}

// Settles tells whether f, by which a table is equal, takes back that it differs. Who
// only counts rows does not see what a checksum has seen, and who looks at some
// partitions nothing of the others.
func (f *VerifyFinding) Settles(found VerifyFinding) bool {
	if !f.Same(found) || f.Method == VerifyCount && found.Method != VerifyCount {
		return false
	}
	if len(f.Partitions) == 0 {
		return true
	}
	return len(found.Partitions) > 0 && !slices.ContainsFunc(found.Partitions, func(p string) bool { return !slices.Contains(f.Partitions, p) })
}

// Follow adds to v what earlier verifications have found, and what it has not settled.
func (v *Verified) Follow(earlier *Verified, settled []VerifyFinding) {
	if earlier == nil {
		return
	}
	for _, old := range earlier.StillDifferent {
		if slices.ContainsFunc(settled, func(f VerifyFinding) bool { return f.Settles(old) }) {
			continue
		}
		if i := slices.IndexFunc(v.StillDifferent, old.Same); i >= 0 {
			v.StillDifferent[i].join(old)
			continue
		}
		v.StillDifferent = append(v.StillDifferent, old)
	}
	// Those that have no name are settled only together.
	if !v.All || v.Busy > 0 || v.Skipped > 0 {
		v.MoreDifferent += earlier.MoreDifferent
	}
	v.bound()
}

// join makes f, the later one, be about all that old was about.
func (f *VerifyFinding) join(old VerifyFinding) {
	if f.Method == VerifyCount {
		f.Method = old.Method
	}
	switch {
	case len(f.Partitions) == 0 || len(old.Partitions) == 0:
		f.Partitions = nil
	default:
		f.Partitions = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(f.Partitions), old.Partitions...))))
		if len(f.Partitions) > maxFindingPartitions {
			f.Partitions = nil
		}
	}
}

func (v *Verified) bound() {
	if extra := len(v.StillDifferent) - MaxVerifyFindings; extra > 0 {
		v.StillDifferent, v.MoreDifferent = v.StillDifferent[:MaxVerifyFindings], v.MoreDifferent+extra
	}
}

// CountDifferent is how many tables differ, as far as anybody has verified.
func (v *Verified) CountDifferent() int {
	return max(len(v.StillDifferent)+v.MoreDifferent, v.Different) // an older worker gives no names
}
