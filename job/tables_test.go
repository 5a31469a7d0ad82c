package job

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPatternsOfTableNames(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"orders", "orders", true},
		{"orders", "Orders", false},
		{"orders", "orders2", false},
		{"tmp_*", "tmp_", true},
		{"tmp_*", "tmp_a", true},
		{"tmp_*", "xtmp_a", false},
		{"*_tmp", "a_tmp_tmp", true},
		{"*_tmp", "a_tmp_x", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"a?c", "a任c", true},
		{"*a*b*", "xxaxxbxx", true},
		{"*a*b*", "xxbxxaxx", false},
		{"[ab]", "a", false},
		{"[ab]", "[ab]", true},
		{"*", "anything", true},
	} {
		require.Equal(t, tt.want, matchPattern(tt.pattern, tt.name), "%s against %s", tt.pattern, tt.name)
	}
}

func TestTableFilterSelects(t *testing.T) {
	var all TableFilter
	require.True(t, all.Selects("x"))
	f := TableFilter{Include: []string{"o*", "users"}, Exclude: []string{"*_old"}}
	require.True(t, f.Selects("orders"))
	require.True(t, f.Selects("users"))
	require.False(t, f.Selects("orders_old"), "exclude wins")
	require.False(t, f.Selects("parts"))
}

func TestUpdateTablesKeepsWhatIsNotNamed(t *testing.T) {
	old := TableFilter{Include: []string{"a*"}, Exclude: []string{"ab"}}
	decode := func(body string) UpdateTables {
		var u UpdateTables
		require.NoError(t, json.Unmarshal([]byte(body), &u))
		return u
	}
	got, err := decode(`{"exclude_tables":[]}`).Filter(old)
	require.NoError(t, err)
	require.True(t, got.Equal(TableFilter{Include: []string{"a*"}}))
	again, err := json.Marshal(decode(`{"exclude_tables":[]}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"exclude_tables":[]}`, string(again), "an empty list must survive the way to the job")

	_, err = decode(`{}`).Filter(old)
	require.ErrorIs(t, err, ErrTableFilterEmpty)
	_, err = decode(`{"include_tables":["db.t"]}`).Filter(old)
	require.ErrorContains(t, err, `include_tables: the pattern "db.t"`)
}

func TestTableFilterIsForDatabaseJobs(t *testing.T) {
	s := validSpec()
	s.Exclude = []string{"tmp_*"}
	require.NoError(t, s.Validate())
	s.Source.Table, s.Destination.Table = "t", "t"
	require.ErrorIs(t, s.Validate(), ErrFilterOfTableJob)
}

func TestTableFiltersOverlap(t *testing.T) {
	filter := func(include, exclude string) TableFilter {
		return TableFilter{Include: strings.Fields(include), Exclude: strings.Fields(exclude)}
	}
	for _, c := range []struct {
		a, b TableFilter
		want bool
	}{
		{filter("", ""), filter("", ""), true},
		{filter("", ""), filter("a", ""), true},
		{filter("a b", ""), filter("c", ""), false},
		{filter("a b", ""), filter("b c", ""), true},
		{filter("a*", ""), filter("*b", ""), true},
		{filter("a*", ""), filter("b*", ""), false},
		{filter("a?", ""), filter("abc", ""), false},
		{filter("?b", ""), filter("a?", ""), true},
		{filter("*x*", ""), filter("a?c", ""), true},
		{filter("", "tmp_*"), filter("tmp_a", ""), false},
		{filter("", "tmp_*"), filter("tmp_a*", ""), false},
		{filter("", "tmp_?"), filter("tmp_*", ""), true},
		{filter("", "tmp_?"), filter("tmp_?", ""), false},
		{filter("", "a b"), filter("a b", ""), false},
		{filter("", "a"), filter("a b", ""), true},
	} {
		require.Equal(t, c.want, c.a.Overlaps(c.b), "%+v and %+v", c.a, c.b)
		require.Equal(t, c.want, c.b.Overlaps(c.a), "%+v and %+v", c.b, c.a)
	}
}

// Whether two filters overlap is answered soon, however they are chosen: many names are compared,
// and what would take minutes is taken for an overlap.
func TestOverlapsIsBounded(t *testing.T) {
	var x, y, names, others TableFilter
	for i := range 1000 {
		x.Include = append(x.Include, fmt.Sprintf("%s%03d", strings.Repeat("a*", 120), i))
		y.Include = append(y.Include, fmt.Sprintf("b%s%03d", strings.Repeat("*b", 120), i))
		names.Include, others.Include = append(names.Include, fmt.Sprintf("orders_of_a_year_%d", i)), append(others.Include, fmt.Sprintf("orders_of_a_year_%d", -i-1))
	}
	require.True(t, x.Overlaps(y))
	require.False(t, names.Overlaps(others))
	require.False(t, names.Overlaps(y))
	require.True(t, names.Overlaps(TableFilter{Include: []string{"*_999"}}))
	few := TableFilter{Include: y.Include[:20]}
	require.False(t, few.Overlaps(TableFilter{Include: x.Include[:20]}))

	// Excluded names cost, too.
	all, without := TableFilter{Exclude: x.Include}, TableFilter{Exclude: y.Include}
	for i := range 1000 {
		all.Include = append(all.Include, fmt.Sprintf("*%d*%s", i, strings.Repeat("c", 200)))
	}
	without.Include = all.Include
	require.True(t, all.Overlaps(without))
}
