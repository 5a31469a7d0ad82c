package sql

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/sql/query"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// relations is what a session's SELECT can read; it implements query.Catalog.
type relations struct {
	session *session
	// extra are relations of this statement only, by name, in any database.
	extra map[string]*query.Relation
	// hidden shows hidden columns to UPDATE and DELETE. The session variable
	// show_hidden_columns does that too, and shows deleted rows.
	hidden bool
	// objects shows values of HLL, BITMAP and the like, as the session variable
	// return_object_data_as_binary does.
	objects bool
}

// ShowsObjects implements query.ShowsObjects.
func (r relations) ShowsObjects() bool {
	return r.objects || r.session.flag("return_object_data_as_binary")
}

// HasDatabase implements query.Catalog.
func (r relations) HasDatabase(name string) bool { return r.session.hasDatabase(name) }

// Relation implements query.Catalog.
func (r relations) Relation(_ context.Context, database, name string) (*query.Relation, error) {
	if rel, ok := r.extra[name]; ok {
		return rel, nil
	}
	if strings.EqualFold(database, informationSchema) {
		return r.session.informationSchema(name)
	}
	table, partitions, temporary := splitPartitions(name)
	if err := r.session.needTable(core.SelectPriv, "SELECT", database, table); err != nil {
		return nil, err
	}
	c := r.session.server.core
	c.RLock()
	defer c.RUnlock()
	db, ok := c.Database(database)
	if !ok {
		return nil, nil
	}
	t, ok := db.Tables[table]
	if !ok {
		return nil, nil
	}
	switch {
	case t.Kind.External():
		return nil, core.Errorf("dorisim has no connection to the %s table %s", t.Kind, t.Name)
	case t.Kind != catalog.OLAP:
		return r.session.viewRelation(db, t)
	}
	shown := visibility{
		hidden:  r.hidden || r.session.flag("show_hidden_columns"),
		deleted: !r.hidden && r.session.flag("show_hidden_columns"),
	}
	return r.session.tableRelation(t, name, partitions, temporary, shown)
}

// splitPartitions undoes the name that partitionClause made.
func splitPartitions(name string) (table string, partitions []string, temporary bool) {
	mark := partitionMark
	if strings.Contains(name, temporaryMark) {
		mark, temporary = temporaryMark, true
	}
	table, list, ok := strings.Cut(name, mark)
	if ok {
		partitions = strings.Split(list, ",")
	}
	return table, partitions, temporary
}

// viewRelation needs core's read lock.
func (s *session) viewRelation(db *catalog.Database, v *catalog.Table) (*query.Relation, error) {
	c, err := newCursor(v.ViewDefinition)
	if err != nil {
		return nil, asRefusal(err)
	}
	definition, err := s.rewriteIn(db.Name, c)
	if err != nil {
		return nil, err
	}
	create := "CREATE VIEW " + quoteName(v.Name)
	if len(v.ViewColumns) > 0 {
		names := make([]string, len(v.ViewColumns))
		for i, column := range v.ViewColumns {
			names[i] = quoteName(column.Name)
		}
		create += " (" + strings.Join(names, ", ") + ")"
	}
	return &query.Relation{Name: v.Name, View: definition, Create: create + " AS " + definition}, nil
}

// visibility says what a SELECT shows of a table.
type visibility struct{ hidden, deleted bool }

// tableRelation needs core's read lock; its rows are read without it.
func (s *session) tableRelation(t *catalog.Table, name string, only []string, temporary bool, shown visibility) (*query.Relation, error) {
	read, err := partitionsToRead(t, only, temporary)
	if err != nil {
		return nil, err
	}
	base := t.Indexes[t.BaseIndexID]
	rel := &query.Relation{Name: name}
	columns := base.Schema.Columns
	var marks []types.Value // of rows that are not deleted
	if shown.hidden {
		columns = withMarks(&base.Schema)
		marks = make([]types.Value, len(columns)-len(base.Schema.Columns))
		for i := range marks {
			marks[i] = int64(0)
		}
	}
	var visible []int // stored columns, or -1, -2... for marks
	at, mark := 0, 0
	for _, column := range columns {
		from := at
		if isMark(&column) {
			mark--
			from = mark
		} else {
			at++
		}
		if !shown.hidden && column.Hidden {
			continue
		}
		visible = append(visible, from)
		rel.Columns = append(rel.Columns, column)
	}
	rel.Rows = func(ctx context.Context) ([]types.Row, error) {
		var all []types.Row
		for _, p := range read {
			var rows, deleted []types.Row
			var err error
			if len(marks) > 0 && shown.deleted {
				rows, deleted, err = s.server.core.ScanMarked(ctx, t, p, base.ID)
			} else {
				rows, err = s.server.core.Scan(ctx, t, p, base.ID)
			}
			if err != nil {
				return nil, err
			}
			if len(marks) > 0 || len(visible) < len(base.Schema.Columns) {
				rows = picked(rows, visible, marks...)
			}
			all = append(all, rows...)
			all = append(all, picked(deleted, visible, int64(1), int64(0))...)
		}
		return all, nil
	}
	return rel, nil
}

