package ddl

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// severalOf is a step that creates table n and then does so much to it.
func severalOf(t *testing.T, following ...job.Binlog) (*applied, job.ApplySeveralInput) {
	t.Helper()
	a := applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: plainCreate}, 11)
	return a, job.ApplySeveralInput{ApplyInput: a.in, Following: following}
}

func binlogOf(t *testing.T, seq int64, kind binlog.Type, payload any, table int64) job.Binlog {
	t.Helper()
	data, err := json.Marshal(payload)
	require.NoError(t, err)
	return job.Binlog{CommitSeq: seq, Type: kind, TableIDs: []int64{table}, Data: string(data)}
}

func truncate(t *testing.T, seq, table int64) job.Binlog {
	return binlogOf(t, seq, binlog.TypeTruncateTable, map[string]any{"tblId": table, "isEntireTable": true}, table)
}

// goOn lets each binlog be begun, and notes what was recorded before.
func goOn(recorded *[]int) func(context.Context, []job.ApplyResult, *job.Binlog) (bool, error) {
	return func(_ context.Context, done []job.ApplyResult, _ *job.Binlog) (bool, error) {
		*recorded = append(*recorded, len(done))
		return true, nil
	}
}

func TestBinlogsThatFollowAreAppliedInOneStep(t *testing.T) {
	a, in := severalOf(t, truncate(t, 510, 11), truncate(t, 520, 10))
	a.dst.unfinished = 2
	var recorded []int
	got, err := a.job().ApplySeveral(context.Background(), in, Steps{Next: goOn(&recorded)})
	require.NoError(t, err)
	require.Len(t, got, 3)
	for _, out := range got {
		require.True(t, out.Done)
	}
	require.Equal(t, []int{0, 1, 2}, recorded, "the outcomes of all before it are recorded before each")
	require.Equal(t, []string{"TRUNCATE TABLE `dst`.`n`", "TRUNCATE TABLE `dst`.`t`"}, a.dst.Executed[1:], "the second knows the table that the first has created")
	require.Equal(t, map[int64]job.Table{11: {Name: "n", DestID: 99}}, got[0].Tables.Set)
	require.NotContains(t, in.Progress.Tables, int64(11), "others share the map")
	require.Zero(t, a.dst.unfinished, "what was loaded before is visible first")
}

// Nothing is committed between the binlogs of a step.
func TestOnlyTheFirstOfSeveralWaits(t *testing.T) {
	a, in := severalOf(t, truncate(t, 510, 11))
	got, err := a.job().ApplySeveral(context.Background(), in, Steps{Next: func(_ context.Context, done []job.ApplyResult, _ *job.Binlog) (bool, error) {
		if len(done) > 0 {
			a.dst.unfinished = 3
		}
		return true, nil
	}})
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, 3, a.dst.unfinished)
}

// An account that may not list transactions looks at the tables of all binlogs.
func TestTablesOfAllBinlogsAreLookedAt(t *testing.T) {
	a, in := severalOf(t, truncate(t, 510, 11), truncate(t, 520, 10))
	a.dst.denied = true
	var recorded []int
	_, err := a.job().ApplySeveral(context.Background(), in, Steps{Next: goOn(&recorded)})
	require.NoError(t, err)
	require.Equal(t, []string{"t"}, a.dst.looked)
}

func TestAnotherAttemptGoesOnBehindWhatIsRecorded(t *testing.T) {
	a, in := severalOf(t, truncate(t, 510, 11), truncate(t, 520, 10))
	done := []job.ApplyResult{{Done: true, Tables: job.TableChanges{Set: map[int64]job.Table{11: {Name: "t", DestID: 20}}}}}
	var recorded []int
	got, err := a.job().ApplySeveral(context.Background(), in, Steps{Done: done, Unsure: true, Next: goOn(&recorded)})
	require.NoError(t, err)
	require.Len(t, got, 3)
	require.Equal(t, []int{1, 2}, recorded)
	require.Equal(t, []string{"TRUNCATE TABLE `dst`.`t`", "TRUNCATE TABLE `dst`.`t`"}, a.dst.Executed, "the first is not done again, and what it changed is known")

	got, err = a.job().ApplySeveral(context.Background(), in, Steps{Done: []job.ApplyResult{{Done: true, SourceTable: "x"}}})
	require.NoError(t, err)
	require.Len(t, got, 1, "nothing follows an outcome that ends the step")
}

