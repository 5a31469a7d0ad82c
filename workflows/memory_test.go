package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// memorized is a Memory of one job.
type memorized struct {
	known     job.RunKnown
	lag       job.StepInput
	forgotten bool
}

func (m *memorized) Remember(_ any, known job.RunKnown, lag job.StepInput) {
	m.known, m.lag = known, lag
}
func (m *memorized) Forget(any, string) { m.forgotten = true }

// The process knows after each change what a query would answer, and which shift runs.
func TestTheProcessRemembersEachChange(t *testing.T) {
	b := newBench(t)
	memory := &memorized{}
	b.RegisterWorkflowWithOptions(Workflow{Memory: memory}.ReplicationJob, workflow.RegisterOptions{Name: "remembered"})
	b.workflow = "remembered"
	b.idle()
	same := func() {
		t.Helper()
		want := b.status()
		want.Outcomes = nil
		require.Equal(t, want, memory.known.Status)
		require.Equal(t, query[job.Spec](b, job.QueryDetail), memory.known.Spec)
		require.Equal(t, query[job.StepInput](b, job.QueryLagInput), memory.lag)
	}
	b.at(time.Minute, func() {
		same()
		require.Equal(t, b.streams[0].Number, memory.known.Shift, "it streams")
		require.Positive(t, memory.known.Shift)
		require.NotEmpty(t, memory.known.RunID)
		require.Equal(t, job.Sealed(job.Mask), memory.known.Spec.Source.Password)
	})
	b.at(2*time.Minute, func() { b.SignalWorkflow(job.SignalPause, job.Command{RequestID: "r"}) })
	b.at(20*time.Minute, func() {
		same()
		require.False(t, memory.known.Status.Running)
		require.Zero(t, memory.known.Shift)
	})
	b.at(21*time.Minute, func() { b.SignalWorkflow(job.SignalResume, job.Command{}) })
	b.at(22*time.Minute, func() {
		same()
		require.Equal(t, b.streams[len(b.streams)-1].Number, memory.known.Shift)
		require.False(t, memory.forgotten)
	})
	b.deleteAt(40 * time.Minute)
	b.mustRun()
	require.True(t, memory.forgotten)
}

// Shifts that begin together end at different times, and last long enough.
func TestShiftsOfDifferentLength(t *testing.T) {
	lengths := map[time.Duration]bool{}
	for i := range 1000 {
		l := shiftLength("run", i)
		require.GreaterOrEqual(t, l, ShortestShift)
		require.Less(t, l, ShiftLength)
		require.Equal(t, l, shiftLength("run", i), "a replay")
		lengths[l.Truncate(time.Second)] = true
	}
	require.Greater(t, len(lengths), 150, "of 180 seconds")
}
