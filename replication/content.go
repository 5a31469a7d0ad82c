package replication

import (
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
)

// How one table compares on both sides, by questions that cost little. When to
// ask is survey.go's.

// versionPair is the version of a partition on both sides. Another partition may
// have the same versions: id is the destination's.
type versionPair struct{ source, destination, id int64 }

// comparison is what was found of one table or view.
type comparison struct {
	// table is what it is called on the source.
	table       string
	differences []job.Difference
	// versions are those of its partitions, by source id; what was found is true
	// of them.
	versions map[int64]versionPair
	// counted are the partitions that have the same number of rows on both sides.
	counted map[int64]versionPair
	// moved: a load or change came in between. Nothing is known then.
	moved bool
}

func (c *comparison) differ(kind job.DifferenceKind, format string, args ...any) {
	c.differences = append(c.differences, job.Difference{Table: c.table, Kind: kind, Text: limited(fmt.Sprintf(format, args...))})
}

// differenceLimit bounds the text of one difference, in bytes.
const differenceLimit = 300

func limited(text string) string {
	if len(text) <= differenceLimit {
		return text
	}
	return strings.ToValidUTF8(text[:differenceLimit], "") + "..."
}

// compareWhat says what to compare of a table beyond its being there.
type compareWhat struct {
	// rows: also how many there are. Only a table that nobody writes has an answer.
	rows bool
	// busy: they are not counted because it is written.
	busy bool
	// counted are the partitions that need not be counted again while both sides
	// have these versions.
	counted map[int64]versionPair
}

// compareTable compares a table of the source with what the job has of it.
func (j *Job) compareTable(ctx context.Context, id int64, known job.Table, what compareWhat) (comparison, error) {
	c := comparison{table: known.Name, versions: map[int64]versionPair{}, counted: map[int64]versionPair{}}
	from, to, err := j.bothSides(ctx, id, known.DestID)
	switch {
	case err != nil:
		return c, err
	case from == nil && to == nil:
		return c, nil
	case from == nil:
		c.differ(job.DifferentObjects, "the source does not have the table (id %d) any more", id)
		return c, nil
	case to == nil:
		c.differ(job.DifferentObjects, "the destination does not have the table (id %d) any more", known.DestID)
		return c, nil
	}
	c.table = from.Name
	if from.Name != known.Name && j.spec.Type() == job.DatabaseSync {
		c.differ(job.DifferentObjects, "the source's table %s (id %d) is known as %s", from.Name, id, known.Name)
		return c, nil
	}
	if err := j.compareDefinitions(ctx, &c, from.Name, to.Name); err != nil {
		return c, err
	}
	pairs, err := j.pairPartitions(ctx, &c, from, to)
	if err != nil {
		return c, err
	}
	if what.rows {
		if err := j.compareRows(ctx, &c, from, to, pairs, what.counted); err != nil {
			return c, err
		}
	}
	if len(c.differences) == 0 && !what.rows {
		return c, nil
	}
	from, to, err = j.bothSides(ctx, id, known.DestID)
	if err != nil {
		return c, err
	}
	c.moved = from == nil || to == nil || !maps.Equal(c.versions, versionsOf(from, to, pairs))
	return c, nil
}

// bothSides reads the metadata of a table on both sides.
func (j *Job) bothSides(ctx context.Context, source, destination int64) (from, to *meta.Table, err error) {
	if from, _, err = j.source.tableByID(ctx, source); err != nil {
		return nil, nil, err
	}
	to, _, err = j.destination.tableByID(ctx, destination)
	return from, to, err
}

// compareDefinitions compares what SHOW CREATE and DESC print.
func (j *Job) compareDefinitions(ctx context.Context, c *comparison, source, destination string) error {
	from, err := j.source.definition(ctx, source)
	if err != nil {
		return err
	}
	to, err := j.destination.definition(ctx, destination)
	if err != nil {
		return err
	}
	if differences := from.Differences(to); len(differences) > 0 {
		c.differ(job.DifferentDefinition, "source and destination differ in %s", inWords(differences))
	}
	if from.View {
		return nil
	}
	ours, err := j.source.rollups(ctx, source)
	if err != nil {
		return err
	}
	theirs, err := j.destination.rollups(ctx, destination)
	if err != nil {
		return err
	}
	if !slices.Equal(ours, theirs) {
		c.differ(job.DifferentDefinition, "the source has the rollups %v, the destination %v", ours, theirs)
	}
	return nil
}

// definition reads what a table or view is.
func (c *cluster) definition(ctx context.Context, name string) (Definition, error) {
	text, err := c.sql.CreateTableText(ctx, c.spec.Database, name)
	if err != nil {
		return Definition{}, fmt.Errorf("look at the definition of %s table %s: %w", c.side, name, err)
	}
	return ParseDefinition(text, c.spec.Database)
}

