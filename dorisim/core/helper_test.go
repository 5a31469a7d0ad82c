package core_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
	"github.com/doris-ccr/ccr/dorisim/payload"
	"github.com/doris-ccr/ccr/dorisim/types"
)

const soon = 10 * time.Second

// world is a Core with backends and one database "d" with binlog on.
type world struct {
	*core.Core
	t        *testing.T
	db       *catalog.Database
	backends []*be.Backend
}

func newWorld(t *testing.T, backends int, cfg core.Config) *world {
	t.Helper()
	cfg.GCPeriod = -1
	if cfg.RepairPeriod == 0 {
		cfg.RepairPeriod = time.Millisecond
	}
	w := &world{Core: core.New(cfg), t: t}
	t.Cleanup(w.Close)
	if cfg.Faults != nil {
		faultstest.Struck(t, cfg.Faults)
	}
	for range backends {
		b := be.New(be.Config{ID: w.NextID(), Token: w.Token})
		require.NoError(t, b.Start())
		t.Cleanup(b.Close)
		w.backends = append(w.backends, b)
		w.AddBackend(core.BackendInfo{ID: b.ID(), Host: b.Host(), BePort: b.BePort(), HTTPPort: b.HTTPPort(), Alive: true}, b)
	}
	w.Lock()
	defer w.Unlock()
	w.db = &catalog.Database{ID: w.NextID(), Name: "d", Properties: map[string]string{"binlog.enable": "true"}}
	w.PutDatabase(w.db)
	return w
}

// table makes an unpartitioned duplicate table (id BIGINT) with two buckets.
func (w *world) table(name string, replicas int) *catalog.Table {
	w.t.Helper()
	w.Lock()
	defer w.Unlock()
	t := &catalog.Table{
		ID: w.NextID(), DBID: w.db.ID, Name: name, Kind: catalog.OLAP, State: catalog.StateNormal, Keys: types.DupKeys,
		Distribution: catalog.Distribution{Kind: catalog.HashDistribution, Columns: []string{"id"}, Buckets: 2},
		Partitions:   map[string]*catalog.Partition{}, Temporary: map[string]*catalog.Partition{},
		Properties: map[string]string{"binlog.enable": "true"}, ReplicaNum: replicas, Indexes: map[int64]*catalog.Index{},
	}
	idx := &catalog.Index{ID: w.NextID(), Name: name, State: catalog.IndexNormal, ShortKey: 1, Schema: types.Schema{
		Hash: 7, Keys: types.DupKeys, Columns: []types.Column{{Name: "id", Type: types.Type{Kind: types.BigInt}, Key: true, UniqueID: 1}},
	}}
	t.BaseIndexID, t.Indexes[idx.ID] = idx.ID, idx
	p, err := w.NewPartition(t, name, catalog.Item{}, t.Distribution, replicas)
	require.NoError(w.t, err)
	t.Partitions[name] = p
	w.db.Tables[name] = t
	return t
}

func (w *world) partition(t *catalog.Table) *catalog.Partition { return t.Partitions[t.Name] }

// write puts one row into the first tablet under the id and returns commits for
// every replica on a backend that took it.
func (w *world) write(id int64, t *catalog.Table, row int64) []core.TabletCommit {
	w.t.Helper()
	var commits []core.TabletCommit
	p := w.partition(t)
	for i, tablet := range p.Tablets[t.BaseIndexID] {
		data := be.RowsetData{Columns: []string{"id"}}
		if i == 0 {
			data.Rows = []types.Row{{row}}
		}
		for _, r := range tablet.Replicas {
			tasks, ok := w.Backend(r.BackendID)
			require.True(w.t, ok)
			if tasks.Write(id, p.ID, tablet.ID, data) == nil {
				commits = append(commits, core.TabletCommit{TabletID: tablet.ID, BackendID: r.BackendID})
			}
		}
	}
	return commits
}

func (w *world) begin(label string, tables ...*catalog.Table) *core.Txn {
	w.t.Helper()
	r := core.BeginRequest{DB: w.db.ID, Label: label}
	for _, t := range tables {
		r.Tables = append(r.Tables, t.ID)
	}
	txn, err := w.Begin(context.Background(), r)
	require.NoError(w.t, err)
	return txn
}

// insert runs a whole transaction with one row and waits until it is visible.
func (w *world) insert(label string, t *catalog.Table, row int64) *core.Txn {
	w.t.Helper()
	txn := w.begin(label, t)
	visible, err := w.Commit(context.Background(), core.CommitRequest{DB: w.db.ID, TxnID: txn.ID, Tablets: w.write(txn.ID, t, row)})
	require.NoError(w.t, err)
	require.True(w.t, visible)
	return txn
}

func (w *world) rows(t *catalog.Table) int {
	w.t.Helper()
	rows, err := w.Scan(context.Background(), t, w.partition(t), t.BaseIndexID)
	require.NoError(w.t, err)
	return len(rows)
}

// upserts returns the UPSERT payloads of a list; table -1 is the db list.
func (w *world) upserts(table int64) []payload.Upsert {
	w.t.Helper()
	var list []payload.Upsert
	entries, _ := w.ReadBinlogs(w.db.ID, table, -1, core.MaxBinlogBatch)
	for _, b := range entries {
		if b.Type == binlog.TypeUpsert {
			var u payload.Upsert
			require.NoError(w.t, json.Unmarshal([]byte(b.Data), &u))
			require.Equal(w.t, b.CommitSeq, u.CommitSeq)
			list = append(list, u)
		}
	}
	return list
}

func (w *world) record(kind binlog.Type, tables ...int64) int64 {
	w.Lock()
	defer w.Unlock()
	return w.Record(core.Event{DB: w.db.ID, Tables: tables, Type: kind, Data: "{}"})
}
