package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// standalonePart says how idle jobs in one ccr-standalone are measured.
type standalonePart struct {
	args    string // of the process, in addition
	profile string // file for a CPU profile of it, "" for none
	console bool   // measure the web console
}

// settling is the time in which a process comes to rest after the jobs were created.
const settling = 75 * time.Second

// measureStandalone creates the jobs in one ccr-standalone and measures what they cost
// while nothing is written.
func measureStandalone(ctx context.Context, o options, s standalonePart) (err error) {
	dir, err := os.MkdirTemp("", "ccr-idlejobs-")
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	defer os.RemoveAll(dir)
	pair, err := harness.StartPair(ctx, harness.PairOptions{})
	if err != nil {
		return err
	}
	defer pair.Close()
	f := &fleet{options: o, Fleet: &harness.Fleet{Dir: dir}}
	if f.src, err = pair.Source.Open(""); err != nil {
		return err
	}
	defer f.src.Close()
	ccr, err := harness.NewCCR(dir, false)
	if err != nil {
		return err
	}
	ports, err := harness.FreePorts(1)
	if err != nil {
		return err
	}
	pprof := fmt.Sprintf("127.0.0.1:%d", ports[0])
	ccr.Args, ccr.Env = strings.Fields(s.args), []string{"CCR_PPROF_LISTEN=" + pprof}
	if err := ccr.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ccr.Stop()) }()
	f.APIs = []*harness.API{{CCR: ccr}}
	if err := f.create(ctx, pair); err != nil {
		return err
	}
	if err := sleep(ctx, settling); err != nil {
		return err
	}
	if s.console {
		return measureConsole(ctx, "http://"+ccr.API, o.jobs)
	}
	return f.idleStandalone(ctx, ccr, pprof, s.profile)
}

// idleStandalone prints what the process uses while nothing is written.
func (f *fleet) idleStandalone(ctx context.Context, ccr *harness.CCR, pprof, profile string) error {
	used := func() (at time.Time, cpu time.Duration, heartbeats, calls float64, err error) {
		if cpu, err = ccr.Process().CPU(); err != nil {
			return at, cpu, 0, 0, err
		}
		at = time.Now()
		if heartbeats, err = ccr.Metric(ctx, "temporal_request_total", `operation="RecordActivityTaskHeartbeat"`); err != nil {
			return at, cpu, heartbeats, 0, err
		}
		calls, err = ccr.Metric(ctx, "ccr_fe_rpc_total")
		return at, cpu, heartbeats, calls, err
	}
	at, cpu, heartbeats, calls, err := used()
	if err != nil {
		return err
	}
	g, beside := errgroup.WithContext(ctx)
	if profile != "" {
		g.Go(func() error { return cpuProfile(beside, pprof, profile, f.idle) })
	}
	g.Go(func() error { return sleep(beside, f.idle) })
	if err := g.Wait(); err != nil {
		return err
	}
	at2, cpu2, heartbeats2, calls2, err := used()
	if err != nil {
		return err
	}
	rss, err := ccr.Process().RSS()
	if err != nil {
		return err
	}
	took := at2.Sub(at).Seconds()
	fmt.Printf("%d idle jobs in one ccr-standalone for %.0f s: %.3f cores, %.1f heartbeats and %.0f FE calls a second, %d MB\n",
		f.jobs, took, (cpu2-cpu).Seconds()/took, (heartbeats2-heartbeats)/took, (calls2-calls)/took, rss>>20)
	return nil
}

// cpuProfile writes a CPU profile of a process to a file.
func cpuProfile(ctx context.Context, address, file string, duration time.Duration) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, int(duration.Seconds()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("CPU profile: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("CPU profile: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	if err != nil {
		return fmt.Errorf("CPU profile: %w", err)
	}
	return os.WriteFile(file, b, 0o600)
}
