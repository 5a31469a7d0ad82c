package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// chaosTable is what a program knows of a table. All tables have a key column
// id, a text column v and a number column n; the latter two can be renamed.
type chaosTable struct {
	model      string   // one of chaosModels
	by         string   // one of chaosPartitionings
	v, n       string   // the present names of the two
	partitions []span   // of RANGE and LIST; AUTO tables have what comes
	dropped    []span   // partitions that RECOVER may find
	light      []string // value columns that were added lightly
	keys       []string // key columns that were added by a heavy schema change
	indexes    []string // inverted
	ngrams     []string // indexes that rewrite the table
	rollups    []string
	views      []string // synchronous materialized views
	sequence   bool     // n is the sequence column
	twice      bool     // it has two replicas
	hidden     bool     // the sequence is a column that only loads name
	busy       bool     // an ALTER job runs
}

const (
	duplicate    = "DUPLICATE"
	mergeOnWrite = "UNIQUE"
	mergeOnRead  = "UNIQUE merge-on-read"
	aggregate    = "AGGREGATE"

	byRange     = "RANGE"
	byList      = "LIST"
	byAutoList  = "AUTO LIST"
	byAutoRange = "AUTO RANGE" // of a key column d, by day
)

var (
	chaosModels        = []string{duplicate, duplicate, mergeOnWrite, mergeOnWrite, mergeOnRead, aggregate}
	chaosPartitionings = []string{"", "", "", byRange, byRange, byRange, byList, byList, byAutoList, byAutoRange}
)

func (t *chaosTable) unique() bool      { return strings.HasPrefix(t.model, "UNIQUE") }
func (t *chaosTable) partitioned() bool { return len(t.partitions) > 0 }

// writable tells whether rows find a partition.
func (t *chaosTable) writable() bool {
	return len(t.partitions) > 0 || t.by != byRange && t.by != byList
}

// span is a partition of the ids from, included, to from+100 (RANGE), or of the
// five ids beginning with from (LIST).
type span struct {
	name string
	from int
}

func (t *chaosTable) values(s span) string {
	if t.by == byList {
		var ids []string
		for i := range 5 {
			ids = append(ids, fmt.Sprintf(`"%d"`, s.from+i))
		}
		return "VALUES IN (" + strings.Join(ids, ", ") + ")"
	}
	return fmt.Sprintf(`VALUES [("%d"), ("%d"))`, s.from, s.from+100)
}

// clone is a copy of the table's model: what the bin keeps does not change.
func (t *chaosTable) clone() *chaosTable {
	c := *t
	c.partitions, c.dropped = slices.Clone(t.partitions), slices.Clone(t.dropped)
	c.light, c.keys, c.indexes, c.ngrams = slices.Clone(t.light), slices.Clone(t.keys), slices.Clone(t.indexes), slices.Clone(t.ngrams)
	c.rollups, c.views = slices.Clone(t.rollups), slices.Clone(t.views)
	return &c
}

// binned is a table in the source's recycle bin.
type binned struct {
	name  string
	table *chaosTable
}

// chaosNames are few, so that a name comes back for another table.
var chaosNames = []string{"t0", "t1", "t2", "t3", "t4", "t5"}

// names are the tables that there are, in an order that a replay repeats.
func (p *program) names() []string {
	var names []string
	for name := range p.tables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// pick chooses one of the tables that fit and are not being altered.
func (p *program) pick(fits func(*chaosTable) bool) (string, *chaosTable) {
	return p.pickOf(func(_ string, t *chaosTable) bool { return !t.busy && fits(t) })
}

func (p *program) pickOf(fits func(string, *chaosTable) bool) (string, *chaosTable) {
	names := slices.DeleteFunc(p.names(), func(name string) bool { return !fits(name, p.tables[name]) })
	if len(names) == 0 {
		return "", nil
	}
	name := one(p, names)
	return name, p.tables[name]
}

func anyTable(*chaosTable) bool { return true }

// one chooses an element.
func one[T any](p *program, of []T) T { return of[p.IntN(len(of))] }

// once tells whether something that happens once in n times happens now.
func (p *program) once(n int) bool { return p.IntN(n) == 0 }

// free is a name that no table has, "" if there is none.
func (p *program) free() string {
	at := p.IntN(len(chaosNames))
	for i := range chaosNames {
		if name := chaosNames[(at+i)%len(chaosNames)]; p.tables[name] == nil {
			return name
		}
	}
	return ""
}

// next is a number for names and values: none comes twice.
func (p *program) next() int {
	p.serial++
	return p.serial
}

// name makes a new name.
func (p *program) name(prefix string) string { return fmt.Sprintf("%s%d", prefix, p.next()) }

// drawn removes a random element and returns it.
func drawn[T any](p *program, from *[]T) T {
	at := p.IntN(len(*from))
	got := (*from)[at]
	*from = slices.Delete(*from, at, at+1)
	return got
}
