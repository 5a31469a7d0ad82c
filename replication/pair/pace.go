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
// below a rate per source cluster: one for idle jobs, activeShare times as
// much for jobs whose source has just been active, and silentShare of it for those whose
// source has been silent for long. Each kind takes turns, and
// none takes another's: however busy some jobs are, an idle one that gets a
// binlog finds it within its turn, and however many are idle, a busy one does not
// wait for them. A few jobs of a kind stay far below their rate and never wait.
type PollBudget struct {
	mu    sync.Mutex
	turns [3]turns // by Activity
}

// Activity is what a source has done lately.
type Activity int

const (
	// Silent is a source that has had no binlog for silentAfter. With very many jobs most
	// sources are, and what their polls cost is most of what idle jobs cost the clusters.
	Silent Activity = iota
	// Idle is one that has had none for activeFor.
	Idle
	// Active is one that has had a binlog just now.
	Active
)

// activeShare: a busy job polls up to 100 times a second (Pacer), so with the
// default budget the first eight of them are not slowed down at all.
const activeShare = 2

// silentShare is three eighths: with the default budget the first 150 of the silent ones
// are polled once in their longest wait, and a thousand within 7 seconds.
const silentShare = 0.375

// inStep is the distance of the moments at which silent sources are polled.
const inStep = 100 * time.Millisecond

// InStep shortens a wait so that it ends when those of other jobs do: a process that
// wakes up for several polls costs less than one that does for each.
func InStep(now time.Time, wait time.Duration) time.Duration {
	end := now.Add(wait).Truncate(inStep)
	if early := end.Sub(now); early > wait/2 {
		return early
	}
	return wait
}

// turns gives out points in time, a step apart.
type turns struct {
	step time.Duration
	next time.Time
	// burst is how long turns that nobody has taken are kept.
	burst time.Duration
}

// NewPollBudget returns a budget of so many polls a second.
func NewPollBudget(perSecond int) *PollBudget {
	step := time.Second / time.Duration(perSecond)
	return &PollBudget{turns: [...]turns{
		Silent: {step: time.Duration(float64(step) / silentShare), burst: inStep}, Idle: {step: step}, Active: {step: step / activeShare},
	}}
}

// Reserve books one poll and returns how long to wait before making it.
func (b *PollBudget) Reserve(now time.Time, a Activity) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.turns[a].take(now)
}

func (t *turns) take(now time.Time) time.Duration {
	if oldest := now.Add(-t.burst); t.next.Before(oldest) {
		t.next = oldest
	}
	wait := max(0, t.next.Sub(now))
	t.next = t.next.Add(t.step)
	return wait
}

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
