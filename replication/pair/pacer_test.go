package pair

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// source is one whose binlogs come at given times, in virtual time.
type source struct {
	arrivals []time.Duration // since the beginning, in order
	// clock is what the source's clock is ahead, by the time of the binlog.
	clock  func(time.Duration) time.Duration
	silent bool // its binlogs carry no times
	// learning is how many binlogs come before what is measured, if not the usual ones.
	learning int
}

// what a pacer did with a source.
type polled struct {
	aSecond       float64
	p50, p99      time.Duration // from a binlog to the poll that found it
	polls         int
	longest, mean time.Duration
}

// learning is how many binlogs come before what is measured.
const learning = 5

// roundTrip is what a poll takes.
const roundTrip = 1500 * time.Microsecond

// poll has a pacer poll the source until all has been found. What the first few tell it is not measured.
func (s source) poll() (out polled) {
	begin := time.Unix(1_800_000_000, 0)
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	p := NewPacer(begin, 5*time.Millisecond, time.Second)
	var now, sum time.Duration
	var late []time.Duration
	for next := 0; next < len(s.arrivals); {
		out.polls++
		now += roundTrip
		var stamps []time.Time
		for ; next < len(s.arrivals) && s.arrivals[next] <= now-roundTrip/2; next++ {
			a := s.arrivals[next]
			if next >= cmp.Or(s.learning, learning) {
				late, sum = append(late, now-a), sum+now-a
			}
			stamp := at(a)
			if s.clock != nil {
				stamp = at(a + s.clock(a))
			}
			if s.silent {
				stamp = time.Time{}
			}
			stamps = append(stamps, stamp.Truncate(time.Millisecond))
		}
		if s.silent {
			clear(stamps)
		}
		now += p.Found(at(now), stamps, false)
	}
	slices.Sort(late)
	out.aSecond = float64(out.polls) / now.Seconds()
	out.p50, out.p99, out.longest, out.mean = late[len(late)/2], late[len(late)*99/100], late[len(late)-1], sum/time.Duration(len(late))
	return out
}

// arriving makes the arrivals of n binlogs from the distances of each to the one before.
func arriving(n int, distance func(i int) time.Duration) (all []time.Duration) {
	at := time.Second
	for i := range n {
		at += distance(i)
		all = append(all, at)
	}
	slices.Sort(all)
	return all
}

const tenASecond = 100 * time.Millisecond

// jittered are binlogs that come at a distance, each of them sooner or later by up to jitter.
func jittered(n int, distance, jitter time.Duration) []time.Duration {
	chance := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for i := range n {
		all = append(all, time.Second+time.Duration(i)*distance+time.Duration((2*chance.Float64()-1)*float64(jitter)))
	}
	slices.Sort(all)
	return all
}

// heldUp are binlogs of a clock on a machine with other work: each is late by a bit, one
// in 30 by a lot, which does not move the others.
func heldUp(n int) []time.Duration {
	chance := rand.New(rand.NewPCG(5, 6))
	var all []time.Duration
	for i := range n {
		all = append(all, time.Second+time.Duration(i)*tenASecond+late(chance))
	}
	slices.Sort(all)
	return all
}

// oneAfterTheOther are binlogs of a writer that waits a tenth of a second between the end
// of a load and the next.
func oneAfterTheOther(n int) []time.Duration {
	chance := rand.New(rand.NewPCG(7, 8))
	return arriving(n, func(int) time.Duration { return tenASecond + late(chance) })
}

func late(chance *rand.Rand) time.Duration {
	by := time.Duration(math.Abs(chance.NormFloat64()) * float64(1500*time.Microsecond))
	if chance.IntN(30) == 0 {
		by += time.Duration(chance.ExpFloat64() * float64(20*time.Millisecond))
	}
	return by
}

// inPhases are times in which binlogs come as by a clock, with long silence between them.
func inPhases(phases, n int) (all []time.Duration) {
	for phase := range phases {
		begin := time.Duration(phase) * 100 * time.Second
		for _, at := range jittered(n, tenASecond, 2*time.Millisecond) {
			all = append(all, begin+at)
		}
	}
	return all
}

// random are binlogs of many writers that know nothing of each other.
func random(n int, distance time.Duration) []time.Duration {
	chance := rand.New(rand.NewPCG(3, 4))
	return arriving(n, func(int) time.Duration { return time.Duration(chance.ExpFloat64() * float64(distance)) })
}

