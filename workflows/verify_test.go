package workflows

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// verifyBench runs a verification of three tables on virtual time. Each table takes a
// minute and is equal, unless a test says otherwise.
type verifyBench struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T
	// verified are the inputs of VerifyTable, in order.
	verified []job.VerifyTableInput
	// found is what VerifyTable answers, by table, one after the other; the last stays.
	found map[string][]job.VerifiedTable
	// fails makes the next attempts at a table fail.
	fails map[string][]error
	// earlier are findings of earlier verifications.
	earlier []job.VerifyFinding
	// orders and told are the commands that the job got.
	orders []job.Command
	told   []job.Verified
	// settled are the findings that the last of told takes back.
	settled []job.VerifyFinding
	// answers are what AwaitRepair answers, one after the other; then: done.
	answers []job.RepairOutcome
}

func newVerifyBench(t *testing.T) *verifyBench {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	b := &verifyBench{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, found: map[string][]job.VerifiedTable{}, fails: map[string][]error{}}
	b.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{Interceptor()}})
	b.RegisterWorkflowWithOptions(Workflow{}.VerifyTables, workflow.RegisterOptions{Name: job.WorkflowTypeVerify})
	b.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		if info.ActivityType.Name == job.ActivityVerifyTable {
			var in job.VerifyTableInput
			require.NoError(t, args.Get(&in))
			b.verified = append(b.verified, in)
		}
	})
	activities := map[string]any{
		job.ActivityPlanVerification: func(context.Context, job.VerifyInput) (job.VerifyPlan, error) {
			return job.VerifyPlan{Found: b.earlier, Tables: []job.VerifyTarget{{ID: 11, Name: "a"}, {ID: 12, Name: "b"}, {ID: 13, Name: "c"}}}, nil
		},
		job.ActivityVerifyTable: b.verify,
		job.ActivityAwaitRepair: b.awaitRepair,
	}
	for name, do := range activities {
		b.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
	b.OnActivity(job.ActivityVerifyTable, mock.Anything, mock.Anything).Return(b.verify).After(time.Minute)
	b.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(
		func(_, id, _, signal string, arg any) error {
			require.Equal(t, job.WorkflowID("j1"), id)
			c := arg.(job.Command)
			if signal == job.SignalVerified {
				b.told = append(b.told, *c.Verified)
				b.settled = c.Settled
			} else {
				require.Equal(t, job.SignalRepair, signal)
				b.orders = append(b.orders, c)
			}
			return nil
		})
	return b
}

func (b *verifyBench) verify(_ context.Context, in job.VerifyTableInput) (job.VerifiedTable, error) {
	name := in.Target.Name
	if fails := b.fails[name]; len(fails) > 0 {
		b.fails[name] = fails[1:]
		return job.VerifiedTable{}, fails[0]
	}
	out := job.VerifiedTable{Outcome: job.VerifyEqual, Partitions: 4, SourceRows: 100, DestinationRows: 100, RowsRead: 200, Position: 7}
	if list := b.found[name]; len(list) > 0 {
		out = list[0]
		if len(list) > 1 {
			b.found[name] = list[1:]
		}
	}
	out.Table, out.TableID = name, in.Target.ID
	return out, nil
}

func (b *verifyBench) awaitRepair(context.Context, job.RepairAwaited) (job.RepairOutcome, error) {
	if len(b.answers) == 0 {
		return job.RepairOutcome{}, nil
	}
	a := b.answers[0]
	b.answers = b.answers[1:]
	return a, nil
}

func (b *verifyBench) run(in job.VerifyInput) error {
	in.Job, in.By = "j1", "maria"
	b.ExecuteWorkflow(job.WorkflowTypeVerify, in)
	require.True(b.t, b.IsWorkflowCompleted(), "the verification did not end")
	return b.GetWorkflowError()
}

// report runs the verification to its end.
func (b *verifyBench) report(in job.VerifyInput) job.VerifyReport {
	b.t.Helper()
	require.NoError(b.t, b.run(in))
	var r job.VerifyReport
	require.NoError(b.t, b.GetWorkflowResult(&r))
	return r
}

func (b *verifyBench) ask() (r job.VerifyReport) {
	b.t.Helper()
	v, err := b.QueryWorkflow(job.QueryVerifyReport)
	require.NoError(b.t, err)
	require.NoError(b.t, v.Get(&r))
	return r
}

func (b *verifyBench) at(after time.Duration, do func()) { b.RegisterDelayedCallback(do, after) }

