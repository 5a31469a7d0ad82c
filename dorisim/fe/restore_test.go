package fe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

func TestSnapshotTravelsBetweenClusters(t *testing.T) {
	src, dst := start(t, options{name: "src", bes: 2}), start(t, options{name: "dst", bes: 3})
	parted, plain := src.table("parted", 3, 2), src.table("plain", 0, 1)
	for i := range int64(20) {
		src.insert(parted, fmt.Sprintf("p%d", i%3), i)
		src.insert(plain, "plain", i)
	}
	src.view("v", "SELECT `id` FROM `internal`.`src`.`plain`")
	meta, info := src.snapshot("snap")

	var parsed struct {
		Seqs map[int64]int64 `json:"table_commit_seq_map"`
	}
	require.NoError(t, json.Unmarshal(info, &parsed))
	entries, _ := src.ReadBinlogs(src.db.ID, plain.ID, -1, core.MaxBinlogBatch)
	barrier := entries[len(entries)-1]
	require.Equal(t, binlog.TypeBarrier, barrier.Type)
	require.Equal(t, barrier.CommitSeq, parsed.Seqs[plain.ID])

	done := dst.restore(dst.restoreRequest("r1", meta, info))
	require.Equal(t, "FINISHED", done.State, done.Status)
	require.Equal(t, src.ids("plain", "plain"), dst.ids("plain", "plain"))
	for p := range 3 {
		name := fmt.Sprintf("p%d", p)
		require.Equal(t, src.ids("parted", name), dst.ids("parted", name))
		require.Equal(t, parted.Partitions[name].VisibleVersion, dst.db.Tables["parted"].Partitions[name].VisibleVersion)
	}
	restored := dst.db.Tables["plain"]
	require.Equal(t, catalog.StateNormal, restored.State)
	require.Equal(t, "true", restored.Properties["is_being_synced"])
	require.NotContains(t, restored.Properties, "colocate_with")
	require.Equal(t, "SELECT `id` FROM `internal`.`dst`.`plain`", dst.db.Tables["v"].ViewDefinition)
	require.Contains(t, done.RestoreObjs, `"name": "parted"`)
	dst.insert(restored, "plain", 99)
	require.Len(t, dst.ids("plain", "plain"), 21)

	t.Run("again in place", func(t *testing.T) {
		done := dst.restore(dst.restoreRequest("r2", meta, info))
		require.Equal(t, "FINISHED", done.State, done.Status)
		require.Same(t, restored, dst.db.Tables["plain"])
		require.Len(t, dst.ids("plain", "plain"), 20, "the extra row is overwritten")
	})
	t.Run("again atomically", func(t *testing.T) {
		r := dst.restoreRequest("r3", meta, info)
		r.AtomicRestore = ptr(true)
		done := dst.restore(r)
		require.Equal(t, "FINISHED", done.State, done.Status)
		require.NotSame(t, restored, dst.db.Tables["plain"])
		require.Len(t, dst.db.Tables, 3, "no hidden table stays")
		require.Len(t, dst.ids("plain", "plain"), 20)
		dst.insert(dst.db.Tables["plain"], "plain", 100)
	})
	t.Run("one table under an alias", func(t *testing.T) {
		r := dst.restoreRequest("r4", meta, info)
		r.TableRefs = []*types.TTableRef{{Table: ptr("plain"), AliasName: ptr("other")}}
		done := dst.restore(r)
		require.Equal(t, "FINISHED", done.State, done.Status)
		require.Equal(t, src.ids("plain", "plain"), dst.ids("other", "other"))
	})
}

// view adds a view to the database.
func (c *cluster) view(name, definition string) {
	c.Lock()
	defer c.Unlock()
	c.db.Tables[name] = &catalog.Table{ID: c.NextID(), DBID: c.db.ID, Name: name, Kind: catalog.View, ViewDefinition: definition}
}

