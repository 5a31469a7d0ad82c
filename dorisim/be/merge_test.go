package be

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/types"
)

func TestMergeOnRead(t *testing.T) {
	dup := schemaOf(types.DupKeys, intColumn("v", ""))
	unique := schemaOf(types.UniqueKeys, intColumn("v", ""), intColumn("w", ""))
	signed := schemaOf(types.UniqueKeys, intColumn("v", ""), types.Column{Name: deleteSign, Type: types.Type{Kind: types.TinyInt}, Hidden: true})
	sequenced := schemaOf(types.UniqueKeys, intColumn("v", ""), intColumn("s", ""))
	sequenced.Sequence = "s"
	agg := schemaOf(types.AggKeys, intColumn("sum", "SUM"), intColumn("max", "MAX"), intColumn("min", "MIN"),
		intColumn("last", "REPLACE"), intColumn("known", "REPLACE_IF_NOT_NULL"))
	unions := schemaOf(types.AggKeys, types.Column{Name: "b", Type: types.Type{Kind: types.Bitmap}, Agg: "BITMAP_UNION"},
		types.Column{Name: "q", Type: types.Type{Kind: types.QuantileState}, Agg: "QUANTILE_UNION"})

	cases := []struct {
		name   string
		schema types.Schema
		writes []RowsetData
		want   []types.Row
	}{
		{"duplicate keeps all in insertion order", dup,
			[]RowsetData{rows(rowOf(2, 1), rowOf(1, 1)), rows(rowOf(2, 1))},
			[]types.Row{rowOf(2, 1), rowOf(1, 1), rowOf(2, 1)}},
		{"predicate removes older rows only", dup,
			[]RowsetData{rows(rowOf(1, 1), rowOf(2, 2), rowOf(3, 3)), {Predicate: where("k", ">=", 2)}, rows(rowOf(3, 30))},
			[]types.Row{rowOf(1, 1), rowOf(3, 30)}},
		{"unique: last wins, key order", unique,
			[]RowsetData{rows(rowOf(2, 1, 1), rowOf(1, 1, 1)), rows(rowOf(2, 2, nil))},
			[]types.Row{rowOf(1, 1, 1), rowOf(2, 2, nil)}},
		{"unique: delete mark and insertion again", unique,
			[]RowsetData{rows(rowOf(1, 1, 1), rowOf(2, 1, 1)), {Rows: []types.Row{rowOf(1, nil, nil), rowOf(2, nil, nil)}, Delete: map[int]bool{0: true, 1: true}}, rows(rowOf(2, 5, 5))},
			[]types.Row{rowOf(2, 5, 5)}},
		{"unique: delete sign column", signed,
			[]RowsetData{rows(rowOf(1, 1, 0), rowOf(2, 1, 0)), rows(rowOf(1, 1, 1))},
			[]types.Row{rowOf(2, 1, 0)}},
		{"unique: partial update keeps the other columns", unique,
			[]RowsetData{rows(rowOf(1, 1, 1)), {Columns: []string{"w", "k"}, Rows: []types.Row{rowOf(7, 1), rowOf(8, 2)}}},
			[]types.Row{rowOf(1, 1, 7), rowOf(2, nil, 8)}},
		{"sequence: larger wins whatever the order", sequenced,
			[]RowsetData{rows(rowOf(1, 1, 10)), rows(rowOf(1, 2, 5)), rows(rowOf(1, 3, 10))},
			[]types.Row{rowOf(1, 3, 10)}},
		{"sequence: a deletion is remembered", sequenced,
			[]RowsetData{{Rows: []types.Row{rowOf(1, nil, 10)}, Delete: map[int]bool{0: true}}, rows(rowOf(1, 2, 5))},
			nil},
		{"aggregate", agg,
			[]RowsetData{rows(rowOf(1, 1, 1, 1, 1, 1)), rows(rowOf(1, 2, 5, 5, nil, nil), rowOf(0, 1, 1, 1, 1, 1))},
			[]types.Row{rowOf(0, 1, 1, 1, 1, 1), rowOf(1, 3, 5, 1, nil, 1)}},
		{"aggregate with predicate", agg,
			[]RowsetData{rows(rowOf(1, 1, 1, 1, 1, 1)), {Predicate: where("k", "=", 1)}, rows(rowOf(1, 2, 2, 2, 2, 2))},
			[]types.Row{rowOf(1, 2, 2, 2, 2, 2)}},
		{"opaque unions", unions,
			[]RowsetData{rows(rowOf(1, "10,2", "1.5")), rows(rowOf(1, "2,3", "1.5"))},
			[]types.Row{rowOf(1, "2,3,10", "1.5,1.5")}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWriter(t, startBackend(t, 1), TabletSpec{TabletID: 5, Schema: c.schema})
			for _, data := range c.writes {
				w.write(data)
			}
			requireRows(t, c.want, w.scan())
			tablet, err := w.b.tablet(5)
			require.NoError(t, err)
			for v := int64(2); v <= w.version; v++ { // compaction anywhere changes nothing
				tablet.mu.Lock()
				require.NoError(t, tablet.compact(v))
				tablet.lastScan = scan{}
				tablet.mu.Unlock()
				requireRows(t, c.want, w.scan())
			}
		})
	}
}

