package compare

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

func TestCompareTable(t *testing.T) {
	for name, c := range map[string]struct {
		change func(source, destination *pairtest.Content)
		want   []string // parts of "kind: text"
		moved  bool
	}{
		"the same": {},
		"rows":     {change: func(_, d *pairtest.Content) { d.Rows["p2"] = 4 }, want: []string{"rows: partition p2: the source has 5 rows, the destination 4"}},
		"rows that come and go": {change: func(s, d *pairtest.Content) { s.Rows["p1"], s.Rows["p2"] = 2, 6 },
			want: []string{"rows: partition p1: the source has 2 rows", "rows: partition p2: the source has 6 rows"}},
		"a column": {change: func(_, d *pairtest.Content) { d.Column = "w" }, want: []string{"definition: source and destination differ in columns"}},
		"a rollup": {change: func(s, _ *pairtest.Content) { s.Rollup = "r" }, want: []string{"definition: the source has the rollups [r]"}},
		"a partition": {change: func(s, d *pairtest.Content) {
			d.Table.Partitions, s.Formal = d.Table.Partitions[:1], []string{"p1", "p2"}
		}, want: []string{"partitions: the destination does not have the partition p2"}},
		"one too many":    {change: func(s, d *pairtest.Content) { s.Table.Partitions, s.Formal = s.Table.Partitions[:1], []string{"p1"} }, want: []string{"partitions: only the destination has the partition p2"}},
		"gone there":      {change: func(_, d *pairtest.Content) { d.Table = nil }, want: []string{"objects: the destination does not have the table"}},
		"gone here":       {change: func(s, _ *pairtest.Content) { s.Table = nil }, want: []string{"objects: the source does not have the table"}},
		"another name":    {change: func(s, _ *pairtest.Content) { s.Table.Name = "t2" }, want: []string{"objects: the source's table t2 (id 10) is known as t"}},
		"gone everywhere": {change: func(s, d *pairtest.Content) { s.Table, d.Table = nil, nil }},
		// The server does not tell that it is temporary, and it has the range of p1.
		"a temporary partition": {change: func(s, _ *pairtest.Content) {
			temp := pairtest.VersionedPartition(103, "tp", 1)
			temp.Key = "range of p1"
			s.Table.Partitions, s.Formal = append(s.Table.Partitions, temp), []string{"p1", "p2"}
		}},
		"a load on the source": {change: func(s, d *pairtest.Content) {
			d.Rows["p2"] = 4
			s.OnCount = func() { s.Table.Partitions[1].VisibleVersion++ }
		}, want: []string{"rows"}, moved: true},
		"a load on the destination": {change: func(_, d *pairtest.Content) {
			d.OnCount = func() { d.Table.Partitions[0].VisibleVersion++ }
		}, moved: true},
	} {
		t.Run(name, func(t *testing.T) {
			source, destination := pairtest.Sides()
			if c.change != nil {
				c.change(source, destination)
			}
			got, err := New(pairtest.Comparing(source, destination)).CompareTable(context.Background(), 10, job.Table{Name: "t", DestID: 20}, What{Rows: true})
			require.NoError(t, err)
			require.Equal(t, c.moved, got.Moved)
			require.Len(t, got.Differences, len(c.want), "%v", got.Differences)
			for i, d := range got.Differences {
				require.Contains(t, string(d.Kind)+": "+d.Text, c.want[i])
			}
		})
	}
}

// What has been counted is not counted again while both sides have the same
// versions of it.
func TestRowsAreCountedOnce(t *testing.T) {
	source, destination := pairtest.Sides()
	j := New(pairtest.Comparing(source, destination))
	known := job.Table{Name: "t", DestID: 20}
	first, err := j.CompareTable(context.Background(), 10, known, What{Rows: true})
	require.NoError(t, err)
	require.Len(t, first.Counted, 2)
	again, err := j.CompareTable(context.Background(), 10, known, What{Rows: true, Counted: first.Counted})
	require.NoError(t, err)
	require.Equal(t, first.Counted, again.Counted)
	require.Equal(t, 1, source.Counted)

	destination.Table.Partitions[0].VisibleVersion++ // somebody writes there
	destination.Rows["p1"] = 9
	got, err := j.CompareTable(context.Background(), 10, known, What{Rows: true, Counted: first.Counted})
	require.NoError(t, err)
	require.Equal(t, 2, source.Counted)
	require.Len(t, got.Differences, 1)
	require.Len(t, got.Counted, 1)
}