// tables are the tables that were verified, in order.
func (b *verifyBench) tables() (names []string) {
	for _, in := range b.verified {
		names = append(names, in.Target.Name)
	}
	return names
}

// differs is a table of four partitions that differs in some.
func differs(partitions ...string) job.VerifiedTable {
	t := job.VerifiedTable{Outcome: job.VerifyDifferent, Partitions: 4, SourceRows: 100, DestinationRows: 90}
	for _, p := range partitions {
		t.Differences = append(t.Differences, job.VerifyDifference{Kind: "content", Partition: p, SourceRows: 30, Text: p + " differs"})
	}
	return t
}

// result is a report without what differs between any two.
func result(r job.VerifyReport) job.VerifyReport {
	r.ID, r.StartedAt, r.EndedAt = "", time.Time{}, time.Time{}
	return r
}

func undisturbed(t *testing.T) job.VerifyReport {
	b := newVerifyBench(t)
	b.found["b"] = []job.VerifiedTable{differs("p1")}
	return result(b.report(job.VerifyInput{}))
}

func TestVerifyTellsWhatItHasFound(t *testing.T) {
	b := newVerifyBench(t)
	b.found["b"] = []job.VerifiedTable{differs("p1")}
	b.at(90*time.Second, func() {
		r := b.ask()
		require.Equal(t, "b", r.Doing)
		require.Equal(t, job.VerifyRunning, r.State)
		require.Equal(t, 1, r.Equal)
		require.Equal(t, 3, r.Total)
		require.Len(t, r.Planned, 2)
	})
	r := b.report(job.VerifyInput{Request: job.VerifyRequest{Method: job.VerifyChecksum}})
	require.Equal(t, job.VerifyDone, r.State)
	require.Equal(t, "different", r.Result())
	require.Equal(t, []int{2, 1, 0, 0, 0}, []int{r.Equal, r.Different, r.Repaired, r.Busy, r.NotComparable})
	require.EqualValues(t, 300, r.SourceRows)
	require.EqualValues(t, 290, r.DestinationRows)
	require.Empty(t, r.Repairs, "nobody asked for it")
	require.NotEmpty(t, r.ID)
	require.Len(t, b.told, 1)
	require.Equal(t, "different", b.told[0].Result)
	require.EqualValues(t, 7, b.told[0].Position)
	require.EqualValues(t, 180, b.told[0].Seconds)
	require.True(t, b.told[0].All)
}

func TestVerifyPausesInTheMiddleOfATable(t *testing.T) {
	b := newVerifyBench(t)
	b.found["b"] = []job.VerifiedTable{differs("p1")}
	b.at(90*time.Second, func() { b.SignalWorkflow(job.SignalPause, nil) })
	b.at(time.Hour, func() {
		r := b.ask()
		require.Equal(t, job.VerifyPaused, r.State)
		require.Len(t, r.Planned, 2, "b is begun anew")
		b.SignalWorkflow(job.SignalResume, nil)
	})
	r := b.report(job.VerifyInput{})
	require.Equal(t, []string{"a", "b", "b", "c"}, b.tables())
	require.Equal(t, undisturbed(t), result(r))
}

func TestVerifyCancelledTellsWhatIsDone(t *testing.T) {
	for name, cancel := range map[string]func(*verifyBench){
		"by signal":       func(b *verifyBench) { b.SignalWorkflow(job.SignalVerifyCancel, nil) },
		"as the workflow": func(b *verifyBench) { b.CancelWorkflow() },
		"by signal, in pause": func(b *verifyBench) {
			b.SignalWorkflow(job.SignalPause, nil)
			b.SignalWorkflow(job.SignalVerifyCancel, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newVerifyBench(t)
			b.at(90*time.Second, func() { cancel(b) })
			r := b.report(job.VerifyInput{})
			require.Equal(t, job.VerifyCancelled, r.State)
			require.Equal(t, 1, r.Equal)
			require.Len(t, r.Planned, 2)
			require.Equal(t, "cancelled", r.Result())
			require.Equal(t, "cancelled", b.told[0].Result)
			require.False(t, b.told[0].All)
		})
	}
}

