package e2e

// doris-binlogs.md 6.6, rows 65 to 67: columns.
func columns() []scenario {
	const aggregate = "CREATE TABLE t (id INT, v VARCHAR(40) REPLACE, n INT SUM) AGGREGATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 " + onePlace
	const wide = "CREATE TABLE t (id INT, k2 INT, v VARCHAR(40), n INT) DUPLICATE KEY(id, k2) DISTRIBUTED BY HASH(id) BUCKETS 2 " + onePlace
	basic := func(name, create string, partial int, then ...step) scenario {
		all := steps(insert("t", 1))
		for _, do := range then {
			all = append(all, do, insert("t", 1))
		}
		return scenario{row: 65, name: name, setup: steps(run(create), insert("t", 1)), steps: all, rows: rows{"t": 2 + len(then)}, partial: partial, why: ofT}
	}
	inTableJob := func(s scenario) scenario {
		s.name, s.table, s.as = "ts_"+s.name, "t", "copy"
		s.rows = rows{"copy": s.rows["t"]}
		return s
	}
	basics := basic("col_basic", wide, 1, run(`ALTER TABLE t ADD COLUMN light INT DEFAULT "1"`),
		altering(`ALTER TABLE t ADD COLUMN heavy INT KEY DEFAULT "2" AFTER id`), run("ALTER TABLE t DROP COLUMN light"))
	types := basic("col_alter_type", wide, 1, inTurn(altering("ALTER TABLE t MODIFY COLUMN n BIGINT"), synced), altering("ALTER TABLE t MODIFY COLUMN v VARCHAR(80)"))
	return []scenario{
		basics, inTableJob(basics),
		basic("col_add", wide, 0, run(`ALTER TABLE t ADD COLUMN a INT DEFAULT "1" AFTER v`), run(`ALTER TABLE t ADD COLUMN b VARCHAR(10) NOT NULL DEFAULT "x"`)),
		basic("col_add_many", wide, 0, run(`ALTER TABLE t ADD COLUMN (a INT DEFAULT "1", b VARCHAR(10) DEFAULT "y")`)),
		basic("col_add_agg", aggregate, 1, run(`ALTER TABLE t ADD COLUMN top INT MAX DEFAULT "0"`), altering(`ALTER TABLE t ADD COLUMN k2 INT KEY DEFAULT "0" AFTER id`)),
		basic("col_drop_value", wide, 0, run("ALTER TABLE t DROP COLUMN n")),
		basic("col_drop_key", wide, 1, altering("ALTER TABLE t DROP COLUMN k2")),
		basic("col_order_by", wide, 1, altering("ALTER TABLE t ORDER BY (k2, id, n, v)")),
		types, inTableJob(types),
		basic("col_rename", wide, 0, run("ALTER TABLE t RENAME COLUMN n number"), run("ALTER TABLE t RENAME COLUMN k2 second")),
		basic("col_alter_comment", wide, 0, run(`ALTER TABLE t MODIFY COLUMN n COMMENT "it's a \"number\""`), run(`ALTER TABLE t MODIFY COMMENT "the 'table'"`)),
		inTableJob(basic("col_alter_comment", wide, 0, run(`ALTER TABLE t MODIFY COLUMN n COMMENT "it's a \"number\""`), run(`ALTER TABLE t MODIFY COMMENT "the 'table'"`))),
		{row: 66, name: "col_default_value", setup: steps(run(aggregate), plain("u")),
			steps: steps(
				run("ALTER TABLE u ADD COLUMN made DATETIME DEFAULT CURRENT_TIMESTAMP", `ALTER TABLE u ADD COLUMN txt VARCHAR(10) DEFAULT "null"`,
					`ALTER TABLE u ADD COLUMN num INT DEFAULT NULL`, `ALTER TABLE u ADD COLUMN said VARCHAR(20) DEFAULT "it's \"x\""`,
					"INSERT INTO u (id, v, made) VALUES (1, 'a', '2026-01-01 00:00:00')",
					"ALTER TABLE t ADD COLUMN bits BITMAP BITMAP_UNION DEFAULT BITMAP_EMPTY", "INSERT INTO t (id, v, n, bits) VALUES (1, 'a', 1, to_bitmap(1))")),
			rows: rows{"t": 1, "u": 1}},
		{row: 66, name: "col_texts", setup: steps(run(aggregate), plain("u")),
			steps: steps(run(`ALTER TABLE u ADD COLUMN said VARCHAR(20) DEFAULT "a\"b" COMMENT "say \"hi\" it's"`, "ALTER TABLE u ADD COLUMN at DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3)",
				`ALTER TABLE u ADD COLUMN (first_ INT, second_ VARCHAR(5) DEFAULT "x'y"), DROP COLUMN said`,
				"ALTER TABLE t ADD COLUMN seen HLL HLL_UNION", "ALTER TABLE t ADD COLUMN bits BITMAP BITMAP_UNION")),
			rows: rows{"t": 0, "u": 0}},
		{row: 66, name: "col_conflict", setup: steps(plain("t"), insert("t", 1)),
			steps: steps(onDestination("ALTER TABLE {db}.t ADD COLUMN e VARCHAR(100)"), run("ALTER TABLE t ADD COLUMN e INT"), insert("t", 1)),
			rows:  rows{"t": 2}, partial: 1, why: "column e is"},
		{row: 66, name: "col_rename_refused", setup: steps(plain("t"), insert("t", 1)),
			steps: steps(onDestination("ALTER TABLE {db}.t ADD COLUMN w INT"), run("ALTER TABLE t RENAME COLUMN v w"), run("INSERT INTO t (id, w) VALUES (7, 'x')")),
			rows:  rows{"t": 2}, partial: 1, why: "RENAME COLUMN"},
		{row: 67, name: "ts_col_filter_dropped_indexes", table: "t", as: "t", alone: true, setup: steps(plain("t"), insert("t", 2)),
			steps: paused(insert("t", 1), held("alter.RUNNING"), run(`ALTER TABLE t ADD COLUMN first_ INT KEY DEFAULT "0" FIRST`), reached("alter.RUNNING"), insert("t", 2),
				released("alter.RUNNING"), altered, insert("t", 1)),
			rows: rows{"t": 6}, partial: 1, why: "of table t was dropped on the source"},
		// Nobody has told the job of the shadow index: the schema change began before
		// the snapshot, and ended before the loads in between were applied.
		{row: 67, name: "fullsync_in_schema_change", alone: true, setup: steps(plain("t"), insert("t", 2)),
			steps: steps(held("alter.RUNNING"), run(`ALTER TABLE t ADD COLUMN first_ INT KEY DEFAULT "0" FIRST`), reached("alter.RUNNING"), forceFull, fullSyncs(2),
				pause, insert("t", 2), released("alter.RUNNING"), altered, insert("t", 1), resume),
			rows: rows{"t": 5}, full: 1, partial: 1, why: "of table t"}, // 3.0 and 2.1: the index of before, which is gone
		{row: 67, name: "ts_fullsync_in_schema_change", table: "t", as: "t", alone: true, setup: steps(plain("t"), insert("t", 2)),
			steps: steps(held("alter.RUNNING"), run(`ALTER TABLE t ADD COLUMN first_ INT KEY DEFAULT "0" FIRST`), reached("alter.RUNNING"), forceFull, fullSyncs(2),
				pause, insert("t", 2), released("alter.RUNNING"), altered, insert("t", 1), resume),
			rows: rows{"t": 5}, full: 1, partial: 1, why: "a schema change of table t"},
	}
}

