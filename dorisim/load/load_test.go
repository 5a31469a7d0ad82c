package load

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// lab is a cluster with two backends and one database, without any server.
type lab struct {
	core   *core.Core
	bes    []*be.Backend
	db     *catalog.Database
	loader *Loader
	auto   func(key []types.Value) error
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{core: core.New(core.Config{Name: "lab"})}
	t.Cleanup(l.core.Close)
	for i := range 2 {
		b := be.New(be.Config{ID: int64(100 + i)})
		require.NoError(t, b.Start())
		t.Cleanup(func() { b.Close() })
		l.bes = append(l.bes, b)
		l.core.AddBackend(core.BackendInfo{ID: b.ID(), Host: b.Host(), Alive: true}, b)
	}
	l.db = &catalog.Database{ID: l.core.NextID(), Name: "d"}
	l.core.Lock()
	l.core.PutDatabase(l.db)
	l.core.Unlock()
	l.loader = New(l.core, l)
	return l
}

// AddAutoPartition implements AutoPartitioner.
func (l *lab) AddAutoPartition(_ context.Context, _, _ string, key []types.Value) error {
	if l.auto == nil {
		return errors.New("no auto partitions here")
	}
	return l.auto(key)
}

func intColumn(name string, key bool) types.Column {
	return types.Column{Name: name, Type: types.Type{Kind: types.Int}, Key: key, Nullable: true}
}

// table makes a table of (k, v) with the given partitions.
func (l *lab) table(t *testing.T, name string, partitioning catalog.Partitioning, keys types.KeysType, items map[string]catalog.Item) *catalog.Table {
	t.Helper()
	l.core.Lock()
	defer l.core.Unlock()
	table := &catalog.Table{
		ID: l.core.NextID(), DBID: l.db.ID, Name: name, Kind: catalog.OLAP, State: catalog.StateNormal, Keys: keys,
		Partitioning: partitioning, Partitions: map[string]*catalog.Partition{}, Temporary: map[string]*catalog.Partition{},
		Distribution: catalog.Distribution{Kind: catalog.HashDistribution, Columns: []string{"k"}, Buckets: 3},
		Properties:   map[string]string{}, ReplicaNum: 2,
	}
	table.BaseIndexID = l.core.NextID()
	rollup := l.core.NextID()
	table.Indexes = map[int64]*catalog.Index{
		table.BaseIndexID: {ID: table.BaseIndexID, Name: name, Schema: types.Schema{Keys: keys, Columns: []types.Column{intColumn("k", true), intColumn("v", false)}}},
		rollup:            {ID: rollup, Name: "r", Schema: types.Schema{Keys: keys, Columns: []types.Column{intColumn("k", true)}}},
	}
	for name, item := range items {
		p, err := l.core.NewPartition(table, name, item, table.Distribution, table.ReplicaNum)
		require.NoError(t, err)
		table.Partitions[name] = p
	}
	l.db.Tables[name] = table
	return table
}

func (l *lab) rows(t *testing.T, table *catalog.Table, indexID int64) []types.Row {
	t.Helper()
	var all []types.Row
	for _, p := range core.Partitions(table) {
		rows, err := l.core.Scan(context.Background(), table, p, indexID)
		require.NoError(t, err)
		all = append(all, rows...)
	}
	return all
}

func bound(values ...types.Value) catalog.Bound {
	var b catalog.Bound
	for _, v := range values {
		b = append(b, catalog.BoundValue{Value: v, MaxValue: v == "max"})
	}
	return b
}

func ranges() map[string]catalog.Item {
	return map[string]catalog.Item{
		"low":  {Lower: bound(int64(-1 << 31)), Upper: bound(int64(10))},
		"mid":  {Lower: bound(int64(10)), Upper: bound(int64(20))},
		"high": {Lower: bound(int64(30)), Upper: bound("max")},
	}
}

func byK() catalog.Partitioning {
	return catalog.Partitioning{Kind: catalog.RangePartition, Columns: []string{"k"}}
}

func batch(l *lab, table *catalog.Table, rows ...types.Row) Batch {
	return Batch{DB: l.db.ID, Table: table.ID, Columns: []string{"k", "v"}, Rows: rows}
}

