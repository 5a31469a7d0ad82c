package workflows

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// noteDifferences notes what a shift has found the two sides to differ in. The job
// does nothing about it: that is for a person.
func (r *run) noteDifferences(found *[]job.Difference) {
	if found == nil {
		return
	}
	known := r.p.Differences
	news, gone := without(*found, known), without(known, *found)
	for _, d := range news {
		r.event(levelWarn, "source and destination differ in %s: %s", d.Table, oneLine(d.Text, eventLimit))
	}
	for _, d := range gone {
		r.event(levelInfo, "source and destination do not differ any more in %s: %s", d.Table, oneLine(d.Text, eventLimit))
	}
	r.p.Differences = *found
	if len(*found) == 0 {
		r.p.Differences = nil
	}
	switch {
	case len(news) > 0:
		r.notifyDifferences(job.NoticeDiffers, news)
	case len(gone) > 0 && len(*found) == 0:
		r.notifyDifferences(job.NoticeDiffersNot, gone)
	}
}

// without are the differences of a list that are not in another.
func without(list, other []job.Difference) (rest []job.Difference) {
	for _, d := range list {
		if !slices.ContainsFunc(other, d.Same) {
			rest = append(rest, d)
		}
	}
	return rest
}

// notifyDifferences puts a notice of differences into the queue.
func (r *run) notifyDifferences(event string, list []job.Difference) {
	if r.p.Told == nil || !r.version(changeDifferences) || !r.webhook() {
		return
	}
	var texts []string
	for _, d := range list {
		texts = append(texts, d.Table+": "+d.Text)
	}
	r.queueNotice(event, strings.Join(texts, "; "))
}

// noteComparing notes how a shift's comparing goes. If the shift does not compare any
// more, known differences are forgotten: nobody would notice their end.
func (r *run) noteComparing(c *job.Comparing) {
	if c == nil {
		return
	}
	r.p.Comparing = c
	if n := len(r.p.Differences); c.Off && n > 0 {
		r.event(levelWarn, "nobody compares source and destination any more (compare-every is 0): %d known differences are forgotten", n)
		r.p.Differences = nil
	}
}
