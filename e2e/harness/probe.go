package harness

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Probe writes rows into a table of the source at an even pace and notes how
// long each takes until it is seen on the destination. What interrupts a job
// shows as the longest of these times.
type Probe struct {
	stop   context.CancelFunc
	done   sync.WaitGroup
	err    error
	mu     sync.Mutex
	wrote  []time.Time     // of row i+1
	delays []time.Duration // of row i+1, as far as it was seen
}

// ProbeTable is the table that a probe writes into, without its name.
const ProbeTable = `(id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1
	PROPERTIES ("replication_num" = "1", "binlog.enable" = "true")`

// StartProbe begins to write into the table, which has the same name on both
// sides and is empty.
func StartProbe(ctx context.Context, src, dst *sql.DB, table string, every time.Duration) *Probe {
	ctx, stop := context.WithCancel(ctx)
	p := &Probe{stop: stop}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.write(ctx, src, table, every) })
	g.Go(func() error { return p.watch(ctx, dst, table) })
	p.done.Go(func() { p.err = g.Wait() })
	return p
}

func (p *Probe) write(ctx context.Context, src *sql.DB, table string, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for id := 1; ; id++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		// A statement that has begun is finished: the probe has to know its rows.
		_, err := src.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("INSERT INTO %s VALUES (%d, 'probe')", table, id))
		if err != nil {
			return fmt.Errorf("probe %s: %w", table, err)
		}
		p.mu.Lock()
		p.wrote = append(p.wrote, time.Now())
		p.mu.Unlock()
	}
}

func (p *Probe) watch(ctx context.Context, dst *sql.DB, table string) error {
	const pause = 5 * time.Millisecond // the resolution of the figures
	for {
		var newest sql.NullInt64
		// Rows come in order: the newest one says it all.
		err := dst.QueryRowContext(ctx, "SELECT MAX(id) FROM "+table).Scan(&newest)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("probe %s: %w", table, err)
		}
		now := time.Now()
		p.mu.Lock()
		for len(p.delays) < min(int(newest.Int64), len(p.wrote)) {
			p.delays = append(p.delays, now.Sub(p.wrote[len(p.delays)]))
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// Rows is how many rows were written and seen so far.
func (p *Probe) Rows() (written, seen int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.wrote), len(p.delays)
}

// Since returns the delays of the rows from number `from` on, counted from 0,
// that have been seen: their median and the longest.
func (p *Probe) Since(from int) (median, longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if from >= len(p.delays) {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(p.delays[from:]))
	return sorted[len(sorted)/2], sorted[len(sorted)-1]
}

// AwaitNew waits until the probe has written another row, as of now, and the
// destination has shown it.
func (p *Probe) AwaitNew(ctx context.Context, limit time.Duration) error {
	written, _ := p.Rows()
	return Await(ctx, limit, func(context.Context) error {
		if now, seen := p.Rows(); seen <= written {
			return fmt.Errorf("%d of %d rows are there, row %d is not", seen, now, written+1)
		}
		return nil
	})
}

// Stop ends the probe and returns what went wrong.
func (p *Probe) Stop() error {
	p.stop()
	p.done.Wait()
	return p.err
}