func TestVerifyOutlivesWorkersAndClusters(t *testing.T) {
	died := errors.New("its worker died: the server tries it again")
	unreachable := temporal.NewApplicationErrorWithOptions("connection refused", string(job.KindRPC), temporal.ApplicationErrorOptions{NonRetryable: true})
	b := newVerifyBench(t)
	b.found["b"] = []job.VerifiedTable{differs("p1")}
	b.fails["a"] = []error{died, died}
	for range 50 {
		b.fails["b"] = append(b.fails["b"], unreachable)
	}
	b.at(10*time.Minute, func() { require.Equal(t, "verify b: connection refused", b.ask().Problem) })
	require.Equal(t, undisturbed(t), result(b.report(job.VerifyInput{})))
}

func TestVerifyTellsOfATableThatCannotBeRead(t *testing.T) {
	refuses := temporal.NewApplicationErrorWithOptions("SELECT denied", string(job.KindDB), temporal.ApplicationErrorOptions{NonRetryable: true})
	b := newVerifyBench(t)
	for range 50 {
		b.fails["b"] = append(b.fails["b"], refuses)
	}
	r := b.report(job.VerifyInput{})
	require.Len(t, b.verified, 2+verifyTries)
	require.Equal(t, 2, r.Equal)
	require.Equal(t, 1, r.NotComparable)
	require.Equal(t, "verify: SELECT denied", r.Tables[1].Why)
	require.Equal(t, "incomplete", r.Result())
}

func TestVerifyEndsWithItsJob(t *testing.T) {
	b := newVerifyBench(t)
	b.fails["b"] = []error{temporal.NewNonRetryableApplicationError("job j1 not exist", job.ErrorTypeNoJob, nil)}
	r := b.report(job.VerifyInput{})
	require.Equal(t, job.VerifyFailed, r.State)
	require.Equal(t, "verify b: job j1 not exist", r.Error)
	require.Equal(t, 1, r.Equal)
}

func TestVerifyContinuesAsNewInTheMiddle(t *testing.T) {
	b := newVerifyBench(t)
	b.found["b"] = []job.VerifiedTable{differs("p1")}
	b.at(90*time.Second, func() { b.SetContinueAsNewSuggested(true) })
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, b.run(job.VerifyInput{}), &next)
	require.Equal(t, job.WorkflowTypeVerify, next.WorkflowType.Name)
	require.Empty(t, b.told)
	var in job.VerifyInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	require.Len(t, in.Report.Planned, 1)

	rest := newVerifyBench(t)
	r := rest.report(in)
	require.Equal(t, []string{"c"}, rest.tables())
	require.Equal(t, in.Report.ID, r.ID)
	require.Equal(t, undisturbed(t), result(r))
	require.Equal(t, r.ID, rest.told[0].Report)
}

func TestVerifyRepairsWhatDiffersAndNoMore(t *testing.T) {
	b := newVerifyBench(t)
	equal := job.VerifiedTable{Outcome: job.VerifyEqual, Position: 9}
	b.found["a"] = []job.VerifiedTable{differs("p1"), equal}
	b.found["b"] = []job.VerifiedTable{differs("p1", "p2", "p3", "p4"), differs("p1")}
	b.answers = []job.RepairOutcome{{Refused: job.RepairBusy + ": a full sync", Later: true}}
	r := b.report(job.VerifyInput{Request: job.VerifyRequest{Repair: true}})

	require.Len(t, b.orders, 3, "the first was refused, for a while")
	require.Equal(t, job.PartialSync{TableID: 11, Table: "a", Partitions: []string{"p1"}}, b.orders[0].Repair.Partial)
	require.Equal(t, b.orders[0].Repair, b.orders[1].Repair)
	require.NotEqual(t, b.orders[0].RequestID, b.orders[1].RequestID)
	require.Equal(t, job.PartialSync{TableID: 12, Table: "b", Replace: true}, b.orders[2].Repair.Partial, "all partitions")
	require.Equal(t, "maria", b.orders[0].By)
	require.Equal(t, r.ID, b.orders[0].Repair.Report)

	require.Equal(t, []string{"a", "b", "c", "a", "b"}, b.tables())
	require.Equal(t, []string{"p1"}, b.verified[3].Request.Partitions, "only what was repaired is verified again")
	require.Empty(t, b.verified[4].Request.Partitions)
	require.Equal(t, job.RepairSuccess, r.Repairs[0].State)
	require.EqualValues(t, 30, r.Repairs[0].Rows)
	require.Equal(t, job.RepairUseless, r.Repairs[1].State)
	require.EqualValues(t, 100, r.Repairs[1].Rows)
	require.Equal(t, []int{1, 1, 1}, []int{r.Equal, r.Different, r.Repaired})
	require.Equal(t, job.VerifyRepaired, r.Tables[0].Outcome)
	require.Len(t, r.Tables[0].Differences, 1, "what it was")
	require.Equal(t, "different", r.Result())
}

