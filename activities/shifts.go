package activities

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/stream"
)

// registeredShift is a shift of this process.
type registeredShift struct {
	runID  string
	number int // StreamInput.Number
	began  time.Time
	last   func() job.Heartbeat
	ours   func() bool   // see heartbeater
	look   chan struct{} // see stream.Hooks
	holds  *stream.Holds

	once sync.Once
	stop chan struct{} // see stream.Hooks
}

// end has the shift end with its position, so that it goes on elsewhere.
func (s *registeredShift) end() { s.once.Do(func() { close(s.stop) }) }

func (s *registeredShift) ending() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// enter registers the shift that runs in ctx until leave is called. It is told to stop
// when the worker stops, or when the process gives it away (Yield).
func (s *shift) enter(ctx context.Context) (entry *registeredShift, leave func()) {
	entry = &registeredShift{
		runID: activity.GetInfo(ctx).WorkflowExecution.RunID, number: s.in.Number, began: time.Now(),
		last: s.beats.last, ours: s.beats.ours, look: make(chan struct{}, 1), holds: stream.NewHolds(), stop: make(chan struct{}),
	}
	unregister := s.acts.registry.register(s.in.Spec.Name, entry)
	left := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() {
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			entry.end()
		case <-left:
		}
	})
	return entry, func() {
		close(left)
		beside.Wait()
		unregister()
	}
}

// Shift returns what this process knows of the job's shift, nil if it does not run
// here, or may have been given to another process meanwhile.
func (a *Activities) Shift(name string) *job.ShiftKnown {
	a.registry.mu.Lock()
	s := a.registry.shifts[name]
	a.registry.mu.Unlock()
	if s == nil || !s.ours() {
		return nil
	}
	return &job.ShiftKnown{RunID: s.runID, Shift: s.number, Report: s.last()}
}

// Load is how many shifts run in this process.
func (a *Activities) Load() int { return int(a.shifts.Load()) }

// settledAfter is how long a shift runs before it may be given away: one that has just
// come is not sent on.
const settledAfter = 20 * time.Second

// Yield ends one shift, the one that has run longest of those that are well, so that
// its job goes on where there is less to do. It tells whether there was one.
func (a *Activities) Yield() bool {
	a.registry.mu.Lock()
	var candidates []*registeredShift
	for _, s := range a.registry.shifts {
		if !s.ending() && time.Since(s.began) >= settledAfter && s.ours() && s.last().Problem == nil {
			candidates = append(candidates, s)
		}
	}
	a.registry.mu.Unlock()
	if len(candidates) == 0 {
		return false
	}
	slices.MinFunc(candidates, func(x, y *registeredShift) int { return cmp.Compare(x.began.UnixNano(), y.began.UnixNano()) }).end()
	return true
}
