package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// TableFilter selects the tables and views of a database job by patterns of
// their names at the source. A pattern may hold '*' (any characters, or none)
// and '?' (one character); anything else stands for itself, capitals included,
// as table names tell them apart.
type TableFilter struct {
	// Include lists what to replicate; empty means everything.
	Include []string `json:"include_tables,omitempty"`
	// Exclude lists what to leave out; it wins over Include.
	Exclude []string `json:"exclude_tables,omitempty"`
}

const (
	// maxPatterns and maxPatternLength (in bytes) bound a filter: it travels
	// with the job's state.
	maxPatterns      = 1000
	maxPatternLength = 256
)

// Everything tells that the filter leaves nothing out.
func (f *TableFilter) Everything() bool { return len(f.Include) == 0 && len(f.Exclude) == 0 }

// Selects tells whether the table or view called name is replicated.
func (f *TableFilter) Selects(name string) bool {
	matches := func(pattern string) bool { return matchPattern(pattern, name) }
	if len(f.Include) > 0 && !slices.ContainsFunc(f.Include, matches) {
		return false
	}
	return !slices.ContainsFunc(f.Exclude, matches)
}

// Overlaps tells whether a table may exist that both filters select. It answers
// true where that cannot be excluded, and where it would take too long to.
func (f *TableFilter) Overlaps(other TableFilter) bool {
	left := overlapWork
	for _, a := range f.included() {
		for _, b := range other.included() {
			meet, cost := patternsMeet(a, b), 1
			if isPattern(a) && isPattern(b) {
				cost = len(a) * len(b)
			}
			if meet {
				cost += (len(f.Exclude) + len(other.Exclude)) * (len(a) + len(b))
			}
			if left -= cost; left < 0 || meet && !f.leavesOut(a, b) && !other.leavesOut(a, b) {
				return true
			}
		}
	}
	return false
}

// overlapWork bounds the characters that Overlaps compares: a request must not take a core for
// minutes. Two filters with a thousand names each, or a hundred patterns, need a small part of it.
const overlapWork = 30_000_000

// isPattern tells whether a text stands for more than one name.
func isPattern(text string) bool { return strings.ContainsAny(text, "*?") }

// included is Include, with the pattern for everything in the place of nothing.
func (f *TableFilter) included() []string {
	if len(f.Include) == 0 {
		return []string{"*"}
	}
	return f.Include
}

// leavesOut tells whether one pattern excludes all that a or all that b matches.
// A pattern without '?' that matches the text of another one matches whatever
// that one does.
func (f *TableFilter) leavesOut(a, b string) bool {
	return slices.ContainsFunc(f.Exclude, func(pattern string) bool {
		covers := func(other string) bool {
			exact := !strings.Contains(pattern, "?") || !strings.ContainsAny(other, "*?")
			return pattern == other || exact && matchPattern(pattern, other)
		}
		return covers(a) || covers(b)
	})
}

// Equal tells whether both filters have the same patterns in the same order.
func (f *TableFilter) Equal(other TableFilter) bool {
	return slices.Equal(f.Include, other.Include) && slices.Equal(f.Exclude, other.Exclude)
}

// Describe shows the filter to people.
func (f *TableFilter) Describe() string {
	if f.Everything() {
		return "all tables"
	}
	text := "all tables"
	if len(f.Include) > 0 {
		text = "the tables " + strings.Join(f.Include, ", ")
	}
	if len(f.Exclude) > 0 {
		text += " without " + strings.Join(f.Exclude, ", ")
	}
	return text
}

// validate refuses patterns that no table can match.
func (f *TableFilter) validate() error {
	if err := validatePatterns("include_tables", f.Include); err != nil {
		return err
	}
	return validatePatterns("exclude_tables", f.Exclude)
}

func validatePatterns(key string, list []string) error {
	if len(list) > maxPatterns {
		return fmt.Errorf("[normal] %s has more than %d patterns", key, maxPatterns)
	}
	for _, pattern := range list {
		switch {
		case strings.TrimSpace(pattern) != pattern || pattern == "":
			return fmt.Errorf("[normal] %s: the pattern %q is empty or has blanks around it", key, pattern)
		case len(pattern) > maxPatternLength:
			return fmt.Errorf("[normal] %s: a pattern is longer than %d bytes", key, maxPatternLength)
		case strings.ContainsAny(pattern, "`."):
			return fmt.Errorf("[normal] %s: the pattern %q is not one of a table name alone (no database, no quotes)", key, pattern)
		}
	}
	return nil
}

// ErrFilterOfTableJob refuses a table filter for a job that follows one table.
var ErrFilterOfTableJob = errors.New("[normal] include_tables and exclude_tables are for database jobs; this job replicates a single table")

// UpdateTables is the payload of update_tables: the new lists. One that is
// absent stays as it is, an empty one is cleared.
type UpdateTables struct {
	Include *[]string `json:"include_tables,omitempty"`
	Exclude *[]string `json:"exclude_tables,omitempty"`
}

// ErrTableFilterEmpty is the refusal of an update_tables without any list.
var ErrTableFilterEmpty = errors.New("neither include_tables nor exclude_tables is given; an empty list clears one")

// Filter returns the filter that the update makes of an older one, or why it
// cannot be.
func (u UpdateTables) Filter(old TableFilter) (TableFilter, error) {
	if u.Include == nil && u.Exclude == nil {
		return old, ErrTableFilterEmpty
	}
	if u.Include != nil {
		old.Include = *u.Include
	}
	if u.Exclude != nil {
		old.Exclude = *u.Exclude
	}
	return old, old.validate()
}

// matchPattern matches name against a pattern with '*' and '?'. It goes back
// to the last '*' only, so its time is bounded by the product of both lengths.
func matchPattern(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(n) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// patternsMeet tells whether a name exists that both patterns match. Its time is
// bounded by the product of both lengths.
func patternsMeet(a, b string) bool {
	switch {
	case !isPattern(a) && !isPattern(b):
		return a == b
	case !isPattern(b):
		return matchPattern(a, b)
	case !isPattern(a):
		return matchPattern(b, a)
	}
	x, y := []rune(a), []rune(b)
	// meet[j] tells whether x[i:] and y[j:] have a name in common; it is filled
	// from the end of both.
	below := make([]bool, len(y)+1)
	for i := len(x); i >= 0; i-- {
		meet := make([]bool, len(y)+1)
		for j := len(y); j >= 0; j-- {
			switch {
			case i == len(x) && j == len(y):
				meet[j] = true
			case i < len(x) && x[i] == '*':
				meet[j] = below[j] || j < len(y) && meet[j+1]
			case j < len(y) && y[j] == '*':
				meet[j] = meet[j+1] || i < len(x) && below[j]
			case i < len(x) && j < len(y):
				meet[j] = below[j+1] && (x[i] == y[j] || x[i] == '?' || y[j] == '?')
			}
		}
		below = meet
	}
	return below[0]
}
