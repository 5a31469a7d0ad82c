package e2e

import (
	"crypto/rand"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// processes are those of rows that stop workers and start them with other settings:
// one Temporal, one API server, one worker at a time.
type processes struct {
	*harness.Fleet
	temporal string // its address
}

// worker starts a worker with args in the place of the one that runs.
func (p *processes) worker(t *trouble, args ...string) {
	t.Helper()
	p.stopWorker(t)
	require.NoError(t, p.AddWorker(t.ctx, args...))
}

func (p *processes) stopWorker(t *trouble) {
	t.Helper()
	for _, w := range p.Workers {
		require.NoError(t, w.Stop())
	}
}

// processRow is a row whose trouble is in the processes of ccr.
type processRow struct {
	remedyRow
	play func(*trouble, *processes)
}

// What has to be done to ccr's own processes helps, too.
func TestRemediesOfProcessesHelp(t *testing.T) {
	t.Parallel()
	e := clusters(t, harness.PairOptions{BEs: 1})
	dir := t.TempDir()
	temporal, address, err := harness.StartEmbeddedTemporal(e.ctx, dir, "")
	require.NoError(t, err)
	t.Cleanup(temporal.Kill)
	p := &processes{Fleet: newFleet(e, dir, address), temporal: address}
	require.NoError(t, p.AddAPI(e.ctx))
	e.ccr = p.APIs[0].CCR
	e.ccr.Temporal = address
	for _, row := range processRows() {
		t.Run(row.name, func(t *testing.T) {
			row.play(&trouble{env: e.beside(t, row.pair), row: &row.remedyRow, full: 1}, p)
		})
	}
}

func processRows() []processRow {
	return []processRow{
		{remedyRow: remedyRow{name: "feature_txn_insert is switched on", helps: []string{"switch feature_txn_insert on; or job_skip_binlog with skip_by fullsync"},
			pages: []string{"`... sub-transactions asked for, ... given`, `The txn insert is not supported yet`"}},
			play: func(t *trouble, p *processes) {
				p.worker(t, "--feature-txn-insert=false")
				t.tables("t", "u")
				t.replicate()
				t.transaction()
				t.stands("The txn insert is not supported yet", t.row.helps[0])
				t.said("feature_txn_insert")
				p.worker(t, "--feature-txn-insert=true")
				t.goesOn("t", "u")
			}},
		{remedyRow: remedyRow{name: "transactions come by a full sync", helps: []string{"switch feature_txn_insert on; or job_skip_binlog with skip_by fullsync"},
			pages: []string{"`... sub-transactions asked for, ... given`, `The txn insert is not supported yet`"}},
			play: func(t *trouble, p *processes) {
				p.worker(t, "--feature-txn-insert=false")
				t.tables("t", "u")
				t.replicate()
				t.transaction()
				t.stands("The txn insert is not supported yet", t.row.helps[0])
				t.order(t.said("job_skip_binlog"), map[string]any{"skip_by": t.said("fullsync")})
				t.full = 2
				t.goesOn("t", "u")
			}},
		{remedyRow: remedyRow{name: "a larger state is allowed", helps: []string{"raise limit.blobSize.error in Temporal's dynamic configuration"},
			pages: []string{"### `the job's state has ... bytes, more than ... that Temporal takes`"}},
			play: func(t *trouble, p *processes) {
				p.worker(t, "--temporal-payload-limit", "100000")
				t.tables("t")
				t.replicate()
				c, in := t.takeOut(t.job)
				defer c.Close()
				for i := range int64(20_000) { // tables that nobody has
					id := 1_000_000_000 + i
					in.Progress.Tables[id] = job.Table{DestID: id, Name: rand.Text()[:8]}
				}
				t.putIn(c, t.job, in)
				t.stands("bytes, more than the 100000 that Temporal takes", t.row.helps[0])
				t.said("--temporal-payload-limit")
				p.worker(t) // Temporal's own limit is 2 MiB
				t.order(t.said("resume"), nil)
				t.goesOn()
			}},
		{remedyRow: remedyRow{name: "a broken version is rolled back", helps: []string{"look at the last WorkflowTaskFailed event"},
			pages: []string{"### `no worker takes the job's step`, `no worker takes the job's workflow task`", "### `workflow task fails again and again`"}},
			play: func(t *trouble, p *processes) {
				p.worker(t)
				t.tables("t")
				t.replicate()
				p.stopWorker(t)
				c, err := client.Dial(client.Options{HostPort: p.temporal, Logger: silent{}})
				require.NoError(t, err)
				defer c.Close()
				broken := brokenWorker(t, c)
				// Something has to happen for a workflow task to be made.
				require.NoError(t, c.SignalWorkflow(t.ctx, job.WorkflowID(t.job), "", job.SignalResume, nil))
				t.stands("workflow task fails again and again", t.row.helps[0])
				b := &byHand{env: t.env}
				require.Contains(t, b.run(regexp.MustCompile(`temporal workflow show -w [\w-]+`).FindString(t.remedy)), "WorkflowTaskFailed")
				broken()
				p.worker(t)
				t.goesOn()
			}},
	}
}

// transaction writes two tables in one transaction.
func (t *trouble) transaction() {
	t.Helper()
	t.exec("BEGIN", "INSERT INTO d.t VALUES (2, 'txn')", "INSERT INTO d.u VALUES (2, 'txn')", "COMMIT")
}

// brokenWorker runs a worker that cannot go on with any job's history, until the
// returned function is called.
func brokenWorker(t *trouble, c client.Client) (stop func()) {
	t.Helper()
	w := sdkworker.New(c, job.TaskQueue, sdkworker.Options{DisableRegistrationAliasing: true, WorkerStopTimeout: time.Second})
	w.RegisterWorkflowWithOptions(func(workflow.Context, any) error {
		panic("this version does not know the history of before")
	}, workflow.RegisterOptions{Name: job.WorkflowType})
	require.NoError(t, w.Start())
	return w.Stop
}
