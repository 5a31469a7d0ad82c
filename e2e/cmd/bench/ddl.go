package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// ddlPart says how large the part of the benchmark is that is about DDL.
type ddlPart struct {
	tables     int // of the job's database
	statements int // of each measurement
	labels     int // loads before the second measurement, 0: there is none
}

// ddl measures the time from the end of a DDL on the source to the first time the
// destination shows it: with few transactions that the destination remembers, and with
// many. Baseline: the same statement on the source.
func (b *bench) ddl(ctx context.Context, d ddlPart) error {
	if err := b.manyTables(ctx, d.tables); err != nil {
		return err
	}
	next := 0
	for i, loads := range []int{0, d.labels} {
		if i > 0 && loads == 0 {
			break
		}
		if err := b.loadMany(ctx, loads); err != nil {
			return err
		}
		delays, took, err := b.ddlDelays(ctx, &next, d.statements)
		if err != nil {
			return err
		}
		fmt.Printf("  DDL, %d tables, %d loads before: p50 %s, of %d: %s to %s; on the source itself: p50 %s\n", d.tables, loads,
			rounded(delays[len(delays)/2]), len(delays), rounded(delays[0]), rounded(delays[len(delays)-1]), rounded(took[len(took)/2]))
	}
	for _, kind := range []string{addColumns, createTables, addPartitions} {
		for range rowsOfDDL {
			if err := b.ddlsInARow(ctx, kind, &next, d.statements); err != nil {
				return err
			}
		}
	}
	return nil
}

// The kinds of DDLs that come in a row.
const (
	addColumns    = "ADD COLUMN"
	createTables  = "CREATE TABLE"
	addPartitions = "ADD PARTITION"
	rowsOfDDL     = 3
)

// ddlsInARow measures how long so many DDLs, one right after the other, take until the
// destination shows the last. Baseline: the same statements on the source.
func (b *bench) ddlsInARow(ctx context.Context, kind string, next *int, statements int) error {
	row := *next
	*next += statements
	if kind == addPartitions {
		if _, err := b.src.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE w.p%d (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION p0 VALUES LESS THAN ("0"))
			DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1", "binlog.enable" = "true")`, row)); err != nil {
			return fmt.Errorf("create table p%d: %w", row, err)
		}
	}
	select { // until the job streams again
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(ddlPause):
	}
	begun := time.Now()
	look := ""
	for i := range statements {
		statement := ""
		switch kind {
		case addColumns:
			statement = fmt.Sprintf("ALTER TABLE w.t0 ADD COLUMN c%d INT NULL", row+i)
			look = fmt.Sprintf("SELECT c%d FROM w.t0 WHERE id = -1", row+i)
		case createTables:
			statement = fmt.Sprintf(`CREATE TABLE w.n%d (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1
				PROPERTIES ("replication_num" = "1", "binlog.enable" = "true", "light_schema_change" = "true")`, row+i)
			look = fmt.Sprintf("SELECT id FROM w.n%d WHERE id = -1", row+i)
		case addPartitions:
			statement = fmt.Sprintf(`ALTER TABLE w.p%d ADD PARTITION p%d VALUES LESS THAN ("%d")`, row, i+1, i+1)
			look = fmt.Sprintf("SELECT id FROM w.p%d PARTITION (p%d) WHERE id = -1", row, i+1)
		}
		if _, err := b.src.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	took := time.Since(begun)
	if err := harness.Await(ctx, time.Minute, func(ctx context.Context) error {
		rows, err := b.dst.QueryContext(ctx, look)
		if err != nil {
			return err
		}
		return errors.Join(rows.Err(), rows.Close())
	}); err != nil {
		return fmt.Errorf("the last %s of a row: %w", kind, err)
	}
	fmt.Printf("  %d %s in a row: shown after %s; the source took %s\n", statements, kind, rounded(time.Since(begun)), rounded(took))
	return nil
}

// manyTables makes a database with so many tables, and a job that streams it.
func (b *bench) manyTables(ctx context.Context, tables int) error {
	if err := makeTables(ctx, b.src, tables, 1, 0); err != nil {
		return err
	}
	begun := time.Now()
	if _, err := b.split.CCR.Call(ctx, "create_ccr", map[string]any{"name": "ddl",
		"src": b.pair.Source.Spec("w", ""), "dest": b.pair.Destination.Spec("w", "")}); err != nil {
		return err
	}
	err := streams(ctx, b.split.CCR, "ddl")
	fmt.Printf("  full sync of %d tables: %s\n", tables, time.Since(begun).Round(time.Millisecond))
	return err
}

// loadMany loads into one table of database w until it has been replicated.
func (b *bench) loadMany(ctx context.Context, loads int) error {
	for i := range loads {
		if _, err := b.src.ExecContext(ctx, fmt.Sprintf("INSERT INTO w.t1 (id, v) VALUES (%d, 'a row')", i)); err != nil {
			return fmt.Errorf("load into w.t1: %w", err)
		}
	}
	return harness.Await(ctx, 5*time.Minute, func(ctx context.Context) error {
		n := 0
		if err := b.dst.QueryRowContext(ctx, "SELECT COUNT(*) FROM w.t1").Scan(&n); err != nil {
			return err
		}
		if n < loads {
			return fmt.Errorf("%d of %d rows", n, loads)
		}
		return nil
	})
}

// ddlDelays adds columns, each once the one before has arrived and the job had time to
// stream again, and returns, sorted, how long each took to arrive and on the source.
func (b *bench) ddlDelays(ctx context.Context, next *int, statements int) (delays, took []time.Duration, err error) {
	for range statements {
		column := fmt.Sprintf("c%d", *next)
		*next++
		begun := time.Now()
		if _, err := b.src.ExecContext(ctx, "ALTER TABLE w.t0 ADD COLUMN "+column+" INT NULL"); err != nil {
			return nil, nil, fmt.Errorf("add column %s: %w", column, err)
		}
		done := time.Now()
		took = append(took, done.Sub(begun))
		arrived, err := b.columnArrival(ctx, column)
		if err != nil {
			return nil, nil, err
		}
		delays = append(delays, arrived.Sub(done))
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(ddlPause):
		}
	}
	slices.Sort(delays)
	slices.Sort(took)
	return delays, took, nil
}

// ddlPause is the time between two DDLs, in which the next shift begins. After such a
// silence the source is polled less often, so that a part of each delay is chance.
const ddlPause = 700 * time.Millisecond

// columnArrival polls the destination until table w.t0 has the column.
func (b *bench) columnArrival(ctx context.Context, column string) (time.Time, error) {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		rows, err := b.dst.QueryContext(ctx, "SELECT "+column+" FROM w.t0 WHERE id = -1")
		if err == nil {
			return time.Now(), errors.Join(rows.Err(), rows.Close())
		}
		if !strings.Contains(err.Error(), column) {
			return time.Time{}, fmt.Errorf("look for column %s: %w", column, err)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Time{}, fmt.Errorf("column %s did not arrive", column)
}
