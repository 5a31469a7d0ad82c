package e2e

// doris-binlogs.md 6.1: the table of a partial sync changes its name or its
// identity, or is gone, before the sync gets to it.
func partialSyncRaces() []scenario {
	return []scenario{
		{row: 1, name: "ps_tbl_drop", better: "and_drops_t_as_its_id_is_looked_up", setup: steps(plain("t", "base"), insert("base", 3)),
			steps: paused(schemaChange("t"), insert("t", 1), insert("base", 1), drop("t"), insert("base", 1)),
			rows:  rows{"base": 5}, absent: []string{"t"}},
		{row: 2, name: "ps_tbl_drop_create", better: "without_full_sync_as_ids_tell_them_apart", setup: steps(plain("t", "base")),
			steps: paused(schemaChange("t"), insert("t", 4), drop("t"), plain("t"), insert("t", 1)),
			rows:  rows{"t": 1}},
		{row: 3, name: "ps_tbl_rename", setup: steps(plain("t", "base")),
			steps: paused(schemaChange("t"), insert("t", 4), rename("t", "t2"), insert("t2", 1)),
			rows:  rows{"t2": 5}, absent: []string{"t"}, partial: 1, why: "SCHEMA_CHANGE of table t finished"},
		{row: 4, name: "ps_tbl_rename_create", better: "without_full_sync_as_ids_tell_them_apart", setup: steps(plain("t", "base")),
			steps: paused(schemaChange("t"), insert("t", 4), rename("t", "t2"), insert("t2", 1), plain("t"), insert("t", 1)),
			rows:  rows{"t2": 5, "t": 1}, partial: 1, why: "SCHEMA_CHANGE of table t finished"},
		{row: 5, name: "ps_tbl_replace", better: "without_any_snapshot_as_b_takes_the_name", setup: steps(plain("a", "b", "base"), insert("a", 1)),
			steps: paused(schemaChange("a"), insert("a", 4), replaceTable("a", "b"), insert("a", 1)),
			rows:  rows{"a": 1}, absent: []string{"b"}},
		{row: 6, name: "ps_tbl_replace_1", better: "without_full_sync_as_the_id_is_found_by_its_new_name", setup: steps(plain("a", "b", "base")),
			steps: paused(schemaChange("a"), insert("a", 4), replaceTable("b", "a"), insert("b", 1)),
			rows:  rows{"b": 5}, absent: []string{"a"}, partial: 1, why: "SCHEMA_CHANGE of table a finished"},
		{row: 7, name: "ps_tbl_replace_swap", better: "without_full_sync_as_the_id_is_found_by_its_new_name", setup: steps(plain("a", "b", "base"), insert("a", 1)),
			steps: paused(schemaChange("a"), insert("a", 4), swapTables("a", "b"), insert("a", 1)),
			rows:  rows{"a": 1, "b": 5}, partial: 2, why: "table a was replaced with b, and one of them is in a snapshot already"},
		{row: 8, name: "ps_tbl_replace_swap_1", better: "without_full_sync_as_the_id_is_found_by_its_new_name", setup: steps(plain("a", "b", "base"), insert("a", 1)),
			steps: paused(schemaChange("a"), insert("a", 4), swapTables("b", "a"), insert("a", 1)),
			rows:  rows{"a": 1, "b": 5}, partial: 2, why: "table b was replaced with a, and one of them is in a snapshot already"},
		{row: 9, name: "ps_tbl_recover", better: "without_full_sync_as_ids_tell_them_apart", setup: steps(plain("a", "b", "base"), insert("a", 1)),
			steps: paused(run("DROP TABLE b", "RECOVER TABLE b"), replaceTable("a", "b"), recoverReplaced("a", "b"), insert("a", 1), insertSinceNew("b", 1)),
			rows:  since(rows{"a": 1, "b": 2}, rows{"a": 1}), absent: since(nil, []string{"b"}),
			partial: since(2, 1), why: since("table a was recovered", "table b was recovered")},
	}
}

