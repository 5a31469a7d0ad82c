package fe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
	"github.com/doris-ccr/ccr/dorisim/fe"
	"github.com/doris-ccr/ccr/dorisim/types"
)

const soon = 10 * time.Second

// cluster is an FE with its backends and a raw Thrift client.
type cluster struct {
	*core.Core
	t       *testing.T
	backup  *backup.Manager
	db      *catalog.Database
	servers []*fe.Server
	addrs   []string
}

type options struct {
	name     string
	fes, bes int
	framed   bool
	disabled []string
}

func start(t *testing.T, o options) *cluster {
	t.Helper()
	c := &cluster{t: t, Core: core.New(core.Config{Name: o.name, GCPeriod: -1, Faults: &faults.Set{}})}
	t.Cleanup(c.Close)
	faultstest.Struck(t, c.Faults())
	c.Users.Set(core.User{Name: "root", Password: "secret", Admin: true})
	c.Users.Set(core.User{Name: "guest", Password: "guest"})
	for range max(o.bes, 1) {
		b := be.New(be.Config{ID: c.NextID(), Token: c.Token, RetryPause: time.Millisecond, StorageRoot: "/" + o.name})
		require.NoError(t, b.Start())
		t.Cleanup(b.Close)
		c.AddBackend(core.BackendInfo{ID: b.ID(), Host: b.Host(), BePort: b.BePort(), HTTPPort: b.HTTPPort(), Alive: true}, b)
	}
	c.backup = backup.New(c.Core)
	t.Cleanup(c.backup.Close)
	for i := range max(o.fes, 1) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c.AddFrontend(core.FrontendInfo{Host: "127.0.0.1", RPCPort: l.Addr().(*net.TCPAddr).Port, Alive: true})
		s := fe.NewServer(fe.Config{Core: c.Core, Backup: c.backup, Frontend: i, Framed: o.framed, Disabled: o.disabled})
		done := make(chan error, 1)
		go func() { done <- s.Serve(l) }()
		t.Cleanup(func() { s.Close(); <-done })
		c.servers, c.addrs = append(c.servers, s), append(c.addrs, l.Addr().String())
	}
	c.Lock()
	defer c.Unlock()
	c.db = &catalog.Database{ID: c.NextID(), Name: o.name, Properties: map[string]string{"binlog.enable": "true"}}
	c.PutDatabase(c.db)
	return c
}

// client dials the i-th FE.
func (c *cluster) client(i int, framed bool) *frontendservice.FrontendServiceClient {
	c.t.Helper()
	cfg := &thrift.TConfiguration{ConnectTimeout: soon, SocketTimeout: soon}
	socket := thrift.NewTSocketConf(c.addrs[i], cfg)
	require.NoError(c.t, socket.Open())
	c.t.Cleanup(func() { _ = socket.Close() })
	var transport thrift.TTransport = thrift.NewTBufferedTransport(socket, 4096)
	if framed {
		transport = thrift.NewTFramedTransportConf(socket, cfg)
	}
	protocol := thrift.NewTBinaryProtocolConf(transport, cfg)
	return frontendservice.NewFrontendServiceClient(thrift.NewTStandardClient(protocol, protocol))
}

// table makes a duplicate table (id BIGINT, v VARCHAR) partitioned by RANGE of
// id at 0, 10, 20, ... if partitions > 0.
func (c *cluster) table(name string, partitions, replicas int) *catalog.Table {
	c.t.Helper()
	c.Lock()
	defer c.Unlock()
	t := &catalog.Table{
		ID: c.NextID(), DBID: c.db.ID, Name: name, Kind: catalog.OLAP, State: catalog.StateNormal, Keys: types.DupKeys,
		Distribution: catalog.Distribution{Kind: catalog.HashDistribution, Columns: []string{"id"}, Buckets: 2},
		Partitions:   map[string]*catalog.Partition{}, Temporary: map[string]*catalog.Partition{}, ReplicaNum: replicas,
		Properties: map[string]string{"binlog.enable": "true", "is_being_synced": "false", "colocate_with": "g"},
		Indexes:    map[int64]*catalog.Index{},
	}
	idx := &catalog.Index{ID: c.NextID(), Name: name, State: catalog.IndexNormal, ShortKey: 1, Schema: types.Schema{
		Hash: 7, Keys: types.DupKeys, Columns: []types.Column{
			{Name: "id", Type: types.Type{Kind: types.BigInt}, Key: true, UniqueID: 1},
			{Name: "v", Type: types.Type{Kind: types.Varchar, Len: 10}, Nullable: true, UniqueID: 2},
		},
	}}
	t.BaseIndexID, t.Indexes[idx.ID] = idx.ID, idx
	items := map[string]catalog.Item{name: {}}
	if partitions > 0 {
		t.Partitioning = catalog.Partitioning{Kind: catalog.RangePartition, Columns: []string{"id"}}
		items = map[string]catalog.Item{}
		for i := range partitions {
			items[fmt.Sprintf("p%d", i)] = rangeItem(int64(10*i), int64(10*i+10))
		}
	}
	for part, item := range items {
		p, err := c.NewPartition(t, part, item, t.Distribution, replicas)
		require.NoError(c.t, err)
		t.Partitions[part] = p
	}
	c.db.Tables[name] = t
	return t
}

