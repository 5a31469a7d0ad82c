package snapshot

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// What a database job brings again when its source records again.
func TestCloseGap(t *testing.T) {
	p := job.Progress{Gap: &job.Gap{Reason: "it was off"}, Position: job.Position{CommitSeq: 100}, Settling: job.Settling{Settled: 94}, Tables: map[int64]job.Table{
		10: {Name: "t", DestID: 20}, 11: {Name: "u", DestID: 21}, 12: {Name: "gone", DestID: 22}, 13: {Name: "v", View: true}, 14: {Name: "w", View: true},
		15: {Name: "long gone", Gone: true}, 30: {Name: "met gone", Gone: true, DestID: 40}, 31: {Name: "filed late", DestID: 41}, 17: {Name: "dropped", DestID: 27}, 18: {Name: "taken", DestID: 28},
	}}
	src := &pairtest.Script{TableMeta: map[int64]*meta.Table{10: {ID: 10, Name: "t"}, 11: {ID: 11, Name: "u2"}, 16: {ID: 16, Name: "new"}, 19: {ID: 19, Name: "taken"}},
		Dropped: map[int64]int64{12: 90, 31: 95, 17: 138, 18: 139}, // that of 12 is of before it was recovered
		Names:   []string{"t", "u2", "new", "taken", "v", "x"}, ViewNames: []string{"v", "x"}, Log: map[int64][]binlog.Record{0: {{CommitSeq: 130}, {CommitSeq: 140}, {CommitSeq: 150}}}}
	dst := &pairtest.Script{ID: 2, TableMeta: map[int64]*meta.Table{20: {ID: 20, Name: "t"}, 21: {ID: 21, Name: "u"}, 27: {ID: 27, Name: "dropped"}, 28: {ID: 28, Name: "taken"}}}
	in := job.StepInput{Spec: *pairtest.DatabaseSpec(), Progress: p}
	out, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).SelectTables(context.Background(), in)
	require.NoError(t, err)
	require.Equal(t, int64(150), out.GapTo, "the end, not that of one answer")
	require.Equal(t, []int64{12, 30, 14}, out.Gone)
	require.Equal(t, []int64{17, 18, 31}, out.Dropped, "their drops are recorded")
	require.Equal(t, []string{"DROP dropped"}, dst.Executed, "the other gives way to the snapshot of its successor")
	var again, included []string
	for _, part := range out.Missing {
		if part.Again {
			require.NotEmpty(t, part.Why)
			again = append(again, part.Table)
		} else {
			included = append(included, part.Table)
		}
	}
	require.Equal(t, []string{"t", "u2", "v"}, again)
	require.Equal(t, []string{"new", "taken", "x"}, included)

	// Off still, or again: the gap goes on.
	src.Off = map[string]bool{"src": true}
	out, err = New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).SelectTables(context.Background(), in)
	require.NoError(t, err)
	require.Zero(t, out.GapTo)
	require.Empty(t, out.Gone)
}

// After a gap a table stays as it is if it is the same on both sides: versions of
// partitions, which each load raises, and its definition.
func TestWhatIsTheSameAfterAGapIsNotBroughtAgain(t *testing.T) {
	newest := int64(0)
	for _, c := range []struct {
		want   string
		known  bool
		change func(source, destination *pairtest.Content)
	}{
		{want: "", known: true},
		{want: ""},
		{want: "was written", known: true, change: func(s, _ *pairtest.Content) { s.Table.Partitions[0].VisibleVersion++ }},
		{want: "was changed", known: true, change: func(s, _ *pairtest.Content) { s.Column = "w" }},
		{want: "was renamed", known: true, change: func(s, _ *pairtest.Content) { s.Table.Name = "t2" }},
		// TRUNCATE and a load, or INSERT OVERWRITE: the version is what it was.
		{want: "is another one", known: true, change: func(s, _ *pairtest.Content) { s.Table.Partitions[0].ID = newest + 1 }},
		{want: "", known: true, change: func(s, d *pairtest.Content) {
			s.Table.Partitions[0].ID, s.Table.Partitions[0].VisibleVersion, d.Table.Partitions[0].VisibleVersion = newest+1, 1, 1
		}},
		{want: "was changed", change: func(s, _ *pairtest.Content) { s.Rows["p1"] = 9 }},
	} {
		source, destination := pairtest.Sides()
		for _, p := range source.Table.Partitions {
			newest = max(newest, p.ID)
		}
		if c.change != nil {
			c.change(source, destination)
		}
		p := &job.Progress{Tables: map[int64]job.Table{10: {Name: "t", DestID: 20}}}
		if c.known {
			p.Position.Partition = newest
		}
		why := New(pairtest.Comparing(source, destination)).mayDiffer(context.Background(), p, 10, source.Table, destination.Table)
		require.Contains(t, why, c.want)
		require.Equal(t, c.want == "", why == "", why)
	}
}

// racing is a source on which a table is created while it tells how far its log goes.
type racing struct{ *pairtest.Script }

func (r racing) BinlogLag(ctx context.Context, req fe.BinlogRequest) (binlog.Lag, error) {
	r.Names = append(r.Names, "new")
	r.TableMeta[30] = &meta.Table{ID: 30, Name: "new"}
	return binlog.Lag{LastCommitSeq: 200}, nil
}

// What is created while a gap is being closed has a binlog that counts as compared:
// so the tables are listed after the end of the log is known.
func TestCloseGapWhileATableIsCreated(t *testing.T) {
	src := &pairtest.Script{TableMeta: map[int64]*meta.Table{}}
	j := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, &pairtest.Script{}))
	j.Source.FE = racing{src}
	out, err := j.SelectTables(t.Context(), job.StepInput{Progress: job.Progress{Gap: &job.Gap{Reason: "it was off"}, Position: job.Position{CommitSeq: 100}}})
	require.NoError(t, err)
	require.Equal(t, int64(200), out.GapTo)
	require.Equal(t, []job.PartialSync{{TableID: 30, Table: "new", Replace: true}}, out.Missing)
}
