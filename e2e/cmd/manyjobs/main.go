// Command manyjobs runs many jobs on one worker with simulated clusters and
// prints what they cost: memory and CPU of worker and Temporal server, calls to
// the source, history, and how far the jobs are behind while rows are written.
// The figures of docs/sizing.md come from it.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

func main() {
	o := options{}
	flag.IntVar(&o.jobs, "jobs", 200, "jobs, each with a table of its own")
	flag.IntVar(&o.rate, "rate", 100, "rows a second over all jobs while they are busy")
	flag.DurationVar(&o.busy, "busy", 30*time.Second, "how long rows are written")
	flag.DurationVar(&o.idle, "idle", 30*time.Second, "how long nothing is written")
	flag.BoolVar(&o.paused, "paused", false, "measure paused jobs, too")
	flag.BoolVar(&o.stalled, "stalled", false, "measure stalled jobs, too: the source's FE is killed (takes minutes more)")
	flag.DurationVar(&o.poll, "poll", 0, "ask each job for its lag this often while it is idle, busy and paused; 0: do not ask")
	flag.BoolVar(&o.answers, "answers", false, "measure how soon /view, /metrics and job_status answer")
	flag.StringVar(&o.before, "before", "", "a ccr binary of an earlier version, whose API server is measured beside (with -answers)")
	flag.IntVar(&o.takeovers, "takeovers", 0, "so many times at the end: start a second worker, kill the first, and measure how soon all jobs stream again; then how soon one that joins has its share")
	alone := flag.Bool("standalone", false, "only measure the jobs in one ccr-standalone while they are idle")
	s := standalonePart{}
	flag.StringVar(&s.args, "standalone-args", "", "arguments of ccr-standalone in addition (with -standalone)")
	flag.StringVar(&s.profile, "cpuprofile", "", "write a CPU profile of ccr-standalone, for as long as it is measured, to this file (with -standalone)")
	flag.BoolVar(&s.console, "console", false, "measure the web console in Chromium instead of what idle jobs cost (with -standalone)")
	consoleOf := flag.String("console-of", "", "only measure the web console of the ccr that runs at this address, with as many jobs as -jobs says: all of them are paused, and go on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	measured := run
	if *alone {
		measured = func(ctx context.Context, o options) error { return measureStandalone(ctx, o, s) }
	}
	if *consoleOf != "" {
		measured = func(ctx context.Context, o options) error { return measureConsole(ctx, *consoleOf, o.jobs) }
	}
	if err := measured(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "manyjobs:", err)
		os.Exit(1)
	}
}

type options struct {
	jobs, rate int
	busy, idle time.Duration
	paused     bool
	stalled    bool
	poll       time.Duration
	answers    bool
	before     string
	takeovers  int
}

// fleet is one API server and one worker with all the jobs.
type fleet struct {
	options
	*harness.Fleet
	temporal *harness.Process
	client   client.Client
	src, dst *sql.DB
}

func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "ccr-manyjobs-")
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	defer os.RemoveAll(dir)
	pair, err := harness.StartPair(ctx, harness.PairOptions{})
	if err != nil {
		return err
	}
	defer pair.Close()
	f := &fleet{options: o}
	if f.src, err = pair.Source.Open(""); err != nil {
		return err
	}
	defer f.src.Close()
	if f.dst, err = pair.Destination.Open(""); err != nil {
		return err
	}
	defer f.dst.Close()
	var address string
	if f.temporal, address, err = harness.StartEmbeddedTemporal(ctx, dir, ""); err != nil {
		return err
	}
	defer f.temporal.Kill()
	f.Fleet = &harness.Fleet{Dir: dir, Temporal: address}
	defer func() { err = errors.Join(err, f.Stop()) }()
	if err := f.AddAPI(ctx); err != nil {
		return err
	}
	if err := f.AddWorker(ctx); err != nil {
		return err
	}
	if f.client, err = client.DialContext(ctx, client.Options{HostPort: address}); err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}
	defer f.client.Close()

	begun := time.Now()
	if err := f.create(ctx, pair); err != nil {
		return err
	}
	fmt.Printf("%d jobs stream, %s after the first was created\n", o.jobs, time.Since(begun).Round(time.Second))
	if err := f.measure(ctx, "idle", func() error { return sleep(ctx, o.idle) }); err != nil {
		return err
	}
	if o.answers {
		if err := f.measureAnswers(ctx); err != nil {
			return err
		}
	}
	if o.rate > 0 {
		if err := f.follow(ctx); err != nil {
			return err
		}
	}
	if o.paused {
		if err := f.measurePaused(ctx); err != nil {
			return err
		}
	}
	if o.stalled {
		if err := f.measureStalled(ctx, pair); err != nil {
			return err
		}
	}
	if o.takeovers > 0 {
		return f.measureTakeover(ctx)
	}
	return nil
}

