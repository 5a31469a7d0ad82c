package e2e

// doris-binlogs.md 6.1: the table of a partial sync changes its name or its
// identity, or is gone, before the sync gets to it.
func partialSyncRaces() []scenario {
	return []scenario{
		{row: 1, name: "ps_tbl_drop", setup: steps(plain("t", "base"), insert("base", 3)),
			steps: paused(schemaChange("t"), insert("t", 1), insert("base", 1), drop("t"), insert("base", 1)),
			rows:  rows{"base": 5}, absent: []string{"t"}, partial: 1},
		{row: 2, name: "ps_tbl_drop_create", setup: steps(plain("t", "base")),
			steps: paused(schemaChange("t"), insert("t", 4), drop("t"), plain("t"), insert("t", 1)),
			rows:  rows{"t": 1}, full: 1, partial: 2},
		{row: 3, name: "ps_tbl_rename", setup: steps(plain("t", "base")),
			steps: paused(schemaChange("t"), insert("t", 4), rename("t", "t2"), insert("t2", 1)),
			rows:  rows{"t2": 5}, absent: []string{"t"}, partial: 2},
		{row: 4, name: "ps_tbl_rename_create", setup: steps(plain("t", "base")),
			steps: paused(schemaChange("t"), insert("t", 4), rename("t", "t2"), insert("t2", 1), plain("t"), insert("t", 1)),
			rows:  rows{"t2": 5, "t": 1}, full: 1, partial: 3},
		{row: 5, name: "ps_tbl_replace", setup: steps(plain("a", "b", "base"), insert("a", 1)),
			steps: paused(schemaChange("a"), insert("a", 4), replaceTable("a", "b"), insert("a", 1)),
			rows:  rows{"a": 1}, absent: []string{"b"}, full: 1, partial: 2},
		{row: 6, name: "ps_tbl_replace_1", setup: steps(plain("a", "b", "base")),
			steps: paused(schemaChange("a"), insert("a", 4), replaceTable("b", "a"), insert("b", 1)),
			rows:  rows{"b": 5}, absent: []string{"a"}, full: 1, partial: 2},
		{row: 7, name: "ps_tbl_replace_swap", setup: steps(plain("a", "b", "base"), insert("a", 1)),
			steps: paused(schemaChange("a"), insert("a", 4), swapTables("a", "b"), insert("a", 1)),
			rows:  rows{"a": 1, "b": 5}, full: 1, partial: 3},
		{row: 8, name: "ps_tbl_replace_swap_1", setup: steps(plain("a", "b", "base"), insert("a", 1)),
			steps: paused(schemaChange("a"), insert("a", 4), swapTables("b", "a"), insert("a", 1)),
			rows:  rows{"a": 1, "b": 5}, full: 1, partial: 3},
		{row: 9, name: "ps_tbl_recover", setup: steps(plain("a", "b", "base"), insert("a", 1)),
			steps: paused(run("DROP TABLE b", "RECOVER TABLE b"), replaceTable("a", "b"), run("RECOVER TABLE a AS b"), insert("a", 1), insert("b", 1)),
			rows:  rows{"a": 1, "b": 2}, full: 1, partial: 4},
	}
}

