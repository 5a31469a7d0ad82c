package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The statements of doris-sql.md 2.12 in the shapes in which a syncer sends
// them, one after the other; D is the destination database. A text after " !! "
// is in the refusal, "#wait" waits for the ALTER jobs of t.
var replayed = []string{
	"CREATE DATABASE IF NOT EXISTS `D`",
	"CREATE TABLE `D`.`t` (\n  `id` int NULL,\n  `v` int NULL,\n  `s` varchar(20) NULL\n) ENGINE=OLAP\nDUPLICATE KEY(`id`)\nPARTITION BY RANGE(`id`)\n(PARTITION p1 VALUES [(\"-2147483648\"), (\"0\")))\nDISTRIBUTED BY HASH(`id`) BUCKETS 2\nPROPERTIES (\n\"replication_allocation\" = \"tag.location.default: 1\",\n\"is_being_synced\" = \"true\",\n\"light_schema_change\" = \"true\"\n);",
	"ALTER TABLE `D`.`t` ADD PARTITION `p` VALUES [(\"0\"), (\"5\")) (\"version_info\" = \"1\") DISTRIBUTED BY HASH(`id`) BUCKETS 1",
	"ALTER TABLE `D`.`t` ADD PARTITION IF NOT EXISTS `p` VALUES [(\"0\"), (\"5\")) (\"version_info\" = \"1\") DISTRIBUTED BY HASH(`id`) BUCKETS 1",
	"ALTER TABLE `D`.`t` ADD TEMPORARY PARTITION `tp` VALUES [(\"0\"), (\"5\")) (\"version_info\" = \"1\") DISTRIBUTED BY HASH(`id`) BUCKETS 1",
	"ALTER TABLE `D`.`t` DROP TEMPORARY PARTITION `tp`",
	"ALTER TABLE `D`.`t` ADD COLUMN `c` int NULL DEFAULT \"0\" COMMENT \"\" AFTER `v`, \nDROP COLUMN `s`", "#wait",
	"ALTER TABLE `D`.`t` ADD COLUMN `dt` datetime NULL DEFAULT CURRENT_TIMESTAMP COMMENT \"\"", "#wait",
	"ALTER TABLE `D`.`t` RENAME COLUMN `c` `d`",
	"ALTER TABLE `D`.`t` MODIFY COMMENT 'it is'",
	"ALTER TABLE `D`.`t` MODIFY COLUMN `d` COMMENT 'one', MODIFY COLUMN `v` COMMENT 'two'",
	"ALTER TABLE `D`.`t` ADD INDEX `i` (`v`) USING INVERTED COMMENT 'c', ADD INDEX `j` (`d`) USING INVERTED COMMENT ''",
	"BUILD INDEX `i` ON `D`.`t` PARTITION (`p`)",
	"ALTER TABLE `D`.`t` DROP INDEX `i`, DROP INDEX `j`",
	"ALTER TABLE `D`.`t` ADD ROLLUP r1 (v, id)", "#wait",
	"ALTER TABLE `D`.`t` RENAME ROLLUP `r1` `r2`",
	"ALTER TABLE `D`.`t` DROP ROLLUP `r2`",
	"ALTER TABLE `D`.`t` SET (\"binlog.ttl_seconds\" = \"180\", \"binlog.max_bytes\" = \"1024\")",
	"ALTER TABLE `D`.`t` SET (\"compaction_policy\"=\"time_series\")",
	"ALTER TABLE `D`.`t` MODIFY DISTRIBUTION DISTRIBUTED BY HASH(`id`) BUCKETS 3",
	"ALTER TABLE `D`.`t` MODIFY DISTRIBUTION DISTRIBUTED BY HASH(`id`) BUCKETS AUTO",
	"ALTER TABLE `D`.`t` MODIFY PARTITION `p` SET (\"storage_medium\" = \"hdd\")",
	"ALTER TABLE `D`.`t` RENAME PARTITION `p` `q`",
	"TRUNCATE TABLE `D`.`t` PARTITIONS (p1, q)",
	"TRUNCATE TABLE `D`.`t`",
	"ALTER TABLE `D`.`t` DROP PARTITION `q`",
	"ALTER TABLE `D`.`t` DROP PARTITION IF EXISTS `q`",
	"ALTER TABLE `D`.`t` DROP PARTITION `p1` FORCE",
	"ALTER TABLE `D`.`t` SET (\"is_being_synced\"=\"false\")",
	"CREATE TABLE `D`.`single` (`id` int NULL, `v` int NULL, INDEX i (`v`) USING INVERTED) DUPLICATE KEY(`id`) DISTRIBUTED BY HASH(`id`) BUCKETS 1 PROPERTIES (\"replication_num\" = \"1\")",
	"BUILD INDEX `i` ON `D`.`single` PARTITION (`single`) !! is not partitioned, cannot build index with partitions",
	"BUILD INDEX `i` ON `D`.`single`",
	"ALTER TABLE `D`.`single` SET (\"distribution_type\" = \"random\")",
	"ALTER TABLE `D`.`t` RENAME `u`",
	"CREATE TABLE `D`.`t` (`id` int NULL) DISTRIBUTED BY HASH(`id`) BUCKETS 1 PROPERTIES (\"replication_num\" = \"1\")",
	"ALTER TABLE `D`.`u` REPLACE WITH TABLE `t` PROPERTIES(\"swap\"=\"true\")",
	"ALTER TABLE `D`.`u` REPLACE WITH TABLE `t` PROPERTIES(\"swap\"=\"false\")",
	"CREATE VIEW `D`.`v` AS SELECT `internal`.`D`.`u`.`id` AS `id` FROM `internal`.`D`.`u`;",
	"ALTER VIEW `D`.`v` AS SELECT `internal`.`D`.`u`.`v` AS `v` FROM `internal`.`D`.`u`",
	"DROP TABLE `D`.`v` FORCE !! is not TABLE",
	"DROP VIEW IF EXISTS `D`.`v`  ", "DROP VIEW IF EXISTS `D`.`v`  ",
	"DROP TABLE `D`.`u` FORCE", "DROP TABLE IF EXISTS `D`.`u` FORCE",
	"DROP DATABASE `D`",
}

func TestReplayStatements(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("DROP DATABASE `%s` FORCE", db)
	for _, line := range replayed {
		if line == "#wait" {
			s.idle(db)
			continue
		}
		statement, refusal, refused := strings.Cut(strings.ReplaceAll(line, "`D`", "`"+db+"`"), " !! ")
		_, err := s.db.ExecContext(ctx, statement)
		if refused {
			require.ErrorContains(t, err, refusal, statement)
			continue
		}
		require.NoError(t, err, statement)
	}
}

// idle waits until no ALTER job of the database runs.
func (s *side) idle(db string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		for _, kind := range []string{"COLUMN", "ROLLUP"} {
			for _, r := range s.query("SHOW ALTER TABLE %s FROM `%s`", kind, db) {
				if r["State"] != "FINISHED" {
					return false
				}
			}
		}
		return true
	}, patience, 5*time.Millisecond)
}
