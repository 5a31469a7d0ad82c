// Command takeover measures how long jobs stand still when the worker that runs
// them is stopped (SIGTERM) or killed (SIGKILL) while another one is there: the
// longest time that a row written in between takes to reach the destination.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/e2e/harness"
)

func main() {
	jobs := flag.Int("jobs", 5, "jobs, each with a row every 20 ms")
	rounds := flag.Int("rounds", 5, "stops, and then kills")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *jobs, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "takeover:", err)
		os.Exit(1)
	}
}

// scene is what is measured: two workers, one of which runs all jobs.
type scene struct {
	fleet    *harness.Fleet
	temporal client.Client
	jobs     *harness.ProbeJobs
}

func run(ctx context.Context, jobs, rounds int) (err error) {
	dir, err := os.MkdirTemp("", "ccr-takeover-")
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	defer os.RemoveAll(dir)
	pair, err := harness.StartPair(ctx, harness.PairOptions{})
	if err != nil {
		return err
	}
	defer pair.Close()
	var sides [2]*sql.DB
	for i, cluster := range []*harness.Cluster{pair.Source, pair.Destination} {
		if sides[i], err = cluster.Open(""); err != nil {
			return err
		}
		defer sides[i].Close()
	}
	process, address, err := harness.StartEmbeddedTemporal(ctx, dir, "")
	if err != nil {
		return err
	}
	defer process.Kill()
	s := &scene{fleet: &harness.Fleet{Dir: dir, Temporal: address}}
	defer func() { err = errors.Join(err, s.fleet.Stop()) }()
	if err := s.fleet.AddAPI(ctx); err != nil {
		return err
	}
	for range 2 {
		if err := s.fleet.AddWorker(ctx); err != nil {
			return err
		}
	}
	if s.temporal, err = client.DialContext(ctx, client.Options{HostPort: address}); err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}
	defer s.temporal.Close()
	if s.jobs, err = harness.StartProbeJobs(ctx, pair, s.fleet.APIs[0].CCR, sides[0], sides[1], "job", jobs); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.jobs.Stop()) }()
	for _, how := range []string{"SIGTERM", "SIGKILL"} {
		if err := s.measure(ctx, how, rounds); err != nil {
			return fmt.Errorf("%s: %w", how, err)
		}
	}
	if err := s.jobs.Stop(); err != nil {
		return err
	}
	if err := s.jobs.AwaitEqual(ctx); err != nil {
		return err
	}
	fmt.Println("both sides hold the same rows")
	return nil
}

// measure ends, in each round, the worker that runs the jobs, and prints how
// long rows took in these rounds.
func (s *scene) measure(ctx context.Context, how string, rounds int) error {
	var all []time.Duration
	for round := range rounds {
		from, to := s.fleet.Workers[round%2], s.fleet.Workers[(round+1)%2]
		// Both are up; all jobs are brought to the one that will end.
		if err := s.gather(ctx, from, to); err != nil {
			return err
		}
		if err := s.jobs.AwaitNew(ctx); err != nil {
			return err
		}
		mark := s.jobs.Mark()
		if how == "SIGTERM" {
			if err := from.Stop(); err != nil {
				return err
			}
		} else {
			from.Kill()
		}
		if err := s.jobs.AwaitAt(ctx, s.temporal, to); err != nil {
			return err
		}
		if err := s.jobs.AwaitRecovered(ctx); err != nil {
			return err
		}
		_, longest := s.jobs.Since(mark)
		all = append(all, longest...)
		if err := from.Start(ctx); err != nil {
			return err
		}
	}
	mark := s.jobs.Mark()
	if err := s.jobs.AwaitNew(ctx); err != nil {
		return err
	}
	usual, _ := s.jobs.Since(mark)
	slices.Sort(all)
	slices.Sort(usual)
	fmt.Printf("%s, %d jobs, %d times: the slowest row of a job took %s (median), %s (most); usual is %s\n", how, len(s.jobs.Names), rounds,
		round(all[len(all)/2]), round(all[len(all)-1]), round(usual[len(usual)/2]))
	return nil
}

// gather brings all jobs to one worker by stopping the other for a moment.
func (s *scene) gather(ctx context.Context, at, other *harness.Member) error {
	if err := other.Stop(); err != nil {
		return err
	}
	if err := s.jobs.AwaitAt(ctx, s.temporal, at); err != nil {
		return err
	}
	return other.Start(ctx)
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
