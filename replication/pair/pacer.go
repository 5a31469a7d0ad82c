package pair

import "time"

// Pacer decides how long to wait before the next poll of one source, by what that
// source does (pacer_test.go has what each kind of source gets):
//
//   - binlogs that follow each other closely are gathered: a poll finds a few;
//   - those that come in a rhythm are awaited at the moment of the next one (rhythm.go);
//   - of others nobody knows when the next one comes: polls are evenly spread, some of
//     them for each binlog, but for the time in which none has come lately;
//   - after a pause the first binlogs are looked for closely: they may begin a rhythm;
//   - the longer nothing has come, the longer is the wait, so that the delay it adds to
//     the next binlog stays a fraction of the distance between binlogs.
type Pacer struct {
	shortest, longest time.Duration

	lastFound time.Time     // when binlogs were found last
	lastPoll  time.Time     // when the source was polled last
	gap       time.Duration // smoothed time between binlogs, as polls find them
	rhythm    rhythm
	due       []time.Time // of the next binlog, none if that is not known
	aimed     bool        // the wait that was told last ends when it is due for the first time
	polled    bool        // since somebody began to poll
}

const (
	// gather is how many binlogs a poll of a busy source should find.
	gather = 3
	// gatherLongest bounds the wait for them.
	gatherLongest = 12 * time.Millisecond
	// aBinlog is how many polls are made in the usual distance of two binlogs that come
	// without a rhythm. spreadShortest and spreadLongest bound the time between them.
	aBinlog        = 6
	spreadShortest = 10 * time.Millisecond
	spreadLongest  = 50 * time.Millisecond
	// silentFraction is the share of the time without binlogs to wait at least before
	// looking again, idleFraction the same while the distance of binlogs is not known, or
	// just after a pause. aloneFraction is that after one binlog between two pauses.
	silentFraction = 16
	idleFraction   = 4
	aloneFraction  = 8
	// offBeat is how late a binlog may be found at most, at such distances, that comes when
	// the rhythm does not have one.
	offBeat = 150 * time.Millisecond
	// activeFor is how long after a binlog a source counts as active, silentAfter when it
	// counts as silent.
	activeFor   = 5 * time.Second
	silentAfter = time.Minute
)

// NewPacer returns a pacer of a source that may have just had a binlog: nobody has asked
// it yet.
func NewPacer(now time.Time, shortest, longest time.Duration) *Pacer {
	return &Pacer{shortest: shortest, longest: longest, lastFound: now, lastPoll: now}
}

// Begin notes that polls begin again, after nobody has asked for a while.
func (p *Pacer) Begin(now time.Time) {
	p.lastPoll, p.due, p.aimed, p.polled = now, nil, false, false
}

// Activity tells what the source has done lately. Before the first poll nobody knows.
func (p *Pacer) Activity(now time.Time) Activity {
	switch silence := now.Sub(p.lastFound); {
	case !p.polled || silence < activeFor:
		return Active
	case silence < silentAfter:
		return Idle
	}
	return Silent
}

// Found notes that a poll found binlogs, possibly none, and returns the time to wait
// before the next. stamps are the source's times of them, zero where it tells none. full
// tells that the server has more.
func (p *Pacer) Found(now time.Time, stamps []time.Time, full bool) time.Duration {
	since := now.Sub(p.lastPoll)
	p.lastPoll, p.polled = now, true
	if n := len(stamps); n > 0 {
		p.gap = (3*p.gap + since/time.Duration(n)) / 4
		p.met(now, since, stamps)
		if full {
			p.aimed = false
			return 0
		}
		if !p.rhythm.known() || p.rhythm.distance < gatherLongest || p.gap < gatherLongest/gather {
			p.due, p.aimed = nil, false
			return min(max(gather*p.gap, p.shortest), max(gatherLongest, p.shortest))
		}
	}
	wait := max(p.wait(now), p.shortest)
	p.aimed = len(p.due) > 0 && now.Before(p.due[0]) && !now.Add(wait).Before(p.due[0])
	return wait
}

// met notes when binlogs came, since the poll before.
func (p *Pacer) met(now time.Time, since time.Duration, stamps []time.Time) {
	if len(p.due) == 1 && !now.Before(p.due[0]) {
		p.rhythm.correct(p.aimed)
	}
	for _, at := range stamps {
		if !at.IsZero() {
			p.rhythm.met(at)
		}
	}
	p.rhythm.seen(now, since)
	p.lastFound, p.due = now, p.rhythm.next()
}

// wait is the time to wait after a poll that has left nothing to gather.
func (p *Pacer) wait(now time.Time) time.Duration {
	silence, distance := now.Sub(p.lastFound), p.rhythm.distance
	for i, due := range p.due {
		if until := due.Sub(now); until > 0 {
			return min(until, p.afterBeat(now, i, max(offBeat, silence/idleFraction)))
		}
	}
	if n := len(p.due); n > 0 && now.Sub(p.due[n-1]) < distance { // it comes any moment
		return p.afterBeat(now, n, 0)
	}
	longest := max(p.longest, p.shortest)
	if !p.rhythm.known() {
		return min(silence/idleFraction, longest)
	}
	spread := min(max(distance/aBinlog, spreadShortest), spreadLongest)
	if closely := max(silence/idleFraction, gatherLongest); closely < spread && p.rhythm.fresh() {
		return closely
	}
	if silence < longestDistance && p.rhythm.alone() {
		return min(max(spread, silence/aloneFraction), longest)
	}
	if early := p.rhythm.soonest() - silence; early > spread {
		return min(early, spreadLongest)
	}
	return min(max(spread, silence/silentFraction), longest)
}

// afterBeat is the time to wait after the n-th moment at which a binlog was due and did
// not come: shorter ones at first. before is that for none.
func (p *Pacer) afterBeat(now time.Time, n int, before time.Duration) time.Duration {
	if n == 0 {
		return before
	}
	return max(p.shortest, min(now.Sub(p.due[n-1]), p.rhythm.distance/aBinlog))
}
