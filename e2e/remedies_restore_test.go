package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// overwrite makes a snapshot of partition p1, which is restored in place.
const overwrite = "INSERT OVERWRITE TABLE d.t PARTITION(p1) VALUES (2, 'instead')"

// Restores that the destination refuses or cancels (doris-sql.md 4.6).
func restoreRemedies() []remedyRow {
	const (
		notNormal  = "`Table ...'s state is not NORMAL`, `Table[...]'s state(...) is not NORMAL`, `Table[...] is in atomic restore state`"
		namesake   = "`Only support retore OLAP table` (or `restore`: `Only support restore OLAP table`), `with the same name but a different type`, `The type of local table should be same ...`"
		noBackends = "`Failed to find enough backend`"
	)
	return []remedyRow{
		{name: "a schema change of the destination ends", helps: []string{"wait until the schema change or restore of the destination's table in the text is over"}, texts: []string{"is not NORMAL"}, pages: []string{notNormal},
			play: func(t *trouble) {
				end := t.duringSchemaChange(overwrite)
				states, err := column(t.ctx, t.dst, t.said("SHOW ALTER TABLE COLUMN")+" FROM d", "State")
				require.NoError(t, err)
				require.Contains(t, states, "RUNNING")
				end()
				t.goesOn()
			}},
		{name: "a schema change of the destination is cancelled", helps: []string{"or cancel it"}, texts: []string{"is not NORMAL"}, pages: []string{notNormal},
			play: func(t *trouble) {
				t.duringSchemaChange(overwrite)
				t.follow(t.dst, "CANCEL ALTER TABLE COLUMN FROM t", "FROM t", "FROM d.t")
				t.goesOn()
			}},
		{name: "a statement waits for a schema change", helps: []string{"or cancel it"}, texts: []string{"is not NORMAL"}, pages: []string{notNormal},
			play: func(t *trouble) {
				t.duringSchemaChange(`ALTER TABLE d.t RENAME PARTITION p2 renamed`)
				t.follow(t.dst, "CANCEL ALTER TABLE COLUMN FROM t", "FROM t", "FROM d.t")
				t.goesOn()
			}},
		{name: "a restore into a table is cancelled", helps: []string{"wait until the restore on the destination is over (SHOW RESTORE), or cancel it: CANCEL RESTORE FROM d"}, pages: []string{"`is in restore process`"},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				t.restoreByHand(false)
				t.exec(after)
				t.stands("is in restore process", t.row.helps[0])
				t.follow(t.dst, "CANCEL RESTORE FROM d")
				t.goesOn()
			}},
		{name: "a restore beside a table is cancelled", helps: []string{"or cancel it: CANCEL ALTER TABLE COLUMN FROM t; CANCEL RESTORE FROM d"}, texts: []string{"in atomic restore state"}, pages: []string{notNormal},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				t.restoreByHand(true)
				t.exec("ALTER TABLE d.t RENAME PARTITION p2 renamed")
				t.stands()
				t.follow(t.dst, "CANCEL RESTORE FROM d")
				t.goesOn()
			}},
		{name: "other loads are stopped", helps: []string{"stop the other loads into the destination's table"}, texts: []string{"has unfinished load job"}, pages: []string{"`Table ...'s has unfinished load job`"},
			pair: harness.PairOptions{Version: core.Version21},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				unpublished := t.fault(t.pair.Destination, faults.Rule{Point: "publish", Action: faults.Fail})
				ctx, stop := context.WithCancel(t.ctx)
				defer stop()
				loads := make(chan error, 1)
				go func() {
					_, err := t.dst.ExecContext(ctx, "INSERT INTO d.t VALUES (7, 'somebody else')")
					loads <- err
				}()
				t.exec(overwrite)
				t.stands()
				unpublished.end()
				<-loads
				t.goesOn()
			}},
		{name: "backends for all replicas are added", helps: []string{"add backends to the destination"}, texts: []string{"Failed to find enough backend"}, pages: []string{noBackends},
			play: func(t *trouble) {
				t.withManyReplicas()
				t.addBackend(t.pair.Destination, t.dst)
				t.goesOn()
			}},
		{name: "fewer replicas", helps: []string{"or have fewer replicas made: update_options with replication_num"}, texts: []string{"Failed to find enough backend"}, pages: []string{noBackends},
			play: func(t *trouble) {
				t.withManyReplicas()
				t.order(t.said("update_options"), map[string]any{t.said("replication_num"): 1})
				t.goesOn()
			}},
		{name: "a table of another kind is dropped", helps: []string{"rename or drop what has that name on the destination"}, texts: []string{"Only support restore OLAP table"}, pages: []string{namesake},
			play: func(t *trouble) {
				t.withNamesake(externalTable("t"))
				t.execDestination("DROP TABLE d.t")
				t.goesOn()
			}},
		{name: "a table of another kind is dropped in older versions", helps: []string{"rename or drop what has that name on the destination"}, texts: []string{"Only support retore OLAP table"}, pages: []string{namesake},
			pair: harness.PairOptions{Version: core.Version30},
			play: func(t *trouble) {
				t.withNamesake(externalTable("t"))
				t.execDestination("DROP TABLE d.t")
				t.goesOn()
			}},
		{name: "a table in the place of a view is renamed", helps: []string{"rename or drop what has that name on the destination"}, texts: []string{"with the same name but a different type"}, pages: []string{namesake},
			play: func(t *trouble) {
				t.withNamesake(fmt.Sprintf(partedTable, "d", "v"))
				t.execDestination("ALTER TABLE d.v RENAME w")
				t.goesOn()
				require.NoError(t, t.sameTables(t.ctx, "v"))
			}},
		{name: "a table of another type is renamed", helps: []string{"rename or drop what has that name on the destination"}, texts: []string{"type of local table should be same"}, pages: []string{namesake},
			play: func(t *trouble) {
				t.tables("t")
				mend := t.answering(t.pair.Destination, "restore.PENDING", "The type of local table should be same as type of remote table: t")
				t.job = t.createJob("d", "", "d", "")
				t.stands()
				mend() // no statement makes such a table
				t.goesOn()
			}},
		{name: "a partition with other replicas is dropped", helps: []string{"drop the partition in the text on the destination: the snapshot brings it again"}, texts: []string{"different replication num"}, pages: []string{"`has different replication num`"},
			pair: harness.PairOptions{BEs: 2},
			play: func(t *trouble) {
				t.tables("t")
				t.createJobOf(t.jobName(), map[string]any{"replication_num": 1})
				t.follows()
				t.execDestination(`ALTER TABLE d.t MODIFY PARTITION p1 SET ("replication_num" = "2")`)
				t.exec(overwrite)
				t.stands()
				t.execDestination("ALTER TABLE d.t DROP PARTITION p1 FORCE")
				t.goesOn()
			}},
		{name: "a table leaves its group", helps: []string{"take the destination's table in the text out of its group"}, texts: []string{"with colocate group"}, pages: []string{"`Not support to restore to local table ... with colocate group`"},
			play: func(t *trouble) {
				t.withNamesake(`CREATE TABLE d.t (id INT, v VARCHAR(40)) DUPLICATE KEY(id)` + strings.Replace(oneBucket, `")`, `", "colocate_with" = "g")`, 1))
				t.follow(t.dst, `ALTER TABLE t SET \("colocate_with" = ""\)`, "TABLE t", "TABLE d.t")
				t.goesOn()
			}},
		{name: "the destination is upgraded", helps: []string{"the destination cannot read the source's metadata: upgrade it"}, texts: []string{"read backup meta failed"}, pages: []string{"`read backup meta failed`"},
			play: func(t *trouble) {
				t.tables("t")
				upgrade := t.answering(t.pair.Destination, "fe.restoreSnapshot", "read backup meta failed")
				t.job = t.createJob("d", "", "d", "")
				t.stands()
				upgrade() // dorisim reads the metadata of all its versions
				t.goesOn()
			}},
	}
}