func TestBinlogsOfARhythmAreFoundByOneOrTwoPolls(t *testing.T) {
	for name, c := range map[string]struct {
		source
		aSecond  float64
		p50, p99 time.Duration
	}{
		"as a clock":           {source{arrivals: jittered(3000, tenASecond, 2*time.Millisecond)}, 11.5, 4 * time.Millisecond, 8 * time.Millisecond},
		"a bit irregular":      {source{arrivals: jittered(3000, tenASecond, 6*time.Millisecond)}, 12.5, 6 * time.Millisecond, 15 * time.Millisecond},
		"another clock":        {source{arrivals: jittered(3000, tenASecond, 2*time.Millisecond), clock: func(time.Duration) time.Duration { return -time.Hour }}, 11.5, 4 * time.Millisecond, 8 * time.Millisecond},
		"a clock set ahead":    {source{arrivals: jittered(3000, tenASecond, 2*time.Millisecond), clock: steps(7 * time.Second)}, 11.5, 4 * time.Millisecond, 8 * time.Millisecond},
		"a clock set back":     {source{arrivals: jittered(3000, tenASecond, 2*time.Millisecond), clock: steps(-7 * time.Second)}, 11.5, 4 * time.Millisecond, 8 * time.Millisecond},
		"one in 20 missing":    {source{arrivals: without(jittered(3000, tenASecond, 2*time.Millisecond), 20)}, 14, 4 * time.Millisecond, 12 * time.Millisecond},
		"held up at times":     {source{arrivals: heldUp(3000)}, 12, 4 * time.Millisecond, 12 * time.Millisecond},
		"each after the other": {source{arrivals: oneAfterTheOther(3000)}, 13, 4 * time.Millisecond, 12 * time.Millisecond},
		"in phases":            {source{arrivals: inPhases(5, 600)}, 8.5, 4 * time.Millisecond, 8 * time.Millisecond},
		"two a second":         {source{arrivals: jittered(1000, 5*tenASecond, 2*time.Millisecond)}, 9, 4 * time.Millisecond, 13 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.poll()
			t.Logf("%.1f polls a second, p50 %s, p99 %s, longest %s", got.aSecond, got.p50, got.p99, got.longest)
			require.LessOrEqual(t, got.aSecond, c.aSecond)
			require.LessOrEqual(t, got.p50, c.p50)
			require.LessOrEqual(t, got.p99, c.p99)
		})
	}
}

// After a pause the first binlogs are found soon, whatever the pause was: it says nothing
// of their distance.
func TestTheBeginningOfARhythmIsFoundSoon(t *testing.T) {
	for name, pauses := range map[string][]time.Duration{
		"after one pause":          {600 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second},
		"after many binlogs apart": slices.Repeat([]time.Duration{3 * time.Second}, 20),
	} {
		t.Run(name, func(t *testing.T) {
			before := len(pauses) + 2 // the first two may be found together, late
			got := source{learning: before, arrivals: arriving(before+30, func(i int) time.Duration {
				if i < len(pauses) {
					return pauses[i]
				}
				return tenASecond
			})}.poll()
			t.Logf("longest %s", got.longest)
			require.LessOrEqual(t, got.longest, 55*time.Millisecond)
		})
	}
}

// A rhythm whose first binlogs are found late, for the source has been idle for long, is
// not looked for that late ever after.
func TestABinlogThatIsFoundLateDelaysNoOthers(t *testing.T) {
	got := source{learning: 15, arrivals: arriving(60, func(i int) time.Duration {
		if i == 0 {
			return 10 * time.Second
		}
		return tenASecond
	})}.poll()
	t.Logf("p50 %s, longest %s", got.p50, got.longest)
	require.LessOrEqual(t, got.p50, 8*time.Millisecond)
}

// steps is a clock that is set after a minute.
func steps(by time.Duration) func(time.Duration) time.Duration {
	return func(at time.Duration) time.Duration {
		if at < time.Minute {
			return 0
		}
		return by
	}
}

// without leaves out every nth.
func without(all []time.Duration, nth int) (some []time.Duration) {
	for i, a := range all {
		if i%nth != 0 {
			some = append(some, a)
		}
	}
	return some
}

