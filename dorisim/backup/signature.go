package backup

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// signature prints what must be equal for a table to be restored over an
// existing one (doris-sql.md 4.6). Only the named partitions take part.
func signature(t *catalog.Table, partitions []string) string {
	var b strings.Builder
	fmt.Fprintln(&b, t.Name, t.Kind, t.Keys, t.ClusterBy)
	indexes := slices.SortedFunc(maps.Values(t.Indexes), func(x, y *catalog.Index) int {
		return cmp.Compare(indexName(t, x), indexName(t, y))
	})
	for _, idx := range indexes {
		if idx.State == catalog.IndexShadow {
			continue
		}
		fmt.Fprintln(&b, "index", indexName(t, idx), idx.ShortKey)
		for _, c := range idx.Schema.Columns {
			fmt.Fprintf(&b, "%s %+v %t %t %s", c.Name, c.Type, c.Key, c.Nullable, c.Agg)
			if c.Default != nil {
				fmt.Fprintf(&b, " %q", *c.Default)
			}
			fmt.Fprintln(&b)
		}
	}
	fmt.Fprintln(&b, t.Properties["bloom_filter_columns"], t.Properties["bloom_filter_fpp"], t.Partitioning.Kind)
	if t.Partitioning.Kind == catalog.RangePartition {
		fmt.Fprintln(&b, t.Partitioning.Columns)
	}
	for _, name := range slices.Sorted(slices.Values(partitions)) {
		p := t.Partitions[name]
		fmt.Fprintln(&b, "partition", name, p.Distribution.Kind)
		if p.Distribution.Kind == catalog.HashDistribution {
			fmt.Fprintln(&b, p.Distribution.Columns, p.Distribution.Buckets)
		}
	}
	secondary := slices.SortedFunc(slices.Values(t.Secondary), func(x, y catalog.SecondaryIndex) int { return cmp.Compare(x.Name, y.Name) })
	for _, s := range secondary {
		fmt.Fprintln(&b, "secondary", s.Name, s.Kind, s.Columns)
	}
	return b.String()
}

// sharedPartitions are the names that both tables have.
func sharedPartitions(a, b *catalog.Table) []string {
	var names []string
	for name := range a.Partitions {
		if _, ok := b.Partitions[name]; ok {
			names = append(names, name)
		}
	}
	return names
}

func viewSignature(t *catalog.Table, definition string) string {
	var b strings.Builder
	fmt.Fprintln(&b, t.Name, t.Kind, definition)
	for _, c := range t.ViewColumns {
		fmt.Fprintln(&b, c.Name)
	}
	return b.String()
}

// sameView compares raw, and with the source database's name replaced by the
// destination's.
func sameView(local, remote *catalog.Table, from, to string) bool {
	have := viewSignature(local, local.ViewDefinition)
	return have == viewSignature(remote, remote.ViewDefinition) || have == viewSignature(remote, viewDefinition(remote, from, to))
}

// viewDefinition is a view's text moved to another database. Only the quoted
// name is replaced: definitions are stored qualified, and a bare substring
// replacement would also hit columns (doris-sql.md 4.6).
func viewDefinition(v *catalog.Table, from, to string) string {
	return strings.ReplaceAll(v.ViewDefinition, "`"+from+"`", "`"+to+"`")
}
