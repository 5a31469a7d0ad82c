package e2e

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

const after = "INSERT INTO d.t VALUES (2, 'after'), (1002, 'after')"

// Rows that do not arrive, or that the destination does not take (doris-rpc.md 3.7, 3.8, 4).
func loadRemedies() []remedyRow {
	const (
		damaged = "`downloaded file size is not equal`, `download file md5 is not equal`"
		running = "### `current running txns on db`"
		byHand  = "### A binlog cannot be applied (`db`, `meta`)"
		unknown = "### `unknown binlog type`, `is not handled yet`"
	)
	return []remedyRow{
		{name: "binlogs of the source's backends", helps: []string{"set enable_feature_binlog = true in be.conf of the source's backends and restart them"}, texts: []string{"binlog feature is not enabled"}, pages: []string{"`binlog feature is not enabled`"},
			play: func(t *trouble) { t.backendWithoutBinlogs(t.pair.Source) }},
		{name: "binlogs of the destination's backends", helps: []string{"set enable_feature_binlog=true in be.conf of the destination's backends and restart them"}, texts: []string{"enable feature binlog is false"}, pages: []string{"`enable feature binlog is false`"},
			play: func(t *trouble) { t.backendWithoutBinlogs(t.pair.Destination) }},
		{name: "room on the disks", helps: []string{"make room on the disks of the backend in the text"}, texts: []string{"no enough space"}, pages: []string{"`no enough space`"},
			play: func(t *trouble) { t.refusing("be.ingest_binlog", "no enough space") }},
		{name: "damaged rows", helps: []string{"the rows arrive damaged"}, texts: []string{"file size is not equal"}, pages: []string{damaged},
			play: func(t *trouble) {
				t.refusing("be.ingest_binlog", "downloaded file size is not equal, local=1, remote=2")
			}},
		{name: "rows with another checksum", helps: []string{"the rows arrive damaged"}, texts: []string{"md5 is not equal"}, pages: []string{damaged},
			play: func(t *trouble) {
				t.refusing("be.ingest_binlog", "download file md5 is not equal, local=1, remote=2")
			}},
		{name: "a larger quota", helps: []string{"raise the quota of the destination's database"}, texts: []string{"data size exceeds quota"}, pages: []string{"`Database[...] data size exceeds quota[...]`"},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				t.execDestination("ALTER DATABASE d SET DATA QUOTA 1")
				t.exec(after)
				t.stands()
				t.follow(t.dst, `ALTER DATABASE d SET DATA QUOTA \.\.\.`, "...", "10T")
				t.goesOn()
			}},
		{name: "more running transactions", helps: []string{"wait, or raise max_running_txn_num_per_db on the destination"}, texts: []string{}, pages: []string{running},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				t.configure(t.dst, "max_running_txn_num_per_db", "0")
				t.exec(after)
				t.stands("current running txns on db", t.row.helps[0])
				t.set(t.dst, "max_running_txn_num_per_db", "1000")
				t.goesOn()
			}},
		{name: "enough backends come back", helps: []string{"bring the destination's backends back (SHOW BACKENDS)"}, pages: []string{"`succ replica num ... < load required replica num`"},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				mend := t.answering(t.pair.Destination, "fe.commitTxn", "Failed to commit txn 1, cause tablet 2 succ replica num 1 < load required replica num 2. table 3")
				t.exec(after)
				t.stands("succ replica num", t.row.helps[0])
				alive, err := column(t.ctx, t.dst, t.said("SHOW BACKENDS"), "Alive")
				require.NoError(t, err)
				require.NotEmpty(t, alive)
				mend() // the backends are alive in dorisim
				t.goesOn()
			}},
		{name: "a lock is waited for", helps: []string{"wait: another statement holds the destination's table"}, pages: []string{"`write lock timeout`"},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				mend := t.answering(t.pair.Destination, "fe.commitTxn", "get tableList write lock timeout, tableList=(t)")
				t.exec(after)
				t.stands("write lock timeout", t.row.helps[0])
				t.follow(t.dst, "SHOW PROCESSLIST")
				mend()
				t.goesOn()
			}},
		{name: "half an answer is not believed", helps: []string{"look at the log of the server in the text"}, pages: []string{"`the frontend's answer is incomplete`"},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				half := t.fault(t.pair.Destination, faults.Rule{Point: "fe.beginTxn", Action: faults.Empty})
				t.exec(after)
				t.stands("the frontend's answer is incomplete", t.row.helps[0])
				half.end() // the frontend has been looked after
				t.goesOn()
			}},
		{name: "a binlog is passed over", helps: []string{"make the change on the destination by hand, then job_skip_binlog with"}, pages: []string{byHand, unknown},
			play: func(t *trouble) {
				t.atUnknownBinlog()
				status, reply, err := t.ccr.Raw(t.ctx, t.said("job_skip_binlog"), t.said(`\{"skip_by":"silence".*?\}`, "{", fmt.Sprintf(`{"name":%q,`, t.job)))
				require.NoError(t, err)
				require.Equal(t, 200, status, reply)
				t.goesOn()
			}},
		{name: "a binlog is brought by a partial sync", helps: []string{`or let a snapshot bring it: skip_by "partialsync"`}, pages: []string{byHand, unknown},
			play: func(t *trouble) {
				t.atUnknownBinlog()
				t.partialSync("t")
				t.goesOn()
			}},
		{name: "a binlog is brought by a full sync", helps: []string{`skip_by "partialsync" or "fullsync"`}, pages: []string{byHand, unknown},
			play: func(t *trouble) {
				t.atUnknownBinlog()
				t.order("job_skip_binlog", map[string]any{"skip_by": "fullsync"})
				t.full = 2
				t.goesOn()
			}},
		{name: "rows are brought by a partial sync", helps: []string{"if it does not go away: job_skip_binlog with skip_by partialsync or fullsync"}, pages: []string{byHand},
			play: func(t *trouble) {
				t.refusedFor("be.ingest_binlog", "no such rowset", func() { t.partialSync("t") })
			}},
		{name: "rows are brought by a full sync", helps: []string{"if it does not go away: job_skip_binlog with skip_by partialsync or fullsync"}, pages: []string{byHand},
			play: func(t *trouble) {
				t.refusedFor("be.ingest_binlog", "no such rowset", func() {
					t.order("job_skip_binlog", map[string]any{"skip_by": "fullsync"})
					t.full = 2
				})
			}},
	}
}

