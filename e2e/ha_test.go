package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// takeover is how long a job may stand still after its worker died: the default
// heartbeat timeout of 10 s, a second's pause, and what a busy machine adds. It is
// a promise to operators, so it is asserted although it is a time.
const takeover = 15 * time.Second

// Two API servers, three workers and two Temporal servers on PostgreSQL, each a
// process. A worker freezes, as if its machine had died, and wakes up when others
// have its jobs; then each worker, each API server and in the end a Temporal
// server is killed, while rows are written and a client asks all the time. The
// client, which tries once more at the other API server, sees no error; every
// row arrives, once.
func TestEachProcessMayDie(t *testing.T) {
	t.Parallel()
	e := clusters(t, harness.PairOptions{})
	dir := t.TempDir()
	temporal, err := harness.StartTemporalCluster(e.ctx, dir, "127.0.0.1", "127.0.0.2")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, temporal.Stop()) })
	f := newFleet(e, dir, temporal.Address())
	for range 2 {
		require.NoError(t, f.AddAPI(e.ctx))
	}
	for range 3 {
		require.NoError(t, f.AddWorker(e.ctx))
	}
	jobs, err := harness.StartProbeJobs(e.ctx, e.pair, f.APIs[0].CCR, e.src, e.dst, "ha", 4)
	require.NoError(t, err)
	t.Cleanup(func() { _ = jobs.Stop() })
	require.NoError(t, jobs.AwaitNew(e.ctx))
	// An order waits for the step under way; questions do not wait for the order.
	askers := []*asker{
		startAsker(e, f, jobs.Names, "job_status", "get_lag", "job_progress", "list_jobs"),
		startAsker(e, f, jobs.Names, "resume"),
	}
	settle := func() {
		t.Helper()
		for _, a := range askers {
			require.NoError(t, a.settle(e.ctx))
		}
	}
	c, err := client.Dial(client.Options{HostPort: temporal.Addresses[1]})
	require.NoError(t, err)
	t.Cleanup(c.Close)

	// dies waits, after kill, until every job has brought every row, and returns
	// how long the slowest one took.
	dies := func(what string, kill func()) time.Duration {
		t.Helper()
		// One death at a time: what was asked before the last one is answered.
		settle()
		mark := jobs.Mark()
		kill()
		require.NoError(t, jobs.AwaitRecovered(e.ctx), what)
		_, longest := jobs.Since(mark)
		t.Logf("%s: the slowest row of each job took %v", what, longest)
		return slices.Max(longest)
	}
	loses := func(w *harness.Member, how string, end func()) {
		t.Helper()
		require.Less(t, dies(w.Name+" "+how, end), takeover, "the jobs of %s stood still for too long", w.Name)
	}
	// With more jobs than workers there is one that has at least two.
	busiest := slices.MaxFunc(f.Workers, func(x, y *harness.Member) int { return running(e, c, x, jobs) - running(e, c, y, jobs) })
	require.NotZero(t, running(e, c, busiest, jobs), "no job would lose its worker")
	loses(busiest, "freezes", busiest.Freeze)
	busiest.Thaw()
	for _, w := range f.Workers {
		loses(w, "dies", w.Kill)
		require.NoError(t, w.Start(e.ctx))
	}
	for _, a := range f.APIs {
		dies(a.Member.Name+" dies", a.Member.Kill)
		require.NoError(t, a.Member.Start(e.ctx))
	}
	dies("Temporal server 1 dies", temporal.Servers[0].Kill)

	settle()
	var again int64
	for _, a := range askers {
		asked, twice := a.stop(e)
		t.Logf("a client sent %v %d times, %d of them twice", a.requests, asked, twice)
		again += twice
	}
	require.NotZero(t, again, "no death was seen by a client")
	for _, name := range jobs.Names {
		require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
			s, err := f.APIs[0].Status(ctx, name)
			if err == nil {
				require.Equal(t, int64(1), s.FullSyncs, "a death leads to no full sync")
			}
			return err
		}))
	}
	e.pausedWorkflowHelps(f.APIs[0].CCR, c, jobs.Names[0])
	require.NoError(t, jobs.AwaitNew(e.ctx))
	endProbes(e, jobs)
}

