package harness

import (
	"context"
	"database/sql"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// OpenSQL opens a connection pool to an FE's MySQL port.
func OpenSQL(addr, user, password, database string) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd, cfg.DBName = "tcp", addr, user, password, database
	cfg.InterpolateParams = true
	cfg.Timeout = 10 * time.Second
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", addr, err)
	}
	return sql.OpenDB(connector), nil
}

// Tables lists the base tables and views of a database.
func Tables(ctx context.Context, db *sql.DB, database string) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SHOW TABLES FROM "+quote(database))
	if err != nil {
		return nil, fmt.Errorf("tables of %s: %w", database, err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("tables of %s: %w", database, err)
		}
		names = append(names, name)
	}
	sort.Strings(names)
	return names, rows.Err()
}

// Content is the sorted rows of a table as text, one string a row.
func Content(ctx context.Context, db *sql.DB, database, table string) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+quote(database)+"."+quote(table))
	if err != nil {
		return nil, fmt.Errorf("content of %s.%s: %w", database, table, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("content of %s.%s: %w", database, table, err)
	}
	cells := make([]sql.NullString, len(columns))
	scan := make([]any, len(columns))
	for i := range cells {
		scan[i] = &cells[i]
	}
	out := []string{}
	for rows.Next() {
		if err := rows.Scan(scan...); err != nil {
			return nil, fmt.Errorf("content of %s.%s: %w", database, table, err)
		}
		var b strings.Builder
		for i, c := range cells {
			if i > 0 {
				b.WriteByte('|')
			}
			if c.Valid {
				b.WriteString(c.String)
			} else {
				b.WriteString("NULL")
			}
		}
		out = append(out, b.String())
	}
	sort.Strings(out)
	return out, rows.Err()
}

// Difference compares two tables and returns a short description, "" if equal.
func Difference(source, destination []string) string {
	count := map[string]int{}
	for _, r := range source {
		count[r]++
	}
	for _, r := range destination {
		count[r]--
	}
	var missing, extra []string
	lost, doubled := 0, 0
	for _, r := range sortedKeys(count) {
		switch n := count[r]; {
		case n > 0:
			lost += n
			missing = append(missing, r)
		case n < 0:
			doubled -= n
			extra = append(extra, r)
		}
	}
	if lost == 0 && doubled == 0 {
		return ""
	}
	return fmt.Sprintf("%d rows on the source, %d on the destination; %d missing (%s), %d too many (%s)",
		len(source), len(destination), lost, some(missing), doubled, some(extra))
}

func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func some(rows []string) string {
	if len(rows) > 5 {
		return strings.Join(rows[:5], "; ") + "; ..."
	}
	return strings.Join(rows, "; ")
}

// CompareDatabases returns nil if both databases have the same tables with the
// same rows, else an error that names the first difference.
func CompareDatabases(ctx context.Context, source *sql.DB, sourceDB string, destination *sql.DB, destinationDB string) error {
	want, err := Tables(ctx, source, sourceDB)
	if err != nil {
		return err
	}
	got, err := Tables(ctx, destination, destinationDB)
	if err != nil {
		return err
	}
	if strings.Join(want, ",") != strings.Join(got, ",") {
		return fmt.Errorf("tables differ: source has %v, destination %v", want, got)
	}
	for _, table := range want {
		if err := CompareTables(ctx, source, sourceDB, table, destination, destinationDB, table); err != nil {
			return err
		}
	}
	return nil
}

// CompareTables is CompareDatabases for one table, whose names may differ.
func CompareTables(ctx context.Context, source *sql.DB, sourceDB, sourceTable string, destination *sql.DB, destinationDB, destinationTable string) error {
	want, err := Content(ctx, source, sourceDB, sourceTable)
	if err != nil {
		return err
	}
	got, err := Content(ctx, destination, destinationDB, destinationTable)
	if err != nil {
		return err
	}
	if d := Difference(want, got); d != "" {
		return fmt.Errorf("table %s: %s", sourceTable, d)
	}
	return nil
}

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
