package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// The demo follows database `sales` as `sales_replica`, and one table of
// database `warehouse` under another name in database `backup`.
const (
	databaseJob = "demo_db"
	tableJob    = "demo_table"
)

type table struct {
	database, name, model      string
	targetDatabase, targetName string
	ddl                        string
	row                        func(r *rand.Rand) string
}

var tables = []table{
	{"sales", "orders", "DUPLICATE", "sales_replica", "orders", `
		CREATE TABLE sales.orders (day DATE, id BIGINT, customer INT, amount DECIMAL(10,2), note VARCHAR(60))
		DUPLICATE KEY(day, id)
		PARTITION BY RANGE(day) (
			PARTITION p202601 VALUES [("2026-01-01"), ("2026-02-01")),
			PARTITION p202602 VALUES [("2026-02-01"), ("2026-03-01")))
		DISTRIBUTED BY HASH(id) BUCKETS 3
		PROPERTIES ("replication_num" = "2")`,
		func(r *rand.Rand) string {
			return fmt.Sprintf("('2026-%02d-%02d', %d, %d, %d.%02d, 'order of %d')", 1+r.IntN(2), 1+r.IntN(28), r.Int64N(1e9), r.IntN(2000), r.IntN(500), r.IntN(100), r.IntN(2000))
		}},
	{"sales", "customers", "UNIQUE", "sales_replica", "customers", `
		CREATE TABLE sales.customers (id INT, name VARCHAR(40), city VARCHAR(20), points INT)
		UNIQUE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "2")`,
		func(r *rand.Rand) string {
			id := r.IntN(2000)
			return fmt.Sprintf("(%d, 'customer %d', '%s', %d)", id, id, []string{"Beijing", "Berlin", "Lagos", "Lima"}[r.IntN(4)], r.IntN(1000))
		}},
	{"sales", "daily_revenue", "AGGREGATE", "sales_replica", "daily_revenue", `
		CREATE TABLE sales.daily_revenue (day DATE, city VARCHAR(20), orders BIGINT SUM, best INT MAX)
		AGGREGATE KEY(day, city) DISTRIBUTED BY HASH(day) BUCKETS 2 PROPERTIES ("replication_num" = "2")`,
		func(r *rand.Rand) string {
			return fmt.Sprintf("('2026-%02d-%02d', '%s', 1, %d)", 1+r.IntN(2), 1+r.IntN(28), []string{"Beijing", "Berlin", "Lagos", "Lima"}[r.IntN(4)], r.IntN(1000))
		}},
	{"sales", "clicks", "DUPLICATE", "sales_replica", "clicks", `
		CREATE TABLE sales.clicks (at DATETIME, customer INT, page VARCHAR(40))
		DUPLICATE KEY(at) DISTRIBUTED BY RANDOM BUCKETS 2 PROPERTIES ("replication_num" = "1")`,
		func(r *rand.Rand) string {
			return fmt.Sprintf("('2026-01-%02d %02d:%02d:%02d', %d, '/page/%d')", 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(2000), r.IntN(50))
		}},
	{"warehouse", "stock", "UNIQUE", "backup", "stock_copy", `
		CREATE TABLE warehouse.stock (item INT, shelf VARCHAR(10), pieces INT)
		UNIQUE KEY(item) DISTRIBUTED BY HASH(item) BUCKETS 2 PROPERTIES ("replication_num" = "1")`,
		func(r *rand.Rand) string {
			return fmt.Sprintf("(%d, 'S%d', %d)", r.IntN(3000), r.IntN(40), r.IntN(100))
		}},
}

type workload struct {
	pair                *harness.Pair
	source, destination *sql.DB
}

