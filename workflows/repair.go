package workflows

import (
	"errors"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// What a job does for verifications of its tables: it tells them what they need,
// brings what they have found to differ, and keeps how the last one has ended.

// errUnknownThen refuses a command in a run that began with an older worker.
var errUnknownThen = errors.New("this worker did not know the command when it arrived: send it again")

// verifyInput is what a verification needs. Positions, but no table that was not
// asked for: there may be very many.
func (r *run) verifyInput(wanted job.VerifyWanted) job.StepInput {
	in := r.input()
	in.Progress.Tables, in.Progress.Partitions, in.Progress.Awaited = nil, nil, nil
	in.Progress.Differences, in.Progress.Comparing = nil, nil
	if wanted.Names {
		in.Progress.Tables = r.p.Tables
		return in
	}
	in.Progress.Tables = map[int64]job.Table{}
	for _, id := range wanted.TableIDs {
		if t, known := r.p.Tables[id]; known {
			in.Progress.Tables[id] = t
		}
	}
	return in
}

// repair starts the partial sync of what a verification has found to differ.
func (r *run) repair(o job.RepairOrder) error {
	if !r.version(changeVerify) {
		return errUnknownThen
	}
	part := o.Partial
	switch {
	case r.p.Phase != job.PhaseStream && r.p.Phase != job.PhaseApply:
		return fmt.Errorf("%s: the job is in %s (%s)", job.RepairBusy, r.p.State, r.p.Phase)
	case r.p.Gap != nil || r.p.Reselect || len(r.p.Awaited) > 0:
		return fmt.Errorf("%s: snapshots of other tables are still to come", job.RepairBusy)
	case r.spec.Source.Table != "" && r.spec.Source.Table != part.Table:
		return fmt.Errorf("[normal] invalid repair table: %s, the job replicates %s", part.Table, r.spec.Source.Table)
	case !r.spec.Selects(part.Table):
		return fmt.Errorf("[normal] invalid repair table: %s, the job leaves it out (include_tables, exclude_tables)", part.Table)
	}
	if known := r.p.Tables[part.TableID]; known.Name != "" && !strings.EqualFold(known.Name, part.Table) {
		return fmt.Errorf("[normal] invalid repair table: %s, table id %d is called %s now: verify again", part.Table, part.TableID, known.Name)
	}
	// A binlog that the job stands at is applied after the snapshot, unless the snapshot
	// of a whole table has it.
	trigger := r.p.Position.CommitSeq
	if len(part.Partitions) == 0 && r.standsAt(part.TableID) {
		trigger = r.p.Pending.CommitSeq
		r.p.Skip = nil // the binlog is brought, so that an order to pass it over is of no use
	}
	part.Replace = !part.View && len(part.Partitions) == 0
	part.Again = false
	r.startPartialSync(trigger, part, fmt.Sprintf("%s differed in the verification %s", part.Table, o.Report))
	r.p.Problem = nil
	return nil
}

// noteVerified keeps how a verification has ended, and tells people if it has found a
// difference. It answers false in a run that began before there were verifications.
func (r *run) noteVerified(v job.Verified, settled []job.VerifyFinding) bool {
	if !r.version(changeVerify) {
		return false
	}
	if v.Result == string(job.VerifyEqual) && v.All {
		v.EqualAt = v.At
	} else if r.p.Verified != nil {
		v.EqualAt = r.p.Verified.EqualAt
	}
	r.keepFindings(&v, settled)
	r.p.Verified = &v
	text := fmt.Sprintf("verified: %s; %d tables are equal, %d differ, %d were repaired, %d were busy, %d cannot be compared",
		v.Result, v.Equal, v.Different, v.Repaired, v.Busy, v.Skipped)
	if n := v.CountDifferent() - v.Different; n > 0 {
		text += fmt.Sprintf("; %d that differed in earlier ones are not known to be equal", n)
	}
	if v.Different == 0 {
		r.event(levelInfo, "%s", text)
		return true
	}
	r.event(levelWarn, "%s", text)
	if r.p.Told != nil && r.webhook() {
		r.queueNotice(job.NoticeVerified, text)
	}
	return true
}
