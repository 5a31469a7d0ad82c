package e2e

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// Databases and tables that are dropped, made again, in the way, or do not record.
func goneRemedies() []remedyRow {
	const (
		off     = "### `does not record binlogs: binlog.enable is off`"
		gone    = "### A table or database does not exist any more"
		foreign = "### `would replace tables of ... that have rows and were never synced`"
		again   = "the destination's database: force_fullsync creates it again"
	)
	return []remedyRow{
		{name: "a table records again", helps: []string{"switch binlogs on again: %s; the job then goes on by itself"}, pages: []string{off},
			play: func(t *trouble) {
				t.tableJob()
				t.exec(`ALTER DATABASE d SET PROPERTIES ("binlog.enable" = "false")`, `ALTER TABLE d.t SET ("binlog.enable" = "false")`, "INSERT INTO d.t VALUES (3, 'in no binlog')")
				t.stands("does not record binlogs", "switch binlogs on again")
				t.follow(t.src, `ALTER TABLE .*? SET \(.*?\)`)
				t.goesOn()
			}},
		{name: "a database records again", helps: []string{"switch binlogs on again: %s; the job then goes on by itself"}, pages: []string{off},
			play: func(t *trouble) {
				t.tables("t", "u")
				t.replicate()
				t.exec(`ALTER DATABASE d SET PROPERTIES ("binlog.enable" = "false")`, `ALTER TABLE d.u SET ("binlog.enable" = "false")`,
					"INSERT INTO d.u VALUES (3, 'in no binlog')", "INSERT INTO d.t VALUES (3, 'in no binlog')")
				t.stands("does not record binlogs", "switch binlogs on again")
				t.follow(t.src, `ALTER TABLE .*? SET \(.*?\)`, "`d`.t", "d.u")
				t.follow(t.src, `ALTER DATABASE .*? SET PROPERTIES \(.*?\)`)
				t.goesOn("t", "u")
			}},
		{name: "a database of the source is recovered", helps: []string{"; or create it again with its tables, then force_fullsync; or delete the job"}, pages: []string{gone},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				t.exec("DROP DATABASE d")
				t.stands("source database d does not exist any more", "RECOVER DATABASE")
				t.follow(t.src, "RECOVER DATABASE [^;]*")
				t.goesOn()
			}},
		{name: "a database of the source is created again", helps: []string{"; or create it again with its tables, then force_fullsync"}, pages: []string{gone},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				t.exec("DROP DATABASE d FORCE")
				t.stands("source database d does not exist any more", t.row.helps[0])
				t.tables("t")
				t.order(t.said("force_fullsync"), nil)
				t.full = 2
				t.goesOn()
			}},
		{name: "a table of the source is recovered", helps: []string{"recover the table on the source, or create one of that name: the job goes on by itself"}, pages: []string{gone},
			play: func(t *trouble) {
				t.tableJob()
				t.exec("DROP TABLE d.t")
				t.stands("source table d.t does not exist any more", t.row.helps[0])
				t.exec("RECOVER TABLE d.t")
				t.goesOn()
			}},
		{name: "a table of the source is created again", helps: []string{"recover the table on the source, or create one of that name: the job goes on by itself"}, pages: []string{gone},
			play: func(t *trouble) {
				t.tableJob()
				t.exec("DROP TABLE d.t FORCE")
				t.stands("source table d.t does not exist any more", t.row.helps[0])
				t.exec(fmt.Sprintf(partedTable, "d", "t"), `ALTER TABLE d.t SET ("binlog.enable" = "true")`)
				t.goesOn()
			}},
		{name: "the destination's database comes back by a full sync", helps: []string{again}, pages: []string{gone},
			play: func(t *trouble) { t.withoutDatabase(false) }},
		{name: "the destination's database comes back by hand and a full sync", helps: []string{again}, pages: []string{gone},
			play: func(t *trouble) { t.withoutDatabase(true) }},
		{name: "an idle job's database comes back", helps: []string{"force_fullsync creates it again with all that was in it"}, pages: []string{gone},
			play: func(t *trouble) {
				t.tables("t", "u")
				t.replicate()
				t.execDestination("DROP DATABASE d FORCE")
				// A shift that begins just then says it in Doris' words.
				t.stands("database", "force_fullsync creates it again")
				t.order(t.said("force_fullsync"), nil)
				t.full = 2
				t.goesOn("t", "u")
			}},
		{name: "an idle job follows another database", helps: []string{"force_fullsync brings everything to the one that has the name now"}, pages: []string{gone},
			play: func(t *trouble) {
				t.tables("t", "u")
				t.replicate()
				t.execDestination("DROP DATABASE d FORCE", "CREATE DATABASE d")
				t.stands("the destination database d is another one than the job has written to", t.row.helps[0])
				t.order(t.said("force_fullsync"), nil)
				t.full = 2
				t.goesOn("t", "u")
			}},
		{name: "the database of a table job comes back by a full sync", helps: []string{again}, pages: []string{gone},
			play: func(t *trouble) {
				t.tableJob()
				t.execDestination("DROP DATABASE d FORCE")
				t.exec(after)
				t.stands("database", again)
				t.order(t.said("force_fullsync"), nil)
				t.full = 2
				t.goesOn()
			}},
		{name: "the destination's database comes back by a partial sync", helps: []string{again}, pages: []string{gone},
			play: func(t *trouble) {
				t.tables("t", "u")
				t.replicate()
				t.execDestination("DROP DATABASE d FORCE")
				t.partialSync("t")
				t.goesOn("t", "u") // with the tables that nobody has ordered
			}},
		{name: "the destination's database comes back by a partial sync of a job that stands", helps: []string{again}, pages: []string{gone},
			play: func(t *trouble) {
				t.tables("t", "u")
				t.replicate()
				t.execDestination("DROP DATABASE d FORCE")
				t.exec(overwrite)
				t.stands("Unknown database 'd'", again)
				t.partialSync("t")
				t.goesOn("t", "u")
			}},
		{name: "the database of a table job comes back by a partial sync", helps: []string{again}, pages: []string{gone},
			play: func(t *trouble) {
				t.tableJob()
				t.execDestination("DROP DATABASE d FORCE")
				t.exec(overwrite)
				t.stands("Unknown database 'd'", again)
				t.partialSync("t")
				t.goesOn()
			}},
		{name: "the destination's database comes back by hand and a partial sync", helps: []string{again}, pages: []string{gone},
			play: func(t *trouble) {
				t.tables("t", "u")
				t.replicate()
				t.execDestination("DROP DATABASE d FORCE", "CREATE DATABASE d")
				t.exec(overwrite)
				t.stands("does not exist", again)
				t.partialSync("t")
				t.goesOn("t", "u")
			}},
		{name: "tables with rows are renamed", helps: []string{"rename or drop them on the destination: the job goes on by itself"}, pages: []string{foreign},
			play: func(t *trouble) {
				t.withKeptTable()
				t.execDestination("ALTER TABLE d.later RENAME kept")
				t.goesOn("t", "later")
			}},
		{name: "tables with rows are left out", helps: []string{"or leave them out with update_tables"}, pages: []string{foreign},
			play: func(t *trouble) {
				t.withKeptTable()
				t.order(t.said("update_tables"), map[string]any{"exclude_tables": []string{"later"}})
				t.goesOn()
				rows, err := harness.Content(t.ctx, t.dst, "d", "later")
				require.NoError(t, err)
				require.Len(t, rows, 1)
			}},
	}
}

