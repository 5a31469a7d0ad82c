package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/stream"
)

// workflowTables answers as the workflow of a job does.
type workflowTables struct {
	mapping job.Mapping
	err     error
	// always answers with its tables, whatever was wanted.
	always bool
	asked  int
}

func (w *workflowTables) JobTables(_ context.Context, _, _ string, wanted job.TablesWanted) (job.TablesKnown, error) {
	w.asked++
	known := job.TablesKnown{Digest: job.DigestOf(w.mapping)}
	if known.Digest == *wanted.Digest || w.always {
		packed := job.Pack(w.mapping)
		known.Tables = &packed
	}
	return known, w.err
}

func manyTables(n int) map[int64]job.Table {
	tables := map[int64]job.Table{}
	for i := range int64(n) {
		tables[i] = job.Table{DestID: 100 + i, Name: fmt.Sprintf("t%d", i), CommitSeq: 7}
	}
	return tables
}

// A worker asks for the tables of a job once. Then it keeps them, and what its own steps
// make of them.
func TestADDLCostsNoQuestion(t *testing.T) {
	b, _ := streamBench(t)
	w := &workflowTables{mapping: job.Mapping{Tables: manyTables(600)}}
	b.acts.Tables = w
	shift := func() map[int64]job.Table {
		var got map[int64]job.Table
		b.fake.stream = func(_ context.Context, in job.StreamInput, _ stream.Hooks) (job.StreamResult, error) {
			got = in.Progress.Tables
			return job.StreamResult{End: job.EndBinlog, Position: in.Progress.Position}, nil
		}
		in := shiftAt(t, b, 100)
		in.Spec.UID, in.Progress.Tables = "u", w.mapping.Tables
		_, err := call[job.StreamResult](b, job.LeanName(job.ActivityStream), job.MakeLean(in))
		require.NoError(t, err)
		return got
	}
	apply := func(c job.TableChanges) {
		b.fake.apply = func(_ context.Context, in job.ApplyInput) (job.ApplyResult, error) {
			require.Equal(t, w.mapping.Tables, in.Progress.Tables)
			require.True(t, in.OutcomeUnknown)
			return job.ApplyResult{Done: true, Tables: c}, nil
		}
		in := job.ApplyInput{StepInput: input(t, b), OutcomeUnknown: true}
		in.Spec.UID, in.Progress.Tables = "u", w.mapping.Tables
		out, err := call[job.ApplyResult](b, job.LeanName(job.ActivityApply), job.MakeLean(in))
		require.NoError(t, err)
		p := job.Progress{Tables: manyTables(600)}
		p.Apply(out.Tables)
		w.mapping.Tables = p.Tables // as the workflow does
	}
	require.Equal(t, manyTables(600), shift())
	require.Equal(t, 1, w.asked)
	apply(job.TableChanges{Set: map[int64]job.Table{3: {Name: "renamed"}, 4711: {DestID: 5, Name: "new"}}, Drop: []int64{9}})
	require.Equal(t, w.mapping.Tables, shift())

	p := job.Progress{State: job.DBTablesIncrementalSync, Tables: w.mapping.Tables, Position: job.Position{CommitSeq: 1000}}
	require.True(t, p.SettleIncremental())
	require.Zero(t, w.mapping.Tables[1].CommitSeq)
	require.Equal(t, w.mapping.Tables, shift(), "the workflow settles by itself")
	require.Equal(t, 1, w.asked)

	// Another process, or this one after a restart, asks.
	b.acts.known = newKnownTables(knownEntries)
	require.Equal(t, w.mapping.Tables, shift())
	require.Equal(t, 2, w.asked)
}

