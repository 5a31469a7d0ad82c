package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

func repairOf(part job.PartialSync) job.Command {
	return job.Command{Repair: &job.RepairOrder{Partial: part, Report: "r1"}}
}

func TestRepairBringsPartitionsOnly(t *testing.T) {
	b := newBench(t)
	b.idle()
	var taken []job.PartialSync
	always(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		if part := in.Progress.Snapshot.Partial; part != nil {
			taken = append(taken, *part)
		}
		return job.SnapshotTaken{Name: "s"}, nil
	})
	b.signal(time.Minute, job.SignalRepair, repairOf(job.PartialSync{TableID: 11, Table: "orders", Partitions: []string{"p1"}, Again: true}))
	b.signal(2*time.Minute, job.SignalRepair, repairOf(job.PartialSync{TableID: 11, Table: "orders"}))
	b.at(3*time.Minute, func() {
		require.Empty(t, b.outcome("repair@1m0s").Refused)
		require.Equal(t, []job.PartialSync{
			{TableID: 11, Table: "orders", Partitions: []string{"p1"}},
			{TableID: 11, Table: "orders", Replace: true},
		}, taken)
		p := b.progress()
		require.Equal(t, 2, p.PartialSyncs)
		require.Equal(t, "orders differed in the verification r1", p.PartialSyncInfo.Info)
	})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
}

// An order to pass a binlog over, which the job has yet to meet, outlives a repair.
func TestRepairKeepsASkip(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.signal(time.Minute, job.SignalSkipBinlog, job.Command{SkipBinlog: job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 9000}})
	b.signal(2*time.Minute, job.SignalRepair, repairOf(job.PartialSync{TableID: 11, Table: "orders"}))
	b.at(3*time.Minute, func() {
		require.Empty(t, b.outcome("repair@2m0s").Refused)
		require.Equal(t, 1, b.progress().PartialSyncs)
		require.NotNil(t, b.progress().Skip)
	})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
}

func TestRepairIsRefused(t *testing.T) {
	b := newBench(t)
	b.idle()
	always(b, job.ActivityRestoreSnapshot, time.Minute, func(job.StepInput) (job.SnapshotRestored, error) {
		return job.SnapshotRestored{Restored: &job.Restored{Tables: map[int64]job.Table{11: {Name: "orders"}}}}, nil
	})
	for after, order := range map[time.Duration]struct {
		job.Command
		refused string
	}{
		30 * time.Second:  {repairOf(job.PartialSync{TableID: 11, Table: "orders"}), job.RepairBusy},
		100 * time.Second: {repairOf(job.PartialSync{TableID: 11, Table: "users"}), "table id 11 is called orders now"},
		101 * time.Second: {job.Command{}, "no table to repair"},
	} {
		b.signal(after, job.SignalRepair, order.Command)
		b.at(5*time.Minute, func() {
			require.Contains(t, b.outcome("repair@"+after.String()).Refused, order.refused)
			require.Zero(t, b.progress().PartialSyncs)
		})
	}
	b.deleteAt(6 * time.Minute)
	b.mustRun()
}

func TestTheEndOfAVerificationIsKept(t *testing.T) {
	b := newBench(t)
	b.idle()
	equal := job.Verified{At: time.Unix(1_800_000_000, 0).UTC(), Result: "equal", All: true, Equal: 3}
	differs := job.Verified{At: equal.At.Add(time.Hour), Result: "different", Report: "r2", Different: 1}
	b.signal(time.Minute, job.SignalVerified, job.Command{Verified: &equal})
	b.signal(2*time.Minute, job.SignalVerified, job.Command{Verified: &differs})
	b.at(3*time.Minute, func() {
		v := b.status().Verified
		require.Equal(t, "different", v.Result)
		require.Equal(t, equal.At, v.EqualAt)
		require.Len(t, b.streams, 1, "the shift goes on")
		require.Contains(t, b.events(), "warn verified: different; 0 tables are equal, 1 differ")
	})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
}

func TestAVerificationIsToldOfTablesAndPosition(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.at(time.Minute, func() {
		for wanted, tables := range map[*job.VerifyWanted]int{{}: 0, {Names: true}: 1, {TableIDs: []int64{11, 99}}: 1} {
			v, err := b.QueryWorkflow(job.QueryVerifyInput, *wanted)
			require.NoError(t, err)
			var in job.StepInput
			require.NoError(t, v.Get(&in))
			require.Len(t, in.Progress.Tables, tables)
			require.EqualValues(t, 100, in.Progress.Position.CommitSeq)
			require.Equal(t, b.spec.Source.Password, in.Spec.Source.Password)
		}
		require.Len(t, b.progress().Tables, 1)
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}
