package worker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

func known(name string, events int) job.RunKnown {
	return job.RunKnown{RunID: "r", Events: events, Status: job.Status{Name: name, Checked: true}, Spec: job.Spec{Name: name}}
}

// A run that the SDK drops late does not take the memory of its successor along.
func TestMemoryForgetsItsOwnersJobsOnly(t *testing.T) {
	m := newTestMemory(nil)
	m.Remember("old", known("j1", 1), job.StepInput{})
	m.Remember("new", known("j1", 2), job.StepInput{})
	m.Forget("old", "j1")
	wanted := job.JobsWanted{Jobs: []string{"j1", "elsewhere"}}
	answer := m.jobs(wanted)
	require.Len(t, answer, 1)
	require.Equal(t, 2, answer["j1"].Run.Events)
	m.Forget("new", "j1")
	require.Empty(t, m.jobs(wanted))
}

// The source of a job that does not stream is asked, if the question wants that.
func TestMemoryWatchesJobsThatDoNotStream(t *testing.T) {
	m := newTestMemory(map[string]*job.ShiftKnown{"streams": {RunID: "r", Shift: 1}})
	in := job.StepInput{Spec: job.Spec{Name: "paused"}}
	m.Remember(1, known("paused", 1), in)
	m.Remember(2, known("streams", 1), job.StepInput{Spec: job.Spec{Name: "streams"}})
	unchecked := known("new", 1)
	unchecked.Status.Checked = false
	m.Remember(3, unchecked, job.StepInput{Spec: job.Spec{Name: "new"}})
	var watched []string
	m.watch = func(in job.StepInput, maxAge time.Duration) (job.LagAnswer, bool) {
		require.Equal(t, time.Minute, maxAge)
		watched = append(watched, in.Spec.Name)
		return job.LagAnswer{Lag: binlog.Lag{Binlogs: 7}}, true
	}
	names := []string{"paused", "streams", "new"}
	require.Nil(t, m.jobs(job.JobsWanted{Jobs: names})["paused"].Lag)
	answer := m.jobs(job.JobsWanted{Jobs: names, LagAge: time.Minute})
	require.Equal(t, []string{"paused"}, watched)
	require.Equal(t, int64(7), answer["paused"].Lag.Lag.Binlogs)
	require.Equal(t, 1, answer["streams"].Shift.Shift)
}

func newTestMemory(shifts map[string]*job.ShiftKnown) *memory {
	return &memory{shift: func(name string) *job.ShiftKnown { return shifts[name] }, runs: map[string]remembered{}}
}
