package activities

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/stream"
)

func paused(name string, position int64) job.StepInput {
	in := job.StepInput{Spec: job.Spec{Name: name, Source: job.Cluster{Host: "fe", ThriftPort: 9020}}}
	in.Progress.Position.CommitSeq = position
	return in
}

func TestTheRegistryKnowsTheLagsOfShifts(t *testing.T) {
	b, _ := streamBench(t)
	look := make(chan bool, 1)
	b.fake.stream = func(_ context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		ask := func() job.LagAnswer {
			return b.acts.Lags(job.LagsWanted{Jobs: []string{"j1", "elsewhere"}})["j1"]
		}
		h.Heartbeat(job.Heartbeat{Lag: binlog.Lag{Binlogs: 3, ObservedAt: time.Now()}})
		answer := ask()
		require.Equal(t, int64(3), answer.Lag.Binlogs)
		require.Less(t, answer.Age, lagFresh)
		require.Empty(t, h.Look, "what is fresh is not asked for")
		h.Heartbeat(job.Heartbeat{Lag: binlog.Lag{Binlogs: 3, ObservedAt: time.Now().Add(-2 * lagFresh)}})
		require.Greater(t, ask().Age, lagFresh, "the truth about its age")
		ask()
		<-h.Look
		require.Empty(t, h.Look, "it is asked once")
		look <- true
		return job.StreamResult{End: job.EndShiftOver}, nil
	}
	_, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.NoError(t, err)
	require.Len(t, look, 1)
	require.Empty(t, b.acts.Lags(job.LagsWanted{Jobs: []string{"j1"}}), "the shift is over")
}

// However often and however many are asked for, the source is asked once a second
// a job, and by a few at a time.
func TestTheRegistrySparesTheSource(t *testing.T) {
	const jobs = 500
	var calls, under, most atomic.Int64
	b := newLagRegistry(func(_ context.Context, in job.StepInput) (binlog.Lag, error) {
		calls.Add(1)
		if n := under.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer under.Add(-1)
		time.Sleep(time.Millisecond) // a short way to the source
		return binlog.Lag{Binlogs: in.Progress.Position.CommitSeq}, nil
	})
	defer b.close()
	var wanted job.LagsWanted
	for i := range jobs {
		wanted.Watch = append(wanted.Watch, paused(fmt.Sprint(i), int64(i)))
	}
	begun := time.Now()
	for range 20 {
		require.Eventually(t, func() bool { return len(b.lags(wanted)) == jobs }, 10*time.Second, time.Millisecond)
	}
	for name, answer := range b.lags(wanted) {
		require.Equal(t, name, fmt.Sprint(answer.Lag.Binlogs))
		require.Less(t, answer.Age, 2*time.Second)
	}
	require.LessOrEqual(t, calls.Load(), jobs*int64(1+time.Since(begun)/lagFresh))
	require.LessOrEqual(t, most.Load(), int64(looksPerSource))
}

func TestTheRegistryAsksAnewForANewPositionAndReportsErrors(t *testing.T) {
	b := newLagRegistry(func(_ context.Context, in job.StepInput) (binlog.Lag, error) {
		if in.Progress.Position.CommitSeq == 2 {
			return binlog.Lag{}, errors.New("connection refused")
		}
		return binlog.Lag{Binlogs: 9}, nil
	})
	ask := func(position int64) (answer job.LagAnswer) {
		require.Eventually(t, func() (found bool) {
			answer, found = b.lags(job.LagsWanted{Watch: []job.StepInput{paused("j", position)}})["j"]
			return found
		}, 5*time.Second, time.Millisecond)
		return answer
	}
	require.Equal(t, int64(9), ask(1).Lag.Binlogs)
	require.Equal(t, "observe the lag: connection refused", ask(2).Error)
	b.close()
	require.Empty(t, b.lags(job.LagsWanted{Watch: []job.StepInput{paused("j", 3)}}), "nothing begins any more")
}

// An order to hold a partition back gets to the shift of its job, if that runs here.
func TestAHoldGetsToTheShift(t *testing.T) {
	b, _ := streamBench(t)
	order := job.Hold{Job: "j1", ID: 1, Step: 1, TableID: 10, PartitionID: 100, Limit: time.Second}
	require.False(t, b.acts.Hold(order).Here)
	obeyed := false
	b.fake.stream = func(_ context.Context, _ job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
		require.True(t, b.acts.Hold(order).Here)
		later := order
		later.Job = "elsewhere"
		require.False(t, b.acts.Hold(later).Here)
		require.NotNil(t, h.Holds)
		obeyed = true
		return job.StreamResult{End: job.EndShiftOver}, nil
	}
	_, err := call[job.StreamResult](b, job.ActivityStream, shiftAt(t, b, 7))
	require.NoError(t, err)
	require.True(t, obeyed)
	require.False(t, b.acts.Hold(order).Here, "the shift is over")
}

// An overview shows lags of jobs that do not stream which are a little old: only when they
// are older than it wants is the source asked.
func TestAWatchedLagMayBeAsOldAsWanted(t *testing.T) {
	var calls atomic.Int64
	b, _ := streamBench(t)
	b.acts.registry = newLagRegistry(func(context.Context, job.StepInput) (binlog.Lag, error) {
		return binlog.Lag{Binlogs: calls.Add(1)}, nil
	})
	watch := func(maxAge time.Duration) (job.LagAnswer, bool) { return b.acts.Watch(paused("j1", 7), maxAge) }
	_, known := watch(time.Hour)
	require.False(t, known, "the source is asked beside")
	b.acts.registry.looks.Wait()
	answer, known := watch(time.Hour)
	require.True(t, known)
	require.Equal(t, int64(1), answer.Lag.Binlogs)
	_, known = watch(0)
	require.False(t, known, "it is too old")
	b.acts.Close()
	answer, known = watch(time.Hour)
	require.True(t, known)
	require.Equal(t, int64(2), answer.Lag.Binlogs)
}