func TestRestoreStopsAtDifferences(t *testing.T) {
	tests := []struct {
		name   string
		change func(*cluster) // of the destination, before the second restore
		flags  func(*frontendservice.TRestoreSnapshotRequest)
		want   string // Status; "" = FINISHED
	}{
		{"same", nil, nil, ""},
		{"schema", differentSchema, nil, "[COMMON_ERROR, msg: Table t already exist but with different schema]"},
		{"schema, atomic", differentSchema, atomic, "[COMMON_ERROR, msg: Table t already exist but with different schema]"},
		{"schema, force", differentSchema, force, ""},
		{"view", differentView, nil, "[COMMON_ERROR, msg: View v already exist but with different schema]"},
		{"view, force", differentView, force, ""},
		{"range", func(c *cluster) { c.db.Tables["t"].Partitions["p0"].Item = rangeItem(0, 9) }, nil,
			"[COMMON_ERROR, msg: Partition p0 in table t has different partition item with partition in repository]"},
		{"overlap", func(c *cluster) {
			p := c.db.Tables["t"].Partitions["p0"]
			delete(c.db.Tables["t"].Partitions, "p0")
			p.Name = "other"
			c.db.Tables["t"].Partitions["other"] = p
		}, nil, "[COMMON_ERROR, msg: Partition p0 in table t has conflict partition item with existing items]"},
		{"temporary partition", func(c *cluster) { c.db.Tables["t"].Temporary["tp"] = c.db.Tables["t"].Partitions["p0"] }, nil,
			"[COMMON_ERROR, msg: Do not support restoring table with temp partitions]"},
		{"state", func(c *cluster) { c.db.Tables["t"].State = catalog.StateSchemaChange }, nil,
			"[COMMON_ERROR, msg: Table t's state is not NORMAL: SCHEMA_CHANGE]"},
		{"kind", func(c *cluster) { c.db.Tables["t"] = c.db.Tables["v"] }, nil, "[COMMON_ERROR, msg: Only support restore OLAP table: t]"},
		{"view is a table", func(c *cluster) { c.db.Tables["v"] = c.db.Tables["t"] }, nil,
			"[COMMON_ERROR, msg: The local table v with the same name but a different type of backup meta.]"},
	}
	src := start(t, options{name: "src"})
	table := src.table("t", 2, 1)
	src.insert(table, "p0", 1)
	src.view("v", "SELECT 1")
	meta, info := src.snapshot("snap")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := start(t, options{name: "dst"})
			require.Equal(t, "[OK]", dst.restore(dst.restoreRequest("r1", meta, info)).Status)
			if tt.change != nil {
				dst.Lock()
				tt.change(dst)
				dst.Unlock()
			}
			r := dst.restoreRequest("r2", meta, info)
			if tt.flags != nil {
				tt.flags(r)
			}
			done := dst.restore(r)
			if tt.want == "" {
				require.Equal(t, "FINISHED", done.State, done.Status)
				require.Equal(t, []int64{1}, dst.ids("t", "p0"))
				return
			}
			require.Equal(t, "CANCELLED", done.State)
			require.Equal(t, tt.want, done.Status)
			require.False(t, dst.db.Tables["t"].InAtomicRestore)
			require.NotEqual(t, catalog.StateRestore, dst.db.Tables["t"].State)
		})
	}
}

func differentSchema(c *cluster) {
	t := c.db.Tables["t"]
	idx := t.Indexes[t.BaseIndexID]
	idx.Schema.Columns = slices.Clone(idx.Schema.Columns)
	idx.Schema.Columns[1].Name = "w"
}

func differentView(c *cluster) { c.db.Tables["v"].ViewDefinition = "SELECT 2" }

func atomic(r *frontendservice.TRestoreSnapshotRequest) { r.AtomicRestore = ptr(true) }
func force(r *frontendservice.TRestoreSnapshotRequest) {
	atomic(r)
	r.ForceReplace = ptr(true)
}

