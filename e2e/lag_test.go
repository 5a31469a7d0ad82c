package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// get_lag is live whatever the job does: what it tells was observed at most two
// seconds before it was asked.
func TestLagIsLive(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	job := e.createJob("d", "", "d", "")
	e.exec("INSERT INTO d.t VALUES (0, 'before')")
	e.awaitEqual(job, "d", "d")
	// live asks until n observations have been seen, and checks the age of each.
	live := func(doing string, n int) (lag int64) {
		seen := map[string]bool{}
		require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
			asked := time.Now()
			reply, err := e.ccr.Call(ctx, "get_lag", map[string]any{"name": job})
			require.NoError(t, err, doing)
			text := reply["observed_at"].(string)
			observed, err := time.ParseInLocation(time.DateTime, text, time.Local)
			require.NoError(t, err, doing)
			// observed_at is cut to seconds.
			require.False(t, observed.Before(asked.Add(-2*time.Second).Truncate(time.Second)), "%s: asked at %s, observed at %s", doing, asked, observed)
			lag = harness.Int(reply, "lag")
			if seen[text] = true; len(seen) < n {
				return fmt.Errorf("%s: %d observations", doing, len(seen))
			}
			return nil
		}))
		return lag
	}
	await := func(doing string, want int64) {
		require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
			if lag := live(doing, 1); lag != want {
				return fmt.Errorf("%s: lag %d, not %d", doing, lag, want)
			}
			return nil
		}))
	}
	live("idle", 4)
	stop := e.writeForever("d", "t")
	live("busy", 4)
	stop()
	e.awaitEqual(job, "d", "d") // a lag of 0 may be of a moment before the last row
	await("caught up", 0)

	healthy := e.refuseLoads()
	e.exec("INSERT INTO d.t VALUES (1, 'waits')")
	e.stalledAt(job)
	await("stalled", 1)
	e.exec("INSERT INTO d.t VALUES (2, 'waits')")
	await("stalled", 2)
	live("stalled", 3)
	_, err := e.ccr.Call(e.ctx, "pause", map[string]any{"name": job})
	require.NoError(t, err)
	healthy()
	e.exec("INSERT INTO d.t VALUES (3, 'waits')")
	await("paused", 3)
	live("paused", 3)
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": job})
	require.NoError(t, err)
	await("resumed", 0)
}
