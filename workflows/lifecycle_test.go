package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

func workflowInput(e *workflow.ContinueAsNewError, in any) error {
	return converter.GetDefaultDataConverter().FromPayloads(e.Input, in)
}

func TestFromCheckToStreamAndOverADDL(t *testing.T) {
	b := newBench(t)
	ddl := &job.Binlog{CommitSeq: 120, Type: binlog.TypeAddPartition, TableIDs: []int64{11}, Summary: "ADD_PARTITION p5 of orders"}
	b.shift(time.Minute, job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 119, TxnID: 9, Applied: 19}, Binlog: ddl})
	once(b, job.ActivityApply, time.Second, func(in job.ApplyInput) (job.ApplyResult, error) {
		require.Equal(t, ddl, in.Progress.Pending)
		require.False(t, in.OutcomeUnknown)
		require.Empty(t, in.Progress.Events, "steps do not need the events")
		return job.ApplyResult{Done: true, Summary: "ALTER TABLE orders ADD PARTITION p5"}, nil
	})
	b.idle()
	b.at(30*time.Second, func() {
		s := b.status()
		require.True(t, s.Checked)
		require.True(t, s.Running)
		require.Equal(t, job.DBIncrementalSync, s.ProgressState)
		require.Equal(t, job.PhaseStream, s.Phase)
		require.Equal(t, 1, s.FullSyncs)
	})
	b.at(2*time.Minute, func() {
		p := b.progress()
		require.Equal(t, job.Position{CommitSeq: 120, TxnID: 9, Applied: 19}, p.Position)
		require.Nil(t, p.Pending)
		require.Nil(t, p.Snapshot)
		require.Equal(t, "new job", p.FullSyncInfo.Info)
		require.Equal(t, b.spec.CreatedAt.Unix()+1, p.Epoch)
	})
	b.deleteAt(3 * time.Minute)
	b.mustRun()
	require.Equal(t, []string{
		job.ActivityCheck, job.ActivityTakeSnapshot, job.ActivityRestoreSnapshot, job.ActivityFinishSnapshot,
		job.ActivityStream, job.ActivityApply, job.ActivityStream, job.ActivityCleanUp,
	}, b.steps)
	require.Equal(t, int64(120), b.streams[1].Progress.Position.CommitSeq)
	require.GreaterOrEqual(t, b.streams[0].Shift, ShortestShift)
	require.Less(t, b.streams[0].Shift, ShiftLength)
	require.False(t, b.streams[0].Probe)
	require.Contains(t, b.events(), "info applied ALTER TABLE orders ADD PARTITION p5, commit seq 120")
}

func TestQueriesAnswerBeforeTheFirstStep(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityCheck, time.Minute, func(in job.StepInput) (job.Checked, error) { return job.Checked{Spec: in.Spec}, nil })
	b.at(time.Second, func() {
		s := b.status()
		require.False(t, s.Checked)
		require.Equal(t, job.PhaseCheck, s.Phase)
		require.Equal(t, job.DBFullSync, s.ProgressState)
		require.Zero(t, query[binlog.Lag](b, job.QueryLag))
		detail := query[job.Spec](b, job.QueryDetail)
		require.Equal(t, job.Sealed(job.Mask), detail.Source.Password)
		require.Equal(t, job.Sealed(job.Mask), detail.Destination.Password)
		require.Equal(t, "shop_copy", detail.Destination.Database)
		require.Contains(t, b.events(), "job created")
	})
	b.idle()
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

func TestARefusalFailsTheJobWithItsText(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityCheck, 0, func(job.StepInput) (job.Checked, error) {
		return job.Checked{}, refused("src database shop not exists")
	})
	err := b.run()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, job.ErrorTypeRefused, app.Type())
	require.Equal(t, "src database shop not exists", app.Message())
	require.True(t, app.NonRetryable())
}

