package be

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// TestStraysStay: rows that a repeated ingest has left visible outlast
// compaction, light schema changes and later loads of their keys, until a
// predicate deletes them.
func TestStraysStay(t *testing.T) {
	s := schemaOf(types.UniqueKeys, intColumn("v", ""))
	s.Sequence = "v"
	source, destination := startBackend(t, 1, func(c *Config) { c.SegmentRows = 2 }), startBackend(t, 2)
	w := newWriter(t, source, TabletSpec{TabletID: 5, Schema: s, BinlogEnabled: true})
	w.write(rows(rowOf(1, 10)))
	w.write(rows(rowOf(1, 5), rowOf(3, 3), rowOf(3, 4), rowOf(4, 4)))
	w.write(rows(rowOf(1, 11)))
	w.write(RowsetData{Predicate: where("v", "<", 6)})
	require.NoError(t, destination.CreateTablet(TabletSpec{TabletID: 5, Schema: s, MergeOnWrite: true}))
	carry := func(version int64, times int) {
		for range times {
			requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, ingestRequest(source, 5, version, version, 5)).Status)
		}
		require.NoError(t, destination.Publish(version, 9, 5, version))
	}
	tablet, err := destination.tablet(5)
	require.NoError(t, err)
	carry(2, 1)
	carry(3, 2)
	requireRows(t, []types.Row{rowOf(1, 10), rowOf(1, 5), rowOf(3, 4), rowOf(3, 3), rowOf(4, 4)}, scanAll(t, destination, 5))
	compact := func(version int64) {
		tablet.mu.Lock()
		defer tablet.mu.Unlock()
		require.NoError(t, tablet.compact(version))
		tablet.lastScan = scan{}
	}
	compact(3)
	carry(4, 1)
	wider := schemaOf(types.UniqueKeys, intColumn("v", ""), intColumn("w", ""))
	wider.Sequence = "v"
	require.NoError(t, destination.UpdateSchema(5, wider))
	compact(4)
	requireRows(t, []types.Row{rowOf(1, 11, nil), rowOf(1, 5, nil), rowOf(3, 4, nil), rowOf(3, 3, nil), rowOf(4, 4, nil)}, scanAll(t, destination, 5))
	carry(5, 1)
	requireRows(t, []types.Row{rowOf(1, 11, nil)}, scanAll(t, destination, 5))
}

// TestIngestOfAnotherLoadReplaces: a transaction has one rowset a tablet; that
// of another load takes the place of the first.
func TestIngestOfAnotherLoadReplaces(t *testing.T) {
	source, destination := startBackend(t, 1), startBackend(t, 2)
	spec := TabletSpec{TabletID: 5, Schema: schemaOf(types.DupKeys, intColumn("v", "")), BinlogEnabled: true}
	w := newWriter(t, source, spec)
	w.write(rows(rowOf(1, 1)))
	w.write(rows(rowOf(2, 2)))
	require.NoError(t, destination.CreateTablet(spec))
	for version := range int64(2) {
		requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, ingestRequest(source, 5, version+2, 70, 5)).Status)
	}
	require.NoError(t, destination.Publish(70, 9, 5, 2))
	requireRows(t, []types.Row{rowOf(2, 2)}, scanAll(t, destination, 5))
}
