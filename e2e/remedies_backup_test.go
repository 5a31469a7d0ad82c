package e2e

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// Backups that the source refuses or cancels (doris-sql.md 2.7, 4.2).
func backupRemedies() []remedyRow {
	const (
		temporary = "`Do not support backup table ... with temp partitions`"
		tablets   = "`the num involved tablets ... max_backup_tablets_per_job`"
		otherKind = "`Table ... is not a OLAP table`"
	)
	return []remedyRow{
		{name: "temporary partitions are passed over", helps: []string{"ignore_backup_tmp_partitions = true"}, texts: []string{"with temp partitions"}, pages: []string{temporary},
			play: func(t *trouble) {
				t.withTemporaryPartition()
				t.set(t.src, "ignore_backup_tmp_partitions", "true")
				t.goesOn()
			}},
		{name: "temporary partitions are dropped", helps: []string{"drop the temporary partitions of the table in the text"}, texts: []string{"with temp partitions"}, pages: []string{temporary},
			play: func(t *trouble) {
				t.withTemporaryPartition()
				names, err := column(t.ctx, t.src, t.said(`SHOW TEMPORARY PARTITIONS FROM t`, "FROM t", "FROM d.t"), "PartitionName")
				require.NoError(t, err)
				for _, name := range names {
					t.exec("ALTER TABLE d.t DROP TEMPORARY PARTITION " + name)
				}
				t.goesOn()
			}},
		{name: "temporary partitions of the destination are dropped", helps: []string{"on the destination: drop them"}, texts: []string{"with temp partitions"}, pages: []string{temporary},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				t.execDestination(`ALTER TABLE d.t ADD TEMPORARY PARTITION tp VALUES LESS THAN ("1000")`)
				t.order("force_fullsync", nil)
				t.full = 2
				t.stands()
				t.execDestination("ALTER TABLE d.t DROP TEMPORARY PARTITION tp")
				t.goesOn()
			}},
		{name: "more tablets are allowed", helps: []string{"raise max_backup_tablets_per_job on the source's frontends"}, texts: []string{"max_backup_tablets_per_job"}, pages: []string{tablets, "### `fails again and again`"},
			play: func(t *trouble) {
				t.tables("t", "u")
				t.configure(t.src, "max_backup_tablets_per_job", "3")
				t.job = t.createJob("d", "", "d", "")
				t.stands()
				t.set(t.src, "max_backup_tablets_per_job", "300000")
				t.goesOn()
			}},
		{name: "fewer tablets by several jobs", helps: []string{"replicate in several jobs with include_tables"}, texts: []string{"max_backup_tablets_per_job"}, pages: []string{tablets},
			play: func(t *trouble) {
				t.tables("t", "u")
				t.configure(t.src, "max_backup_tablets_per_job", "3")
				t.createJobOf(t.jobName(), nil)
				t.stands()
				t.severalJobs()
			}},
		{name: "tables of another kind are passed over", helps: []string{"set ignore_backup_not_support_table_type = true"}, texts: []string{"is not a OLAP table"}, pages: []string{otherKind},
			play: func(t *trouble) {
				t.withForeignTable()
				t.set(t.src, "ignore_backup_not_support_table_type", "true")
				t.goesOn()
			}},
		{name: "tables of another kind are left out", helps: []string{"or leave the table out with update_tables"}, texts: []string{"is not a OLAP table"}, pages: []string{otherKind},
			play: func(t *trouble) {
				t.withForeignTable()
				t.order("update_tables", map[string]any{"exclude_tables": []string{"elsewhere"}})
				t.goesOn()
			}},
		{name: "cold tables are left out", helps: []string{"cannot be backed up: leave it out with update_tables"}, texts: []string{"cooldowned remote data"}, pages: []string{"`currently not support backup tablet with cooldowned remote data`"},
			play: func(t *trouble) {
				t.tables("t", "cold")
				warm := t.answering(t.pair.Source, "backup.SNAPSHOTING", "make snapshot failed, currently not support backup tablet with cooldowned remote data")
				t.job = t.createJob("d", "", "d", "")
				t.stands()
				t.order("update_tables", map[string]any{"exclude_tables": []string{"cold"}})
				warm() // what is left is: dorisim cools nothing down
				t.goesOn()
			}},
		{name: "a cloud cluster is given up", helps: []string{"it cannot be replicated, delete the job"}, texts: []string{"not supported by the cloud mode"}, pages: []string{"`BACKUP and RESTORE are not supported by the cloud mode yet`"},
			play: func(t *trouble) {
				t.tables("t")
				t.answering(t.pair.Source, "backup.submit", "BACKUP and RESTORE are not supported by the cloud mode yet")
				t.createJobOf(t.jobName(), nil)
				t.stands()
				t.deleted()
			}},
		{name: "a shorter name", helps: []string{"create the job again under a shorter name"}, texts: []string{"Label format error"}, pages: []string{"`Label format error`"},
			play: func(t *trouble) {
				t.tables("t")
				t.configure(t.src, "label_regex_length", "40")
				t.createJobOf(t.jobName()+"_with_a_long_name", nil)
				t.stands()
				t.deleted()
				t.createJobOf("short", map[string]any{"allow_table_exists": true})
				t.goesOn()
			}},
		{name: "longer labels", helps: []string{"raise label_regex_length in fe.conf"}, texts: []string{"Label format error"}, pages: []string{"`Label format error`"},
			play: func(t *trouble) {
				t.tables("t")
				t.configure(t.src, "label_regex_length", "40")
				t.createJobOf(t.jobName()+"_with_a_long_name", nil)
				t.stands()
				t.set(t.src, "label_regex_length", "128") // stands for fe.conf and a restart
				require.NoError(t, t.pair.Source.KillFE(0))
				require.NoError(t, t.pair.Source.RestartFE(0))
				t.goesOn()
			}},
		{name: "more time for backups", helps: []string{"raise that on the frontends of both clusters"}, texts: []string{"[TIMEOUT"}, pages: []string{"`TIMEOUT` of a backup or restore"},
			play: func(t *trouble) { t.outOfTime(t.pair.Source, "backup.SNAPSHOTING") }},
		{name: "more time for restores", helps: []string{"raise that on the frontends of both clusters"}, texts: []string{"[TIMEOUT"}, pages: []string{"`TIMEOUT` of a backup or restore"},
			play: func(t *trouble) { t.outOfTime(t.pair.Destination, "restore.DOWNLOADING") }},
	}
}

