package workflows

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// wants scripts a shift that asks for a partial sync of orders at 120.
func (b *bench) wants(w job.SnapshotWanted) {
	b.shift(time.Second, job.StreamResult{End: job.EndSnapshot, Position: job.Position{CommitSeq: 120, Applied: 5}, Wanted: &w})
}

var partOrders = job.PartialSync{TableID: 11, Table: "orders", Replace: true}

func TestLostBinlogsLeadToAFullSync(t *testing.T) {
	b := newBench(t)
	b.wants(job.SnapshotWanted{Reason: "the source has dropped binlogs up to 900"})
	b.idle()
	b.at(time.Minute, func() {
		p := b.progress()
		require.Equal(t, 2, p.FullSyncs)
		require.Equal(t, job.FullSyncInfo{CommitSeq: 120, Info: "the source has dropped binlogs up to 900"}, p.FullSyncInfo)
		require.Equal(t, int64(5), p.Position.Applied, "the count goes on")
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

// The position before the backup is in the history before the backup is ordered.
func TestWhatIsNewestBeforeTheBackupIsRecordedFirst(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		require.False(t, in.Progress.Snapshot.Prepared)
		return job.SnapshotTaken{Prepared: true, Before: 70}, nil
	})
	var before int64
	once(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		require.True(t, in.Progress.Snapshot.Prepared)
		before = in.Progress.Snapshot.Before
		return job.SnapshotTaken{Name: "full"}, nil
	})
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Equal(t, int64(70), before)
}

func TestAPartialSyncThatADDLAskedFor(t *testing.T) {
	b := newBench(t)
	b.shift(0, job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 119}, Binlog: &job.Binlog{CommitSeq: 120, Type: binlog.TypeAlterJob}})
	once(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Wanted: &job.SnapshotWanted{Partial: &partOrders, Reason: "schema change of orders"}}, nil
	})
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{Name: "full"}, nil })
	var epoch int64
	once(b, job.ActivityTakeSnapshot, time.Minute, func(in job.StepInput) (job.SnapshotTaken, error) {
		epoch = in.Progress.Epoch
		return job.SnapshotTaken{Name: "part"}, nil
	})
	b.at(30*time.Second, func() {
		p := b.progress()
		require.Equal(t, job.DBPartialSync, p.State)
		require.Equal(t, &partOrders, p.Snapshot.Partial)
		require.Equal(t, int64(120), p.Snapshot.Trigger)
		require.Nil(t, p.Pending)
	})
	b.idle()
	b.at(2*time.Minute, func() {
		require.Equal(t, 1, b.status().PartialSyncs)
		p := b.progress()
		require.Equal(t, job.PartialSyncInfo{CommitSeq: 120, Table: "orders", Info: "schema change of orders"}, p.PartialSyncInfo)
		require.Equal(t, "schema change of orders", p.BroughtTable(11).Reason)
		require.NotNil(t, p.Brought.Full, "the full sync before it is noted")
		require.Equal(t, 1, b.status().FullSyncs)
		require.Equal(t, int64(120), b.status().Position.CommitSeq)
	})
	b.deleteAt(3 * time.Minute)
	b.mustRun()
	require.Equal(t, b.spec.CreatedAt.Unix()+2, epoch)
}

