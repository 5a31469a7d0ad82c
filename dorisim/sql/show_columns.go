package sql

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// column is what SHOW COLUMNS, DESC and information_schema tell of one.
type column struct {
	types.Column
	typeText string
}

// columnsOf lists the visible columns of a table. A view's columns come from
// the query engine. No lock may be held.
func (s *session) columnsOf(ctx context.Context, database, table string) (columns []column, t *catalog.Table, err error) {
	err = s.withTable("DESCRIBE", database, table, func(_ *catalog.Database, found *catalog.Table) error {
		t = found
		if t.Kind == catalog.OLAP || t.Kind.External() {
			columns = s.schemaColumnsOf(&t.Indexes[t.BaseIndexID].Schema)
		}
		return nil
	})
	if err != nil || t.Kind == catalog.OLAP || t.Kind.External() {
		return columns, t, err
	}
	columns, err = s.viewColumns(ctx, database, table)
	return columns, t, err
}

func (s *session) schemaColumnsOf(schema *types.Schema) []column {
	shown := schema.Columns
	if s.flag("show_hidden_columns") {
		shown = withMarks(schema)
	}
	var list []column
	for _, c := range shown {
		if !c.Hidden || s.flag("show_hidden_columns") {
			list = append(list, column{Column: c, typeText: parser.FormatType(c.Type)})
		}
	}
	return list
}

// viewColumns asks the engine what the view's SELECT gives.
func (s *session) viewColumns(ctx context.Context, database, view string) ([]column, error) {
	c, err := newCursor("SELECT * FROM " + quoteName(database) + "." + quoteName(view) + " LIMIT 0")
	if err != nil {
		return nil, asRefusal(err)
	}
	result, err := s.query(ctx, c, relations{session: s})
	if err != nil {
		return nil, err
	}
	var list []column
	for _, f := range result.Fields {
		text := "text"
		switch {
		case sqltypes.IsIntegral(f.Type):
			text = "bigint"
		case sqltypes.IsFloat(f.Type):
			text = "double"
		case f.Type == sqltypes.Decimal:
			text = "decimal(38,9)"
		case f.Type == sqltypes.Date:
			text = "date"
		case f.Type == sqltypes.Datetime:
			text = "datetime"
		}
		list = append(list, column{Column: types.Column{Name: f.Name, Nullable: true}, typeText: text})
	}
	return list, nil
}

// extra is the Extra column: aggregation and other attributes.
func (c column) extra(t *catalog.Table) string {
	var parts []string
	switch {
	case c.Key:
	case t != nil && t.Kind == catalog.View:
	case c.Agg != "" && c.Agg != "NONE" && !mergeOnWrite(t):
		parts = append(parts, string(c.Agg))
	default:
		parts = append(parts, "NONE")
	}
	if t != nil {
		for name := range strings.SplitSeq(t.Properties["bloom_filter_columns"], ",") {
			if strings.EqualFold(strings.TrimSpace(name), c.Name) {
				parts = append(parts, "BLOOM_FILTER")
			}
		}
	}
	if c.AutoInc {
		parts = append(parts, "AUTO_INCREMENT")
	}
	if c.Generated != "" {
		parts = append(parts, "STORED GENERATED")
	}
	return strings.Join(parts, ",")
}

// internalType is the column's type by the FE's own name.
func (c column) internalType() string {
	switch c.Type.Kind {
	case types.Date:
		return "datev2"
	case types.DateTime:
		return fmt.Sprintf("datetimev2(%d)", c.Type.Scale)
	case types.Decimal:
		return strings.Replace(c.typeText, "decimal(", "decimalv3(", 1)
	}
	return c.typeText
}

// shownType is how DESC ALL spells a type.
func (c column) shownType() string {
	if c.Type.Kind == types.DateTime {
		return strings.ToUpper(c.typeText)
	}
	return c.typeText
}

// mergeOnWrite tells whether the columns of a table aggregate nothing.
func mergeOnWrite(t *catalog.Table) bool {
	return t != nil && t.Keys == types.UniqueKeys && t.Properties["enable_unique_key_merge_on_write"] == "true"
}

func (c column) defaultText() string {
	if c.Default == nil {
		return null
	}
	return *c.Default
}

func yes(b bool, y, n string) string {
	if b {
		return y
	}
	return n
}

