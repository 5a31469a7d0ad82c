package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// After a DDL the metadata of its table is read anew on both sides, and that of no
// other. What may have changed others makes everything be read anew, as does whatever
// may have happened between the shifts.
func TestADDLDropsTheMetadataOfItsTable(t *testing.T) {
	const both = 2 // one call a side and table
	for name, c := range map[string]struct {
		ddl    binlog.Type
		load   int64 // the table of the load after it
		change func(*bench)
		number int
		reads  int
	}{
		"another table":                 {ddl: binlog.TypeTruncateTable, load: 11, number: 8},
		"its table":                     {ddl: binlog.TypeTruncateTable, load: 10, number: 8, reads: both},
		"a DDL of more than its tables": {ddl: binlog.TypeReplaceTable, load: 11, number: 8, reads: both},
		"a shift in between":            {ddl: binlog.TypeTruncateTable, load: 11, number: 9, reads: both},
		"a snapshot in between":         {ddl: binlog.TypeTruncateTable, load: 11, number: 8, reads: both, change: func(b *bench) { b.Progress.Epoch++ }},
		"metadata that is old":          {ddl: binlog.TypeTruncateTable, load: 11, number: 8, reads: both, change: func(b *bench) { time.Sleep(b.Options.MetaMaxAge) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if name == "metadata that is old" {
				b.Options.MetaMaxAge = 20 * time.Millisecond
			}
			j := b.job()
			b.Upsert(102, 10)
			b.Upsert(104, 11)
			b.Append(106, c.ddl, map[string]any{"dbId": 1, "tblId": 10}, 10)
			b.dealtWith(b.shiftUpToDDL(j, 7, Hooks{Run: "r"}))
			if c.change != nil {
				c.change(b)
			}
			reads := func() int { return b.Src.Asked["getMeta"] + b.Dst.Asked["getMeta"] } // between shifts nobody asks
			before := reads()
			b.Upsert(108, c.load)
			b.appendDDL(110)
			b.dealtWith(b.shiftUpToDDL(j, c.number, Hooks{Run: "r"}))
			require.Contains(t, b.Dst.Visible(), int64(108))
			require.Equal(t, c.reads, reads()-before-1, "beside the question for the master")
		})
	}
}

// Metadata of very many tablets is not kept.
func TestMuchMetadataIsNotKept(t *testing.T) {
	c := newMetaCache(nil, 1, time.Hour)
	c.tables[10] = table(10, "t", pairtest.Partition(100, "p", "", pairtest.Index(1000, "t", make([]int64, keptTablets)...)))
	require.Len(t, c.keep(nil).tables, 1)
	require.Empty(t, c.keep([]int64{10}).tables)
	c.tables[11] = table(11, "u", pairtest.Partition(101, "p", "", pairtest.Index(1001, "u", 1)))
	require.Empty(t, c.keep(nil).tables)
}
