package stream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// waiting is a shift whose next transaction has no room: more binlogs are before it
// than may be. It is in fake time, and open transactions are as many as given beside.
func waiting(b *bench, open int) (s *shift, next *entry) {
	s = &shift{
		job: b.job(), log: b.PairJob().Log, memory: pair.DefaultLabelMemory, failing: make(chan struct{}),
		tracker: newTracker(job.Position{}, false, 0, nil), slots: make(chan struct{}, 16),
	}
	for seq := range int64(pair.MaxAppliedBeyond) {
		s.tracker.add(&entry{seq: seq + 1})
	}
	next = &entry{seq: 1000}
	s.tracker.add(next)
	for range 1 + open { // the one that waits has one
		s.slots <- struct{}{}
	}
	return s, next
}

func TestAShiftThatWaitsForItselfTellsWithinAMinute(t *testing.T) {
	b := newBench(t)
	synctest.Test(t, func(t *testing.T) {
		s, next := waiting(b, 0)
		began := time.Now()
		e := s.mayBegin(t.Context(), next, 1)
		require.Less(t, time.Since(began), time.Minute)
		require.Equal(t, job.EndBlocked, e.end)
		told := s.decideEnding(context.Background(), context.Background(), *e)
		require.Equal(t, job.EndBlocked, told.end)
		require.Equal(t, int64(1000), told.problem.CommitSeq)
		require.Contains(t, told.problem.Text, "none of them is")
		require.NotEmpty(t, told.problem.Remedy)
	})
}

// A transaction that is open makes room some time, however long it takes.
func TestAShiftWaitsForItsTransactions(t *testing.T) {
	b := newBench(t)
	synctest.Test(t, func(t *testing.T) {
		s, next := waiting(b, 1)
		s.hooks.Alive = func() bool { return true }
		go func() {
			time.Sleep(5 * time.Minute)
			for _, e := range s.tracker.entries[:pair.MaxAppliedBeyond] {
				s.tracker.finish(e, 1)
			}
		}()
		require.Nil(t, s.mayBegin(t.Context(), next, 1))
	})
}
