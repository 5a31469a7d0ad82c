package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

const (
	// repairTimeout bounds the wait for one partial sync, as long as Doris gives
	// backup and restore.
	repairTimeout = 2 * snapshotTimeout
	// maxRepairOrders is how often a job is asked that has another snapshot to take;
	// the pauses between grow to repairPause, so that it is two days.
	maxRepairOrders = 600
	repairPause     = 5 * time.Minute
)

func (v *verification) mustPlanRepairs() bool {
	return (v.in.Request.Repair || v.in.Request.DryRun) && v.report.Different > 0 && len(v.report.Repairs) == 0
}

// planRepairs plans a partial sync for each table that differs.
func (v *verification) planRepairs() {
	for _, t := range v.report.Tables {
		if t.Outcome == job.VerifyDifferent {
			v.report.Repairs = append(v.report.Repairs, planRepair(t, len(v.in.Request.Partitions) > 0))
		}
	}
}

// planRepair plans the smallest partial sync that brings all that differs. some is set
// when only some partitions were compared: then nothing else may be brought.
func planRepair(t job.VerifiedTable, some bool) job.Repair {
	r := job.Repair{State: job.RepairPlanned, Rows: t.SourceRows, Bytes: t.SourceBytes, Partial: job.PartialSync{TableID: t.TableID, Table: t.Table, View: t.View}}
	fail := func(text string) job.Repair {
		r.State, r.Text = job.RepairFailed, text
		return r
	}
	if t.View {
		return r
	}
	if t.TableID == 0 {
		return fail("the source does not have the table, so that there is nothing to bring: drop it on the destination, or leave it there")
	}
	partitions, rows, bytes, whole := differentPartitions(t)
	all := !some && (len(partitions) >= t.Partitions || t.More > 0)
	switch {
	case whole && some:
		return fail("more differs than rows of these partitions: verify the whole table, and repair it")
	case !whole && len(partitions) == 0:
		return fail("only replicas of the source differ from each other: nothing that is brought from there helps; repair them there (ADMIN CHECK TABLET)")
	case whole || all:
		r.Partial.Replace = true
		return r
	}
	r.Partial.Partitions, r.Rows, r.Bytes = partitions, rows, bytes
	return r
}

// differentPartitions are the partitions of a table in which rows differ, with the
// numbers of the source's rows and bytes. whole is set when the table differs in more than that.
func differentPartitions(t job.VerifiedTable) (partitions []string, rows, bytes int64, whole bool) {
	for _, d := range t.Differences {
		switch {
		case d.Kind == "replicas" && d.Side == "source":
			continue
		case d.Partition == "" || !slices.Contains([]string{"rows", "content", "replicas"}, d.Kind):
			return nil, 0, 0, true
		}
		if !slices.Contains(partitions, d.Partition) {
			partitions = append(partitions, d.Partition)
			rows += d.SourceRows
			bytes += d.SourceBytes
		}
	}
	return partitions, rows, bytes, len(t.Differences) == 0
}

// nextRepair is the first that is not over, nil if there is none.
func (v *verification) nextRepair() *job.Repair {
	if v.in.Request.DryRun {
		return nil
	}
	for i := range v.report.Repairs {
		switch r := &v.report.Repairs[i]; r.State {
		case job.RepairPlanned, job.RepairOrdered, job.RepairDone:
			return r
		}
	}
	return nil
}

// takeOn takes the next step of a repair.
func (v *verification) takeOn(r *job.Repair) {
	switch r.State {
	case job.RepairPlanned:
		v.orderRepair(r)
	case job.RepairOrdered:
		v.awaitRepair(r)
	case job.RepairDone:
		v.verifyRepair(r)
	}
}

// orderRepair orders the partial sync. The id of the order has no random part, and a
// job that gets it has the outcome under it.
func (v *verification) orderRepair(r *job.Repair) {
	r.Orders++
	r.Request = fmt.Sprintf("%s:%d:%s:%d", v.report.ID, r.Partial.TableID, r.Partial.Table, r.Orders)
	of := v.in.Of
	if of == "" {
		of = v.report.ID
	}
	order := job.Command{RequestID: r.Request, By: v.in.By, Repair: &job.RepairOrder{Partial: r.Partial, Report: of}}
	err := workflow.SignalExternalWorkflow(v.ctx, job.WorkflowID(v.in.Job), "", job.SignalRepair, order).Get(v.ctx, nil)
	if err != nil {
		r.State, r.Text = job.RepairFailed, limit("the job does not take the order: "+err.Error(), problemLimit)
		return
	}
	r.State, r.Text = job.RepairOrdered, ""
}

// awaitRepair waits until the job has brought it.
func (v *verification) awaitRepair(r *job.Repair) {
	o := v.activityOptions("wait for the repair of "+r.Partial.Table, repairTimeout)
	o.ScheduleToCloseTimeout = repairTimeout
	// Waiting takes no slot from the tables of other jobs.
	o.TaskQueue = job.TaskQueue
	out, err := executeVerify[job.RepairOutcome](v, o, job.ActivityAwaitRepair, job.RepairAwaited{Job: v.in.Job, Request: r.Request})
	switch {
	case interrupted(err):
	case err != nil:
		r.State, r.Text = job.RepairFailed, limit(stepProblem(err, "wait for the repair").Text, problemLimit)
	case out.Later && r.Orders < maxRepairOrders:
		r.State, r.Text = job.RepairPlanned, out.Refused
		v.report.Problem = out.Refused
		v.notBefore = workflow.Now(v.ctx).Add(min(backoff(r.Orders)+time.Duration(r.Orders)*time.Second, repairPause))
	case out.Refused != "":
		r.State, r.Text = job.RepairFailed, out.Refused
	default:
		r.State, r.Text = job.RepairDone, ""
		v.succeeded()
	}
}

// verifyRepair verifies again what was brought.
func (v *verification) verifyRepair(r *job.Repair) {
	partitions := r.Partial.Partitions
	if len(partitions) == 0 {
		partitions = v.in.Request.Partitions
	}
	out, err := v.verify(job.VerifyTarget{ID: r.Partial.TableID, Name: r.Partial.Table, View: r.Partial.View}, partitions)
	switch {
	case interrupted(err):
		return
	case err != nil && !v.hopeless(err):
		v.tryLater(err, "verify "+r.Partial.Table+" again")
		return
	case err != nil:
		out.Outcome, out.Why = job.VerifyNotComparable, limit(stepProblem(err, "verify").Text, problemLimit)
	}
	v.in.Before = nil
	v.succeeded()
	v.addCost(out)
	outcome := out.Outcome
	switch out.Outcome {
	case job.VerifyEqual:
		r.State, outcome = job.RepairSuccess, job.VerifyRepaired
	case job.VerifyDifferent:
		r.State = job.RepairUseless
		if len(out.Differences) > 0 {
			r.Text = limit(out.Differences[0].Text, eventLimit)
		}
	default:
		r.State, r.Text = job.RepairUnproven, fmt.Sprintf("%s: %s", out.Outcome, out.Why)
	}
	for i := range v.report.Tables {
		if t := &v.report.Tables[i]; t.TableID == r.Partial.TableID && t.Table == r.Partial.Table {
			v.count(t.Outcome, -1)
			v.count(outcome, 1)
			t.Outcome, t.Position, t.At = outcome, out.Position, out.At
			v.settle(*t)
			if outcome != job.VerifyRepaired {
				t.Why = out.Why
			}
		}
	}
}
