package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// monitor asks all jobs for their lags in turn, as scripts and dashboards do.
type monitor struct {
	mu     sync.Mutex
	took   []time.Duration // until the reply
	oldest time.Duration   // by observed_at, whole seconds
	old    int             // replies that were more than two seconds old
	failed int
	why    error // of one that failed
}

// run asks until ctx is done, with as many questions in flight as it takes.
func (m *monitor) run(ctx context.Context, f *fleet) {
	if f.poll <= 0 {
		return
	}
	ticker := time.NewTicker(f.poll / time.Duration(f.jobs))
	defer ticker.Stop()
	var g errgroup.Group
	g.SetLimit(200)
	for n := 0; ctx.Err() == nil; n++ {
		g.Go(func() error {
			m.ask(ctx, f, name(n%f.jobs))
			return nil
		})
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	_ = g.Wait() // no function above fails
}

func (m *monitor) ask(ctx context.Context, f *fleet, name string) {
	began := time.Now()
	reply, err := f.APIs[0].Call(ctx, "get_lag", map[string]any{"name": name})
	if ctx.Err() != nil {
		return
	}
	took := time.Since(began)
	var age time.Duration
	if err == nil {
		text, _ := reply["observed_at"].(string)
		var at time.Time
		if at, err = time.ParseInLocation(time.DateTime, text, time.Local); err == nil {
			// The reply has no fraction of a second: what is certain is the age less one.
			age = max(0, time.Since(at)-time.Second)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.took = append(m.took, took)
	if err != nil {
		m.failed, m.why = m.failed+1, err
		return
	}
	m.oldest = max(m.oldest, age)
	if age > 2*time.Second {
		m.old++
	}
}

func (m *monitor) print() {
	n := len(m.took)
	if n == 0 {
		return
	}
	slices.Sort(m.took)
	fmt.Printf("  get_lag: %d replies, median %s, p99 %s, slowest %s; oldest observed_at at least %s ago, %d older than 2 s; %d failed\n",
		n, m.took[n/2].Round(time.Millisecond), m.took[n*99/100].Round(time.Millisecond), m.took[n-1].Round(time.Millisecond),
		m.oldest.Round(100*time.Millisecond), m.old, m.failed)
	if m.why != nil {
		fmt.Printf("  one of them: %v\n", m.why)
	}
}
