package compare

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/schema"
)

// How one table compares on both sides, by questions that cost little. When to
// ask is stream/survey.go's.

// VersionPair is the version of a partition on both sides. Another partition may
// have the same versions: ID is the destination's.
type VersionPair struct{ Source, Destination, ID int64 }

// Comparison is what was found of one table or view.
type Comparison struct {
	// Table is what it is called on the source.
	Table       string
	Differences []job.Difference
	// Versions are those of its partitions, by source id; what was found is true
	// of them.
	Versions map[int64]VersionPair
	// Counted are the partitions that have the same number of rows on both sides.
	Counted map[int64]VersionPair
	// Moved: a load or change came in between. Nothing is known then.
	Moved bool
}

// Differ adds a difference.
func (c *Comparison) Differ(kind job.DifferenceKind, format string, args ...any) {
	c.Differences = append(c.Differences, job.Difference{Table: c.Table, Kind: kind, Text: Limited(fmt.Sprintf(format, args...))})
}

// differenceLimit bounds the text of one difference, in bytes.
const differenceLimit = 300

// Limited cuts a text to what a difference may have, between characters.
func Limited(text string) string {
	if len(text) <= differenceLimit {
		return text
	}
	return strings.ToValidUTF8(text[:differenceLimit], "") + "..."
}

// What says what to compare of a table beyond its being there.
type What struct {
	// Rows: also how many there are. Only a table that nobody writes has an answer.
	Rows bool
	// Busy: they are not counted because it is written.
	Busy bool
	// Counted are the partitions that need not be counted again while both sides
	// have these versions.
	Counted map[int64]VersionPair
}

// CompareTable compares a table of the source with what the job has of it.
func (j *Job) CompareTable(ctx context.Context, id int64, known job.Table, what What) (Comparison, error) {
	c := Comparison{Table: known.Name, Versions: map[int64]VersionPair{}, Counted: map[int64]VersionPair{}}
	from, to, err := j.BothSides(ctx, id, known.DestID)
	switch {
	case err != nil:
		return c, err
	case from == nil && to == nil:
		return c, nil
	case from == nil:
		c.Differ(job.DifferentObjects, "the source does not have the table (id %d) any more", id)
		return c, nil
	case to == nil:
		c.Differ(job.DifferentObjects, "the destination does not have the table (id %d) any more", known.DestID)
		return c, nil
	}
	c.Table = from.Name
	if from.Name != known.Name && j.Spec.Type() == job.DatabaseSync {
		c.Differ(job.DifferentObjects, "the source's table %s (id %d) is known as %s", from.Name, id, known.Name)
		return c, nil
	}
	if err := j.compareDefinitions(ctx, &c, from.Name, to.Name); err != nil {
		return c, err
	}
	pairs, err := j.pairPartitions(ctx, &c, from, to)
	if err != nil {
		return c, err
	}
	if what.Rows {
		if err := j.compareRows(ctx, &c, from, to, pairs, what.Counted); err != nil {
			return c, err
		}
	}
	if len(c.Differences) == 0 && !what.Rows {
		return c, nil
	}
	from, to, err = j.BothSides(ctx, id, known.DestID)
	if err != nil {
		return c, err
	}
	c.Moved = from == nil || to == nil || !maps.Equal(c.Versions, versionsOf(from, to, pairs))
	return c, nil
}

// BothSides reads the metadata of a table on both sides.
func (j *Job) BothSides(ctx context.Context, source, destination int64) (from, to *meta.Table, err error) {
	if from, _, err = j.Source.TableByID(ctx, source); err != nil {
		return nil, nil, err
	}
	to, _, err = j.Destination.TableByID(ctx, destination)
	return from, to, err
}

