// Package schema reads what SHOW CREATE and binlogs say of tables and views, and
// compares it.
package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Definition is what SHOW CREATE tells of a table or view, or the SQL of a
// CREATE_TABLE binlog, in a form that is equal for equal objects, whatever the
// versions of the two clusters (doris-sql.md 3.2 to 3.4). Make one with
// ParseDefinition or ParseViewQuery, compare two with Differences.
type Definition struct {
	// View is set for a view, of which Comment and Query are known, and nothing
	// else.
	View bool
	// Columns are the visible columns, in order.
	Columns []ColumnDefinition
	// Indexes are the secondary indexes, by name.
	Indexes map[string]string
	// Engine is OLAP, JDBC, ...
	Engine string
	// Keys is the table model with its key columns, and the cluster key.
	Keys    string
	Comment string
	// Partitioning is the PARTITION BY clause, "" if there is none.
	Partitioning string
	// Partitions are the values of the partitions, by name.
	Partitions   map[string]string
	Distribution string
	// Properties are all that the text has, each side's own included.
	Properties map[string]string
	// Query is a view's SELECT without the name of the database.
	Query string
}

// ColumnDefinition is one column of a table, spelled as SHOW CREATE does.
type ColumnDefinition struct {
	Name string
	// Type is "" if it is not known: it is equal to any other then.
	Type string
	// Aggregation is "" in tables without aggregation.
	Aggregation string
	// Generated is the expression of a generated column.
	Generated     string
	Nullable      bool
	AutoIncrement string // the start, "" for other columns
	// Default is "" if there is none; a value is in double quotes, not escaped; an
	// expression like CURRENT_TIMESTAMP is bare.
	Default  string
	OnUpdate string
	Comment  string
}

// Part names what two definitions may differ in.
type Part string

// The parts of a definition.
const (
	PartKind         Part = "kind"
	PartColumns      Part = "columns"
	PartIndexes      Part = "indexes"
	PartKeys         Part = "keys"
	PartComment      Part = "comment"
	PartPartitions   Part = "partitions"
	PartDistribution Part = "distribution"
	PartProperties   Part = "properties"
	PartQuery        Part = "query"
)

// Difference is one thing in which two definitions differ.
type Difference struct {
	Part Part
	// Text says what the first has and what the second has.
	Text string
}

// String is the difference in words.
func (d Difference) String() string { return string(d.Part) + ": " + d.Text }

// Differences tells in what other differs from d, nothing if it is the same
// object. Names of the objects, ids, and what each side has for itself (replicas,
// storage, binlog settings, is_being_synced, ...) do not count. Whoever cares for
// some parts only picks them from the answer.
func (d Definition) Differences(other Definition) []Difference {
	var found []Difference
	differ := func(part Part, format string, args ...any) {
		found = append(found, Difference{Part: part, Text: fmt.Sprintf(format, args...)})
	}
	if d.View != other.View {
		differ(PartKind, "one is a view, the other a table")
		return found
	}
	if d.Engine != other.Engine {
		differ(PartKind, "engine %s and %s", d.Engine, other.Engine)
	}
	for _, text := range ColumnDifferences(d.Columns, other.Columns) {
		differ(PartColumns, "%s", text)
	}
	for _, text := range mapDifferences(d.Indexes, other.Indexes) {
		differ(PartIndexes, "%s", text)
	}
	if d.Keys != other.Keys {
		differ(PartKeys, "%q and %q", d.Keys, other.Keys)
	}
	if !sameText(d.Comment, other.Comment) {
		differ(PartComment, "%q and %q", d.Comment, other.Comment)
	}
	if d.Partitioning != other.Partitioning {
		differ(PartPartitions, "%q and %q", d.Partitioning, other.Partitioning)
	}
	for _, text := range mapDifferences(d.Partitions, other.Partitions) {
		differ(PartPartitions, "%s", text)
	}
	if d.Distribution != other.Distribution {
		differ(PartDistribution, "%q and %q", d.Distribution, other.Distribution)
	}
	for _, text := range propertyDifferences(d.Properties, other.Properties) {
		differ(PartProperties, "%s", text)
	}
	if d.Query != other.Query {
		differ(PartQuery, "%q and %q", d.Query, other.Query)
	}
	return found
}

// Aggregates tells whether the table aggregates rows with equal keys.
func (d Definition) Aggregates() bool { return strings.HasPrefix(d.Keys, "AGGREGATE") }

// Column is the column of a name.
func (d Definition) Column(name string) (ColumnDefinition, bool) {
	i := slices.IndexFunc(d.Columns, func(c ColumnDefinition) bool { return strings.EqualFold(c.Name, name) })
	if i < 0 {
		return ColumnDefinition{}, false
	}
	return d.Columns[i], true
}

