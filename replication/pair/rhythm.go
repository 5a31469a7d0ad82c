package pair

import (
	"math/bits"
	"slices"
	"time"
)

// rhythm is what is known of when a source's binlogs come. Distances are taken from the
// times that the source gives to them, for polls find them later, by varying times.
type rhythm struct {
	last      time.Time     // the source's time of the newest binlog
	distance  time.Duration // smoothed distance of two
	deviation time.Duration // smoothed deviation of those of a rhythm from when they were expected
	samples   int           // distances since the last pause
	close     int           // so many in a row came much closer to each other than usual
	recent    [remembered]time.Duration
	at        int    // in recent
	inTime    uint16 // a bit for each of the last ones, the newest lowest: it came when it was expected

	// beat is when the newest binlog was expected, of a source whose clock gives the
	// beat: one that comes late there does not delay those that follow. Who waits for
	// its own last load before the next distance begins has no beat: each that is late
	// delays all others. Which of them it is shows when one comes late, and then both
	// moments count.
	beat    time.Time
	astray  int // so many in a row came off the beat
	beating bool

	// delay is how long after a binlog's time, by the source's clock, it is looked for here:
	// a time in which most can be read, the difference of the two clocks included.
	delay   time.Duration
	delayed bool          // delay is set
	unsure  time.Duration // the delay may be shorter by that: it comes from a poll that was late
	enough  int           // so many in a row were found at once
}

const (
	// longestDistance is what counts as a distance of binlogs: what is longer is a pause,
	// of which nothing is learned.
	longestDistance = 2 * time.Second
	// remembered is how many of the last distances are.
	remembered = 16
	// smooth is the weight of what was before when a distance is taken in.
	smooth = 8
	// muchCloser is the fraction of the distance that counts as much closer. Two such in a
	// row, and the source has become quick: a burst must not wait for what was before it.
	muchCloser = 4
	// inTimeWithin is how far from when it was expected a binlog is in time, as a fraction of
	// the distance. In a rhythm missedMost of those that are remembered may not be.
	inTimeWithin = 10
	missedMost   = 3
	// aRhythm is how many distances make a rhythm.
	aRhythm = 3
	// offTheBeat is the fraction of the distance that is too far from a beat to belong to
	// it. Two such in a row, and there is another beat.
	offTheBeat = 4
	// a beat follows what is met by the fraction beatFollows, the distance by
	// distanceFollows, and one binlog moves neither by more than the distance's fraction
	// beatMost of it.
	beatFollows     = 4
	distanceFollows = 64
	beatMost        = 16
	// twoMoments is how far apart the two moments of the next binlog are, as a fraction of
	// the distance, that are told apart.
	twoMoments = 12
	// corrections of the delay are a fraction of the deviation, within limits. One
	// that was too short costs a second poll and counts for eleven that were long enough.
	correction      = 8
	correctionLeast = 100 * time.Microsecond
	correctionMost  = time.Millisecond
	tooShort        = 11
	// tooLong is after how many of the latter the corrections grow.
	tooLong = 8
	// unsureLeast is what corrections are left to.
	unsureLeast = 5 * time.Millisecond
)

// known tells whether the distance is.
func (r *rhythm) known() bool { return r.distance > 0 }

// fresh tells that a pause was just before the last few binlogs, which may begin a
// rhythm, or were in one before the pause.
func (r *rhythm) fresh() bool {
	return r.samples < aRhythm && (r.samples > 0 || r.steady())
}

// alone tells that the newest binlog has come after a pause and no other since.
func (r *rhythm) alone() bool { return r.samples == 0 }

// met takes in that a binlog has this time.
func (r *rhythm) met(at time.Time) {
	if r.last.IsZero() || r.last.Sub(at) > longestDistance { // the clock was set back
		r.last, r.beating = at, false
		return
	}
	x := max(at.Sub(r.last), 0)
	if at.After(r.last) {
		r.last = at
	}
	if x > longestDistance {
		r.pause()
		return
	}
	r.recent[r.at] = x
	r.at = (r.at + 1) % remembered
	if r.samples++; r.samples == 1 && !r.resumes(x) {
		r.distance, r.inTime, r.close = max(x, time.Millisecond), 1, 0
		r.deviation = r.distance / inTimeWithin
		r.beat, r.beating = at, true
		return
	}
	off, was := r.follow(at, x).Abs(), r.regular()
	r.inTime <<= 1
	if within := r.distance / inTimeWithin; off < within {
		r.inTime |= 1
		r.deviation += (off - r.deviation) / smooth
	}
	if r.close++; x >= r.distance/muchCloser {
		r.close = 0
	}
	switch {
	case r.close >= 2:
		r.distance = max(r.distance/2, time.Millisecond)
	case !was:
		r.distance += (x - r.distance) / smooth
	}
}