func where(column, op string, value int) *DeletePredicate {
	return &DeletePredicate{Conditions: []Condition{{Column: column, Op: op, Values: []types.Value{int64(value)}}}}
}

func requireRows(t *testing.T, want, got []types.Row) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i], got[i])
	}
}

func TestConditions(t *testing.T) {
	compare := types.Comparator(intType)
	one, two := types.Value(int64(1)), types.Value(int64(2))
	cases := []struct {
		op     string
		values []types.Value
		v      types.Value
		want   bool
	}{
		{"=", []types.Value{one}, one, true}, {"=", []types.Value{one}, nil, false}, {"!=", []types.Value{one}, two, true},
		{"<", []types.Value{two}, one, true}, {"<=", []types.Value{one}, one, true}, {">", []types.Value{one}, one, false},
		{">=", []types.Value{one}, one, true}, {"IN", []types.Value{one, two}, two, true}, {"NOT_IN", []types.Value{one}, two, true},
		{"NOT_IN", []types.Value{one}, nil, false}, {"IS_NULL", nil, nil, true}, {"IS_NOT_NULL", nil, one, true}, {"LIKE", []types.Value{one}, one, false},
	}
	for _, c := range cases {
		condition := Condition{Column: "k", Op: c.op, Values: c.values}
		require.Equal(t, c.want, condition.holds(c.v, compare), "%v %s %v", c.v, c.op, c.values)
	}
}

// TestMergeAgainstMap checks the merger with a model: random upserts, partial
// updates and deletions, with scans and compactions in between.
func TestMergeAgainstMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	w := newWriter(t, startBackend(t, 1), TabletSpec{TabletID: 5, Schema: schemaOf(types.UniqueKeys, intColumn("v", ""), intColumn("w", ""))})
	model := map[int64]types.Row{}
	for i := range 1500 {
		key, v := int64(random.IntN(40)), int64(i)
		switch old := model[key]; random.IntN(4) {
		case 0:
			w.write(RowsetData{Rows: []types.Row{{key, nil, nil}}, Delete: map[int]bool{0: true}})
			delete(model, key)
		case 1:
			w.write(RowsetData{Columns: []string{"k", "v"}, Rows: []types.Row{{key, v}}})
			model[key] = types.Row{key, v, nil}
			if old != nil {
				model[key][2] = old[2]
			}
		default:
			w.write(rows(types.Row{key, v, v}))
			model[key] = types.Row{key, v, v}
		}
		if i%100 != 0 && i < 1490 {
			continue
		}
		got := w.scan()
		require.Len(t, got, len(model))
		last := int64(-1)
		for _, row := range got {
			require.Greater(t, row[0], last)
			last = row[0].(int64)
			require.Equal(t, model[last], row)
		}
	}
}

