package sqlclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// DatabaseExists tells whether there is a database of exactly this name.
func (c *Client) DatabaseExists(ctx context.Context, db string) (bool, error) {
	return c.listed(ctx, "SHOW DATABASES LIKE "+quoteLike(db), "Database", db)
}

// TableExists tells whether there is a table or view of exactly this name. A
// missing database is ErrUnknownDatabase.
func (c *Client) TableExists(ctx context.Context, db, table string) (bool, error) {
	return c.listed(ctx, "SHOW TABLES FROM "+Quote(db)+" LIKE "+quoteLike(table), "Tables_in_"+db, table)
}

// listed tells whether one row has exactly this name: LIKE takes patterns, so
// that others may be listed.
func (c *Client) listed(ctx context.Context, statement, column, name string) (bool, error) {
	names, err := c.column(ctx, statement, column)
	if err != nil {
		return false, err
	}
	for _, n := range names {
		if n == name {
			return true, nil
		}
	}
	return false, nil
}

// column runs a statement and returns one column.
func (c *Client) column(ctx context.Context, statement, column string) ([]string, error) {
	rows, err := c.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	cells := make([]string, 0, len(rows))
	for _, row := range rows {
		if row.Null(column) {
			return nil, fmt.Errorf("%s: no column %s: %w", statement, column, ErrIncomplete)
		}
		cells = append(cells, row.Get(column))
	}
	return cells, nil
}

// hiddenRestore begins the names of the tables that an atomic restore makes and
// swaps in at its end. SHOW TABLES lists them meanwhile (doris-sql.md 2.4).
const hiddenRestore = "__doris_atomic_restore_prefix__"

// Tables lists the tables and views of a database, without those that a running
// restore has not swapped in yet.
func (c *Client) Tables(ctx context.Context, db string) ([]string, error) {
	names, err := c.column(ctx, "SHOW TABLES FROM "+Quote(db), "Tables_in_"+db)
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, hiddenRestore) }), err
}

// Views lists the views of a database.
func (c *Client) Views(ctx context.Context, db string) ([]string, error) {
	return c.column(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = "+
		quoteLike(db)+" AND  table_type = 'VIEW'", "table_name")
}

// CreateDatabaseText returns what SHOW CREATE DATABASE prints.
func (c *Client) CreateDatabaseText(ctx context.Context, db string) (string, error) {
	return c.text(ctx, "SHOW CREATE DATABASE "+Quote(db), "Create Database")
}

// CreateTableText returns what SHOW CREATE TABLE prints of a table or view.
func (c *Client) CreateTableText(ctx context.Context, db, table string) (string, error) {
	return c.text(ctx, "SHOW CREATE TABLE "+Name(db, table), "Create Table", "Create View", "Create Materialized View")
}

// CreateViewText returns what SHOW CREATE VIEW prints.
func (c *Client) CreateViewText(ctx context.Context, db, view string) (string, error) {
	return c.text(ctx, "SHOW CREATE VIEW "+Name(db, view), "Create View")
}

// text returns the one cell of a SHOW CREATE, whichever column it has.
func (c *Client) text(ctx context.Context, statement string, columns ...string) (string, error) {
	rows, err := c.Query(ctx, statement)
	if err != nil {
		return "", err
	}
	if len(rows) == 1 {
		for _, column := range columns {
			if text := rows[0].Get(column); text != "" {
				return text, nil
			}
		}
	}
	return "", fmt.Errorf("%s: %d rows, none with a text: %w", statement, len(rows), ErrIncomplete)
}

// Column is a column of a table as DESC shows it: visible ones only.
type Column struct {
	Name, Type string
	Nullable   bool
	Key        bool
}

// Columns returns the visible columns of a table's base index.
func (c *Client) Columns(ctx context.Context, db, table string) ([]Column, error) {
	statement := "DESC " + Name(db, table)
	rows, err := c.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	columns := make([]Column, 0, len(rows))
	for _, row := range rows {
		if row.Get("Field") == "" {
			return nil, fmt.Errorf("%s: a column has no name: %w", statement, ErrIncomplete)
		}
		columns = append(columns, Column{
			Name: row.Get("Field"), Type: row.Get("Type"), Nullable: row.Bool("Null"), Key: row.Bool("Key"),
		})
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("%s: no rows: %w", statement, ErrIncomplete)
	}
	return columns, nil
}

// Rollups returns the names of a table's indexes: the base index, which has the
// table's name, rollups and synchronous materialized views.
func (c *Client) Rollups(ctx context.Context, db, table string) ([]string, error) {
	statement := "DESC " + Name(db, table) + " ALL"
	rows, err := c.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, row := range rows { // only the first row of each index has its name
		if name := row.Get("IndexName"); name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no index: %w", statement, ErrIncomplete)
	}
	return names, nil
}

// HiddenColumns returns the names of the columns of a table's base index that
// DESC shows to nobody who does not ask for them.
func (c *Client) HiddenColumns(ctx context.Context, db, table string) ([]string, error) {
	rows, err := c.QueryWith(ctx, Setting{"show_hidden_columns": "true"}, "DESC "+Name(db, table))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, row := range rows {
		if name := row.Get("Field"); strings.HasPrefix(name, hiddenPrefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

const hiddenPrefix = "__DORIS_"

// IndexColumns returns the names of the visible columns of each of a table's
// indexes, in order; see Rollups.
func (c *Client) IndexColumns(ctx context.Context, db, table string) (map[string][]string, error) {
	statement := "DESC " + Name(db, table) + " ALL"
	rows, err := c.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	columns := map[string][]string{}
	index := ""
	for _, row := range rows {
		index = cmp.Or(row.Get("IndexName"), index)
		if name := row.Get("Field"); name != "" && index != "" {
			columns[index] = append(columns[index], name)
		}
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("%s: no index: %w", statement, ErrIncomplete)
	}
	return columns, nil
}

// SecondaryIndexes returns the names of a table's inverted and other secondary
// indexes.
func (c *Client) SecondaryIndexes(ctx context.Context, db, table string) ([]string, error) {
	return c.column(ctx, "SHOW INDEX FROM "+Name(db, table), "Key_name")
}

// Partitions returns the names of a table's formal partitions.
func (c *Client) Partitions(ctx context.Context, db, table string) ([]string, error) {
	return c.column(ctx, "SHOW PARTITIONS FROM "+Name(db, table), "PartitionName")
}

// Unpublished names a partition of a table that does not show all that was
// committed to it yet, "" if there is none. Servers before November 2024 may not
// tell; of them nothing is unpublished.
func (c *Client) Unpublished(ctx context.Context, db, table string) (partition string, err error) {
	rows, err := c.Query(ctx, "SHOW PARTITIONS FROM "+Name(db, table))
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if row.Int("CommittedVersion") > row.Int("VisibleVersion") {
			return row.Get("PartitionName"), nil
		}
	}
	return "", nil
}

// CreateDatabase creates a database unless it exists.
func (c *Client) CreateDatabase(ctx context.Context, db string) error {
	return c.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+Quote(db))
}

// DropTable drops a table, or the view of that name, if it exists. It does not
// go into the recycle bin: transactions in flight would forbid that.
func (c *Client) DropTable(ctx context.Context, db, table string) error {
	err := c.Exec(ctx, "DROP TABLE IF EXISTS "+Name(db, table)+" FORCE")
	if errors.Is(err, ErrNotTable) {
		return c.DropView(ctx, db, table)
	}
	return err
}

// DropView drops a view if it exists.
func (c *Client) DropView(ctx context.Context, db, view string) error {
	return c.Exec(ctx, "DROP VIEW IF EXISTS "+Name(db, view))
}