func TestAnUnreachableHostIsARefusalToo(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityCheck, 0, func(job.StepInput) (job.Checked, error) {
		return job.Checked{}, failed(job.Problem{Text: "dial tcp 127.0.0.1:39030: connect: connection refused", Kind: job.KindRPC})
	})
	var app *temporal.ApplicationError
	require.ErrorAs(t, b.run(), &app)
	require.Equal(t, job.ErrorTypeRefused, app.Type())
	require.Equal(t, "dial tcp 127.0.0.1:39030: connect: connection refused", app.Message())
}

func TestAWorkerThatStopsDuringTheChecksIsNoRefusal(t *testing.T) {
	b := newBench(t)
	for range crashRetries.MaximumAttempts {
		once(b, job.ActivityCheck, 0, func(job.StepInput) (job.Checked, error) {
			return job.Checked{}, temporal.NewApplicationError("stopping", job.ErrorTypeWorkerStopping)
		})
	}
	once(b, job.ActivityCheck, 0, func(in job.StepInput) (job.Checked, error) { return job.Checked{Spec: in.Spec}, nil })
	b.idle()
	b.deleteAt(5 * time.Minute)
	b.at(4*time.Minute, func() { require.True(t, b.status().Checked) })
	b.mustRun()
}

func TestContinueAsNewCarriesEverything(t *testing.T) {
	b := newBench(t)
	b.shift(time.Minute, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 150, Applied: 50}, Lag: binlog.Lag{Binlogs: 3, ObservedAt: time.Unix(1_700_000_100, 0).UTC()}})
	b.idle()
	b.signal(90*time.Second, job.SignalUpdateHostMapping, job.Command{HostMappings: job.HostMappings{Source: map[string]string{"10.0.0.1": "1.1.1.1"}}})
	b.signal(2*time.Minute, job.SignalContinueAsNew, job.Command{})
	in := carried(t, b.run())
	require.Equal(t, "1.1.1.1", in.Spec.Source.HostMapping["10.0.0.1"])
	require.Equal(t, b.spec.Source.Password, in.Spec.Source.Password, "the next run needs the sealed password")
	require.Equal(t, job.Position{CommitSeq: 150, Applied: 50}, in.Progress.Position)
	require.Equal(t, int64(3), in.Progress.Lag.Binlogs)
	require.Equal(t, job.PhaseStream, in.Progress.Phase)
	require.Len(t, in.Progress.Outcomes, 2)
	require.NotEmpty(t, in.Progress.Events)

	next := newBench(t)
	next.input = in
	next.idle()
	next.deleteAt(time.Minute)
	next.at(30*time.Second, func() {
		require.Equal(t, 1, next.status().FullSyncs)
		require.Len(t, next.status().Outcomes, 2)
	})
	next.mustRun()
	require.Equal(t, job.ActivityStream, next.steps[0], "the new run goes on where the old one was")
	require.Equal(t, int64(150), next.streams[0].Progress.Position.CommitSeq)
}

func TestALongHistoryEndsTheRunBetweenSteps(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.at(time.Minute, func() {
		b.SetContinueAsNewSuggested(true)
		b.SignalWorkflow(job.SignalObserveLag, job.Command{RequestID: "lag"})
	})
	in := carried(t, b.run())
	require.Equal(t, job.PhaseStream, in.Progress.Phase)
	require.Len(t, in.Progress.Outcomes, 1, "an answer that somebody waits for is not lost")
}

func TestALongHistoryEndsAPausedRunToo(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.signal(time.Minute, job.SignalPause, job.Command{})
	b.at(2*time.Minute, func() { b.SetContinueAsNewSuggested(true) })
	in := carried(t, b.run())
	require.True(t, in.Progress.Paused)

	next := newBench(t)
	next.input = in
	next.deleteAt(time.Hour)
	next.mustRun()
	require.Empty(t, next.streams, "a paused job stays paused")
}

func TestAPhaseOfTheFutureIsAProblem(t *testing.T) {
	b := newBench(t)
	b.input = job.WorkflowInput{Spec: b.spec, Progress: &job.Progress{Phase: "teleport", FullSyncs: 1}}
	b.at(time.Minute, func() { require.Contains(t, b.status().Problem.Text, "teleport") })
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}
