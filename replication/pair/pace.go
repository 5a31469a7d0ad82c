package pair

import (
	"sync"
	"time"
)

const (
	// LookEvery is how often a shift looks at what it follows. With the time that
	// a finding has to last it stays below half a minute.
	LookEvery = 15 * time.Second
	// looksAtOnce is how many looks a second a process makes at one source.
	looksAtOnce = 50
)

// PollBudget spreads the polls of jobs over time, so that together they stay
// below a rate per source cluster: one for idle jobs, and activeShare times as
// much for jobs whose source has just been active. Each kind takes turns, and
// neither takes the other's: however busy some jobs are, an idle one that gets a
// binlog finds it within its turn, and however many are idle, a busy one does not
// wait for them. A few busy jobs stay far below their rate and never wait.
type PollBudget struct {
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

// NewPollBudget returns a budget of so many polls a second.
func NewPollBudget(perSecond int) *PollBudget {
	step := time.Second / time.Duration(perSecond)
	return &PollBudget{idle: turns{step: step}, active: turns{step: step / activeShare}}
}

// Reserve books one poll and returns how long to wait before making it.
func (b *PollBudget) Reserve(now time.Time, active bool) time.Duration {
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

// Pacer decides how long to wait before the next poll of one source. Under load
// it waits for a few binlogs to gather, which saves calls; when idle it waits a
// fraction of the time that nothing has come, so that the delay it adds to the
// next binlog stays a fraction of the distance between binlogs.
type Pacer struct {
	Shortest, Longest time.Duration
	LastBinlog        time.Time
	LastPoll          time.Time
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

// Found notes that a poll found n binlogs (possibly none) and returns the time
// to wait before the next. full tells that the server has more.
func (p *Pacer) Found(now time.Time, n int, full bool) time.Duration {
	since := now.Sub(p.LastPoll)
	p.LastPoll = now
	if n > 0 {
		p.LastBinlog = now
		p.gap = (3*p.gap + since/time.Duration(n)) / 4
		if full {
			return 0
		}
		return min(max(gather*p.gap, p.Shortest), max(gatherLongest, p.Shortest))
	}
	return min(max(now.Sub(p.LastBinlog)/idleFraction, p.Shortest), p.Longest)
}

// Active tells whether the source has had a binlog lately.
func (p *Pacer) Active(now time.Time) bool { return now.Sub(p.LastBinlog) < activeFor }

// A net under everything else: while a shift follows the binlogs, it compares the
// tables that nobody writes at the moment with what the destination has
// (compare/content.go), a few a minute. What differs twice, with nothing in between, is
// told. Nothing is repaired, but for what an old source does not record.

const (
	// surveyEvery is how often a shift compares a table.
	surveyEvery = 15 * time.Second
	// surveysAtOnce is how many tables a second a process compares of one source.
	surveysAtOnce = 1
)