// measurePaused pauses all jobs, measures, and has them go on.
func (f *fleet) measurePaused(ctx context.Context) error {
	if err := f.each(func(name string) error {
		return f.client.SignalWorkflow(ctx, job.WorkflowID(name), "", job.SignalPause, nil)
	}); err != nil {
		return err
	}
	begun := time.Now()
	if err := f.each(func(name string) error {
		return harness.Await(ctx, 5*time.Minute, func(ctx context.Context) error {
			s, err := f.APIs[0].Status(ctx, name)
			if err == nil && s.State != "paused" {
				err = fmt.Errorf("job %s is %s", name, s.State)
			}
			return err
		})
	}); err != nil {
		return err
	}
	fmt.Printf("all jobs are paused, %s after the last was told to\n", time.Since(begun).Round(time.Second))
	if err := sleep(ctx, 10*time.Second); err != nil { // let Temporal come to rest
		return err
	}
	if err := f.measure(ctx, "paused", func() error { return sleep(ctx, f.idle) }); err != nil {
		return err
	}
	return f.each(func(name string) error {
		return f.client.SignalWorkflow(ctx, job.WorkflowID(name), "", job.SignalResume, nil)
	})
}

// stalledFor is how long jobs are stalled until their pauses have grown to the
// longest and their steps are patient.
const stalledFor = 4 * time.Minute

// measureStalled kills the source's FE and measures what the jobs cost then.
func (f *fleet) measureStalled(ctx context.Context, pair *harness.Pair) error {
	if err := pair.Source.KillFE(0); err != nil {
		return fmt.Errorf("kill the source's FE: %w", err)
	}
	poll := f.poll
	f.poll = 0 // nobody can answer
	if err := f.measure(ctx, "stalled, at first", func() error { return sleep(ctx, stalledFor) }); err != nil {
		return err
	}
	if err := f.measure(ctx, "stalled", func() error { return sleep(ctx, f.idle) }); err != nil {
		return err
	}
	if err := pair.Source.RestartFE(0); err != nil {
		return fmt.Errorf("restart the source's FE: %w", err)
	}
	f.poll = poll
	back := time.Now()
	err := f.each(func(name string) error {
		return harness.Await(ctx, 3*time.Minute, func(ctx context.Context) error {
			s, err := f.APIs[0].Status(ctx, name)
			if err == nil && s.Stalled {
				err = fmt.Errorf("job %s is stalled: %s", name, s.LastError.Text)
			}
			return err
		})
	})
	fmt.Printf("  all jobs go on, %s after the source is back\n", time.Since(back).Round(time.Second))
	return err
}

func name(i int) string { return "many" + strconv.Itoa(i) }

// each does something for all jobs, some at a time.
func (f *fleet) each(do func(name string) error) error {
	var g errgroup.Group
	g.SetLimit(8)
	for i := range f.jobs {
		g.Go(func() error { return do(name(i)) })
	}
	return g.Wait()
}

// create makes the databases and jobs and waits until all of them stream.
func (f *fleet) create(ctx context.Context, pair *harness.Pair) error {
	err := f.each(func(name string) error {
		for _, s := range []string{
			"CREATE DATABASE " + name, fmt.Sprintf("CREATE TABLE %s.p %s", name, harness.ProbeTable),
			fmt.Sprintf(`ALTER DATABASE %s SET PROPERTIES ("binlog.enable" = "true")`, name),
		} {
			if _, err := f.src.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return f.createJob(ctx, name, map[string]any{"name": name, "src": pair.Source.Spec(name, ""), "dest": pair.Destination.Spec(name, "")})
	})
	if err != nil {
		return err
	}
	return f.each(func(name string) error {
		return harness.Await(ctx, 10*time.Minute, func(ctx context.Context) error {
			s, err := f.APIs[0].Status(ctx, name)
			if err == nil && s.ProgressState != "DBIncrementalSync" {
				err = fmt.Errorf("job %s is in %s: %s", name, s.ProgressState, s.LastError.Text)
			}
			return err
		})
	})
}

// createJob creates one job on a machine that is busy with the others.
func (f *fleet) createJob(ctx context.Context, name string, request map[string]any) error {
	for {
		_, err := f.APIs[0].Call(ctx, "create_ccr", request)
		switch {
		case err == nil, strings.Contains(err.Error(), "is created"), strings.Contains(err.Error(), "already exist"):
			return nil // its checks may take longer than a caller waits
		case !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) || ctx.Err() != nil:
			return fmt.Errorf("create job %s: %w", name, err)
		}
	}
}

