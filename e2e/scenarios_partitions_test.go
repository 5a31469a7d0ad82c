package e2e

import "fmt"

// doris-binlogs.md 6.4: what follows a schema change is applied on top of its
// partial sync.
func afterPartialSync() []scenario {
	list := increments()
	for i := range list {
		s := &list[i]
		s.steps = paused(append(steps(schemaChange("t")), s.steps...)...)
		s.partial, s.why = 1, "SCHEMA_CHANGE of table t finished"
	}
	const sums = "CREATE TABLE %s (id INT, total BIGINT SUM) AGGREGATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 "
	return append(list, []scenario{
		{row: 50, name: "partial_sync_merge", setup: steps(run(fmt.Sprintf(sums, "t1")+onePlace, fmt.Sprintf(sums, "t2")+onePlace)),
			steps: paused(run("INSERT INTO t1 (id, total) VALUES (1, 1)", "INSERT INTO t2 (id, total) VALUES (1, 1)"), schemaChange("t1"),
				run("INSERT INTO t1 (id, total) VALUES (1, 2)", "INSERT INTO t2 (id, total) VALUES (1, 2)"), schemaChange("t2"),
				run("INSERT INTO t1 (id, total) VALUES (1, 3)", "INSERT INTO t2 (id, total) VALUES (1, 3)")),
			rows: rows{"t1": 1, "t2": 1}, partial: 2, why: "of table t2"},
		{row: 51, name: "psi_drop_table", setup: steps(run("CREATE TABLE t (id INT, v VARCHAR(40), INDEX idx_v (v) USING INVERTED) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 "+onePlace),
			plain("t1"), insert("t", 1)),
			steps: append(paused(schemaChange("t"), insert("t", 3), schemaChange("t1"), altering("DROP INDEX idx_v ON t"), drop("t1")), insert("t", 1)),
			rows:  rows{"t": 5}, absent: []string{"t1"}, partial: 1, why: "SCHEMA_CHANGE of table t finished"},
		{row: 52, name: "tbl_ps_inc_basic", table: "t", as: "t", setup: steps(parted("t"), insert("t", 2)),
			steps: paused(schemaChange("t"), insert("t", 2), run(`ALTER TABLE t ADD PARTITION p6 VALUES [("500"), ("600"))`, "INSERT INTO t (id, v) VALUES (550, 'p6')",
				`ALTER TABLE t ADD COLUMN light INT DEFAULT "1"`), insert("t", 1)),
			rows: rows{"t": 6}, partial: 1, why: "SCHEMA_CHANGE of table t finished"},
	}...)
}

// increments are what rows 43 to 49 do after the schema change of t.
func increments() []scenario {
	after := func(row int, name string, want int, then ...step) scenario {
		return scenario{row: row, name: name, setup: steps(parted("t", "other"), insert("t", 2)), steps: then, rows: rows{"t": want}}
	}
	upsert := after(43, "inc_upsert", 5, insert("t", 2), insert("other", 2), insert("t", 1))
	upsert.rows["other"] = 2
	return []scenario{
		upsert,
		after(44, "inc_add_partition", 4, run(`ALTER TABLE t ADD PARTITION p6 VALUES [("500"), ("600"))`, "INSERT INTO t (id, v) VALUES (550, 'p6')"), insert("t", 1)),
		after(45, "inc_drop_partition", 3, run("ALTER TABLE t DROP PARTITION p3 FORCE"), insert("t", 1)),
		after(46, "inc_lightning_sc", 3, run(`ALTER TABLE t ADD COLUMN light INT DEFAULT "1"`), insert("t", 1)),
		after(47, "inc_trunc_table", 3, insert("t", 2), run("TRUNCATE TABLE t"), insert("t", 3)),
		after(48, "inc_replace_partition", 4,
			run(`ALTER TABLE t ADD TEMPORARY PARTITION tp1 VALUES [("0"), ("100"))`, "INSERT INTO t TEMPORARY PARTITION(tp1) (id, v) VALUES (50, 'temp')",
				"ALTER TABLE t REPLACE PARTITION (p1) WITH TEMPORARY PARTITION (tp1)"),
			insert("t", 3)),
		after(49, "inc_alter", 3, schemaChange("t"), insert("t", 1)),
	}
}