func TestAnExpiredBackupIsMadeAgainInTheSameFullSync(t *testing.T) {
	b := newBench(t)
	const lost = 3
	for range lost {
		once(b, job.ActivityRestoreSnapshot, 0, func(in job.StepInput) (job.SnapshotRestored, error) {
			return job.SnapshotRestored{Wanted: &job.SnapshotWanted{Retry: true, Reason: "snapshot expired"}}, nil
		})
	}
	var names []string
	always(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		require.Empty(t, in.Progress.Snapshot.Name)
		names = append(names, job.SnapshotName(&in.Spec, in.Progress.Epoch, false, in.Progress.Snapshot.Attempt))
		return job.SnapshotTaken{Name: names[len(names)-1]}, nil
	})
	once(b, job.ActivityRestoreSnapshot, 0, func(in job.StepInput) (job.SnapshotRestored, error) {
		require.Equal(t, names[lost], in.Progress.Snapshot.Name)
		return job.SnapshotRestored{Restored: &job.Restored{}}, nil
	})
	b.idle()
	b.at(time.Minute, func() {
		require.Equal(t, 1, b.status().FullSyncs)
		require.Equal(t, job.PhaseStream, b.status().Phase)
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
	require.Len(t, names, lost+1)
	require.Len(t, map[string]bool{names[0]: true, names[1]: true, names[2]: true, names[3]: true}, lost+1, "each attempt has a name of its own")
}

// What was restored is dropped on the destination before the sync is done.
func TestASnapshotThatIsLostAfterItsRestoreIsTakenAgain(t *testing.T) {
	b := newBench(t)
	taken := 0
	always(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		taken++
		return job.SnapshotTaken{Name: job.SnapshotName(&in.Spec, in.Progress.Epoch, false, in.Progress.Snapshot.Attempt)}, nil
	})
	once(b, job.ActivityFinishSnapshot, 0, func(job.StepInput) (job.SnapshotFinished, error) {
		return job.SnapshotFinished{Wanted: &job.SnapshotWanted{Retry: true, Reason: "table orders was restored, and is gone"}}, nil
	})
	once(b, job.ActivityFinishSnapshot, 0, func(job.StepInput) (job.SnapshotFinished, error) {
		return job.SnapshotFinished{State: job.DBIncrementalSync, Position: job.Position{CommitSeq: 100}}, nil
	})
	b.idle()
	b.at(time.Minute, func() {
		require.Equal(t, 2, taken)
		require.Equal(t, 1, b.status().FullSyncs)
		require.Equal(t, job.PhaseStream, b.status().Phase)
		require.Contains(t, b.events(), "taking the snapshot again: table orders was restored, and is gone")
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

// A sync whose snapshots fail again and again is a job that cannot go on, and
// says why: not only its events do. A backup that works does not clear what the
// restore stumbles over.
func TestSnapshotsThatFailAgainAndAgainAreAProblem(t *testing.T) {
	for _, tt := range []struct {
		step, text string
	}{
		{"backup", "backing up fails again and again: too many tablets"},
		{"restore", "restoring the snapshot fails again and again: too many tablets"},
	} {
		t.Run(tt.step, func(t *testing.T) {
			b := newBench(t)
			const remedy = "raise the limit"
			healed := false
			wanted := func(step string) *job.SnapshotWanted {
				if healed || tt.step != step {
					return nil
				}
				return &job.SnapshotWanted{Retry: true, Reason: "too many tablets", Remedy: remedy}
			}
			always(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
				if w := wanted("backup"); w != nil {
					return job.SnapshotTaken{Wanted: w}, nil
				}
				return job.SnapshotTaken{Name: "s"}, nil
			})
			always(b, job.ActivityRestoreSnapshot, 0, func(in job.StepInput) (job.SnapshotRestored, error) {
				if w := wanted("restore"); w != nil {
					return job.SnapshotRestored{Wanted: w}, nil
				}
				return job.SnapshotRestored{Restored: &job.Restored{}}, nil
			})
			b.idle()
			b.at(2*time.Second, func() { require.False(t, b.status().Stalled, "once is everyday") })
			b.at(3*time.Minute, func() {
				s := b.status()
				require.True(t, s.Stalled)
				require.Equal(t, tt.text, s.Problem.Text)
				require.Equal(t, remedy, s.NextStep)
				require.Greater(t, s.Problem.Tries, 1, "a step that works in between does not clear it")
				require.Equal(t, 1, s.FullSyncs)
				healed = true
			})
			b.at(5*time.Minute, func() {
				require.False(t, b.status().Stalled)
				require.Equal(t, job.PhaseStream, b.status().Phase)
			})
			b.deleteAt(6 * time.Minute)
			b.mustRun()
		})
	}
}

func TestSnapshotsThatLeadToSnapshotsDoNotRunHot(t *testing.T) {
	b := newBench(t)
	taken := 0
	always(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) {
		taken++
		return job.SnapshotTaken{Wanted: &job.SnapshotWanted{Reason: "the table has another id"}}, nil
	})
	b.deleteAt(10 * time.Minute)
	b.mustRun()
	require.Less(t, taken, 30)
	require.Greater(t, taken, 10, "but it goes on trying")
}

func TestSnapshotsOfAJobThatGetsOnDoNotWait(t *testing.T) {
	b := newBench(t)
	for i := range 10 {
		b.shift(0, job.StreamResult{End: job.EndSnapshot, Position: job.Position{CommitSeq: int64(120 + i)}, Wanted: &job.SnapshotWanted{Partial: &partOrders, Reason: "DDL"}})
	}
	b.idle()
	// With the pauses after snapshots that lead nowhere, ten would take minutes.
	b.at(30*time.Second, func() { require.Equal(t, 10, b.status().PartialSyncs) })
	b.deleteAt(time.Minute)
	b.mustRun()
}

func TestATableThatIsGoneEndsItsPartialSync(t *testing.T) {
	b := newBench(t)
	b.wants(job.SnapshotWanted{Partial: &partOrders, Reason: "DDL"})
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{Name: "full"}, nil })
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{TableGone: true}, nil })
	b.idle()
	b.at(time.Minute, func() {
		p := b.progress()
		require.Equal(t, job.DBTablesIncrementalSync, p.State)
		require.Equal(t, job.PhaseStream, p.Phase)
		require.Equal(t, int64(120), p.Position.CommitSeq)
		require.Equal(t, job.Table{DestID: 21, Name: "orders", Gone: true}, p.Tables[11])
		require.Nil(t, p.Snapshot)
		require.Contains(t, b.events(), "the source has no table orders with the id 11 any more")
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

func tableBench(t *testing.T) *bench {
	b := newBench(t)
	b.spec.Source.Table, b.spec.Destination.Table = "orders", "orders_copy"
	b.spec.Source.TableID = 11
	always(b, job.ActivityFinishSnapshot, 0, func(in job.StepInput) (job.SnapshotFinished, error) {
		return job.SnapshotFinished{State: job.TableIncrementalSync, Position: job.Position{CommitSeq: 100},
			Tables: map[int64]job.Table{in.Spec.Source.TableID: {DestID: 21, Name: "orders"}}, DestinationTableID: 21}, nil
	})
	return b
}

func TestATableJobWaitsForItsTableToComeBack(t *testing.T) {
	b := tableBench(t)
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{TableGone: true}, nil })
	b.at(500*time.Millisecond, func() {
		require.Equal(t, "the table shop.orders does not exist on the source any more", b.status().Problem.Text)
	})
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) {
		return job.SnapshotTaken{Name: "s", SourceTableID: 12}, nil
	})
	b.idle()
	b.at(time.Minute, func() {
		require.Equal(t, job.TableIncrementalSync, b.status().ProgressState)
		require.Nil(t, b.status().Problem)
		spec := query[job.Spec](b, job.QueryDetail)
		require.Equal(t, int64(12), spec.Source.TableID)
		require.Equal(t, int64(21), spec.Destination.TableID)
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

// A table renamed while its snapshot is ordered: the binlog that says so is
// contained in the snapshot.
func TestATableJobLearnsItsTablesNameFromTheSnapshot(t *testing.T) {
	b := tableBench(t)
	once(b, job.ActivityRestoreSnapshot, 0, func(in job.StepInput) (job.SnapshotRestored, error) {
		return job.SnapshotRestored{Restored: &job.Restored{CommitSeq: 100}, SourceTable: "orders_2"}, nil
	})
	b.idle()
	b.at(time.Minute, func() {
		require.Equal(t, job.TableIncrementalSync, b.status().ProgressState)
		require.Equal(t, "orders_2", query[job.Spec](b, job.QueryDetail).Source.Table)
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

func TestAnEmptyDatabaseGoesStraightToIncrementalSync(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) {
		return job.SnapshotTaken{Nothing: true, CommitSeq: 77}, nil
	})
	b.idle()
	b.at(time.Minute, func() {
		require.Equal(t, job.DBIncrementalSync, b.status().ProgressState)
		require.Equal(t, int64(77), b.status().Position.CommitSeq)
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
	require.NotContains(t, b.steps, job.ActivityRestoreSnapshot)
}

func TestTheFilteredStateEndsWhenAllTablesAreAtOnePosition(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityFinishSnapshot, 0, func(job.StepInput) (job.SnapshotFinished, error) {
		return job.SnapshotFinished{State: job.DBTablesIncrementalSync, Position: job.Position{CommitSeq: 100},
			Tables: map[int64]job.Table{11: {DestID: 21, Name: "orders", CommitSeq: 110}, 12: {DestID: 22, Name: "items", CommitSeq: 100}}}, nil
	})
	b.shift(time.Minute, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 109}})
	b.shift(time.Minute, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 110}})
	b.idle()
	b.at(90*time.Second, func() { require.Equal(t, job.DBTablesIncrementalSync, b.status().ProgressState) })
	b.at(150*time.Second, func() { require.Equal(t, job.DBIncrementalSync, b.status().ProgressState) })
	b.deleteAt(3 * time.Minute)
	b.mustRun()
}

