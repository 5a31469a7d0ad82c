package workflows

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// freeStops is how often in a row a shift may stop unasked without progress
// before the next one waits. Workers that restart stop shifts; each hand-over
// should take milliseconds.
const freeStops = 5

// shiftLength is how long a shift of a run lasts: between ShortestShift and ShiftLength.
// Shifts that begin together, after the death of a worker, end at different times, and
// so do the next ones. The same shift gets the same length in a replay.
func shiftLength(runID string, number int) time.Duration {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s/%d", runID, number)
	return ShortestShift + time.Duration(h.Sum32())*time.Millisecond%(ShiftLength-ShortestShift)
}

// stream runs one shift. After a problem it is a probe: it ends at its first
// success, so that the problem is cleared at once and not after ten minutes.
func (r *run) stream() {
	summary := fmt.Sprintf("stream %s after commit seq %d", r.streamSubject(), r.p.Position.CommitSeq)
	o := r.settings.shiftOptions(summary)
	r.shifts++
	in := job.StreamInput{
		StepInput: r.retriedInput(&o), Number: r.shifts, Shift: shiftLength(workflow.GetInfo(r.ctx).WorkflowExecution.RunID, r.shifts), Probe: r.p.Problem != nil,
	}
	began := r.now()
	r.streaming = true
	out, err := executeStep[job.StreamResult](r, o, 0, job.ActivityStream, in)
	r.streaming = false
	if err == nil {
		r.p.Settling = out.Settling
		r.p.Unconfirmed.Shift(out.Unconfirmed.Since, out.Unconfirmed.To, r.p.Epoch)
		r.shiftEnded(out)
		return
	}
	// The position it reached is lost, not its work: the next shift asks the
	// destination what is there before it does anything.
	if !r.p.Unconfirmed.Since.IsZero() {
		began = r.p.Unconfirmed.Since
	}
	r.p.Unconfirmed.Shift(began, 0, r.p.Epoch)
	if !interrupted(err) {
		r.reportProblem(stepProblem(err, "stream"))
	}
}

func (r *run) shiftEnded(out job.StreamResult) {
	advanced := r.advance(out.Position)
	r.p.Apply(out.Tables)
	if out.NewEpoch {
		r.p.NextEpoch()
	}
	r.noteLag(out.Lag)
	if sealed := out.Resealed; sealed != nil {
		r.spec.Source.Password, r.spec.Destination.Password = sealed.Source, sealed.Destination
		r.event(levelInfo, "the passwords are sealed with the key %s now", cmp.Or(sealed.Source.KeyID(), sealed.Destination.KeyID()))
	}
	for _, note := range out.Notes {
		r.event(levelWarn, "%s", oneLine(note, eventLimit))
	}
	r.noteDifferences(out.Differences)
	r.noteComparing(out.Comparing)
	if out.Gap != nil && r.p.Gap == nil {
		r.p.Gap = out.Gap
		r.event(levelWarn, "%s: what was written meanwhile is in no binlog, and comes by snapshots once it records again", oneLine(out.Gap.Reason, eventLimit))
	}
	if out.End != job.EndStopped || advanced || r.inbox.pending() {
		r.idleStops = 0
	}
	switch out.End {
	case job.EndShiftOver:
		r.clearProblem()
	case job.EndStopped:
		r.stopped(out.Problem)
	case job.EndGap:
		r.clearProblem()
	case job.EndGapOver:
		r.clearProblem()
		r.p.Reselect = true
	case job.EndSkipped:
		at := out.Position.CommitSeq
		if r.p.Skip != nil {
			at = r.p.Skip.SkipCommitSeq // it may have been filed late
		}
		r.skipped(at)
	case job.EndBinlog:
		r.clearProblem()
		r.toApply(out.Binlog, out.Following)
	case job.EndSnapshot:
		r.snapshotWanted(out)
	case job.EndBlocked:
		r.blocked(out.Problem)
	default:
		r.reportProblem(job.Problem{Kind: job.KindNormal, Text: fmt.Sprintf("stream: the shift ended with %q, which this worker does not know", out.End), Remedy: remedyVersions})
	}
	r.settle()
}

// advance moves the position. It never goes back: a result can be older than
// what another step has reached since.
func (r *run) advance(to job.Position) bool {
	if to.CommitSeq < r.p.Position.CommitSeq {
		return false
	}
	advanced := to.CommitSeq > r.p.Position.CommitSeq
	r.p.Position = to
	return advanced
}

// stopped deals with a shift that was stopped. If an operator's command stopped it,
// its problem stays until a step succeeds: a paused job still says why it could not
// go on.
func (r *run) stopped(p *job.Problem) {
	switch {
	case r.inbox.pending():
		if p != nil {
			r.keepProblem(*p)
		}
		return
	case r.mustContinueAsNew():
		return
	}
	r.idleStops++
	if r.idleStops > freeStops {
		r.waitBefore(r.idleStops - freeStops)
	}
}

// skipped ends an order to skip one binlog.
func (r *run) skipped(commitSeq int64) {
	r.event(levelWarn, "binlog %d was skipped as ordered", commitSeq)
	r.p.Skip = nil
	r.clearProblem()
}

func (r *run) toApply(b *job.Binlog, following []job.Binlog) {
	if b == nil {
		r.reportProblem(job.Problem{Kind: job.KindNormal, Text: "stream: the shift ended at a binlog but did not bring it"})
		return
	}
	r.pend(b)
	r.following = r.together(following)
}

// pend makes a binlog the one that is to be applied next.
func (r *run) pend(b *job.Binlog) {
	r.p.Pending = b
	r.p.Unconfirmed.Pending = r.p.Unconfirmed.Covers(b)
	r.p.Phase = job.PhaseApply
}

func (r *run) snapshotWanted(out job.StreamResult) {
	if out.Wanted == nil {
		r.reportProblem(job.Problem{Kind: job.KindNormal, Text: "stream: the shift wants a snapshot but does not say which"})
		return
	}
	trigger := r.p.Position.CommitSeq
	if out.Binlog != nil {
		trigger = max(trigger, out.Binlog.CommitSeq)
	}
	r.startSnapshot(*out.Wanted, trigger)
}

func (r *run) blocked(p *job.Problem) {
	if p == nil {
		p = &job.Problem{Kind: job.KindNormal, Text: "stream: the shift is blocked but does not say why"}
	}
	r.reportProblem(*p)
}

func (r *run) streamSubject() string {
	if r.spec.Source.Table != "" {
		return r.spec.Source.Database + "." + r.spec.Source.Table
	}
	return r.spec.Source.Database
}
