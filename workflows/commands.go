package workflows

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// errDeleting refuses everything that arrives after the order to delete.
var errDeleting = errors.New("the job is being deleted")

// handleCommands carries out every command that has arrived. No step is under way.
func (r *run) handleCommands() {
	r.inbox.read()
	for c, ok := r.inbox.next(); ok; c, ok = r.inbox.next() {
		r.handleCommand(c)
		r.inbox.read()
	}
}

// handleImmediateCommands carries out the commands at the head of the queue for
// which the running step does not have to stop. It keeps the order of arrival: such
// a command waits behind one of another kind.
func (r *run) handleImmediateCommands() {
	for len(r.inbox.queue) > 0 && r.immediate(r.inbox.queue[0]) {
		c, _ := r.inbox.next()
		r.handleCommand(c)
	}
}

// immediate tells whether the running step can go on while the command is carried
// out. A resume is not immediate while the server tries the step again: it means "try
// now".
func (r *run) immediate(c command) bool {
	return c.refusal != nil || c.name == job.SignalObserveLag || c.name == job.SignalVerified || (c.name == job.SignalResume && !r.p.Paused && !r.serverRetries)
}

// handleCommand carries out one command, or refuses it, and records which.
func (r *run) handleCommand(c command) {
	if c.name == job.SignalObserveLag && c.refusal == nil {
		r.lagRequests.add(c.args.RequestID, c.args.Position)
		return
	}
	if c.name == job.SignalVerified && c.refusal == nil && r.noteVerified(*c.args.Verified, c.args.Settled) {
		return
	}
	err := c.refusal
	if err == nil {
		err = r.perform(c)
	}
	r.recordOutcome(c, err)
}

// recordOutcome records what became of a command: as an event for people, as an
// outcome for whoever sent it with a request id.
func (r *run) recordOutcome(c command, err error) {
	outcome := job.Outcome{RequestID: c.args.RequestID, Command: c.name, At: r.now()}
	by := ""
	if c.args.By != "" {
		by = " by " + oneLine(c.args.By, eventLimit)
	}
	if err != nil {
		outcome.Refused = err.Error()
		r.event(levelWarn, "command %s%s refused: %s", oneLine(c.name, eventLimit), by, oneLine(err.Error(), eventLimit))
	} else {
		r.event(levelInfo, "command %s%s carried out%s", c.name, by, c.said())
		if c.ignored != nil {
			r.event(levelWarn, "command %s%s: ignored %s", c.name, by, oneLine(c.ignored.Error(), eventLimit))
		}
	}
	r.p.AddOutcome(outcome)
}

// said is what the event of a command tells of its arguments.
func (c command) said() string {
	if c.name != job.SignalUpdateHostMapping {
		return ""
	}
	var parts []string
	for _, side := range []struct {
		name    string
		mapping map[string]string
	}{{"src", c.args.Source}, {"dest", c.args.Destination}} {
		//workflowcheck:ignore sorted
		for _, private := range slices.Sorted(maps.Keys(side.mapping)) {
			if public := side.mapping[private]; public != "" {
				parts = append(parts, fmt.Sprintf("%s %s is reached at %s", side.name, private, public))
			} else {
				parts = append(parts, fmt.Sprintf("%s %s is not mapped any more", side.name, private))
			}
		}
	}
	return ": " + oneLine(strings.Join(parts, ", "), eventLimit)
}

// perform carries out one command. An error is a refusal: nothing has changed.
func (r *run) perform(c command) error {
	if r.p.Phase == job.PhaseDeleting && c.name != job.SignalDelete {
		return errDeleting
	}
	var err error
	switch c.name {
	case job.SignalPause:
		r.p.Paused = true
	case job.SignalResume:
		r.p.Paused = false
	case job.SignalDelete:
		r.cleanUp = r.cleanUp || r.checked()
		r.p.Phase = job.PhaseDeleting
	case job.SignalUpdateHostMapping:
		r.spec.Source.MergeHostMapping(c.args.Source)
		r.spec.Destination.MergeHostMapping(c.args.Destination)
	case job.SignalForceFullSync:
		r.forceFullSync()
	case job.SignalSkipBinlog:
		err = r.skip(c.args.SkipBinlog)
	case job.SignalDesync:
		err = r.setBeingSynced(false)
	case job.SignalSync:
		err = r.setBeingSynced(true)
	case job.SignalUpdateTables:
		err = r.updateTables(c.args.UpdateTables)
	case job.SignalUpdateCredentials, job.SignalUpdateHosts:
		err = r.updateClusters(c.args.ClusterChanges)
	case job.SignalUpdateOptions:
		err = r.updateOptions(c.args.UpdateOptions)
	case job.SignalRepair:
		err = r.repair(*c.args.Repair)
	case job.SignalVerified:
		err = errUnknownThen // noteVerified has not taken it
	case job.SignalContinueAsNew:
		r.newRunOrdered = true
	}
	if err == nil {
		// Whatever an operator does may be what the job was waiting for.
		r.notBefore = time.Time{}
	}
	return err
}

// checked tells whether the first checks have passed. An imported job goes on at
// a position without any full sync.
func (r *run) checked() bool { return r.p.FullSyncs > 0 || r.p.Position.CommitSeq > 0 }

// standing is the commit seq of the binlog that the job stands at.
func (r *run) standing() int64 {
	switch {
	case r.p.Pending != nil:
		return r.p.Pending.CommitSeq
	case r.p.Problem != nil && r.p.Problem.At(r.p.Position.CommitSeq):
		return r.p.Problem.CommitSeq
	}
	return r.p.Position.CommitSeq
}

