package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the existing syncer's default store

	"github.com/doris-ccr/ccr/e2e/harness"
)

// ccrImport runs `ccr import` against the test's ccr-standalone.
func (e *env) ccrImport(args ...string) (string, error) {
	e.Helper()
	path, err := harness.Binary("ccr")
	require.NoError(e, err)
	args = append([]string{"import", "--temporal-address", e.ccr.Temporal,
		"--secret-key-file", filepath.Join(e.ccr.DataDir, "secret.key")}, args...)
	out, err := exec.CommandContext(e.ctx, path, args...).CombinedOutput()
	return string(out), err
}

// storedJob turns what job_detail and job_progress tell into what the existing
// syncer stores: the same keys (http-api.md 6.1), the passwords in clear.
func (e *env) storedJob(name string) (info, progress map[string]any) {
	e.Helper()
	body := map[string]any{"name": name}
	detail, err := e.ccr.Call(e.ctx, "job_detail", body)
	require.NoError(e, err)
	reply, err := e.ccr.Call(e.ctx, "job_progress", body)
	require.NoError(e, err)
	info, progress = detail["job_detail"].(map[string]any), reply["job_progress"].(map[string]any)
	for side, c := range map[string]*harness.Cluster{"src": e.pair.Source, "dest": e.pair.Destination} {
		info[side].(map[string]any)["password"] = c.Password
	}
	return info, progress
}

// syncerStore writes a SQLite store of the existing syncer.
func (e *env) syncerStore(seen time.Time, jobs ...[2]map[string]any) string {
	e.Helper()
	file := filepath.Join(e.TempDir(), "ccr.db")
	db, err := sql.Open("sqlite", file)
	require.NoError(e, err)
	defer db.Close()
	for _, s := range []string{
		"CREATE TABLE jobs (job_name TEXT PRIMARY KEY, job_info TEXT, belong_to TEXT)",
		"CREATE TABLE progresses (job_name TEXT PRIMARY KEY, progress TEXT)",
		"CREATE TABLE syncers (host_info TEXT PRIMARY KEY, timestamp INTEGER)",
		fmt.Sprintf("INSERT INTO syncers VALUES ('127.0.0.1:9190', %d)", seen.UnixNano()),
	} {
		_, err := db.ExecContext(e.ctx, s)
		require.NoError(e, err)
	}
	for _, j := range jobs {
		info, err := json.Marshal(j[0])
		require.NoError(e, err)
		progress, err := json.Marshal(j[1])
		require.NoError(e, err)
		_, err = db.ExecContext(e.ctx, "INSERT INTO jobs VALUES (?, ?, '127.0.0.1:9190')", j[0]["name"], string(info))
		require.NoError(e, err)
		_, err = db.ExecContext(e.ctx, "INSERT INTO progresses VALUES (?, ?)", j[0]["name"], string(progress))
		require.NoError(e, err)
	}
	return file
}

// newestSeq is the commit seq of the source database's newest binlog.
func (e *env) newestSeq(dbID any) int64 {
	e.Helper()
	id, err := dbID.(json.Number).Int64()
	require.NoError(e, err)
	e.pair.Source.Core().FileBinlogs()
	lag, _ := e.pair.Source.Core().Lag(id, -1, 0)
	return lag.LastCommitSeq
}