func TestLoadReachesEveryIndexAndReplica(t *testing.T) {
	l := newLab(t)
	table := l.table(t, "t", byK(), types.DupKeys, ranges())
	var rows []types.Row
	for k := range int64(20) {
		rows = append(rows, types.Row{k, k * 2})
	}
	out, err := l.loader.Load(context.Background(), Options{Label: "a"}, batch(l, table, rows...))
	require.NoError(t, err)
	require.True(t, out.Visible)
	require.Equal(t, 20, out.Rows)
	require.ElementsMatch(t, rows, l.rows(t, table, table.BaseIndexID))
	for id := range table.Indexes {
		require.Len(t, l.rows(t, table, id), 20)
	}
	require.Equal(t, int64(2), table.Partitions["low"].VisibleVersion)
	require.Equal(t, int64(1), table.Partitions["high"].VisibleVersion, "untouched")
	for _, tablet := range table.Partitions["low"].Tablets[table.BaseIndexID] {
		for _, r := range tablet.Replicas {
			require.Equal(t, int64(2), r.Version)
			require.Zero(t, r.LastFailed)
		}
	}
}

func TestRoutingByRange(t *testing.T) {
	l := newLab(t)
	table := l.table(t, "t", byK(), types.DupKeys, ranges())
	for _, test := range []struct {
		k    types.Value
		want string
	}{
		{int64(-5), "low"}, {int64(9), "low"}, {int64(10), "mid"}, {int64(19), "mid"}, {int64(1000), "high"}, {nil, "low"},
		{int64(20), ""}, {int64(29), ""},
	} {
		b := batch(l, table, types.Row{test.k, int64(0)})
		writes, err := l.loader.Route(context.Background(), &b)
		if test.want == "" {
			require.ErrorContains(t, err, "Insert has filtered data in strict mode", "%v", test.k)
			continue
		}
		require.NoError(t, err)
		require.Len(t, writes, 6, "3 buckets of 2 indexes")
		require.Equal(t, table.Partitions[test.want].ID, writes[0].partition, "%v", test.k)
	}
}

func TestRoutingByList(t *testing.T) {
	l := newLab(t)
	items := map[string]catalog.Item{
		"a": {In: []catalog.Bound{bound(int64(1)), bound(int64(2))}},
		"b": {In: []catalog.Bound{bound(nil)}},
		"z": {Default: true},
	}
	table := l.table(t, "t", catalog.Partitioning{Kind: catalog.ListPartition, Columns: []string{"k"}}, types.DupKeys, items)
	for k, want := range map[types.Value]string{int64(1): "a", int64(2): "a", nil: "b", int64(3): "z"} {
		b := batch(l, table, types.Row{k, int64(0)})
		writes, err := l.loader.Route(context.Background(), &b)
		require.NoError(t, err)
		require.Equal(t, table.Partitions[want].ID, writes[0].partition, "%v", k)
	}
}

func TestSubTransactions(t *testing.T) {
	l := newLab(t)
	plain := map[string]catalog.Item{"t": {}}
	one := l.table(t, "one", catalog.Partitioning{}, types.DupKeys, plain)
	two := l.table(t, "two", catalog.Partitioning{}, types.UniqueKeys, plain)
	out, err := l.loader.Load(context.Background(), Options{Label: "multi"},
		batch(l, one, types.Row{int64(1), int64(1)}), batch(l, two, types.Row{int64(1), int64(1)}), batch(l, one, types.Row{int64(2), int64(2)}))
	require.NoError(t, err)
	require.True(t, out.Visible)
	txn, ok := l.core.Txn(l.db.ID, out.TxnID)
	require.True(t, ok)
	require.Len(t, txn.SubIDs, 3)
	require.Len(t, l.rows(t, one, one.BaseIndexID), 2)
	require.Len(t, l.rows(t, two, two.BaseIndexID), 1)
	require.Equal(t, int64(3), one.Partitions["t"].VisibleVersion, "a version for each sub-transaction")
}

