// Package e2e tests the product from outside: two simulated clusters, the real
// ccr-standalone process, the real HTTP interface. The oracle is content: after
// a job has caught up every table has the same rows on both sides, and the same
// number of them.
package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/workflows/histories"
)

// catchUp is how long a job may take to make both sides equal. Generous: the
// tests run beside each other on two cores.
const catchUp = 120 * time.Second

// shared is one ccr-standalone for all tests that do not kill it.
var shared struct {
	once sync.Once
	ccr  *harness.CCR
	err  error
	dir  string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.ccr != nil {
		if err := shared.ccr.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "shared ccr-standalone:", err)
			code = 1
		}
	}
	if shared.dir != "" {
		if code != 0 {
			fmt.Fprintln(os.Stderr, "log of the shared ccr-standalone:", shared.dir)
		} else {
			os.RemoveAll(shared.dir)
		}
	}
	os.Exit(code)
}

// env is what one test works with.
type env struct {
	*testing.T
	ctx      context.Context
	pair     *harness.Pair
	ccr      *harness.CCR
	src, dst *sql.DB
}

// newEnv starts two clusters and uses the shared ccr-standalone. Fault rules that
// the test adds to them must have struck when it is over.
func newEnv(t *testing.T, o harness.PairOptions) *env {
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "ccr-e2e-"); shared.err != nil {
			return
		}
		if shared.ccr, shared.err = harness.NewCCR(shared.dir, false); shared.err == nil {
			// Many tests at once keep it busy: it may take its time to answer.
			shared.ccr.Args = []string{"--command-timeout", "30s", "--verify-slots", "16"}
			shared.err = shared.ccr.Start(context.Background())
		}
	})
	require.NoError(t, shared.err)
	e := clusters(t, o)
	e.ccr = shared.ccr
	return e
}

// newOwnEnv starts a ccr-standalone of its own, for tests that kill it. A job whose
// process was killed stands still for a heartbeat timeout, so that is short.
func newOwnEnv(t *testing.T, o harness.PairOptions, args ...string) *env {
	e := clusters(t, o)
	var err error
	e.ccr, err = harness.NewCCR(t.TempDir(), false)
	require.NoError(t, err)
	e.ccr.Args = append([]string{"--heartbeat-timeout", "4s"}, args...)
	require.NoError(t, e.ccr.Start(e.ctx))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("last lines of ccr-standalone:\n%s", e.ccr.Process().Tail(40))
		}
		if err := e.ccr.Stop(); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
	return e
}

func clusters(t *testing.T, o harness.PairOptions) *env {
	pair, err := harness.StartPair(t.Context(), o)
	require.NoError(t, err)
	e := &env{T: t, ctx: t.Context(), pair: pair}
	e.src, err = pair.Source.Open("")
	require.NoError(t, err)
	e.dst, err = pair.Destination.Open("")
	require.NoError(t, err)
	seed, err := harness.Seed()
	require.NoError(t, err)
	t.Cleanup(func() {
		e.src.Close()
		e.dst.Close()
		pair.Close()
		if t.Failed() {
			t.Logf("random moments, those of binlogs that are filed late too: %s=%d gives them again", harness.SeedVariable, seed)
		}
	})
	faultstest.Struck(t, pair.Source.Faults(), pair.Destination.Faults())
	return e
}

// exec runs statements on the source.
func (e *env) exec(statements ...string) {
	e.Helper()
	for _, s := range statements {
		_, err := e.src.ExecContext(e.ctx, s)
		require.NoError(e, err, s)
	}
}

// enableBinlog switches binlogs on for the tables and then for the database.
func (e *env) enableBinlog(database string, tables ...string) {
	e.Helper()
	for _, t := range tables {
		e.exec(fmt.Sprintf(`ALTER TABLE %s.%s SET ("binlog.enable" = "true")`, database, t))
	}
	e.exec(fmt.Sprintf(`ALTER DATABASE %s SET PROPERTIES ("binlog.enable" = "true")`, database))
}

var notName = regexp.MustCompile(`[^A-Za-z0-9]+`)

// jobName is a job name of this test's own.
func (e *env) jobName() string { return notName.ReplaceAllString(e.Name(), "_") }

