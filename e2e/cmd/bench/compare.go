package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// comparison measures contenders one after the other, each time on clusters of their own
// that nobody else uses.
type comparison struct {
	contenders   contenders
	rounds       int
	tables       int // of the database
	many         int // of them in the second catch-up
	transactions int // of each catch-up
	rate         int // transactions a second of the latency part
	jobs         int // that idle
	latency      time.Duration
	idle         time.Duration
	realistic    bool
	json         bool
	steps        stepNames // none: all
}

func (c *comparison) flags() {
	flag.Var(&c.contenders, "contender", "measure this syncer and ccr in one run, as name=...,command=...; "+
		"{host}, {port}, {port2}, {port3} and {dir} in the command stand for where its API has to answer, free ports and a directory. May be given several times")
	flag.IntVar(&c.rounds, "rounds", 2, "how often each contender is measured, in alternating order")
	flag.IntVar(&c.tables, "compare-tables", 200, "tables of the database of a comparison")
	flag.IntVar(&c.many, "compare-many", 50, "tables of the second catch-up of a comparison; the first is of one table")
	flag.IntVar(&c.transactions, "compare-transactions", 1500, "transactions of each catch-up of a comparison")
	flag.IntVar(&c.jobs, "compare-jobs", 50, "idle jobs of a comparison")
	flag.DurationVar(&c.latency, "compare-latency", 10*time.Second, "duration of the latency part of a comparison")
	flag.DurationVar(&c.idle, "compare-idle", 20*time.Second, "how long idle jobs of a comparison are watched, once half as long has passed")
	flag.Var(&c.steps, "compare-steps", "steps of a comparison, by commas: "+strings.Join(stepsThereAre, ", ")+"; the first is always made")
	flag.BoolVar(&c.json, "json", false, "print the result of a comparison as JSON")
}

// run measures all contenders and prints what came out.
func (c *comparison) run(ctx context.Context) error {
	own, err := thisCCR()
	if err != nil {
		return err
	}
	all := slices.Concat(contenders{own}, c.contenders)
	var t table
	err = c.measureAll(ctx, all, &t, func(round int, name string, took time.Duration) {
		fmt.Fprintf(os.Stderr, "round %d of %d: %s has been measured, %s\n", round+1, c.rounds, name, took.Round(time.Second))
	})
	if err != nil {
		return err
	}
	if c.json {
		return t.writeJSON(os.Stdout)
	}
	return t.write(os.Stdout)
}

// measureAll measures contenders in turn, in each second round in the opposite order, and
// tells of each that is done.
func (c *comparison) measureAll(ctx context.Context, all contenders, t *table, done func(round int, name string, took time.Duration)) error {
	if c.tables < c.many {
		return fmt.Errorf("%d tables are to catch up, of a database of %d", c.many, c.tables)
	}
	for round := range c.rounds {
		order := slices.Clone(all)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, one := range order {
			begun := time.Now()
			if err := c.measure(ctx, one, t); err != nil {
				return err
			}
			done(round, one.name, time.Since(begun))
		}
	}
	return nil
}

// trial is one contender on two clusters of its own.
type trial struct {
	*comparison
	syncer   *syncer
	pair     *harness.Pair
	src, dst *sql.DB
	table    *table
}

// measure puts one contender through all steps.
func (c *comparison) measure(ctx context.Context, one contender, into *table) (err error) {
	pair, err := harness.StartPair(ctx, harness.PairOptions{BEs: 2, Realistic: c.realistic, LateFiling: &core.LateFiling{}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	t := &trial{comparison: c, pair: pair, table: into}
	if t.src, err = openAsBench(pair.Source); err != nil {
		return err
	}
	defer t.src.Close()
	if t.dst, err = openAsBench(pair.Destination); err != nil {
		return err
	}
	defer t.dst.Close()
	if t.syncer, err = one.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.syncer.stop()) }()
	for _, step := range []struct {
		name stepName
		do   func(context.Context) error
	}{
		{stepFullSync, t.fullSync},
		{stepLatency, t.latencies},
		{stepCatchUp, t.catchUps},
		{stepIdle, t.idling},
		{stepDelete, t.deleteAll},
	} {
		if !c.steps.has(step.name) {
			continue
		}
		if err := step.do(ctx); err != nil {
			return t.syncer.failed(step.name, err)
		}
	}
	return nil
}

// benchAccount is the account of the benchmark: what others ask is the contender's.
const benchAccount = "bench"

