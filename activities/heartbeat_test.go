package activities

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/doris-ccr/ccr/job"
)

// beating runs a heartbeater like that of a shift until end is called, after the
// checkpoint that tells first.
func beating(t *testing.T, s *server, first job.Heartbeat) (h *heartbeater, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	h = newHeartbeater(s.confirm, 10*time.Second, cancel)
	h.pause = func() time.Duration { return shortestPause }
	require.NoError(t, h.checkpoint(ctx, first))
	var keeping sync.WaitGroup
	keeping.Go(func() { h.run(ctx) })
	return h, func() {
		cancel(nil)
		keeping.Wait()
	}
}

// resting runs a heartbeater like that of a shift in fake time, while tell reports what
// the shift has to say every half second, for a minute. It returns how many heartbeats were
// sent, and how long the server had not heard of the shift at most.
func resting(t *testing.T, s *server, tell func(n int) job.Heartbeat) (sent int, silence time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		h, end := beating(t, s, tell(0))
		defer end()
		for n := range 120 {
			h.report(tell(n))
			time.Sleep(reportEvery)
			silence = max(silence, h.silence())
		}
	})
	return len(s.positions()), silence
}

const reportEvery = 500 * time.Millisecond

// saying is a report of a shift: where it is, and that the source has just been asked.
func saying(position int64) job.Heartbeat {
	b := at(position)
	b.Lag.ObservedAt = time.Now()
	b.Comparing = &job.Comparing{ComparedAt: time.Now()}
	return b
}

func TestAShiftWithNothingNewToSayRests(t *testing.T) {
	sent, silence := resting(t, &server{}, func(int) job.Heartbeat { return saying(7) })
	require.InDelta(t, 16, sent, 1, "one every 4 s")
	require.Less(t, silence, 5*time.Second, "it may begin something new all the time")
}

func TestAShiftThatMovesTellsSoon(t *testing.T) {
	sent, _ := resting(t, &server{}, func(n int) job.Heartbeat { return saying(int64(n)) })
	require.InDelta(t, 60_000/700, sent, 26, "each at the next report after 700 ms")
}

func TestNewsDoesNotWaitForTheRest(t *testing.T) {
	for name, tell := range map[string]func(*job.Heartbeat){
		"position":    func(b *job.Heartbeat) { b.Position.CommitSeq = 8 },
		"settled":     func(b *job.Heartbeat) { b.Settled = 7 },
		"lag":         func(b *job.Heartbeat) { b.Lag.Binlogs = 1 },
		"problem":     func(b *job.Heartbeat) { b.Problem = &job.Problem{Text: "no connection"} },
		"differences": func(b *job.Heartbeat) { b.Differences = &[]job.Difference{{Table: "t"}} },
		"note":        func(b *job.Heartbeat) { b.Note = "holds a partition back" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{}
				h, end := beating(t, s, saying(7))
				defer end()
				time.Sleep(shortestPause)
				b := saying(7)
				tell(&b)
				h.report(b)
				synctest.Wait()
				require.Len(t, s.positions(), 2, "the checkpoint and the news")
			})
		})
	}
}

// A heartbeat that fails is repeated soon, so that an idle shift keeps its right to act.
func TestAFailedHeartbeatIsRepeatedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		h, end := beating(t, s, saying(7))
		defer end()
		s.set(serviceerror.NewUnavailable("the server restarts"))
		time.Sleep(h.rest() + shortestPause/2) // one has failed
		s.set(nil)
		time.Sleep(shortestPause)
		require.True(t, h.alive())
		require.Less(t, h.silence(), shortestPause)
	})
}

func TestARestLeavesTimeForAnAnswer(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{
		time.Second: 300 * time.Millisecond, 3 * time.Second: 900 * time.Millisecond, 10 * time.Second: 4 * time.Second, 30 * time.Second: 12 * time.Second,
	} {
		require.Equal(t, want, newHeartbeater(nil, timeout, nil).rest(), timeout)
	}
}

// A server in the same process cannot be away: an idle shift rests for longer than it has
// the right to act, asks before it acts, and is this process' all the time.
func TestAShiftNearItsServerRestsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		ctx, cancel := context.WithCancelCause(t.Context())
		h := newHeartbeater(s.confirm, 10*time.Second, cancel)
		h.rest = h.longestRestNear
		require.NoError(t, h.checkpoint(ctx, saying(7)))
		var keeping sync.WaitGroup
		keeping.Go(func() { h.run(ctx) })
		defer func() { cancel(nil); keeping.Wait() }()
		for range 61 {
			time.Sleep(time.Second)
			require.True(t, h.ours())
		}
		require.InDelta(t, 9, len(s.positions()), 1, "one every 7.5 s")
		time.Sleep(5 * time.Second)
		require.False(t, h.alive(), "it has to ask")
		require.NoError(t, h.checkpoint(ctx, saying(8)))
		require.True(t, h.alive())
	})
}

func TestAServerThatIsSlowIsToldEarlier(t *testing.T) {
	h := newHeartbeater(nil, 10*time.Second, nil)
	for took, want := range map[time.Duration]time.Duration{
		0: 7500 * time.Millisecond, 100 * time.Millisecond: 6500 * time.Millisecond, time.Second: 4 * time.Second,
	} {
		h.took = took
		require.Equal(t, want, h.longestRestNear(), took)
	}
}

func TestAShiftIsOursUntilItMayBeSomebodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeartbeater((&server{}).confirm, 10*time.Second, func(error) {})
		require.NoError(t, h.checkpoint(t.Context(), saying(7)))
		time.Sleep(8900 * time.Millisecond)
		require.True(t, h.ours())
		time.Sleep(200 * time.Millisecond)
		require.False(t, h.ours(), "another process may have it soon")
	})
}

// A server that answers after four seconds has taken each heartbeat: a process with very
// many shifts, which pauses for long between two tries, does not give them up.
func TestASlowServerDoesNotLoseTheShiftsOfABusyProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := time.Duration(0)
		confirm := func(ctx context.Context, _ job.Heartbeat) error {
			select {
			case <-time.After(slow):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		h := newHeartbeater(confirm, 10*time.Second, cancel)
		h.pause = h.longestPause // that of 150 shifts and more
		require.NoError(t, h.checkpoint(ctx, saying(7)))
		slow = 4 * time.Second
		var keeping sync.WaitGroup
		keeping.Go(func() { h.run(ctx) })
		time.Sleep(5 * time.Minute)
		require.NoError(t, context.Cause(ctx), "the attempt goes on")
		cancel(nil)
		keeping.Wait()
	})
}
