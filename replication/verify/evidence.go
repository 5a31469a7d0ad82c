package verify

import (
	"fmt"
	"slices"
	"strings"

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
//     recorded, and all of it was visible;
//   - by version: both checksums are for the same version. A restore gives a
//     partition the source's version and each load raises it by one on both sides, so
//     both must be the same, unless something has moved the one without the other.
//     Whether something has is seen whenever the job has caught up (part.misaligned).
//
// And it has to be seen twice, by version at two versions.

// part is a partition on both sides.
type part struct {
	pair compare.PartitionPair
	// misaligned: equal versions do not mean equal content.
	misaligned bool
	rows       int64 // of the source, about
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
	tries, moved, behind int
	refused              string
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

// sighting is a difference that was seen once.
type sighting struct {
	source, destination sample
	proven              bool
}

// remembered is how many samples of a side a unit keeps.
const remembered = 8

// remember adds a sample. It takes the place of one of the same version: a restore
// gives a partition other rows under the version that it may have had.
func remember(list []sample, s sample) []sample {
	list = slices.DeleteFunc(slices.Clone(list), func(was sample) bool { return was.version == s.version })
	if len(list) >= remembered {
		list = list[1:]
	}
	return append(list, s)
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
				u.seen = []sighting{{source: s, destination: d}}
				return
			}
		}
	}
	for _, s := range u.source {
		for _, d := range u.destination {
			if s.version == d.version && !u.sawVersion(s.version) {
				u.seen = append(u.seen, sighting{source: s, destination: d})
			}
		}
	}
	u.conclude()
}

// sawVersion tells whether the sides were seen to differ at a version already.
func (u *unit) sawVersion(version int64) bool {
	for _, s := range u.seen {
		if !s.proven && s.source.version == version {
			return true
		}
	}
	return false
}

// prove notes a difference of two samples of which the destination's must be equal.
func (u *unit) prove(s, d sample) {
	u.seen = append(u.seen, sighting{source: s, destination: d, proven: true})
	u.conclude()
}

// conclude decides that the unit is different if that was seen twice: a version
// counts once.
func (u *unit) conclude() {
	times := 0
	proven := map[int64]bool{}
	for _, s := range u.seen {
		if s.proven {
			times++
			proven[s.source.version] = true
		}
	}
	for _, s := range u.seen {
		if !s.proven && !u.misaligned && !proven[s.source.version] {
			times++
		}
	}
	if times >= 2 {
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
		texts = append(texts, fmt.Sprintf("once source version %d (%d rows) and destination version %d (%d rows) had different content", s.source.version, s.source.rows, s.destination.version, s.destination.rows))
		break
	}
	if len(texts) == 0 {
		return fmt.Sprintf("no answer in %d tries", u.tries)
	}
	return strings.Join(texts, "; ")
}
