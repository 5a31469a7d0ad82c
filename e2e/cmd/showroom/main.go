// Command showroom runs two simulated clusters and a ccr-standalone with jobs in
// every state that an operator may meet, and prints where things are as JSON.
// scripts/screenshots takes the pictures of docs/ of it. It ends with Ctrl-C.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "showroom:", err)
		os.Exit(1)
	}
}

// room is what the jobs are made in.
type room struct {
	pair *harness.Pair
	ccr  *harness.CCR
	src  *sql.DB
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "ccr-showroom-")
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	defer os.RemoveAll(dir)
	r := &room{}
	if r.pair, err = harness.StartPair(ctx, harness.PairOptions{BEs: 3, Password: "not-shown-anywhere"}); err != nil {
		return err
	}
	defer r.pair.Close()
	if r.src, err = r.pair.Source.Open(""); err != nil {
		return err
	}
	defer r.src.Close()
	if r.ccr, err = harness.NewCCR(dir, true); err != nil {
		return err
	}
	if err := r.ccr.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.ccr.Stop()) }()
	for _, furnish := range []func(context.Context) error{r.streaming, r.paused, r.stalled, r.copying} {
		if err := furnish(ctx); err != nil {
			return err
		}
	}
	where, err := json.Marshal(map[string]string{"ui": "http://" + r.ccr.UI, "api": "http://" + r.ccr.API})
	if err != nil {
		return fmt.Errorf("print addresses: %w", err)
	}
	fmt.Println(string(where))
	<-ctx.Done()
	return nil
}

const logged = `DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1", "binlog.enable" = "true")`

// database makes a database with tables of some rows.
func (r *room) database(ctx context.Context, name string, tables ...string) error {
	statements := []string{"CREATE DATABASE " + name}
	for _, t := range tables {
		statements = append(statements, fmt.Sprintf("CREATE TABLE %s.%s (id BIGINT, v VARCHAR(40)) %s", name, t, logged),
			fmt.Sprintf("INSERT INTO %s.%s VALUES (1, 'one'), (2, 'two')", name, t))
	}
	return r.exec(ctx, append(statements, fmt.Sprintf(`ALTER DATABASE %s SET PROPERTIES ("binlog.enable" = "true")`, name))...)
}

func (r *room) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := r.src.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// job makes a job of that name and waits until status says that it has come as
// far as it will.
func (r *room) job(ctx context.Context, name, database, table string, arrived func(harness.Status) bool) error {
	if _, err := r.ccr.Call(ctx, "create_ccr", map[string]any{"name": name,
		"src": r.pair.Source.Spec(database, table), "dest": r.pair.Destination.Spec(database, table)}); err != nil {
		return err
	}
	return r.await(ctx, name, arrived)
}

func (r *room) await(ctx context.Context, name string, arrived func(harness.Status) bool) error {
	return harness.Await(ctx, time.Minute, func(ctx context.Context) error {
		s, err := r.ccr.Status(ctx, name)
		if err == nil && !arrived(s) {
			err = fmt.Errorf("job %s is in %s: %s", name, s.Phase, s.LastError.Text)
		}
		return err
	})
}

func streams(s harness.Status) bool { return s.Phase == "stream" }

// streaming is a job that follows a database, with some DDL behind it.
func (r *room) streaming(ctx context.Context) error {
	if err := r.database(ctx, "shop", "orders", "items", "customers"); err != nil {
		return err
	}
	if err := r.job(ctx, "shop", "shop", "", streams); err != nil {
		return err
	}
	for i := range 200 {
		if err := r.exec(ctx, fmt.Sprintf("INSERT INTO shop.orders VALUES (%d, 'order')", i)); err != nil {
			return err
		}
	}
	return r.exec(ctx,
		"ALTER TABLE shop.orders ADD COLUMN note VARCHAR(100)",
		`CREATE TABLE shop.events (day DATE, id INT) DUPLICATE KEY(day) PARTITION BY RANGE(day) (PARTITION p2026 VALUES LESS THAN ("2027-01-01"))
			DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1", "binlog.enable" = "true")`,
		`ALTER TABLE shop.events ADD PARTITION p2027 VALUES LESS THAN ("2028-01-01")`,
		"INSERT INTO shop.events VALUES ('2026-11-22', 1), ('2027-02-01', 2)",
		"ALTER TABLE shop.customers RENAME clients",
		"TRUNCATE TABLE shop.items")
}

// paused is a job of one table that somebody has paused.
func (r *room) paused(ctx context.Context) error {
	if err := r.database(ctx, "billing", "invoices"); err != nil {
		return err
	}
	if err := r.job(ctx, "billing_invoices", "billing", "invoices", streams); err != nil {
		return err
	}
	_, err := r.ccr.Call(ctx, "pause", map[string]any{"name": "billing_invoices"})
	return err
}

// stalled is a job whose host mapping lacks the backends.
func (r *room) stalled(ctx context.Context) error {
	if err := r.database(ctx, "stock", "levels", "moves"); err != nil {
		return err
	}
	if err := r.job(ctx, "stock", "stock", "", streams); err != nil {
		return err
	}
	if _, err := r.ccr.Call(ctx, "update_host_mapping", map[string]any{"name": "stock",
		"src_host_mapping": map[string]string{"172.168.1.1": "10.0.10.1"}}); err != nil {
		return err
	}
	if err := r.exec(ctx, "INSERT INTO stock.levels VALUES (3, 'three')"); err != nil {
		return err
	}
	return r.await(ctx, "stock", func(s harness.Status) bool { return s.Stalled })
}

// copying is a job in the middle of its first snapshot.
func (r *room) copying(ctx context.Context) error {
	tables := []string{"y2019", "y2020", "y2021", "y2022", "y2023", "y2024", "y2025"}
	if err := r.database(ctx, "archive", tables...); err != nil {
		return err
	}
	if _, err := r.pair.Destination.Faults().Add(faults.Rule{Point: "restore.DOWNLOADING", Action: faults.Hold}); err != nil {
		return fmt.Errorf("hold the restore: %w", err)
	}
	return r.job(ctx, "archive", "archive", "", func(s harness.Status) bool { return s.Phase == "restore" })
}
