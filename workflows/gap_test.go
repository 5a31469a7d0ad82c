package workflows

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

var switchedOff = job.Gap{Reason: "binlogs were switched off", CommitSeq: 120}

// What a source has not recorded is remembered until it has come: through the
// time in which the job stands, and whatever a run of the workflow forgets.
func TestAGapIsClosedWhenTheSourceRecordsAgain(t *testing.T) {
	b := newBench(t)
	b.shift(time.Second, job.StreamResult{End: job.EndGap, Position: job.Position{CommitSeq: 120}, Gap: &switchedOff})
	for range 3 {
		b.shift(time.Second, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "off", Kind: job.KindMeta}})
	}
	b.at(10*time.Second, func() { require.True(t, b.status().Stalled) })
	b.shift(0, job.StreamResult{End: job.EndGapOver})
	once(b, job.ActivitySelectTables, 0, func(in job.StepInput) (job.TablesSelected, error) {
		require.Equal(t, switchedOff, *in.Progress.Gap)
		return job.TablesSelected{GapTo: 150, Missing: []job.PartialSync{
			{TableID: 11, Table: "orders", Replace: true, Again: true, Why: "orders may have changed"}, {TableID: 15, Table: "new", Replace: true},
		}}, nil
	})
	var taken []string
	always(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		if part := in.Progress.Snapshot.Partial; part != nil {
			taken = append(taken, part.Table+": "+in.Progress.Snapshot.Reason)
		}
		return job.SnapshotTaken{Name: "s"}, nil
	})
	b.idle()
	b.at(5*time.Minute, func() {
		require.Equal(t, []string{"orders: orders may have changed", "new: new is included now"}, taken)
		p := b.progress()
		require.Nil(t, p.Gap)
		require.Equal(t, int64(150), p.GapTo)
		require.Equal(t, 1, p.FullSyncs)
		require.False(t, b.status().Stalled)
	})
	b.deleteAt(6 * time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "what was written meanwhile is in no binlog")
}

// What has still to come after a gap comes, though the filter changes meanwhile:
// nobody would find it again.
func TestUpdateTablesForgetsNothingOfAGap(t *testing.T) {
	b := newBench(t)
	b.shift(time.Second, job.StreamResult{End: job.EndGapOver, Gap: &switchedOff})
	selected := 0
	always(b, job.ActivitySelectTables, 0, func(in job.StepInput) (job.TablesSelected, error) {
		if selected++; selected == 1 {
			return job.TablesSelected{GapTo: 150, Missing: []job.PartialSync{{TableID: 15, Table: "new", Replace: true}, {TableID: 11, Table: "orders", Replace: true, Again: true, Why: "it was written"}}}, nil
		}
		return job.TablesSelected{}, nil // it has come
	})
	var taken []string
	always(b, job.ActivityTakeSnapshot, time.Minute, func(in job.StepInput) (job.SnapshotTaken, error) {
		if part := in.Progress.Snapshot.Partial; part != nil {
			taken = append(taken, part.Table)
		}
		return job.SnapshotTaken{Name: "s"}, nil
	})
	b.idle()
	b.signal(90*time.Second, job.SignalUpdateTables, lists(nil, []string{"nothing"}))
	b.at(8*time.Minute, func() { require.Equal(t, []string{"new", "orders"}, slices.Compact(taken)) })
	b.deleteAt(9 * time.Minute)
	b.mustRun()
}

// A table whose drop is recorded after the gap is dropped, and not told to be left.
func TestAGapIsClosedWithoutWhatIsDropped(t *testing.T) {
	b := newBench(t)
	b.shift(time.Second, job.StreamResult{End: job.EndGapOver, Gap: &switchedOff})
	once(b, job.ActivitySelectTables, 0, func(in job.StepInput) (job.TablesSelected, error) {
		require.Contains(t, in.Progress.Tables, int64(11))
		return job.TablesSelected{GapTo: 150, Dropped: []int64{11}}, nil
	})
	b.idle()
	b.at(5*time.Minute, func() { require.NotContains(t, b.progress().Tables, int64(11)) })
	b.deleteAt(6 * time.Minute)
	b.mustRun()
	require.NotContains(t, b.events(), "left on the destination")
}

