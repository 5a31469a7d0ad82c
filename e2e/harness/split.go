package harness

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"
)

// Split is Temporal and ccr as separate processes, as in production; the
// worker's memory can be measured on its own.
type Split struct {
	CCR      *CCR // the API; CCR.Process is `ccr server`
	temporal *Process
}

// StartSplit starts `ccr-standalone temporal` and one `ccr server` that keep
// their data below dir.
func StartSplit(ctx context.Context, dir string) (*Split, error) {
	c, err := NewCCR(dir, false)
	if err != nil {
		return nil, err
	}
	temporalBinary, err := Binary("ccr-standalone")
	if err != nil {
		return nil, err
	}
	ccrBinary, err := Binary("ccr")
	if err != nil {
		return nil, err
	}
	s := &Split{CCR: c}
	s.temporal, err = StartProcess("temporal", temporalBinary, filepath.Join(dir, "temporal.log"), nil,
		"temporal", "--data-dir", dir, "--temporal-listen", c.Temporal, "--ui-listen", "")
	if err != nil {
		return nil, err
	}
	// Doris accounts without password need no key; one is given all the same.
	key := "CCR_SECRET_KEY=" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	c.process, err = StartProcess("ccr", ccrBinary, filepath.Join(dir, "ccr.log"), []string{key},
		append([]string{"server", "--listen", c.API, "--temporal-address", c.Temporal}, c.Args...)...)
	if err != nil {
		s.temporal.Kill()
		return nil, err
	}
	err = Await(ctx, readyWithin, func(ctx context.Context) error {
		if c.process.Exited() {
			return fmt.Errorf("ccr server has ended: %w; its last lines:\n%s", ErrGiveUp, c.process.Tail(40))
		}
		_, err := c.Call(ctx, "list_jobs", nil)
		return err
	})
	if err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Stop ends both processes.
func (s *Split) Stop() error {
	err := s.CCR.Stop()
	if stopErr := s.temporal.Stop(30 * time.Second); err == nil {
		err = stopErr
	}
	return err
}

// Metric sums the samples of a metric of the process' /metrics.
func (c *CCR) Metric(ctx context.Context, name string, labels ...string) (float64, error) {
	return Metric(ctx, c.API, name, labels...)
}

// Metric sums the samples of a metric of the process that serves /metrics at
// the address, those with the labels if some are given, as name="value".
func Metric(ctx context.Context, address, name string, labels ...string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	defer resp.Body.Close()
	return sumSamples(resp.Body, name, labels...)
}

func atof(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64)
	return f
}
