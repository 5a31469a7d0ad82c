package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Values of BITMAP, HLL and AGG_STATE are real: functions evaluate them, equal keys
// merge them, and both ways of replication carry them (doris-sql.md 5.8).
func TestObjectFunctions(t *testing.T) {
	src, dest := source(t).session(), destination(t).session()
	db, to := src.database(), dest.database()
	src.exec("set enable_agg_state=true")
	src.exec("CREATE TABLE `%s`.o (k INT, b BITMAP BITMAP_UNION, h HLL HLL_UNION, a AGG_STATE<max_by(int, int)> GENERIC, m AGG_STATE<sum(int)> GENERIC) "+
		"AGGREGATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	src.exec("INSERT INTO `%s`.o VALUES (1, to_bitmap(7), hll_hash('x'), max_by_state(10, 1), sum_state(4)), (2, bitmap_from_string('1,5,3'), hll_hash(5), max_by_state(20, 9), sum_state(5))", db)
	src.exec("INSERT INTO `%s`.o VALUES (1, bitmap_or(to_bitmap(8), to_bitmap(7)), hll_hash('y'), max_by_state(11, 2), sum_state(6))", db)
	src.exec("INSERT INTO `%s`.o SELECT 3, to_bitmap(k + 40), hll_empty(), max_by_state(k, k), sum_state(k) FROM `%s`.o WHERE k = 2", db, db)

	check := func(s *side, db string) {
		t.Helper()
		one := func(expression, condition string) string {
			return values(s.query("SELECT %s AS x FROM `%s`.o %s", expression, db, condition), "x")
		}
		require.Equal(t, "2,3,1", one("bitmap_count(b)", "ORDER BY k"))
		require.Equal(t, "7,8", one("bitmap_to_string(b)", "WHERE k = 1"))
		require.Equal(t, "1", one("bitmap_contains(b, 5)", "WHERE k = 2"))
		require.Equal(t, "2,1,0", one("hll_cardinality(h)", "ORDER BY k"))
		require.Equal(t, "6", one("bitmap_union_count(b)", ""))
		require.Equal(t, "6", one("bitmap_count(bitmap_union(b))", ""))
		require.Equal(t, "3", one("hll_union_agg(h)", ""))
		require.Equal(t, "3", one("hll_cardinality(hll_union(h))", ""))
		require.Equal(t, "0", one("bitmap_count(bitmap_intersect(b))", ""))
		require.Equal(t, "20", one("max_by_merge(a)", ""))
		require.Equal(t, "11,20,2", values(s.query("SELECT k, max_by_merge(a) x FROM `%s`.o GROUP BY k ORDER BY k", db), "x"))
		require.Equal(t, "17", one("sum_merge(m)", ""))
		require.Equal(t, "17", one("sum_merge(u)", "JOIN (SELECT sum_union(m) u FROM `"+db+"`.o) z WHERE k = 1"))
		require.Equal(t, "2", one("bitmap_count(bitmap_and(b, bitmap_from_string('1,3,9')))", "WHERE k = 2"))
		require.Equal(t, "1,3,5,7,8,42", one("bitmap_to_string(bitmap_union(b))", ""))
	}
	check(src, db)
	require.Equal(t, []string{"bitmap_union_count(b)", "k1"}, src.columns("SELECT bitmap_union_count(b), max(k) k1 FROM `"+db+"`.o"))

	src.restoreInto(dest, db, to)
	check(dest, to)
	src.carry(dest, db, to, "o", "INSERT INTO `"+db+"`.o VALUES (2, to_bitmap(1), hll_hash(6), max_by_state(21, 3), sum_state(1))")
	require.Equal(t, "3,2", dest.query("SELECT concat(bitmap_count(b), ',', hll_cardinality(h)) x FROM `%s`.o WHERE k = 2", to)[0]["x"], "merged by the destination")
	shown := func(s *side, db string) []row {
		s.exec("set return_object_data_as_binary = true")
		defer s.exec("set return_object_data_as_binary = false")
		return s.query("SELECT * FROM `%s`.o ORDER BY k", db)
	}
	require.Equal(t, shown(src, db), shown(dest, to), "equal values are equal texts")
	require.Equal(t, "NULL,NULL,NULL", values(src.query("SELECT * FROM `%s`.o", db), "b"), "else they are not shown")
}

func TestObjectFunctionsOfColumns(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "t", 1)
	s.exec("INSERT INTO `%s`.t VALUES (1, 10), (2, 20), (2, 30), (3, NULL)", db)
	one := func(expression string) string {
		return values(s.query("SELECT %s AS x FROM `%s`.t", expression, db), "x")
	}
	require.Equal(t, "3", one("bitmap_union_count(to_bitmap(v))"))
	require.Equal(t, "3", one("hll_union_agg(hll_hash(k))"))
	require.Equal(t, "3", one("ndv(k)"))
	require.Equal(t, "2", one("max_by(k, v)"))
	require.Equal(t, "1", one("min_by(k, v)"))
	require.Equal(t, "0", one("bitmap_count(bitmap_empty())+hll_cardinality(NULL)")[:1])
	require.Equal(t, "NULL,NULL,NULL,NULL", one("to_bitmap(v)"))
}
