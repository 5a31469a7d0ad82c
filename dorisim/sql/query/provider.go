package query

import (
	"context"
	"fmt"
	"io"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// session carries the statement's catalog to the provider.
type session struct {
	*sql.BaseSession
	catalog Catalog
}

func catalogOf(ctx *sql.Context) Catalog {
	if s, ok := ctx.Session.(*session); ok {
		return s.catalog
	}
	return noCatalog{}
}

type noCatalog struct{}

func (noCatalog) HasDatabase(string) bool { return false }
func (noCatalog) Relation(context.Context, string, string) (*Relation, error) {
	return nil, nil
}

// provider hands out the databases of the statement's catalog.
type provider struct{}

// Database implements sql.DatabaseProvider.
func (provider) Database(ctx *sql.Context, name string) (sql.Database, error) {
	if !catalogOf(ctx).HasDatabase(name) {
		return nil, sql.ErrDatabaseNotFound.New(name)
	}
	return database{name: name}, nil
}

// HasDatabase implements sql.DatabaseProvider.
func (provider) HasDatabase(ctx *sql.Context, name string) bool {
	return catalogOf(ctx).HasDatabase(name)
}

// AllDatabases implements sql.DatabaseProvider; nothing in a SELECT needs it.
func (provider) AllDatabases(*sql.Context) []sql.Database { return nil }

// database is a name; its content is the statement's catalog.
type database struct{ name string }

// Name implements sql.Nameable.
func (d database) Name() string { return d.name }

// GetTableInsensitive implements sql.Database.
func (d database) GetTableInsensitive(ctx *sql.Context, name string) (sql.Table, bool, error) {
	r, err := catalogOf(ctx).Relation(ctx, d.name, name)
	if err != nil || r == nil || r.View != "" {
		return nil, false, err
	}
	return newTable(d.name, r), true, nil
}

// GetTableNames implements sql.Database; nothing in a SELECT needs it.
func (database) GetTableNames(*sql.Context) ([]string, error) { return nil, nil }

// CreateView implements sql.ViewDatabase.
func (database) CreateView(*sql.Context, string, string, string) error {
	return fmt.Errorf("views are created by DDL, not by a query")
}

// DropView implements sql.ViewDatabase.
func (database) DropView(*sql.Context, string) error {
	return fmt.Errorf("views are dropped by DDL, not by a query")
}

// GetViewDefinition implements sql.ViewDatabase.
func (d database) GetViewDefinition(ctx *sql.Context, name string) (sql.ViewDefinition, bool, error) {
	r, err := catalogOf(ctx).Relation(ctx, d.name, name)
	if err != nil || r == nil || r.View == "" {
		return sql.ViewDefinition{}, false, err
	}
	if ctx.GetCurrentDatabase() == "" {
		ctx.SetCurrentDatabase(d.name) // the engine binds no view without one
	}
	return sql.ViewDefinition{Name: r.Name, TextDefinition: r.View, CreateViewStatement: r.Create}, true, nil
}

// AllViews implements sql.ViewDatabase; nothing in a SELECT needs it.
func (database) AllViews(*sql.Context) ([]sql.ViewDefinition, error) { return nil, nil }

// table is a relation with rows.
type table struct {
	relation *Relation
	schema   sql.Schema
}

func newTable(db string, r *Relation) *table {
	t := &table{relation: r, schema: make(sql.Schema, len(r.Columns))}
	for i, c := range r.Columns {
		t.schema[i] = &sql.Column{Name: c.Name, Type: engineType(c.Type), Nullable: true, Source: r.Name, DatabaseSource: db}
	}
	return t
}

// Name implements sql.Table.
func (t *table) Name() string { return t.relation.Name }

// String implements sql.Table.
func (t *table) String() string { return t.relation.Name }

// Schema implements sql.Table.
func (t *table) Schema() sql.Schema { return t.schema }

// Collation implements sql.Table: Doris compares bytes.
func (t *table) Collation() sql.CollationID { return sql.Collation_utf8mb4_0900_bin }

// Partitions implements sql.Table.
func (t *table) Partitions(*sql.Context) (sql.PartitionIter, error) {
	return sql.PartitionsToPartitionIter(wholeTable{}), nil
}

// PartitionRows implements sql.Table.
func (t *table) PartitionRows(ctx *sql.Context, _ sql.Partition) (sql.RowIter, error) {
	rows, err := t.relation.Rows(ctx)
	if err != nil {
		return nil, err
	}
	return &rowIter{table: t, rows: rows}, nil
}

type wholeTable struct{}

// Key implements sql.Partition.
func (wholeTable) Key() []byte { return []byte("all") }

type rowIter struct {
	table *table
	rows  []types.Row
}

// Next implements sql.RowIter.
func (i *rowIter) Next(ctx *sql.Context) (sql.Row, error) {
	if len(i.rows) == 0 {
		return nil, io.EOF
	}
	in := i.rows[0]
	i.rows = i.rows[1:]
	out := make(sql.Row, len(i.table.schema))
	for c := range out {
		v, err := engineValue(ctx, i.table.schema[c].Type, i.table.relation.Columns[c].Type, in[c])
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", i.table.schema[c].Name, err)
		}
		out[c] = v
	}
	return out, nil
}

// Close implements sql.RowIter.
func (i *rowIter) Close(*sql.Context) error {
	i.rows = nil
	return nil
}
