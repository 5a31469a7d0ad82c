package ddl

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// ShowCreateTable prints a table or view as SHOW CREATE TABLE does
// (doris-sql.md 3.2 to 3.4). With sync it is the SQL of the CREATE_TABLE binlog
// (3.6). The caller holds the metadata lock.
func (e *Executor) ShowCreateTable(_ *catalog.Database, t *catalog.Table, sync bool) string {
	if t.Kind == catalog.View {
		return showCreateView(t)
	}
	if t.Kind.External() {
		return e.showCreateExternal(t)
	}
	schema := &t.Indexes[t.BaseIndexID].Schema
	var definitions []string
	for i := range schema.Columns {
		if !schema.Columns[i].Hidden {
			definitions = append(definitions, "  "+e.columnLine(schema.Columns[i], t.Keys))
		}
	}
	for _, index := range t.Secondary {
		definitions = append(definitions, "  "+e.indexText(index))
	}
	lines := []string{
		"CREATE TABLE " + parser.QuoteIdent(t.Name) + " (",
		strings.Join(definitions, ",\n"),
		") ENGINE=" + string(t.Kind),
	}
	lines = append(lines, keysText(t, schema)...)
	if t.Comment != "" {
		lines = append(lines, "COMMENT "+e.commentText(t.Comment))
	}
	for _, line := range partitionByText(t) {
		lines = append(lines, e.oldBounds(line))
	}
	lines = append(lines,
		"DISTRIBUTED BY "+distributionText(t.Distribution, t.AutoBucket),
		"PROPERTIES (",
		strings.Join(e.propertyLines(t, sync), ",\n"),
		");")
	return strings.Join(lines, "\n")
}

// commentText prints the comment of a table, an index or, before 2.1.8 and 3.0.4,
// a column: single quotes and backslashes stay as they are (doris-sql.md 3.2).
func (e *Executor) commentText(comment string) string {
	if v := e.core.Version(); v == core.VersionNew || v == core.VersionM24 {
		comment = strings.ReplaceAll(comment, `"`, `\"`)
	}
	return "'" + comment + "'"
}

// columnLine is columnText in the version's spelling: older ones put comments
// between single quotes.
func (e *Executor) columnLine(c types.Column, keys types.KeysType) string {
	if e.core.Version() == core.VersionNew || c.Comment == "" {
		return columnText(&c, keys)
	}
	comment := c.Comment
	c.Comment = ""
	return columnText(&c, keys) + " COMMENT " + e.commentText(comment)
}

// columnText prints a column definition.
func columnText(c *types.Column, keys types.KeysType) string {
	text := parser.QuoteIdent(c.Name) + " " + parser.FormatType(c.Type)
	if c.Agg != "" && !c.AggImplicit && keys == types.AggKeys {
		text += " " + string(c.Agg)
	}
	if c.Generated != "" {
		text += " AS ((" + c.Generated + "))"
	}
	if c.Nullable {
		text += " NULL"
	} else {
		text += " NOT NULL"
	}
	if c.AutoInc {
		text += fmt.Sprintf(" AUTO_INCREMENT(%d)", c.AutoIncInit)
	}
	switch {
	case c.Default == nil:
	case c.DefaultExpr:
		text += " DEFAULT " + *c.Default
	default:
		text += ` DEFAULT "` + *c.Default + `"` // not escaped (doris-sql.md 3.2)
	}
	if c.OnUpdate {
		text += " ON UPDATE CURRENT_TIMESTAMP"
		if c.Type.Scale > 0 {
			text += "(" + strconv.Itoa(c.Type.Scale) + ")"
		}
	}
	if c.Comment != "" {
		text += " COMMENT " + quoteText(c.Comment)
	}
	return text
}

func (e *Executor) indexText(i catalog.SecondaryIndex) string {
	text := fmt.Sprintf("INDEX %s (%s) USING %s", i.Name, quoteIdents(i.Columns), i.Kind)
	if len(i.Properties) > 0 {
		var items []string
		for _, key := range indexPropertyNames(i.Properties) {
			items = append(items, quoteText(key)+" = "+quoteText(i.Properties[key]))
		}
		text += " PROPERTIES(" + strings.Join(items, ", ") + ")"
	}
	if i.Comment != "" {
		text += " COMMENT " + e.commentText(i.Comment)
	}
	return text
}

