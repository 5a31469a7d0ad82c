package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/schema"
)

// column is a column that is compared, with the expression of the text that stands
// for it.
type column struct {
	name string
	text string
	key  bool
}

// sequenceColumn is hidden, and decides which rows of a key are seen. Deleted rows
// and those of __DORIS_VERSION_COL__ are no two clusters' business: compaction drops
// the former when it likes, the latter are numbers of loads (doris-sql.md 5.9).
const sequenceColumn = "__DORIS_SEQUENCE_COL__"

// compared are the columns that both sides have with the same type, in the source's
// order, and the names of those that no text stands for exactly.
func compared(from, to schema.Definition, keys []string) (columns []column, left []string) {
	for _, c := range from.Columns {
		other, ok := to.Column(c.Name)
		if !ok || other.Type != c.Type {
			continue // told as a difference of definitions
		}
		text, exact := columnText(c)
		if !exact {
			left = append(left, c.Name)
			continue
		}
		if c.Nullable || other.Nullable {
			text = orNull(text)
		}
		key := slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, c.Name) })
		columns = append(columns, column{name: c.Name, text: text, key: key})
	}
	return columns, left
}

// orNull tells NULL from every text: a text begins with a mark, NULL is empty.
func orNull(text string) string { return "ifnull(concat('=', " + text + "), '')" }

// columnText is the expression of a column's text, exact if different values have
// different texts.
func columnText(c schema.ColumnDefinition) (text string, exact bool) {
	name := sqlclient.Quote(c.Name)
	kind, _, _ := strings.Cut(c.Type, "(")
	kind, _, _ = strings.Cut(kind, "<")
	switch strings.TrimSpace(strings.ToLower(kind)) {
	case "hll", "quantile_state", "agg_state":
		return "", false
	case "bitmap":
		return "bitmap_to_string(" + name + ")", true
	case "float": // eight digits do not tell all values apart (doris-sql.md 5.9)
		return "cast(cast(" + name + " AS DOUBLE) AS STRING)", true
	case "char", "varchar", "text":
		return name, true
	}
	return "cast(" + name + " AS STRING)", true
}

// hashOf is the hash of columns, each the seed of the next.
func hashOf(function string, columns []column) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = c.text
	}
	return function + "(" + strings.Join(texts, ", ") + ")"
}

// again is a second hash of a hash: two sums of the same rows do not collide
// together.
func again(function, hash string) string {
	return function + "(cast(" + hash + " AS STRING), 'ccr')"
}

// reading are the rows that one query is about: a partition, or one bucket of it.
type reading struct {
	database, table string
	base            bool   // name the base index: the table has rollups that could answer
	partition       string // "" for a table without partitions
	tablet          int64  // 0 for all
}

func (r reading) from() string {
	text := sqlclient.Name(r.database, r.table)
	if r.base {
		text += " INDEX " + sqlclient.Quote(r.table)
	}
	if r.partition != "" {
		text += " PARTITION (" + sqlclient.Quote(r.partition) + ")"
	}
	if r.tablet != 0 {
		text += " TABLET (" + strconv.FormatInt(r.tablet, 10) + ")"
	}
	return text
}

// question makes the statement that sums rows up; n is their number, the others
// are sums.
type question interface {
	// one asks about some rows, as the i-th part of a statement.
	one(i int, r reading) string
	// sums are the names of its columns beside i and n.
	sums() []string
}

// counting asks for the number of rows.
type counting struct{}

func (counting) one(i int, r reading) string {
	return fmt.Sprintf("SELECT %d AS i, count(*) AS n FROM %s", i, r.from())
}

func (counting) sums() []string { return nil }

// checksum asks for the number of rows and two sums of hashes of whole rows. Sums
// do not depend on the order of the rows, and tell one row from two.
type checksum struct {
	function string
	columns  []column
}

func (c checksum) one(i int, r reading) string {
	return fmt.Sprintf("SELECT %d AS i, count(*) AS n, sum(cast(h AS LARGEINT)) AS a, sum(cast(%s AS LARGEINT)) AS b FROM (SELECT %s AS h FROM %s) AS r",
		i, again(c.function, "h"), hashOf(c.function, c.columns), r.from())
}

func (checksum) sums() []string { return []string{"a", "b"} }

// byColumn asks for a sum for each column, of hashes of the row's key with the
// column: a value that has moved to another row is seen.
type byColumn struct {
	function string
	columns  []column
}

func (c byColumn) one(i int, r reading) string {
	var keys []column
	for _, col := range c.columns {
		if col.key {
			keys = append(keys, col)
		}
	}
	sums, hashes := make([]string, len(c.columns)), make([]string, len(c.columns))
	for n, col := range c.columns {
		of := []column{col}
		if !col.key {
			of = append(slices.Clone(keys), col)
		}
		sums[n] = fmt.Sprintf("sum(cast(h%d AS LARGEINT)) AS s%d", n, n)
		hashes[n] = fmt.Sprintf("%s AS h%d", hashOf(c.function, of), n)
	}
	return fmt.Sprintf("SELECT %d AS i, count(*) AS n, %s FROM (SELECT %s FROM %s) AS r", i, strings.Join(sums, ", "), strings.Join(hashes, ", "), r.from())
}

func (c byColumn) sums() []string {
	names := make([]string, len(c.columns))
	for n := range names {
		names[n] = fmt.Sprintf("s%d", n)
	}
	return names
}

// statement asks about all of them at once.
func statement(q question, about []reading) string {
	parts := make([]string, len(about))
	for i, r := range about {
		parts[i] = q.one(i, r)
	}
	return strings.Join(parts, " UNION ALL ")
}

// answers are the sums of a statement, in the order of what it was about.
func answers(q question, rows []sqlclient.Row, n int) ([]sums, error) {
	list, seen := make([]sums, n), make([]bool, n)
	for _, row := range rows {
		i, err := strconv.Atoi(row.Get("i"))
		count, err2 := strconv.ParseInt(row.Get("n"), 10, 64)
		if err != nil || err2 != nil || i < 0 || i >= n {
			return nil, fmt.Errorf("row %v: %w", row, sqlclient.ErrIncomplete)
		}
		s := sums{rows: count}
		for _, name := range q.sums() {
			s.of = append(s.of, cmp.Or(row.Get(name), "0")) // a sum of nothing is NULL
		}
		list[i], seen[i] = s, true
	}
	if slices.Contains(seen, false) {
		return nil, fmt.Errorf("%d rows for %d questions: %w", len(rows), n, sqlclient.ErrIncomplete)
	}
	return list, nil
}

// sums are the content of some rows as far as it was asked for.
type sums struct {
	rows int64
	of   []string
}

func (s sums) equal(other sums) bool { return s.rows == other.rows && slices.Equal(s.of, other.of) }
