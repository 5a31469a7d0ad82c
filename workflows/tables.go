package workflows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// The table filter of a database job can change at any time. What is selected
// from then on and not on the destination yet comes by one partial snapshot
// after the other; what is not selected any more stays on the destination as it
// is, and its binlogs are passed over.

// updateTables carries out update_tables. It only notes the change; the steps
// follow when the job streams (selectTables, startNextSnapshot).
func (r *run) updateTables(u job.UpdateTables) error {
	if r.spec.Type() == job.TableSync {
		return job.ErrFilterOfTableJob
	}
	filter, err := u.Filter(r.spec.TableFilter)
	if err != nil || filter.Equal(r.spec.TableFilter) {
		return err
	}
	if !r.version(changeUpdateTables) {
		return errUnknownThen
	}
	r.spec.TableFilter = filter
	r.event(levelInfo, "replicating %s from now on", oneLine(filter.Describe(), eventLimit))
	snap := r.p.Snapshot
	switch {
	case r.p.Phase == job.PhaseCheck:
		return nil // the first snapshot goes by the new filter
	case r.p.Phase == job.PhaseTakeSnapshot && snap.Partial == nil:
		r.takeSnapshotAgain("the selection of tables has changed")
		return nil
	case (r.p.Phase == job.PhaseTakeSnapshot || r.p.Phase == job.PhaseRestore) && snap.Partial != nil && !filter.Selects(snap.Partial.Table):
		r.abandonSnapshot()
	}
	r.p.Reselect = true
	return nil
}

// abandonSnapshot gives up the partial sync of a table that the job does not
// replicate any more: its size may be why.
func (r *run) abandonSnapshot() {
	snap := r.p.Snapshot
	r.syncEvent(levelWarn, "the snapshot of %s is given up: the job leaves the table out now", snap.Partial.Table)
	delete(r.p.Tables, snap.Partial.TableID)
	r.p.Deal(snap.Trigger)
	r.startIncremental(job.DBTablesIncrementalSync)
}

// selectTables compares what the filter selects with what is replicated.
func (r *run) selectTables() {
	o := r.settings.activityOptions("look which tables of "+r.spec.Source.Database+" are selected now", selectTimeout)
	out, err := executeStep[job.TablesSelected](r, o, 0, job.ActivitySelectTables, r.retriedInput(&o))
	if err != nil {
		r.stepFailed(err, "select tables")
		return
	}
	if out.Wanted != nil {
		r.startSnapshot(*out.Wanted, r.p.Position.CommitSeq)
		return
	}
	r.p.Reselect = false
	r.p.Awaited = append(r.leftOfGap(out), out.Missing...)
	r.closeGap(out)
	if left := r.forgetExcluded(); len(left) > 0 {
		r.event(levelInfo, "%d tables stay on the destination as they are and are not replicated any more: %s",
			len(left), oneLine(strings.Join(left, ", "), eventLimit))
	}
	if n := len(out.Missing) - countAgain(out.Missing); n > 0 {
		r.event(levelInfo, "%d tables are included now and come by a snapshot each", n)
	}
	r.clearProblem()
	r.settle()
}

// leftOfGap returns the tables of an earlier gap that have still to come: the job has
// them, so nobody finds them missing again. A gap that is closed now has compared
// them anew.
func (r *run) leftOfGap(out job.TablesSelected) (left []job.PartialSync) {
	if out.GapTo != 0 {
		return nil
	}
	for _, part := range r.p.Awaited {
		if part.Again {
			left = append(left, part)
		}
	}
	if len(left) > 0 && !r.version(changeAwaitedStays) {
		return nil
	}
	return left
}

// closeGap notes what a time without binlogs has left to do. What the source has
// dropped meanwhile stays on the destination, as in a full sync.
func (r *run) closeGap(out job.TablesSelected) {
	if r.p.Gap == nil || out.GapTo == 0 {
		return
	}
	r.event(levelInfo, "the source records again: of %d tables %d come by a snapshot each", len(r.p.Tables), countAgain(out.Missing))
	for _, id := range out.Dropped {
		delete(r.p.Tables, id)
	}
	var gone []string
	for _, id := range out.Gone {
		gone = append(gone, r.p.Tables[id].Name)
		delete(r.p.Tables, id)
	}
	if len(gone) > 0 {
		r.event(levelWarn, "dropped on the source while it did not record, and left on the destination as they are: %s", oneLine(strings.Join(gone, ", "), eventLimit))
	}
	r.p.Gap, r.p.GapTo = nil, out.GapTo
}

// countAgain counts the tables that the job has already.
func countAgain(missing []job.PartialSync) (n int) {
	for _, part := range missing {
		if part.Again {
			n++
		}
	}
	return n
}

// forgetExcluded forgets the tables that the filter does not select, and returns
// their names, sorted.
func (r *run) forgetExcluded() []string {
	var left []string
	//workflowcheck:ignore the names are sorted
	for id, t := range r.p.Tables {
		if !r.spec.Selects(t.Name) {
			left = append(left, t.Name)
			delete(r.p.Tables, id)
		}
	}
	slices.Sort(left)
	return left
}

// startNextSnapshot starts the snapshot of the next table that is included now.
func (r *run) startNextSnapshot() {
	next := r.p.Awaited[0]
	r.p.Awaited = r.p.Awaited[1:]
	if len(r.p.Awaited) == 0 {
		r.p.Awaited = nil
	}
	if !r.spec.Selects(next.Table) || !next.Again && r.replicates(next) {
		return
	}
	why := next.Why
	if why == "" {
		why = fmt.Sprintf("%s is included now", next.Table)
	}
	r.startPartialSync(r.p.Position.CommitSeq, next, why)
}

// replicates tells whether the table or view has come in another way meanwhile.
func (r *run) replicates(part job.PartialSync) bool {
	if !part.View {
		_, known := r.p.Tables[part.TableID]
		return known
	}
	//workflowcheck:ignore a test for any: order does not matter
	for _, t := range r.p.Tables {
		if t.View && t.Name == part.Table {
			return true
		}
	}
	return false
}
