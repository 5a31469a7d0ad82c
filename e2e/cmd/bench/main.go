// Command bench measures incremental replication on the simulator: transactions
// per second, latency from visible on the source to visible on the destination,
// FE calls per transaction, memory of the worker. Everything runs on one
// machine; figures are ratios to a baseline of the same run, because absolute
// ones move from machine to machine.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

const tables = 8

type bench struct {
	pair     *harness.Pair
	split    *harness.Split
	src, dst *sql.DB
	profile  core.Profile
	random   bool // of the latency part: see delays
}

func main() {
	transactions := flag.Int("transactions", 4000, "transactions of the throughput part")
	rate := flag.Int("rate", 10, "transactions a second of the latency part")
	seconds := flag.Int("seconds", 15, "duration of the latency part")
	only := flag.String("profile", "", "run one profile only: instant or realistic")
	phase := flag.String("phase", "", "run one phase only: throughput, onetable, latency, ddl, verify, memory or compare (with -contender: only that)")
	ddlTables := flag.Int("ddl-tables", 20, "tables of the database of the ddl part")
	ddls := flag.Int("ddls", 20, "statements of each measurement of the ddl part")
	labels := flag.Int("ddl-labels", 1500, "loads before the second measurement of the ddl part: the destination remembers their labels; 0: there is none")
	random := flag.Bool("random", false, "transactions of the latency part come at random distances (as from many writers), not at equal ones")
	m, versus := memoryPart{}, &comparison{}
	versus.flags()
	flag.IntVar(&m.tables, "memory-tables", 10000, "tables of the database of the memory part, which runs only when it is named")
	flag.IntVar(&m.tablets, "memory-tablets", 100000, "tablets of the tables of the memory part")
	flag.StringVar(&m.heap, "heapprofile", "", "write the worker's heap profile near the peak of the memory part to this file")
	rows := flag.Int("rows", 200000, "rows of the table that is verified")
	cpu := flag.String("cpuprofile", "", "write a CPU profile of the simulated clusters to this file (that of the worker: CCR_PPROF_LISTEN)")
	flag.Parse()
	if *cpu != "" {
		f, err := os.Create(*cpu)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	versus.rate, versus.realistic = *rate, *only != core.Instant.Name
	var alone func(context.Context) error // a phase that runs only when it is named
	switch {
	case *phase == "compare" || len(versus.contenders) > 0:
		alone = versus.run
	case *phase == "memory":
		alone = m.run
	}
	if alone != nil {
		if err := alone(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	for _, p := range []core.Profile{core.Instant, core.Realistic} {
		if *only != "" && *only != p.Name {
			continue
		}
		d := ddlPart{tables: *ddlTables, statements: *ddls, labels: *labels}
		if err := run(ctx, p, *phase, *transactions, *rate, *rows, *random, d, time.Duration(*seconds)*time.Second); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
}

func run(ctx context.Context, profile core.Profile, phase string, transactions, rate, rows int, random bool, d ddlPart, duration time.Duration) (err error) {
	dir, err := os.MkdirTemp("", "ccr-bench-")
	if err != nil {
		return fmt.Errorf("bench directory: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{profile: profile, random: random}
	if b.pair, err = harness.StartPair(ctx, harness.PairOptions{BEs: 1, Realistic: profile.Name == core.Realistic.Name, LateFiling: &core.LateFiling{}}); err != nil {
		return err
	}
	defer b.pair.Close()
	if b.src, err = b.pair.Source.Open(""); err != nil {
		return err
	}
	if b.dst, err = b.pair.Destination.Open(""); err != nil {
		return err
	}
	if b.split, err = harness.StartSplit(ctx, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.split.Stop()) }()
	fmt.Printf("profile %s: begin %s, ingest %s, commit %s, publish %s\n", profile.Name, profile.Begin, profile.Ingest, profile.Commit, profile.Publish)
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		run  func() error
	}{
		{"throughput", func() error { return b.throughput(ctx, transactions, tables) }},
		{"onetable", func() error { return b.throughput(ctx, transactions, 1) }},
		{"latency", func() error { return b.latency(ctx, rate, duration) }},
		{"ddl", func() error { return b.ddl(ctx, d) }},
		{"verify", func() error { return b.verify(ctx, rate, rows, duration) }},
	} {
		if phase != "" && phase != p.name {
			continue
		}
		if err := p.run(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	rss, err := b.split.CCR.Process().RSS()
	if err != nil {
		return err
	}
	fmt.Printf("  worker process: %d MB resident\n\n", rss>>20)
	return nil
}

// prepare makes eight tables, the job, and waits until it streams.
func (b *bench) prepare(ctx context.Context) error {
	statements := []string{"CREATE DATABASE d"}
	for i := range tables {
		statements = append(statements, fmt.Sprintf(`CREATE TABLE d.t%d (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id)
			DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1", "binlog.enable" = "true")`, i))
	}
	statements = append(statements, `ALTER DATABASE d SET PROPERTIES ("binlog.enable" = "true")`)
	for _, s := range statements {
		if _, err := b.src.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	if _, err := b.split.CCR.Call(ctx, "create_ccr", map[string]any{"name": "bench",
		"src": b.pair.Source.Spec("d", ""), "dest": b.pair.Destination.Spec("d", "")}); err != nil {
		return err
	}
	return b.await(ctx, 0)
}

// await waits until the job has caught up and every table has its rows.
func (b *bench) await(ctx context.Context, rows int) error {
	return harness.Await(ctx, 5*time.Minute, func(ctx context.Context) error {
		s, err := b.split.CCR.Status(ctx, "bench")
		if err != nil {
			return err
		}
		if s.ProgressState != "DBIncrementalSync" && s.ProgressState != "DBTablesIncrementalSync" {
			return fmt.Errorf("job is in %s: %s", s.ProgressState, s.LastError.Text)
		}
		n, err := b.visible(ctx)
		if err == nil && n < rows {
			err = fmt.Errorf("%d of %d rows", n, rows)
		}
		return err
	})
}

func (b *bench) visible(ctx context.Context) (int, error) {
	total := 0
	for i := range tables {
		n, err := b.rows(ctx, b.dst, i)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func (b *bench) insert(ctx context.Context, n int) error {
	_, err := b.src.ExecContext(ctx, fmt.Sprintf("INSERT INTO d.t%d VALUES (%d, 'a row of the benchmark')", n%tables, n))
	return err
}

// throughput writes transactions into some of the tables while the job is paused,
// then measures how fast it catches up. Baseline: one connection that inserts into
// the source.
func (b *bench) throughput(ctx context.Context, transactions, some int) error {
	present, err := b.visible(ctx)
	if err != nil {
		return err
	}
	if _, err := b.split.CCR.Call(ctx, "pause", map[string]any{"name": "bench"}); err != nil {
		return err
	}
	const probe = 100
	begun := time.Now()
	for i := range probe {
		if err := b.insert(ctx, tables*i+i%some); err != nil {
			return err
		}
	}
	baseline := probe / time.Since(begun).Seconds()
	var g errgroup.Group
	for w := range 16 {
		g.Go(func() error {
			for i := probe + w; i < transactions; i += 16 {
				if err := b.insert(ctx, tables*i+i%some); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	before, err := b.split.CCR.Metric(ctx, "ccr_fe_rpc_total")
	if err != nil {
		return err
	}
	begun = time.Now()
	if _, err := b.split.CCR.Call(ctx, "resume", map[string]any{"name": "bench"}); err != nil {
		return err
	}
	if err := b.await(ctx, present+transactions); err != nil {
		return err
	}
	took := time.Since(begun)
	after, err := b.split.CCR.Metric(ctx, "ccr_fe_rpc_total")
	if err != nil {
		return err
	}
	rate := float64(transactions) / took.Seconds()
	fmt.Printf("  throughput, %d tables: %.0f txn/s = %.1f x one connection inserting into the source (%.0f txn/s)\n", some, rate, rate/baseline, baseline)
	fmt.Printf("  FE calls per transaction: %.2f\n", (after-before)/float64(transactions))
	return nil
}

// latency inserts at a fixed rate and measures, for each row, the time from the
// end of the INSERT (visible on the source) to the first time the destination's
// count includes it. Baseline: the sum of the profile's delays, or of an INSERT
// on the source where there are none.
func (b *bench) latency(ctx context.Context, rate int, duration time.Duration) error {
	before, err := b.polls(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	src, dst := newestTxn(b.pair.Source.Core()), newestTxn(b.pair.Destination.Core())
	d, err := b.delays(ctx, rate, duration)
	if err != nil {
		return err
	}
	baseline, name := b.profile.Begin+b.profile.Ingest+b.profile.Commit+b.profile.Publish, "the sum of the delays"
	if baseline == 0 {
		baseline, name = median(d.took), "an INSERT on the source"
	}
	after, err := b.polls(ctx)
	if err != nil {
		return err
	}
	distances := "at equal distances"
	if b.random {
		distances = "at random distances"
	}
	fmt.Printf("  latency at %d txn/s %s: p50 %s, p99 %s; p50 = %.2f x %s (%s); %.1f getBinlog a second\n", rate, distances,
		rounded(median(d.late)), rounded(percentile(d.late, 99)), float64(median(d.late))/float64(baseline), name, rounded(baseline), (after-before)/time.Since(began).Seconds())
	b.printParts(transactions(b.pair.Source.Core(), src), transactions(b.pair.Destination.Core(), dst), d.seen)
	return nil
}

// polls is how often binlogs have been asked for, once they have been.
func (b *bench) polls(ctx context.Context) (n float64, err error) {
	err = harness.Await(ctx, time.Minute, func(ctx context.Context) error {
		n, err = b.split.CCR.Metric(ctx, "ccr_fe_rpc_total", `method="getBinlog"`)
		return err
	})
	return n, err
}

func rounded(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func (b *bench) rows(ctx context.Context, db *sql.DB, table int) (n int, err error) {
	err = db.QueryRowContext(ctx, fmt.Sprintf("SELECT COUNT(*) FROM d.t%d", table)).Scan(&n)
	return n, err
}
