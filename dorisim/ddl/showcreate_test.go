package ddl

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

func TestShowCreateTable(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE `t1` (`id` int(11) NOT NULL COMMENT 'x', name varchar(50) DEFAULT \"a\", v BIGINT SUM DEFAULT '0'," +
		" INDEX idx_name (`NAME`) USING INVERTED PROPERTIES('parser' = 'english') COMMENT 'c')" +
		" AGGREGATE KEY(ID, `name`) COMMENT 'table comment' PARTITION BY RANGE(id)" +
		" (PARTITION p2 VALUES [(\"100\"), (\"200\")), PARTITION p1 VALUES LESS THAN (\"100\"), PARTITION p3 VALUES LESS THAN MAXVALUE)" +
		" DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ('replication_num' = '1', 'binlog.ttl_seconds' = '180')")
	require.Equal(t, `CREATE TABLE `+"`t1`"+` (
  `+"`id`"+` int NOT NULL COMMENT "x",
  `+"`name`"+` varchar(50) NULL DEFAULT "a",
  `+"`v`"+` bigint SUM NULL DEFAULT "0",
  INDEX idx_name (`+"`name`"+`) USING INVERTED PROPERTIES("parser" = "english", "lower_case" = "true", "support_phrase" = "true") COMMENT 'c'
) ENGINE=OLAP
AGGREGATE KEY(`+"`id`, `name`"+`)
COMMENT 'table comment'
PARTITION BY RANGE(`+"`id`"+`)
(PARTITION p1 VALUES [("-2147483648"), ("100")),
PARTITION p2 VALUES [("100"), ("200")),
PARTITION p3 VALUES [("200"), (MAXVALUE)))
DISTRIBUTED BY HASH(`+"`id`"+`) BUCKETS 1
PROPERTIES (
"replication_allocation" = "tag.location.default: 1",
"min_load_replica_num" = "-1",
"is_being_synced" = "false",
"storage_medium" = "hdd",
"storage_format" = "V2",
"inverted_index_storage_format" = "V2",
"light_schema_change" = "true",
"disable_auto_compaction" = "false",
"binlog.enable" = "true",
"binlog.ttl_seconds" = "180",
"binlog.max_bytes" = "9223372036854775807",
"binlog.max_history_nums" = "9223372036854775807",
"enable_single_replica_compaction" = "false",
"group_commit_interval_ms" = "10000",
"group_commit_data_bytes" = "134217728"
);`, f.show("s", "t1"))
}

// roundTrips are tables of every kind; %s is the table's name.
var roundTrips = []string{
	"CREATE TABLE %s (test INT, id INT, value INT) UNIQUE KEY(test, id) PARTITION BY RANGE(id) () DISTRIBUTED BY HASH(id) BUCKETS AUTO",
	"CREATE TABLE %s (a INT, b INT SUM) DISTRIBUTED BY HASH(a) BUCKETS 3",
	"CREATE TABLE %s (a INT, b STRING DEFAULT 'it''s x', INDEX i (b), INDEX j (b) USING NGRAM_BF PROPERTIES('gram_size'='3', 'bf_size'='256') COMMENT 'z') DISTRIBUTED BY RANDOM BUCKETS 4",
	"CREATE TABLE %s (a STRING, b INT) PROPERTIES ('enable_duplicate_without_keys_by_default' = 'true')",
	"CREATE TABLE %s (dt DATETIME NOT NULL, v INT) DUPLICATE KEY(dt) AUTO PARTITION BY RANGE (date_trunc(`dt`, 'day')) () DISTRIBUTED BY HASH(dt)",
	"CREATE TABLE %s (c VARCHAR(10), n INT, v INT) UNIQUE KEY(c, n) PARTITION BY LIST (c, n)" +
		" (PARTITION p1 VALUES IN ((\"a\", 1), (\"b\", 2)), PARTITION `p-2` VALUES IN ((NULL, \"3\")), PARTITION pd) DISTRIBUTED BY HASH(n) BUCKETS 2",
	"CREATE TABLE %s (c VARCHAR(10), n INT) AUTO PARTITION BY LIST (`c`) (PARTITION p1 VALUES IN (\"x\")) DISTRIBUTED BY HASH(n) BUCKETS 2",
	"CREATE TABLE %s (d DATE, n BIGINT, l LARGEINT) DUPLICATE KEY(d, n) PARTITION BY RANGE(d, n)" +
		" (PARTITION p1 VALUES LESS THAN ('2024-01-01'), PARTITION p2 VALUES LESS THAN ('2024-01-01', 7), PARTITION p3 VALUES LESS THAN (MAXVALUE, MAXVALUE)) DISTRIBUTED BY HASH(n) BUCKETS 1",
	"CREATE TABLE %s (k BIGINT NOT NULL AUTO_INCREMENT(100), dt DATETIME(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)," +
		" p DECIMAL(10,2), g DECIMAL(10,2) AS ((`p` * 2)), b BOOLEAN DEFAULT TRUE, ar ARRAY<INT>, m MAP<INT,STRING>, st STRUCT<a:INT,b:STRING>, j JSON, va VARIANT)" +
		" UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('function_column.sequence_type' = 'datetime', 'enable_mow_light_delete' = 'true')",
	"CREATE TABLE %s (k INT, s INT, b BITMAP BITMAP_UNION, h HLL HLL_UNION, q QUANTILE_STATE QUANTILE_UNION, r INT REPLACE_IF_NOT_NULL) AGGREGATE KEY(k, s) DISTRIBUTED BY HASH(k) BUCKETS 1" +
		" PROPERTIES ('bloom_filter_columns' = 'k,S', 'compression' = 'zstd', 'compaction_policy' = 'time_series', 'time_series_compaction_level_threshold' = '2'," +
		" 'storage_medium' = 'SSD', 'store_row_column' = 'true', 'min_load_replica_num' = '1')",
	"CREATE TABLE %s (k INT, s INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('enable_unique_key_merge_on_write' = 'false', 'function_column.sequence_col' = 's')",
	"CREATE TABLE %s (d DATE, n INT) DUPLICATE KEY(d) PARTITION BY RANGE(d) () DISTRIBUTED BY HASH(n) BUCKETS 1" +
		" PROPERTIES ('dynamic_partition.enable' = 'true', 'dynamic_partition.time_unit' = 'day', 'dynamic_partition.start' = '-2', 'dynamic_partition.end' = '2'," +
		" 'dynamic_partition.prefix' = 'p', 'dynamic_partition.create_history_partition' = 'true', 'storage_policy' = 'x', 'colocate_with' = 'g')",
}

