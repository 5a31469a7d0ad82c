package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/compare"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/schema"
)

// Kinds of differences.
const (
	kindObjects    = "objects"
	kindDefinition = "definition"
	kindPartitions = "partitions"
	kindBuckets    = "buckets"
	kindIndexes    = "indexes"
	kindRollups    = "rollups"
	kindRows       = "rows"
	kindContent    = "content"
	kindReplicas   = "replicas"
)

// structure is what a table is on both sides, without its rows.
type structure struct {
	from, to    *meta.Table // nil: it is not there
	source      schema.Definition
	destination schema.Definition
	keys        []string // names of the key columns
	hidden      []string // hidden columns of both sides
	pairs       []compare.PartitionPair
	missing     []*meta.Partition // wanted ones that only the source has
	hasRollups  bool
	differences []job.VerifyDifference
}

func (s *structure) differ(d job.VerifyDifference, format string, args ...any) {
	d.Text = compare.Limited(fmt.Sprintf(format, args...))
	s.differences = append(s.differences, d)
}

// identity is equal for two looks at the same table.
func (s *structure) identity() string {
	var ids [2]int64
	for i, t := range []*meta.Table{s.from, s.to} {
		if t != nil {
			ids[i] = t.ID
		}
	}
	return fmt.Sprint(ids, s.source.Columns, s.source.Keys, s.source.Distribution, s.source.Query, s.hidden,
		s.destination.Columns, s.destination.Keys, s.destination.Distribution, s.destination.Query)
}

// digest is a short form of identity.
func (s *structure) digest() string {
	sum := sha256.Sum256([]byte(s.identity()))
	return hex.EncodeToString(sum[:8])
}

// structure looks at a table, and what differs at this moment.
func (v *verification) structure(ctx context.Context, known job.Table) (*structure, error) {
	s := &structure{}
	var err error
	if s.from, s.to, err = v.job.compare.BothSides(ctx, v.in.Target.ID, known.DestID); err != nil {
		return nil, err
	}
	if s.from == nil || s.to == nil {
		s.absent(known)
		if s.from != nil {
			s.missing = slices.DeleteFunc(slices.Clone(s.from.Partitions), func(p *meta.Partition) bool { return !v.wanted(p.Name) })
		}
		return s, nil
	}
	if s.from.Name != known.Name && v.job.Spec.Type() == job.DatabaseSync {
		s.differ(job.VerifyDifference{Kind: kindObjects}, "the source's table %s (id %d) is known as %s", s.from.Name, s.from.ID, known.Name)
	} else if want := v.job.DestinationName(s.from.Name); s.to.Name != want {
		s.differ(job.VerifyDifference{Kind: kindObjects}, "the destination's table is called %s instead of %s", s.to.Name, want)
	}
	if err := v.definitions(ctx, s, s.from.Name, s.to.Name); err != nil {
		return nil, err
	}
	if err := v.columns(ctx, s); err != nil {
		return nil, err
	}
	if err := v.rollups(ctx, s); err != nil {
		return nil, err
	}
	return s, v.partitions(ctx, s)
}

func (s *structure) absent(known job.Table) {
	if s.from == nil {
		s.differ(job.VerifyDifference{Kind: kindObjects}, "the source does not have the table %s", known.Name)
	}
	if s.to == nil {
		s.differ(job.VerifyDifference{Kind: kindObjects}, "the destination does not have the table (id %d)", known.DestID)
	}
}

// definitions compares what SHOW CREATE prints.
func (v *verification) definitions(ctx context.Context, s *structure, source, destination string) error {
	var err error
	if s.source, err = compare.Definition(v.job.Source, ctx, source); err != nil {
		return err
	}
	if s.destination, err = compare.Definition(v.job.Destination, ctx, destination); err != nil {
		return err
	}
	for _, d := range s.source.Differences(s.destination) {
		switch d.Part {
		case schema.PartIndexes:
			s.differ(job.VerifyDifference{Kind: kindIndexes}, "source and destination: %s", d.Text)
		case schema.PartPartitions:
			if s.source.Partitioning == s.destination.Partitioning {
				continue // by their ranges: partitions
			}
			fallthrough
		default:
			s.differ(job.VerifyDifference{Kind: kindDefinition}, "source and destination differ in %s", d)
		}
	}
	return nil
}

// columns finds out which are keys, and which hidden ones both sides have.
func (v *verification) columns(ctx context.Context, s *structure) error {
	list, err := v.job.Source.SQL.Columns(ctx, v.job.Spec.Source.Database, s.from.Name)
	if err != nil {
		return fmt.Errorf("read the columns of source table %s: %w", s.from.Name, err)
	}
	for _, c := range list {
		if c.Key {
			s.keys = append(s.keys, c.Name)
		}
	}
	ours, err := v.job.Source.SQL.HiddenColumns(ctx, v.job.Spec.Source.Database, s.from.Name)
	if err != nil {
		return fmt.Errorf("read the hidden columns of source table %s: %w", s.from.Name, err)
	}
	theirs, err := v.job.Destination.SQL.HiddenColumns(ctx, v.job.Spec.Destination.Database, s.to.Name)
	if err != nil {
		return fmt.Errorf("read the hidden columns of destination table %s: %w", s.to.Name, err)
	}
	for _, name := range ours {
		if slices.Contains(theirs, name) {
			s.hidden = append(s.hidden, name)
		}
	}
	if slices.Contains(ours, sequenceColumn) != slices.Contains(theirs, sequenceColumn) {
		s.differ(job.VerifyDifference{Kind: kindDefinition}, "only one side has a sequence column")
	}
	return nil
}