func TestVerifyPlansRepairsOnly(t *testing.T) {
	b := newVerifyBench(t)
	b.found["a"] = []job.VerifiedTable{differs("p1", "p2")}
	r := b.report(job.VerifyInput{Request: job.VerifyRequest{Repair: true, DryRun: true}})
	require.Empty(t, b.orders)
	require.Equal(t, []job.Repair{{State: job.RepairPlanned, Rows: 60, Partial: job.PartialSync{TableID: 11, Table: "a", Partitions: []string{"p1", "p2"}}}}, r.Repairs)
	require.Equal(t, 1, r.Different)
}

func TestVerifyRepairsTheTablesOfAReport(t *testing.T) {
	b := newVerifyBench(t)
	found := differs("p2")
	found.Table, found.TableID = "b", 12
	r := b.report(job.VerifyInput{Request: job.VerifyRequest{Repair: true}, Found: []job.VerifiedTable{found}, Of: "older"})
	require.Equal(t, []string{"b"}, b.tables(), "only to see whether the repair has helped")
	require.Equal(t, "older", b.orders[0].Repair.Report)
	require.Equal(t, 1, r.Repaired)
	require.Equal(t, "equal", r.Result())
	require.False(t, b.told[0].All)
}

func TestVerifyRepairSurvivesContinueAsNew(t *testing.T) {
	b := newVerifyBench(t)
	b.found["a"] = []job.VerifiedTable{differs("p1")}
	b.OnActivity(job.ActivityAwaitRepair, mock.Anything, mock.Anything).Return(b.awaitRepair).After(time.Hour)
	b.at(30*time.Minute, func() { b.SetContinueAsNewSuggested(true) })
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, b.run(job.VerifyInput{Request: job.VerifyRequest{Repair: true}}), &next)
	var in job.VerifyInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	rest := newVerifyBench(t)
	r := rest.report(in)
	require.Equal(t, 1, r.Repaired)
	require.Len(t, append(b.orders, rest.orders...), 1, "ordered once")
}

func TestPlanRepair(t *testing.T) {
	kind := func(kinds ...string) job.VerifiedTable {
		t := job.VerifiedTable{Table: "t", TableID: 5, Partitions: 4, SourceRows: 100, SourceBytes: 5000}
		for _, k := range kinds {
			t.Differences = append(t.Differences, job.VerifyDifference{Kind: k, Partition: "p1", SourceRows: 7, SourceBytes: 90})
		}
		return t
	}
	for _, k := range []string{"objects", "definition", "partitions", "buckets", "indexes", "rollups"} {
		r := planRepair(kind("content", k), false)
		require.True(t, r.Partial.Replace, k)
		require.Equal(t, []int64{100, 5000}, []int64{r.Rows, r.Bytes}, k)
	}
	for _, k := range []string{"rows", "content"} {
		r := planRepair(kind(k, k), false)
		require.Equal(t, []string{"p1"}, r.Partial.Partitions, k)
		require.Equal(t, []int64{7, 90}, []int64{r.Rows, r.Bytes})
	}
	replicas := kind("replicas")
	require.Equal(t, []string{"p1"}, planRepair(replicas, false).Partial.Partitions)
	replicas.Differences[0].Side = "source"
	require.Equal(t, job.RepairFailed, planRepair(replicas, false).State)
	require.Equal(t, job.RepairFailed, planRepair(kind("definition"), true).State, "more than was asked about would come")
	view := kind("definition")
	view.View = true
	require.Equal(t, job.PartialSync{TableID: 5, Table: "t", View: true}, planRepair(view, false).Partial)
	foreign := kind("objects")
	foreign.TableID = 0
	require.Equal(t, job.RepairFailed, planRepair(foreign, false).State)
	most, all := differs("p1", "p2", "p3"), differs("p1", "p2", "p3", "p4")
	most.TableID, all.TableID = 1, 1
	require.Equal(t, []string{"p1", "p2", "p3"}, planRepair(most, false).Partial.Partitions, "never more than what differs")
	require.True(t, planRepair(all, false).Partial.Replace)
	require.Len(t, planRepair(all, true).Partial.Partitions, 4, "nothing else was compared")
}
