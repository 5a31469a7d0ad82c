package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// delayed is what was measured of rows that were inserted at a rate.
type delayed struct {
	late []time.Duration // from the end of its INSERT to the row's arrival, sorted
	took []time.Duration // of the INSERTs, sorted
	seen []time.Time     // when the rows arrived, in order
}

// rowStream is how rows get into a table of the source, and how many the destination's
// table has. One table, so that a single count tells how many have arrived.
type rowStream struct {
	insert func(ctx context.Context, i int) error
	rows   func(ctx context.Context) (int, error)
	random bool // at random distances, not at equal ones
}

// delays inserts into table t0.
func (b *bench) delays(ctx context.Context, rate int, duration time.Duration) (delayed, error) {
	s := rowStream{
		insert: func(ctx context.Context, i int) error { return b.insert(ctx, i*tables) },
		rows:   func(ctx context.Context) (int, error) { return b.rows(ctx, b.dst, 0) },
		random: b.random,
	}
	return s.delays(ctx, rate, int(duration.Seconds())*rate)
}

// delays inserts count rows at a rate: at equal distances, or at random ones as from many
// writers that know nothing of each other. No INSERT waits for another one, nor for
// the arrival of a row: what is slow must not make the load lighter.
func (s rowStream) delays(ctx context.Context, rate, count int) (d delayed, err error) {
	base, err := s.rows(ctx)
	if err != nil {
		return d, err
	}
	var (
		mu       sync.Mutex // guards inserted and d.took
		inserted []time.Time
	)
	g, ctx := errgroup.WithContext(ctx)
	var issued atomic.Int64
	g.Go(func() (err error) {
		d.seen, err = s.arrivals(ctx, base, count, &issued)
		return err
	})
	g.Go(func() error {
		return s.atRate(ctx, rate, count, func(i int) {
			issued.Add(1)
			g.Go(func() error {
				begun := time.Now()
				if err := s.insert(ctx, i); err != nil {
					return err
				}
				now := time.Now()
				mu.Lock()
				defer mu.Unlock()
				d.took, inserted = append(d.took, now.Sub(begun)), append(inserted, now)
				return nil
			})
		})
	})
	if err := g.Wait(); err != nil {
		return d, err
	}
	slices.SortFunc(inserted, time.Time.Compare)
	for i, at := range d.seen {
		d.late = append(d.late, at.Sub(inserted[i]))
	}
	slices.Sort(d.late)
	slices.Sort(d.took)
	return d, nil
}

// atRate calls do count times, which must not block.
func (s rowStream) atRate(ctx context.Context, rate, count int, do func(i int)) error {
	next := time.Now()
	for i := range count {
		distance := float64(time.Second) / float64(rate)
		if s.random {
			distance *= rand.ExpFloat64()
		}
		next = next.Add(time.Duration(distance))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(next)):
		}
		do(i)
	}
	return nil
}

// arrivals returns when each of count rows was there, in the order of their arrival, in
// the destination's table, which has base rows. While all that were issued are there
// it asks nothing.
func (s rowStream) arrivals(ctx context.Context, base, count int, issued *atomic.Int64) (seen []time.Time, err error) {
	const longest = 30 * time.Second
	last := time.Now()
	for ; len(seen) < count; time.Sleep(500 * time.Microsecond) {
		if int64(len(seen)) == issued.Load() && ctx.Err() == nil {
			last = time.Now()
			continue
		}
		n, err := s.rows(ctx)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		if base+len(seen) < n {
			last = now
		}
		for base+len(seen) < n {
			seen = append(seen, now)
		}
		if now.Sub(last) > longest {
			return nil, fmt.Errorf("row %d did not arrive", base+len(seen)+1)
		}
	}
	return seen, nil
}

// median of sorted durations.
func median(sorted []time.Duration) time.Duration { return percentile(sorted, 50) }

// percentile of sorted durations.
func percentile(sorted []time.Duration, p int) time.Duration { return sorted[len(sorted)*p/100] }
