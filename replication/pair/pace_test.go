package pair

import (
	"container/heap"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// poller is a job in virtual time.
type poller struct {
	kind  Activity
	every time.Duration // what it would wait between polls by itself
	due   time.Time     // when it asks for its next turn

	polls   int
	longest time.Duration // wait for a turn
}

type pollers []*poller

func (p pollers) Len() int           { return len(p) }
func (p pollers) Less(i, j int) bool { return p[i].due.Before(p[j].due) }
func (p pollers) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pollers) Push(x any)        { *p = append(*p, x.(*poller)) }
func (p *pollers) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

// play has all of them poll through one budget for a virtual minute.
func play(perSecond int, all ...*poller) {
	b := NewPollBudget(perSecond)
	begin := time.Unix(0, 0)
	queue := pollers{}
	for _, p := range all {
		p.due = begin
		heap.Push(&queue, p)
	}
	for queue[0].due.Before(begin.Add(time.Minute)) {
		p := queue[0]
		wait := b.Reserve(p.due, p.kind)
		p.polls, p.longest = p.polls+1, max(p.longest, wait)
		p.due = p.due.Add(wait + p.every)
		heap.Fix(&queue, 0)
	}
}

func many(n int, kind Activity, every time.Duration) (all []*poller) {
	for range n {
		all = append(all, &poller{kind: kind, every: every})
	}
	return all
}

func polls(all []*poller) (total, least, most int) {
	least = all[0].polls
	for _, p := range all {
		total, least, most = total+p.polls, min(least, p.polls), max(most, p.polls)
	}
	return total, least, most
}

func TestPollsOfActiveJobsAreBoundedAndFair(t *testing.T) {
	const budget = 400
	busy := many(200, Active, 5*time.Millisecond)
	play(budget, busy...)
	total, least, most := polls(busy)
	require.LessOrEqual(t, total, 60*activeShare*budget+len(busy))
	require.Greater(t, total/60, activeShare*budget*9/10, "what is allowed is used")
	require.LessOrEqual(t, most-least, 2, "each gets its turn")
}

// 1,000 idle jobs, hundreds of them busy for a while: what the busy ones ask for
// used to be paid by the idle ones, whose next poll was minutes away then.
func TestBusyJobsDoNotStarveIdleOnes(t *testing.T) {
	const budget = 400
	idle := many(800, Idle, time.Second)
	play(budget, append(many(200, Active, 5*time.Millisecond), idle...)...)
	for _, p := range idle {
		require.LessOrEqual(t, p.longest, 800*time.Second/budget+time.Second/budget)
	}
	total, _, _ := polls(idle)
	require.LessOrEqual(t, total, 60*budget+len(idle))
}

func TestFewBusyJobsNeverWaitForIdleOnes(t *testing.T) {
	busy := many(4, Active, 5*time.Millisecond)
	play(400, append(many(1000, Idle, time.Second), busy...)...)
	for _, p := range busy {
		require.Less(t, p.longest, 5*time.Millisecond)
	}
}

// Most of very many jobs have had nothing for long. Together they cost the source less
// than the budget, and a job that has had something lately does not wait for them.
func TestSilentJobsGetAShareOfTheBudget(t *testing.T) {
	const budget = 400
	silent, idle := many(1000, Silent, time.Second), many(50, Idle, time.Second)
	play(budget, append(slices.Clone(silent), idle...)...)
	total, least, most := polls(silent)
	require.LessOrEqual(t, total, 60*150+len(silent))
	require.LessOrEqual(t, most-least, 2, "each gets its turn")
	for _, p := range silent {
		require.LessOrEqual(t, p.longest, 7*time.Second)
	}
	for _, p := range idle {
		require.LessOrEqual(t, p.longest, 50*time.Second/budget)
	}
}

func TestFewSilentJobsNeverWait(t *testing.T) {
	silent := many(100, Silent, time.Second)
	play(400, silent...)
	_, least, _ := polls(silent)
	require.GreaterOrEqual(t, least, 59, "all are polled once a second")
}

// Silent sources are polled together, none of them later than it had to wait, and as many
// of them at once as turns were left.
func TestSilentSourcesArePolledTogether(t *testing.T) {
	begin := time.Unix(1000, 0)
	b := NewPollBudget(400)
	ends := map[time.Time]int{}
	for job := range 50 {
		now := begin.Add(time.Minute + time.Duration(job)*2*time.Millisecond)
		wait := InStep(now, time.Second)
		require.LessOrEqual(t, wait, time.Second)
		require.Greater(t, wait, time.Second-inStep)
		ends[now.Add(wait)]++
	}
	require.LessOrEqual(t, len(ends), 2)
	at := begin.Add(2 * time.Minute)
	waiting := 0
	for range 20 {
		if b.Reserve(at, Silent) > 0 {
			waiting++
		}
	}
	require.Equal(t, 4, waiting, "150 a second are 15 in a tenth of one, and one has its turn now")
	require.Equal(t, 30*time.Millisecond, InStep(at, 30*time.Millisecond), "short waits stay")
}
