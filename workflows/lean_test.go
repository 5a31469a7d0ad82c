package workflows

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// tables makes up n tables.
func tables(n int) map[int64]job.Table {
	tables := make(map[int64]job.Table, n)
	for i := range int64(n) {
		tables[10_000+50*i] = job.Table{DestID: 90_000_000 + 50*i, Name: fmt.Sprintf("ods_order_detail_%d_%04d", 2000+i/1000, i%1000)}
	}
	return tables
}

// streaming is the state of a job that streams n tables.
func streaming(n int) *job.Progress {
	return &job.Progress{
		Phase: job.PhaseStream, FullSyncs: 1, State: job.DBIncrementalSync, Epoch: 1, CreatedAt: time.Unix(1_700_000_000, 0),
		Position: job.Position{CommitSeq: 100}, Tables: tables(n),
	}
}

// A DDL of a job with many tables writes as much history as one of a job with few.
func TestManyTablesTravelAsADigest(t *testing.T) {
	b := newBench(t)
	b.input = job.WorkflowInput{Spec: b.spec, Progress: streaming(leanAbove + 1)}
	before := job.DigestOf(b.input.Progress.Mapping())
	created := job.TableChanges{Set: map[int64]job.Table{7: {DestID: 8, Name: "new"}}}
	var inputs []any
	var digests []job.MappingDigest
	once(b, job.LeanName(job.ActivityStream), time.Minute, func(in job.Lean[job.StreamInput]) (job.StreamResult, error) {
		inputs, digests = append(inputs, in), append(digests, in.Digest())
		known := query[job.TablesKnown](b, job.QueryTables, job.TablesWanted{Digest: &before})
		require.NotNil(t, known.Tables)
		mapping, err := known.Tables.Open()
		require.NoError(t, err)
		whole, err := in.With(job.KnowMapping(mapping))
		require.NoError(t, err)
		require.Equal(t, tables(leanAbove+1), whole.Progress.Tables)
		return job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 101}, Binlog: &job.Binlog{CommitSeq: 102, Type: binlog.TypeCreateTable}}, nil
	})
	once(b, job.LeanName(job.ActivityApply), time.Second, func(in job.Lean[job.ApplyInput]) (job.ApplyResult, error) {
		inputs, digests = append(inputs, in), append(digests, in.Digest())
		return job.ApplyResult{Done: true, Tables: created}, nil
	})
	once(b, job.LeanName(job.ActivityStream), time.Minute, func(in job.Lean[job.StreamInput]) (job.StreamResult, error) {
		inputs, digests = append(inputs, in), append(digests, in.Digest())
		other := query[job.TablesKnown](b, job.QueryTables, job.TablesWanted{Digest: &before})
		require.Nil(t, other.Tables, "the job has other tables by now")
		require.Equal(t, in.Digest(), other.Digest)
		return job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 102}}, nil
	})
	b.idle()
	b.deleteAt(time.Hour)
	b.mustRun()
	require.Equal(t, before, digests[0])
	require.Equal(t, before, digests[1])
	require.Equal(t, job.KnowMapping(job.Mapping{Tables: tables(leanAbove + 1)}).Apply(created).Digest(), digests[2])
	for _, in := range inputs {
		data, err := json.Marshal(in)
		require.NoError(t, err)
		require.Less(t, len(data), 3000)
		require.NotContains(t, string(data), "ods_order")
	}
	require.NotContains(t, b.steps, job.ActivityStream)
	require.NotContains(t, b.steps, job.ActivityApply, "a worker of before must not be asked")
}

func TestFewTablesTravelWhole(t *testing.T) {
	b := newBench(t)
	b.input = job.WorkflowInput{Spec: b.spec, Progress: streaming(leanAbove)}
	b.idle()
	b.deleteAt(time.Hour)
	b.mustRun()
	require.Len(t, b.streams[0].Progress.Tables, leanAbove)
	require.NotContains(t, b.steps, job.LeanName(job.ActivityStream))
}

// 200,000 tables: a full sync, a DDL, a new run, and the state is handed on each time.
func TestTwoHundredThousandTables(t *testing.T) {
	const n = 200_000
	w := Workflow{DataConverter: workflow.DataConverterWithoutDeadlockDetection(converter.GetDefaultDataConverter())}
	patient := func() *bench {
		b := newBench(t)
		b.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{Interceptor()}, DeadlockDetectionTimeout: time.Minute}) // other tests run beside it
		return b
	}
	b := patient()
	b.RegisterWorkflowWithOptions(w.ReplicationJob, workflow.RegisterOptions{Name: "measured"})
	b.workflow = "measured"
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) {
		return job.SnapshotTaken{Prepared: true, Before: 50}, nil
	})
	once(b, job.ActivityTakeSnapshot, time.Hour, func(job.StepInput) (job.SnapshotTaken, error) {
		return job.SnapshotTaken{Name: "s", Objects: n}, nil
	})
	once(b, job.LeanName(job.ActivityRestoreSnapshot), time.Hour, func(job.Lean[job.StepInput]) (job.Packed[job.SnapshotRestored], error) {
		restored := tables(n)
		for id, table := range restored {
			restored[id] = job.Table{Name: table.Name, CommitSeq: 60}
		}
		return job.Pack(job.SnapshotRestored{Restored: &job.Restored{Tables: restored}}), nil
	})
	once(b, job.LeanName(job.ActivityFinishSnapshot), time.Hour, func(in job.Lean[job.StepInput]) (job.Packed[job.SnapshotFinished], error) {
		require.Len(t, in.Without().Progress.Snapshot.Restored.Tables, n)
		return job.Pack(job.SnapshotFinished{State: job.DBIncrementalSync, Position: job.Position{CommitSeq: 60}, Tables: tables(n)}), nil
	})
	b.idle()
	b.signal(10*time.Hour, job.SignalContinueAsNew, job.Command{})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, b.run(), &next)
	require.Equal(t, job.WorkflowTypeLarge, next.WorkflowType.Name, "workers of before do not know it")
	require.Less(t, next.Input.Size(), DefaultPayloadLimit*3/4)

	large := patient()
	large.RegisterWorkflowWithOptions(w.ReplicationJobLarge, workflow.RegisterOptions{Name: job.WorkflowTypeLarge})
	large.idle()
	large.at(time.Minute, func() {
		s := large.status()
		require.False(t, s.Stalled)
		require.Equal(t, int64(60), s.Position.CommitSeq)
		known := query[job.TablesKnown](large, job.QueryTables, job.TablesWanted{})
		require.Equal(t, job.DigestOf(job.Mapping{Tables: tables(n)}), known.Digest)
	})
	large.deleteAt(time.Hour)
	var packed job.Packed[job.WorkflowInput]
	require.NoError(t, workflowInput(next, &packed))
	large.ExecuteWorkflow(job.WorkflowTypeLarge, packed)
	require.NoError(t, large.GetWorkflowError())
	require.Contains(t, large.steps, job.LeanName(job.ActivityStream))
}