func rangeItem(from, to int64) catalog.Item {
	return catalog.Item{Lower: catalog.Bound{{Value: from}}, Upper: catalog.Bound{{Value: to}}}
}

// insert writes one row into the partition, bucket id%2, through the core.
func (c *cluster) insert(t *catalog.Table, partition string, id int64) {
	c.t.Helper()
	ctx := context.Background()
	txn, err := c.Begin(ctx, core.BeginRequest{DB: c.db.ID, Tables: []int64{t.ID}, Label: fmt.Sprintf("insert_%d_%d", t.ID, c.NextID())})
	require.NoError(c.t, err)
	p := t.Partitions[partition]
	var commits []core.TabletCommit
	for i, tablet := range p.Tablets[t.BaseIndexID] {
		data := be.RowsetData{Columns: []string{"id", "v"}}
		if i == int(id%2) {
			data.Rows = []types.Row{{id, fmt.Sprintf("v%d", id)}}
		}
		for _, r := range tablet.Replicas {
			tasks, _ := c.Backend(r.BackendID)
			require.NoError(c.t, tasks.Write(txn.ID, p.ID, tablet.ID, data))
			commits = append(commits, core.TabletCommit{TabletID: tablet.ID, BackendID: r.BackendID})
		}
	}
	visible, err := c.Commit(ctx, core.CommitRequest{DB: c.db.ID, TxnID: txn.ID, Tablets: commits})
	require.NoError(c.t, err)
	require.True(c.t, visible)
}

// ids returns the ids in a partition, in the order of the tablets.
func (c *cluster) ids(table, partition string) []int64 {
	c.t.Helper()
	c.RLock()
	t := c.db.Tables[table]
	c.RUnlock()
	require.NotNil(c.t, t, "table %s", table)
	rows, err := c.Scan(context.Background(), t, t.Partitions[partition], t.BaseIndexID)
	require.NoError(c.t, err)
	var ids []int64
	for _, r := range rows {
		ids = append(ids, r[0].(int64))
	}
	return ids
}

func ptr[T any](v T) *T { return &v }

// snapshot backs tables up and fetches the result, with extra_info added.
func (c *cluster) snapshot(label string, tables ...backup.TableRef) (meta, info []byte) {
	c.t.Helper()
	require.NoError(c.t, c.backup.Backup(context.Background(), backup.BackupRequest{
		DB: c.db.Name, Label: label, Repository: backup.LocalRepository, Tables: tables, Properties: map[string]string{"type": "full"},
	}))
	c.awaitBackup(label, "FINISHED")
	r, err := c.client(0, false).GetSnapshot(context.Background(), &frontendservice.TGetSnapshotRequest{
		User: ptr("root"), Passwd: ptr("secret"), Db: &c.db.Name, LabelName: &label, SnapshotName: ptr(""), SnapshotType: ptr(frontendservice.TSnapshotType_LOCAL),
	})
	require.NoError(c.t, err)
	require.Equal(c.t, status.TStatusCode_OK, r.Status.StatusCode, r.Status.ErrorMsgs)
	return r.Meta, c.withExtraInfo(r.JobInfo)
}

func (c *cluster) withExtraInfo(jobInfo []byte) []byte {
	c.t.Helper()
	var info map[string]json.RawMessage
	require.NoError(c.t, json.Unmarshal(jobInfo, &info))
	network := map[string]any{}
	for _, b := range c.Backends() {
		network[strconv.FormatInt(b.ID, 10)] = map[string]any{"ip": b.Host, "port": b.HTTPPort}
	}
	extra, err := json.Marshal(map[string]any{"be_network_map": network, "token": c.Token()})
	require.NoError(c.t, err)
	info["extra_info"] = extra
	out, err := json.Marshal(info)
	require.NoError(c.t, err)
	return out
}

func (c *cluster) awaitBackup(label, state string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		for _, j := range c.backup.BackupJobs(c.db.Name) {
			if j.SnapshotName == label && j.State == state {
				return true
			}
		}
		return false
	}, soon, time.Millisecond)
}

// awaitRestore waits until the job has ended and returns it.
func (c *cluster) awaitRestore(label string) backup.RestoreJob {
	c.t.Helper()
	var last backup.RestoreJob
	require.Eventually(c.t, func() bool {
		for _, j := range c.backup.RestoreJobs(c.db.Name) {
			if j.Label == label {
				last = j
			}
		}
		return last.State == "FINISHED" || last.State == "CANCELLED"
	}, soon, time.Millisecond)
	return last
}

func (c *cluster) restoreRequest(label string, meta, info []byte) *frontendservice.TRestoreSnapshotRequest {
	return &frontendservice.TRestoreSnapshotRequest{
		User: ptr("root"), Passwd: ptr("secret"), Db: &c.db.Name, LabelName: &label, RepoName: ptr(backup.LocalRepository),
		Properties: map[string]string{"reserve_replica": "true"}, Meta: meta, JobInfo: info,
	}
}

// restore submits over Thrift and waits for the end.
func (c *cluster) restore(r *frontendservice.TRestoreSnapshotRequest) backup.RestoreJob {
	c.t.Helper()
	reply, err := c.client(0, false).RestoreSnapshot(context.Background(), r)
	require.NoError(c.t, err)
	require.Equal(c.t, status.TStatusCode_OK, reply.Status.StatusCode, reply.Status.ErrorMsgs)
	return c.awaitRestore(*r.LabelName)
}