// doris-binlogs.md 6.2: changes of tables as a whole.
func tableSequences() []scenario {
	altered := steps(schemaChange("t"), insert("t", 1), rename("t", "t2"), insert("t2", 1))
	return []scenario{
		{row: 10, name: "tbl_rename_alter", setup: steps(plain("t"), insert("t", 4)),
			steps: paused(altered...), rows: rows{"t2": 6}, absent: []string{"t"}, partial: 1, why: "SCHEMA_CHANGE of table t finished"},
		{row: 11, name: "tbl_rename_alter_create", setup: steps(plain("t"), insert("t", 4)),
			steps: append(paused(altered...), synced, plain("t"), insert("t", 2)),
			rows:  rows{"t2": 6, "t": 2}, partial: 1, why: "SCHEMA_CHANGE of table t finished"},
		{row: 12, name: "tbl_rename_alter_create_1", better: "without_full_sync_as_ids_tell_them_apart", setup: steps(plain("t"), insert("t", 4)),
			steps: paused(append(altered, plain("t"), insert("t", 2))...),
			rows:  rows{"t2": 6, "t": 2}, partial: 1, why: "SCHEMA_CHANGE of table t finished"},
		{row: 13, name: "tbl_rename_create",
			steps: paused(plain("t"), insert("t", 5), rename("t", "t2"), insert("t2", 1)),
			rows:  rows{"t2": 6}, absent: []string{"t"}},
		{row: 14, name: "tbl_alter_drop", better: "and_drops_t_as_its_id_is_looked_up", setup: steps(plain("fake")),
			steps: paused(plain("t"), insert("t", 4), schemaChange("t"), run(`ALTER TABLE t ADD COLUMN light INT DEFAULT "1"`),
				insert("t", 1), drop("t"), insert("fake", 1)),
			rows: rows{"fake": 1}, absent: []string{"t"}},
		{row: 15, name: "tbl_alter_drop_create", better: "without_full_sync_as_ids_tell_them_apart", setup: steps(plain("fake")),
			steps: paused(plain("t"), insert("t", 4), schemaChange("t"), insert("t", 1), drop("t"), insert("fake", 1),
				plain("t"), insert("t", 4), insert("fake", 4)),
			rows: rows{"t": 4, "fake": 5}},
		{row: 16, name: "tbl_create_drop", setup: steps(plain("fake")),
			steps: paused(plain("t"), insert("t", 1), drop("t")), absent: []string{"t"}},
		{row: 17, name: "tbl_idx_inverted_drop", better: "and_drops_t_as_its_id_is_looked_up", setup: steps(plain("fake")),
			steps: paused(plain("t"), insert("t", 1), altering("CREATE INDEX idx_v ON t (v) USING INVERTED"), insert("t", 1),
				altering("DROP INDEX idx_v ON t"), insert("t", 1), drop("t"), insert("fake", 1)),
			rows: rows{"fake": 1}, absent: []string{"t"}},
		{row: 18, name: "tbl_alter_replace", better: "without_full_sync_as_the_altered_table_is_gone", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(schemaChange("old"), insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1)),
			rows:  rows{"old": 3}, absent: []string{"new"}},
		{row: 19, name: "tbl_alter_replace_create", better: "without_full_sync_as_the_altered_table_is_gone", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: append(paused(schemaChange("old"), insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1)),
				synced, parted("new"), insert("new", 2)),
			rows: rows{"old": 3, "new": 2}},
		{row: 19, name: "tbl_alter_replace_create_1", better: "without_full_sync_as_the_altered_table_is_gone", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(schemaChange("old"), insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1),
				parted("new"), insert("new", 2)),
			rows: rows{"old": 3, "new": 2}},
		{row: 20, name: "tbl_alter_replace_swap", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(schemaChange("old"), insert("new", 2), insert("old", 2), swapTables("old", "new"), insert("old", 1), insert("new", 1)),
			rows:  rows{"old": 3, "new": 7}, partial: 2, why: "the destination of table old"},
		{row: 20, name: "tbl_alter_replace_swap_1", better: "without_full_sync_as_the_id_is_found_by_its_new_name", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: paused(schemaChange("new"), insert("new", 2), insert("old", 2), swapTables("old", "new"), insert("old", 1), insert("new", 1)),
			rows:  rows{"old": 3, "new": 7}, partial: 2, why: "the destination of table new"},
	}
}