// backendWithoutBinlogs has a cluster's backend begin again with another be.conf.
func (t *trouble) backendWithoutBinlogs(cluster *harness.Cluster) {
	t.Helper()
	t.tables("t")
	t.replicate()
	cluster.BE(0).SetProperty(be.PropertyBinlog, "false")
	t.exec(after)
	t.stands()
	t.said("enable_feature_binlog ?= ?true")
	require.NoError(t, cluster.KillBE(0))
	cluster.BE(0).SetProperty(be.PropertyBinlog, "true")
	require.NoError(t, cluster.RestartBE(0))
	t.goesOn()
}

// refusing has the destination refuse rows with Doris' text until what the remedy
// names is mended, which dorisim cannot break.
func (t *trouble) refusing(point, text string) {
	t.Helper()
	t.tables("t")
	t.replicate()
	mend := t.answering(t.pair.Destination, point, text)
	t.exec(after)
	t.stands()
	mend()
	t.goesOn()
}

// refusedFor has the destination refuse rows for ever that come by binlogs.
func (t *trouble) refusedFor(point, text string, help func()) {
	t.Helper()
	t.tables("t")
	t.replicate()
	mend := t.answering(t.pair.Destination, point, text)
	t.exec(after)
	t.stands(text, t.row.helps[0])
	help()
	t.awaitThat(t.job, func(ctx context.Context) error { return t.sameTables(ctx, "t") })
	t.notStalled(t.job)
	mend()
	t.goesOn()
}

func (t *trouble) atUnknownBinlog() {
	t.Helper()
	t.tables("t")
	t.replicate()
	t.recordUnknownBinlog("d", "t")
	t.stands("unknown binlog type", t.row.helps[0])
}