// afterTheBarrier plays rows 43 to 49 so that what follows the schema change
// lies behind the barrier of its snapshot: it is not contained, and has to be
// applied on top.
func afterTheBarrier() []scenario {
	list := increments()
	for i := range list {
		s := &list[i]
		s.name, s.alone = s.name+"_after_the_barrier", true
		s.steps = atThe(barrier, steps(schemaChange("t")), s.steps)
		s.partial, s.why = 1, ofT
		switch s.row {
		case 48:
			s.partial, s.why = 2, "partitions of t were replaced: p1"
		case 49:
			s.partial = 2
		}
	}
	return list
}

// doris-binlogs.md 6.5.
func partitions() []scenario {
	const temporary = `ALTER TABLE t ADD TEMPORARY PARTITION tp VALUES [("100"), ("200"))`
	return []scenario{
		{row: 53, name: "part_drop", setup: steps(parted("t"), run("INSERT INTO t VALUES (150, 'p2'), (1, 'p1')")),
			steps: steps(run("ALTER TABLE t DROP PARTITION p2 FORCE"), insert("t", 1)), rows: rows{"t": 2}},
		{row: 53, name: "part_conflict", setup: steps(parted("t"), run("INSERT INTO t VALUES (150, 'p2'), (1, 'p1')")),
			steps: steps(onDestination(`ALTER TABLE {db}.t ADD PARTITION p9 VALUES [("900"), ("950"))`), run(`ALTER TABLE t ADD PARTITION p9 VALUES [("900"), ("1000"))`, "INSERT INTO t VALUES (970, 'p9')")),
			rows:  rows{"t": 3}, partial: 1, why: "partition p9 holds"},
		{row: 54, name: "part_drop_1", setup: steps(parted("t")),
			steps: paused(run("INSERT INTO t VALUES (150, 'p2'), (250, 'p3')", "ALTER TABLE t DROP PARTITION p2 FORCE"), insert("t", 1)), rows: rows{"t": 2}},
		{row: 55, name: "part_add_drop", setup: steps(parted("t")),
			steps: paused(run(`ALTER TABLE t ADD PARTITION p6 VALUES [("500"), ("600"))`, "INSERT INTO t VALUES (550, 'p6')", "ALTER TABLE t DROP PARTITION p6 FORCE"), insert("t", 1)),
			rows:  rows{"t": 1}},
		{row: 56, name: "part_replace_drop", setup: steps(parted("t"), run("INSERT INTO t VALUES (150, 'p2')")),
			steps: paused(run(`ALTER TABLE t ADD TEMPORARY PARTITION p5t VALUES [("100"), ("200"))`, "INSERT INTO t TEMPORARY PARTITION(p5t) VALUES (151, 'temporary')",
				"ALTER TABLE t REPLACE PARTITION (p2) WITH TEMPORARY PARTITION (p5t)", "ALTER TABLE t DROP PARTITION p2 FORCE", "INSERT INTO t VALUES (250, 'p3')")),
			rows: rows{"t": 1}, partial: 1, why: "partitions of t were replaced, and p2 is gone since"},
		{row: 57, name: "part_replace", setup: steps(parted("t"), run("INSERT INTO t VALUES (150, 'p2'), (250, 'p3')")),
			steps: steps(run(temporary, "INSERT INTO t TEMPORARY PARTITION(tp) VALUES (151, 'new'), (152, 'new')",
				"ALTER TABLE t REPLACE PARTITION (p2) WITH TEMPORARY PARTITION (tp)"), synced, restoredOnly("t", "p2"), insert("t", 1)),
			rows: rows{"t": 4}, partial: 1, why: "partitions of t were replaced: p2"},
		{row: 58, name: "ts_part_replace_partial", table: "t", as: "t", setup: steps(parted("t"), run("INSERT INTO t VALUES (150, 'p2'), (151, 'p2'), (250, 'p3'), (350, 'p4')")),
			steps: steps(run(temporary, "INSERT INTO t TEMPORARY PARTITION(tp) VALUES (160, 'new')",
				"ALTER TABLE t REPLACE PARTITION (p2) WITH TEMPORARY PARTITION (tp)"), synced, restoredOnly("t", "p2")),
			rows: rows{"t": 3}, partial: 1, why: "partitions of t were replaced: p2"},
		{row: 59, name: "dml_insert_overwrite", setup: steps(parted("t"), plain("u"), insert("u", 3), run("INSERT INTO t VALUES (1, 'p1'), (150, 'p2')")),
			steps: steps(run("INSERT OVERWRITE TABLE u VALUES (7, 'only')", "INSERT OVERWRITE TABLE t VALUES (151, 'only')"), synced, counts(rows{"t": 1, "u": 1}),
				insert("t", 1), insert("u", 1), run("INSERT OVERWRITE TABLE t PARTITION(p2) VALUES (152, 'p2')")),
			rows: rows{"t": 2, "u": 2}, partial: 3, why: "partitions of t were replaced: p2"},
		{row: 59, name: "ts_dml_insert_overwrite", table: "t", as: "t", setup: steps(parted("t"), run("INSERT INTO t VALUES (1, 'p1'), (150, 'p2')")),
			steps: steps(run("INSERT OVERWRITE TABLE t VALUES (151, 'only')"), synced, counts(rows{"t": 1}), insert("t", 1)), rows: rows{"t": 2}, partial: 1, why: "partitions of t were replaced: p1, p2, p3, p4, p5"},
		{row: 60, name: "part_rename", setup: steps(parted("t")),
			steps: steps(run("ALTER TABLE t RENAME PARTITION p2 renamed", "INSERT INTO t VALUES (150, 'p2')")), rows: rows{"t": 1}},
		{row: 60, name: "ts_part_rename", table: "t", as: "copy", setup: steps(parted("t")),
			steps: paused(run("INSERT INTO t VALUES (151, 'before')", "ALTER TABLE t RENAME PARTITION p2 renamed", "INSERT INTO t VALUES (150, 'p2')")), rows: rows{"copy": 2}},
	}
}

