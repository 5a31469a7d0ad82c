package snapshot

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

func cleaning(j *Job) *Job {
	j.Options.Features.CleanTableAndPartitions = true
	return j
}

// Which restores are told to clean: doris-binlogs.md 4.3.
func TestRestoreCleans(t *testing.T) {
	ctx := context.Background()
	const onlyTable = `{"backup_objects":{"t":{"id":10,"partitions":{"p":{"id":100}}}},"table_commit_seq_map":{"10":60}}`
	restore := func(spec *job.Spec, partial *job.PartialSync, on bool, dst *pairtest.Script) fe.RestoreRequest {
		j := New(pairtest.Scripted(spec, &pairtest.Script{Snap: snapshotOf(onlyTable)}, dst))
		if on {
			cleaning(j)
		}
		_, err := j.RestoreSnapshot(ctx, ordered(spec, partial, "s"), nil)
		require.NoError(t, err)
		return dst.Submitted[len(dst.Submitted)-1]
	}
	off := restore(pairtest.DatabaseSpec(), nil, false, &pairtest.Script{})
	require.False(t, off.CleanTables || off.CleanPartitions, "off by default")
	database := restore(pairtest.DatabaseSpec(), nil, true, &pairtest.Script{})
	require.True(t, database.CleanTables && database.CleanPartitions)
	table := restore(pairtest.TableSpec(), nil, true, &pairtest.Script{})
	require.False(t, table.CleanTables, "the other tables are not the job's")
	require.True(t, table.CleanPartitions)
	partial := restore(pairtest.DatabaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Partitions: []string{"p"}}, true, &pairtest.Script{Names: []string{"t"}})
	require.False(t, partial.CleanTables || partial.CleanPartitions)
	// Doris would drop the table that was restored under an alias.
	differs := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: Table t already exist but with different schema]"}
	aliased := restore(pairtest.DatabaseSpec(), nil, true, &pairtest.Script{Outcome: []sqlclient.RestoreJob{differs}})
	require.False(t, aliased.CleanTables)
	require.NotEmpty(t, aliased.Tables[0].Alias)
}

func TestFinishSnapshotCleansWhereTheRestoreCouldNot(t *testing.T) {
	ctx := context.Background()
	alias := job.AliasName("t", pairtest.Epoch)
	in := ordered(pairtest.DatabaseSpec(), nil, "s")
	in.Progress.Snapshot.Restored = &job.Restored{Tables: map[int64]job.Table{10: {Name: "t", CommitSeq: 60}, 12: {Name: "v", View: true}}}
	destination := func() *pairtest.Script {
		return &pairtest.Script{
			Names: []string{"t", alias, "v", "mine", "my_view"}, ViewNames: []string{"v", "my_view"},
			TableMeta: map[int64]*meta.Table{30: {ID: 30, Name: "t"}},
		}
	}
	dst := destination()
	_, err := cleaning(New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, dst))).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.NotContains(t, dst.Executed, "DROP TABLE IF EXISTS `"+pairtest.DatabaseSpec().Destination.Database+"`.`mine`", "Doris did it in the restore")

	in.Progress.Snapshot.Aliases = map[string]string{"t": alias}
	dst = destination()
	got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, dst)).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Len(t, dst.Executed, 1, "nothing but the swap while the switch is off")
	require.Equal(t, []string{"mine", "my_view"}, got.Foreign, "but it is told")

	dst = destination()
	_, err = cleaning(New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, dst))).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	db := pairtest.DatabaseSpec().Destination.Database
	require.Equal(t, []string{"DROP TABLE IF EXISTS `" + db + "`.`mine`", "DROP VIEW IF EXISTS `" + db + "`.`my_view`"}, dst.Executed[1:])

	// What the job leaves out is not touched, neither by Doris nor here.
	spec := pairtest.DatabaseSpec()
	spec.TableFilter = job.TableFilter{Exclude: []string{"mi*"}}
	dst = destination()
	_, err = cleaning(New(pairtest.Scripted(spec, &pairtest.Script{}, dst))).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Equal(t, []string{"DROP VIEW IF EXISTS `" + db + "`.`my_view`"}, dst.Executed[1:])
	require.False(t, New(pairtest.Scripted(spec, &pairtest.Script{}, dst)).dorisCleans(nil))
}
