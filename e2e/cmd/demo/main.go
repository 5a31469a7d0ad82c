// Command demo shows ccr at work: two simulated Doris clusters, a database job
// and a table job, writes on the source, and the proof that both sides are equal
// in the end. `make demo` builds and runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/doris-ccr/ccr/e2e/harness"
)

type options struct {
	seconds int
	keep    bool
	dir     string
}

func main() {
	var opts options
	flags := pflag.NewFlagSet("demo", pflag.ContinueOnError)
	flags.IntVar(&opts.seconds, "seconds", 30, "how long to keep writing on the source")
	flags.BoolVar(&opts.keep, "keep", false, "leave everything running until Ctrl-C")
	flags.StringVar(&opts.dir, "dir", "", "directory for data and logs (default: a temporary one)")
	if err := flags.Parse(os.Args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, opts); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, opts options) (err error) {
	if opts.dir == "" {
		if opts.dir, err = os.MkdirTemp("", "ccr-demo-"); err != nil {
			return fmt.Errorf("demo directory: %w", err)
		}
		defer func() {
			// What went wrong stands in the logs: they stay after a failure.
			if err == nil {
				err = os.RemoveAll(opts.dir)
			}
		}()
	}
	screen := newScreen(os.Stdout)
	screen.heading("ccr demo: two simulated Doris clusters, one database job, one table job")

	screen.step("starting two clusters (1 FE, 2 BEs each)")
	pair, err := harness.StartPair(ctx, harness.PairOptions{BEs: 2, Realistic: true})
	if err != nil {
		return err
	}
	defer pair.Close()

	screen.step("creating tables of all three models and filling them")
	shop, err := newWorkload(ctx, pair)
	if err != nil {
		return err
	}
	defer shop.close()

	screen.step("starting ccr-standalone (embedded Temporal, Web UI)")
	ccr, err := harness.NewCCR(filepath.Join(opts.dir), true)
	if err != nil {
		return err
	}
	if err := ccr.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ccr.Stop()) }()

	screen.step("creating the jobs through the HTTP API")
	if err := shop.createJobs(ctx, ccr); err != nil {
		return err
	}

	screen.blank()
	if err := watch(ctx, screen, shop, ccr, time.Duration(opts.seconds)*time.Second); err != nil {
		return fmt.Errorf("%w\nlogs: %s", err, opts.dir)
	}
	screen.howToGoOn(pair, ccr, opts.keep)
	if opts.keep {
		<-ctx.Done()
		screen.step("stopping")
	}
	return nil
}

// watch writes on the source for the given time while the view moves, then
// waits until both sides are equal and says so.
func watch(ctx context.Context, screen *screen, shop *workload, ccr *harness.CCR, writing time.Duration) error {
	stopWriting := shop.startWriting(ctx, writing)
	defer stopWriting()

	begun := time.Now()
	for time.Since(begun) < writing {
		screen.show(snapshot(ctx, shop, ccr, time.Since(begun), writing))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(screen.interval):
		}
	}
	if err := stopWriting(); err != nil {
		return fmt.Errorf("writing on the source: %w", err)
	}
	quiet := time.Now()
	err := harness.Await(ctx, 90*time.Second, func(ctx context.Context) error {
		screen.show(snapshot(ctx, shop, ccr, writing, writing))
		return shop.compare(ctx)
	})
	if err != nil {
		return err
	}
	screen.show(snapshot(ctx, shop, ccr, writing, writing))
	return shop.verdict(ctx, screen, time.Since(quiet))
}