// No step begins without the tables that it was ordered with; they are never taken for
// none. It is told as a problem, and the next try has them.
func TestAStepWithoutItsTablesDoesNotBegin(t *testing.T) {
	for name, w := range map[string]*workflowTables{
		"nobody answers":            {err: errors.New("the worker of the workflow is away")},
		"the job has others by now": {mapping: job.Mapping{Tables: manyTables(599)}},
		"the job has none":          {},
		"the answer is of others":   {mapping: job.Mapping{Tables: manyTables(601)}, always: true},
		"nobody to ask":             nil,
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := streamBench(t)
			if w != nil {
				b.acts.Tables = w
			}
			b.fake.stream = func(context.Context, job.StreamInput, stream.Hooks) (job.StreamResult, error) {
				t.Error("the shift has begun")
				return job.StreamResult{}, nil
			}
			b.fake.apply = func(context.Context, job.ApplyInput) (job.ApplyResult, error) {
				t.Error("the binlog was applied")
				return job.ApplyResult{}, nil
			}
			of := input(t, b)
			of.Progress.Tables = manyTables(600)
			out, err := call[job.StreamResult](b, job.LeanName(job.ActivityStream), job.MakeLean(job.StreamInput{StepInput: of}))
			require.NoError(t, err)
			require.Equal(t, job.EndBlocked, out.End)
			requireUnknown(t, *out.Problem)
			several := severalAt(t, b, 2)
			several.Progress.Tables = manyTables(600)
			applied, err := call[job.ApplySeveralResult](b, job.LeanName(job.ActivityApplySeveral), job.MakeLean(several))
			require.NoError(t, err)
			require.Empty(t, applied.Outcomes)
			requireUnknown(t, *applied.Failed)
			steps := map[string]any{
				job.ActivityApply:           job.MakeLean(job.ApplyInput{StepInput: of}),
				job.ActivityCleanUp:         job.MakeLean(job.CleanUpInput{StepInput: of}),
				job.ActivityRestoreSnapshot: job.MakeLean(of),
				job.ActivityFinishSnapshot:  job.MakeLean(of),
				job.ActivitySelectTables:    job.MakeLean(of),
			}
			lean := 0
			for name := range b.acts.Steps() {
				if strings.HasSuffix(name, job.LeanName("")) {
					lean++
				}
			}
			require.Equal(t, lean, len(steps)+2, "each but TakeSnapshot, which needs no tables, and the one above")
			for name, in := range steps {
				_, err := call[map[string]any](b, job.LeanName(name), in)
				var p job.Problem
				require.NoError(t, applicationError(t, err).Details(&p), name)
				requireUnknown(t, p)
			}
		})
	}
}

// The next attempt needs nothing but a workflow that answers.
func TestAStepBeginsOnceItsTablesAreKnown(t *testing.T) {
	b, _ := streamBench(t)
	w := &workflowTables{err: errors.New("no worker takes the workflow's tasks")}
	b.acts.Tables = w
	of := input(t, b)
	of.Progress.Tables = manyTables(600)
	b.fake.stream = func(_ context.Context, in job.StreamInput, _ stream.Hooks) (job.StreamResult, error) {
		require.Equal(t, manyTables(600), in.Progress.Tables)
		return job.StreamResult{End: job.EndShiftOver}, nil
	}
	shift := job.MakeLean(job.StreamInput{StepInput: of})
	out, err := call[job.StreamResult](b, job.LeanName(job.ActivityStream), shift)
	require.NoError(t, err)
	requireUnknown(t, *out.Problem)
	w.err, w.mapping = nil, job.Mapping{Tables: manyTables(600)}
	out, err = call[job.StreamResult](b, job.LeanName(job.ActivityStream), shift)
	require.NoError(t, err)
	require.Equal(t, job.EndShiftOver, out.End)
}

func requireUnknown(t *testing.T, p job.Problem) {
	t.Helper()
	require.Contains(t, p.Text, errTablesUnknown.Error())
	require.Equal(t, job.KindRPC, p.Kind)
	require.Equal(t, remedyTablesUnknown, p.Remedy)
}

func TestAFinishedSnapshotIsKnownToTheNextStep(t *testing.T) {
	b, _ := streamBench(t)
	w := &workflowTables{}
	b.acts.Tables = w
	b.fake.finish = func(context.Context, job.StepInput) (job.SnapshotFinished, error) {
		return job.SnapshotFinished{Tables: manyTables(3000), Partitions: map[int64]int64{1: 2}}, nil
	}
	of := input(t, b)
	packed, err := call[job.Packed[job.SnapshotFinished]](b, job.LeanName(job.ActivityFinishSnapshot), job.MakeLean(of))
	require.NoError(t, err)
	out, err := packed.Open()
	require.NoError(t, err)
	require.Equal(t, manyTables(3000), out.Tables)
	_, err = b.acts.tablesOf(context.Background(), of.Spec.UID, job.DigestOf(job.Mapping{Tables: out.Tables, Partitions: out.Partitions}))
	require.NoError(t, err)
	require.Zero(t, w.asked)
}

// The entries of all jobs are bounded; who was used last stays.
func TestKnownTablesAreBounded(t *testing.T) {
	k := newKnownTables(1000)
	put := func(uid string, n int) job.MappingDigest {
		known := job.KnowMapping(job.Mapping{Tables: manyTables(n)})
		k.put(uid, known)
		return known.Digest()
	}
	has := func(uid string, d job.MappingDigest) bool {
		_, ok := k.get(uid, d)
		return ok
	}
	a, b := put("a", 400), put("b", 500)
	require.True(t, has("a", a))
	c := put("c", 300)
	require.False(t, has("b", b), "b was used least recently")
	require.True(t, has("a", a))
	require.True(t, has("c", c))
	a2 := put("a", 600)
	require.False(t, has("a", a))
	require.Equal(t, 900, k.entries)
	d := put("d", 5000)
	require.True(t, has("d", d), "the tables of one job stay, however many they are")
	require.False(t, has("a", a2))
	require.Equal(t, 5000, k.entries)
}
