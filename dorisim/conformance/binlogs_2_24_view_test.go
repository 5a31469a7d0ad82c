package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// explain tells which index of the table the plan of a SELECT names.
func (s *side) explain(format string, args ...any) string {
	s.t.Helper()
	plan := values(s.query("EXPLAIN "+format, args...), "Explain String(Nereids Planner)")
	_, after, ok := strings.Cut(plan, "TABLE: ")
	require.True(s.t, ok, plan)
	_, after, ok = strings.Cut(after, "(")
	require.True(s.t, ok, plan)
	index, _, ok := strings.Cut(after, "), PREAGGREGATION: ON")
	require.True(s.t, ok, plan)
	return index
}

// Synchronous materialized views with WHERE, expressions and nested functions
// (doris-sql.md 5.8), and EXPLAIN, which names the index that is used (5.6).
func TestMaterializedViewsOfExpressions(t *testing.T) {
	src, dest := source(t), destination(t)
	db, to := src.database(), dest.database()
	src.exec("CREATE TABLE `%s`.t (k INT, v INT, w VARCHAR(20)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	src.exec("INSERT INTO `%s`.t VALUES (1, 10, 'a'), (2, 20, 'b'), (7, 70, 'c')", db)
	src.session().exec("USE `%s`", db)
	statements := map[string]string{
		"filtered": "CREATE MATERIALIZED VIEW filtered AS SELECT k, v FROM t WHERE k > 5",
		"bits":     "CREATE MATERIALIZED VIEW bits AS SELECT k, bitmap_union(to_bitmap(v)), hll_union(hll_hash(w)) FROM t GROUP BY k",
		"absolute": "CREATE MATERIALIZED VIEW absolute AS SELECT abs(k), sum(abs(v) + 1), count(v) FROM t WHERE v > 5 AND k > 0 GROUP BY abs(k)",
		"narrow":   "CREATE MATERIALIZED VIEW narrow AS SELECT w, k FROM t",
	}
	for _, name := range []string{"filtered", "bits", "absolute", "narrow"} {
		src.exec("%s", statements[name])
		src.idle(db)
	}
	src.refuses(1105, "Unknown column 'x'", "CREATE MATERIALIZED VIEW bad AS SELECT abs(x) FROM t")
	src.refuses(1105, "Unknown column 'x'", "CREATE MATERIALIZED VIEW bad AS SELECT k FROM t WHERE x = 1")
	check := func(s *side, db string) {
		t.Helper()
		fields := map[string]string{}
		index := ""
		for _, r := range s.query("DESC `%s`.t ALL", db) {
			if r["IndexName"] != "" {
				index = r["IndexName"]
				fields[index+" where"] = r["WhereClause"]
			}
			fields[index] += r["Field"] + " "
		}
		require.Equal(t, "`k` > 5", fields["filtered where"])
		require.Equal(t, "", fields["bits where"])
		require.Equal(t, "mv_k mva_BITMAP_UNION__to_bitmap(`v`) mva_HLL_UNION__hll_hash(`w`)", strings.TrimSpace(fields["bits"]))
		require.Equal(t, "mv_abs(`k`) mva_SUM__abs(`v`) + 1 mva_SUM__count(`v`)", strings.TrimSpace(fields["absolute"]))
		require.Equal(t, statements["absolute"], values(s.query("SHOW CREATE MATERIALIZED VIEW absolute ON `%s`.t", db), "CreateStmt"))

		require.Equal(t, "filtered", s.explain("SELECT k, v FROM `%s`.t WHERE k > 5", db))
		require.Equal(t, "t", s.explain("SELECT k, v FROM `%s`.t WHERE k > 4", db))
		require.Equal(t, "bits", s.explain("SELECT k, bitmap_union_count(to_bitmap(v)) FROM `%s`.t GROUP BY k", db))
		require.Equal(t, "bits", s.explain("SELECT k, hll_cardinality(hll_union(hll_hash(w))) AS n FROM `%s`.t GROUP BY k ORDER BY k", db))
		require.Equal(t, "absolute", s.explain("SELECT abs(k), sum(abs(v) + 1) FROM `%s`.t WHERE k > 0 AND v > 5 GROUP BY abs(k)", db))
		require.Equal(t, "t", s.explain("SELECT abs(k), sum(abs(v) + 2) FROM `%s`.t WHERE k > 0 AND v > 5 GROUP BY abs(k)", db))
		require.Equal(t, "narrow", s.explain("SELECT w, k FROM `%s`.t x", db))
		require.Equal(t, "t", s.explain("SELECT * FROM `%s`.t", db))
		require.Contains(t, values(s.query("EXPLAIN SELECT k, v FROM `%s`.t WHERE k > 5", db), "Explain String(Nereids Planner)"), "TABLE: "+db+".t(filtered), PREAGGREGATION: ON")
		require.Equal(t, "2,7", values(s.query("SELECT k FROM `%s`.t WHERE k > 1 AND k < 50 ORDER BY k", db), "k"))
		require.Equal(t, "70", values(s.query("SELECT v FROM `%s`.t WHERE k = 7 AND k > 5", db), "v"))
	}
	check(src, db)
	src.restoreInto(dest, db, to)
	check(dest, to)
	src.carry(dest, db, to, "t", "INSERT INTO t VALUES (100, 100, 'z')")
	require.Equal(t, "1", values(dest.query("SELECT bitmap_union_count(to_bitmap(v)) x FROM `%s`.t WHERE k = 100 GROUP BY k", to), "x"))
	src.refuses(1105, "Table [nope] does not exist", "EXPLAIN SELECT k FROM nope")
	src.exec("DROP MATERIALIZED VIEW filtered ON t")
	require.Equal(t, "t", src.explain("SELECT k, v FROM t WHERE k > 5"))
}