// newWorkload creates the tables, switches their binlogs on and fills them.
func newWorkload(ctx context.Context, pair *harness.Pair) (*workload, error) {
	w := &workload{pair: pair}
	var err error
	if w.source, err = pair.Source.Open(""); err != nil {
		return nil, err
	}
	if w.destination, err = pair.Destination.Open(""); err != nil {
		return nil, err
	}
	statements := []string{"CREATE DATABASE sales", "CREATE DATABASE warehouse"}
	for _, t := range tables {
		statements = append(statements, strings.TrimSpace(t.ddl),
			fmt.Sprintf(`ALTER TABLE %s.%s SET ("binlog.enable" = "true")`, t.database, t.name))
	}
	statements = append(statements, `ALTER DATABASE sales SET PROPERTIES ("binlog.enable" = "true")`)
	for _, s := range statements {
		if _, err := w.source.ExecContext(ctx, s); err != nil {
			return nil, fmt.Errorf("prepare the source: %w\n%s", err, s)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, t := range tables {
		for range 5 {
			if err := w.insert(ctx, r, t, 400); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

func (w *workload) close() {
	w.source.Close()
	w.destination.Close()
}

func (w *workload) insert(ctx context.Context, r *rand.Rand, t table, rows int) error {
	values := make([]string, rows)
	for i := range values {
		values[i] = t.row(r)
	}
	statement := fmt.Sprintf("INSERT INTO %s.%s VALUES %s", t.database, t.name, strings.Join(values, ", "))
	if _, err := w.source.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("insert into %s.%s: %w", t.database, t.name, err)
	}
	return nil
}

func (w *workload) jobs() []string { return []string{databaseJob, tableJob} }

func (w *workload) createJobs(ctx context.Context, ccr *harness.CCR) error {
	if _, err := ccr.Call(ctx, "create_ccr", map[string]any{"name": databaseJob,
		"src": w.pair.Source.Spec("sales", ""), "dest": w.pair.Destination.Spec("sales_replica", "")}); err != nil {
		return err
	}
	_, err := ccr.Call(ctx, "create_ccr", map[string]any{"name": tableJob,
		"src": w.pair.Source.Spec("warehouse", "stock"), "dest": w.pair.Destination.Spec("backup", "stock_copy")})
	return err
}

// startWriting writes on the source until the time is over or the returned
// function is called, which waits and returns the first error.
func (w *workload) startWriting(ctx context.Context, limit time.Duration) func() error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	var g errgroup.Group
	for i, t := range tables {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		g.Go(func() error {
			for ctx.Err() == nil {
				if err := w.insert(ctx, r, t, 1+r.IntN(8)); err != nil && ctx.Err() == nil {
					return err
				}
				pause(ctx, time.Duration(20+r.IntN(60))*time.Millisecond)
			}
			return nil
		})
	}
	g.Go(func() error { return w.changeShape(ctx, limit) })
	return sync.OnceValue(func() error {
		cancel()
		return g.Wait()
	})
}

// changeShape does what a database lives through besides loads: a new
// partition, a truncated one, a new table, deletes, a table that comes and goes.
func (w *workload) changeShape(ctx context.Context, limit time.Duration) error {
	script := []string{
		`ALTER TABLE sales.orders ADD PARTITION p202603 VALUES [("2026-03-01"), ("2026-04-01"))`,
		`INSERT INTO sales.orders VALUES ('2026-03-05', 1, 1, 9.99, 'in the new partition')`,
		`CREATE TABLE sales.returns (id BIGINT, reason VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`,
		`INSERT INTO sales.returns VALUES (1, 'too small'), (2, 'too late')`,
		`DELETE FROM sales.customers WHERE id < 50`,
		`CREATE TABLE sales.scratch (id INT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1")`,
		`INSERT INTO sales.scratch VALUES (1)`,
		`DROP TABLE sales.scratch FORCE`,
		`ALTER TABLE sales.orders DROP PARTITION p202603 FORCE`,
		`TRUNCATE TABLE sales.returns`,
		`INSERT INTO sales.returns VALUES (3, 'changed my mind')`,
	}
	gap := limit / time.Duration(len(script)+2)
	for _, statement := range script {
		pause(ctx, gap)
		if ctx.Err() != nil {
			return nil
		}
		if _, err := w.source.ExecContext(ctx, statement); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// counts reads the row counts of both sides; -1 = the table is not there (yet).
func (w *workload) counts(ctx context.Context) []tableLine {
	lines := make([]tableLine, 0, len(tables))
	for _, t := range tables {
		name := t.database + "." + t.name
		if t.name != t.targetName {
			name += " -> " + t.targetName
		}
		lines = append(lines, tableLine{name: name, model: t.model,
			source: rowCount(ctx, w.source, t.database, t.name),
			target: rowCount(ctx, w.destination, t.targetDatabase, t.targetName)})
	}
	return lines
}

func rowCount(ctx context.Context, db *sql.DB, database, name string) int64 {
	var n int64
	if err := db.QueryRowContext(ctx, fmt.Sprintf("SELECT COUNT(*) FROM `%s`.`%s`", database, name)).Scan(&n); err != nil {
		return -1
	}
	return n
}

// compare returns nil when both jobs' tables are equal.
func (w *workload) compare(ctx context.Context) error {
	return errors.Join(
		harness.CompareDatabases(ctx, w.source, "sales", w.destination, "sales_replica"),
		harness.CompareTables(ctx, w.source, "warehouse", "stock", w.destination, "backup", "stock_copy"))
}

// verdict names every table and its number of equal rows.
func (w *workload) verdict(ctx context.Context, s *screen, took time.Duration) error {
	s.blank()
	names, err := harness.Tables(ctx, w.source, "sales")
	if err != nil {
		return err
	}
	total := 0
	for _, name := range names {
		rows, err := harness.Content(ctx, w.source, "sales", name)
		if err != nil {
			return err
		}
		total += len(rows)
		s.step(fmt.Sprintf("%-22s = %-28s %7d rows equal", "sales."+name, "sales_replica."+name, len(rows)))
	}
	rows, err := harness.Content(ctx, w.source, "warehouse", "stock")
	if err != nil {
		return err
	}
	total += len(rows)
	s.step(fmt.Sprintf("%-22s = %-28s %7d rows equal", "warehouse.stock", "backup.stock_copy", len(rows)))
	s.step(fmt.Sprintf("every table is equal: %d rows, %d ms after the last write", total, took.Milliseconds()))
	return nil
}
