package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// compared is the database, and the job, that all steps but the idle jobs use.
	compared = "c"
	mb       = 1 << 20
)

// stepName is a step of a comparison.
type stepName = string

const (
	stepFullSync stepName = "full sync"
	stepLatency  stepName = "latency"
	stepCatchUp  stepName = "catch-up"
	stepIdle     stepName = "idle"
	stepDelete   stepName = "delete"
)

// stepsThereAre are those of a comparison that can be chosen.
var stepsThereAre = []stepName{stepFullSync, stepLatency, stepCatchUp, stepIdle}

// stepNames is a flag: the steps of a comparison that are made, all if it names none.
type stepNames []stepName

// String implements flag.Value.
func (n *stepNames) String() string { return strings.Join(*n, ",") }

// Set implements flag.Value.
func (n *stepNames) Set(text string) error {
	for _, name := range strings.Split(text, ",") {
		if !slices.Contains(stepsThereAre, name) {
			return fmt.Errorf("there is no step %q, there are: %s", name, strings.Join(stepsThereAre, ", "))
		}
		*n = append(*n, name)
	}
	return nil
}

// has tells whether a step is made. The first one makes the job of the others.
func (n stepNames) has(name stepName) bool {
	return len(n) == 0 || name == stepFullSync || name == stepDelete || slices.Contains(n, name)
}

// fullSync measures from create_ccr until the last table has its row.
func (t *trial) fullSync(ctx context.Context) error {
	if err := t.database(ctx, compared, t.tables); err != nil {
		return err
	}
	s, err := t.spending(func() error {
		if err := t.create(ctx, compared, compared); err != nil {
			return err
		}
		return t.arrived(ctx, compared, t.tables, 1)
	})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("full sync of %d tables", t.tables)
	t.add(name, "s", s.time.Seconds())
	t.add(name+", CPU", "s", s.cpu.Seconds())
	t.add(name+", calls", "", s.calls)
	// The full sync is over for a syncer when it follows: a first row tells.
	if err := t.insert(ctx, 0, 1); err != nil {
		return err
	}
	return t.arrived(ctx, compared, 1, 2)
}

func (t *trial) insert(ctx context.Context, table, id int) error {
	if _, err := t.src.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s.t%d VALUES (%d, 'a row of the benchmark')", compared, table, id)); err != nil {
		return fmt.Errorf("insert into table %d: %w", table, err)
	}
	return nil
}