// pause notes that nothing has come for long.
func (r *rhythm) pause() {
	if !r.known() {
		r.distance = longestDistance
	}
	r.samples, r.close, r.beating = 0, 0, false
}

// resumes tells whether the first distance after a pause is that of the rhythm before.
func (r *rhythm) resumes(x time.Duration) bool {
	if !r.steady() || (x-r.distance).Abs() > r.distance/offTheBeat {
		return false
	}
	r.samples = aRhythm
	return true
}

// follow moves the beat, and the distance of a regular one, by a binlog that came at a
// time, x after the one before. It returns how far that was from when it was expected.
func (r *rhythm) follow(at time.Time, x time.Duration) time.Duration {
	off := x - r.distance
	if !r.beating {
		r.beat, r.beating, r.astray = at, true, 0
		return off
	}
	expected := r.beat.Add(r.distance)
	expected = expected.Add(at.Sub(expected).Round(r.distance)) // some may be missing, or one be extra
	e := at.Sub(expected)
	r.beat = expected
	if e.Abs() > r.distance/offTheBeat {
		if r.astray++; r.astray >= 2 {
			r.beat, r.astray = at, 0
		}
		return nearer(e, off)
	}
	r.astray = 0
	most := r.distance / beatMost
	bounded := min(max(e, -most), most)
	r.beat = expected.Add(bounded / beatFollows)
	if r.regular() {
		r.distance += bounded / distanceFollows
	}
	return nearer(e, off)
}

// nearer is the smaller one of two deviations.
func nearer(a, b time.Duration) time.Duration {
	if a.Abs() < b.Abs() {
		return a
	}
	return b
}

// regular tells whether the binlogs come at almost the same distance.
func (r *rhythm) regular() bool {
	return r.samples >= aRhythm && r.distance >= gatherLongest && r.steady()
}

// steady tells whether nearly all of the last ones came when they were expected. Of the
// first few all must have.
func (r *rhythm) steady() bool {
	if r.samples > 0 && r.samples < remembered {
		n := bits.OnesCount16(r.inTime & (1<<r.samples - 1))
		return n >= r.samples-r.samples*missedMost/remembered
	}
	return bits.OnesCount16(r.inTime) >= remembered-missedMost
}

// soonest is how soon after one the next binlog may come, by the last distances: before
// it none has, with some reserve.
func (r *rhythm) soonest() time.Duration {
	if r.samples < remembered {
		return 0
	}
	return slices.Min(r.recent[:]) * 3 / 4
}

// correct shortens the delay if the first poll for a binlog that was due has found it, and
// lengthens it if another one had to.
func (r *rhythm) correct(first bool) {
	step := min(max(r.deviation/correction, correctionLeast), correctionMost)
	switch {
	case r.unsure > unsureLeast && first:
		r.unsure /= 2
		r.delay -= r.unsure
	case first:
		r.enough++
		r.delay -= min(step*time.Duration(max(1, r.enough/tooLong)), correctionMost)
	case r.unsure > unsureLeast:
		r.delay, r.unsure = r.delay+r.unsure, 0
	default:
		r.delay, r.enough = r.delay+tooShort*step, 0
	}
}

// seen notes that the newest binlog was found at a time of this side's clock, and not by
// a poll that long before.
func (r *rhythm) seen(now time.Time, since time.Duration) {
	if r.last.IsZero() {
		return
	}
	switch d := now.Sub(r.last); {
	case !r.delayed || d-since > r.delay+r.distance: // what is not there for much longer has another clock
		r.delay, r.delayed, r.unsure = d, true, min(since, r.distance)
	case d < r.delay: // that is proof
		r.delay = d
	}
}

// next is when the next binlog should be looked for, at one or two moments; none if that
// is not known.
func (r *rhythm) next() []time.Time {
	if !r.regular() || !r.delayed {
		return nil
	}
	one, other := r.beat.Add(r.distance+r.delay), r.last.Add(r.distance+r.delay)
	switch apart := other.Sub(one); {
	case !r.beating:
		return []time.Time{other}
	case apart.Abs() < r.distance/twoMoments:
		return []time.Time{one}
	case apart > 0:
		return []time.Time{one, other}
	}
	return []time.Time{other, one}
}