// requireSameTable compares what of a table must survive a round trip: all but
// ids and times.
func requireSameTable(t *testing.T, want, got *catalog.Table) {
	t.Helper()
	plain := func(table *catalog.Table) catalog.Table {
		c := *table
		c.ID, c.BaseIndexID, c.Created, c.VersionTime, c.Indexes = 0, 0, time.Time{}, time.Time{}, nil
		c.Secondary = slices.Clone(c.Secondary)
		for i := range c.Secondary {
			c.Secondary[i].ID = 0
		}
		c.Partitions = map[string]*catalog.Partition{}
		for name, p := range table.Partitions {
			c.Partitions[name] = &catalog.Partition{Name: p.Name, Item: p.Item, Distribution: p.Distribution, ReplicaNum: p.ReplicaNum}
		}
		return c
	}
	require.Equal(t, plain(want), plain(got))
	require.Equal(t, baseSchema(want).Columns, baseSchema(got).Columns)
	require.Equal(t, baseSchema(want).Sequence, baseSchema(got).Sequence)
	require.Equal(t, want.Indexes[want.BaseIndexID].ShortKey, got.Indexes[got.BaseIndexID].ShortKey)
}

func TestRoundTrip(t *testing.T) {
	f := newFixture(t)
	for _, create := range roundTrips {
		f.run(strings.Replace(create, "%s", "`t`", 1))
		text := f.show("s", "t")
		first := f.tab("t")
		f.run("DROP TABLE t FORCE")
		f.run(text)
		require.Equal(t, text, f.show("s", "t"), create)
		requireSameTable(t, first, f.tab("t"))
		f.run("CREATE TABLE t2 LIKE t")
		require.Equal(t, strings.Replace(text, "`t`", "`t2`", 1), f.show("s", "t2"))
		f.run("DROP TABLE t2 FORCE")
		f.run("DROP TABLE t FORCE")
	}
}

var (
	createPrefix  = regexp.MustCompile("^\\s*CREATE\\s+(TABLE|VIEW)\\s+`")
	storageMedium = regexp.MustCompile(`"storage_medium"\s*=\s*"[^"]*"(,\s*)?`)
	syncProperty  = regexp.MustCompile(`"(colocate_with|storage_policy)" = "[^"]*",\n`)
)

// TestReplayCreate runs the SQL of the CREATE_TABLE binlog the way the
// replication tool does (doris-sql.md 3.7).
func TestReplayCreate(t *testing.T) {
	f := newFixture(t)
	for _, create := range roundTrips {
		f.run(strings.Replace(create, "%s", "`t`", 1))
		source := f.tab("t")
		sql := f.ShowCreateTable(f.db("s"), source, true)
		require.Contains(t, sql, `"is_being_synced" = "true"`)
		require.Equal(t, source.AutoBucket, strings.Contains(sql, `"_auto_bucket" = "true"`))

		sql = createPrefix.ReplaceAllString(sql, "CREATE $1 `d`.`")
		sql = storageMedium.ReplaceAllString(sql, "")
		f.run(sql)
		replica := f.tableIn("d", "t")
		want := f.show("s", "t")
		want = storageMedium.ReplaceAllString(want, "")
		want = syncProperty.ReplaceAllString(want, "")
		want = strings.Replace(want, `"is_being_synced" = "false"`, `"is_being_synced" = "true"`, 1)
		require.Equal(t, want, storageMedium.ReplaceAllString(f.show("d", "t"), ""))
		require.Equal(t, source.AutoBucket, replica.AutoBucket)
		f.run("DROP TABLE s.t FORCE")
		f.run("DROP TABLE d.t FORCE")
	}
}

func TestShowCreateDatabase(t *testing.T) {
	f := newFixture(t)
	require.Equal(t, "CREATE DATABASE `d`", f.ShowCreateDatabase(f.db("d")))
	f.run(`ALTER DATABASE s SET properties ("binlog.ttl_seconds" = "86400")`)
	require.Equal(t, "CREATE DATABASE `s`\nPROPERTIES (\n\"binlog.enable\" = \"true\",\n\"binlog.ttl_seconds\" = \"86400\"\n)", f.ShowCreateDatabase(f.db("s")))
}
