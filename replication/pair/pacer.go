package pair

import "time"

// Pacer decides how long to wait before the next poll of one source, by what that
// source does (pacer_test.go has what each kind of source gets):
//
//   - binlogs that follow each other closely are gathered: a poll finds a few;
//   - those that come in a rhythm are awaited at the moment of the next one;
//   - of others nobody knows when the next one comes: a poll is as useful at any time,
//     so they are evenly spread, some of them for each binlog;
//   - the longer nothing has come, the longer is the wait, so that the delay it adds to
//     the next binlog stays a fraction of the distance between binlogs.
type Pacer struct {
	shortest, longest time.Duration

	lastFound time.Time     // when binlogs were found last
	lastPoll  time.Time     // when the source was polled last
	gap       time.Duration // smoothed time between binlogs, as polls find them
	rhythm    rhythm
	due       time.Time // of the next binlog, zero if that is not known
	aimed     bool      // the wait that was told last ends when it is due
	polled    bool      // since somebody began to poll
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
	// looking again, idleFraction the same while the distance of binlogs is not known.
	silentFraction = 16
	idleFraction   = 4
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
	p.lastPoll, p.due, p.aimed, p.polled = now, time.Time{}, false, false
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
		p.met(now, stamps)
		if full {
			p.aimed = false
			return 0
		}
		if !p.rhythm.known() || p.rhythm.distance < gatherLongest || p.gap < gatherLongest/gather {
			p.due, p.aimed = time.Time{}, false
			return min(max(gather*p.gap, p.shortest), max(gatherLongest, p.shortest))
		}
	}
	wait := p.wait(now)
	p.aimed = !p.due.IsZero() && !now.Add(wait).Before(p.due) && now.Before(p.due)
	return wait
}

// met notes when binlogs came.
func (p *Pacer) met(now time.Time, stamps []time.Time) {
	if !p.due.IsZero() && !now.Before(p.due) {
		p.rhythm.correct(p.aimed)
	}
	for _, at := range stamps {
		if !at.IsZero() {
			p.rhythm.met(at)
		}
	}
	p.rhythm.seen(now)
	p.lastFound, p.due = now, p.rhythm.next()
}

// wait is the time to wait after a poll that has left nothing to gather.
func (p *Pacer) wait(now time.Time) time.Duration {
	silence, distance := now.Sub(p.lastFound), p.rhythm.distance
	if !p.due.IsZero() {
		switch late := now.Sub(p.due); {
		case late < 0:
			return max(p.shortest, min(-late, max(offBeat, silence/idleFraction)))
		case late < distance: // it comes any moment
			return max(p.shortest, min(late, distance/aBinlog))
		}
	}
	if !p.rhythm.known() {
		return min(max(silence/idleFraction, p.shortest), max(p.longest, p.shortest))
	}
	spread := min(max(distance/aBinlog, spreadShortest), spreadLongest)
	return min(max(spread, silence/silentFraction, p.shortest), max(p.longest, p.shortest))
}

// rhythm is what is known of when a source's binlogs come. Distances are taken from the
// times that the source gives to them, for polls find them later, by varying times.
type rhythm struct {
	last      time.Time     // the source's time of the newest binlog
	distance  time.Duration // smoothed distance of two
	deviation time.Duration // smoothed deviation from that
	samples   int
	close     int // so many in a row came much closer to each other than usual

	// delay is how long after a binlog's time, by the source's clock, it is looked for here:
	// a time in which six of seven can be read, the difference of the two clocks included.
	delay   time.Duration
	delayed bool // delay is set
}

const (
	// longestDistance is what counts as a distance of binlogs: what is longer is a pause.
	longestDistance = 2 * time.Second
	// smooth is the weight of what was before when a distance is taken in.
	smooth = 8
	// muchCloser is the fraction of the distance that counts as much closer. Two such in a
	// row, and the source has become quick: a burst must not wait for what was before it.
	muchCloser = 4
	// regular is the greatest deviation of a rhythm, as a fraction of the distance.
	regular = 10
	// corrections of the delay are a fraction of the distance, at most correctionMost. One
	// that was too short costs a second poll and counts for six that were long enough.
	correction     = 100
	correctionMost = 2 * time.Millisecond
	tooShort       = 6
)

// known tells whether the distance is.
func (r *rhythm) known() bool { return r.samples > 0 }

// met takes in that a binlog has this time.
func (r *rhythm) met(at time.Time) {
	if r.last.IsZero() || r.last.Sub(at) > longestDistance { // the clock was set back
		r.last = at
		return
	}
	x := min(max(at.Sub(r.last), 0), longestDistance)
	if at.After(r.last) {
		r.last = at
	}
	if r.samples++; r.samples == 1 {
		r.distance, r.deviation = x, x
		return
	}
	off := x - r.distance
	was := r.regular()
	r.deviation += (min(off.Abs(), r.distance/2) - r.deviation) / smooth
	if r.close++; x >= r.distance/muchCloser {
		r.close = 0
	}
	switch {
	case r.close >= 2:
		r.distance /= 2
	case was: // one that is missing, or extra, does not change the others' beat
		r.distance += min(max(off, -r.distance/4), r.distance/4) / smooth
	default:
		r.distance += off / smooth
	}
}

// regular tells whether the binlogs come at almost the same distance.
func (r *rhythm) regular() bool {
	return r.samples > 2 && r.distance >= gatherLongest && r.deviation < r.distance/regular
}

// correct shortens the delay if the first poll for a binlog that was due has found it, and
// lengthens it if another one had to.
func (r *rhythm) correct(first bool) {
	step := min(r.distance/correction, correctionMost)
	if first {
		r.delay -= step
	} else {
		r.delay += tooShort * step
	}
}

// seen notes that the newest binlog was found at a time of this side's clock.
func (r *rhythm) seen(now time.Time) {
	if r.last.IsZero() {
		return
	}
	if d := now.Sub(r.last); !r.delayed || d < r.delay || d > r.delay+r.distance {
		r.delay, r.delayed = d, true // a shorter one is proof; a much longer one is another clock
	}
}

// next is when the next binlog should be looked for, zero if that is not known.
func (r *rhythm) next() time.Time {
	if !r.regular() || !r.delayed {
		return time.Time{}
	}
	return r.last.Add(r.distance + r.delay)
}