// picked takes columns out of rows; -1, -2... are values of markColumns.
func picked(rows []types.Row, columns []int, marks ...types.Value) []types.Row {
	out := make([]types.Row, len(rows))
	for i, row := range rows {
		cells := make(types.Row, len(columns))
		for j, from := range columns {
			switch {
			case from < 0:
				cells[j] = marks[-from-1]
			case from < len(row):
				cells[j] = row[from]
			}
		}
		out[i] = cells
	}
	return out
}

// partitionsToRead refuses partitions under restore (doris-sql.md 4.7).
func partitionsToRead(t *catalog.Table, only []string, temporary bool) ([]*catalog.Partition, error) {
	from := t.Partitions
	if temporary {
		from = t.Temporary
	}
	var list []*catalog.Partition
	if only == nil {
		list = formalPartitions(t)
	}
	for _, name := range only {
		p := findPartition(from, name)
		if p == nil {
			return nil, core.Errorf("PARTITION: %s not found in table: %s", name, t.Name)
		}
		list = append(list, p)
	}
	for _, p := range list {
		if err := core.CheckSelect(p); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// staticRows are rows of text that exist already.
func staticRows(cells [][]string) func(context.Context) ([]types.Row, error) {
	return func(context.Context) ([]types.Row, error) {
		rows := make([]types.Row, len(cells))
		for i, line := range cells {
			rows[i] = make(types.Row, len(line))
			for j, cell := range line {
				if cell != null {
					rows[i][j] = cell
				}
			}
		}
		return rows, nil
	}
}

// tableFunction returns the relation that a table function stands for.
func (s *session) tableFunction(name, arguments string) (*query.Relation, error) {
	if name == "frontends" || name == "backends" {
		if err := s.needGlobal(operator, "ADMIN/OPERATOR"); err != nil {
			return nil, err
		}
	}
	switch name {
	case "frontends":
		return s.showFrontends().relation(name), nil
	case "backends":
		return s.showBackends().relation(name), nil
	case "numbers":
		parts := strings.Split(arguments, ",")
		n, err := strconv.Atoi(parts[len(parts)-1])
		if err != nil || n < 0 || n > maxNumbers {
			return nil, core.Errorf("cannot parse param value %s", arguments)
		}
		return numbers(n), nil
	}
	return nil, core.Errorf("Could not find table function %s", name)
}

// maxNumbers bounds the table function numbers().
const maxNumbers = 10_000_000

func numbers(n int) *query.Relation {
	return &query.Relation{
		Name:    "numbers",
		Columns: []types.Column{{Name: "number", Type: types.Type{Kind: types.BigInt}}},
		Rows: func(context.Context) ([]types.Row, error) {
			rows := make([]types.Row, n)
			for i := range rows {
				rows[i] = types.Row{int64(i)}
			}
			return rows, nil
		},
	}
}

// informationSchema returns the name of the database and, as a method, its
// tables.
const informationSchema = "information_schema"

func (s *session) informationSchema(name string) (*query.Relation, error) {
	if strings.HasPrefix(name, functionMark) {
		parts := strings.Split(name, functionMark)
		rel, err := s.tableFunction(parts[1], parts[2])
		if rel != nil {
			rel.Name = name
		}
		return rel, err
	}
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	switch strings.ToLower(name) {
	case "tables":
		return s.schemaTables().relation(name), nil
	case "columns":
		return s.schemaColumns().relation(name), nil
	case "schemata":
		return s.schemata().relation(name), nil
	case "partitions":
		return s.schemaPartitions().relation(name), nil
	case "views":
		return s.schemaViews().relation(name), nil
	case "session_variables", "global_variables":
		return s.showVariables().relation(name), nil
	}
	return nil, fmt.Errorf("%w: %s.%s", query.ErrUnknownTable, informationSchema, name)
}