// rollups are the rollups and synchronous materialized views of a table, sorted.
func (c *cluster) rollups(ctx context.Context, table string) ([]string, error) {
	names, err := c.sql.Rollups(ctx, c.spec.Database, table)
	if err != nil {
		return nil, fmt.Errorf("look at the rollups of %s table %s: %w", c.side, table, err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == table })
	slices.Sort(names)
	return names, nil
}

// partitionPair is a partition on both sides.
type partitionPair struct{ source, destination *meta.Partition }

// pairPartitions finds the partitions of the same range. Temporary ones, which
// only the source has, may look like others (doris-binlogs.md 1.8): whether one is
// a formal one its listing tells.
func (j *Job) pairPartitions(ctx context.Context, c *comparison, from, to *meta.Table) (map[int64]partitionPair, error) {
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
		if formal, err = j.source.sql.Partitions(ctx, j.spec.Source.Database, from.Name); err != nil {
			return nil, fmt.Errorf("list the partitions of source table %s: %w", from.Name, err)
		}
	}
	pairs := map[int64]partitionPair{}
	for _, p := range from.Partitions {
		switch other := there[p.Key]; {
		case p.Temporary || formal != nil && !slices.Contains(formal, p.Name):
		case other == nil:
			c.differ(job.DifferentPartitions, "the destination does not have the partition %s", p.Name)
		default:
			pairs[p.ID] = partitionPair{p, other}
			c.versions[p.ID] = versionPair{p.VisibleVersion, other.VisibleVersion, other.ID}
			delete(there, p.Key)
		}
	}
	for _, p := range there {
		c.differ(job.DifferentPartitions, "only the destination has the partition %s", p.Name)
	}
	return pairs, nil
}

// versionsOf are the versions that the pairs have by now.
func versionsOf(from, to *meta.Table, pairs map[int64]partitionPair) map[int64]versionPair {
	versions := map[int64]versionPair{}
	for id, pair := range pairs {
		source, destination := from.PartitionByID(id), to.PartitionByID(pair.destination.ID)
		if source != nil && destination != nil {
			versions[id] = versionPair{source.VisibleVersion, destination.VisibleVersion, destination.ID}
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
func (j *Job) compareRows(ctx context.Context, c *comparison, from, to *meta.Table, pairs map[int64]partitionPair, counted map[int64]versionPair) error {
	var ids []int64
	for id := range pairs {
		if was, ok := counted[id]; ok && was == c.versions[id] {
			c.counted[id] = was
		} else {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, countAtOnce) {
		var here, there []string
		for _, id := range chunk {
			here, there = append(here, pairs[id].source.Name), append(there, pairs[id].destination.Name)
		}
		ours, err := j.source.countRows(ctx, from, here)
		if err != nil {
			return err
		}
		theirs, err := j.destination.countRows(ctx, to, there)
		if err != nil {
			return err
		}
		for i, id := range chunk {
			if ours[i] == theirs[i] {
				c.counted[id] = c.versions[id]
				continue
			}
			c.differ(job.DifferentRows, "%sthe source has %d rows, the destination %d", inPartition(from, here[i]), ours[i], theirs[i])
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
func (c *cluster) countRows(ctx context.Context, t *meta.Table, partitions []string) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	var b strings.Builder
	for i, p := range partitions {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&b, "SELECT %d AS i, COUNT(*) AS n FROM %s", i, sqlclient.Name(c.spec.Database, t.Name))
		if p != t.Name {
			fmt.Fprintf(&b, " PARTITION (%s)", sqlclient.Quote(p))
		}
	}
	rows, err := c.sql.Query(ctx, b.String())
	if err != nil {
		return nil, fmt.Errorf("count the rows of %s table %s: %w", c.side, t.Name, err)
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
		return nil, fmt.Errorf("count the rows of %s table %s: %d of %d partitions answered: %w", c.side, t.Name, seen, len(counts), sqlclient.ErrIncomplete)
	}
	return counts, nil
}

// compareView compares a view, which goes by its name.
func (j *Job) compareView(ctx context.Context, known job.Table) (comparison, error) {
	c := comparison{table: known.Name}
	for _, side := range []*cluster{j.source, j.destination} {
		exists, err := side.sql.TableExists(ctx, side.spec.Database, known.Name)
		if err != nil {
			return c, fmt.Errorf("look for %s view %s: %w", side.side, known.Name, err)
		}
		if !exists {
			c.differ(job.DifferentObjects, "the %s does not have the view", side.side)
			return c, nil
		}
	}
	return c, j.compareDefinitions(ctx, &c, known.Name, known.Name)
}