// InWords joins differences for people.
func InWords(differences []Difference) string {
	texts := make([]string, len(differences))
	for i, d := range differences {
		texts[i] = d.String()
	}
	return strings.Join(texts, "; ")
}

// ColumnDifferences compares columns by name, then their order.
func ColumnDifferences(a, b []ColumnDefinition) []string {
	var texts []string
	find := func(list []ColumnDefinition, name string) (ColumnDefinition, bool) {
		i := slices.IndexFunc(list, func(c ColumnDefinition) bool { return strings.EqualFold(c.Name, name) })
		if i < 0 {
			return ColumnDefinition{}, false
		}
		return list[i], true
	}
	for _, column := range a {
		if there, ok := find(b, column.Name); !ok {
			texts = append(texts, fmt.Sprintf("only the first has %s", column))
		} else if !column.Same(there) {
			texts = append(texts, fmt.Sprintf("%s and %s", column, there))
		}
	}
	for _, column := range b {
		if _, ok := find(a, column.Name); !ok {
			texts = append(texts, fmt.Sprintf("only the second has %s", column))
		}
	}
	if len(texts) == 0 && !slices.EqualFunc(a, b, func(x, y ColumnDefinition) bool { return strings.EqualFold(x.Name, y.Name) }) {
		texts = append(texts, fmt.Sprintf("the order is %s and %s", columnNames(a), columnNames(b)))
	}
	return texts
}

func columnNames(columns []ColumnDefinition) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// Same tells whether two columns are the same but for letter case of their names.
func (c ColumnDefinition) Same(other ColumnDefinition) bool {
	return (c.Type == other.Type || c.Type == "" || other.Type == "") &&
		c.Aggregation == other.Aggregation && c.Nullable == other.Nullable &&
		(c.Generated == other.Generated || c.Generated == anyExpression && other.Generated != "" || other.Generated == anyExpression && c.Generated != "") &&
		c.AutoIncrement == other.AutoIncrement && sameText(c.Default, other.Default) && c.OnUpdate == other.OnUpdate && sameText(c.Comment, other.Comment)
}

// mapDifferences compares what is named.
func mapDifferences(a, b map[string]string) []string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		there, ok := b[name]
		switch {
		case !ok:
			texts = append(texts, fmt.Sprintf("only the first has %s", name))
		case there != a[name]:
			texts = append(texts, fmt.Sprintf("%s is %s and %s", name, a[name], there))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[name]; !ok {
			texts = append(texts, fmt.Sprintf("only the second has %s", name))
		}
	}
	return texts
}

// ownProperties are those that each side has for itself, and those that tell
// nothing of rows or of how they are kept. Prefixes end with a dot.
var ownProperties = []string{
	"is_being_synced", "replication_allocation", "replication_num", "min_load_replica_num", "dynamic_partition.replication_allocation",
	"dynamic_partition.replication_num", "dynamic_partition.enable", "dynamic_partition.storage_policy", "dynamic_partition.storage_medium",
	"storage_medium", "medium_allocation_mode", "storage_policy", "storage_vault_name", "storage_format", "colocate_with",
	"binlog.", "_auto_bucket", "in_atomic_restore", "estimate_partition_size", "in_memory",
}

// tellingProperties count even if only one side prints them; any other property
// that only one side prints is one that the other version does not know.
var tellingProperties = []string{
	"bloom_filter_columns", "function_column.sequence_col", "function_column.sequence_type", "store_row_column", "row_store_columns",
	"enable_unique_key_skip_bitmap_column", "light_schema_change", "compression", "variant_enable_flatten_nested",
	"skip_write_index_on_load", "dynamic_partition.time_unit", "partition.retention_count",
}

func propertyDifferences(a, b map[string]string) []string {
	var texts []string
	keys := slices.Concat(slices.Collect(maps.Keys(a)), slices.Collect(maps.Keys(b)))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		first, inA := a[key]
		second, inB := b[key]
		own := slices.ContainsFunc(ownProperties, func(p string) bool {
			return key == p || strings.HasSuffix(p, ".") && strings.HasPrefix(key, p)
		})
		switch telling := slices.Contains(tellingProperties, key); {
		case own || first == second, (!inA || !inB) && !telling:
			continue
		case telling && strings.TrimPrefix(first, "false") == strings.TrimPrefix(second, "false"):
			continue // what is not printed is false
		}
		texts = append(texts, fmt.Sprintf("%s is %q and %q", key, first, second))
	}
	return texts
}

// sameText compares texts of which one may be printed with escapes and the other
// without: versions do not agree (doris-sql.md 3.2).
func sameText(a, b string) bool {
	return a == b || unescape(a) == b || a == unescape(b)
}

// unescape takes the backslashes of escapes away.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	escaped := false
	for _, r := range s {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		b.WriteRune(r)
		escaped = false
	}
	return b.String()
}