func TestApplyChangesTheMapping(t *testing.T) {
	b := newBench(t)
	b.shift(0, job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 119}, Binlog: &job.Binlog{CommitSeq: 120, Type: binlog.TypeDropTable},
		Tables: job.TableChanges{Set: map[int64]job.Table{12: {DestID: 22, Name: "items"}}}})
	once(b, job.ActivityApply, 0, func(in job.ApplyInput) (job.ApplyResult, error) {
		require.Equal(t, "items", in.Progress.Tables[12].Name)
		return job.ApplyResult{Done: true, Tables: job.TableChanges{Drop: []int64{11}}, SetShadowIndexes: true, ShadowIndexes: map[int64]int64{5: 4}}, nil
	})
	b.idle()
	b.at(time.Minute, func() {
		p := b.progress()
		require.Equal(t, map[int64]job.Table{12: {DestID: 22, Name: "items"}}, p.Tables)
		require.Equal(t, map[int64]int64{5: 4}, p.ShadowIndexes)
	})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

func TestTableJobFollowsARenamedTable(t *testing.T) {
	b := tableBench(t)
	b.shift(0, job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 119}, Binlog: &job.Binlog{CommitSeq: 120, Type: binlog.TypeRenameTable}})
	once(b, job.ActivityApply, 0, func(in job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Done: true, SourceTable: "bills"}, nil
	})
	once(b, job.ActivityStream, time.Minute, func(in job.StreamInput) (job.StreamResult, error) {
		require.Equal(t, "bills", in.Spec.Source.Table)
		return job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 121}}, nil
	})
	b.idle()
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