// doris-binlogs.md 6.6, rows 68 to 72: rollups, materialized views, indexes.
func indexes() []scenario {
	inverted := steps(run("ALTER TABLE t ADD INDEX idx_v (v) USING INVERTED"), insert("t", 1), altering("BUILD INDEX idx_v ON t"), insert("t", 1))
	const described = "SHOW INDEXES FROM {db}.t"
	return []scenario{
		{row: 68, name: "rollup_add_drop", setup: steps(plain("t"), insert("t", 2)),
			steps: append(steps(altering("ALTER TABLE t ADD ROLLUP r1 (v, id)"), insert("t", 1), sameIndexes("t"), run("ALTER TABLE t RENAME ROLLUP r1 r2"), insert("t", 1), sameIndexes("t"),
				run("ALTER TABLE t DROP ROLLUP r2"), insert("t", 1), sameIndexes("t"), altering("ALTER TABLE t ADD ROLLUP r3 (v, id)"), synced),
				append(paused(insert("t", 1), run("ALTER TABLE t DROP ROLLUP r3"), insert("t", 1)), sameIndexes("t"))...),
			rows: rows{"t": 7}, partial: 2, why: "ROLLUP of table t finished"},
		{row: 68, name: "ts_rollup_rename", table: "t", as: "copy", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(altering("ALTER TABLE t ADD ROLLUP r1 (v, id)"), insert("t", 1), run("ALTER TABLE t RENAME ROLLUP r1 r2"), insert("t", 1)), rows: rows{"copy": 4}, partial: 1, why: "ROLLUP of table t finished"},
		{row: 69, name: "mv_create_drop", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(altering("CREATE MATERIALIZED VIEW mv1 AS SELECT v, id FROM t"), insert("t", 1), sameIndexes("t"), run("DROP MATERIALIZED VIEW mv1 ON t"), insert("t", 1), sameIndexes("t")),
			rows:  rows{"t": 4}, partial: 1, why: "ROLLUP of table t finished"},
		{row: 69, name: "mv_basic", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(run(`CREATE MATERIALIZED VIEW amv BUILD IMMEDIATE REFRESH COMPLETE ON MANUAL DISTRIBUTED BY HASH(id) BUCKETS 1 `+onePlace+` AS SELECT id, v FROM t`),
				insert("t", 1), run("REFRESH MATERIALIZED VIEW amv COMPLETE"), insert("t", 1)),
			rows: rows{"t": 4}, sourceOnly: []string{"amv"}, absent: []string{"amv"}},
		{row: 70, name: "idx_inverted_add_build_drop", setup: steps(plain("t"), insert("t", 2)),
			steps: append(steps(inverted...), synced, sameColumn(described, "Key_name"), altering("DROP INDEX idx_v ON t"), insert("t", 1), synced, sameColumn(described, "Key_name")),
			rows:  rows{"t": 5}, partial: 1, why: "inverted indexes were added: idx_v"},
		{row: 70, name: "ts_idx_inverted_add_build_drop", table: "t", as: "t", setup: steps(plain("t"), insert("t", 2)),
			steps: append(paused(inverted...), synced, sameColumn(described, "Key_name"), altering("DROP INDEX idx_v ON t"), insert("t", 1), synced, sameColumn(described, "Key_name")),
			rows:  rows{"t": 5}, partial: 1, why: "inverted indexes were added: idx_v"},
		{row: 70, name: "idx_inverted_add_drop_multi", setup: steps(run("CREATE TABLE t (id INT, v VARCHAR(40), w VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 "+onePlace), insert("t", 2)),
			steps: steps(altering("ALTER TABLE t ADD INDEX idx_v (v) USING INVERTED, ADD INDEX idx_w (w) USING INVERTED"), insert("t", 1), synced, sameColumn(described, "Key_name"),
				altering("ALTER TABLE t DROP INDEX idx_v, DROP INDEX idx_w"), insert("t", 1), synced, sameColumn(described, "Key_name")),
			rows: rows{"t": 4}, partial: 1, why: "inverted indexes were added: idx_v, idx_w"},
		{row: 70, name: "idx_inverted_build_with_part", setup: steps(parted("t"), insert("t", 2), run("INSERT INTO t VALUES (150, 'p2')")),
			steps: steps(altering("ALTER TABLE t ADD INDEX idx_v (v) USING INVERTED", "BUILD INDEX idx_v ON t PARTITION(p1)", "BUILD INDEX idx_v ON t PARTITIONS(p2)"), insert("t", 1)),
			rows:  rows{"t": 4}, partial: 1, why: "inverted indexes were added: idx_v"},
		{row: 70, name: "idx_inverted_match", setup: steps(run(`CREATE TABLE t (id INT, v VARCHAR(40), INDEX idx_v (v) USING INVERTED PROPERTIES("parser" = "english")) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 `+onePlace), insert("t", 2)),
			steps: steps(insert("t", 2), synced, sameColumn("SELECT id FROM {db}.t WHERE v MATCH_ANY 'row' ORDER BY id", "id")), rows: rows{"t": 4}},
		{row: 71, name: "idx_bf_add_drop", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(altering(`ALTER TABLE t SET ("bloom_filter_columns" = "v")`), insert("t", 1), synced, altering(`ALTER TABLE t SET ("bloom_filter_columns" = "")`), insert("t", 1)),
			rows:  rows{"t": 4}, partial: 2, why: "of table t"},
		{row: 71, name: "idx_bf_fpp", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(altering(`ALTER TABLE t SET ("bloom_filter_columns" = "v", "bloom_filter_fpp" = "0.01")`), insert("t", 1)),
			rows:  rows{"t": 3}, partial: 1, why: "of table t"},
		{row: 71, name: "idx_ngbf_add_drop", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(altering(`ALTER TABLE t ADD INDEX idx_n (v) USING NGRAM_BF PROPERTIES("gram_size" = "3", "bf_size" = "256")`), insert("t", 1), synced, altering("ALTER TABLE t DROP INDEX idx_n"), insert("t", 1)),
			rows:  rows{"t": 4}, partial: 2, why: "of table t"},
		{row: 71, name: "idx_bitmap_add", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(altering("ALTER TABLE t ADD INDEX idx_b (v) USING BITMAP"), insert("t", 1)), rows: rows{"t": 3}, partial: 1, why: "of table t"},
		{row: 72, name: "ts_tbl_alter_replace", table: "old", as: "old", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(schemaChange("old"), insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1)),
			rows:  rows{"old": 3}, absent: []string{"new"}, full: 1, why: "table old was replaced by table new"},
	}
}
