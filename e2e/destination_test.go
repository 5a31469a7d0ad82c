package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// execDestination runs statements of somebody else's on the destination.
func (e *env) execDestination(statements ...string) {
	e.Helper()
	for _, statement := range statements {
		_, err := e.dst.ExecContext(e.ctx, statement)
		require.NoError(e, err, statement)
	}
}

// What somebody keeps on the destination is not replaced unasked: a job that
// would is refused, and one that comes to it later stands until there is room.
func TestTablesOfTheDestinationAreKept(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "kept"), fmt.Sprintf(duplicateTable, "d", "void"))
	e.enableBinlog("d", "kept", "void")
	e.exec("INSERT INTO d.kept VALUES (1, 'source')", "INSERT INTO d.void VALUES (1, 'source')")
	e.execDestination("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "kept"), fmt.Sprintf(duplicateTable, "d", "void"),
		"INSERT INTO d.kept VALUES (7, 'only here')")

	body := map[string]any{"name": e.jobName(), "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}
	_, err := e.ccr.Call(e.ctx, "create_ccr", body)
	require.ErrorContains(t, err, "dest tables of d have rows and were never synced, a full sync would replace them: kept")
	require.NotContains(t, err.Error(), "void", "an empty one may be replaced")
	e.requireOnlyHere("kept")

	e.execDestination("ALTER TABLE d.kept RENAME kept_here")
	job := e.createJob("d", "", "d", "")
	e.awaitThat(job, func(ctx context.Context) error { return e.sameTables(ctx, "kept", "void") })

	// One of the name that the source's next table gets.
	e.execDestination(fmt.Sprintf(duplicateTable, "d", "later"), "INSERT INTO d.later VALUES (7, 'only here')")
	e.exec(fmt.Sprintf(duplicateTable, "d", "later"), "INSERT INTO d.later VALUES (1, 'source')")
	e.stalledWith(job, "would replace tables of d that have rows and were never synced: later", "rename or drop them on the destination")
	e.execDestination("ALTER TABLE d.later RENAME later_here")
	e.awaitThat(job, func(ctx context.Context) error { return e.sameTables(ctx, "kept", "void", "later") })
	e.notStalled(job)
	e.requireOnlyHere("kept_here")
	e.requireOnlyHere("later_here")
	e.requireFullSyncs(job, 1)
}

// sameTables compares some tables of a destination that has others, too.
func (e *env) sameTables(ctx context.Context, tables ...string) error {
	for _, table := range tables {
		if err := harness.CompareTables(ctx, e.src, "d", table, e.dst, "d", table); err != nil {
			return err
		}
	}
	return nil
}

// requireOnlyHere makes sure that the destination still has the row that nobody else has.
func (e *env) requireOnlyHere(table string) {
	e.Helper()
	rows, err := harness.Content(e.ctx, e.dst, "d", table)
	require.NoError(e, err)
	require.Len(e, rows, 1)
	require.Contains(e, rows[0], "only here")
}

// The same for a table job.
func TestDatabaseOfATableJobIsDropped(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE a", fmt.Sprintf(recordedTable, "a", "t"), "INSERT INTO a.t VALUES (1, 'one')")
	job := e.createJob("a", "t", "b", "copy")
	e.sameAs(job, "t", "copy")
	e.execDestination("DROP DATABASE b FORCE")
	e.stalledWith(job, "does not exist any more", "force_fullsync creates it again")
	_, err := e.ccr.Call(e.ctx, "force_fullsync", map[string]any{"name": job})
	require.NoError(t, err)
	e.sameAs(job, "t", "copy")
	e.notStalled(job)
	e.exec("INSERT INTO a.t VALUES (2, 'two')")
	e.sameAs(job, "t", "copy")
	e.requireFullSyncs(job, 2)
}

// Two jobs do not write to one table.
func TestOneJobATable(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "a"), fmt.Sprintf(duplicateTable, "d", "b"))
	e.enableBinlog("d", "a", "b")
	first := e.createFiltered("d", []string{"a"}, nil)
	body := map[string]any{
		"name": first + "_2", "src": e.pair.Source.Spec("d", "a"), "dest": e.pair.Destination.Spec("d", "a"), "allow_table_exists": true,
	}
	_, err := e.ccr.Call(e.ctx, "create_ccr", body)
	require.ErrorContains(t, err, "these jobs write to d.a on the same cluster: "+first)
	body["src"], body["dest"] = e.pair.Source.Spec("d", "b"), e.pair.Destination.Spec("d", "b")
	_, err = e.ccr.Call(e.ctx, "create_ccr", body)
	require.NoError(t, err, "another table")
	e.endWithTest(first + "_2")
	_, err = e.ccr.Call(e.ctx, "update_tables", map[string]any{"name": first, "include_tables": []string{}})
	require.ErrorContains(t, err, "these jobs write to d on the same cluster: "+first+"_2")
}

// Whoever drops the destination's database gets it back by force_fullsync, as the
// job says; so does whoever has created it again by hand.
func TestDatabaseOfTheDestinationIsDropped(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "a"), fmt.Sprintf(duplicateTable, "d", "b"))
	e.enableBinlog("d", "a", "b")
	e.exec("INSERT INTO d.a VALUES (1, 'a')", "INSERT INTO d.b VALUES (1, 'b')")
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")

	e.execDestination("DROP DATABASE d FORCE") // and nothing is written
	e.stalledWith(job, "database", "force_fullsync creates it again")
	_, err := e.ccr.Call(e.ctx, "force_fullsync", map[string]any{"name": job})
	require.NoError(t, err)
	e.awaitEqual(job, "d", "d")
	e.notStalled(job)
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	e.exec("INSERT INTO d.a VALUES (2, 'a')")
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 2)

	// A partial sync finds the database created again by hand, and everything in
	// it gone.
	e.execDestination("DROP DATABASE d FORCE", "CREATE DATABASE d")
	e.stalledWith(job, "is another one", "force_fullsync")
	detail, err := e.ccr.Call(e.ctx, "job_progress", map[string]any{"name": job})
	require.NoError(t, err)
	_, err = e.ccr.Call(e.ctx, "job_skip_binlog", map[string]any{"name": job, "skip_by": "partialsync", "skip_table": "b", "skip_table_id": e.sourceTable(detail, "b")})
	require.NoError(t, err)
	e.exec("INSERT INTO d.b VALUES (2, 'b')")
	e.awaitEqual(job, "d", "d")
	e.notStalled(job)
	e.requireFullSyncs(job, 2)
}
