package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// job_status tells the truth in every state: what the job does, whether it is
// well, and what a person can do.
func TestStatusInEachState(t *testing.T) {
	b := newBench(t)
	state := func(at time.Duration, phase job.Phase, running, stalled bool, doing, next string) {
		b.at(at, func() {
			s := b.status()
			require.Equal(t, phase, s.Phase, "at %s", at)
			require.Equal(t, running, s.Running, "at %s", at)
			require.Equal(t, stalled, s.Stalled, "at %s", at)
			require.Contains(t, s.Doing, doing, "at %s", at)
			require.NotContains(t, s.Doing, "stream binlogs after", "a position that is not that of now, at %s", at)
			require.Contains(t, s.NextStep, next, "at %s", at)
		})
	}
	once(b, job.ActivityCheck, time.Minute, func(in job.StepInput) (job.Checked, error) { return job.Checked{Spec: in.Spec}, nil })
	state(30*time.Second, job.PhaseCheck, true, false, "check both clusters", "nothing")
	once(b, job.ActivityTakeSnapshot, time.Minute, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{Name: "s1"}, nil })
	state(90*time.Second, job.PhaseTakeSnapshot, true, false, "take a full snapshot", "nothing")
	once(b, job.ActivityRestoreSnapshot, time.Minute, func(job.StepInput) (job.SnapshotRestored, error) {
		return job.SnapshotRestored{Restored: &job.Restored{Tables: map[int64]job.Table{11: {Name: "orders"}}}}, nil
	})
	state(150*time.Second, job.PhaseRestore, true, false, "restore snapshot s1", "nothing")
	b.shift(time.Minute, job.StreamResult{End: job.EndBinlog, Binlog: &job.Binlog{CommitSeq: 120, Type: binlog.TypeModifyComment}})
	state(210*time.Second, job.PhaseStream, true, false, "stream binlogs", "nothing")
	once(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Problem: &job.Problem{Text: "not supported", CommitSeq: 120, BinlogType: binlog.TypeModifyComment}}, nil
	})
	always(b, job.ActivityApply, 20*time.Minute, func(job.ApplyInput) (job.ApplyResult, error) { return job.ApplyResult{Done: true}, nil })
	state(5*time.Minute, job.PhaseApply, true, true, "apply MODIFY_COMMENT", `"skip_commit_seq":120`)
	b.signal(6*time.Minute, job.SignalPause, job.Command{})
	state(6*time.Minute+5*time.Second, job.PhaseApply, true, true, "then pause, as ordered", "")
	state(7*time.Minute, job.PhaseApply, false, false, "paused; after resume: apply", "resume tries again")
	always(b, job.ActivityCleanUp, 10*time.Second, func(job.CleanUpInput) (job.CleanedUp, error) { return job.CleanedUp{}, nil })
	b.deleteAt(8 * time.Minute)
	state(8*time.Minute+5*time.Second, job.PhaseDeleting, false, false, "clean up and end", "nothing: the job ends")
	b.mustRun()
}