// withTemporaryPartition gets a job into a partial sync that the source refuses.
func (t *trouble) withTemporaryPartition() {
	t.Helper()
	t.tables("t")
	t.replicate()
	t.exec(`ALTER TABLE d.t ADD TEMPORARY PARTITION tp VALUES LESS THAN ("1000")`)
	t.partialSync("t")
	t.stands()
}

// withForeignTable gets a job into a full sync with a table whose rows are
// elsewhere.
func (t *trouble) withForeignTable() {
	t.Helper()
	t.tables("t")
	t.replicate()
	t.exec(externalTable("elsewhere"))
	t.order("force_fullsync", nil)
	t.full = 2
	t.stands()
}

// outOfTime gives a cluster's backups and restores no time, while they take some.
func (t *trouble) outOfTime(cluster *harness.Cluster, point string) {
	t.Helper()
	t.tables("t")
	on, setting := t.src, "backup_job_default_timeout_ms"
	if cluster == t.pair.Destination {
		on = t.dst
	}
	t.fault(cluster, faults.Rule{Point: point, Action: faults.Delay, DelayMillis: 100})
	t.configure(on, setting, "20")
	t.job = t.createJob("d", "", "d", "")
	t.stands()
	t.set(on, setting, "86400000")
	t.goesOn()
}

// createJobOf creates a job of another name or with options.
func (t *trouble) createJobOf(name string, options map[string]any) {
	t.Helper()
	body := map[string]any{"name": name, "src": t.pair.Source.Spec("d", ""), "dest": t.pair.Destination.Spec("d", "")}
	for key, value := range options {
		body[key] = value
	}
	_, err := t.ccr.Call(t.ctx, "create_ccr", body)
	require.NoError(t, err)
	t.job = name
	t.endWithTest(name)
}

// deleted deletes the job, as its remedy says.
func (t *trouble) deleted() {
	t.Helper()
	t.order("delete", nil)
	_, err := t.ccr.Status(t.ctx, t.job)
	require.Error(t, err, "%s is deleted", t.job)
}

// severalJobs replaces the job for tables t and u by two.
func (t *trouble) severalJobs() {
	t.Helper()
	t.deleted()
	for _, table := range []string{"t", "u"} {
		t.createJobOf(fmt.Sprintf("%s_%s", t.jobName(), table), map[string]any{"include_tables": []string{table}})
		t.goesOn(table)
	}
}
