package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/compare"
)

// content compares the rows of all partitions.
func (v *verification) content(ctx context.Context, s *structure) error {
	var units []*unit
	for _, p := range s.pairs {
		v.result.Partitions++
		if was, ok := v.done[p.Source.ID]; ok && was.DestID == p.Destination.ID && was.SourceVersion == p.Source.VisibleVersion && was.DestVersion == p.Destination.VisibleVersion {
			v.result.SourceRows += was.Rows
			v.result.DestinationRows += was.Rows
			continue
		}
		delete(v.done, p.Source.ID)
		units = append(units, &unit{part: &part{pair: p}, bucket: whole})
	}
	var q question = checksum{v.hash, v.columnsOf}
	if v.in.Request.Method == job.VerifyCount {
		q = counting{}
	} else {
		var err error
		if units, err = v.byBuckets(ctx, s, units); err != nil {
			return err
		}
	}
	left := len(units)
	progress := func(chunk []*unit) {
		for _, u := range chunk {
			if u.outcome == equal {
				left--
				v.noteEqual(u)
			}
		}
		v.report("%d of %d partitions are equal, %d questions are left", len(v.done), v.result.Partitions, left)
	}
	if err := v.run(ctx, q, units, v.limits.tries, progress); err != nil {
		return err
	}
	if err := v.outcomes(ctx, s, q, units); err != nil || !v.in.Request.Replicas {
		return err
	}
	return v.replicas(ctx, s, q)
}

// noteEqual remembers a partition that is equal, for an attempt after this one.
func (v *verification) noteEqual(u *unit) {
	if u.bucket != whole {
		return
	}
	source, destination := u.last()
	v.done[u.pair.Source.ID] = job.VerifiedPartition{
		ID: u.pair.Source.ID, DestID: u.pair.Destination.ID,
		SourceVersion: source.version, DestVersion: destination.version, Rows: source.rows,
	}
}

// byBuckets counts the rows of the source, about, and makes a unit of each bucket
// of a large partition.
func (v *verification) byBuckets(ctx context.Context, s *structure, units []*unit) ([]*unit, error) {
	var all []*unit
	for chunk := range slices.Chunk(units, 4*atOnce) {
		got, err := v.ask(ctx, v.from, counting{}, chunk, nil)
		if err != nil {
			return nil, err
		}
		for i, u := range chunk {
			if u.rows = got.sums[i].rows; u.rows > largePartition && v.located(s, u) {
				all = append(all, v.buckets(u)...)
				continue
			}
			all = append(all, u)
		}
	}
	return all, nil
}

// located tells whether a bucket has the same rows on both sides.
func (v *verification) located(s *structure, u *unit) bool {
	return strings.Contains(s.source.Distribution, "HASH") && s.source.Distribution == s.destination.Distribution &&
		len(tablets(s.from, u.pair.Source)) == len(tablets(s.to, u.pair.Destination)) && len(tablets(s.from, u.pair.Source)) > 1
}

// buckets are the units of a partition's buckets.
func (v *verification) buckets(u *unit) []*unit {
	var units []*unit
	for i := range tablets(v.from.table, u.pair.Source) {
		units = append(units, &unit{part: u.part, bucket: i})
	}
	return units
}

// verdict is what is found of one partition.
type verdict struct {
	units   []*unit // the partition, or its buckets
	located []*unit // the buckets that were asked about, or units
	worst   outcome
	// asked are units whose columns are compared.
	asked []*unit
	job.VerifyDifference
}

// outcomes makes the table's result of those of its units. What is asked of several
// partitions is asked together.
func (v *verification) outcomes(ctx context.Context, s *structure, q question, units []*unit) error {
	var all []*verdict
	var buckets []*unit
	for len(units) > 0 {
		n := 1
		for n < len(units) && units[n].part == units[0].part {
			n++
		}
		f := v.verdict(s, units[:n])
		if all = append(all, f); f.located[0].bucket != f.units[0].bucket {
			buckets = append(buckets, f.located...)
		}
		units = units[n:]
	}
	if len(buckets) > 0 {
		v.report("looks at %d buckets", len(buckets))
		if err := v.run(ctx, q, buckets, v.limits.atBucket, nil); err != nil {
			return err
		}
	}
	for _, f := range all {
		if err := v.decide(ctx, q, f); err != nil {
			return err
		}
	}
	if err := v.details(ctx, all); err != nil {
		return err
	}
	for _, f := range all {
		switch f.worst {
		case busy:
			v.result.Busy = append(v.result.Busy, f.VerifyDifference)
		case different:
			v.result.Differences = append(v.result.Differences, f.VerifyDifference)
		}
	}
	return nil
}

