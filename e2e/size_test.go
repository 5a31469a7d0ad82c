package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/worker"
	"github.com/doris-ccr/ccr/workflows"
)

// inOrder has no binlog filed late. That binlogs were switched on could be found after
// the first snapshot then: the job compares what it has with the source, and leaves
// tables that the source does not have.
var inOrder = &core.LateFiling{}

// A job with 200,000 tables works like any other: its steps, its answers, a new run, and
// a process that has to ask for the tables.
func TestTwoHundredThousandTables(t *testing.T) {
	t.Parallel()
	// A process of its own: a job that large does not answer at once where many tests
	// share the processors, and no other job is created meanwhile.
	e := newOwnEnv(t, harness.PairOptions{LateFiling: inOrder})
	name := e.followOneTable()

	id := job.WorkflowID(name)
	c, in := e.takeOut(name)
	defer c.Close()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range int64(200_000) {
		in.Progress.Tables[1_000_000_000+100*i+random.Int64N(100)] = job.Table{
			DestID: 2_000_000_000 + 100*random.Int64N(200_000), Name: fmt.Sprintf("ods_order_detail_%d_%04d_%08x", 1900+i/1000, i%1000, random.Uint32()),
		}
	}
	_, argument := in.Run()
	payload, err := worker.DataConverter().ToPayload(argument)
	require.NoError(t, err)
	t.Logf("%d bytes", payload.Size())
	require.Less(t, payload.Size(), workflows.DefaultPayloadLimit)
	e.putIn(c, name, in)

	e.exec("INSERT INTO d.t VALUES (2, 'b')", fmt.Sprintf(duplicateTable, "d", "u"), "INSERT INTO d.u VALUES (1, 'a')")
	e.awaitEqual(name, "d", "d")
	before, err := c.DescribeWorkflowExecution(e.ctx, id, "")
	require.NoError(t, err)
	require.NoError(t, c.SignalWorkflow(e.ctx, id, "", job.SignalContinueAsNew, nil))
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		now, err := c.DescribeWorkflowExecution(ctx, id, "")
		if err == nil && now.GetWorkflowExecutionInfo().GetExecution().GetRunId() == before.GetWorkflowExecutionInfo().GetExecution().GetRunId() {
			err = errors.New("still the same run")
		}
		return err
	}))
	e.ccr.Kill()
	require.NoError(t, e.ccr.Start(e.ctx))
	e.exec("INSERT INTO d.t VALUES (3, 'c')", "ALTER TABLE d.u RENAME w")
	e.awaitEqual(name, "d", "d")
	for _, operator := range []string{"job_status", "job_detail", "job_progress", "get_lag"} {
		_, err := e.ccr.Call(e.ctx, operator, map[string]any{"name": name})
		require.NoError(t, err, operator)
	}
	jobs, err := e.ccr.Call(e.ctx, "list_jobs", nil)
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(jobs), name)
	e.notStalled(name)
	e.requireFullSyncs(name, 1)
}

// A state of very many entries is measured before each step, which is an event, and
// the job goes on.
func TestAStateOfManyEntriesIsMeasured(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	name := e.followOneTable()
	many := `{"ahead": [1` + strings.Repeat(",1", 20_000) + `]}` // dealt with long ago
	c, in := e.takeOut(name)
	defer c.Close()
	require.NoError(t, json.Unmarshal([]byte(many), &in.Progress))
	e.putIn(c, name, in)
	e.exec("INSERT INTO d.t VALUES (2, 'b')")
	e.awaitEqual(name, "d", "d")
	events := c.GetWorkflowHistory(e.ctx, job.WorkflowID(name), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	measured := 0
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		if event.GetMarkerRecordedEventAttributes().GetMarkerName() == "SideEffect" {
			measured++
		}
	}
	require.Positive(t, measured)
	e.requireFullSyncs(name, 1)
}

