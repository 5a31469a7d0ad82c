package workflows

import (
	"slices"

	"github.com/doris-ccr/ccr/job"
)

// What earlier verifications of the job have found to differ, and this one has not.

// settle takes back what was found of a table that is equal now.
func (v *verification) settle(t job.VerifiedTable) {
	if t.Outcome != job.VerifyEqual && t.Outcome != job.VerifyRepaired {
		return
	}
	f := v.in.Request.Finding(t, v.report.ID)
	// A repair of what an older report has found was not told of earlier findings.
	if v.in.Of != "" || slices.ContainsFunc(v.in.Earlier, f.Settles) {
		v.in.Settled = append(v.in.Settled, f)
	}
}

// settleGone takes back what was found of tables that are not there any more: this
// verification was asked for them, and nobody has them.
func (v *verification) settleGone() {
	filter := job.TableFilter{Include: v.in.Request.Tables}
	if len(v.in.Request.Partitions) > 0 {
		return
	}
	for _, f := range v.in.Earlier {
		there := slices.ContainsFunc(v.report.Planned, func(t job.VerifyTarget) bool {
			return f.Same(job.VerifyFinding{Table: t.Name, TableID: t.ID})
		})
		if !there && filter.Selects(f.Table) {
			v.in.Settled = append(v.in.Settled, job.VerifyFinding{Table: f.Table, TableID: f.TableID})
		}
	}
}

// tellFindings adds to what the job is told.
func (v *verification) tellFindings(told *job.Verified) {
	for _, t := range v.report.Tables {
		if t.Outcome == job.VerifyDifferent && len(told.StillDifferent) < job.MaxVerifyFindings {
			told.StillDifferent = append(told.StillDifferent, v.in.Request.Finding(t, v.report.ID))
		}
	}
	told.MoreDifferent = max(0, v.report.Different-len(told.StillDifferent))
}

// keepFindings adds to how a verification has ended what earlier ones have found, and
// notes of which tables the job knows nothing: they go by their names.
func (r *run) keepFindings(v *job.Verified, settled []job.VerifyFinding) {
	for i := range v.StillDifferent {
		if _, known := r.p.Tables[v.StillDifferent[i].TableID]; !known {
			v.StillDifferent[i].TableID = 0
		}
	}
	v.Follow(r.p.Verified, settled)
}

// verified is how the last verification has ended, without findings of tables that the
// job does not have any more.
func (r *run) verified() *job.Verified {
	if r.p.Verified == nil || r.p.Phase != job.PhaseStream && r.p.Phase != job.PhaseApply {
		return r.p.Verified // a snapshot is to say again which tables there are
	}
	v := *r.p.Verified
	v.StillDifferent = slices.DeleteFunc(slices.Clone(v.StillDifferent), func(f job.VerifyFinding) bool {
		t, known := r.p.Tables[f.TableID]
		return f.TableID != 0 && (!known || t.Gone)
	})
	return &v
}
