package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/replication/compare"
)

// A checksum belongs to a version of a partition: the version is read before and
// after it, by the frontend that answers the query, and has to be the same.
//
// Equal: the same content was read on both sides, whatever their versions are.
// Loads may have come in between; the destination had exactly what the source had.
//
// Different needs more, as the destination may just be behind:
//
//   - proven: the source's version did not move from its checksum until after the
//     destination's, and between the two the job had applied all that the source had
//     recorded, and all of it was visible. That has to be seen twice.
//   - by versions, for what is written all the time. Each load raises the version of a
//     partition by one on both sides, so that the versions of equal content are always
//     the same number apart. Usually that is 0: a restore gives a partition the
//     source's version. But somebody may have moved one side without the other. Bounds
//     of the number are seen whenever the job has caught up, however much is loaded
//     meanwhile (offset). The sides differ if for each number within them there are
//     checksums of two versions that far apart, and they differ.

// offset are bounds of how much higher the versions of the destination are than those
// of the source.
type offset struct {
	least, most       int64
	hasLeast, hasMost bool
}

// widest is how many numbers are tried: with more nobody would have the checksums.
const widest = 32

// observe narrows the bounds. The destination had version visible after all up to
// source version before had been applied, and version first before the source was at
// after.
func (o *offset) observe(before, visible, first, after int64) {
	if least := first - after; !o.hasLeast || least > o.least {
		o.least, o.hasLeast = least, true
	}
	if most := visible - before; !o.hasMost || most < o.most {
		o.most, o.hasMost = most, true
	}
	if o.least > o.most {
		*o = offset{} // the number has changed
	}
}

// known is the number if it is, else what it mostly is.
func (o *offset) known() int64 {
	if o.hasLeast && o.hasMost && o.least == o.most {
		return o.least
	}
	return 0
}

// part is a partition on both sides.
type part struct {
	pair   compare.PartitionPair
	offset offset
	rows   int64 // of the source, about
}

// whole is the bucket of a unit that is a whole partition.
const whole = -1

// unit is what one checksum is about: a partition, or one bucket of it.
type unit struct {
	*part
	bucket int

	source, destination []sample // the newest last
	seen                []sighting
	outcome             outcome
	// tries, moved, behind count what was in the way of an answer; refused is the last
	// refusal of a query.
	tries, moved, behind, refusals int
	refused                        string
	writtenAt                      int  // the last try counted in moved
	late                           bool // the job was behind at the last try
	holds                          int  // how often its partition was held back
	// took is how long the last query of each side took that was about it.
	took struct{ source, destination time.Duration }
}

type outcome int

const (
	open outcome = iota
	equal
	different
	busy
)

// sample is a content with its version.
type sample struct {
	version int64
	sums
}

// sighting are two samples that are equal, or must be and are not.
type sighting struct{ source, destination sample }

// remembered is how many samples of a side a unit keeps.
const remembered = 16

// remember adds a sample. It takes the place of one of the same version: a restore
// gives a partition other rows under the version that it may have had.
func remember(list []sample, s sample) []sample {
	list = slices.DeleteFunc(slices.Clone(list), func(was sample) bool { return was.version == s.version })
	if len(list) >= remembered {
		list = list[1:]
	}
	return append(list, s)
}

// hear takes the i-th answer of a side's reply.
func (u *unit) hear(r reply, i int, source bool) {
	list, took := &u.destination, &u.took.destination
	if source {
		list, took = &u.source, &u.took.source
	}
	*took = r.took
	if r.version[i] != 0 {
		*list = remember(*list, sample{r.version[i], r.sums[i]})
	}
}

// written notes that a write was in the way, once a try.
func (u *unit) written() {
	if u.writtenAt != u.tries {
		u.moved++
		u.writtenAt = u.tries
	}
}

// latest is the newest sample of a side.
func latest(list []sample) (sample, bool) {
	if len(list) == 0 {
		return sample{}, false
	}
	return list[len(list)-1], true
}

// look draws what can be said without asking the job.
func (u *unit) look() {
	for _, s := range u.source {
		for _, d := range u.destination {
			if s.equal(d.sums) {
				u.outcome = equal
				u.seen = []sighting{{s, d}}
				return
			}
		}
	}
	if s, d, ok := u.differByVersions(); ok {
		u.seen = append(u.seen, sighting{s, d})
		u.outcome = different
	}
}

// differByVersions tells whether there are differing samples for each number that the
// versions may be apart, of at least two versions. No two samples are equal.
func (u *unit) differByVersions() (source, destination sample, ok bool) {
	o := u.offset
	if !o.hasLeast || !o.hasMost || o.most-o.least >= widest {
		return sample{}, sample{}, false
	}
	apart, versions := map[int64]bool{}, map[int64]bool{}
	for _, s := range u.source {
		for _, d := range u.destination {
			if k := d.version - s.version; k >= o.least && k <= o.most {
				apart[k], versions[s.version] = true, true
				source, destination = s, d
			}
		}
	}
	return source, destination, int64(len(apart)) == o.most-o.least+1 && len(versions) >= 2
}

// prove notes a difference of two samples that must be equal.
func (u *unit) prove(s, d sample) {
	if u.seen = append(u.seen, sighting{s, d}); len(u.seen) >= 2 {
		u.outcome = different
	}
}

// last are the newest samples that say what the outcome is.
func (u *unit) last() (s, d sample) {
	if n := len(u.seen); n > 0 {
		return u.seen[n-1].source, u.seen[n-1].destination
	}
	s, _ = latest(u.source)
	d, _ = latest(u.destination)
	return s, d
}

// obstacles say what was in the way of an answer.
func (u *unit) obstacles() string {
	var texts []string
	if u.refused != "" {
		texts = append(texts, u.refused)
	}
	if u.moved > 0 {
		texts = append(texts, fmt.Sprintf("it was written during %d of %d tries", u.moved, u.tries))
	}
	if u.behind > 0 {
		texts = append(texts, fmt.Sprintf("the job had not applied all of it in %d", u.behind))
	}
	for _, s := range u.seen {
		texts = append(texts, fmt.Sprintf("source version %d (%d rows) and destination version %d (%d rows) had different content once", s.source.version, s.source.rows, s.destination.version, s.destination.rows))
		break
	}
	if len(texts) == 0 {
		return fmt.Sprintf("no answer in %d tries", u.tries)
	}
	return strings.Join(texts, "; ")
}
