package e2e

// kinds are rows and definitions that few tables have: they come by a snapshot, by
// CREATE_TABLE and by loads, and are equal afterwards (doris-binlogs.md 6.7, row 76).
func kinds() []scenario {
	const one = " DISTRIBUTED BY HASH(k) BUCKETS 2 " + onePlace
	generated := func(name string) string {
		return "CREATE TABLE " + name + " (k INT, a INT DEFAULT '7', c INT AS (a + k), d DOUBLE AS (c * 2) NOT NULL) DUPLICATE KEY(k)" + one
	}
	addresses := func(name string) string {
		return "CREATE TABLE " + name + " (k INT, i IPV4 DEFAULT '10.0.0.1', j IPV6 NULL) UNIQUE KEY(k)" + one
	}
	objects := func(name string) string {
		return "CREATE TABLE " + name + " (k INT, b BITMAP BITMAP_UNION, h HLL HLL_UNION) AGGREGATE KEY(k)" + one
	}
	empty := func(name string) string {
		return "CREATE TABLE " + name + " (k INT, e VARCHAR(10) NOT NULL DEFAULT '', f STRING NULL DEFAULT '') DUPLICATE KEY(k)" + one
	}
	filled := func(suffix string) step {
		return run("INSERT INTO gen"+suffix+" (k) VALUES (1)", "INSERT INTO gen"+suffix+" VALUES (2, -3, DEFAULT, DEFAULT)",
			"INSERT INTO addr"+suffix+" VALUES (1, '192.168.0.9', '2001:0db8:0::1'), (2, '9.0.0.1', NULL)", "INSERT INTO addr"+suffix+" (k, j) VALUES (2, '::1')",
			"INSERT INTO obj"+suffix+" VALUES (1, to_bitmap(5), hll_hash('a')), (2, bitmap_from_string('1,2,3'), hll_hash('b'))",
			"INSERT INTO obj"+suffix+" SELECT 1, to_bitmap(k), hll_hash(k) FROM addr"+suffix, "INSERT INTO empt"+suffix+" (k) VALUES (1)")
	}
	sameObjects := func(suffix string) step {
		return inTurn(
			sameColumn("SELECT concat(k, ':', bitmap_to_string(b), ':', hll_cardinality(h)) x FROM {db}.obj"+suffix+" ORDER BY k", "x"),
			sameColumn("SELECT concat(bitmap_union_count(b), ':', hll_union_agg(h)) x FROM {db}.obj"+suffix, "x"))
	}
	const template = "CREATE TABLE vt (k INT, v VARIANT<'a.b':INT, MATCH_NAME 'n':STRING, PROPERTIES(\"variant_max_subcolumns_count\" = \"10\")> NULL) DUPLICATE KEY(k)" + one
	variant := sinceNew("mismatched input '<'", template)
	return []scenario{
		{row: 76, name: "kinds_of_values", setup: steps(run(generated("gen"), addresses("addr"), objects("obj"), empty("empt")), filled("")),
			steps: steps(filled(""), synced, sameObjects(""),
				run(generated("gen2"), addresses("addr2"), objects("obj2"), empty("empt2")), filled("2"), synced, sameObjects("2"), variant),
			rows: rows{"gen": 4, "gen2": 2, "addr": 2, "addr2": 2, "obj": 2, "obj2": 2, "empt": 2, "empt2": 1}},
		{row: 69, name: "mv_where_nested", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(
				altering("CREATE MATERIALIZED VIEW mv1 AS SELECT abs(id), bitmap_union(to_bitmap(id)), hll_union(hll_hash(v)) FROM t WHERE id > 0 GROUP BY abs(id)"),
				insert("t", 1), sameIndexes("t"), sameColumn("DESC {db}.t ALL", "WhereClause"), sameColumn("DESC {db}.t ALL", "Field"),
				sameColumn("SHOW CREATE MATERIALIZED VIEW mv1 ON {db}.t", "CreateStmt"), run("DROP MATERIALIZED VIEW mv1 ON t"), insert("t", 1), sameIndexes("t")),
			rows: rows{"t": 4}, partial: 1, why: "ROLLUP of table t finished"},
	}
}
