package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

func TestAShiftThatDoesNotMoveSaysSo(t *testing.T) {
	var w shiftWatchdog
	start := time.Unix(1_700_000_000, 0)
	waiting := func(commitSeq int64) job.Heartbeat {
		return job.Heartbeat{Position: job.Position{CommitSeq: commitSeq}, Lag: binlog.Lag{Binlogs: 3}}
	}
	require.Nil(t, w.watch(waiting(9), start).Problem)
	require.Nil(t, w.watch(waiting(9), start.Add(stuckAfter-time.Second)).Problem)
	p := w.watch(waiting(9), start.Add(stuckAfter)).Problem
	require.NotNil(t, p)
	require.Equal(t, "no progress for 5m0s: the job stands at commit seq 9 while 3 binlogs wait", p.Text)
	require.Equal(t, start, p.Since)

	known := waiting(9)
	known.Problem = &job.Problem{Text: "the destination is full"}
	require.Equal(t, known.Problem, w.watch(known, start.Add(stuckAfter)).Problem, "the shift knows better")

	require.Nil(t, w.watch(waiting(10), start.Add(stuckAfter)).Problem, "it moved")
	idle := waiting(10)
	idle.Lag.Binlogs = 0
	require.Nil(t, w.watch(idle, start.Add(time.Hour)).Problem, "nothing to do is no wedge")
	require.Nil(t, w.watch(waiting(10), start.Add(time.Hour+time.Minute)).Problem)
}

func TestStepWithoutProgressSaysSo(t *testing.T) {
	w := stepWatchdog{step: job.ActivityTakeSnapshot}
	start := time.Now()
	at := func(after time.Duration, note string) *job.Problem {
		return w.watch(job.Heartbeat{Note: note}, start.Add(after)).Problem
	}
	require.Nil(t, at(0, "backup s: SNAPSHOTING 1/3"))
	require.Nil(t, at(9*time.Minute, "backup s: SNAPSHOTING 1/3"))
	require.Nil(t, at(11*time.Minute, "backup s: SNAPSHOTING 2/3"), "it has moved")
	require.Nil(t, at(20*time.Minute, "backup s: SNAPSHOTING 2/3"))
	p := at(21*time.Minute, "backup s: SNAPSHOTING 2/3")
	require.Equal(t, "no progress for 10m0s (TakeSnapshot: backup s: SNAPSHOTING 2/3)", p.Text)
	require.Equal(t, start.Add(11*time.Minute), p.Since)
	require.Contains(t, p.Remedy, "CANCEL BACKUP")
	require.Nil(t, at(22*time.Minute, "backup s: SAVE_META"), "progress ends it")
	for _, step := range []string{job.ActivityTakeSnapshot, job.ActivityRestoreSnapshot, job.ActivityFinishSnapshot, job.ActivityApply, job.ActivityApplySeveral, job.ActivitySelectTables} {
		require.NotEmpty(t, stepRemedies[step], step)
	}
}

// The heartbeats of shifts and steps carry what their watchdog has found.
func TestHeartbeatsCarryWhatTheWatchdogFinds(t *testing.T) {
	long := time.Now().Add(-time.Hour)
	for name, watch := range map[string]func(job.Heartbeat, time.Time) job.Heartbeat{
		"shift": (&shiftWatchdog{position: 9, moved: long}).watch,
		"step":  (&stepWatchdog{step: job.ActivityApply, note: "waits", moved: long}).watch,
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{}
			h := newHeartbeater(s.confirm, time.Minute, nil)
			h.watch = watch
			stuck := at(9)
			stuck.Lag.Binlogs, stuck.Note = 3, "waits"
			require.NoError(t, h.checkpoint(t.Context(), stuck))
			require.NotNil(t, s.got[0].Problem)
			require.Contains(t, s.got[0].Problem.Text, "no progress for 1h0m0s")
			require.Nil(t, h.last().Problem, "it is not the attempt's own")
		})
	}
}
