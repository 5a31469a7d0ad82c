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
	require.Equal(t, []string{"k,int", "d,datev2", "s,text", "n,decimalv3(38,2)"}, columnTypes(f, "c"))
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

func TestColumnsThatNeedVariables(t *testing.T) {
	f := newFixture(t)
	agg := "CREATE TABLE a (k INT, a AGG_STATE<max_by(int null,int null)> GENERIC) AGGREGATE KEY(k)" + one
	f.fails(agg, "agg_state not enable")
	f.exec("set enable_agg_state = true; " + agg)
	wide := "CREATE TABLE w (k INT, d DECIMAL(50,2)) DUPLICATE KEY(k)" + one
	f.fails("set enable_decimal256 = false; "+wide, "Decimal256")
	f.exec("set enable_decimal256 = true; " + wide)
	named := "CREATE TABLE n (k INT, `中文` INT) DUPLICATE KEY(k)" + one
	f.fails("set enable_unicode_name_support = false; "+named, "Incorrect column name")
	f.exec("set enable_unicode_name_support = true; "+named, "set enable_unicode_name_support = true; ALTER TABLE n ADD COLUMN `第二` INT")
}

func TestMatch(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE m (k INT, s VARCHAR(50)) DUPLICATE KEY(k)"+one, "INSERT INTO m VALUES (1, 'The quick fox'), (2, 'a slow Dog'), (3, 'foxes')")
	require.Equal(t, []string{"1", "2"}, f.rows("SELECT /*+ SET_VAR(inverted_index_skip_threshold = 0, enable_common_expr_pushdown = true) */ k FROM m WHERE s MATCH_ANY 'fox dog' ORDER BY k"))
	require.Equal(t, []string{"1"}, f.rows("SELECT k FROM m WHERE s MATCH 'FOX'"))
	require.Equal(t, []string{"1"}, f.rows("SELECT k FROM m WHERE s MATCH_PHRASE 'quick fox' AND k > 0"))
}