func TestAutoPartition(t *testing.T) {
	l := newLab(t)
	table := l.table(t, "t", catalog.Partitioning{Kind: catalog.ListPartition, Columns: []string{"k"}, Auto: true}, types.DupKeys, nil)
	var made []types.Value
	l.auto = func(key []types.Value) error {
		made = append(made, key...)
		l.core.Lock()
		defer l.core.Unlock()
		p, err := l.core.NewPartition(table, "p"+types.Format(key[0], types.Type{}), catalog.Item{In: []catalog.Bound{bound(key...)}}, table.Distribution, 1)
		if err == nil {
			table.Partitions[p.Name] = p
		}
		return err
	}
	_, err := l.loader.Load(context.Background(), Options{Label: "a"},
		batch(l, table, types.Row{int64(7), int64(0)}, types.Row{int64(8), int64(0)}, types.Row{int64(7), int64(1)}))
	require.NoError(t, err)
	require.Equal(t, []types.Value{int64(7), int64(8)}, made)
	require.Len(t, l.rows(t, table, table.BaseIndexID), 3)
}

func TestRefusals(t *testing.T) {
	l := newLab(t)
	empty := l.table(t, "empty", byK(), types.DupKeys, nil)
	_, err := l.loader.Load(context.Background(), Options{Label: "a"}, batch(l, empty, types.Row{int64(1), nil}))
	require.ErrorContains(t, err, "data cannot be inserted into table with empty partition.")

	table := l.table(t, "t", byK(), types.DupKeys, ranges())
	table.State, table.Partitions["mid"].State = catalog.StateRestore, catalog.StateRestore
	_, err = l.loader.Load(context.Background(), Options{Label: "b"}, batch(l, table, types.Row{int64(15), nil}))
	require.ErrorContains(t, err, "Table [t], Partition [mid] is in restore process. Can not load into it")
	_, err = l.loader.Load(context.Background(), Options{Label: "c"}, batch(l, table, types.Row{int64(5), nil}))
	require.NoError(t, err, "partitions that are not restored can be loaded")
	table.Partitions["mid"].State = catalog.StateNormal
	_, err = l.loader.Load(context.Background(), Options{Label: "d"}, batch(l, table, types.Row{int64(15), nil}))
	require.ErrorContains(t, err, "Table t is in restore process. Can not load into it")
}

func TestDeadReplicaIsLeftToTheQuorum(t *testing.T) {
	l := newLab(t)
	table := l.table(t, "t", catalog.Partitioning{}, types.DupKeys, map[string]catalog.Item{"t": {}})
	l.bes[1].Kill()
	_, err := l.loader.Load(context.Background(), Options{Label: "a"}, batch(l, table, types.Row{int64(1), nil}))
	require.ErrorContains(t, err, "load required replica num 2", "one of two replicas is no majority")
	txn, ok := l.core.TxnByLabel(l.db.ID, "a")
	require.True(t, ok)
	require.Equal(t, core.TxnAborted, txn.State)
}

func TestCell(t *testing.T) {
	kind := func(k types.Kind) types.Column {
		return types.Column{Name: "c", Type: types.Type{Kind: k}, Nullable: true}
	}
	varchar := types.Column{Name: "c", Type: types.Type{Kind: types.Varchar, Len: 3}}
	for _, test := range []struct {
		column types.Column
		in     types.Value
		want   types.Value
		fails  string
	}{
		{kind(types.Int), int64(5), int64(5), ""},
		{kind(types.Int), "5", int64(5), ""},
		{kind(types.TinyInt), int64(300), nil, "Number out of range[300]. type: TINYINT"},
		{kind(types.Int), "abc", nil, "src value is abc"},
		{varchar, "abc", "abc", ""},
		{varchar, int64(12), "12", ""},
		{varchar, "abcd", nil, "the length of input is too long than schema"},
		{varchar, nil, nil, "null value for not null column"},
		{kind(types.String), "x", "x", ""},
		{kind(types.Date), "2024-02-30", nil, "src value is 2024-02-30"},
		{kind(types.Double), int64(2), float64(2), ""},
	} {
		got, err := Cell(&test.column, test.in, true)
		if test.fails != "" {
			require.ErrorContains(t, err, test.fails)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
	loose := kind(types.Int)
	got, err := Cell(&loose, "abc", false)
	require.NoError(t, err)
	require.Nil(t, got, "NULL where strict mode is off")
}