// Without a rhythm polls are evenly spread. What is written here was got by waiting for a
// quarter of the time since the last binlog, at least 5 ms: it must not get worse.
func TestRandomBinlogsAreFoundAsSoonAsByGrowingWaits(t *testing.T) {
	for name, c := range map[string]struct {
		source
		aSecond        float64
		p50, p99, mean time.Duration
	}{
		"10 a second":          {source{arrivals: random(3000, tenASecond)}, 62, 10100 * time.Microsecond, 73 * time.Millisecond, 14 * time.Millisecond},
		"2 a second":           {source{arrivals: random(1000, 5*tenASecond)}, 24, 36 * time.Millisecond, 360 * time.Millisecond, 63 * time.Millisecond},
		"50 a second":          {source{arrivals: random(3000, tenASecond/5)}, 95, 7 * time.Millisecond, 18 * time.Millisecond, 8 * time.Millisecond},
		"a quarter off":        {source{arrivals: jittered(3000, tenASecond, tenASecond/4)}, 40, 12 * time.Millisecond, 20 * time.Millisecond, 11 * time.Millisecond},
		"one in half a minute": {source{arrivals: random(200, 300*tenASecond)}, 2.2, 600 * time.Millisecond, time.Second, 600 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.poll()
			t.Logf("%.1f polls a second, p50 %s, p99 %s, mean %s", got.aSecond, got.p50, got.p99, got.mean)
			require.LessOrEqual(t, got.aSecond, c.aSecond)
			require.LessOrEqual(t, got.p50, c.p50)
			require.LessOrEqual(t, got.p99, c.p99+roundTrip)
			require.LessOrEqual(t, got.mean, c.mean)
		})
	}
}

// A burst after a long silence must not be polled at the distances of before.
func TestABurstIsPolledCloselySoon(t *testing.T) {
	got := source{arrivals: arriving(1000, func(i int) time.Duration {
		if i%100 < 5 {
			return 30 * time.Second // the last of them begins a burst
		}
		return 30 * time.Millisecond
	})}.poll()
	t.Logf("%.1f polls a second, p50 %s, p99 %s", got.aSecond, got.p50, got.p99)
	require.LessOrEqual(t, got.p50, 7*time.Millisecond)
}

// Sources that tell no times of their binlogs are polled as if the distances were unknown.
func TestBinlogsWithoutTimesAreFoundToo(t *testing.T) {
	got := source{arrivals: jittered(500, tenASecond, 0), silent: true}.poll()
	t.Logf("%.1f polls a second, p50 %s, p99 %s", got.aSecond, got.p50, got.p99)
	require.LessOrEqual(t, got.aSecond, 90.0)
	require.LessOrEqual(t, got.p99, 30*time.Millisecond)
}

// A source in a rhythm that has an extra binlog is not left alone until the next beat.
func TestABinlogOffTheBeatIsFoundSoon(t *testing.T) {
	arrivals := jittered(1000, 10*tenASecond, 0)
	extra := []time.Duration{arrivals[700] + 300*time.Millisecond}
	got := source{arrivals: slices.Sorted(slices.Values(append(arrivals, extra...)))}.poll()
	require.LessOrEqual(t, got.longest, offBeat+2*roundTrip)
}

func TestAnIdleSourceIsPolledOnceInTheLongestWait(t *testing.T) {
	begin := time.Unix(0, 0)
	p := NewPacer(begin, 5*time.Millisecond, time.Second)
	require.Equal(t, time.Second, p.Found(begin.Add(time.Minute), nil, false))
}

func TestASourceIsActiveIdleAndThenSilent(t *testing.T) {
	begin := time.Unix(0, 0)
	p := NewPacer(begin, 5*time.Millisecond, time.Second)
	require.Equal(t, Active, p.Activity(begin.Add(time.Hour)), "it may have had a binlog: nobody has asked")
	p.Found(begin, []time.Time{begin}, false)
	for after, want := range map[time.Duration]Activity{0: Active, activeFor - 1: Active, activeFor: Idle, silentAfter - 1: Idle, silentAfter: Silent} {
		require.Equal(t, want, p.Activity(begin.Add(after)), after)
	}
	later := begin.Add(time.Hour)
	p.Begin(later)
	require.Equal(t, Active, p.Activity(later), "another shift does not wait for its turn among the silent ones")
	p.Found(later, nil, false)
	require.Equal(t, Silent, p.Activity(later), "what the shift before knew is still known")
}

func TestAFullAnswerIsFollowedByTheNextPollAtOnce(t *testing.T) {
	begin := time.Unix(0, 0)
	p := NewPacer(begin, 5*time.Millisecond, time.Second)
	require.Zero(t, p.Found(begin.Add(time.Minute), []time.Time{begin}, true))
	require.Equal(t, Active, p.Activity(begin.Add(time.Minute)))
}

func TestBinlogsThatFollowCloselyAreGathered(t *testing.T) {
	got := source{arrivals: jittered(20000, 2*time.Millisecond, 0)}.poll()
	require.LessOrEqual(t, got.aSecond, 140.0)
	require.LessOrEqual(t, got.p99, gatherLongest+2*roundTrip)
}