func TestRestoreRefusals(t *testing.T) {
	src, dst := start(t, options{name: "src"}), start(t, options{name: "dst"})
	src.insert(src.table("t", 0, 1), "t", 1)
	meta, info := src.snapshot("snap")
	zipped, err := backup.Gzip(info)
	require.NoError(t, err)
	edit := func(f func(map[string]any)) []byte {
		var m map[string]any
		require.NoError(t, json.Unmarshal(info, &m))
		f(m)
		out, err := json.Marshal(m)
		require.NoError(t, err)
		return out
	}
	tests := []struct {
		name   string
		change func(*frontendservice.TRestoreSnapshotRequest)
		want   string
	}{
		{"no meta", func(r *frontendservice.TRestoreSnapshotRequest) { r.Meta = nil }, "errCode = 2, detailMessage = meta is not set"},
		{"bad meta", func(r *frontendservice.TRestoreSnapshotRequest) { r.Meta = []byte("x") }, "read backup meta failed"},
		{"extra_info", func(r *frontendservice.TRestoreSnapshotRequest) {
			r.JobInfo = edit(func(m map[string]any) { delete(m, "extra_info") })
		}, "Invalid job extra info empty"},
		{"network map", func(r *frontendservice.TRestoreSnapshotRequest) {
			r.JobInfo = edit(func(m map[string]any) { m["extra_info"] = map[string]any{"token": "x"} })
		}, "Invalid job extra info be network map"},
		{"token", func(r *frontendservice.TRestoreSnapshotRequest) {
			r.JobInfo = edit(func(m map[string]any) { delete(m["extra_info"].(map[string]any), "token") })
		}, "Invalid job extra info token"},
		{"table", func(r *frontendservice.TRestoreSnapshotRequest) { r.TableRefs = []*types.TTableRef{{Table: ptr("x")}} },
			"Table x does not exist in snapshot snap"},
		{"property", func(r *frontendservice.TRestoreSnapshotRequest) { r.Properties["x"] = "1" },
			"errCode = 2, detailMessage = Unknown restore job properties: [x], stmt: RESTORE SNAPSHOT `dst`.`r`\nFROM __keep_on_local__\nPROPERTIES\n(\"is_being_synced\"  =  \"true\",\n"},
		{"boolean", func(r *frontendservice.TRestoreSnapshotRequest) { r.Properties["reserve_replica"] = "yes" },
			"Invalid boolean property reserve_replica value: yes"},
		{"compressed", func(r *frontendservice.TRestoreSnapshotRequest) { r.JobInfo = zipped },
			"The request is compressed, but the config `enable_restore_snapshot_rpc_compressed` is not enabled."},
		{"not compressed", func(r *frontendservice.TRestoreSnapshotRequest) { r.Compressed = ptr(true) }, "decompress meta and job info failed"},
		{"database", func(r *frontendservice.TRestoreSnapshotRequest) { r.Db = ptr("x") }, "Unknown database 'x'"},
		{"password", func(r *frontendservice.TRestoreSnapshotRequest) { r.Passwd = ptr("x") },
			"errCode = 2, detailMessage = Access denied for user 'root@127.0.0.1' (using password: YES)"},
	}
	client := dst.client(0, false)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := dst.restoreRequest("r", meta, info)
			tt.change(r)
			reply, err := client.RestoreSnapshot(context.Background(), r)
			require.NoError(t, err)
			require.Equal(t, status.TStatusCode_ANALYSIS_ERROR, reply.Status.StatusCode)
			require.Contains(t, reply.Status.ErrorMsgs[0], tt.want)
			require.NotContains(t, reply.Status.ErrorMsgs[0], "secret")
		})
	}
	t.Run("flags without properties", func(t *testing.T) {
		r := dst.restoreRequest("r", meta, info)
		atomic(r)
		r.Properties = nil
		reply, err := client.RestoreSnapshot(context.Background(), r)
		require.NoError(t, err)
		require.Equal(t, status.TStatusCode_INTERNAL_ERROR, reply.Status.StatusCode)
	})
	t.Run("backend missing in extra_info", func(t *testing.T) {
		r := dst.restoreRequest("r9", meta, edit(func(m map[string]any) {
			m["extra_info"].(map[string]any)["be_network_map"] = map[string]any{"1": map[string]any{"ip": "x", "port": 1}}
		}))
		done := dst.restore(r)
		require.Equal(t, "CANCELLED", done.State)
		require.Regexp(t, `^\[COMMON_ERROR, msg: failed to get remote be address of be: \d+\]$`, done.Status)
		require.Empty(t, dst.db.Tables)
	})
	t.Run("compressed", func(t *testing.T) {
		r := dst.restoreRequest("r10", meta, zipped)
		r.Meta, err = backup.Gzip(meta)
		require.NoError(t, err)
		r.Compressed = ptr(true)
		require.Equal(t, "[OK]", dst.restore(r).Status)
	})
}

