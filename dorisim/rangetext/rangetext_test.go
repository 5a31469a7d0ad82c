package rangetext

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/types"
)

func table(kind catalog.PartitionKind, kinds ...types.Kind) *catalog.Table {
	t := &catalog.Table{BaseIndexID: 1, Partitioning: catalog.Partitioning{Kind: kind}}
	index := &catalog.Index{ID: 1}
	for i, k := range kinds {
		name := string(rune('a' + i))
		index.Schema.Columns = append(index.Schema.Columns, types.Column{Name: name, Type: types.Type{Kind: k}})
		t.Partitioning.Columns = append(t.Partitioning.Columns, name)
	}
	t.Indexes = map[int64]*catalog.Index{1: index}
	return t
}

func bound(values ...any) catalog.Bound {
	var b catalog.Bound
	for _, v := range values {
		if v == "MAX" {
			b = append(b, catalog.BoundValue{MaxValue: true})
			continue
		}
		b = append(b, catalog.BoundValue{Value: v})
	}
	return b
}

func TestRangeText(t *testing.T) {
	tests := []struct {
		table    *catalog.Table
		item     catalog.Item
		want     string
		wantJava string
	}{
		{table(catalog.Unpartitioned), catalog.Item{}, "", ""},
		{table(catalog.RangePartition, types.Int), catalog.Item{Lower: bound(int64(0)), Upper: bound(int64(5))},
			"[types: [INT]; keys: [0]; ..types: [INT]; keys: [5]; )", ""},
		{table(catalog.RangePartition, types.Date, types.Int),
			catalog.Item{Lower: bound("2024-01-01", int64(-2147483648)), Upper: bound("2024-02-01", int64(10))},
			"[types: [DATEV2, INT]; keys: [2024-01-01, -2147483648]; ..types: [DATEV2, INT]; keys: [2024-02-01, 10]; )", ""},
		{table(catalog.RangePartition, types.DateTime), catalog.Item{Lower: bound(Lowest(types.DateTime)), Upper: bound("MAX")},
			"[types: [DATETIMEV2]; keys: [0000-01-01 00:00:00]; ..types: [DATETIMEV2]; keys: [MAXVALUE]; )", ""},
		{table(catalog.ListPartition, types.Int), catalog.Item{In: []catalog.Bound{bound(int64(1)), bound(int64(2))}},
			"partitionKeys: [types: [INT]; keys: [1]; types: [INT]; keys: [2]; ]; ",
			"[types: [INT]; keys: [1]; , types: [INT]; keys: [2]; ]"},
		{table(catalog.ListPartition, types.Varchar, types.Boolean), catalog.Item{In: []catalog.Bound{bound("bj", int64(1)), bound(nil, int64(0))}},
			"partitionKeys: [types: [VARCHAR, BOOLEAN]; keys: [bj, true]; types: [VARCHAR, BOOLEAN]; keys: [NULL, false]; ]; ",
			"[types: [VARCHAR, BOOLEAN]; keys: [bj, true]; , types: [VARCHAR, BOOLEAN]; keys: [NULL, false]; ]"},
		{table(catalog.ListPartition, types.Int), catalog.Item{Default: true},
			"partitionKeys: [types: [INT]; keys: [default key]; ]; ", "[types: [INT]; keys: [default key]; ]"},
	}
	for _, tt := range tests {
		p := &catalog.Partition{Item: tt.item}
		require.Equal(t, tt.want, RangeText(tt.table, p, false))
		if tt.wantJava == "" {
			tt.wantJava = tt.want
		}
		require.Equal(t, tt.wantJava, RangeText(tt.table, p, true))
	}
}

func TestOverlap(t *testing.T) {
	r := table(catalog.RangePartition, types.Int, types.LargeInt)
	low := catalog.Item{Lower: bound(int64(0), "9"), Upper: bound(int64(0), "10")}
	high := catalog.Item{Lower: bound(int64(0), "10"), Upper: bound("MAX", "MAX")}
	require.False(t, Overlap(r, low, high))
	require.True(t, Overlap(r, high, high))
	require.Negative(t, Compare(r, low, high))

	l := table(catalog.ListPartition, types.Varchar)
	a := catalog.Item{In: []catalog.Bound{bound("a"), bound("b")}}
	b := catalog.Item{In: []catalog.Bound{bound("b"), bound(nil)}}
	c := catalog.Item{In: []catalog.Bound{bound("c"), bound(nil)}}
	def := catalog.Item{Default: true}
	require.True(t, Overlap(l, a, b))
	require.True(t, Overlap(l, b, c))
	require.False(t, Overlap(l, a, c))
	require.False(t, Overlap(l, a, def))
	require.True(t, Overlap(l, def, def))
	require.Positive(t, Compare(l, def, a))
}

func TestSorted(t *testing.T) {
	r := table(catalog.RangePartition, types.Int)
	sorted := Sorted(r, map[string]*catalog.Partition{
		"x": {ID: 1, Name: "x", Item: catalog.Item{Lower: bound(int64(10)), Upper: bound(int64(20))}},
		"y": {ID: 2, Name: "y", Item: catalog.Item{Lower: bound(int64(-5)), Upper: bound(int64(10))}},
	})
	require.Equal(t, "y", sorted[0].Name)
	require.Equal(t, "x", sorted[1].Name)
}