// duringSchemaChange has the source do what the destination's table cannot do
// now, and returns what lets the destination's schema change end.
func (t *trouble) duringSchemaChange(statement string) (end func()) {
	t.Helper()
	t.tables("t")
	t.replicate()
	held := t.fault(t.pair.Destination, faults.Rule{Point: "alter.RUNNING", Action: faults.Hold})
	t.execDestination(`ALTER TABLE d.t ADD COLUMN k INT KEY DEFAULT "0" FIRST`)
	t.exec(statement)
	t.stands()
	return held.end
}

// withManyReplicas gets a job into a restore for which the destination has too
// few backends.
func (t *trouble) withManyReplicas() {
	t.Helper()
	t.addBackend(t.pair.Source, t.src)
	t.exec("CREATE DATABASE d", fmt.Sprintf(replicatedTable, "d", "t", 2), "INSERT INTO d.t VALUES (1, 'a')")
	t.enableBinlog("d", "t")
	t.createJobOf(t.jobName(), nil)
	t.stands()
}

func (t *trouble) addBackend(cluster *harness.Cluster, on *sql.DB) {
	t.Helper()
	_, address, err := cluster.StartBE()
	require.NoError(t, err)
	_, err = on.ExecContext(t.ctx, fmt.Sprintf(`ALTER SYSTEM ADD BACKEND "%s"`, address))
	require.NoError(t, err)
}

