package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

func order(by string) job.Command {
	return job.Command{SkipBinlog: job.SkipBinlog{SkipBy: by, SkipTable: "orders", SkipTableID: 11}}
}

// An operator whose script repeats a request must not start over what runs.
func TestRepeatedOrdersOfASnapshotChangeNothing(t *testing.T) {
	for by, count := range map[string]func(job.Progress) int{
		job.SkipFullSync:    func(p job.Progress) int { return p.FullSyncs - 1 },
		job.SkipPartialSync: func(p job.Progress) int { return p.PartialSyncs },
	} {
		t.Run(by, func(t *testing.T) {
			b := newBench(t)
			b.idle()
			once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{Name: "first"}, nil })
			always(b, job.ActivityTakeSnapshot, 2*time.Minute, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{Name: "s"}, nil })
			for minute := time.Minute; minute <= 3*time.Minute; minute += time.Minute {
				b.signal(minute, job.SignalSkipBinlog, order(by))
			}
			b.at(5*time.Minute+time.Second, func() {
				require.Equal(t, 1, count(b.progress()))
				require.Empty(t, b.outcome("skip_binlog@2m0s").Refused)
				require.Empty(t, b.outcome("skip_binlog@3m0s").Refused)
			})
			b.deleteAt(10 * time.Minute)
			b.mustRun()
			require.Contains(t, b.events(), "that was ordered before is still under way: nothing changes")
		})
	}
}

// A full sync that cannot go on starts again when it is ordered again.
func TestAnOrderOfAStalledFullSyncStartsItAgain(t *testing.T) {
	b := newBench(t)
	b.idle()
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{Name: "first"}, nil })
	always(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		if in.Progress.FullSyncs < 3 {
			return job.SnapshotTaken{}, failed(job.Problem{Text: "broken", Kind: job.KindDB})
		}
		return job.SnapshotTaken{Name: "third"}, nil
	})
	b.signal(time.Minute, job.SignalForceFullSync, job.Command{})
	b.at(2*time.Minute, func() { require.True(t, b.status().Stalled) })
	b.signal(3*time.Minute, job.SignalForceFullSync, job.Command{})
	b.at(4*time.Minute, func() {
		require.Equal(t, 3, b.progress().FullSyncs)
		require.False(t, b.status().Stalled)
	})
	b.deleteAt(5 * time.Minute)
	b.mustRun()
}

func TestSkipSilenceRepeatedAndReplaced(t *testing.T) {
	b := newBench(t)
	b.idle()
	silence := func(seq int64) job.Command {
		return job.Command{SkipBinlog: job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: seq}}
	}
	b.signal(time.Minute, job.SignalSkipBinlog, silence(500))
	b.signal(2*time.Minute, job.SignalSkipBinlog, silence(500))
	b.at(3*time.Minute, func() { require.Equal(t, int64(500), b.progress().Skip.SkipCommitSeq) })
	b.signal(4*time.Minute, job.SignalSkipBinlog, silence(600))
	b.at(5*time.Minute, func() { require.Equal(t, int64(600), b.progress().Skip.SkipCommitSeq) })
	b.deleteAt(6 * time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "the order to skip commit seq 600 takes the place of the one to skip 500")
}
