package sql

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCreateTableAsSelect(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k INT, d DATE, s VARCHAR(20), n DECIMAL(10,2)) DUPLICATE KEY(k)"+one, "INSERT INTO t VALUES (1, '2024-01-02', 'a', 1.50), (2, NULL, NULL, NULL)",
		"CREATE TABLE c PROPERTIES ('replication_num' = '1') AS SELECT k, d, s, n FROM t",
		"CREATE TABLE ccr.u UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ('replication_num' = '1') AS SELECT k, count(*) AS total FROM t GROUP BY k")
	require.Equal(t, []string{"1,2024-01-02,a,1.50", "2,NULL,NULL,NULL"}, f.rows("SELECT * FROM c ORDER BY k"))
	require.Equal(t, []string{"1,1", "2,1"}, f.rows("SELECT k, total FROM u ORDER BY k"))
	require.Equal(t, []string{"k,int", "d,date", "s,text", "n,decimal(38,2)"}, columnTypes(f, "c"))
	f.fails("CREATE TABLE x AS SELECT nope FROM t", "Unknown column")
	f.fails("CREATE TABLE c AS SELECT k FROM t", "already exists")
}

func columnTypes(f *fixture, table string) []string {
	var list []string
	for _, row := range f.maps("SHOW COLUMNS FROM " + table) {
		list = append(list, row["Field"]+","+row["Type"])
	}
	return list
}
