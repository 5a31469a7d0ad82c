package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// A job that stays stalled leaves its tries to the server: its history does not
// grow with them, and what an operator orders ends the wait.
func TestAStalledJobLendsPatience(t *testing.T) {
	b := newBench(t)
	for range impatientTries {
		b.shift(0, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "no", Kind: job.KindFE}})
	}
	b.shift(time.Hour, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "still no", Kind: job.KindFE, Tries: patience}})
	b.shift(2*time.Hour, job.StreamResult{End: job.EndShiftOver})
	b.idle()
	b.at(90*time.Minute, func() {
		require.Equal(t, "still no", b.status().Problem.Text)
		require.Equal(t, impatientTries+patience, b.status().Problem.Tries)
		require.Len(t, b.streams, impatientTries+2)
	})
	b.at(4*time.Hour, func() { require.False(t, b.status().Stalled) })
	b.deleteAt(5 * time.Hour)
	b.mustRun()
	for i, in := range b.streams[:impatientTries+3] {
		want := 0
		if i == impatientTries || i == impatientTries+1 {
			want = patience
		}
		require.Equal(t, want, in.Patience, "shift %d", i)
	}
}

// resume is "try now" for a stalled job, also while the server counts the time
// until the next attempt.
func TestResumeEndsPatience(t *testing.T) {
	b := newBench(t)
	for range impatientTries {
		b.shift(0, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "no", Kind: job.KindFE}})
	}
	b.shift(time.Hour, job.StreamResult{End: job.EndStopped})
	b.idle()
	b.signal(10*time.Minute, job.SignalResume, job.Command{})
	b.at(11*time.Minute, func() { require.Len(t, b.streams, impatientTries+2) })
	b.deleteAt(30 * time.Minute)
	b.mustRun()
}