// A job of the existing syncer goes on in ccr where it was: no full sync, nothing
// twice, although that syncer died with more applied than it had stored: a
// transaction, a column, and a transaction that it had only begun to commit.
func TestImportGoesOn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2, Password: "s3cret"})
	e.exec("CREATE DATABASE shop", fmt.Sprintf(duplicateTable, "shop", "log"), fmt.Sprintf(uniqueTable, "shop", "users"),
		fmt.Sprintf(duplicateTable, "shop", "temp"), "CREATE VIEW shop.seen AS SELECT id FROM shop.log")
	e.enableBinlog("shop", "log", "users", "temp")
	e.exec("INSERT INTO shop.log VALUES (1, 'a')", "INSERT INTO shop.users VALUES (1, 'x', 1)")
	name := e.jobName()
	e.create(name, "shop", "shop_copy")
	e.awaitEqual(name, "shop", "shop_copy")
	e.awaitState(name, "DBIncrementalSync")
	info, progress := e.storedJob(name)

	// The old syncer takes over, applies more than it stores, and dies.
	e.call("pause", name)
	ids := [2]any{info["src"].(map[string]any)["db_id"], info["dest"].(map[string]any)["db_id"]}
	e.exec("INSERT INTO shop.log VALUES (2, 'b')")
	label := fmt.Sprintf("ccrj-1a2b:db_sync:%v:%v:%d", ids[0], ids[1], e.newestSeq(ids[0]))
	e.exec(`ALTER TABLE shop.log ADD COLUMN extra INT DEFAULT "7"`, "ALTER TABLE shop.temp RENAME kept")
	for _, s := range []string{
		fmt.Sprintf("INSERT INTO shop_copy.log WITH LABEL `%s` VALUES (2, 'b')", label),
		`ALTER TABLE shop_copy.log ADD COLUMN extra INT DEFAULT "7"`, "ALTER TABLE shop_copy.temp RENAME kept",
	} {
		_, err := e.dst.ExecContext(e.ctx, s)
		require.NoError(t, err, s)
	}
	e.call("delete", name)
	store := e.syncerStore(time.Now(), [2]map[string]any{info, progress})

	out, err := e.ccrImport("--db-dir", store)
	require.Error(t, err)
	require.Contains(t, out, "the existing syncer still runs")
	out, err = e.ccrImport("--db-dir", store, "--dry-run")
	require.NoError(t, err, out)
	require.Contains(t, out, name+": can be imported, goes on in DBIncrementalSync after commit seq ")
	require.Contains(t, out, "the destination is 1 transactions ahead")
	_, err = e.ccr.Status(e.ctx, name)
	require.ErrorContains(t, err, "not exist", "a dry run starts nothing")

	out, err = e.ccrImport("--db-dir", store, "--force")
	require.NoError(t, err, out)
	require.Contains(t, out, name+": imported, ")
	require.NotContains(t, out, "s3cret")
	e.Cleanup(func() { e.call("delete", name) })
	e.exec("INSERT INTO shop.log VALUES (3, 'c', 8)", "INSERT INTO shop.users VALUES (1, 'y', 2)", "INSERT INTO shop.kept VALUES (1, 'k')")
	e.awaitEqual(name, "shop", "shop_copy")
	e.requireFullSyncs(name, 0)
	rows, err := harness.Content(e.ctx, e.dst, "shop_copy", "log")
	require.NoError(t, err)
	require.Equal(t, []string{"1|a|7", "2|b|7", "3|c|8"}, rows)
	status, err := e.ccr.Status(e.ctx, name)
	require.NoError(t, err)
	require.Zero(t, status.PartialSyncs, "the mapping of tables was adopted")

	// Again: nothing happens to what is there. An operator's levers work.
	out, err = e.ccrImport("--db-dir", store, "--force")
	require.NoError(t, err, out)
	require.Contains(t, out, name+": left alone, ccr has a job of this name already")
	e.call("force_fullsync", name)
	e.awaitEqual(name, "shop", "shop_copy")
	e.requireFullSyncs(name, 1)
}