// doris-binlogs.md 6.2, rows 21 to 28.
func tableRecovery() []scenario {
	const recovered = "table t was recovered"
	round := steps(run("DROP TABLE t", "RECOVER TABLE t"), insert("t", 3))
	var rapid, slow []step
	for n := range 11 {
		rapid = append(rapid, round...)
		if n < 3 { // seen one by one, the others all at once
			slow = append(append(slow, round...), synced)
		}
	}
	slow = append(slow, paused(rapid[3*len(round):]...)...)
	return []scenario{
		{row: 21, name: "tbl_recover_replace", better: "without_full_sync_as_ids_tell_them_apart", setup: steps(plain("a", "b"), insert("a", 1)),
			steps: append(paused(replaceTable("a", "b"), recoverReplaced("a", "b"), sinceNew(noB, replaceStatement("a", "b", false)), insert("a", 1)),
				synced, counts(since(rows{"a": 2}, rows{"a": 1})), recoverReplaced("a", "b"), insertSinceNew("b", 1)),
			rows: since(rows{"a": 2, "b": 1}, rows{"a": 1}), absent: since(nil, []string{"b"}),
			partial: since(2, 0), why: since("table a was recovered", "")},
		{row: 22, name: "tbl_recover_replace_swap", better: "without_full_sync_as_ids_tell_them_apart", setup: steps(plain("a", "b"), insert("a", 1)),
			steps: append(paused(replaceTable("a", "b"), recoverReplaced("a", "b"), sinceNew(noB, replaceStatement("a", "b", true)), sinceNew(noB, "DROP TABLE b"), insert("a", 1)),
				synced, counts(since(rows{"a": 2}, rows{"a": 1})), sinceNew(noB, "RECOVER TABLE b"), insertSinceNew("b", 1)),
			rows: since(rows{"a": 2, "b": 1}, rows{"a": 1}), absent: since(nil, []string{"b"}),
			partial: since(2, 0), why: since("table b was recovered", "")},
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
			steps: steps(run("DROP TABLE t", "CREATE TABLE t (name VARCHAR(10), n BIGINT) UNIQUE KEY(name) DISTRIBUTED BY HASH(name) BUCKETS 3 "+onePlace,
				"INSERT INTO t VALUES ('x', 1), ('y', 2)")),
			rows: rows{"t": 2}},
		{row: 28, name: "tbl_drop_recover", setup: steps(plain("t"), insert("t", 3)), steps: slow, rows: rows{"t": 36}, partial: 4, why: recovered},
		// How many rounds a snapshot covers is a matter of time.
		{row: 28, name: "tbl_drop_recover2", setup: steps(plain("t"), insert("t", 3)), steps: rapid, rows: rows{"t": 36}, partial: 1, partialMost: 11, why: recovered},
		{row: 28, name: "tbl_drop_recover3", setup: steps(plain("t"), insert("t", 3)), steps: paused(rapid...), rows: rows{"t": 36}, partial: 1, why: recovered},
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
			rows: rows{"inv": 2, "bloom": 2, "ngram": 2}, partial: 1, why: "table inv has an inverted index"},
		{row: 30, name: "tbl_create_vars", better: "without_snapshots_as_the_statements_get_their_variables", setup: steps(plain("base")),
			steps: steps(session("SET enable_agg_state = true", "SET enable_decimal256 = true", "SET enable_unicode_name_support = true",
				"CREATE TABLE agg (id INT, s AGG_STATE<sum(INT)> GENERIC) AGGREGATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace,
				"CREATE TABLE dec256 (id INT, d DECIMAL(70, 10)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace,
				"CREATE TABLE uni (id INT, `名字` VARCHAR(20)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace)),
			rows: rows{"agg": 0, "dec256": 0, "uni": 0}},
		{row: 30, name: "unicode_names", setup: steps(plain("base")),
			steps: steps(session("SET enable_unicode_name_support = true",
				"CREATE TABLE `表` (id INT, v VARCHAR(40)) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION `一` VALUES LESS THAN (\"1000000\")) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace,
				"ALTER TABLE `表` ADD PARTITION `二` VALUES LESS THAN (\"2000000\")", "ALTER TABLE `表` RENAME PARTITION `二` `三`",
				"ALTER TABLE `表` ADD COLUMN `数` INT", "ALTER TABLE `表` RENAME COLUMN `数` `字`", "ALTER TABLE `表` RENAME `桌`",
				"CREATE VIEW `视` AS SELECT id FROM `桌`", "CREATE TABLE `又` LIKE `桌`"), run("INSERT INTO `桌` (id, v) VALUES (1, 'a')", "INSERT INTO `桌` (id, v) VALUES (2, 'b')")),
			rows: rows{"桌": 2, "又": 0}},
		{row: 30, name: "unicode_names_by_snapshot",
			setup: steps(session("SET enable_unicode_name_support = true",
				"CREATE TABLE `表` (id INT, v VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace, "INSERT INTO `表` VALUES (1, 'a')")),
			steps: steps(altering("ALTER TABLE `表` ADD COLUMN k2 INT KEY DEFAULT \"0\" AFTER id"), run("INSERT INTO `表` (id, v) VALUES (2, 'b')")),
			rows:  rows{"表": 2}, partial: 1, why: "SCHEMA_CHANGE of table 表"},
		{row: 30, name: "no_light_schema_change", setup: steps(plain("base")),
			steps: steps(run(`CREATE TABLE old (id INT, v VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1", "light_schema_change" = "false")`), insert("old", 1)),
			rows:  rows{"old": 1}},
		{row: 31, name: "tbl_create_comment", setup: steps(plain("base")),
			steps: steps(run("CREATE TABLE t (id INT COMMENT 'it''s', v VARCHAR(40) COMMENT \"say \\\"hi\\\"\") DUPLICATE KEY(id) COMMENT \"a 'quoted' \\\"table\\\"\" DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace),
				insert("t", 1)),
			rows: rows{"t": 1}},
	}
}
