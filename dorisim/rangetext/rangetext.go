// Package rangetext writes and compares partition items.
//
// The text of a partition's item is its identity across clusters
// (doris-sql.md 2.3, doris-binlogs.md 3.3): SHOW PARTITIONS, getMeta and UPSERT
// binlogs print it, and replication pairs partitions by it.
package rangetext

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// RangeText returns the identity of p, "" for an unpartitioned table. For LIST
// partitions the form is `partitionKeys: [...]; ` as newer servers print it
// everywhere, or with javaListForm the `[a, b]` of older getMeta and PROC.
func RangeText(t *catalog.Table, p *catalog.Partition, javaListForm bool) string {
	return ItemText(t, p.Item, javaListForm)
}

// ItemText is RangeText for an item that belongs to no partition yet.
func ItemText(t *catalog.Table, item catalog.Item, javaListForm bool) string {
	kinds := Kinds(t)
	switch t.Partitioning.Kind {
	case catalog.RangePartition:
		return "[" + tuple(kinds, item.Lower) + ".." + tuple(kinds, item.Upper) + ")"
	case catalog.ListPartition:
		return listText(kinds, item, javaListForm)
	}
	return ""
}

func listText(kinds []types.Kind, item catalog.Item, javaListForm bool) string {
	var keys []string
	for _, key := range item.In {
		keys = append(keys, tuple(kinds, key))
	}
	if item.Default {
		keys = []string{typesAndKeys(kinds, []string{"default key"})}
	}
	if javaListForm {
		return "[" + strings.Join(keys, ", ") + "]"
	}
	return "partitionKeys: [" + strings.Join(keys, "") + "]; "
}

func tuple(kinds []types.Kind, b catalog.Bound) string {
	values := make([]string, len(b))
	for i, v := range b {
		values[i] = ValueText(kinds[i], v)
	}
	return typesAndKeys(kinds, values)
}

func typesAndKeys(kinds []types.Kind, values []string) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return "types: [" + strings.Join(names, ", ") + "]; keys: [" + strings.Join(values, ", ") + "]; "
}

// ValueText prints one value of a bound: MAXVALUE, NULL, or the bare value.
func ValueText(kind types.Kind, v catalog.BoundValue) string {
	if v.MaxValue {
		return "MAXVALUE"
	}
	switch value := v.Value.(type) {
	case nil:
		return "NULL"
	case int64:
		if kind == types.Boolean {
			return strconv.FormatBool(value != 0)
		}
		return strconv.FormatInt(value, 10)
	case float64:
		return strconv.FormatFloat(value, 'g', -1, 64)
	case string:
		return value
	}
	return ""
}

// Kinds returns the types of the partition columns.
func Kinds(t *catalog.Table) []types.Kind {
	base := t.Indexes[t.BaseIndexID]
	kinds := make([]types.Kind, 0, len(t.Partitioning.Columns))
	for _, name := range t.Partitioning.Columns {
		kind := types.Kind("")
		if base != nil {
			if i := base.Schema.ColumnIndex(name); i >= 0 {
				kind = base.Schema.Columns[i].Type.Kind
			}
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// CompareValues orders two bound values of one type: NULL first, MAXVALUE last.
func CompareValues(kind types.Kind, a, b catalog.BoundValue) int {
	if a.MaxValue || b.MaxValue {
		return boolRank(a.MaxValue) - boolRank(b.MaxValue)
	}
	return types.Compare(a.Value, b.Value, types.Type{Kind: kind})
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CompareBounds orders two key tuples of the table's partition columns.
func CompareBounds(kinds []types.Kind, a, b catalog.Bound) int {
	for i := range min(len(a), len(b), len(kinds)) {
		if c := CompareValues(kinds[i], a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// Lowest is the smallest value of a type that may partition a table: the lower
// bound of the first LESS THAN partition (doris-sql.md 2.3).
func Lowest(kind types.Kind) types.Value {
	switch kind {
	case types.Boolean:
		return int64(0)
	case types.TinyInt:
		return int64(-1 << 7)
	case types.SmallInt:
		return int64(-1 << 15)
	case types.Int:
		return int64(-1 << 31)
	case types.BigInt:
		return int64(-1 << 63)
	case types.LargeInt:
		return "-170141183460469231731687303715884105728"
	case types.Date:
		return "0000-01-01"
	case types.DateTime:
		return "0000-01-01 00:00:00"
	}
	return ""
}

// Compare orders two items of the table: RANGE by lower bound, LIST by keys, the
// default partition last.
func Compare(t *catalog.Table, a, b catalog.Item) int {
	kinds := Kinds(t)
	if t.Partitioning.Kind == catalog.RangePartition {
		return cmp.Or(CompareBounds(kinds, a.Lower, b.Lower), CompareBounds(kinds, a.Upper, b.Upper))
	}
	if a.Default != b.Default {
		return boolRank(a.Default) - boolRank(b.Default)
	}
	for i := range min(len(a.In), len(b.In)) {
		if c := CompareBounds(kinds, a.In[i], b.In[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a.In), len(b.In))
}

// Overlap tells whether the two items share a key.
func Overlap(t *catalog.Table, a, b catalog.Item) bool {
	kinds := Kinds(t)
	if t.Partitioning.Kind == catalog.RangePartition {
		return CompareBounds(kinds, a.Lower, b.Upper) < 0 && CompareBounds(kinds, b.Lower, a.Upper) < 0
	}
	if a.Default || b.Default {
		return a.Default && b.Default
	}
	return slices.ContainsFunc(a.In, func(key catalog.Bound) bool { return Has(kinds, b.In, key) })
}

// Has tells whether the key tuple is one of those.
func Has(kinds []types.Kind, keys []catalog.Bound, key catalog.Bound) bool {
	return slices.ContainsFunc(keys, func(k catalog.Bound) bool { return CompareBounds(kinds, k, key) == 0 })
}

// Sorted returns partitions in the order in which Doris prints them: by item,
// then by id (doris-sql.md 2.3).
func Sorted(t *catalog.Table, partitions map[string]*catalog.Partition) []*catalog.Partition {
	sorted := make([]*catalog.Partition, 0, len(partitions))
	for _, p := range partitions {
		sorted = append(sorted, p)
	}
	slices.SortFunc(sorted, func(a, b *catalog.Partition) int {
		return cmp.Or(Compare(t, a.Item, b.Item), cmp.Compare(a.ID, b.ID))
	})
	return sorted
}