// A paused table job stays paused; jobs that cannot be continued are refused
// with the reason, and the others are imported all the same.
func TestImportTableJobAndRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a", fmt.Sprintf(duplicateTable, "a", "orders"), `ALTER TABLE a.orders SET ("binlog.enable" = "true")`,
		"INSERT INTO a.orders VALUES (1, 'one')")
	name := e.jobName()
	_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name,
		"src": e.pair.Source.Spec("a", "orders"), "dest": e.pair.Destination.Spec("b", "orders_copy")})
	require.NoError(t, err)
	same := func(ctx context.Context) error {
		return harness.CompareTables(ctx, e.src, "a", "orders", e.dst, "b", "orders_copy")
	}
	e.awaitThat(name, same)
	e.awaitState(name, "TableIncrementalSync")
	info, progress := e.storedJob(name)
	e.call("delete", name)
	info["state"] = 1

	changed := func(m map[string]any, changes map[string]any) map[string]any {
		b, err := json.Marshal(m)
		require.NoError(t, err)
		var c map[string]any
		require.NoError(t, json.Unmarshal(b, &c))
		for k, v := range changes {
			c[k] = v
		}
		return c
	}
	other := changed(info["dest"].(map[string]any), map[string]any{"db_id": 4711})
	gone := changed(info["dest"].(map[string]any), map[string]any{"database": "nowhere"})
	store := e.syncerStore(time.Now().Add(-time.Minute),
		[2]map[string]any{info, progress},
		[2]map[string]any{changed(info, map[string]any{"name": "other_id", "dest": other}), progress},
		[2]map[string]any{changed(info, map[string]any{"name": "no_database", "dest": gone}), progress},
		[2]map[string]any{changed(info, map[string]any{"name": "no_state"}), {}})

	out, err := e.ccrImport("--db-dir", store)
	require.Error(t, err)
	for _, want := range []string{
		name + ": imported, goes on in TableIncrementalSync after commit seq ", "it stays paused", "3 of 4 jobs refused",
		"other_id: refused: dest database b has the id ", "no_database: refused: dest database nowhere not exists", "no_state: refused: its progress has no sync_state",
	} {
		require.Contains(t, out, want)
	}
	e.Cleanup(func() { e.call("delete", name) })
	e.exec("INSERT INTO a.orders VALUES (2, 'two')")
	s, err := e.ccr.Status(e.ctx, name)
	require.NoError(t, err)
	require.Equal(t, "paused", s.State)
	e.call("resume", name)
	e.awaitThat(name, same)
	e.requireFullSyncs(name, 0)

	// Binlogs that the source has dropped: no full sync that nobody ordered.
	e.call("delete", name)
	e.exec("INSERT INTO a.orders VALUES (3, 'three')", "INSERT INTO a.orders VALUES (4, 'four')")
	require.NoError(t, e.pair.Source.CollectBinlogs("a", 1<<40))
	out, err = e.ccrImport("--db-dir", store, "--job", name)
	require.Error(t, err)
	require.Contains(t, out, "the source has dropped binlogs after commit seq")
	require.Contains(t, out, "create_ccr")
	out, err = e.ccrImport("--db-dir", store, "--job", name, "--force")
	require.NoError(t, err, out)
	e.call("resume", name)
	e.awaitThat(name, same)
	e.requireFullSyncs(name, 1)
}

// The syncer died in the middle of a snapshot: it is taken again.
func TestImportInTheMiddleOfASnapshot(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE shop", fmt.Sprintf(duplicateTable, "shop", "log"), fmt.Sprintf(duplicateTable, "shop", "more"))
	e.enableBinlog("shop", "log", "more")
	e.exec("INSERT INTO shop.log VALUES (1, 'a')")
	name := e.jobName()
	e.create(name, "shop", "shop_copy")
	e.awaitEqual(name, "shop", "shop_copy")
	e.awaitState(name, "DBIncrementalSync")
	info, progress := e.storedJob(name)
	e.call("delete", name)
	var id string
	for table, called := range progress["table_name_mapping"].(map[string]any) {
		if called == "log" {
			id = table
		}
	}
	progress["sync_state"] = 4
	progress["sub_sync_state"] = map[string]any{"state": 6, "binlog_type": -1}
	progress["partial_sync_data"] = map[string]any{"table_id": json.Number(id), "table": "log", "partition_ids": []int{}, "partitions": []string{}}
	store := e.syncerStore(time.Now().Add(-time.Minute), [2]map[string]any{info, progress})
	out, err := e.ccrImport("--db-dir", store)
	require.NoError(t, err, out)
	require.Contains(t, out, "starts DBPartialSync over")
	require.Contains(t, out, "the snapshot of log is taken again")
	e.Cleanup(func() { e.call("delete", name) })
	e.exec("INSERT INTO shop.log VALUES (2, 'b')", "INSERT INTO shop.more VALUES (9, 'z')")
	e.awaitEqual(name, "shop", "shop_copy")
	e.requireFullSyncs(name, 0)
	s, err := e.ccr.Status(e.ctx, name)
	require.NoError(t, err)
	require.Equal(t, int64(1), s.PartialSyncs)
}

// create makes a database job that this test deletes itself.
func (e *env) create(name, srcDB, dstDB string) {
	e.Helper()
	_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name,
		"src": e.pair.Source.Spec(srcDB, ""), "dest": e.pair.Destination.Spec(dstDB, "")})
	require.NoError(e, err)
}

// call posts an operation on a job that has to succeed. It may run after the
// test's context has ended.
func (e *env) call(operator, job string) {
	e.Helper()
	_, err := e.ccr.Call(context.Background(), operator, map[string]any{"name": job})
	if err != nil && operator == "delete" && strings.Contains(err.Error(), "not exist") {
		return
	}
	require.NoError(e, err)
}
