package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// A temporary table is its session's alone, leaves no binlog and ends with it
// (doris-binlogs.md 1.3).
func TestTemporaryTables(t *testing.T) {
	cluster, s := private(t)
	databases := func() int {
		cluster.Core().RLock()
		defer cluster.Core().RUnlock()
		return len(cluster.Core().Databases())
	}
	db := s.database()
	s.table(db, "kept", 1)
	s.exec("INSERT INTO `%s`.kept VALUES (1, 10), (2, 20)", db)
	prev := s.lastSeq(db)
	c, err := s.db.Conn(ctx)
	require.NoError(t, err)
	defer c.Close()
	run := func(statement string) {
		t.Helper()
		_, err := c.ExecContext(context.Background(), statement)
		require.NoError(t, err, statement)
	}
	count := func(query string) (n int) {
		t.Helper()
		require.NoError(t, c.QueryRowContext(ctx, query).Scan(&n), query)
		return n
	}
	run("USE " + db)
	run("CREATE TEMPORARY TABLE x (k INT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
	run("CREATE TEMPORARY TABLE IF NOT EXISTS x (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
	run("INSERT INTO x SELECT k, v FROM kept")
	require.Equal(t, 2, count("SELECT count(*) FROM x WHERE x.k > 0"))
	require.Equal(t, 2, count(fmt.Sprintf("SELECT count(*) FROM kept a JOIN `%s`.x ON a.k = x.k", db)))
	run("CREATE TEMPORARY TABLE y PROPERTIES ('replication_num' = '1') AS SELECT k FROM x")
	require.Equal(t, 2, count("SELECT count(*) FROM y"))
	run("DROP TABLE y")

	require.Empty(t, s.kinds(db, prev), "no binlog")
	require.Equal(t, "kept", values(s.query("SHOW TABLES FROM `%s`", db), "Tables_in_"+db))
	s.refuses(1105, "", "SELECT * FROM `%s`.x", db)
	for _, row := range s.query("SHOW DATABASES") {
		require.NotContains(t, row["Database"], "temporary")
	}
	_, err = c.ExecContext(ctx, "SELECT * FROM y")
	require.Error(t, err, "it is dropped")

	before := databases()
	s.db.SetMaxIdleConns(0) // the session ends with its connection
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return databases() < before }, 5*time.Second, 5*time.Millisecond)
}

// Versions before do not know them.
func TestTemporaryTablesOfOlderVersions(t *testing.T) {
	s := versioned(t, core.Version30)
	s.refuses(1105, "", "CREATE TEMPORARY TABLE x (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1")
}