// compareDefinitions compares what SHOW CREATE and DESC print.
func (j *Job) compareDefinitions(ctx context.Context, c *Comparison, source, destination string) error {
	from, err := Definition(j.Source, ctx, source)
	if err != nil {
		return err
	}
	to, err := Definition(j.Destination, ctx, destination)
	if err != nil {
		return err
	}
	if differences := from.Differences(to); len(differences) > 0 {
		c.Differ(job.DifferentDefinition, "source and destination differ in %s", schema.InWords(differences))
	}
	if from.View {
		return nil
	}
	ours, err := rollups(j.Source, ctx, source)
	if err != nil {
		return err
	}
	theirs, err := rollups(j.Destination, ctx, destination)
	if err != nil {
		return err
	}
	if !slices.Equal(ours, theirs) {
		c.Differ(job.DifferentDefinition, "the source has the rollups %v, the destination %v", ours, theirs)
	}
	return nil
}

// Definition reads what a table or view is.
func Definition(c *pair.Cluster, ctx context.Context, name string) (schema.Definition, error) {
	text, err := c.SQL.CreateTableText(ctx, c.Spec.Database, name)
	if err != nil {
		return schema.Definition{}, fmt.Errorf("look at the definition of %s table %s: %w", c.Side, name, err)
	}
	return schema.ParseDefinition(text, c.Spec.Database)
}

// rollups are the rollups and synchronous materialized views of a table, sorted.
func rollups(c *pair.Cluster, ctx context.Context, table string) ([]string, error) {
	names, err := c.SQL.Rollups(ctx, c.Spec.Database, table)
	if err != nil {
		return nil, fmt.Errorf("look at the rollups of %s table %s: %w", c.Side, table, err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == table })
	slices.Sort(names)
	return names, nil
}

// PartitionPair is a partition on both sides.
type PartitionPair struct{ Source, Destination *meta.Partition }

// Pairing are the formal partitions of a table: those with the same range on both
// sides by source id, and those that only one side has.
type Pairing struct {
	Pairs                       map[int64]PartitionPair
	OnlySource, OnlyDestination []*meta.Partition
}