// withNamesake gets a job for table t and view v into a restore where the
// destination has something else of one of these names.
func (t *trouble) withNamesake(statement string) {
	t.Helper()
	t.tables("t")
	t.exec("CREATE VIEW d.v AS SELECT id FROM d.t")
	t.execDestination("CREATE DATABASE d", statement)
	t.job = t.createJob("d", "", "d", "")
	t.stands()
}

// restoreByHand begins a restore of somebody else's into the destination's table,
// which hangs.
func (t *trouble) restoreByHand(atomic bool) {
	t.Helper()
	t.exec("BACKUP SNAPSHOT d.by_hand TO `__keep_on_local__` ON (t) PROPERTIES (\"type\" = \"full\")")
	client := func(c *harness.Cluster) *fe.Client {
		made := fe.New(fe.Config{Frontends: []fe.Endpoint{{Host: "127.0.0.1", Port: c.ThriftPort()}}, User: "root"})
		t.Cleanup(func() { made.Close() })
		return made
	}
	source := client(t.pair.Source)
	var snapshot fe.Snapshot
	require.NoError(t, harness.Await(t.ctx, catchUp, func(ctx context.Context) (err error) {
		snapshot, err = source.Snapshot(ctx, fe.SnapshotRequest{Database: "d", Label: "by_hand"})
		return err
	}))
	info, err := snapshot.JobInfo.Plain()
	require.NoError(t, err)
	token, err := source.MasterToken(t.ctx)
	require.NoError(t, err)
	backend := t.pair.Source.BE(0)
	extra := fmt.Sprintf(`,"extra_info":{"be_network_map":{"%d":{"ip":"127.0.0.1","port":%d}},"token":%q}}`, backend.ID(), backend.HTTPPort(), token)
	held := t.fault(t.pair.Destination, faults.Rule{Point: "restore.DOWNLOADING", Action: faults.Hold})
	require.NoError(t, client(t.pair.Destination).RestoreSnapshot(t.ctx, fe.RestoreRequest{
		Database: "d", Label: "by_hand", Tables: []fe.TableRef{{Table: "t"}}, AtomicRestore: atomic,
		Meta: snapshot.Meta, JobInfo: fe.PlainBlob([]byte(strings.TrimSuffix(strings.TrimSpace(string(info)), "}") + extra)),
	}))
	t.awaitColumn(func(ctx context.Context) ([]string, error) { return column(ctx, t.dst, "SHOW RESTORE FROM d", "State") }, "DOWNLOADING")
	held.struck()
}