// rollups compares rollups and synchronous materialized views with their columns.
func (v *verification) rollups(ctx context.Context, s *structure) error {
	var texts [2]map[string]string
	for i, c := range []*pair.Cluster{v.job.Source, v.job.Destination} {
		table := []string{s.from.Name, s.to.Name}[i]
		columns, err := c.SQL.IndexColumns(ctx, c.Spec.Database, table)
		if err != nil {
			return fmt.Errorf("look at the rollups of %s table %s: %w", c.Side, table, err)
		}
		delete(columns, table)
		s.hasRollups = s.hasRollups || len(columns) > 0
		texts[i] = map[string]string{}
		for name, of := range columns {
			texts[i][name] = strings.Join(of, ", ")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(texts[0])) {
		there, ok := texts[1][name]
		switch {
		case !ok:
			s.differ(job.VerifyDifference{Kind: kindRollups}, "the destination does not have the rollup %s", name)
		case there != texts[0][name]:
			s.differ(job.VerifyDifference{Kind: kindRollups}, "rollup %s has the columns %s on the source, %s on the destination", name, texts[0][name], there)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(texts[1])) {
		if _, ok := texts[0][name]; !ok {
			s.differ(job.VerifyDifference{Kind: kindRollups}, "only the destination has the rollup %s", name)
		}
	}
	return nil
}

// wanted tells whether a partition with that name on the source was asked for.
func (v *verification) wanted(name string) bool {
	return len(v.in.Request.Partitions) == 0 || slices.Contains(v.in.Request.Partitions, name)
}

// partitions pairs them, and compares their names and numbers of buckets.
func (v *verification) partitions(ctx context.Context, s *structure) error {
	pairing, err := v.job.compare.PairPartitions(ctx, s.from, s.to)
	if err != nil {
		return err
	}
	for _, p := range pairing.OnlySource {
		if v.wanted(p.Name) {
			s.missing = append(s.missing, p)
			s.differ(job.VerifyDifference{Kind: kindPartitions, Partition: p.Name}, "the destination does not have the partition %s (%s)", p.Name, p.Key)
		}
	}
	for _, p := range pairing.OnlyDestination {
		if v.wanted(p.Name) {
			s.differ(job.VerifyDifference{Kind: kindPartitions, Partition: p.Name}, "only the destination has the partition %s (%s)", p.Name, p.Key)
		}
	}
	s.pairs = slices.SortedFunc(maps.Values(pairing.Pairs), func(a, b compare.PartitionPair) int { return cmp.Compare(a.Source.Name, b.Source.Name) })
	s.pairs = slices.DeleteFunc(s.pairs, func(p compare.PartitionPair) bool { return !v.wanted(p.Source.Name) })
	for _, p := range s.pairs {
		if p.Source.Key != "" && p.Source.Name != p.Destination.Name {
			s.differ(job.VerifyDifference{Kind: kindPartitions, Partition: p.Source.Name}, "partition %s is called %s on the destination", p.Source.Name, p.Destination.Name)
		}
		ours, theirs := len(tablets(s.from, p.Source)), len(tablets(s.to, p.Destination))
		if ours != theirs {
			s.differ(job.VerifyDifference{Kind: kindBuckets, Partition: p.Source.Name}, "partition %s has %d buckets on the source, %d on the destination", p.Source.Name, ours, theirs)
		}
	}
	return nil
}

// confirmed looks at the structure until what differs is certain: it was the same
// after the job had caught up, or nothing differs any more. Differences that stay
// uncertain are told as busy.
func (v *verification) confirmed(ctx context.Context, known job.Table, look func(context.Context, job.Table) (*structure, error)) (s *structure, uncertain []job.VerifyDifference, err error) {
	if s, err = look(ctx, known); err != nil {
		return nil, nil, err
	}
	pause := v.limits.pause
	for try := 1; len(s.differences) > 0; try++ {
		caughtUp, err := v.caughtUp(ctx)
		if err != nil {
			return nil, nil, err
		}
		if err := v.sameJob(ctx, known); err != nil {
			return nil, nil, err
		}
		again, err := look(ctx, known)
		if err != nil {
			return nil, nil, err
		}
		if caughtUp && again.identity() == s.identity() {
			again.differences = slices.DeleteFunc(again.differences, func(d job.VerifyDifference) bool {
				return !slices.ContainsFunc(s.differences, func(b job.VerifyDifference) bool {
					return b.Kind == d.Kind && b.Partition == d.Partition && b.Text == d.Text
				})
			})
			return again, nil, nil
		}
		if s = again; try >= v.triesOf(v.limits.tries) {
			uncertain, s.differences = s.differences, nil
			for i := range uncertain {
				uncertain[i].Text += "; but the job had not applied all that its source had recorded"
			}
			return s, uncertain, nil
		}
		if !pair.Sleep(ctx, pause) {
			return nil, nil, ctx.Err()
		}
		pause = min(pause+pause/2, v.limits.longest)
	}
	return s, nil, nil
}

// sameJob makes sure that the job still has for the table what it had.
func (v *verification) sameJob(ctx context.Context, known job.Table) error {
	if v.hooks.Input == nil {
		return nil
	}
	in, err := v.hooks.Input(ctx)
	if err != nil {
		return fmt.Errorf("ask the job for the table: %w", err)
	}
	_, had := v.input.Progress.Tables[v.in.Target.ID]
	now, there := in.Progress.Tables[v.in.Target.ID]
	v.input = in
	if !had && !there {
		return nil // what the job does not have (stranger)
	}
	if !had || !there || now.DestID != known.DestID || now.Name != known.Name {
		return errMoved
	}
	return nil
}
