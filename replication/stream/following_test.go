package stream

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// A shift that ends at a binlog brings those right behind it which may share its step,
// up to the first that is anything else.
func TestWhatFollowsIsBrought(t *testing.T) {
	add := func(b *bench, seq int64, table int64) {
		b.Append(seq, binlog.TypeAddPartition, map[string]any{"tableId": table, "sql": "ADD PARTITION p"}, table)
	}
	create := func(b *bench, seq int64, table int64) {
		b.Append(seq, binlog.TypeCreateTable, map[string]any{"dbId": 1, "tableId": table, "tableName": "n", "sql": "CREATE TABLE n"}, table)
	}
	rename := func(b *bench, seq int64) {
		b.Append(seq, binlog.TypeRenameTable, map[string]any{"tb": 10, "nT": "x", "oT": "t0"}, 10)
	}
	for name, c := range map[string]struct {
		log  func(*bench)
		want []int64
	}{
		"nothing follows":         {func(b *bench) { add(b, 110, 10) }, nil},
		"up to a load":            {func(b *bench) { add(b, 110, 10); add(b, 112, 11); b.Upsert(114, 12); add(b, 116, 10) }, []int64{112}},
		"up to a rename":          {func(b *bench) { add(b, 110, 10); add(b, 112, 11); rename(b, 114); add(b, 116, 10) }, []int64{112}},
		"nothing behind a rename": {func(b *bench) { rename(b, 110); add(b, 112, 11) }, nil},
		"past what needs nothing": {func(b *bench) {
			add(b, 110, 10)
			b.Append(112, binlog.TypeBarrier, map[string]any{"dbId": 1}, 10)
			add(b, 114, 11)
		}, []int64{114}},
		"of a table that is created first": {func(b *bench) { create(b, 110, 77); add(b, 112, 77); create(b, 114, 78); add(b, 116, 78) }, []int64{112, 114, 116}},
		// Its CREATE_TABLE may be filed late.
		"not of a table that nobody knows": {func(b *bench) { add(b, 110, 10); add(b, 112, 77) }, nil},
		"up to one that is to be skipped": {func(b *bench) {
			add(b, 110, 10)
			add(b, 112, 10)
			b.Progress.Skip = &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 112}
		}, nil},
		"up to the end of records": {func(b *bench) {
			add(b, 110, 10)
			b.Append(112, binlog.TypeModifyTableProperty, map[string]any{"tableId": 11, "properties": map[string]string{"binlog.enable": "false"}}, 11)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.log(b)
			got := b.stream(0, Hooks{})
			require.Equal(t, job.EndBinlog, got.End, "%+v", got)
			require.Equal(t, int64(110), got.Binlog.CommitSeq)
			require.Less(t, got.Position.CommitSeq, int64(110))
			var seqs []int64
			for _, f := range got.Following {
				seqs = append(seqs, f.CommitSeq)
			}
			require.Equal(t, c.want, seqs)
		})
	}
}

// What travels through the history is bounded.
func TestWhatFollowsIsBounded(t *testing.T) {
	for name, c := range map[string]struct{ text, want int }{
		"number": {10, pair.MostTogether},
		"data":   {30 << 10, 4},
	} {
		b := newBench(t)
		b.Options.BatchSize = 256
		for seq := int64(110); seq < 110+2*pair.MostTogether; seq++ {
			b.Append(seq, binlog.TypeAddPartition, map[string]any{"tableId": 10, "sql": strings.Repeat("x", c.text)}, 10)
		}
		var most int
		for range 4 { // the first batches are small
			got := b.stream(0, Hooks{})
			most = max(most, 1+len(got.Following))
		}
		require.LessOrEqual(t, most, c.want, name)
		require.Greater(t, most, 1, name)
	}
}

// The metadata that outlives a shift is without that of all tables that were handed over.
func TestWhatFollowsIsForgotten(t *testing.T) {
	b := newBench(t)
	b.Upsert(104, 10)
	b.Upsert(106, 11)
	b.Upsert(108, 12)
	b.appendDDL(110)
	b.Append(112, binlog.TypeTruncateTable, map[string]any{"db": "src", "dbId": 1, "table": "t1", "tblId": 11}, 11)
	j := b.job()
	got := b.shiftUpToDDL(j, 7, Hooks{Run: "r"})
	require.Len(t, got.Following, 1)
	kept := j.books.of(j.Spec.UID).ended.source.tables
	require.Contains(t, kept, int64(12))
	require.NotContains(t, kept, int64(10))
	require.NotContains(t, kept, int64(11))
}