// follow writes rows into all jobs in turn and waits until all have arrived.
func (f *fleet) follow(ctx context.Context) error {
	written := make([]int, f.jobs)
	var last time.Time
	err := f.measure(ctx, "busy", func() error {
		ticker := time.NewTicker(time.Second / time.Duration(f.rate))
		defer ticker.Stop()
		for n, end := 0, time.Now().Add(f.busy); time.Now().Before(end); n++ {
			i := n % f.jobs
			written[i]++
			if _, err := f.src.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s.p VALUES (%d, 'a row')", name(i), written[i])); err != nil {
				return fmt.Errorf("write into %s: %w", name(i), err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-ticker.C:
			}
		}
		last = time.Now()
		return nil
	})
	if err != nil {
		return err
	}
	if err := f.caughtUp(ctx, last); err != nil {
		return err
	}
	total := 0
	for i, want := range written {
		total += want
		var rows, distinct int
		if err := f.dst.QueryRowContext(ctx, "SELECT COUNT(*), COUNT(DISTINCT id) FROM "+name(i)+".p").Scan(&rows, &distinct); err != nil {
			return fmt.Errorf("count the rows of %s: %w", name(i), err)
		}
		if rows != want || distinct != want {
			return fmt.Errorf("%s has %d rows, %d different ones, of %d", name(i), rows, distinct, want)
		}
	}
	fmt.Printf("  %d rows in %d jobs, each of them once\n", total, f.jobs)
	return nil
}

// caughtUp prints how far the jobs are behind, and waits until they are not.
func (f *fleet) caughtUp(ctx context.Context, last time.Time) error {
	first := true
	return harness.Await(ctx, 5*time.Minute, func(ctx context.Context) error {
		var behind atomic.Int64
		asked := time.Since(last)
		if err := f.each(func(name string) error {
			lag, err := f.APIs[0].Call(ctx, "get_lag", map[string]any{"name": name})
			behind.Add(harness.Int(lag, "lag"))
			return err
		}); err != nil {
			return err
		}
		if n := behind.Load(); n > 0 {
			if first {
				fmt.Printf("  %d binlogs to go, %s after the last row was written\n", n, asked.Round(10*time.Millisecond))
			}
			first = false
			return fmt.Errorf("%d binlogs to go", n)
		}
		fmt.Printf("  no job is behind, %s after the last row was written\n", time.Since(last).Round(10*time.Millisecond))
		return nil
	})
}

// sample is what has been used up to a moment.
type sample struct {
	at               time.Time
	worker, temporal time.Duration // CPU
	api              time.Duration // CPU of the API server
	calls            float64       // to frontends of the source and the destination
	polls            float64       // of these getBinlog
	events           int64         // in the histories of the first jobs
}

func (f *fleet) sample(ctx context.Context) (s sample, err error) {
	s.at = time.Now()
	if s.worker, err = f.Workers[0].CPU(); err != nil {
		return s, err
	}
	if s.temporal, err = f.temporal.CPU(); err != nil {
		return s, err
	}
	if s.calls, err = harness.Metric(ctx, f.Workers[0].Address, "ccr_fe_rpc_total"); err != nil {
		return s, err
	}
	if s.polls, err = harness.Metric(ctx, f.Workers[0].Address, "ccr_fe_rpc_total", `method="getBinlog"`); err != nil {
		return s, err
	}
	if s.api, err = f.APIs[0].CPU(); err != nil {
		return s, err
	}
	for i := range f.looked() {
		d, err := f.client.DescribeWorkflowExecution(ctx, job.WorkflowID(name(i)), "")
		if err != nil {
			return s, fmt.Errorf("history of job %s: %w", name(i), err)
		}
		s.events += d.GetWorkflowExecutionInfo().GetHistoryLength()
	}
	return s, nil
}

// looked is how many jobs' histories are looked at.
func (f *fleet) looked() int { return min(f.jobs, 20) }

// measure prints what was used while do ran.
func (f *fleet) measure(ctx context.Context, what string, do func() error) error {
	before, err := f.sample(ctx)
	if err != nil {
		return err
	}
	asking, asked := context.WithCancel(ctx)
	var monitor monitor
	var beside sync.WaitGroup
	beside.Go(func() { monitor.run(asking, f) })
	err = do()
	asked()
	beside.Wait()
	if err != nil {
		return err
	}
	after, err := f.sample(ctx)
	if err != nil {
		return err
	}
	worker, err := f.Workers[0].RSS()
	if err != nil {
		return err
	}
	temporal, err := f.temporal.RSS()
	if err != nil {
		return err
	}
	took := after.at.Sub(before.at)
	fmt.Printf("%s for %s: worker %.2f cores, %d MB; Temporal %.2f cores, %d MB; API server %.2f cores; %.0f FE calls a second, %.0f of them getBinlog; %.1f events a minute in the history of a job\n",
		what, took.Round(time.Second), (after.worker-before.worker).Seconds()/took.Seconds(), worker>>20,
		(after.temporal-before.temporal).Seconds()/took.Seconds(), temporal>>20,
		(after.api-before.api).Seconds()/took.Seconds(), (after.calls-before.calls)/took.Seconds(), (after.polls-before.polls)/took.Seconds(),
		float64(after.events-before.events)/took.Minutes()/float64(f.looked()))
	monitor.print()
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