// indexPropertyNames puts the parser first; Doris' order is that of a hash.
func indexPropertyNames(props map[string]string) []string {
	return slices.SortedFunc(maps.Keys(props), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

func rank(property string) int {
	if property == "parser" {
		return 0
	}
	return 1
}

func keysText(t *catalog.Table, schema *types.Schema) []string {
	if t.KeysHidden {
		return nil
	}
	var names []string
	for _, c := range schema.Columns {
		if c.Key {
			names = append(names, c.Name)
		}
	}
	lines := []string{string(t.Keys) + " KEY(" + quoteIdents(names) + ")"}
	if len(t.ClusterBy) > 0 {
		lines = append(lines, "CLUSTER BY ("+quoteIdents(t.ClusterBy)+")")
	}
	return lines
}

func partitionByText(t *catalog.Table) []string {
	if t.Partitioning.Kind == catalog.Unpartitioned {
		return nil
	}
	auto := ""
	if t.Partitioning.Auto {
		auto = "AUTO "
	}
	by := "(" + quoteIdents(t.Partitioning.Columns) + ")"
	if t.Partitioning.AutoExpr != "" {
		by = " (" + t.Partitioning.AutoExpr + ")"
	} else if auto != "" {
		by = " " + by
	}
	var items []string
	for _, p := range rangetext.Sorted(t, t.Partitions) {
		items = append(items, "PARTITION "+p.Name+valuesText(t, p.Item, false))
	}
	return []string{auto + "PARTITION BY " + string(t.Partitioning.Kind) + by, "(" + strings.Join(items, ",\n") + ")"}
}

// valuesText prints " VALUES ..." of an item; nothing for a default list
// partition. The fragments of ADD PARTITION binlogs wrap single LIST values too
// (doris-binlogs.md 2.4).
func valuesText(t *catalog.Table, item catalog.Item, wrapSingle bool) string {
	kinds := rangetext.Kinds(t)
	switch {
	case t.Partitioning.Kind == catalog.RangePartition:
		return fmt.Sprintf(" VALUES [(%s), (%s))", boundText(kinds, item.Lower), boundText(kinds, item.Upper))
	case item.Default || t.Partitioning.Kind == catalog.Unpartitioned:
		return ""
	}
	var keys []string
	for _, key := range item.In {
		text := boundText(kinds, key)
		if wrapSingle || len(key) > 1 {
			text = "(" + text + ")"
		}
		keys = append(keys, text)
	}
	return " VALUES IN (" + strings.Join(keys, ",") + ")"
}

// oldBounds prints bounds as versions before 2.1.8 and 3.0.4 do: without a comma
// between MAXVALUE and NULL (doris-sql.md 3.7).
func (e *Executor) oldBounds(line string) string {
	if e.core.Version() == core.VersionNew {
		return line
	}
	for before := ""; before != line; {
		before = line
		for _, pair := range [][2]string{{"MAXVALUE", "MAXVALUE"}, {"NULL", "MAXVALUE"}, {"MAXVALUE", "NULL"}, {"NULL", "NULL"}} {
			line = strings.ReplaceAll(line, pair[0]+", "+pair[1], pair[0]+pair[1])
		}
	}
	return line
}

// boundText prints "v1", "v2"; dates have single quotes, MAXVALUE and NULL are
// bare.
func boundText(kinds []types.Kind, b catalog.Bound) string {
	values := make([]string, len(b))
	for i, v := range b {
		values[i] = rangetext.ValueText(kinds[i], v)
		switch {
		case v.MaxValue || v.Value == nil:
		case kinds[i] == types.Date || kinds[i] == types.DateTime:
			values[i] = "'" + values[i] + "'"
		default:
			values[i] = quoteText(values[i])
		}
	}
	return strings.Join(values, ", ")
}

// distributionText prints what follows DISTRIBUTED BY.
func distributionText(d catalog.Distribution, auto bool) string {
	text := "RANDOM"
	if d.Kind == catalog.HashDistribution {
		text = "HASH(" + quoteIdents(d.Columns) + ")"
	}
	if auto {
		return text + " BUCKETS AUTO"
	}
	return text + " BUCKETS " + strconv.Itoa(d.Buckets)
}

// showCreateView prints a view. Its column list has become aliases, the comments
// of its columns are lost, and its own is printed raw (doris-sql.md 3.4).
func showCreateView(t *catalog.Table) string {
	text := "CREATE VIEW " + parser.QuoteIdent(t.Name)
	if t.Comment != "" {
		text += " COMMENT '" + t.Comment + "'"
	}
	return text + " AS " + t.ViewDefinition + ";"
}

// ShowCreateDatabase prints a database as SHOW CREATE DATABASE does
// (doris-sql.md 3.5). The caller holds the metadata lock.
func (e *Executor) ShowCreateDatabase(db *catalog.Database) string {
	text := "CREATE DATABASE " + parser.QuoteIdent(db.Name)
	if len(db.Properties) == 0 {
		return text
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(db.Properties)) {
		lines = append(lines, quoteText(key)+" = "+quoteText(db.Properties[key]))
	}
	return text + "\nPROPERTIES (\n" + strings.Join(lines, ",\n") + "\n)"
}
