package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// A job that stays stalled leaves its tries to the server: its history does not
// grow with them, and what an operator orders ends the wait.
func TestAStalledJobLeavesItsTriesToTheServer(t *testing.T) {
	b := newBench(t)
	for range workflowTries {
		b.shift(0, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "no", Kind: job.KindFE}})
	}
	b.shift(time.Hour, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "still no", Kind: job.KindFE, Tries: serverRetryLimit}})
	b.shift(2*time.Hour, job.StreamResult{End: job.EndShiftOver})
	b.idle()
	b.at(90*time.Minute, func() {
		require.Equal(t, "still no", b.status().Problem.Text)
		require.Equal(t, workflowTries+serverRetryLimit, b.status().Problem.Tries)
		require.Len(t, b.streams, workflowTries+2)
	})
	b.at(4*time.Hour, func() { require.False(t, b.status().Stalled) })
	b.deleteAt(5 * time.Hour)
	b.mustRun()
	for i, in := range b.streams[:workflowTries+3] {
		want := 0
		if i == workflowTries || i == workflowTries+1 {
			want = serverRetryLimit
		}
		require.Equal(t, want, in.ServerRetries, "shift %d", i)
	}
}

// resume is "try now" for a stalled job, also while the server counts the time
// until the next attempt.
func TestResumeEndsServerRetries(t *testing.T) {
	b := newBench(t)
	for range workflowTries {
		b.shift(0, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "no", Kind: job.KindFE}})
	}
	b.shift(time.Hour, job.StreamResult{End: job.EndStopped})
	b.idle()
	b.signal(10*time.Minute, job.SignalResume, job.Command{})
	b.at(11*time.Minute, func() { require.Len(t, b.streams, workflowTries+2) })
	b.deleteAt(30 * time.Minute)
	b.mustRun()
}
