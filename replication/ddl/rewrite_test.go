package ddl

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/schema"
)

const createText = "CREATE TABLE `t``2` (\n" +
	"  `id` int NOT NULL COMMENT 'it's \"quoted\"',\n" +
	"  `v` varchar(10) NULL DEFAULT \"storage_medium\" COMMENT \"new style\"\n" +
	") ENGINE=OLAP\n" +
	"DUPLICATE KEY(`id`)\n" +
	"COMMENT 'a table'\n" +
	"PARTITION BY RANGE(`id`, `v`)\n" +
	"(PARTITION p1 VALUES [(\"0\", \"a\"), (MAXVALUEMAXVALUE)))\n" +
	"DISTRIBUTED BY HASH(`id`) BUCKETS 2\n" +
	"PROPERTIES (\n" +
	"\"replication_allocation\" = \"tag.location.default: 3\",\n" +
	"\"dynamic_partition.replication_allocation\" = \"tag.location.default: 3\",\n" +
	"\"dynamic_partition.storage_policy\" = \"\",\n" +
	"\"binlog.enable\" = \"true\",\n" +
	"\"storage_medium\" = \"hdd\"\n" +
	");"

func TestRewriteCreateTable(t *testing.T) {
	got, err := rewriteCreateTable(createText, "d`b", "t`2", 0, false)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(got, "CREATE TABLE IF NOT EXISTS `d``b`.`t``2` (\n"), got)
	require.Contains(t, got, `COMMENT "it's \"quoted\"",`)
	require.Contains(t, got, `COMMENT "new style"`)
	require.Contains(t, got, `COMMENT "a table"`)
	require.Contains(t, got, "(MAXVALUE, MAXVALUE)")
	require.Contains(t, got, `DEFAULT "storage_medium"`)
	require.NotContains(t, got, `"storage_medium" =`)
	require.NotContains(t, got, "dynamic_partition.storage_policy")
	require.Contains(t, got, "\"binlog.enable\" = \"true\"\n)")
	require.Contains(t, got, `"light_schema_change" = "false"`, "what does not say that it has it, has it not")
	require.Contains(t, got, "(PARTITION `p1` VALUES [(\"0\", \"a\"), (MAXVALUE, MAXVALUE)))")
	require.Contains(t, got, `"replication_allocation" = "tag.location.default: 3"`)

	got, err = rewriteCreateTable(createText, "d", "t`2", 1, false)
	require.NoError(t, err)
	require.Contains(t, got, `"replication_num" = "1"`)
	require.Contains(t, got, `"dynamic_partition.replication_num" = "1"`)
	require.NotContains(t, got, "replication_allocation")

	_, err = rewriteCreateTable("DROP TABLE t", "d", "t", 0, false)
	require.Error(t, err)
}

func TestRewriteView(t *testing.T) {
	for in, want := range map[string]string{
		"CREATE VIEW `v` COMMENT 'x' AS SELECT `internal`.`src`.`t`.`a` AS `a` FROM `internal`.`src`.`t`":          "CREATE VIEW `dst`.`v` COMMENT \"x\" AS SELECT `internal`.`dst`.`t`.`a` AS `a` FROM `internal`.`dst`.`t`",
		"CREATE VIEW `v` AS SELECT `default_cluster:src`.`t`.`a` FROM `default_cluster:src`.`t`":                   "CREATE VIEW `dst`.`v` AS SELECT `internal`.`dst`.`t`.`a` FROM `internal`.`dst`.`t`",
		"CREATE VIEW `v` AS SELECT `src`.`t`.`a` FROM `src`.`t`":                                                   "CREATE VIEW `dst`.`v` AS SELECT `dst`.`t`.`a` FROM `dst`.`t`",
		"CREATE VIEW `v` AS SELECT `internal`.`src`.`src`.`a` FROM `internal`.`src`.`src`":                         "CREATE VIEW `dst`.`v` AS SELECT `internal`.`dst`.`src`.`a` FROM `internal`.`dst`.`src`",
		"CREATE VIEW `v` AS SELECT `internal`.`other`.`t`.`a`, `internal`.`src`.`t`.`b` FROM `internal`.`src`.`t`": "CREATE VIEW `dst`.`v` AS SELECT `internal`.`other`.`t`.`a`, `internal`.`dst`.`t`.`b` FROM `internal`.`dst`.`t`",
	} {
		view, err := schema.SplitView(in)
		require.NoError(t, err)
		view.Query = rewriteDatabase(view.Query, "src", "dst")
		require.Equal(t, want, view.Create(sqlclient.Name("dst", "v")))
	}
}

func TestKindOfCreate(t *testing.T) {
	require.True(t, isView("", "CREATE VIEW `v` AS SELECT 1"))
	require.True(t, isView("VIEW", ""))
	require.False(t, isView("", createText))
	require.True(t, isMaterializedView("", "CREATE MATERIALIZED VIEW x ENGINE=MATERIALIZED_VIEW"))
	require.True(t, isMaterializedView("MATERIALIZED_VIEW", ""))
	require.False(t, isMaterializedView("OLAP", createText))
	require.True(t, isInverted("  INDEX i (`a`) USING INVERTED COMMENT 'x'"))
	require.False(t, isInverted(createText))
	require.Equal(t, "t`2", createdName(createText))
	require.Empty(t, createdName("nonsense"))
}

