package replication

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

func (s *script) Views(context.Context, string) ([]string, error) { return s.views, nil }

func cleaning(j *Job) *Job {
	j.opts.Features.CleanTableAndPartitions = true
	return j
}

// Which restores are told to clean: doris-binlogs.md 4.3.
func TestRestoreCleans(t *testing.T) {
	ctx := context.Background()
	const onlyTable = `{"backup_objects":{"t":{"id":10,"partitions":{"p":{"id":100}}}},"table_commit_seq_map":{"10":60}}`
	restore := func(spec *job.Spec, partial *job.PartialSync, on bool, dst *script) fe.RestoreRequest {
		j := scripted(spec, &script{snapshot: snapshotOf(onlyTable)}, dst)
		if on {
			cleaning(j)
		}
		_, err := j.RestoreSnapshot(ctx, ordered(spec, partial, "s"), nil)
		require.NoError(t, err)
		return dst.submitted[len(dst.submitted)-1]
	}
	off := restore(databaseSpec(), nil, false, &script{})
	require.False(t, off.CleanTables || off.CleanPartitions, "off by default")
	database := restore(databaseSpec(), nil, true, &script{})
	require.True(t, database.CleanTables && database.CleanPartitions)
	table := restore(tableSpec(), nil, true, &script{})
	require.False(t, table.CleanTables, "the other tables are not the job's")
	require.True(t, table.CleanPartitions)
	partial := restore(databaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Partitions: []string{"p"}}, true, &script{names: []string{"t"}})
	require.False(t, partial.CleanTables || partial.CleanPartitions)
	// Doris would drop the table that was restored under an alias.
	differs := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: Table t already exist but with different schema]"}
	aliased := restore(databaseSpec(), nil, true, &script{outcome: []sqlclient.RestoreJob{differs}})
	require.False(t, aliased.CleanTables)
	require.NotEmpty(t, aliased.Tables[0].Alias)
}

func TestFinishSnapshotCleansWhereTheRestoreCouldNot(t *testing.T) {
	ctx := context.Background()
	alias := job.AliasName("t", testEpoch)
	in := ordered(databaseSpec(), nil, "s")
	in.Progress.Snapshot.Restored = &job.Restored{Tables: map[int64]job.Table{10: {Name: "t", CommitSeq: 60}, 12: {Name: "v", View: true}}}
	destination := func() *script {
		return &script{
			names: []string{"t", alias, "v", "mine", "my_view"}, views: []string{"v", "my_view"},
			tables: map[int64]*meta.Table{30: {ID: 30, Name: "t"}},
		}
	}
	dst := destination()
	_, err := cleaning(scripted(databaseSpec(), &script{}, dst)).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.NotContains(t, dst.executed, "DROP TABLE IF EXISTS `"+databaseSpec().Destination.Database+"`.`mine`", "Doris did it in the restore")

	in.Progress.Snapshot.Aliases = map[string]string{"t": alias}
	dst = destination()
	got, err := scripted(databaseSpec(), &script{}, dst).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Len(t, dst.executed, 1, "nothing but the swap while the switch is off")
	require.Equal(t, []string{"mine", "my_view"}, got.Foreign, "but it is told")

	dst = destination()
	_, err = cleaning(scripted(databaseSpec(), &script{}, dst)).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	db := databaseSpec().Destination.Database
	require.Equal(t, []string{"DROP TABLE IF EXISTS `" + db + "`.`mine`", "DROP VIEW IF EXISTS `" + db + "`.`my_view`"}, dst.executed[1:])

	// What the job leaves out is not touched, neither by Doris nor here.
	spec := databaseSpec()
	spec.TableFilter = job.TableFilter{Exclude: []string{"mi*"}}
	dst = destination()
	_, err = cleaning(scripted(spec, &script{}, dst)).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Equal(t, []string{"DROP VIEW IF EXISTS `" + db + "`.`my_view`"}, dst.executed[1:])
	require.False(t, scripted(spec, &script{}, dst).dorisCleans(nil))
}
