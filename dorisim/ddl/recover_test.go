package ddl

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

func TestRecoverTable(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (a INT) DISTRIBUTED BY HASH(a) BUCKETS 1")
	table := f.tab("t")
	f.run("DROP TABLE t")
	require.Contains(t, f.core.Dropped(f.db("s").ID).Tables, table.ID)

	f.run("RECOVER TABLE t")
	require.Same(t, table, f.tab("t"))
	f.wantBinlog(binlog.TypeRecoverInfo, `{"dbId":$DB,"newDbName":"","tableId":$1,"tableName":"t","newTableName":"","partitionId":-1,"partitionName":"","newPartitionName":""}`, table.ID)
	require.NotContains(t, f.core.Dropped(f.db("s").ID).Tables, table.ID)

	f.run("DROP TABLE t")
	f.run("CREATE TABLE t (a INT) DISTRIBUTED BY HASH(a) BUCKETS 1")
	var refusal *core.Error
	require.True(t, errors.As(f.try("RECOVER TABLE t"), &refusal))
	require.Equal(t, "Table 't' already exists", refusal.Message)
	f.run("RECOVER TABLE t AS t2")
	require.Same(t, table, f.tab("t2"))
	_, payload := f.last("s")
	require.Equal(t, "t2", payload["newTableName"])
	require.Contains(t, table.Partitions, "t2", "the only partition bears the table's name")

	require.EqualError(t, f.try("RECOVER TABLE t9"), "errCode = 2, detailMessage = Unknown table 't9' in s")
	f.run("DROP TABLE t2 FORCE")
	require.ErrorContains(t, f.try("RECOVER TABLE t2"), "Unknown table 't2' in s")
}

func TestRecoverAfterReplace(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE a (k INT) DISTRIBUTED BY HASH(k) BUCKETS 1")
	f.run("CREATE TABLE b (k INT) DISTRIBUTED BY HASH(k) BUCKETS 1")
	old := f.tab("a")
	f.run("ALTER TABLE a REPLACE WITH TABLE b PROPERTIES ('swap' = 'false')")
	f.run("RECOVER TABLE a AS c")
	require.Same(t, old, f.tab("c"))
}

func TestRecoverPartition(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (a INT) PARTITION BY RANGE(a) (PARTITION p1 VALUES LESS THAN ('10')) DISTRIBUTED BY HASH(a) BUCKETS 1")
	table := f.tab("t")
	p := table.Partitions["p1"]
	f.run("ALTER TABLE t DROP PARTITION p1")
	require.Contains(t, f.core.Dropped(f.db("s").ID).Partitions, p.ID)
	f.run("RECOVER PARTITION p1 FROM t")
	require.Same(t, p, table.Partitions["p1"])
	f.wantBinlog(binlog.TypeRecoverInfo, `{"dbId":$DB,"newDbName":"","tableId":$1,"tableName":"t","newTableName":"","partitionId":$2,"partitionName":"p1","newPartitionName":""}`, table.ID, p.ID)
	require.NotContains(t, f.core.Dropped(f.db("s").ID).Partitions, p.ID)

	f.run("ALTER TABLE t DROP PARTITION p1")
	f.run("RECOVER PARTITION p1 AS p2 FROM s.t")
	require.Same(t, p, table.Partitions["p2"])
	_, payload := f.last("s")
	require.Equal(t, "p2", payload["newPartitionName"])

	f.run("ALTER TABLE t DROP PARTITION p2")
	f.run("ALTER TABLE t ADD PARTITION p3 VALUES LESS THAN ('5')")
	require.ErrorContains(t, f.try("RECOVER PARTITION p2 FROM t"), "Can not recover partition[p2]. Range conflict.")
	require.ErrorContains(t, f.try("RECOVER PARTITION p3 FROM t"), "partition[p3] already exist in table[t]")
	require.ErrorContains(t, f.try("RECOVER PARTITION px FROM t"), "No partition named 'px'")
	f.run("ALTER TABLE t DROP PARTITION p3 FORCE")
	f.run("RECOVER PARTITION p2 FROM t")
}

func TestRecoverPartitionOfAChangedTable(t *testing.T) {
	f := newFixture(t)
	f.run(twoRanges)
	f.run("ALTER TABLE t DROP PARTITION p2")
	table := f.tab("t")
	f.core.Lock()
	table.Indexes[1] = table.Indexes[table.BaseIndexID]
	f.core.Unlock()
	require.ErrorContains(t, f.try("RECOVER PARTITION p2 FROM t"), "table's index not equal with partition's index")
	f.core.Lock()
	delete(table.Indexes, 1)
	f.core.Unlock()
	f.run("RECOVER PARTITION p2 FROM t")
}

func TestTrashExpires(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (a INT) DISTRIBUTED BY HASH(a) BUCKETS 1")
	f.run("DROP TABLE t")
	f.core.AdvanceClock(25 * time.Hour)
	require.Eventually(t, func() bool {
		f.backend.mu.Lock()
		defer f.backend.mu.Unlock()
		return len(f.backend.specs) == 0
	}, 10*time.Second, 5*time.Millisecond)
	require.ErrorContains(t, f.try("RECOVER TABLE t"), "Unknown table")
}
