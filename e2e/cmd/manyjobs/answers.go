package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/e2e/harness"
)

const (
	// coldAfter is longer than any answer about all jobs is remembered.
	coldAfter  = 20 * time.Second
	coldRounds = 3
	// askers ask job_status at once, for askFor.
	askers = 8
	askFor = 5 * time.Second
)

// measureAnswers prints how long overviews of all jobs take that nobody has asked for
// lately, and how many questions about one job are answered in a second. With an
// earlier version beside, both are asked in turn.
func (f *fleet) measureAnswers(ctx context.Context) error {
	servers := map[string]*harness.API{"now": f.APIs[0]}
	if f.before != "" {
		if err := f.AddAPIOf(ctx, f.before); err != nil {
			return err
		}
		servers["before"] = f.APIs[len(f.APIs)-1]
	}
	took := map[string][]time.Duration{} // by path and server
	for range coldRounds {
		for _, path := range []string{"/view?type=json", "/metrics"} {
			if err := sleep(ctx, coldAfter); err != nil {
				return err
			}
			for which, api := range servers {
				d, err := f.askForAll(ctx, api.Address, path)
				if err != nil {
					return err
				}
				took[path+" "+which] = append(took[path+" "+which], d)
			}
		}
	}
	for what, all := range took {
		slices.Sort(all)
		fmt.Printf("  %s, cold, %d jobs: median %s of %v\n", what, f.jobs, all[len(all)/2].Round(time.Millisecond), all)
	}
	for which, api := range servers {
		one, err := f.askRate(ctx, api, func(int64) string { return name(0) })
		if err != nil {
			return err
		}
		all, err := f.askRate(ctx, api, func(n int64) string { return name(int(n) % f.jobs) })
		if err != nil {
			return err
		}
		fmt.Printf("  job_status %s: %.0f a second of one job, %.0f of all jobs in turn\n", which, one, all)
	}
	return nil
}

// askForAll returns how long an answer takes that names all jobs.
func (f *fleet) askForAll(ctx context.Context, address, path string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, fmt.Errorf("ask for %s: %w", path, err)
	}
	begun := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask for %s: %w", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, fmt.Errorf("ask for %s: %w", path, err)
	}
	took := time.Since(begun)
	named := strings.Count(string(body), `"state":"running"`) // in /view
	if n := strings.Count(string(body), "\nccr_job_paused{"); n > 0 {
		named = n
	}
	if named != f.jobs {
		return 0, fmt.Errorf("%s tells of %d running jobs, of %d", path, named, f.jobs)
	}
	return took, nil
}

// askRate returns how many answers of job_status some callers get in a second.
func (f *fleet) askRate(ctx context.Context, api *harness.API, which func(n int64) string) (float64, error) {
	var asked atomic.Int64
	begun := time.Now()
	var g errgroup.Group
	for range askers {
		g.Go(func() error {
			for time.Since(begun) < askFor {
				if _, err := api.Status(ctx, which(asked.Add(1))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(asked.Load()) / time.Since(begun).Seconds(), err
}
