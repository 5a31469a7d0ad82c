package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

func TestSamplesOfAnHour(t *testing.T) {
	var s samples
	require.Empty(t, s.known(job.SamplesWanted{Jobs: []string{"j"}, Points: 4}))
	for i := range int64(3) {
		s.note(map[string]sample{"j": {lag: i, behind: 10 * i, applied: 100 + i}})
	}
	s.note(nil) // the job did not stream then
	s.note(map[string]sample{"j": {lag: 7, behind: -1, applied: -1}})
	k := s.known(job.SamplesWanted{Jobs: []string{"j", "other"}, Points: job.SamplesKept})
	require.Len(t, k, 1)
	const n = job.SamplesKept
	require.Equal(t, []int64{-1, 0, 1, 2, -1, 7}, k["j"].Lag[n-6:])
	require.Equal(t, []int64{-1, 0, 10, 20, -1, -1}, k["j"].Behind[n-6:])
	require.Equal(t, []int64{-1, 100, 101, 102, -1, -1}, k["j"].Applied[n-6:])

	few := s.known(job.SamplesWanted{Jobs: []string{"j"}, Points: 4})["j"]
	require.Equal(t, []int64{-1, -1, -1, 7}, few.Lag, "the greatest of each time")
	require.Equal(t, []int64{-1, -1, -1, 102}, few.Applied)
	require.Len(t, s.known(job.SamplesWanted{Jobs: []string{"j"}, Points: 1 << 40})["j"].Lag, n)

	for range n - 1 {
		s.note(nil)
	}
	require.Equal(t, int64(7), s.known(job.SamplesWanted{Jobs: []string{"j"}, Points: n})["j"].Lag[0])
	s.note(nil)
	require.Empty(t, s.known(job.SamplesWanted{Jobs: []string{"j"}, Points: n}), "an hour ago")
	require.Empty(t, s.jobs)
}

func TestSampleOfTheRegistry(t *testing.T) {
	now := time.Now()
	lag := binlog.Lag{Binlogs: 4, NextTimestamp: now.Add(-90 * time.Second).UnixMilli(), ObservedAt: now}
	r := newLagRegistry(nil)
	r.register("streams", &registeredShift{last: func() job.Heartbeat {
		return job.Heartbeat{Position: job.Position{Applied: 12}, Lag: lag}
	}})
	r.register("begins", &registeredShift{last: func() job.Heartbeat { return job.Heartbeat{} }})
	r.watched["paused"] = &watchedJob{answer: job.LagAnswer{Lag: lag}, at: now.Add(-time.Second)}
	r.watched["old"] = &watchedJob{answer: job.LagAnswer{Lag: lag}, at: now.Add(-2 * watchedFor)}
	r.watched["silent"] = &watchedJob{answer: job.LagAnswer{Error: "no answer"}, at: now}
	require.Equal(t, map[string]sample{
		"streams": {lag: 4, behind: 90, applied: 12},
		"begins":  {lag: -1, behind: -1},
		"paused":  {lag: 4, behind: 90, applied: -1},
	}, r.sample(now))
}

func TestMergedSamples(t *testing.T) {
	a, b := job.NewSamples(3), job.NewSamples(3)
	a.Lag[0], b.Lag[2], b.Applied[1] = 5, 6, 7
	a.Merge(b)
	require.Equal(t, []int64{5, -1, 6}, a.Lag)
	require.Equal(t, []int64{-1, 7, -1}, a.Applied)
	a.Merge(job.Samples{Lag: []int64{9}})
	require.Equal(t, []int64{9, -1, 6}, a.Lag)
}
