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
	// versions lets the hidden version column say what Doris' says, which costs a
	// scan that is not kept.
	versions bool
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
	from := fromName(name)
	if err := r.session.needTable(core.SelectPriv, "SELECT", database, from.table); err != nil {
		return nil, err
	}
	c := r.session.server.core
	c.RLock()
	defer c.RUnlock()
	db, ok := c.Database(database)
	if !ok {
		return nil, nil
	}
	t, ok := db.Tables[from.table]
	if !ok {
		return nil, nil
	}
	switch {
	case t.Kind.External():
		return nil, core.Errorf("dorisim has no connection to the %s table %s", t.Kind, t.Name)
	case t.Kind != catalog.OLAP:
		return r.session.viewRelation(db, t)
	}
	shown := visibility{hidden: r.hidden, versions: r.versions}
	if r.session.flag("show_hidden_columns") {
		shown = visibility{hidden: true, versions: true, deleted: !r.hidden}
	}
	return r.session.tableRelation(t, from, shown)
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

// tableRelation needs core's read lock; its rows are read without it.
func (s *session) tableRelation(t *catalog.Table, from fromClause, shown visibility) (*query.Relation, error) {
	partitions, err := partitionsToRead(t, from.partitions, from.temporary)
	if err != nil {
		return nil, err
	}
	idx, err := indexToRead(t, from.index)
	if err != nil {
		return nil, err
	}
	what, err := s.scanOf(idx.ID, from.tablets)
	if err != nil {
		return nil, err
	}
	columns := idx.Schema.Columns
	if shown.hidden {
		columns = withMarks(&idx.Schema)
	}
	v := newView(columns, shown.hidden)
	rel := &query.Relation{Name: from.name(), Columns: v.columns}
	rel.Rows = func(ctx context.Context) ([]types.Row, error) {
		var all []types.Row
		for _, p := range partitions {
			rows, err := s.scanned(ctx, t, p, what, v, shown)
			if err != nil {
				return nil, err
			}
			all = append(all, rows...)
		}
		return all, nil
	}
	return rel, nil
}

// indexToRead is the base index, or the one that FROM names.
func indexToRead(t *catalog.Table, name string) (*catalog.Index, error) {
	if name == "" {
		return t.Indexes[t.BaseIndexID], nil
	}
	for _, idx := range t.Indexes {
		if indexName(t, idx.ID) == name {
			return idx, nil
		}
	}
	return nil, core.Errorf("Table %s doesn't have materialized view %s", t.Name, name)
}

// scanOf heeds the variables that choose a replica (doris-sql.md 5.9).
func (s *session) scanOf(index int64, tablets []int64) (core.Scan, error) {
	if err := s.checkWorkloadGroup(); err != nil {
		return core.Scan{}, err
	}
	text, _ := s.variable("use_fix_replica")
	replica, err := strconv.Atoi(text)
	if err != nil {
		return core.Scan{}, fmt.Errorf("use_fix_replica: %w", err)
	}
	return core.Scan{IndexID: index, Tablets: tablets, Replica: max(replica, core.AnyReplica), Fallback: s.flag("fallback_other_replica_when_fixed_corrupt")}, nil
}

// partitionsToRead refuses partitions under restore (doris-sql.md 4.7).
func partitionsToRead(t *catalog.Table, only []string, temporary bool) ([]*catalog.Partition, error) {
	from := t.Partitions
	if temporary {
		from = t.Temporary
	}
	list, missing := catalog.FindPartitions(from, only)
	if missing != "" {
		return nil, core.Errorf("PARTITION: %s not found in table: %s", missing, t.Name)
	}
	if only == nil {
		list = formalPartitions(t)
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