// doris-binlogs.md 6.5, rows 61 to 64.
func partitionRecovery() []scenario {
	filled := run("INSERT INTO t VALUES (1, 'p1'), (150, 'p2')")
	return []scenario{
		{row: 61, name: "part_recover", setup: steps(parted("t"), filled),
			steps: steps(run("ALTER TABLE t DROP PARTITION p1", "ALTER TABLE t DROP PARTITION p2", "RECOVER PARTITION p1 FROM t"), synced, run("RECOVER PARTITION p2 FROM t",
				"INSERT INTO t VALUES (2, 'p1'), (151, 'p2')")), rows: rows{"t": 4}, partial: 2, why: "partition p2 of table t was recovered"},
		{row: 61, name: "part_recover_new", setup: steps(parted("t"), filled),
			steps: paused(run("ALTER TABLE t DROP PARTITION p1", "ALTER TABLE t DROP PARTITION p2", "RECOVER PARTITION p1 AS p11 FROM t", "RECOVER PARTITION p2 AS p21 FROM t",
				"INSERT INTO t VALUES (2, 'p1'), (151, 'p2')")), rows: rows{"t": 4}, partial: 1, why: "partition p1 of table t was recovered"},
		{row: 61, name: "ts_part_recover_new", table: "t", as: "copy", setup: steps(parted("t"), filled),
			steps: paused(run("ALTER TABLE t DROP PARTITION p1", "ALTER TABLE t DROP PARTITION p2", "RECOVER PARTITION p1 AS p11 FROM t", "RECOVER PARTITION p2 AS p21 FROM t",
				"INSERT INTO t VALUES (2, 'p1'), (151, 'p2')")), rows: rows{"copy": 4}, partial: 1, why: "partition p1 of table t was recovered"},
		{row: 62, name: "tbl_truncate", setup: steps(parted("t"), run("INSERT INTO t VALUES (1, 'p1'), (150, 'p2'), (250, 'p3')")),
			steps: append(append(steps(run("TRUNCATE TABLE t PARTITION(p1, p3)"), synced, counts(rows{"t": 1}), run("TRUNCATE TABLE t"), synced, counts(rows{"t": 0})),
				paused(insert("t", 3), run("TRUNCATE TABLE t"), insert("t", 1))...),
				append(steps(synced, counts(rows{"t": 1})), paused(run("INSERT INTO t VALUES (450, 'p5')", "TRUNCATE TABLE t PARTITIONS (p5)", "INSERT INTO t VALUES (451, 'p5')"))...)...),
			rows: rows{"t": 2}},
		{row: 62, name: "tsa_tbl_truncate", table: "t", as: "copy", setup: steps(parted("t"), run("INSERT INTO t VALUES (1, 'p1'), (150, 'p2'), (250, 'p3')")),
			steps: steps(run("TRUNCATE TABLE t PARTITION(p1, p3)"), synced, counts(rows{"copy": 1}), run("TRUNCATE TABLE t"), insert("t", 1)), rows: rows{"copy": 1}},
		{row: 63, name: "part_list", setup: steps(run(
			`CREATE TABLE l (city VARCHAR(20), n INT) DUPLICATE KEY(city) PARTITION BY LIST(city) (PARTITION pa VALUES IN ("berlin", "lima"), PARTITION pn VALUES IN (NULL))
				DISTRIBUTED BY HASH(n) BUCKETS 2 `+onePlace,
			`CREATE TABLE m (city VARCHAR(20) NOT NULL, n INT NOT NULL) DUPLICATE KEY(city, n) PARTITION BY LIST(city, n) (PARTITION p1 VALUES IN (("a", "1"), ("b", "2")))
				DISTRIBUTED BY HASH(n) BUCKETS 2 `+onePlace)),
			steps: steps(run(`ALTER TABLE l ADD PARTITION pb VALUES IN ("lagos", "quito")`, "INSERT INTO l VALUES ('lagos', 1), (NULL, 2), ('lima', 3)",
				`ALTER TABLE m ADD PARTITION p2 VALUES IN (("c", "3"), ("d", "4"))`, "INSERT INTO m VALUES ('c', 3), ('a', 1)")),
			rows: rows{"l": 3, "m": 2}},
		{row: 63, name: "part_range_maxvalue", setup: steps(run(
			`CREATE TABLE r (id INT, n INT) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("10")) DISTRIBUTED BY HASH(n) BUCKETS 2 `+onePlace,
			`CREATE TABLE r2 (id INT NOT NULL, n INT NOT NULL) DUPLICATE KEY(id, n) PARTITION BY RANGE(id, n) (PARTITION p1 VALUES LESS THAN ("10", "10")) DISTRIBUTED BY HASH(n) BUCKETS 2 `+onePlace)),
			steps: steps(run("ALTER TABLE r ADD PARTITION pm VALUES LESS THAN MAXVALUE", "INSERT INTO r VALUES (1, 1), (1000, 2)",
				"ALTER TABLE r2 ADD PARTITION pm VALUES LESS THAN (MAXVALUE, MAXVALUE)", "INSERT INTO r2 VALUES (1, 1), (1000, 2)")),
			rows: rows{"r": 2, "r2": 2}},
		{row: 63, name: "part_auto", setup: steps(plain("base")),
			steps: steps(run("CREATE TABLE a (d DATETIME NOT NULL, n INT) DUPLICATE KEY(d) AUTO PARTITION BY RANGE (date_trunc(d, 'day')) () DISTRIBUTED BY HASH(n) BUCKETS 2 "+onePlace,
				"INSERT INTO a VALUES ('2026-01-01 10:00:00', 1), ('2026-01-02 10:00:00', 2)",
				"CREATE TABLE al (c VARCHAR(20), n INT) DUPLICATE KEY(c) AUTO PARTITION BY LIST (c) () DISTRIBUTED BY HASH(n) BUCKETS 2 "+onePlace,
				"INSERT INTO al VALUES ('x', 1), ('y', 2)", "INSERT INTO al VALUES ('x', 3), ('z', 2)")),
			rows: rows{"a": 2, "al": 4}},
		{row: 64, name: "prop_auto_bucket", setup: steps(run(
			`CREATE TABLE t (id INT, v VARCHAR(40)) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION p1 VALUES [("0"), ("100"))) DISTRIBUTED BY HASH(id) BUCKETS AUTO ` + onePlace)),
			steps: steps(run(`ALTER TABLE t ADD PARTITION p2 VALUES [("100"), ("200"))`), insert("t", 2), run("INSERT INTO t VALUES (150, 'p2')",
				`CREATE TABLE u (id INT, v VARCHAR(40)) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION p1 VALUES [("0"), ("100"))) DISTRIBUTED BY HASH(id) BUCKETS AUTO `+onePlace),
				insert("u", 2), synced, destinationHas("t", "BUCKETS AUTO"), destinationHas("u", "BUCKETS AUTO"), sameBuckets("t"), sameBuckets("u")),
			rows: rows{"t": 3, "u": 2}},
	}
}