func TestSchemaEvolution(t *testing.T) {
	s := schemaOf(types.DupKeys, intColumn("v", ""))
	w := newWriter(t, startBackend(t, 1), TabletSpec{TabletID: 5, Schema: s})
	w.write(rows(rowOf(1, 1)))
	five := "5"
	wider := s
	wider.Columns = append([]types.Column{}, s.Columns...)
	wider.Columns = append(wider.Columns, types.Column{Name: "n", Type: intType, Default: &five, UniqueID: 2})
	wider.Columns[1].Name = "renamed"
	require.NoError(t, w.b.UpdateSchema(5, wider))
	w.write(rows(rowOf(2, 2, 2)))
	requireRows(t, []types.Row{rowOf(1, 1, 5), rowOf(2, 2, 2)}, w.scan())
	// Dropping a column and adding one of the same name gives a new column.
	again := wider
	again.Columns = append([]types.Column{}, wider.Columns...)
	again.Columns[1] = types.Column{Name: "renamed", Type: intType, Nullable: true, UniqueID: 3}
	require.NoError(t, w.b.UpdateSchema(5, again))
	requireRows(t, []types.Row{rowOf(1, nil, 5), rowOf(2, nil, 2)}, w.scan())
}

func TestVersions(t *testing.T) {
	b := startBackend(t, 1)
	w := newWriter(t, b, TabletSpec{TabletID: 5, Schema: schemaOf(types.DupKeys, intColumn("v", ""))})
	w.write(rows(rowOf(1, 1)))
	require.NoError(t, b.Write(7, 1, 5, rows(rowOf(2, 2))))
	require.ErrorContains(t, b.Publish(7, 1, 5, 4), "cannot publish version 4 on version 2")
	require.True(t, b.CanPublish(7, 5))
	require.NoError(t, b.Publish(7, 1, 5, 3))
	require.False(t, b.CanPublish(7, 5))
	require.ErrorContains(t, b.Publish(8, 1, 5, 3), "cannot publish", "another transaction has made version 3")
	require.NoError(t, b.Publish(8, 1, 5, 4), "a transaction that wrote nothing")

	ctx := context.Background()
	got, err := b.Scan(ctx, 5, 2)
	require.NoError(t, err)
	requireRows(t, []types.Row{rowOf(1, 1)}, got)
	got, err = b.Scan(ctx, 5, 4)
	require.NoError(t, err)
	require.Len(t, got, 2)
	_, err = b.Scan(ctx, 5, 5)
	require.ErrorIs(t, err, ErrVersionMissing)
	_, err = b.Scan(ctx, 6, 1)
	require.ErrorIs(t, err, ErrTabletMissing)

	require.NoError(t, b.Write(9, 1, 5, rows(rowOf(3, 3))))
	b.Abort(9)
	require.False(t, b.CanPublish(9, 5))
	require.Error(t, b.Publish(9, 1, 5, 5), "an aborted transaction must not publish an empty rowset")
}

func TestCompactionKeepsRecentVersions(t *testing.T) {
	b := startBackend(t, 1)
	w := newWriter(t, b, TabletSpec{TabletID: 5, Schema: schemaOf(types.DupKeys), BinlogEnabled: true})
	for i := range 2 * compactAt {
		w.write(rows(rowOf(i)))
	}
	ctx := context.Background()
	got, err := b.Scan(ctx, 5, w.version-keepVersions)
	require.NoError(t, err)
	require.Len(t, got, 2*compactAt-keepVersions)
	_, err = b.Scan(ctx, 5, 3)
	require.ErrorIs(t, err, ErrVersionMerged)
	_, _, err = b.MakeSnapshot(5, 3, 0)
	require.ErrorIs(t, err, ErrVersionMerged)
	tablet, err := b.tablet(5)
	require.NoError(t, err)
	_, ok := tablet.binlog(3)
	require.True(t, ok, "compaction leaves binlogs alone")
	b.ReleaseBinlogs(5, 100)
	_, ok = tablet.binlog(100)
	require.False(t, ok)
	_, ok = tablet.binlog(101)
	require.True(t, ok)
}