// doris-binlogs.md 6.2: changes of tables as a whole.
func tableSequences() []scenario {
	altered := steps(schemaChange("t"), insert("t", 1), rename("t", "t2"), insert("t2", 1))
	return []scenario{
		{row: 10, name: "tbl_rename_alter", setup: steps(plain("t"), insert("t", 4)),
			steps: paused(altered...), rows: rows{"t2": 6}, absent: []string{"t"}, partial: 2},
		{row: 11, name: "tbl_rename_alter_create", setup: steps(plain("t"), insert("t", 4)),
			steps: append(paused(altered...), synced, plain("t"), insert("t", 2)),
			rows:  rows{"t2": 6, "t": 2}, partial: 2},
		{row: 12, name: "tbl_rename_alter_create_1", setup: steps(plain("t"), insert("t", 4)),
			steps: paused(append(altered, plain("t"), insert("t", 2))...),
			rows:  rows{"t2": 6, "t": 2}, full: 1, partial: 3},
		{row: 13, name: "tbl_rename_create",
			steps: paused(plain("t"), insert("t", 5), rename("t", "t2"), insert("t2", 1)),
			rows:  rows{"t2": 6}, absent: []string{"t"}},
		{row: 14, name: "tbl_alter_drop", setup: steps(plain("fake")),
			steps: paused(plain("t"), insert("t", 4), schemaChange("t"), run(`ALTER TABLE t ADD COLUMN light INT DEFAULT "1"`),
				insert("t", 1), drop("t"), insert("fake", 1)),
			rows: rows{"fake": 1}, absent: []string{"t"}, partial: 1},
		{row: 15, name: "tbl_alter_drop_create", setup: steps(plain("fake")),
			steps: paused(plain("t"), insert("t", 4), schemaChange("t"), insert("t", 1), drop("t"), insert("fake", 1),
				plain("t"), insert("t", 4), insert("fake", 4)),
			rows: rows{"t": 4, "fake": 5}, full: 1, partial: 2},
		{row: 16, name: "tbl_create_drop", setup: steps(plain("fake")),
			steps: paused(plain("t"), insert("t", 1), drop("t")), absent: []string{"t"}},
		{row: 17, name: "tbl_idx_inverted_drop", setup: steps(plain("fake")),
			steps: paused(plain("t"), insert("t", 1), altering("CREATE INDEX idx_v ON t (v) USING INVERTED"), insert("t", 1),
				altering("DROP INDEX idx_v ON t"), insert("t", 1), drop("t"), insert("fake", 1)),
			rows: rows{"fake": 1}, absent: []string{"t"}, partial: 1},
		{row: 18, name: "tbl_alter_replace", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(schemaChange("old"), insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1)),
			rows:  rows{"old": 3}, absent: []string{"new"}, full: 1, partial: 2},
		{row: 19, name: "tbl_alter_replace_create", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: append(paused(schemaChange("old"), insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1)),
				synced, parted("new"), insert("new", 2)),
			rows: rows{"old": 3, "new": 2}, full: 1, partial: 2},
		{row: 19, name: "tbl_alter_replace_create_1", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(schemaChange("old"), insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1),
				parted("new"), insert("new", 2)),
			rows: rows{"old": 3, "new": 2}, full: 1, partial: 3},
		{row: 20, name: "tbl_alter_replace_swap", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(schemaChange("old"), insert("new", 2), insert("old", 2), swapTables("old", "new"), insert("old", 1), insert("new", 1)),
			rows:  rows{"old": 3, "new": 7}, partial: 3},
		{row: 20, name: "tbl_alter_replace_swap_1", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(schemaChange("new"), insert("new", 2), insert("old", 2), swapTables("old", "new"), insert("old", 1), insert("new", 1)),
			rows:  rows{"old": 3, "new": 7}, full: 1, partial: 3},
	}
}