// PairPartitions finds the partitions of the same range. Temporary ones, which
// only the source has, may look like others (doris-binlogs.md 1.8): whether one is
// a formal one its listing tells.
func (j *Job) PairPartitions(ctx context.Context, from, to *meta.Table) (Pairing, error) {
	there := map[string]*meta.Partition{}
	for _, p := range to.Partitions {
		if !p.Temporary {
			there[p.Key] = p
		}
	}
	ranges := map[string]int{}
	for _, p := range from.Partitions {
		ranges[p.Key]++
	}
	var formal []string
	if len(ranges) != len(from.Partitions) || len(there) != len(from.Partitions) {
		var err error
		if formal, err = j.Source.SQL.Partitions(ctx, j.Spec.Source.Database, from.Name); err != nil {
			return Pairing{}, fmt.Errorf("list the partitions of source table %s: %w", from.Name, err)
		}
	}
	found := Pairing{Pairs: map[int64]PartitionPair{}}
	for _, p := range from.Partitions {
		switch other := there[p.Key]; {
		case p.Temporary || formal != nil && !slices.Contains(formal, p.Name):
		case other == nil:
			found.OnlySource = append(found.OnlySource, p)
		default:
			found.Pairs[p.ID] = PartitionPair{p, other}
			delete(there, p.Key)
		}
	}
	found.OnlyDestination = slices.SortedFunc(maps.Values(there), func(a, b *meta.Partition) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// pairPartitions pairs the partitions, and tells of those that one side lacks.
func (j *Job) pairPartitions(ctx context.Context, c *Comparison, from, to *meta.Table) (map[int64]PartitionPair, error) {
	found, err := j.PairPartitions(ctx, from, to)
	if err != nil {
		return nil, err
	}
	for _, p := range found.OnlySource {
		c.Differ(job.DifferentPartitions, "the destination does not have the partition %s", p.Name)
	}
	for _, p := range found.OnlyDestination {
		c.Differ(job.DifferentPartitions, "only the destination has the partition %s", p.Name)
	}
	for id, pair := range found.Pairs {
		c.Versions[id] = VersionPair{pair.Source.VisibleVersion, pair.Destination.VisibleVersion, pair.Destination.ID}
	}
	return found.Pairs, nil
}

// versionsOf are the versions that the pairs have by now.
func versionsOf(from, to *meta.Table, pairs map[int64]PartitionPair) map[int64]VersionPair {
	versions := map[int64]VersionPair{}
	for id, pair := range pairs {
		source, destination := from.PartitionByID(id), to.PartitionByID(pair.Destination.ID)
		if source != nil && destination != nil {
			versions[id] = VersionPair{source.VisibleVersion, destination.VisibleVersion, destination.ID}
		}
	}
	return versions
}

const (
	// countAtOnce is how many partitions one statement counts.
	countAtOnce = 50
	// countTimeout bounds one statement that counts.
	countTimeout = time.Minute
)

// compareRows counts the rows of the partitions that have changed since they were
// counted. The numbers that SHOW PARTITIONS has are reports of the backends,
// minutes old and of no version: they prove nothing.
func (j *Job) compareRows(ctx context.Context, c *Comparison, from, to *meta.Table, pairs map[int64]PartitionPair, counted map[int64]VersionPair) error {
	var ids []int64
	for id := range pairs {
		if was, ok := counted[id]; ok && was == c.Versions[id] {
			c.Counted[id] = was
		} else {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, countAtOnce) {
		var here, there []string
		for _, id := range chunk {
			here, there = append(here, pairs[id].Source.Name), append(there, pairs[id].Destination.Name)
		}
		ours, err := countRows(j.Source, ctx, from, here)
		if err != nil {
			return err
		}
		theirs, err := countRows(j.Destination, ctx, to, there)
		if err != nil {
			return err
		}
		for i, id := range chunk {
			if ours[i] == theirs[i] {
				c.Counted[id] = c.Versions[id]
				continue
			}
			c.Differ(job.DifferentRows, "%sthe source has %d rows, the destination %d", inPartition(from, here[i]), ours[i], theirs[i])
		}
	}
	return nil
}

func inPartition(t *meta.Table, partition string) string {
	if t.Name == partition {
		return ""
	}
	return "partition " + partition + ": "
}

// countRows counts the rows of partitions, in their order.
func countRows(c *pair.Cluster, ctx context.Context, t *meta.Table, partitions []string) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	var b strings.Builder
	for i, p := range partitions {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&b, "SELECT %d AS i, COUNT(*) AS n FROM %s", i, sqlclient.Name(c.Spec.Database, t.Name))
		if p != t.Name {
			fmt.Fprintf(&b, " PARTITION (%s)", sqlclient.Quote(p))
		}
	}
	rows, err := c.SQL.Query(ctx, b.String())
	if err != nil {
		return nil, fmt.Errorf("count the rows of %s table %s: %w", c.Side, t.Name, err)
	}
	counts := make([]int64, len(partitions))
	seen := 0
	for _, row := range rows {
		i, err := strconv.Atoi(row.Get("i"))
		n, err2 := strconv.ParseInt(row.Get("n"), 10, 64)
		if err != nil || err2 != nil || i < 0 || i >= len(counts) {
			continue
		}
		counts[i] = n
		seen++
	}
	if seen != len(counts) {
		return nil, fmt.Errorf("count the rows of %s table %s: %d of %d partitions answered: %w", c.Side, t.Name, seen, len(counts), sqlclient.ErrIncomplete)
	}
	return counts, nil
}

// CompareView compares a view, which goes by its name.
func (j *Job) CompareView(ctx context.Context, known job.Table) (Comparison, error) {
	c := Comparison{Table: known.Name}
	for _, side := range []*pair.Cluster{j.Source, j.Destination} {
		exists, err := side.SQL.TableExists(ctx, side.Spec.Database, known.Name)
		if err != nil {
			return c, fmt.Errorf("look for %s view %s: %w", side.Side, known.Name, err)
		}
		if !exists {
			c.Differ(job.DifferentObjects, "the %s does not have the view", side.Side)
			return c, nil
		}
	}
	return c, j.compareDefinitions(ctx, &c, known.Name, known.Name)
}
