package replication

import (
	"sync"
	"time"
)

// pollBudget spreads the polls of jobs over time, so that together they stay
// below a rate per source cluster: one for idle jobs, and activeShare times as
// much for jobs whose source has just been active. Each kind takes turns, and
// neither takes the other's: however busy some jobs are, an idle one that gets a
// binlog finds it within its turn, and however many are idle, a busy one does not
// wait for them. A few busy jobs stay far below their rate and never wait.
type pollBudget struct {
	mu           sync.Mutex
	idle, active turns
}

// activeShare: a busy job polls up to 200 times a second (IdlePollMin), so with
// the default budget the first four of them are not slowed down at all.
const activeShare = 2

// turns gives out points in time, a step apart.
type turns struct {
	step time.Duration
	next time.Time
}

func newPollBudget(perSecond int) *pollBudget {
	step := time.Second / time.Duration(perSecond)
	return &pollBudget{idle: turns{step: step}, active: turns{step: step / activeShare}}
}

// reserve books one poll and returns how long to wait before making it.
func (b *pollBudget) reserve(now time.Time, active bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if active {
		return b.active.take(now)
	}
	return b.idle.take(now)
}

func (t *turns) take(now time.Time) time.Duration {
	if t.next.Before(now) {
		t.next = now
	}
	wait := t.next.Sub(now)
	t.next = t.next.Add(t.step)
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