// Where so much may differ that one full sync is cheaper, there is one.
func TestAGapOfManyTablesIsAFullSync(t *testing.T) {
	b := newBench(t)
	b.shift(time.Second, job.StreamResult{End: job.EndGapOver, Gap: &switchedOff})
	once(b, job.ActivitySelectTables, 0, func(job.StepInput) (job.TablesSelected, error) {
		return job.TablesSelected{Wanted: &job.SnapshotWanted{Reason: "100 of 120 tables"}}, nil
	})
	b.idle()
	b.at(5*time.Minute, func() {
		require.Nil(t, b.progress().Gap)
		require.Equal(t, "100 of 120 tables", b.progress().FullSyncInfo.Info)
		require.Equal(t, 2, b.progress().FullSyncs)
	})
	b.deleteAt(6 * time.Minute)
	b.mustRun()
}

// The database that a full sync finds under the name is the one to follow; the
// name that a table job is for stays when its table gets another.
func TestTheSourceThatAJobFollows(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		return job.SnapshotTaken{SourceDatabaseID: 77}, nil
	})
	once(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		require.Equal(t, int64(77), in.Spec.Source.DatabaseID)
		return job.SnapshotTaken{Name: "s"}, nil
	})
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()

	c := job.Cluster{Table: "t"}
	c.Call("t2")
	c.Call("t3")
	require.Equal(t, "t3", c.Table)
	require.Equal(t, "t", c.NameOfJob())
	c.Call("t")
	require.Equal(t, job.Cluster{Table: "t"}, c)
}

// What nobody looks at any more is not known any more.
func TestDifferencesAreForgottenWhereNobodyCompares(t *testing.T) {
	b := newBench(t)
	rows := job.Difference{Table: "orders", Kind: job.DifferentRows, Text: "2 rows and 3"}
	b.shift(time.Second, job.StreamResult{End: job.EndShiftOver, Differences: &[]job.Difference{rows}, Comparing: &job.Comparing{ComparedAt: time.Unix(1_700_000_000, 0).UTC()}})
	b.shift(time.Minute, job.StreamResult{End: job.EndShiftOver, Comparing: &job.Comparing{}})
	b.at(30*time.Second, func() { require.Len(t, b.status().Differences, 1) })
	b.shift(time.Second, job.StreamResult{End: job.EndShiftOver, Comparing: &job.Comparing{Off: true}})
	b.idle()
	b.at(5*time.Minute, func() {
		require.Empty(t, b.status().Differences)
		require.True(t, b.status().Comparing.Off)
	})
	b.deleteAt(6 * time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "warn nobody compares source and destination any more (compare-every is 0): 1 known differences are forgotten")
	require.NotContains(t, b.events(), "do not differ any more")
}

// What a shift has found to differ is told, once, and nothing is done about it.
func TestDifferencesAreEvents(t *testing.T) {
	b := newBench(t)
	rows := job.Difference{Table: "orders", Kind: job.DifferentRows, Text: "2 rows and 3", Since: time.Unix(1_700_000_000, 0).UTC()}
	for range 2 {
		b.shift(time.Second, job.StreamResult{End: job.EndShiftOver, Differences: &[]job.Difference{rows}})
	}
	b.shift(time.Minute, job.StreamResult{End: job.EndShiftOver}) // by a worker that does not compare
	b.at(30*time.Second, func() {
		require.Equal(t, []job.Difference{rows}, b.status().Differences)
		require.False(t, b.status().Stalled)
	})
	b.shift(time.Second, job.StreamResult{End: job.EndShiftOver, Differences: &[]job.Difference{}})
	b.idle()
	b.at(5*time.Minute, func() {
		require.Empty(t, b.status().Differences)
		require.Zero(t, b.status().PartialSyncs)
		require.Equal(t, 1, b.status().FullSyncs)
	})
	b.deleteAt(6 * time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "warn source and destination differ in orders: 2 rows and 3")
	require.Contains(t, b.events(), "info source and destination do not differ any more in orders: 2 rows and 3")
}