func TestRewriteAlter(t *testing.T) {
	for in, want := range map[string]string{
		"ALTER TABLE `src`.`t` ADD COLUMN `c` int NULL DEFAULT \"0\" COMMENT \"\" AFTER `b`":                     "ALTER TABLE `d`.`x` ADD COLUMN `c` int NULL DEFAULT \"0\" COMMENT \"\" AFTER `b`",
		"ALTER TABLE `default_cluster:src`.`t` DROP COLUMN `c`":                                                  "ALTER TABLE `d`.`x` DROP COLUMN `c`",
		"ALTER TABLE `t` ADD COLUMN `c` int REPLACE_IF_NOT_NULL NULL DEFAULT \"null\" COMMENT \"\"":              "ALTER TABLE `d`.`x` ADD COLUMN `c` int REPLACE_IF_NOT_NULL NULL DEFAULT NULL COMMENT \"\"",
		"ALTER TABLE `s`.`t` ADD COLUMN `c` datetime NULL DEFAULT \"CURRENT_TIMESTAMP\" COMMENT \"\"":            "ALTER TABLE `d`.`x` ADD COLUMN `c` datetime NULL DEFAULT CURRENT_TIMESTAMP COMMENT \"\"",
		"ALTER TABLE `s`.`t` ADD COLUMN `c` varchar(20) NULL DEFAULT \"CURRENT_TIMESTAMP\" COMMENT \"\"":         "ALTER TABLE `d`.`x` ADD COLUMN `c` varchar(20) NULL DEFAULT \"CURRENT_TIMESTAMP\" COMMENT \"\"",
		"ALTER TABLE `s`.`t` ADD COLUMN `c` bitmap BITMAP_UNION NOT NULL DEFAULT \"BITMAP_EMPTY_DEFAULT_VALUE\"": "ALTER TABLE `d`.`x` ADD COLUMN `c` bitmap BITMAP_UNION NOT NULL DEFAULT BITMAP_EMPTY",
	} {
		got, err := rewriteAlter(in, "d", "x")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := rewriteAlter("", "d", "x")
	require.Error(t, err)
}

func TestRewriteAddPartition(t *testing.T) {
	hash := distribution{Columns: []string{"id", "a`b"}, Buckets: 3}
	for in, want := range map[string]string{
		"ADD PARTITION `p5` VALUES [(\"400\"), (\"500\")) (\"version_info\" = \"1\");":        "`p5` VALUES [(\"400\"), (\"500\")) (\"version_info\" = \"1\") DISTRIBUTED BY HASH(`id`,`a``b`) BUCKETS 3",
		"ADD PARTITION `p` VALUES IN (((\"1\"),(\"2\"))) (\"version_info\" = \"1\");":         "`p` VALUES IN ((\"1\"),(\"2\")) (\"version_info\" = \"1\") DISTRIBUTED BY HASH(`id`,`a``b`) BUCKETS 3",
		"ADD PARTITION `p` VALUES IN ((\"1\"),(\"2\")) DISTRIBUTED BY HASH(`id`) BUCKETS 8;":  "`p` VALUES IN ((\"1\"),(\"2\")) DISTRIBUTED BY HASH(`id`) BUCKETS 8",
		"ADD PARTITION `p` VALUES [(\"1\"), (\"2\")) DISTRIBUTED BY HASH(`id`) BUCKETS AUTO;": "`p` VALUES [(\"1\"), (\"2\")) DISTRIBUTED BY HASH(`id`) BUCKETS 3",
		"ADD PARTITION IF NOT EXISTS `p` VALUES [(), ()) (\"version_info\" = \"1\");":         "`p` DISTRIBUTED BY HASH(`id`,`a``b`) BUCKETS 3",
		"ADD PARTITION `p` VALUES [(\"a\", MAXVALUEMAXVALUE), (\"2\", \"3\", \"4\"))":         "`p` VALUES [(\"a\", MAXVALUE, MAXVALUE), (\"2\", \"3\", \"4\")) DISTRIBUTED BY HASH(`id`,`a``b`) BUCKETS 3",
	} {
		got, err := rewriteAddPartition(in, "d", "t", hash)
		require.NoError(t, err)
		require.Equal(t, "ALTER TABLE `d`.`t` ADD PARTITION IF NOT EXISTS "+want, got)
	}
	got, err := rewriteAddPartition("ADD PARTITION `p` VALUES [(\"1\"), (\"2\"));", "d", "t", distribution{Random: true, Buckets: 4})
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(got, " DISTRIBUTED BY RANDOM BUCKETS 4"), got)

	_, err = rewriteAddPartition("ADD PARTITION `p` VALUES [(\"1\"), (\"2\"));", "d", "t", distribution{})
	require.ErrorContains(t, err, "bucket count")
	_, err = rewriteAddPartition("", "d", "t", hash)
	require.Error(t, err)
}

func TestPropertyGroups(t *testing.T) {
	require.Empty(t, propertyGroups(map[string]string{"binlog.enable": "true", "replication_num": "3", "dynamic_partition.enable": "true"}))
	require.Equal(t, []string{
		`"binlog.max_bytes" = "1", "binlog.ttl_seconds" = "60"`,
		`"comment" = "say \"x\""`,
		`"dynamic_partition.end" = "3", "dynamic_partition.start" = "-3"`,
	}, propertyGroups(map[string]string{
		"dynamic_partition.start": "-3", "dynamic_partition.end": "3", "binlog.ttl_seconds": "60",
		"binlog.max_bytes": "1", "comment": `say "x"`, "is_being_synced": "false",
	}))
}