// pausedWorkflowHelps pauses the workflow of a job in Temporal, which its status
// tells, and unpauses it as the remedy has it: with the same tool.
func (e *env) pausedWorkflowHelps(ccr *harness.CCR, c client.Client, name string) {
	e.Helper()
	e.ccr = ccr
	_, err := c.WorkflowService().PauseWorkflowExecution(e.ctx, &workflowservice.PauseWorkflowExecutionRequest{
		Namespace: client.DefaultNamespace, WorkflowId: job.WorkflowID(name), Identity: somebody, Reason: "a test", RequestId: "pause",
	})
	require.NoError(e, err)
	e.stalledWith(name, "the job's workflow is paused in Temporal", "unpause it with the tool that has paused it")
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		reply, err := ccr.Call(ctx, "list_jobs", nil)
		if err == nil && !strings.Contains(fmt.Sprint(reply["jobs"]), name) {
			err = fmt.Errorf("not listed: %v", reply)
		}
		return err
	}))
	_, err = c.WorkflowService().UnpauseWorkflowExecution(e.ctx, &workflowservice.UnpauseWorkflowExecutionRequest{
		Namespace: client.DefaultNamespace, WorkflowId: job.WorkflowID(name), Identity: somebody, Reason: "a test", RequestId: "unpause",
	})
	require.NoError(e, err)
	e.notStalled(name)
}

// running counts the jobs whose shifts are under way on the worker.
func running(e *env, c client.Client, w *harness.Member, jobs *harness.ProbeJobs) (n int) {
	e.Helper()
	for _, name := range jobs.Names {
		here, err := w.Runs(e.ctx, c, name)
		require.NoError(e, err)
		if here {
			n++
		}
	}
	return n
}

// asker is a client that asks all the time, one API server after the other, and
// tries once more at the other one.
type asker struct {
	requests     []string
	end          context.CancelFunc
	done         sync.WaitGroup
	asked, twice atomic.Int64
	mu           sync.Mutex
	failed       []error
}

func startAsker(e *env, f *harness.Fleet, jobs []string, requests ...string) *asker {
	ctx, end := context.WithCancel(e.ctx)
	a := &asker{requests: requests, end: end}
	e.Cleanup(end)
	a.done.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			request := requests[i%len(requests)]
			body := map[string]any{"name": jobs[i%len(jobs)]}
			a.ask(ctx, request, body, f.APIs[i%2].CCR, f.APIs[(i+1)%2].CCR)
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond): // a bound on the rate
			}
		}
	})
	return a
}

func (a *asker) ask(ctx context.Context, request string, body map[string]any, first, second *harness.CCR) {
	a.asked.Add(1)
	begun := time.Now()
	_, err := first.Call(ctx, request, body)
	if err == nil || ctx.Err() != nil {
		return
	}
	a.twice.Add(1)
	_, again := second.Call(ctx, request, body)
	if again == nil || ctx.Err() != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = append(a.failed, fmt.Errorf("%s of %v, after %s: %w", request, body["name"], time.Since(begun), errors.Join(err, again)))
}

// settle waits until everything is answered that was asked before.
func (a *asker) settle(ctx context.Context) error {
	before := a.asked.Load()
	return harness.Await(ctx, catchUp, func(context.Context) error {
		if a.asked.Load() <= before+1 {
			return errors.New("the client waits for an answer")
		}
		return nil
	})
}

// stop ends the asking; nothing may have failed twice.
func (a *asker) stop(e *env) (asked, twice int64) {
	e.Helper()
	a.end()
	a.done.Wait()
	require.NoError(e, errors.Join(a.failed...))
	return a.asked.Load(), a.twice.Load()
}
