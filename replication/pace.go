package replication

import (
	"sync"
	"time"
)

// pollBudget spreads the polls of idle jobs over time, so that together they
// stay below a rate per source cluster. A job whose source has just been active
// is never held back, its polls only count.
type pollBudget struct {
	step time.Duration // between two polls

	mu   sync.Mutex
	next time.Time
}

func newPollBudget(perSecond int) *pollBudget {
	return &pollBudget{step: time.Second / time.Duration(perSecond)}
}

// reserve books one poll and returns how long to wait before making it.
func (b *pollBudget) reserve(now time.Time, active bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next.Before(now) {
		b.next = now
	}
	wait := b.next.Sub(now)
	b.next = b.next.Add(b.step)
	if active {
		return 0
	}
	return wait
}

// pacer decides how long to wait before the next poll of one source. Under load
// it waits for a few binlogs to gather, which saves calls; when idle it waits a
// fraction of the time that nothing has come, so that the delay it adds to the
// next binlog stays a fraction of the distance between binlogs.
type pacer struct {
	shortest, longest time.Duration
	lastBinlog        time.Time
	lastPoll          time.Time
	gap               time.Duration // smoothed time between binlogs
}

const (
	// gather is how many binlogs a poll of a busy source should find.
	gather = 3
	// gatherLongest bounds the wait for them.
	gatherLongest = 12 * time.Millisecond
	// idleFraction is the share of the idle time to wait before looking again.
	idleFraction = 4
	// activeFor is how long after a binlog a source counts as active.
	activeFor = 5 * time.Second
)

// found notes that a poll found n binlogs (possibly none) and returns the time
// to wait before the next. full tells that the server has more.
func (p *pacer) found(now time.Time, n int, full bool) time.Duration {
	since := now.Sub(p.lastPoll)
	p.lastPoll = now
	if n > 0 {
		p.lastBinlog = now
		p.gap = (3*p.gap + since/time.Duration(n)) / 4
		if full {
			return 0
		}
		return min(max(gather*p.gap, p.shortest), max(gatherLongest, p.shortest))
	}
	return min(max(now.Sub(p.lastBinlog)/idleFraction, p.shortest), p.longest)
}

// active tells whether the source has had a binlog lately.
func (p *pacer) active(now time.Time) bool { return now.Sub(p.lastBinlog) < activeFor }