func TestOneJobADatabaseAndCancel(t *testing.T) {
	src, dst := start(t, options{name: "src"}), start(t, options{name: "dst"})
	table := src.table("t", 0, 1)
	src.insert(table, "t", 1)
	meta, info := src.snapshot("snap")
	downloading := hold(t, dst, "restore.DOWNLOADING")
	client := dst.client(0, false)
	reply, err := client.RestoreSnapshot(context.Background(), dst.restoreRequest("r1", meta, info))
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_OK, reply.Status.StatusCode)
	reply, err = client.RestoreSnapshot(context.Background(), dst.restoreRequest("r2", meta, info))
	require.NoError(t, err)
	require.Regexp(t, `Can only run one backup or restore job of a database at same time , current running: label = r1 jobId = -1, to run label = r2, stmt: `, reply.Status.ErrorMsgs[0])

	downloading()
	require.Equal(t, "DOWNLOADING", dst.backup.RestoreJobs("dst")[0].State)
	dst.RLock()
	made := dst.db.Tables["t"]
	require.ErrorContains(t, core.CheckLoad(made, made.Partitions["t"]), "Table t is in restore process. Can not load into it")
	require.ErrorContains(t, core.CheckAlter(made), "Table[t]'s state(RESTORE) is not NORMAL. Do not allow doing ALTER ops")
	dst.RUnlock()
	require.ErrorContains(t, dst.backup.CancelBackup("dst"), "No backup job is currently running")
	require.NoError(t, dst.backup.CancelRestore("dst"))
	done := dst.awaitRestore("r1")
	require.Equal(t, "[COMMON_ERROR, msg: user cancelled, current state: DOWNLOADING]", done.Status)
	require.Empty(t, dst.db.Tables)
	require.ErrorContains(t, dst.backup.CancelRestore("dst"), "can not be cancelled. state: CANCELLED")
}

// hold makes jobs stay at a point until the rules are cleared or the job ends, and
// returns what waits until one does.
func hold(t *testing.T, c *cluster, point string) (reached func()) {
	t.Helper()
	id, err := c.Faults().Add(faults.Rule{Point: point, Action: faults.Delay, DelayMillis: 3_600_000})
	require.NoError(t, err)
	return func() {
		t.Helper()
		faultstest.Await(t, c.Faults(), id)
	}
}

func TestCleanTablesAndPartitions(t *testing.T) {
	src, dst := start(t, options{name: "src"}), start(t, options{name: "dst"})
	src.insert(src.table("t", 2, 1), "p0", 1)
	meta, info := src.snapshot("snap")
	delete(dst.table("t", 3, 1).Properties, "colocate_with") // not restored into (doris-sql.md 4.6)
	dst.table("foreign", 0, 1)
	r := dst.restoreRequest("r1", meta, info)
	r.CleanPartitions = ptr(true)
	require.Equal(t, "[OK]", dst.restore(r).Status)
	require.Len(t, dst.db.Tables, 2)
	require.Len(t, dst.db.Tables["t"].Partitions, 2)
	r = dst.restoreRequest("r2", meta, info)
	r.CleanTables = ptr(true)
	require.Equal(t, "[OK]", dst.restore(r).Status)
	require.Len(t, dst.db.Tables, 1)
}