// tableJob begins a job for the table t alone.
func (t *trouble) tableJob() {
	t.Helper()
	t.tables("t")
	t.createJobOf(t.jobName(), map[string]any{"src": t.pair.Source.Spec("d", "t"), "dest": t.pair.Destination.Spec("d", "t")})
	t.awaitThat(t.job, func(ctx context.Context) error { return t.sameTables(ctx, "t") })
}

// withoutDatabase drops the destination's database under a job that loads into it.
func (t *trouble) withoutDatabase(byHand bool) {
	t.Helper()
	t.tables("t", "u")
	t.replicate()
	t.execDestination("DROP DATABASE d FORCE")
	t.exec(after)
	t.stands("database", t.row.helps[0])
	if byHand {
		t.execDestination("CREATE DATABASE d")
	}
	t.order(t.said("force_fullsync"), nil)
	t.full = 2
	t.goesOn("t", "u")
}

// withKeptTable gives the source a table of a name that the destination has
// already, with rows.
func (t *trouble) withKeptTable() {
	t.Helper()
	t.tables("t")
	t.replicate()
	t.execDestination(fmt.Sprintf(partedTable, "d", "later"), "INSERT INTO d.later VALUES (7, 'only here')")
	t.exec(fmt.Sprintf(partedTable, "d", "later"), "INSERT INTO d.later VALUES (1, 'source')")
	t.stands("would replace tables of d that have rows and were never synced: later", t.row.helps[0])
}