func TestWhatEndsAStepWithSeveralBinlogs(t *testing.T) {
	failed := errors.New("no route to the destination")
	for name, c := range map[string]struct {
		change func(*applied, *job.ApplySeveralInput)
		want   int // outcomes
		check  func(*testing.T, []job.ApplyResult)
		err    error
	}{
		"a snapshot": {func(a *applied, in *job.ApplySeveralInput) {
			a.src.TableMeta[11] = a.src.TableMeta[10]
			a.dst.Names = append(a.dst.Names, "n")
		}, 1, func(t *testing.T, got []job.ApplyResult) { require.NotNil(t, got[0].Wanted) }, nil},
		"a problem": {func(a *applied, in *job.ApplySeveralInput) {
			a.src.TableMeta[11] = &meta.Table{ID: 11, Name: "n"}
			a.dst.refuse = map[string]error{"TRUNCATE TABLE `dst`.`n`": pairtest.SQLRefusal("Failed to find enough backend")}
		}, 2, func(t *testing.T, got []job.ApplyResult) { require.Equal(t, int64(510), got[1].Problem.CommitSeq) }, nil},
		"an error": {func(a *applied, in *job.ApplySeveralInput) {
			a.dst.refuse = map[string]error{"TRUNCATE TABLE `dst`.`t`": failed}
		}, 2, nil, failed},
		// By the outcomes of those before it, it says that the source stops recording: the shift
		// has to look at it.
		"one that means something else by now": {func(a *applied, in *job.ApplySeveralInput) {
			in.Following[0] = binlogOf(t, 510, binlog.TypeModifyTableProperty, map[string]any{"tableId": 11, "properties": map[string]string{"binlog.enable": "false"}}, 11)
		}, 1, nil, nil},
		"one that is to be skipped": {func(a *applied, in *job.ApplySeveralInput) {
			in.Progress.Skip = &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 510}
		}, 1, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, in := severalOf(t, truncate(t, 510, 11), truncate(t, 520, 10))
			c.change(a, &in)
			var recorded []int
			got, err := a.job().ApplySeveral(context.Background(), in, Steps{Next: goOn(&recorded)})
			require.ErrorIs(t, err, c.err)
			require.Len(t, got, c.want, "%+v", got)
			if c.check != nil {
				c.check(t, got)
			}
		})
	}

	a, in := severalOf(t, truncate(t, 510, 11))
	got, err := a.job().ApplySeveral(context.Background(), in, Steps{Next: func(_ context.Context, done []job.ApplyResult, _ *job.Binlog) (bool, error) {
		return len(done) == 0, nil
	}})
	require.NoError(t, err)
	require.Len(t, got, 1, "whoever runs the step ends it")
}

// What shares a step may have to be repeated after later ones. Whatever brings another
// name, or a snapshot, has a step of its own, and the stream's own types have none.
func TestWhatSharesAStepCanBeRepeated(t *testing.T) {
	for _, kind := range []binlog.Type{binlog.TypeRenameTable, binlog.TypeRenamePartition, binlog.TypeRenameColumn, binlog.TypeRenameRollup,
		binlog.TypeReplaceTable, binlog.TypeReplacePartitions, binlog.TypeRecoverInfo, binlog.TypeAlterJob, binlog.TypeUpsert, binlog.TypeDummy} {
		require.False(t, pair.Repeatable(kind), kind)
	}
}
