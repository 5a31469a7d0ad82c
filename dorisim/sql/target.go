package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/load"
	"github.com/doris-ccr/ccr/dorisim/sql/query"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// Hidden columns of UNIQUE tables (doris-sql.md 5.3).
const (
	deleteSignColumn = "__DORIS_DELETE_SIGN__"
	sequenceColumn   = "__DORIS_SEQUENCE_COL__"
)

// target is the table that a statement writes, as it was when the statement
// began.
type target struct {
	dbID, tableID  int64
	database, name string
	keys           types.KeysType
	columns        []types.Column // all of them, hidden ones included
	sequenceFrom   int            // column that the hidden sequence column copies, -1 = none
	partitions     []string
	temporary      bool
	auto           bool // has AUTO partitions
}

// target looks a table up.
func (s *session) target(database, name string) (*target, error) {
	if database == "" {
		database = s.db
	}
	if database == "" {
		return nil, errNoDatabase()
	}
	if err := s.mayWrite(); err != nil {
		return nil, err
	}
	if err := s.needTable(core.LoadPriv, "LOAD", database, name); err != nil {
		return nil, err
	}
	c := s.server.core
	c.RLock()
	defer c.RUnlock()
	db, ok := c.Database(database)
	if !ok {
		return nil, core.Errorf("Database [%s] does not exist.", database)
	}
	t, ok := db.Tables[name]
	if !ok {
		return nil, errNoTable(database, name)
	}
	if err := load.CheckTable(t); err != nil {
		return nil, err
	}
	schema := &t.Indexes[t.BaseIndexID].Schema
	out := &target{
		dbID: db.ID, tableID: t.ID, database: db.Name, name: t.Name, keys: t.Keys,
		columns: slices.Clone(schema.Columns), sequenceFrom: -1, auto: t.Partitioning.Auto,
	}
	if from := t.Properties["function_column.sequence_col"]; from != "" {
		out.sequenceFrom = schema.ColumnIndex(from)
	}
	return out, nil
}

func (t *target) columnIndex(name string) int {
	return slices.IndexFunc(t.columns, func(c types.Column) bool { return strings.EqualFold(c.Name, name) })
}

func (t *target) columnNames() []string {
	names := make([]string, len(t.columns))
	for i := range t.columns {
		names[i] = t.columns[i].Name
	}
	return names
}

// insertColumns are the positions of the columns that an INSERT gives values
// for: the named ones, or all visible ones.
func (t *target) insertColumns(names []string) ([]int, error) {
	var list []int
	for i := range t.columns {
		if names == nil && !t.columns[i].Hidden {
			list = append(list, i)
		}
	}
	for _, name := range names {
		i := t.columnIndex(name)
		switch {
		case i < 0:
			return nil, core.CodeErrorf(codeUnknownColumn, "Unknown column '%s' in '%s'", name, t.name)
		case slices.Contains(list, i):
			return nil, core.Errorf("Column '%s' specified twice", name)
		}
		list = append(list, i)
	}
	return list, nil
}

// errGenerated refuses a value for a generated column.
func (t *target) errGenerated(c *types.Column) error {
	return core.Errorf("The value specified for generated column '%s' in table '%s' is not allowed.", c.Name, t.name)
}

// useDefault stands for a value that the statement does not give.
type useDefault struct{}

// rows turns the given values, which belong to the columns at positions, into
// complete rows. Rows that cannot be stored fail the statement in strict mode,
// and are counted as filtered otherwise.
func (s *session) rows(ctx context.Context, t *target, positions []int, given [][]types.Value) (rows []types.Row, filtered int, err error) {
	strict := s.flag("enable_insert_strict")
	defaults, err := s.defaults(t, positions, given)
	if err != nil {
		return nil, 0, err
	}
	rows = make([]types.Row, 0, len(given))
	for _, values := range given {
		row, err := s.row(t, positions, values, defaults, strict)
		var bad *load.RowError
		switch {
		case errors.As(err, &bad) && !strict:
			filtered++
			continue
		case errors.As(err, &bad):
			return nil, 0, bad.Refusal()
		case err != nil:
			return nil, 0, err
		}
		rows = append(rows, row)
	}
	return rows, filtered, s.generate(ctx, t, rows)
}

func (s *session) row(t *target, positions []int, values []types.Value, defaults []defaultValue, strict bool) (types.Row, error) {
	row := make(types.Row, len(t.columns))
	for i := range row {
		row[i] = useDefault{}
	}
	for i, at := range positions {
		row[at] = values[i]
		if values[i] == nil && t.columns[at].AutoInc {
			row[at] = useDefault{}
		}
	}
	for i := range row {
		if _, ok := row[i].(useDefault); ok {
			value, err := defaults[i].next(&t.columns[i])
			if err != nil {
				return nil, err
			}
			row[i] = value
			continue
		}
		var err error
		if row[i], err = load.Cell(&t.columns[i], row[i], strict); err != nil {
			return nil, err
		}
	}
	if t.sequenceFrom >= 0 {
		if hidden := t.columnIndex(sequenceColumn); hidden >= 0 {
			row[hidden] = row[t.sequenceFrom]
		}
	}
	return row, nil
}

