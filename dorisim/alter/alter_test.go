package alter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// empty is a cluster with one table that has no partitions.
func empty(t *testing.T, v core.Version) (*Manager, *catalog.Table) {
	t.Helper()
	c := core.New(core.Config{Name: "test", Version: v, GCPeriod: -1})
	t.Cleanup(c.Close)
	c.Lock()
	defer c.Unlock()
	db := &catalog.Database{ID: c.NextID(), Name: "d", Properties: map[string]string{"binlog.enable": "true"}}
	c.PutDatabase(db)
	table := &catalog.Table{ID: c.NextID(), DBID: db.ID, Name: "t", Kind: catalog.OLAP, State: catalog.StateNormal, BaseIndexID: c.NextID(),
		Properties: map[string]string{"binlog.enable": "true"}}
	table.Indexes = map[int64]*catalog.Index{table.BaseIndexID: {ID: table.BaseIndexID, Name: "t"}}
	db.Tables["t"] = table
	return New(c), table
}

func (m *Manager) submit(table *catalog.Table, kind Kind, name string) *Job {
	m.core.Lock()
	defer m.core.Unlock()
	return m.Submit(table, Request{Kind: kind, Indexes: []NewIndex{{
		Index: &catalog.Index{Name: name}, OriginID: table.BaseIndexID,
		Convert: func([]types.Row) (be.RowsetData, error) { return be.RowsetData{}, nil },
	}}})
}

func (m *Manager) states(j *Job) (State, catalog.TableState) {
	m.core.RLock()
	defer m.core.RUnlock()
	t, _ := m.table(j)
	return j.State, t.State
}

// TestTwoRollups: the table is NORMAL again when the last of its jobs has ended.
func TestTwoRollups(t *testing.T) {
	m, table := empty(t, core.VersionNew)
	a, b := m.submit(table, Rollup, "a"), m.submit(table, Rollup, "b")
	for _, j := range []*Job{a, b} {
		require.Eventually(t, func() bool {
			job, _ := m.states(j)
			return job == Finished
		}, 5*time.Second, time.Millisecond)
	}
	_, state := m.states(a)
	require.Equal(t, catalog.StateNormal, state)
	m.core.RLock()
	defer m.core.RUnlock()
	require.Len(t, table.Indexes, 3)
	require.Len(t, m.Jobs(table.DBID, Rollup), 2)
	require.Empty(t, m.Jobs(table.DBID, SchemaChange))
}

// TestRollupFieldsAreNew: older versions do not record them (doris-binlogs.md
// 2.7).
func TestRollupFieldsAreNew(t *testing.T) {
	for version, want := range map[core.Version]bool{core.VersionNew: true, core.Version30: false} {
		m, table := empty(t, version)
		m.submit(table, Rollup, "r")
		all, _ := m.core.ReadBinlogs(table.DBID, -1, -1, 10)
		require.NotEmpty(t, all)
		last := all[len(all)-1]
		require.Equal(t, binlog.TypeAlterJob, last.Type)
		if want {
			require.Contains(t, last.Data, `"rollUpIndexName":"r"`)
		} else {
			require.NotContains(t, last.Data, "ollup")
		}
	}
}
