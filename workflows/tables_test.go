package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// lists makes the command update_tables.
func lists(include, exclude []string) job.Command {
	var c job.Command
	if include != nil {
		c.Include = &include
	}
	if exclude != nil {
		c.Exclude = &exclude
	}
	return c
}

func TestTablesThatAreIncludedComeOneByOne(t *testing.T) {
	b := newBench(t)
	b.idle()
	always(b, job.ActivitySelectTables, 0, func(in job.StepInput) (job.TablesSelected, error) {
		require.Equal(t, []string{"*"}, in.Spec.Include)
		return job.TablesSelected{Missing: []job.PartialSync{
			{TableID: 12, Table: "users", Replace: true}, {TableID: 11, Table: "orders", Replace: true}, {Table: "v", View: true},
		}}, nil
	})
	var taken []string
	always(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		if part := in.Progress.Snapshot.Partial; part != nil {
			taken = append(taken, part.Table)
		}
		return job.SnapshotTaken{Name: "s"}, nil
	})
	b.signal(time.Minute, job.SignalUpdateTables, lists([]string{"*"}, nil))
	b.signal(2*time.Minute, job.SignalUpdateTables, lists([]string{"*"}, nil)) // again: nothing more
	b.at(3*time.Minute, func() {
		require.Empty(t, b.outcome("update_tables@1m0s").Refused)
		require.Equal(t, []string{"users", "v"}, taken, "orders is there already")
		p := b.progress()
		require.False(t, p.Reselect)
		require.Empty(t, p.Awaited)
		require.Equal(t, job.PhaseStream, p.Phase)
		require.Equal(t, 1, p.FullSyncs)
	})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "replicating the tables * from now on")
}

func TestTablesThatAreExcludedAreForgotten(t *testing.T) {
	b := newBench(t)
	b.idle()
	always(b, job.ActivitySelectTables, 0, func(job.StepInput) (job.TablesSelected, error) { return job.TablesSelected{}, nil })
	b.signal(time.Minute, job.SignalUpdateTables, lists(nil, []string{"ord*"}))
	b.at(2*time.Minute, func() { require.Empty(t, b.progress().Tables) })
	b.signal(3*time.Minute, job.SignalSkipBinlog, job.Command{SkipBinlog: job.SkipBinlog{SkipBy: job.SkipPartialSync, SkipTable: "orders", SkipTableID: 11}})
	b.at(4*time.Minute, func() { require.Contains(t, b.outcome("skip_binlog@3m0s").Refused, "leaves it out") })
	b.deleteAt(5 * time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "1 tables stay on the destination as they are and are not replicated any more: orders")
}

// A table may be excluded because its snapshot cannot be taken.
func TestExcludingTheTableThatIsBeingSnapshotGivesItUp(t *testing.T) {
	b := newBench(t)
	b.shift(time.Second, job.StreamResult{End: job.EndSnapshot, Wanted: &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: 11, Table: "orders", Replace: true}, Reason: "test"}})
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{Name: "full"}, nil })
	always(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) {
		return job.SnapshotTaken{}, failed(job.Problem{Text: "too many tablets", Kind: job.KindDB})
	})
	always(b, job.ActivitySelectTables, 0, func(job.StepInput) (job.TablesSelected, error) { return job.TablesSelected{}, nil })
	b.idle()
	b.at(time.Minute, func() { require.True(t, b.status().Stalled) })
	b.signal(2*time.Minute, job.SignalUpdateTables, lists(nil, []string{"orders"}))
	b.at(3*time.Minute, func() {
		require.False(t, b.status().Stalled)
		require.Equal(t, job.PhaseStream, b.progress().Phase)
		require.Empty(t, b.progress().Tables)
	})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "the snapshot of orders is given up")
}

func TestExcludingDuringTheFullSyncTakesTheBackupAgain(t *testing.T) {
	b := newBench(t)
	b.idle()
	once(b, job.ActivityTakeSnapshot, time.Hour, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{}, nil })
	always(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		require.Equal(t, 1, in.Progress.Snapshot.Attempt)
		require.Equal(t, []string{"big"}, in.Spec.Exclude)
		return job.SnapshotTaken{Name: "again"}, nil
	})
	b.signal(time.Minute, job.SignalUpdateTables, lists(nil, []string{"big"}))
	b.at(2*time.Minute, func() {
		require.Equal(t, job.PhaseStream, b.progress().Phase)
		require.Equal(t, 1, b.progress().FullSyncs)
	})
	b.deleteAt(3 * time.Minute)
	b.mustRun()
}

func TestUpdateTablesOfATableJobIsRefused(t *testing.T) {
	b := newBench(t)
	b.spec.Source.Table, b.spec.Destination.Table = "orders", "orders"
	b.idle()
	b.signal(time.Minute, job.SignalUpdateTables, lists([]string{"a"}, nil))
	b.signal(time.Minute+time.Second, job.SignalUpdateTables, lists([]string{"a.b"}, nil))
	b.deleteAt(2 * time.Minute)
	b.mustRun()
	require.Equal(t, job.ErrFilterOfTableJob.Error(), b.outcome("update_tables@1m0s").Refused)
	require.Contains(t, b.outcome("update_tables@1m1s").Refused, `the pattern "a.b"`)
}