// defaultValue is the default of one column; auto-increment ones give another
// value each time.
type defaultValue struct {
	value types.Value
	auto  *int64
	none  bool
}

func (d defaultValue) next(c *types.Column) (types.Value, error) {
	switch {
	case d.auto != nil:
		*d.auto++
		return *d.auto - 1, nil
	case d.none:
		return nil, core.Errorf("Column has no default value, column=%s", c.Name)
	}
	return d.value, nil
}

// defaults prepares the defaults of all columns and reserves as many
// auto-increment values as the rows may need.
func (s *session) defaults(t *target, positions []int, given [][]types.Value) ([]defaultValue, error) {
	list := make([]defaultValue, len(t.columns))
	for i := range t.columns {
		c := &t.columns[i]
		var err error
		switch {
		case c.AutoInc:
			list[i].auto = s.reserveAutoIncrement(t, c, len(given))
		case c.Generated != "":
		case c.Default != nil && c.DefaultExpr:
			list[i].value, err = s.defaultExpression(c)
		case c.Default != nil:
			list[i].value, err = load.Cell(c, *c.Default, true)
		case c.Nullable:
		case c.Hidden:
			list[i].value, err = load.Cell(c, "0", true)
		case slices.Contains(positions, i):
			list[i].none = true // needed only if a row says DEFAULT
		default:
			err = core.Errorf("Column has no default value, column=%s", c.Name)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// defaultExpression evaluates CURRENT_TIMESTAMP and the empty objects.
func (s *session) defaultExpression(c *types.Column) (types.Value, error) {
	text := strings.ToUpper(*c.Default)
	switch {
	case strings.HasPrefix(text, "CURRENT_TIMESTAMP"), strings.HasPrefix(text, "NOW"):
		return types.Parse(types.FormatTime(s.server.core.Now().Local(), c.Type.Scale), c.Type)
	case strings.HasPrefix(text, "CURRENT_DATE"):
		return types.Parse(types.FormatTime(s.server.core.Now().Local(), 0), c.Type)
	case strings.HasPrefix(text, "PI"):
		return types.Parse("3.141592653589793", c.Type)
	case strings.HasPrefix(text, "E"):
		return types.Parse("2.718281828459045", c.Type)
	}
	return "", nil // BITMAP_EMPTY and the like
}

func (s *session) reserveAutoIncrement(t *target, c *types.Column, n int) *int64 {
	s.server.core.Lock()
	defer s.server.core.Unlock()
	next := max(c.AutoIncInit, 1)
	if _, table, ok := s.server.core.TableByID(t.tableID); ok {
		next = max(next, table.NextAutoInc)
		table.NextAutoInc = next + int64(n)
	}
	return &next
}

// rowsName is the relation under which generate reads the new rows.
const rowsName = "\x01rows"

// generate fills generated columns, evaluating their expressions over the rows.
func (s *session) generate(ctx context.Context, t *target, rows []types.Row) error {
	for i := range t.columns {
		c := &t.columns[i]
		if c.Generated == "" || len(rows) == 0 {
			continue
		}
		cells, err := s.evaluate(ctx, t, c.Generated, rows)
		if err != nil {
			return fmt.Errorf("evaluate generated column %s: %w", c.Name, err)
		}
		for n, row := range rows {
			if row[i], err = load.Cell(c, cellValue(cells[n][0]), true); err != nil {
				return refused(err)
			}
		}
	}
	return nil
}

func (s *session) evaluate(ctx context.Context, t *target, expression string, rows []types.Row) ([][]sqltypes.Value, error) {
	c, err := newCursor("SELECT " + expression + " FROM " + quoteName(rowsName))
	if err != nil {
		return nil, asRefusal(err)
	}
	rel := &query.Relation{Name: rowsName, Columns: t.columns, Rows: func(context.Context) ([]types.Row, error) { return rows, nil }}
	text, err := s.rewrite(c)
	if err != nil {
		return nil, err
	}
	from := relations{session: s, extra: map[string]*query.Relation{rowsName: rel}}
	result, err := s.server.engine.Run(ctx, from, informationSchema, text)
	if err != nil {
		return nil, s.queryError(err)
	}
	if len(result.Rows) != len(rows) {
		return nil, core.Errorf("%d values for %d rows", len(result.Rows), len(rows))
	}
	return result.Rows, nil
}

// cellValue is a result cell as a value: its text, or NULL.
func cellValue(v sqltypes.Value) types.Value {
	if v.IsNull() {
		return nil
	}
	return v.ToString()
}

// batch is what load needs of the rows.
func (t *target) batch(rows []types.Row) load.Batch {
	return load.Batch{DB: t.dbID, Table: t.tableID, Columns: t.columnNames(), Rows: rows, Partitions: t.partitions, Temporary: t.temporary}
}

// opaque tells whether expressions for a column are kept as text, which the
// simulator does not evaluate.
func opaque(k types.Kind) bool {
	return k == types.QuantileState || k == types.Array || k == types.Map
}
