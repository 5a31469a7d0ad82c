package workflows

import (
	"fmt"

	"github.com/doris-ccr/ccr/job"
)

// apply applies a binlog that is not an UPSERT, and those that follow it and may share
// its step (several.go). It is a step of its own, so that the intent stands in the
// history before anything happens, and people see there every DDL that reached the
// destination (architecture.md 4.3).
func (r *run) apply() {
	b := r.p.Pending
	if s := r.p.Skip; s != nil && s.SkipBy == job.SkipSilence && s.SkipCommitSeq == b.CommitSeq {
		r.skipped(b.CommitSeq)
		r.goOnBehind(b)
		return
	}
	if len(r.following) > 0 {
		r.applySeveral()
		return
	}
	summary := fmt.Sprintf("apply %s, seq %d", describe(b), b.CommitSeq)
	o := r.settings.activityOptions(summary, applyTimeout)
	in := job.ApplyInput{StepInput: r.retriedInput(&o), OutcomeUnknown: r.p.Unconfirmed.Pending}
	out, err := executeStep[job.ApplyResult](r, o, applyGrace, job.ActivityApply, in)
	if err != nil {
		// It may have happened all the same: the next attempt has to look.
		r.p.Unconfirmed.Pending = true
		r.stepFailed(err, "apply "+describe(b))
		return
	}
	r.applied(b, out)
}

func (r *run) applied(b *job.Binlog, out job.ApplyResult) {
	switch {
	case out.Problem != nil:
		// A refusal is an answer; a broken connection is none, be it ours or that of
		// the frontend that passed the statement on.
		r.p.Unconfirmed.Pending = r.p.Unconfirmed.Pending || out.Problem.Kind == job.KindRPC
		r.reportProblem(*out.Problem)
		return
	case out.Done || out.Wanted != nil:
		if out.Refused != "" {
			r.event(levelWarn, "the destination refused %s, commit seq %d: %s", describe(b), b.CommitSeq, oneLine(out.Refused, refusalLimit))
		}
		if out.Conflict != "" {
			r.event(levelWarn, "%s, commit seq %d, does not fit the destination: %s", describe(b), b.CommitSeq, oneLine(out.Conflict, refusalLimit))
		}
		r.p.Apply(out.Tables)
		if out.SetShadowIndexes {
			r.p.ShadowIndexes = out.ShadowIndexes
		}
		r.noteTable(out)
	}
	switch {
	case out.Wanted != nil:
		r.startSnapshot(*out.Wanted, b.CommitSeq)
	case out.Done:
		what := describe(b)
		if out.Summary != "" {
			what = oneLine(out.Summary, eventLimit)
		}
		r.event(levelInfo, "applied %s, commit seq %d", what, b.CommitSeq)
		r.clearProblem()
		r.goOnBehind(b)
	default:
		r.reportProblem(job.Problem{Kind: job.KindNormal, CommitSeq: b.CommitSeq, BinlogType: b.Type,
			Text: "apply: the step reported neither success nor a reason", Remedy: remedyVersions})
	}
}

// noteTable notes what a table job's source table is called, or is, from now on.
func (r *run) noteTable(out job.ApplyResult) {
	if r.spec.Type() != job.TableSync {
		return
	}
	if out.SourceTable != "" {
		r.spec.Source.Call(out.SourceTable)
	}
	if out.SourceTableID != 0 {
		r.spec.Source.TableID = out.SourceTableID
	}
}

// goOnBehind goes on behind the binlog. The position keeps its last transaction,
// though it is that of an earlier binlog: as long as the destination knows that
// transaction, it knows all newer ones as well.
func (r *run) goOnBehind(b *job.Binlog) {
	r.p.Deal(b.CommitSeq)
	r.p.Pending = nil
	r.p.Unconfirmed.Pending, r.p.Unconfirmed.CommitSeq = false, 0
	r.p.Phase = job.PhaseStream
	r.settle()
}