// showColumns is SHOW [FULL] COLUMNS FROM t (doris-sql.md 5.6).
func (s *session) showColumns(ctx context.Context, c *cursor, full bool) (*sqltypes.Result, error) {
	database, table, err := s.fromTable(c)
	if err != nil {
		return nil, err
	}
	columns, t, err := s.columnsOf(ctx, database, table)
	if err != nil {
		return nil, err
	}
	l := newListing("Field", "Type", "Null", "Key", "Default", "Extra")
	if full {
		l = newListing("Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment")
	}
	for _, c := range columns {
		extra := c.extra(t)
		if full {
			l.add(c.Name, c.internalType(), "", yes(c.Nullable, "YES", "NO"), yes(c.Key, "YES", "NO"), c.defaultText(), extra, "", c.Comment)
		} else {
			l.add(c.Name, c.internalType(), yes(c.Nullable, "YES", "NO"), yes(c.Key, "YES", "NO"), c.defaultText(), extra)
		}
	}
	return s.filter(ctx, c, l, "Field", true)
}

// describe is DESC t [ALL].
func (s *session) describe(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	c.keyword("TABLE")
	if c.peek().Is("SELECT") {
		return s.explain(ctx, c)
	}
	database, table, err := c.name()
	if err != nil {
		return nil, err
	}
	all := c.keyword("ALL")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if database, err = s.database(database); err != nil {
		return nil, err
	}
	columns, t, err := s.columnsOf(ctx, database, table)
	if err != nil {
		return nil, err
	}
	if all && t.Kind == catalog.OLAP {
		return s.describeAll(database, table)
	}
	l := newListing("Field", "Type", "Null", "Key", "Default", "Extra")
	for _, c := range columns {
		l.add(c.Name, c.typeText, yes(c.Nullable, "Yes", "No"), c.Key, c.defaultText(), c.extra(t))
	}
	return l.result(), nil
}