func TestSnapshotLife(t *testing.T) {
	src := start(t, options{name: "src", fes: 2})
	src.insert(src.table("t", 0, 1), "t", 1)
	src.snapshot("snap")
	ask := func(fe int) *frontendservice.TGetSnapshotResult_ {
		r, err := src.client(fe, false).GetSnapshot(context.Background(), &frontendservice.TGetSnapshotRequest{
			User: ptr("root"), Passwd: ptr("secret"), Db: ptr("src"), LabelName: ptr("snap"), SnapshotName: ptr(""),
			SnapshotType: ptr(frontendservice.TSnapshotType_LOCAL), EnableCompress: ptr(true),
		})
		require.NoError(t, err)
		return r
	}
	got := ask(0)
	require.True(t, got.GetCompressed())
	require.Positive(t, got.GetCommitSeq())
	src.SetMaster(1)
	got = ask(1)
	require.Equal(t, status.TStatusCode_SNAPSHOT_NOT_EXIST, got.Status.StatusCode, "the bytes are on the old master's disk")
	require.Equal(t, []string{"snapshot snap not exist"}, got.Status.ErrorMsgs)
	src.SetMaster(0)
	src.AdvanceClock(25 * 3600 * 1e9)
	require.Equal(t, status.TStatusCode_SNAPSHOT_EXPIRED, ask(0).Status.StatusCode)
	for i := range 10 {
		src.snapshot(fmt.Sprintf("later%d", i))
	}
	require.Equal(t, status.TStatusCode_SNAPSHOT_NOT_EXIST, ask(0).Status.StatusCode, "only ten jobs are remembered")
}

func TestExistingTableWhileARestoreRuns(t *testing.T) {
	src, dst := start(t, options{name: "src"}), start(t, options{name: "dst"})
	src.insert(src.table("t", 1, 1), "p0", 1)
	meta, info := src.snapshot("snap")
	table := dst.table("t", 2, 1)
	delete(table.Properties, "colocate_with") // not restored into (doris-sql.md 4.6)
	dst.insert(table, "p0", 2)
	downloading := hold(t, dst, "restore.DOWNLOADING")
	client := dst.client(0, false)
	ctx := context.Background()
	begun := dst.beginRPC(client, "load", table.ID)
	commit := func(partition string) *status.TStatus {
		p := table.Partitions[partition]
		r, err := client.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: ptr("root"), Passwd: ptr("secret"), Db: ptr("dst"), TxnID: begun.TxnID,
			CommitInfos: []*types.TTabletCommitInfo{{TabletId: p.Tablets[table.BaseIndexID][0].ID, BackendId: dst.Backends()[0].ID}}})
		require.NoError(t, err)
		return r.Status
	}
	_, err := client.RestoreSnapshot(ctx, dst.restoreRequest("r1", meta, info))
	require.NoError(t, err)
	downloading()
	require.Equal(t, "DOWNLOADING", dst.backup.RestoreJobs("dst")[0].State)
	require.Equal(t, []string{"errCode = 2, detailMessage = Table [t], Partition [p0] is in restore process. Can not load into it"}, commit("p0").ErrorMsgs)
	require.Contains(t, commit("p1").ErrorMsgs[0], "Failed to commit txn", "other partitions take loads")
	dst.RLock()
	require.ErrorContains(t, core.CheckSelect(table.Partitions["p0"]), "Partition state is not NORMAL: p0:RESTORING")
	require.ErrorContains(t, core.CheckDrop(table, false), "The table [t]'s state is RESTORE, cannot be dropped.")
	dst.RUnlock()
	require.NoError(t, dst.backup.CancelRestore("dst"))
	require.Equal(t, catalog.StateNormal, table.State)
	require.Equal(t, []int64{2}, dst.ids("t", "p0"), "data moves in COMMIT only")
	dst.insert(table, "p0", 3)
	dst.Faults().Clear()

	downloading = hold(t, dst, "restore.DOWNLOADING")
	r := dst.restoreRequest("r2", meta, info)
	atomic(r)
	_, err = client.RestoreSnapshot(ctx, r)
	require.NoError(t, err)
	downloading()
	require.Equal(t, "DOWNLOADING", dst.backup.RestoreJobs("dst")[1].State)
	dst.insert(table, "p0", 4)
	dst.RLock()
	require.ErrorContains(t, core.CheckAlter(table), "Table[t] is in atomic restore state. Do not allow doing ALTER ops")
	dst.RUnlock()
	require.NoError(t, dst.backup.CancelRestore("dst"))
	require.Len(t, dst.db.Tables, 1)
	require.Equal(t, "[COMMON_ERROR, msg: user cancelled, current state: DOWNLOADING]", dst.awaitRestore("r2").Status)
}

