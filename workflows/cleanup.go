package workflows

import (
	"errors"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// delete removes what the job has under way on both clusters. It tries for a
// bounded time: a cluster that is gone must not keep the job alive, and what is
// left (a backup, a prepared transaction) runs out by itself.
func (r *run) delete() {
	if r.cleanUp {
		r.removeTraces()
	}
	r.handleCommands() // whoever waits for an answer gets it
	r.event(levelInfo, "job deleted")
	r.notifyDeleted()
	r.publishDetails()
}

func (r *run) removeTraces() {
	o := r.settings.activityOptions("clean up after "+r.spec.Name, cleanUpTimeout)
	o.ScheduleToCloseTimeout = cleanUpTimeout
	out, err := executeStep[job.CleanedUp](r, o, never, job.ActivityCleanUp, job.CleanUpInput{StepInput: r.inputOfCleanUp()})
	if err != nil {
		out.Failed = append(out.Failed, stepProblem(err, "clean up").Text)
	}
	for _, what := range out.Failed {
		r.event(levelWarn, "left behind: %s", oneLine(what, eventLimit))
	}
}

// setBeingSynced carries out desync and sync (http-api.md 3.8): it sets the
// property is_being_synced of the destination tables. The job goes on.
func (r *run) setBeingSynced(to bool) error {
	o := r.settings.activityOptions(fmt.Sprintf("set is_being_synced=%t on the destination tables", to), desyncTimeout)
	in := job.CleanUpInput{StepInput: r.inputOfCleanUp(), Desync: true, DesyncTo: to, KeepJob: true}
	out, err := executeStep[job.CleanedUp](r, o, never, job.ActivityCleanUp, in)
	switch {
	case err != nil:
		return errors.New(stepProblem(err, "set is_being_synced").Text)
	case len(out.Failed) > 0:
		return errors.New(limit(strings.Join(out.Failed, "; "), problemLimit))
	}
	return nil
}

// inputOfCleanUp lets a job whose state is too large be deleted: it leaves out what
// grows with the number of tables. Temporary tables of earlier snapshots may stay.
func (r *run) inputOfCleanUp() job.StepInput {
	in := r.input()
	if r.oversized {
		in.Progress.Tables, in.Progress.Partitions, in.Progress.AppliedBeyond, in.Progress.Awaited = nil, nil, nil, nil
	}
	return in
}