// describeAll prints every index; its name stands on its first row, and a row of
// empty texts lies between two indexes (doris-sql.md 5.6).
func (s *session) describeAll(database, table string) (*sqltypes.Result, error) {
	l := newListing("IndexName", "IndexKeysType", "Field", "Type", "InternalType", "Null", "Key", "Default", "Extra", "Visible", "DefineExpr", "WhereClause")
	err := s.withTable("DESCRIBE", database, table, func(_ *catalog.Database, t *catalog.Table) error {
		for _, idx := range core.SortedIndexes(t) {
			if idx.State == catalog.IndexShadow {
				continue
			}
			if len(l.rows) > 0 {
				l.rows = append(l.rows, make([]string, len(l.titles)))
			}
			name, keys, where := indexName(t, idx.ID), keysType(idx.Schema.Keys), idx.Where
			for _, c := range s.schemaColumnsOf(&idx.Schema) {
				shown, expression := c.Name, ""
				if idx.Statement != "" && !c.Hidden {
					shown, expression = viewColumnName(c)
				}
				l.add(name, keys, shown, c.shownType(), c.internalType(), yes(c.Nullable, "Yes", "No"), c.Key, c.defaultText(), c.extra(t), true, expression, where)
				name, keys, where = "", "", ""
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l.result(), nil
}

// viewColumnName is how a synchronous materialized view calls a column, and the
// expression behind it: mv_ before a plain one, mva_SUM__ before an aggregate.
func viewColumnName(c column) (name, expression string) {
	expression = quoteName(c.Name)
	if c.Define != "" {
		expression = c.Define
		if c.Agg == "" || c.AggImplicit {
			return "mv_" + expression, expression
		}
	}
	if c.Key || c.AggImplicit || c.Agg == "" {
		return "mv_" + c.Name, expression
	}
	return "mva_" + string(c.Agg) + "__" + expression, expression
}

func keysType(k types.KeysType) string {
	switch k {
	case types.UniqueKeys:
		return "UNIQUE_KEYS"
	case types.AggKeys:
		return "AGG_KEYS"
	}
	return "DUP_KEYS"
}

// The tables of information_schema (doris-sql.md 2.6). All need core's read lock.

// shownTables are the tables and views on which the account has any privilege.
func (s *session) shownTables() iter.Seq2[*catalog.Database, *catalog.Table] {
	return func(yield func(*catalog.Database, *catalog.Table) bool) {
		account := s.account()
		for _, db := range s.databases() {
			for _, t := range sortedTables(db) {
				if account.May(core.ShowPriv, db.Name, t.Name) && !yield(db, t) {
					return
				}
			}
		}
	}
}

func (s *session) schemaTables() *listing {
	l := newListing("TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "TABLE_TYPE", "ENGINE", "VERSION", "ROW_FORMAT", "TABLE_ROWS",
		"AVG_ROW_LENGTH", "DATA_LENGTH", "MAX_DATA_LENGTH", "INDEX_LENGTH", "DATA_FREE", "AUTO_INCREMENT", "CREATE_TIME", "UPDATE_TIME",
		"CHECK_TIME", "TABLE_COLLATION", "CHECKSUM", "CREATE_OPTIONS", "TABLE_COMMENT")
	for db, t := range s.shownTables() {
		kind, engine := "BASE TABLE", "Doris"
		if t.Kind == catalog.View {
			kind, engine = "VIEW", "View"
		}
		stats := s.server.core.TableStats(t)
		average := int64(0)
		if stats.Rows > 0 {
			average = stats.Bytes / stats.Rows
		}
		l.add(internalCatalog, db.Name, t.Name, kind, engine, null, null, stats.Rows,
			average, stats.Bytes, null, 0, null, null, s.timeText(t.Created), s.updateTime(t),
			null, "utf-8", null, null, t.Comment)
	}
	return l
}

func (s *session) schemaColumns() *listing {
	l := newListing("TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "ORDINAL_POSITION", "COLUMN_DEFAULT", "IS_NULLABLE",
		"DATA_TYPE", "CHARACTER_MAXIMUM_LENGTH", "NUMERIC_PRECISION", "NUMERIC_SCALE", "DATETIME_PRECISION", "COLUMN_TYPE", "COLUMN_KEY",
		"EXTRA", "COLUMN_COMMENT")
	for db, t := range s.shownTables() {
		if t.Kind != catalog.OLAP {
			continue
		}
		for i, c := range s.schemaColumnsOf(&t.Indexes[t.BaseIndexID].Schema) {
			kind, _, _ := strings.Cut(c.typeText, "(")
			key := ""
			if c.Key {
				key = strings.TrimSuffix(keysType(t.Keys), "_KEYS")[:3]
			}
			l.add(internalCatalog, db.Name, t.Name, c.Name, i+1, c.defaultText(), yes(c.Nullable, "YES", "NO"),
				kind, positive(c.Type.Len), positive(c.Type.Precision), positive(c.Type.Scale), null, c.typeText, key,
				c.extra(t), c.Comment)
		}
	}
	return l
}

func positive(n int) any {
	if n <= 0 {
		return nil
	}
	return n
}

func (s *session) schemata() *listing {
	l := newListing("CATALOG_NAME", "SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME", "SQL_PATH")
	for _, name := range systemDatabases {
		l.add(internalCatalog, name, "utf8mb4", "utf8mb4_0900_bin", null)
	}
	for _, db := range s.databases() {
		if !s.sees(db.Name) {
			continue
		}
		l.add(internalCatalog, db.Name, "utf8mb4", "utf8mb4_0900_bin", null)
	}
	return l
}

func (s *session) schemaPartitions() *listing {
	l := newListing("PARTITION_ID", "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "PARTITION_NAME", "PARTITION_METHOD", "PARTITION_EXPRESSION", "PARTITION_DESCRIPTION")
	for db, t := range s.shownTables() {
		if t.Kind != catalog.OLAP {
			continue
		}
		listing := s.partitionListing(t, false).project("PartitionId", "PartitionName", "Range")
		for _, row := range listing.rows {
			l.add(row[0], internalCatalog, db.Name, t.Name, row[1], yes(t.Partitioning.Kind == "", "UNPARTITIONED", string(t.Partitioning.Kind)),
				strings.Join(t.Partitioning.Columns, ", "), row[2])
		}
	}
	return l
}

func (s *session) schemaViews() *listing {
	l := newListing("TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "VIEW_DEFINITION", "CHECK_OPTION", "IS_UPDATABLE", "DEFINER", "SECURITY_TYPE", "CHARACTER_SET_CLIENT", "COLLATION_CONNECTION")
	for db, t := range s.shownTables() {
		if t.Kind == catalog.View {
			l.add(internalCatalog, db.Name, t.Name, t.ViewDefinition, "NONE", "NO", "root@%", "", "utf8mb4", "utf8mb4_0900_bin")
		}
	}
	return l
}