func TestBackupCancelled(t *testing.T) {
	src := start(t, options{name: "src"})
	table := src.table("t", 0, 1)
	submit := func(label string) {
		require.NoError(t, src.backup.Backup(context.Background(), backup.BackupRequest{DB: "src", Label: label, Repository: backup.LocalRepository}))
	}
	saving := hold(t, src, "backup.SAVE_META")
	submit("b1")
	src.awaitBackup("b1", "SAVE_META")
	saving()
	require.ErrorContains(t, src.backup.CancelRestore("src"), "No restore is currently running")
	require.NoError(t, src.backup.CancelBackup("src"))
	require.Equal(t, "[COMMON_ERROR, msg: user cancelled]", src.backup.BackupJobs("src")[0].Status)
	_, err := src.backup.Snapshot("b1")
	require.EqualError(t, err, "snapshot b1 not exist")
	src.Faults().Clear()

	src.RLock() // the job's first step needs the lock for writing
	submit("b2")
	delete(src.db.Tables, "t")
	src.DropTable(table)
	src.RUnlock()
	src.awaitBackup("b2", "CANCELLED")
	require.Equal(t, "[NOT_FOUND, msg: table t does not exist]", src.backup.BackupJobs("src")[1].Status)
}

func TestBackupRefusals(t *testing.T) {
	src := start(t, options{name: "src"})
	table := src.table("t", 1, 1)
	type refs = []backup.TableRef
	tests := []struct {
		request backup.BackupRequest
		want    string
	}{
		{backup.BackupRequest{Tables: refs{{Name: "x"}}}, "Unknown table 'x'"},
		{backup.BackupRequest{Tables: refs{{Name: "t", Partitions: []string{"px"}}}}, "Unknown partition px in tablet"},
		{backup.BackupRequest{Tables: refs{{Name: "t"}, {Name: "t"}}}, "Duplicated table: t"},
		{backup.BackupRequest{Tables: refs{{Name: "t", Alias: "u"}}}, "Can not set alias for table in Backup Stmt: t"},
		{backup.BackupRequest{Properties: map[string]string{"x": "y"}}, "Unknown backup job properties: [x]"},
		{backup.BackupRequest{Properties: map[string]string{"timeout": "599"}}, "timeout must be at least 10 min"},
		{backup.BackupRequest{Repository: "repo"}, "Repository repo does not exist"},
		{backup.BackupRequest{DB: "x"}, "Unknown database 'x'"},
	}
	for _, tt := range tests {
		r := tt.request
		r.Label = "l"
		if r.DB == "" {
			r.DB = "src"
		}
		if r.Repository == "" {
			r.Repository = backup.LocalRepository
		}
		require.ErrorContains(t, src.backup.Backup(context.Background(), r), tt.want)
	}
	table.Temporary["tp"] = table.Partitions["p0"]
	require.ErrorContains(t, src.backup.Backup(context.Background(), backup.BackupRequest{DB: "src", Label: "l", Repository: backup.LocalRepository}),
		"Do not support backup table t with temp partitions")
}
