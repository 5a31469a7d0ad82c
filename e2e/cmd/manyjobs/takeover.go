package main

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// measureTakeover starts a second worker and kills the first one, which runs all jobs,
// and the other way round, as often as is wanted. It prints how long it takes until rows
// that are written into all jobs at that moment have arrived. Then it starts the one that
// was killed again, and prints how the jobs spread.
func (f *fleet) measureTakeover(ctx context.Context) error {
	for round := range f.takeovers {
		if round == 0 {
			if err := f.AddWorker(ctx); err != nil {
				return err
			}
		} else if err := f.Workers[(round+1)%2].Start(ctx); err != nil {
			return err
		}
		if err := f.takeOver(ctx, f.Workers[round%2], round); err != nil {
			return err
		}
	}
	return f.measureSpread(ctx, f.Workers[(f.takeovers+1)%2])
}

// spreadAfter is how long all jobs have run on one worker when another one joins: those
// that have just been taken over stay for a while.
const spreadAfter = 30 * time.Second

// measureSpread starts a worker that was killed, and looks for a minute and a half how
// many jobs run there.
func (f *fleet) measureSpread(ctx context.Context, w *harness.Member) error {
	if err := sleep(ctx, spreadAfter); err != nil {
		return err
	}
	if err := w.Start(ctx); err != nil {
		return err
	}
	for joined := time.Now(); time.Since(joined) < 90*time.Second; {
		if err := sleep(ctx, 10*time.Second); err != nil {
			return err
		}
		here, err := f.runningOn(ctx, w)
		if err != nil {
			return err
		}
		fmt.Printf("  %d of %d jobs run on the worker that joined, %s after it did\n", here, f.jobs, time.Since(joined).Round(time.Second))
	}
	return nil
}

// takeOver kills the worker that runs all jobs.
func (f *fleet) takeOver(ctx context.Context, running *harness.Member, round int) error {
	id := 1_000_000 + round
	before, err := f.cpus(running)
	if err != nil {
		return err
	}
	killed := time.Now()
	running.Kill()
	if err := f.each(func(job string) error {
		_, err := f.src.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s.p VALUES (%d, 'written while nobody follows')", job, id))
		return err
	}); err != nil {
		return fmt.Errorf("write after the kill: %w", err)
	}
	fmt.Printf("  rows written %s after the kill\n", time.Since(killed).Round(10*time.Millisecond))
	var arrived []time.Duration
	pending := map[int]bool{}
	for i := range f.jobs {
		pending[i] = true
	}
	for len(pending) > 0 {
		for i := range pending {
			var n int
			if err := f.dst.QueryRowContext(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s.p WHERE id = %d", name(i), id)).Scan(&n); err != nil {
				return fmt.Errorf("look for the row of %s: %w", name(i), err)
			}
			if n > 0 {
				arrived = append(arrived, time.Since(killed))
				delete(pending, i)
			}
		}
		if time.Since(killed) > 5*time.Minute {
			return fmt.Errorf("%d jobs do not stream again", len(pending))
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	after, err := f.cpus(running)
	if err != nil {
		return err
	}
	sort.Slice(arrived, func(i, j int) bool { return arrived[i] < arrived[j] })
	at := func(percent int) time.Duration {
		return arrived[min(len(arrived)-1, len(arrived)*percent/100)].Round(10 * time.Millisecond)
	}
	fmt.Printf("  rows had arrived after the kill: first %s, half %s, 90 of 100 %s, all %s; until then Temporal used %.1f s of CPU, the worker %.1f s\n",
		at(0), at(50), at(90), at(100), (after[0] - before[0]).Seconds(), (after[1] - before[1]).Seconds())
	return nil
}

// cpus is what Temporal, and the worker that is not killed, have used.
func (f *fleet) cpus(killed *harness.Member) (used [2]time.Duration, err error) {
	if used[0], err = f.temporal.CPU(); err != nil {
		return used, err
	}
	for _, w := range f.Workers {
		if w == killed {
			continue
		}
		cpu, err := w.CPU()
		if err != nil {
			return used, err
		}
		used[1] += cpu
	}
	return used, nil
}

// runningOn counts the jobs whose shifts are under way on the worker.
func (f *fleet) runningOn(ctx context.Context, w *harness.Member) (n int, err error) {
	for i := range f.jobs {
		here, err := w.Runs(ctx, f.client, name(i))
		if err != nil {
			return 0, err
		}
		if here {
			n++
		}
	}
	return n, nil
}
