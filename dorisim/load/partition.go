package load

import (
	"slices"
	"sort"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// finder finds the partition of a key tuple.
type finder struct {
	kind     catalog.PartitionKind
	types    []types.Type
	lowest   []types.Value // minus infinity of each key column
	compare  []func(a, b types.Value) int
	ranges   []*catalog.Partition // by lower bound
	list     map[string]*catalog.Partition
	fallback *catalog.Partition // the default list partition
}

func newFinder(t *catalog.Table, partitions []*catalog.Partition) *finder {
	f := &finder{kind: t.Partitioning.Kind}
	base := &t.Indexes[t.BaseIndexID].Schema
	for _, name := range t.Partitioning.Columns {
		typ := types.Type{Kind: types.String}
		if i := base.ColumnIndex(name); i >= 0 {
			typ = base.Columns[i].Type
		}
		f.types = append(f.types, typ)
		f.compare = append(f.compare, types.Comparator(typ))
		f.lowest = append(f.lowest, rangetext.Lowest(typ.Kind))
	}
	switch f.kind {
	case catalog.RangePartition:
		f.ranges = slices.Clone(partitions)
		slices.SortFunc(f.ranges, func(a, b *catalog.Partition) int { return rangetext.Compare(t, a.Item, b.Item) })
	case catalog.ListPartition:
		f.list = map[string]*catalog.Partition{}
		for _, p := range partitions {
			if p.Item.Default {
				f.fallback = p
			}
			for _, b := range p.Item.In {
				f.list[f.listKey(boundValues(b))] = p
			}
		}
	}
	return f
}

func boundValues(b catalog.Bound) []types.Value {
	values := make([]types.Value, len(b))
	for i := range b {
		values[i] = b[i].Value
	}
	return values
}

// find returns nil when no partition holds the key.
func (f *finder) find(key []types.Value) *catalog.Partition {
	if f.kind == catalog.ListPartition {
		if p, ok := f.list[f.listKey(key)]; ok {
			return p
		}
		return f.fallback
	}
	// The candidate is the last partition whose lower bound is not above the key.
	at := sort.Search(len(f.ranges), func(i int) bool { return f.compareKey(key, f.ranges[i].Item.Lower) < 0 })
	if at == 0 {
		return nil
	}
	p := f.ranges[at-1]
	if f.compareKey(key, p.Item.Upper) >= 0 {
		return nil
	}
	return p
}

// compareKey compares a key with a bound. NULL lives in the partition that
// begins at the type's minimum, which stands for minus infinity in a first LESS
// THAN partition (doris-sql.md 2.3).
func (f *finder) compareKey(key []types.Value, b catalog.Bound) int {
	for i, v := range key {
		switch {
		case i >= len(b):
			return 1 // a bound that is too short ends with minima
		case b[i].MaxValue:
			return -1
		case v == nil && b[i].Value == f.lowest[i]:
			continue
		}
		if c := f.compare[i](v, b[i].Value); c != 0 {
			return c
		}
	}
	return 0
}

// listKey is a text that is equal for equal tuples.
func (f *finder) listKey(key []types.Value) string {
	var text []byte
	for i, v := range key {
		if v == nil {
			text = append(text, 'N', 0)
			continue
		}
		text = append(text, 'V')
		text = append(text, types.Format(v, f.types[i])...)
		text = append(text, 0)
	}
	return string(text)
}