// A DDL of a job with many tables costs no more history than that of a job with few. A
// process that does not know the job's tables asks for them.
func TestADDLOfAJobWithManyTables(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{LateFiling: inOrder})
	name := e.followOneTable()
	ddl := func(table string) {
		e.exec(fmt.Sprintf(duplicateTable, "d", table), fmt.Sprintf("INSERT INTO d.%s VALUES (1, 'a')", table))
		e.awaitEqual(name, "d", "d")
	}
	c, in := e.takeOut(name)
	defer c.Close()
	var id int64
	for known, table := range in.Progress.Tables {
		if table.Name == "t" {
			id = known
		}
	}
	const many = 600 // more than travel with each step
	for i := range int64(many) {
		in.Progress.Tables[1_000_000_000+i] = job.Table{DestID: 2_000_000_000 + i, Name: fmt.Sprintf("ods_order_detail_2024_%04d", i)}
	}
	e.putIn(c, name, in)
	ddl("first")
	e.ccr.Kill()
	require.NoError(t, e.ccr.Start(e.ctx))
	ddl("second") // what is in memory is gone: the worker asks
	size := func() int64 {
		d, err := c.DescribeWorkflowExecution(e.ctx, job.WorkflowID(name), "")
		require.NoError(t, err)
		return d.GetWorkflowExecutionInfo().GetHistorySizeBytes()
	}
	const ddls = 3
	before := size()
	for i := range ddls {
		ddl(fmt.Sprintf("more%d", i))
	}
	perDDL := (size() - before) / ddls
	t.Logf("%d bytes of history for each DDL", perDDL)
	require.Less(t, perDDL, int64(10<<10)) // about half of it is usual
	e.exec("ALTER TABLE d.first RENAME renamed", "DROP TABLE d.second")
	e.awaitEqual(name, "d", "d")
	e.notStalled(name)
	for _, order := range []struct {
		operator string
		with     map[string]any
	}{
		{"job_skip_binlog", map[string]any{"skip_by": "partialsync", "skip_table": "t", "skip_table_id": id}},
		{"update_tables", map[string]any{"exclude_tables": []string{"more0"}}},
		{"force_fullsync", nil},
	} {
		body := map[string]any{"name": name}
		maps.Copy(body, order.with)
		_, err := e.ccr.Call(e.ctx, order.operator, body)
		require.NoError(t, err, order.operator)
		e.exec("INSERT INTO d.t VALUES (2, 'b')")
		e.awaitEqual(name, "d", "d")
	}
	s, err := e.ccr.Status(e.ctx, name)
	require.NoError(t, err)
	require.Equal(t, int64(1), s.PartialSyncs)
	e.requireFullSyncs(name, 2)
}

// takeOut ends a job's workflow and returns the input with which it would go on.
func (e *env) takeOut(name string) (client.Client, *job.WorkflowInput) {
	e.Helper()
	c, err := client.Dial(client.Options{HostPort: e.ccr.Temporal, DataConverter: worker.DataConverter()})
	require.NoError(e, err)
	id := job.WorkflowID(name)
	started, err := c.GetWorkflowHistory(e.ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
	require.NoError(e, err)
	in := &job.WorkflowInput{}
	require.NoError(e, worker.DataConverter().FromPayloads(started.GetWorkflowExecutionStartedEventAttributes().GetInput(), in))
	value, err := c.QueryWorkflow(e.ctx, id, "", job.QueryProgress)
	require.NoError(e, err)
	require.NoError(e, value.Get(&in.Progress))
	// Its spec has the ids, which are in the labels of its transactions.
	value, err = c.QueryWorkflow(e.ctx, id, "", job.QueryVerifyInput, job.VerifyWanted{})
	require.NoError(e, err)
	var step job.StepInput
	require.NoError(e, value.Get(&step))
	require.NotZero(e, step.Spec.Source.DatabaseID)
	in.Spec = step.Spec
	require.NoError(e, c.TerminateWorkflow(e.ctx, id, "", "a larger one takes its place"))
	return c, in
}

// putIn begins the job's workflow with another state.
func (e *env) putIn(c client.Client, name string, in *job.WorkflowInput) {
	e.Helper()
	workflowType, argument := in.Run()
	_, err := c.ExecuteWorkflow(e.ctx, client.StartWorkflowOptions{ID: job.WorkflowID(name), TaskQueue: job.TaskQueue}, workflowType, argument)
	require.NoError(e, err)
}

// A binlog that is larger than a batch may be comes alone, after asking for less; it
// holds up nothing that is before or behind it.
func TestABinlogLargerThanABatch(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	name := e.followOneTable()
	_, err := e.ccr.Call(e.ctx, "pause", map[string]any{"name": name})
	require.NoError(t, err)
	const size = 17 << 20 // with others an answer may have 16 MiB
	for n := range 5 {
		e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'before')", 10+n))
	}
	e.exec("CREATE VIEW d.v AS SELECT id FROM d.t WHERE v <> '" + strings.Repeat("x", size) + "'")
	for n := range 5 {
		e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'behind')", 20+n))
	}
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": name})
	require.NoError(t, err)
	e.awaitEqual(name, "d", "d")
	e.notStalled(name)
	e.requireFullSyncs(name, 1)
}