// verdict begins with what the units of a partition say, and finds the buckets to ask
// about.
func (v *verification) verdict(s *structure, units []*unit) *verdict {
	first := units[0]
	f := &verdict{units: units, located: units, worst: worstOf(units)}
	f.Kind, f.Partition = kindContent, first.pair.Source.Name
	if f.worst != equal && first.bucket == whole && v.located(s, first) && (v.in.Request.Method != job.VerifyCount || f.worst == busy) {
		f.located = v.buckets(first)
	}
	return f
}

// decide finishes the verdict when its buckets have been asked about.
func (v *verification) decide(ctx context.Context, q question, f *verdict) error {
	f.SourceRows, f.DestinationRows = rowsOfAll(f.units)
	if f.located[0].bucket != f.units[0].bucket {
		var err error
		if f.worst, err = v.reconsider(ctx, q, f.units[0], f.worst, f.located); err != nil {
			return err
		}
		if ours, theirs := rowsOfAll(f.located); ours != 0 || theirs != 0 {
			f.SourceRows, f.DestinationRows = ours, theirs
		}
	}
	v.result.SourceRows += f.SourceRows
	v.result.DestinationRows += f.DestinationRows
	if f.worst == equal {
		return nil
	}
	for _, u := range f.located {
		if u.bucket != whole && (u.outcome == different || f.worst == busy && u.outcome == busy) {
			f.Buckets = append(f.Buckets, u.bucket)
		}
	}
	switch {
	case f.worst == busy:
		f.Text = compare.Limited(fmt.Sprintf("partition %s could not be compared: %s", f.Partition, obstaclesOf(f.located)))
	case f.SourceRows != f.DestinationRows:
		f.Kind = kindRows
		f.Text = fmt.Sprintf("partition %s: the source has %d rows, the destination %d", f.Partition, f.SourceRows, f.DestinationRows)
	default:
		f.Text = fmt.Sprintf("partition %s: both sides have %d rows, of different content", f.Partition, f.SourceRows)
	}
	return nil
}

// reconsider is the outcome of a partition by what is known of its buckets now. One
// that differed and whose buckets do not is asked again as a whole.
func (v *verification) reconsider(ctx context.Context, q question, u *unit, was outcome, buckets []*unit) (outcome, error) {
	now := worstOf(buckets)
	if was == busy || now != equal {
		if was == different {
			return different, nil
		}
		return now, nil
	}
	again := &unit{part: u.part, bucket: whole}
	err := v.run(ctx, q, []*unit{again}, v.limits.atBucket, nil)
	return again.outcome, err
}

func rowsOfAll(units []*unit) (source, destination int64) {
	for _, u := range units {
		ours, theirs := u.last()
		source, destination = source+ours.rows, destination+theirs.rows
	}
	return source, destination
}

// worstOf is the outcome of a partition by those of its buckets.
func worstOf(units []*unit) outcome {
	worst := equal
	for _, u := range units {
		if u.outcome == different {
			return different
		}
		if u.outcome == busy {
			worst = busy
		}
	}
	return worst
}

func obstaclesOf(units []*unit) string {
	for _, u := range units {
		if u.outcome == busy {
			return u.obstacles()
		}
	}
	return "nothing is known of it"
}

// differing are the buckets that differ, or the partition if that is all that is
// known.
func differing(units, located []*unit) []*unit {
	var list []*unit
	for _, u := range located {
		if u.outcome == different {
			list = append(list, u)
		}
	}
	if len(list) == 0 {
		return units
	}
	return list
}