func TestWhatAFullSyncLeavesOnTheDestinationIsTold(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityFinishSnapshot, 0, func(job.StepInput) (job.SnapshotFinished, error) {
		return job.SnapshotFinished{State: job.DBIncrementalSync, Position: job.Position{CommitSeq: 100}, Foreign: []string{"old", "older"}}, nil
	})
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "warn not on the source, and left on the destination as they are: old, older")
}

// Nobody has ordered a full sync for which binlogs are lost.
func TestAFullSyncForLostBinlogsIsAWarning(t *testing.T) {
	b := newBench(t)
	b.input.Spec = b.spec
	b.input.Warnings = []string{`the key "x" is not known, and ignored`}
	b.shift(time.Minute, job.StreamResult{End: job.EndSnapshot, Wanted: &job.SnapshotWanted{Reason: "binlogs are lost"}})
	b.idle()
	b.deleteAt(5 * time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "info full sync starts at commit seq 0: new job")
	for _, e := range query[[]job.Event](b, job.QueryEvents) {
		require.Equal(t, strings.Contains(e.Text, "sync starts") || strings.Contains(e.Text, "sync done"), e.Sync, e.Text)
	}
	require.Contains(t, b.events(), "warn full sync starts at commit seq 100: binlogs are lost")
	require.Contains(t, b.events(), `warn create_ccr: the key "x" is not known, and ignored`)
}
