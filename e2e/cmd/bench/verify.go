package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

const (
	// bigPartitions of the table that is verified.
	bigPartitions = 10
	// rowsAtOnce are inserted by one statement.
	rowsAtOnce = 2000
)

// verify measures what the verification of a large table costs: rows a second of
// each method, and the delay of a stream without it and beside it.
func (b *bench) verify(ctx context.Context, rate, rows int, duration time.Duration) error {
	if err := b.fill(ctx, rows); err != nil {
		return err
	}
	for _, method := range []job.VerifyMethod{job.VerifyCount, job.VerifyChecksum, job.VerifyColumns, job.VerifyRows} {
		begun := time.Now()
		report, err := b.verified(ctx, job.VerifyRequest{Method: method, Tables: []string{"big"}})
		if err != nil {
			return err
		}
		took := time.Since(begun)
		fmt.Printf("  verify %d rows, method %s: %s, %.0f rows of the table/s, %.1f rows read for each\n", rows, method,
			took.Round(time.Millisecond), float64(rows)/took.Seconds(), float64(report.RowsRead)/float64(rows))
	}
	without, err := b.delays(ctx, rate, duration)
	if err != nil {
		return err
	}
	fmt.Printf("  delay of a stream at %d txn/s: p50 %s, p99 %s\n", rate, rounded(median(without.late)), rounded(percentile(without.late, 99)))
	for _, bound := range []int64{0, boundedRate} {
		if err := b.delaysBeside(ctx, bound, rate, duration); err != nil {
			return err
		}
	}
	return nil
}

// boundedRate is the bound on rows a second of a verification that is to disturb
// less.
const boundedRate = 20000

// delaysBeside measures the delay of a stream while one verification follows the
// other.
func (b *bench) delaysBeside(ctx context.Context, bound int64, rate int, duration time.Duration) error {
	read := int64(0)
	beside, stop := context.WithCancel(ctx)
	var g errgroup.Group
	begun := time.Now()
	g.Go(func() error {
		for beside.Err() == nil {
			report, err := b.verified(ctx, job.VerifyRequest{Method: job.VerifyChecksum, Tables: []string{"big"}, Rate: bound})
			if err != nil {
				return err
			}
			read += report.RowsRead
		}
		return nil
	})
	with, err := b.delays(ctx, rate, duration)
	stop()
	if waited := g.Wait(); err == nil {
		err = waited
	}
	if err != nil {
		return err
	}
	fmt.Printf("    beside verifications with rate %d, which read %.0f rows/s: p50 %s, p99 %s\n", bound, float64(read)/time.Since(begun).Seconds(),
		rounded(median(with.late)), rounded(percentile(with.late, 99)))
	return nil
}

// fill makes the table that is verified and waits until the destination has it.
func (b *bench) fill(ctx context.Context, rows int) error {
	var partitions []string
	for i := range bigPartitions {
		partitions = append(partitions, fmt.Sprintf(`PARTITION p%d VALUES LESS THAN ("%d")`, i, (i+1)*(1+rows/bigPartitions)))
	}
	statement := `CREATE TABLE d.big (id BIGINT, at DATETIME, price DECIMAL(12, 2), ratio DOUBLE, v VARCHAR(40)) DUPLICATE KEY(id) PARTITION BY RANGE(id) (` +
		strings.Join(partitions, ", ") + `) DISTRIBUTED BY HASH(id) BUCKETS 4 PROPERTIES ("replication_num" = "1", "binlog.enable" = "true")`
	if _, err := b.src.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("make the large table: %w", err)
	}
	for at := 0; at < rows; at += rowsAtOnce {
		var values []string
		for id := at; id < min(rows, at+rowsAtOnce); id++ {
			values = append(values, fmt.Sprintf("(%d, '2026-01-02 03:04:05', %d.25, %d.5, 'a row of the benchmark')", id, id, id))
		}
		if _, err := b.src.ExecContext(ctx, "INSERT INTO d.big VALUES "+strings.Join(values, ", ")); err != nil {
			return fmt.Errorf("fill the large table: %w", err)
		}
	}
	return harness.Await(ctx, 5*time.Minute, func(ctx context.Context) error {
		var n int
		err := b.dst.QueryRowContext(ctx, "SELECT COUNT(*) FROM d.big").Scan(&n)
		if err == nil && n < rows {
			err = fmt.Errorf("%d of %d rows", n, rows)
		}
		return err
	})
}

// verified verifies what is equal.
func (b *bench) verified(ctx context.Context, request job.VerifyRequest) (job.VerifyReport, error) {
	id, err := b.split.CCR.Verify(ctx, "bench", request)
	if err != nil {
		return job.VerifyReport{}, err
	}
	report, err := b.split.CCR.AwaitVerified(ctx, "bench", id, 10*time.Minute)
	if err == nil && report.Equal != 1 {
		err = fmt.Errorf("%v is not equal: %+v", request.Tables, report)
	}
	return report, err
}
