package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

const (
	// ownWaitLook is the time between two looks whether a shift waits for itself, and
	// ownWaitLasts how long that has to be found before it is told.
	ownWaitLook  = 5 * time.Second
	ownWaitLasts = 30 * time.Second
)

// ownWait finds out that a shift waits for itself. As long as transactions are open, one of
// them makes room, or tells why it does not. With none that goes on nobody does: the shift
// waits for what only it could begin. That must not be, and if it is, heartbeats go on
// and nothing else until the shift is over.
type ownWait struct {
	since time.Time // of the first look that found it, zero if the last one did not
}

// lasts takes in how many transactions have a slot, the one that waits among them, and
// tells whether there has been no other for long enough.
func (w *ownWait) lasts(slots int, now time.Time) bool {
	switch {
	case slots > 1:
		w.since = time.Time{}
	case w.since.IsZero():
		w.since = now
	}
	return !w.since.IsZero() && now.Sub(w.since) >= ownWaitLasts
}

// awaitRoom waits until no more than most binlogs behind the position come before first. An
// ending means that nothing new must begin.
func (s *shift) awaitRoom(stop context.Context, first *entry, most int) *ending {
	ticker := time.NewTicker(ownWaitLook)
	defer ticker.Stop()
	var own ownWait
	for s.tracker.before(first) > most {
		select {
		case <-s.tracker.moved:
		case <-ticker.C:
			if own.lasts(len(s.slots), time.Now()) {
				return s.waitsForItself(first, most)
			}
		case <-s.failing:
			return &ending{end: job.EndBlocked}
		case <-stop.Done():
			return &ending{end: job.EndStopped}
		}
	}
	return nil
}

// waitsForItself ends the shift: the next one begins at the position, with nothing in
// between.
func (s *shift) waitsForItself(first *entry, most int) *ending {
	err := problem.WithRemedy(fmt.Errorf("commit seq %d waits for the %d binlogs before it, of which at most %d may be under way, and none of them is", first.seq, s.tracker.before(first), most),
		"the stream begins again by itself; if this comes again, job_skip_binlog with skip_by fullsync brings the rows, and the developers need the worker's log")
	s.log.Error("The stream waits for itself; it ends, and begins again at its position.", "error", err)
	s.fail(first.seq, err)
	return &ending{end: job.EndBlocked}
}