// latencies measures from the end of an INSERT until the destination shows its row, at a
// fixed rate.
func (t *trial) latencies(ctx context.Context) error {
	stream := rowStream{
		insert: func(ctx context.Context, i int) error { return t.insert(ctx, 0, i) },
		rows:   func(ctx context.Context) (int, error) { return t.rows(ctx, compared, 0) },
	}
	var d delayed
	s, err := t.spending(func() (err error) {
		d, err = stream.delays(ctx, t.rate, max(1, int(t.latency.Seconds()*float64(t.rate))))
		return err
	})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("at %d transactions a second", t.rate)
	t.add("latency p50 "+name, "ms", milliseconds(median(d.late)))
	t.add("latency p99 "+name, "ms", milliseconds(percentile(d.late, 99)))
	t.add("getBinlog "+name, "/s", s.binlogs/s.time.Seconds())
	t.add("calls "+name, "/s", s.callsPerSecond)
	t.add("CPU "+name, "cores", s.cpuPerClock)
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// catchUps measures a single table, then some.
func (t *trial) catchUps(ctx context.Context) error {
	for _, tables := range []int{1, t.many} {
		if err := t.catchUp(ctx, tables); err != nil {
			return fmt.Errorf("%d tables: %w", tables, err)
		}
	}
	return nil
}

// catchUp measures how soon what was written while the job was paused has arrived.
func (t *trial) catchUp(ctx context.Context, tables int) error {
	before := make([]int, tables)
	for i := range tables {
		var err error
		if before[i], err = t.rows(ctx, compared, i); err != nil {
			return err
		}
	}
	if _, err := t.syncer.call(ctx, "pause", map[string]any{"name": compared}); err != nil {
		return err
	}
	each := max(1, t.transactions/tables)
	if err := t.write(ctx, tables, each); err != nil {
		return err
	}
	early := 0 // what came between the call and the pause
	for i := range tables {
		n, err := t.rows(ctx, compared, i)
		if err != nil {
			return err
		}
		early += n - before[i]
	}
	left := each*tables - early
	if left < each*tables/2 {
		return fmt.Errorf("the job is paused, and %d of %d rows have arrived", early, each*tables)
	}
	s, err := t.spending(func() error {
		if _, err := t.syncer.call(ctx, "resume", map[string]any{"name": compared}); err != nil {
			return err
		}
		// The tables differ by what the latency part has written into the first one.
		for i := range tables {
			if err := t.tableArrived(ctx, i, before[i]+each); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("catch-up of %d tables", tables)
	if tables == 1 {
		name = "catch-up of one table"
	}
	t.add(name, "txn/s", float64(left)/s.time.Seconds())
	t.add(name+", CPU a transaction", "ms", milliseconds(s.cpu)/float64(left))
	t.add(name+", calls a transaction", "", s.calls/float64(left))
	u, err := t.used()
	if err != nil {
		return err
	}
	t.add("memory after the "+name, "MB", float64(u.rss)/mb)
	return nil
}

func (t *trial) tableArrived(ctx context.Context, table, rows int) error {
	deadline := time.Now().Add(stepWithin)
	for time.Now().Before(deadline) {
		n, err := t.rows(ctx, compared, table)
		switch {
		case err != nil:
			return fmt.Errorf("count the rows of table %d: %w", table, err)
		case n >= rows:
			return nil
		case t.syncer.process.Exited():
			return errors.New("the contender has ended")
		}
		time.Sleep(rowLook)
	}
	return fmt.Errorf("table %d has not got its %d rows within %s", table, rows, stepWithin)
}

// write loads so many transactions into each of the tables.
func (t *trial) write(ctx context.Context, tables, each int) error {
	var g errgroup.Group
	g.SetLimit(16)
	for i := range tables * each {
		g.Go(func() error { return t.insert(ctx, i%tables, i) })
	}
	return g.Wait()
}

func idleName(i int) string { return fmt.Sprintf("idle%d", i) }

// idling measures jobs whose sources are silent.
func (t *trial) idling(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(4)
	for i := range t.jobs {
		g.Go(func() error {
			name := idleName(i)
			if err := t.database(ctx, name, 1); err != nil {
				return err
			}
			if err := t.create(ctx, name, name); err != nil {
				return fmt.Errorf("job %s: %w", name, err)
			}
			if err := t.arrived(ctx, name, 1, 1); err != nil {
				return fmt.Errorf("job %s: %w", name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := pause(ctx, t.idle/2); err != nil { // what the full syncs have left to do
		return err
	}
	s, err := t.spending(func() error { return pause(ctx, t.idle) })
	if err != nil {
		return err
	}
	u, err := t.used()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d idle jobs", t.jobs+1)
	t.add(name, "cores", s.cpuPerClock)
	t.add(name+", calls", "/s", s.callsPerSecond)
	t.add(name+", statements", "/s", s.statements/s.time.Seconds())
	t.add(name+", memory", "MB", float64(u.rss)/mb)
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// deleteAll deletes the jobs.
func (t *trial) deleteAll(ctx context.Context) error {
	names := []string{compared}
	if t.steps.has(stepIdle) {
		for i := range t.jobs {
			names = append(names, idleName(i))
		}
	}
	for _, name := range names {
		if _, err := t.syncer.call(ctx, "delete", map[string]any{"name": name}); err != nil {
			return err
		}
	}
	return nil
}
