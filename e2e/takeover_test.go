package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// A worker that stops, or dies, gives its jobs away: rows go on arriving, each
// once. How long it takes is measured by e2e/cmd/takeover.
func TestAnotherWorkerTakesOver(t *testing.T) {
	t.Parallel()
	e := clusters(t, harness.PairOptions{})
	dir := t.TempDir()
	temporal, address, err := harness.StartEmbeddedTemporal(e.ctx, dir, "")
	require.NoError(t, err)
	t.Cleanup(temporal.Kill)
	f := newFleet(e, dir, address)
	require.NoError(t, f.AddAPI(e.ctx))
	require.NoError(t, f.AddWorker(e.ctx))
	c, err := client.Dial(client.Options{HostPort: address})
	require.NoError(t, err)
	t.Cleanup(c.Close)

	jobs, err := harness.StartProbeJobs(e.ctx, e.pair, f.APIs[0].CCR, e.src, e.dst, "takeover", 3)
	require.NoError(t, err)
	t.Cleanup(func() { _ = jobs.Stop() })
	first := f.Workers[0]
	require.NoError(t, jobs.AwaitAt(e.ctx, c, first))

	require.NoError(t, f.AddWorker(e.ctx))
	second := f.Workers[1]
	require.NoError(t, first.Stop())
	require.NoError(t, jobs.AwaitAt(e.ctx, c, second))
	require.NoError(t, jobs.AwaitNew(e.ctx))

	require.NoError(t, first.Start(e.ctx))
	second.Kill()
	require.NoError(t, jobs.AwaitAt(e.ctx, c, first))
	require.NoError(t, jobs.AwaitNew(e.ctx))
	endProbes(e, jobs)
}

// newFleet returns a fleet without members, whose members end with the test.
func newFleet(e *env, dir, temporal string) *harness.Fleet {
	f := &harness.Fleet{Dir: dir, Temporal: temporal}
	e.Cleanup(func() {
		err := f.Stop()
		if e.Failed() {
			for _, w := range f.Workers {
				e.Logf("last lines of %s:\n%s", w.Name, w.Tail(30))
			}
		} else if err != nil {
			e.Error(err)
		}
	})
	return f
}

// endProbes stops the writing and waits until both sides hold the same rows,
// none of them twice.
func endProbes(e *env, jobs *harness.ProbeJobs) {
	e.Helper()
	_, longest := jobs.Since(make([]int, len(jobs.Names)))
	require.NoError(e, jobs.Stop())
	require.NoError(e, jobs.AwaitEqual(e.ctx))
	for i, name := range jobs.Names {
		written, _ := jobs.Probes[i].Rows()
		e.Logf("%s: %d rows, the longest took %s", name, written, longest[i].Round(time.Millisecond))
	}
}
