package e2e

import (
	"context"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// doris-binlogs.md 6.3: changes while a snapshot is taken.
func snapshotRaces() []scenario {
	return []scenario{
		{row: 32, name: "tbl_backup_create_drop_a", alone: true, unsynced: true, setup: steps(plain("t1"), held(pending)),
			steps: steps(reached(pending), plain("t2"), drop("t2"), insert("t1", 1), released(pending), fullSyncs(1), insert("t1", 1)),
			rows:  rows{"t1": 2}, absent: []string{"t2"}},
		{row: 32, name: "tbl_backup_create_drop_b", alone: true, unsynced: true, setup: steps(plain("t1"), held(pending)),
			steps: steps(reached(pending), run("DROP TABLE t1"), plain("t1"), insert("t1", 1), released(pending), fullSyncs(1), insert("t1", 1)),
			rows:  rows{"t1": 2}},
		{row: 33, name: "fullsync_tbl_drop_create", setup: steps(plain("t1", "t"), insert("t1", 3)),
			steps: append(paused(drop("t1"), forceFull, insert("t", 1)), fullSyncs(2), plain("t1"), insert("t1", 40)),
			rows:  rows{"t1": 40, "t": 1}, full: 1, partial: 1, why: "table t1 exists on the destination already"},
		{row: 34, name: "fullsync_with_alias", setup: steps(plain("t", "u"), insert("t", 20), insert("u", 20)),
			steps: append(steps(watch("t", "u")),
				append(paused(schemaChange("t"), run("CREATE VIEW v AS SELECT id, v FROM t"), forceFull), fullSyncs(2), insert("t", 20), insert("u", 20))...),
			rows: rows{"t": 40, "u": 40, "v": 40}, full: 1, why: "the user required"},
		{row: 35, name: "tbl_signature_not_matched", setup: steps(plain("t"), insert("t", 20)),
			destination: []string{"CREATE DATABASE {db}",
				"CREATE TABLE {db}.t (other BIGINT, columns_ INT) DUPLICATE KEY(other) DISTRIBUTED BY HASH(other) BUCKETS 3 " + onePlace},
			steps: steps(insert("t", 20)), rows: rows{"t": 40}},
		{row: 35, name: "view_signature_not_matched", setup: steps(plain("t"), insert("t", 20), run("CREATE VIEW v AS SELECT id FROM t")),
			destination: []string{"CREATE DATABASE {db}",
				"CREATE TABLE {db}.mine (id INT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 " + onePlace,
				"CREATE VIEW {db}.v AS SELECT id AS other FROM {db}.mine"},
			extra: []string{"mine"}, steps: steps(insert("t", 20)), rows: rows{"t": 40, "v": 40}},
		{row: 36, name: "view_sync_twice", setup: steps(plain("t"), insert("t", 2), run("CREATE VIEW v AS SELECT id FROM t")),
			steps: steps(forceFull, fullSyncs(2), insert("t", 1)), rows: rows{"v": 3}, full: 1, why: "the user required"},
		{row: 36, name: "view_alt_fullsync", setup: steps(plain("t"), insert("t", 2), run("CREATE VIEW v AS SELECT id FROM t")),
			steps: append(paused(run("ALTER VIEW v AS SELECT id, v FROM t"), forceFull), fullSyncs(2), insert("t", 1)), rows: rows{"v": 3}, full: 1, why: "the user required"},
	}
}

// doris-binlogs.md 6.3, rows 37 to 42: switches, skips, caches.
func snapshotChoices() []scenario {
	replaceAndForce := paused(insert("new", 2), insert("old", 2), replaceTable("old", "new"), insert("old", 1), forceFull)
	return []scenario{
		{row: 37, name: "clean_restore", killed: true, args: []string{"--feature_clean_table_and_partitions=true"},
			setup: steps(parted("t"), insert("t", 2)),
			steps: steps(onDestination("CREATE TABLE {db}.mine (id INT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace,
				`ALTER TABLE {db}.t ADD PARTITION p9 VALUES [("900"), ("1000"))`), forceFull, fullSyncs(2), insert("t", 1)),
			rows: rows{"t": 3}, absent: []string{"mine"}, full: 1, why: "the user required"},
		{row: 37, name: "ts_part_clean_restore", table: "t", as: "t", killed: true, args: []string{"--feature_clean_table_and_partitions=true"},
			setup: steps(parted("t"), insert("t", 2)),
			steps: steps(onDestination("CREATE TABLE {db}.mine (id INT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 "+onePlace,
				`ALTER TABLE {db}.t ADD PARTITION p9 VALUES [("900"), ("1000"))`), forceFull, fullSyncs(2), insert("t", 1)),
			rows: rows{"t": 3, "mine": 0}, full: 1, why: "the user required"},
		{row: 38, name: "ts_fullsync_replace", table: "old", as: "old", setup: steps(parted("old"), coarse("new"), insert("old", 4)),
			steps: append(replaceAndForce, fullSyncs(2)), rows: rows{"old": 3}, absent: []string{"new"}, full: 1, why: "the user required"},
		{row: 39, name: "ts_allow_table_exists", table: "t", as: "t", options: map[string]any{"allow_table_exists": true},
			setup: steps(plain("t"), insert("t", 2)),
			destination: []string{"CREATE DATABASE {db}",
				"CREATE TABLE {db}.t (other BIGINT) DUPLICATE KEY(other) DISTRIBUTED BY HASH(other) BUCKETS 3 " + onePlace},
			steps: steps(insert("t", 1), beingSynced("t")), rows: rows{"t": 3}},
		{row: 40, name: "skip_binlog_fullsync", alone: true, setup: steps(plain("t", "u"), insert("t", 1)),
			steps: steps(faulty(destination, refuseTransactions), insert("t", 1), stalled, skip("fullsync"), fullSyncs(2), healthy, insert("u", 1)),
			rows:  rows{"t": 2, "u": 1}, full: 1, why: "the user required skipping the binlog, commit seq"},
		{row: 41, name: "skip_binlog_silence", alone: true, setup: steps(plain("t", "u"), insert("t", 1)),
			steps: steps(faulty(destination, refuseTransactions), insert("t", 1), stalled, skip("silence"), passedBy, healthy, insert("t", 1), insert("u", 1)),
			rows:  rows{"t": 2, "u": 1}, instead: func(ctx context.Context, s *scene) error {
				return counts(rows{"t": 2, "u": 1})(ctx, s)
			}},
		{row: 42, name: "db_partial_sync_cache", setup: steps(plain("t"), insert("t", 1)),
			steps: steps(schemaChange("t"), destinationHas("t", "key_1"), insert("t", 1)), rows: rows{"t": 2}, partial: 1, why: "of table t"},
		{row: 42, name: "tbl_ps_inc_cache", table: "t", as: "t", setup: steps(plain("t"), insert("t", 1)),
			steps: steps(schemaChange("t"), destinationHas("t", "key_1"), insert("t", 1)), rows: rows{"t": 2}, partial: 1, why: "of table t"},
	}
}

// refuseTransactions makes every UPSERT fail for ever.
var refuseTransactions = faults.Rule{Point: "fe.beginTxn", Action: faults.Fail, Message: "this binlog fails for ever"}

// beingSynced checks what a destination's table says of itself.
func beingSynced(table string) step {
	return func(ctx context.Context, s *scene) error {
		texts, err := column(ctx, s.dst, fmt.Sprintf("SHOW CREATE TABLE `%s`.`%s`", s.dstDB, table), "Create Table")
		if err == nil && (len(texts) != 1 || !strings.Contains(texts[0], `"is_being_synced" = "true"`)) {
			err = fmt.Errorf("not being synced: %v", texts)
		}
		return err
	}
}

// skip orders the binlog on which the job is stuck to be passed over.
func skip(by string) step {
	return func(ctx context.Context, s *scene) error {
		seq, err := s.stuckAt(ctx)
		if err != nil {
			return err
		}
		s.skipped = seq
		return s.command(ctx, "job_skip_binlog", map[string]any{"skip_by": by, "skip_commit_seq": seq})
	}
}

// passedBy waits until the job is beyond what was skipped.
func passedBy(ctx context.Context, s *scene) error {
	return harness.AwaitEvery(ctx, lookEvery, s.patience, func(ctx context.Context) error {
		status, err := s.ccr.Status(ctx, s.job)
		if err == nil && status.CommitSeq < s.skipped {
			err = fmt.Errorf("at %d, %d was to be skipped", status.CommitSeq, s.skipped)
		}
		return err
	})
}