// passed tells whether the job is past the binlog of that number, if there is one.
func (r *run) passed(commitSeq int64) bool {
	switch {
	case commitSeq > r.p.Position.CommitSeq:
		return false
	case r.p.Pending != nil && r.p.Pending.CommitSeq == commitSeq:
		return false
	case r.p.Problem != nil && r.p.Problem.Late && r.p.Problem.CommitSeq == commitSeq:
		return false
	}
	return true
}

func (r *run) forceFullSync() {
	if !r.checked() {
		return // the job begins with a full sync anyway
	}
	if r.fullSyncOrdered() && r.version(changeRepeatedOrders) {
		r.event(levelInfo, "the full sync that was ordered before is still under way: nothing changes")
		return
	}
	at := r.standing()
	r.startFullSync(at, fmt.Sprintf("%s skipping the binlog, commit seq %d", userRequired, at))
	r.p.Skip = nil
	r.p.Problem = nil
}

// userRequired begins the reasons of snapshots that an operator ordered.
const userRequired = "the user required"

// fullSyncOrdered tells whether a full sync that an operator ordered is under
// way and doing well. One that cannot go on starts again when it is ordered
// again.
func (r *run) fullSyncOrdered() bool {
	s := r.p.Snapshot
	return s != nil && s.Partial == nil && r.p.Problem == nil && strings.HasPrefix(s.Reason, userRequired)
}

// partialSyncOrdered is the same for the snapshot of one table.
func (r *run) partialSyncOrdered(table int64) bool {
	s := r.p.Snapshot
	return s != nil && s.Partial != nil && s.Partial.TableID == table && len(s.Partial.Partitions) == 0 &&
		r.p.Problem == nil && strings.HasPrefix(s.Reason, userRequired)
}

// skip carries out skip_binlog (http-api.md 3.15).
func (r *run) skip(s job.SkipBinlog) error {
	switch s.SkipBy {
	case job.SkipFullSync:
		r.forceFullSync()
		return nil
	case job.SkipSilence:
		if r.passed(s.SkipCommitSeq) {
			return fmt.Errorf("[normal] invalid skip commit seq: %d, the job has already passed it and is at %d", s.SkipCommitSeq, r.p.Position.CommitSeq)
		}
		if old := r.p.Skip; old != nil && old.SkipCommitSeq != s.SkipCommitSeq {
			r.event(levelWarn, "the order to skip commit seq %d takes the place of the one to skip %d", s.SkipCommitSeq, old.SkipCommitSeq)
		}
		r.p.Skip = &s
		return nil
	case job.SkipPartialSync:
		return r.orderPartialSync(s)
	}
	return fmt.Errorf("[normal] invalid skip method: %s", s.SkipBy)
}

// orderPartialSync starts the snapshot of one table at an operator's request.
func (r *run) orderPartialSync(s job.SkipBinlog) error {
	if r.partialSyncOrdered(s.SkipTableID) {
		r.event(levelInfo, "the partial sync of %s that was ordered before is still under way: nothing changes", s.SkipTable)
		return nil
	}
	if r.p.Phase != job.PhaseStream && r.p.Phase != job.PhaseApply {
		return fmt.Errorf("[normal] a partial sync can only start from incremental sync, the job is in %s (%s)", r.p.State, r.p.Phase)
	}
	if source := r.spec.Source.Table; source != "" && source != s.SkipTable {
		return fmt.Errorf("[normal] partial sync table name is not equals to the source name %s vs %s", s.SkipTable, source)
	}
	if !r.spec.Selects(s.SkipTable) {
		return fmt.Errorf("[normal] invalid skip table: %s, the job leaves it out (include_tables, exclude_tables); update_tables changes that", s.SkipTable)
	}
	known := r.p.Tables[s.SkipTableID]
	if known.Name != "" && !strings.EqualFold(known.Name, s.SkipTable) {
		return fmt.Errorf("[normal] invalid skip table: %s, table id: %d is %s", s.SkipTable, s.SkipTableID, known.Name)
	}
	if other, ok := r.idOf(s.SkipTable); ok && known.Name == "" && r.spec.Source.Table == "" &&
		!r.standsAt(s.SkipTableID) && r.version(changeSkipTableID) {
		return fmt.Errorf("[normal] invalid skip table: %s, table id: %d, the job knows it as table id %d", s.SkipTable, s.SkipTableID, other)
	}
	// The binlog that the job stands at counts as done only if it is about
	// this table alone; otherwise it is read and applied again afterwards.
	trigger := r.p.Position.CommitSeq
	if r.standsAt(s.SkipTableID) {
		trigger = r.p.Pending.CommitSeq
	}
	r.startPartialSync(trigger, job.PartialSync{
		TableID: s.SkipTableID,
		Table:   s.SkipTable,
		View:    known.View,
		Replace: !known.View,
	}, fmt.Sprintf("%s a partial sync of %s", userRequired, s.SkipTable))
	r.p.Skip = nil
	r.p.Problem = nil
	return nil
}

// idOf is the id under which the job knows a table of the source.
func (r *run) idOf(table string) (int64, bool) {
	//workflowcheck:ignore sorted: the first of several is always the same
	for _, id := range slices.Sorted(maps.Keys(r.p.Tables)) {
		if strings.EqualFold(r.p.Tables[id].Name, table) {
			return id, true
		}
	}
	return 0, false
}

// standsAt tells whether the binlog that waits to be applied is about this table
// alone, and done once a snapshot has brought the table.
func (r *run) standsAt(table int64) bool {
	p := r.p.Pending
	if p == nil || p.Type == binlog.TypeReplaceTable || len(p.TableIDs) != 1 || p.TableIDs[0] != table {
		return false
	}
	return p.Type != binlog.TypeDropTable || !r.version(changeSkipDrop)
}