// doris-binlogs.md 6.2, rows 21 to 28.
func tableRecovery() []scenario {
	const rounds = 11
	var rapid, slow []step
	for round := range rounds {
		again := steps(run("DROP TABLE t", "RECOVER TABLE t"), insert("t", 3))
		rapid = append(rapid, again...)
		slow = append(slow, again...)
		if round%4 == 0 { // seen one by one, and several at once
			slow = append(slow, synced)
		}
	}
	return []scenario{
		{row: 21, name: "tbl_recover_replace", setup: steps(plain("a", "b"), insert("a", 1)),
			steps: append(paused(replaceTable("a", "b"), run("RECOVER TABLE a AS b"), replaceTable("a", "b"), insert("a", 1)),
				synced, counts(rows{"a": 2}), run("RECOVER TABLE a AS b"), insert("b", 1)),
			rows: rows{"a": 2, "b": 1}, full: 1, partial: 4},
		{row: 22, name: "tbl_recover_replace_swap", setup: steps(plain("a", "b"), insert("a", 1)),
			steps: append(paused(replaceTable("a", "b"), run("RECOVER TABLE a AS b"), swapTables("a", "b"), run("DROP TABLE b"), insert("a", 1)),
				synced, counts(rows{"a": 2}), run("RECOVER TABLE b"), insert("b", 1)),
			rows: rows{"a": 2, "b": 1}, full: 1, partial: 4},
		{row: 23, name: "tbl_replace", setup: steps(plain("old", "new"), insert("old", 4)),
			steps: append(append(paused(insert("new", 2), insert("old", 2), swapTables("old", "new"), insert("old", 1), insert("new", 1)),
				synced, counts(rows{"old": 3, "new": 7})),
				paused(insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1))...),
			rows: rows{"old": 10}, absent: []string{"new"}},
		{row: 24, name: "tbl_replace_different", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1)),
			rows:  rows{"old": 3}, absent: []string{"new"}},
		{row: 25, name: "tbl_rename", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(rename("t", "t2"), insert("t2", 2)), rows: rows{"t2": 4}, absent: []string{"t"}},
		{row: 26, name: "tbl_rename_dep", setup: steps(plain("t"), insert("t", 2)),
			steps: paused(insert("t", 2), rename("t", "t2"), insert("t2", 2)), rows: rows{"t2": 6}, absent: []string{"t"}},
		{row: 27, name: "tbl_drop_create", setup: steps(plain("t"), insert("t", 2)),
			steps: steps(drop("t"), run("CREATE TABLE t (name VARCHAR(10), n BIGINT) UNIQUE KEY(name) DISTRIBUTED BY HASH(name) BUCKETS 3 "+onePlace,
				"INSERT INTO t VALUES ('x', 1), ('y', 2)")),
			rows: rows{"t": 2}},
		{row: 28, name: "tbl_drop_recover", setup: steps(plain("t"), insert("t", 3)), steps: slow, rows: rows{"t": 36}, partial: rounds},
		{row: 28, name: "tbl_drop_recover2", setup: steps(plain("t"), insert("t", 3)), steps: rapid, rows: rows{"t": 36}, full: 1, partial: rounds},
		{row: 28, name: "tbl_drop_recover3", setup: steps(plain("t"), insert("t", 3)), steps: paused(rapid...), rows: rows{"t": 36}, full: 1, partial: rounds},
	}
}

// doris-binlogs.md 6.2, rows 29 to 31.
func tableCreation() []scenario {
	return []scenario{
		{row: 29, name: "tbl_create_index", setup: steps(plain("base")),
			steps: steps(run(`CREATE TABLE inv (id INT, v VARCHAR(40), INDEX idx_v (v) USING INVERTED PROPERTIES("parser" = "english") COMMENT 'words')
					DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 `+onePlace,
				`CREATE TABLE bloom (id INT, v VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2
					PROPERTIES ("replication_num" = "1", "bloom_filter_columns" = "v")`,
				`CREATE TABLE ngram (id INT, v VARCHAR(40), INDEX idx_n (v) USING NGRAM_BF PROPERTIES("gram_size" = "3", "bf_size" = "256"))
					DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 `+onePlace),
				insert("inv", 2), insert("bloom", 2), insert("ngram", 2)),
			rows: rows{"inv": 2, "bloom": 2, "ngram": 2}, partial: 1},
		{row: 30, name: "tbl_create_vars", setup: steps(plain("base")),
			steps: steps(session("SET enable_agg_state = true", "SET enable_decimal256 = true", "SET enable_unicode_name_support = true",
				"CREATE TABLE agg (id INT, s AGG_STATE<sum(INT)> GENERIC) AGGREGATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace,
				"CREATE TABLE dec256 (id INT, d DECIMAL(70, 10)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace,
				"CREATE TABLE uni (id INT, `名字` VARCHAR(20)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace)),
			rows: rows{"agg": 0, "dec256": 0, "uni": 0}, partial: 3},
		{row: 31, name: "tbl_create_comment", setup: steps(plain("base")),
			steps: steps(run("CREATE TABLE t (id INT COMMENT 'it''s', v VARCHAR(40) COMMENT \"say \\\"hi\\\"\") DUPLICATE KEY(id) COMMENT \"a 'quoted' \\\"table\\\"\" DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace),
				insert("t", 1)),
			rows: rows{"t": 1}},
	}
}