func openAsBench(c *harness.Cluster) (*sql.DB, error) {
	c.Core().Users.Set(core.User{Name: benchAccount, Admin: true})
	return harness.OpenSQL(c.FE(0).MySQLAddr(), benchAccount, "", "")
}

// used is what a contender has used up to a moment.
type used struct {
	at              time.Time
	cpu             time.Duration
	rss             int64
	calls, getItems int64 // Thrift calls to frontends of both clusters, those for binlogs
	statements      int64 // of its own accounts
}

func (t *trial) used() (used, error) {
	usage, err := t.syncer.process.GroupUsage()
	u := used{at: time.Now(), cpu: usage.CPU, rss: usage.RSS}
	for _, cluster := range []*harness.Cluster{t.pair.Source, t.pair.Destination} {
		counts := cluster.Core().Calls.Counts()
		for method, n := range counts.Thrift {
			u.calls += n
			if method == "getBinlog" {
				u.getItems += n
			}
		}
		for account, n := range counts.Statements {
			if account != benchAccount {
				u.statements += n
			}
		}
	}
	return u, err
}

// spent is what a contender used while do ran.
type spent struct {
	time, cpu                   time.Duration
	calls, binlogs, statements  float64
	callsPerSecond, cpuPerClock float64
}

func (t *trial) spending(do func() error) (spent, error) {
	before, err := t.used()
	if err != nil {
		return spent{}, err
	}
	if err := do(); err != nil {
		return spent{}, err
	}
	after, err := t.used()
	if err != nil {
		return spent{}, err
	}
	s := spent{
		time: after.at.Sub(before.at), cpu: after.cpu - before.cpu, calls: float64(after.calls - before.calls),
		binlogs: float64(after.getItems - before.getItems), statements: float64(after.statements - before.statements),
	}
	s.callsPerSecond, s.cpuPerClock = s.calls/s.time.Seconds(), s.cpu.Seconds()/s.time.Seconds()
	return s, nil
}

// add notes a figure of this contender.
func (t *trial) add(figure, unit string, value float64) {
	t.table.add(figure, unit, t.syncer.name, value)
}

func (t *trial) create(ctx context.Context, name, database string) error {
	_, err := t.syncer.call(ctx, "create_ccr", map[string]any{"name": name,
		"src": t.pair.Source.Spec(database, ""), "dest": t.pair.Destination.Spec(database, "")})
	return err
}

// stepWithin bounds each wait for rows.
const stepWithin = 10 * time.Minute

// rowLook is the time between two looks whether rows have arrived.
const rowLook = 500 * time.Microsecond

// arrived waits until the tables of the destination's database have so many rows each.
func (t *trial) arrived(ctx context.Context, database string, tables, rows int) error {
	first := 0 // of those that lack rows
	return harness.AwaitEvery(ctx, rowLook, stepWithin, func(ctx context.Context) error {
		if t.syncer.process.Exited() {
			return fmt.Errorf("the contender has ended: %w", harness.ErrGiveUp)
		}
		for ; first < tables; first++ {
			n, err := t.rows(ctx, database, first)
			if err == nil && n < rows {
				err = fmt.Errorf("table %d of %s has %d of %d rows", first, database, n, rows)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *trial) rows(ctx context.Context, database string, table int) (n int, err error) {
	err = t.dst.QueryRowContext(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s.t%d", database, table)).Scan(&n)
	return n, err
}

// database makes a database whose tables have a row each.
func (t *trial) database(ctx context.Context, name string, tables int) error {
	if _, err := t.src.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	var g errgroup.Group
	g.SetLimit(8)
	for i := range tables {
		g.Go(func() error {
			for _, s := range []string{
				fmt.Sprintf(`CREATE TABLE %s.t%d (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1
					PROPERTIES ("replication_num" = "1", "binlog.enable" = "true", "light_schema_change" = "true")`, name, i),
				fmt.Sprintf("INSERT INTO %s.t%d VALUES (0, 'the first row')", name, i),
			} {
				if _, err := t.src.ExecContext(ctx, s); err != nil {
					return fmt.Errorf("%s: %w", s, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if _, err := t.src.ExecContext(ctx, "ALTER DATABASE "+name+` SET PROPERTIES ("binlog.enable" = "true")`); err != nil {
		return fmt.Errorf("switch the binlogs of %s on: %w", name, err)
	}
	return nil
}
