package be

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// TestRebase: what is older than the version is replaced, merged by the model;
// what is newer stays on top.
func TestRebase(t *testing.T) {
	schema := schemaOf(types.AggKeys, intColumn("v", "SUM"))
	tab, err := newTablet(TabletSpec{TabletID: 1, Schema: schema}, func() string { return "rs" }, 10)
	require.NoError(t, err)
	publish := func(version int64, data RowsetData) {
		rs, err := tab.encode(version, 1, data)
		require.NoError(t, err)
		require.NoError(t, tab.publish(version, rs))
	}
	publish(2, rows(rowOf(9, 9)))
	publish(3, rows(rowOf(1, 100)))

	require.NoError(t, tab.rebase(2, rows(rowOf(1, 1), rowOf(2, 5), rowOf(1, 2))))
	got, err := tab.scan(3)
	require.NoError(t, err)
	require.Equal(t, []types.Row{rowOf(1, 103), rowOf(2, 5)}, got)

	require.NoError(t, tab.rebase(7, RowsetData{}), "a tablet that is behind catches up")
	require.EqualValues(t, 7, tab.version())
	publish(8, rows(rowOf(4, 4)))
	got, err = tab.scan(8)
	require.NoError(t, err)
	require.Equal(t, []types.Row{rowOf(4, 4)}, got)
	require.ErrorContains(t, tab.rebase(6, RowsetData{}), "compacted up to 7")
}