// createJob creates a job named after the test and deletes it at the end.
func (e *env) createJob(srcDB, srcTable, dstDB, dstTable string) string {
	e.Helper()
	name := e.jobName()
	_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name,
		"src": e.pair.Source.Spec(srcDB, srcTable), "dest": e.pair.Destination.Spec(dstDB, dstTable)})
	require.NoError(e, err)
	e.Cleanup(func() {
		if e.ccr != shared.ccr {
			return // its process ends with the test
		}
		if e.Failed() {
			e.explain(name)
		} else {
			e.recordHistory(name)
		}
		_, err := e.ccr.Call(context.Background(), "delete", map[string]any{"name": name})
		if !e.Failed() {
			require.NoError(e, err)
		}
	})
	return name
}

// explain logs what the job says of itself.
func (e *env) explain(name string) {
	for _, operator := range []string{"job_status", "job_progress", "get_lag"} {
		_, text, err := e.ccr.Raw(context.Background(), operator, fmt.Sprintf(`{"name":%q}`, name))
		e.Logf("%s: %s %v", operator, text, err)
	}
}

// awaitEqual waits until both databases hold the same.
func (e *env) awaitEqual(name, srcDB, dstDB string) {
	e.Helper()
	e.awaitThat(name, func(ctx context.Context) error {
		return harness.CompareDatabases(ctx, e.src, srcDB, e.dst, dstDB)
	})
}

// awaitThat waits until the job has nothing left to do and check holds. Both:
// rows that arrive twice do so after everything was equal for a moment.
func (e *env) awaitThat(job string, check func(context.Context) error) {
	e.Helper()
	err := harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		if err := e.pair.Source.AllFiled(); err != nil {
			return err
		}
		lag, err := e.ccr.Call(ctx, "get_lag", map[string]any{"name": job})
		if err != nil {
			return err
		}
		if n := harness.Int(lag, "lag"); n != 0 {
			return fmt.Errorf("%d binlogs to go", n)
		}
		return check(ctx)
	})
	if err != nil {
		e.explain(job)
	}
	require.NoError(e, err)
}

// endWithTest deletes the job when its test is over, and explains it first if the
// test has failed.
func (e *env) endWithTest(job string) {
	e.Cleanup(func() {
		if e.Failed() {
			e.explain(job)
		}
		// The test's own context is over by now.
		_, _ = e.ccr.Call(context.Background(), "delete", map[string]any{"name": job})
	})
}

// awaitState waits until job_status reports the progress state.
func (e *env) awaitState(job string, want ...string) {
	e.Helper()
	err := harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err != nil {
			return err
		}
		for _, w := range want {
			if s.ProgressState == w {
				return nil
			}
		}
		return fmt.Errorf("job is in %s (%s)", s.ProgressState, s.LastError.Text)
	})
	require.NoError(e, err)
}

// requireFullSyncs asserts how many full syncs the job has made: never a
// surprise full sync.
// followOneTable makes a database d with a table t, and a job that replicates it and
// streams. It returns the job's name.
func (e *env) followOneTable() string {
	e.Helper()
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	name := e.createJob("d", "", "d", "")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	e.awaitEqual(name, "d", "d")
	return name
}

func (e *env) requireFullSyncs(job string, want int64) {
	e.Helper()
	s, err := e.ccr.Status(e.ctx, job)
	require.NoError(e, err)
	if s.FullSyncs != want {
		e.explain(job)
	}
	require.Equal(e, want, s.FullSyncs, "full syncs")
}

// recordHistory saves what happened in the job for the replay test of package
// workflows, when CCR_RECORD_HISTORIES names its folder:
//
//	make record-histories RELEASE=0.4
//
// Record when a release is made; files are added, not replaced.
func (e *env) recordHistory(name string) {
	e.Helper()
	dir := os.Getenv("CCR_RECORD_HISTORIES")
	if dir == "" {
		return
	}
	c, err := client.Dial(client.Options{HostPort: e.ccr.Temporal})
	require.NoError(e, err)
	defer c.Close()
	require.NoError(e, histories.Record(context.Background(), c, job.WorkflowID(name), "", filepath.Join(dir, "e2e_"+name+".json.gz")))
}
