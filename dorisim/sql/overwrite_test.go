package sql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

func TestInsertOverwrite(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k INT, v INT) UNIQUE KEY(k)"+one, "INSERT INTO t VALUES (1, 1), (2, 2)")
	before := f.table("t").Partitions["t"].ID
	f.exec("INSERT OVERWRITE TABLE t VALUES (3, 3)")
	require.Equal(t, []string{"3,3"}, f.rows("SELECT * FROM t"))
	require.NotEqual(t, before, f.table("t").Partitions["t"].ID)
	require.Empty(t, f.table("t").Temporary)
	f.exec("INSERT OVERWRITE TABLE t (k) SELECT k + 1 FROM t")
	require.Equal(t, []string{"4,NULL"}, f.rows("SELECT * FROM t"))
	f.exec("INSERT OVERWRITE TABLE t SELECT * FROM t WHERE k > 100")
	require.Empty(t, f.rows("SELECT * FROM t"))
}

func TestInsertOverwritePartition(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20'))"+one,
		"INSERT INTO t VALUES (1), (11)")
	kept, gone := f.table("t").Partitions["p1"].ID, f.table("t").Partitions["p2"].ID
	f.exec("INSERT OVERWRITE TABLE t PARTITION (p2) VALUES (12)")
	require.Equal(t, []string{"1", "12"}, f.rows("SELECT * FROM t ORDER BY k"))
	require.Equal(t, kept, f.table("t").Partitions["p1"].ID)
	require.NotEqual(t, gone, f.table("t").Partitions["p2"].ID)

	f.fails("INSERT OVERWRITE TABLE t PARTITION (p1) VALUES (15)", "Insert has filtered data in strict mode")
	f.fails("INSERT OVERWRITE TABLE t PARTITION (px) VALUES (15)", "does not exist")
	f.fails("INSERT OVERWRITE TABLE t TEMPORARY PARTITION (px) VALUES (15)", "temporary")
	require.Empty(t, f.table("t").Temporary)
	require.Equal(t, []string{"1", "12"}, f.rows("SELECT * FROM t ORDER BY k"))
}

// table returns the metadata of a table of ccr.
func (f *fixture) table(name string) *catalog.Table {
	f.t.Helper()
	f.core.RLock()
	defer f.core.RUnlock()
	db, ok := f.core.Database("ccr")
	require.True(f.t, ok)
	require.Contains(f.t, db.Tables, name)
	return db.Tables[name]
}
