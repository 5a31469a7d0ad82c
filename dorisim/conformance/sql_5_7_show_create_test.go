package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Texts that suites look for in SHOW CREATE TABLE (doris-sql.md 3.3, 5.7). Each
// table is replicated by a snapshot; down and gone say what else must be, and
// must not be, in the text of the copy.
func TestShowCreateTexts(t *testing.T) {
	from, to := source(t), destination(t)
	db, into := from.database(), to.database()
	from.db.SetMaxOpenConns(1)
	from.exec("USE `%s`", db)
	from.exec(`CREATE RESOURCE IF NOT EXISTS "show_res" PROPERTIES ("type" = "s3", "s3.endpoint" = "e")`)
	from.exec(`CREATE STORAGE POLICY IF NOT EXISTS show_policy PROPERTIES ("storage_resource" = "show_res", "cooldown_ttl" = "300")`)
	const (
		columns = "(`test` INT, `id` INT) "
		unique  = columns + "ENGINE=OLAP UNIQUE KEY(`test`, `id`) PARTITION BY RANGE(`id`) () DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ('replication_allocation' = 'tag.location.default: 1', 'binlog.enable' = 'true'"
		dynamic = "(`test` INT, `id` DATEV2) UNIQUE KEY(test, id) PARTITION BY RANGE(id) () DISTRIBUTED BY HASH(test) BUCKETS AUTO PROPERTIES ('replication_allocation' = 'tag.location.default: 1', " +
			"'dynamic_partition.enable' = 'true', 'dynamic_partition.time_zone' = 'Asia/Shanghai', 'dynamic_partition.start' = '-2', 'dynamic_partition.end' = '2', 'dynamic_partition.prefix' = 'p', 'dynamic_partition.buckets' = '32', " +
			"'dynamic_partition.create_history_partition' = 'true', 'dynamic_partition.history_partition_num' = '2', 'dynamic_partition.reserved_history_periods' = '[2024-01-01,2024-12-31],[2025-01-01,2025-12-31]', 'dynamic_partition.replication_allocation' = 'tag.location.default: 1'"
	)
	type texts []string
	tests := []struct {
		name, definition   string
		both, source, down texts
		gone               texts
	}{
		{"plain", unique + ")", texts{
			`"replication_allocation" = "tag.location.default: 1"`, `"min_load_replica_num" = "-1"`, `"storage_format" = "V2"`, `"light_schema_change" = "true"`,
			`"enable_unique_key_merge_on_write" = "true"`, `"disable_auto_compaction" = "false"`, `"binlog.enable" = "true"`, `"binlog.ttl_seconds" = "86400"`,
			`"binlog.max_bytes" = "9223372036854775807"`, `"binlog.max_history_nums" = "9223372036854775807"`, `"enable_single_replica_compaction" = "false"`,
			`"group_commit_interval_ms" = "10000"`, `"group_commit_data_bytes" = "134217728"`, "UNIQUE KEY(`test`, `id`)", "PARTITION BY RANGE(`id`)\n()",
			"DISTRIBUTED BY HASH(`id`) BUCKETS 1", "`test` int NULL",
		}, texts{`"is_being_synced" = "false"`}, texts{`"is_being_synced" = "true"`}, nil},
		{"props", unique + `, 'binlog.ttl_seconds' = '180', 'bloom_filter_columns' = 'test, id', 'compression' = 'zstd', 'enable_unique_key_merge_on_write' = 'false', 'group_commit_interval_ms' = '9999', 'group_commit_data_bytes' = '1024',
			'enable_single_replica_compaction' = 'true', 'disable_auto_compaction' = 'true', 'estimate_partition_size' = '10G', 'min_load_replica_num' = '1', 'binlog.max_bytes' = '9223372036854775806', 'binlog.max_history_nums' = '9223372036854775806')`, texts{
			`"binlog.ttl_seconds" = "180"`, `"bloom_filter_columns" = "test, id"`, `"compression" = "ZSTD"`, `"enable_unique_key_merge_on_write" = "false"`, `"group_commit_interval_ms" = "9999"`,
			`"group_commit_data_bytes" = "1024"`, `"enable_single_replica_compaction" = "true"`, `"disable_auto_compaction" = "true"`, `"estimate_partition_size" = "10G"`, `"min_load_replica_num" = "1"`,
			`"binlog.max_bytes" = "9223372036854775806"`, `"binlog.max_history_nums" = "9223372036854775806"`,
		}, nil, nil, nil},
		{"colocated", unique + ", 'colocate_with' = 'show_group')", nil, texts{`"colocate_with" = "show_group"`}, nil, texts{"colocate_with"}},
		{"policy", columns + "DUPLICATE KEY(`test`, `id`) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ('replication_num' = '1', 'storage_policy' = 'show_policy')",
			texts{"DUPLICATE KEY(`test`, `id`)"}, texts{`"storage_policy" = "show_policy"`}, nil, texts{"storage_policy\" = \"show"}},
		{"dynamic_day", dynamic + ", 'dynamic_partition.time_unit' = 'DAY')", texts{
			`"dynamic_partition.time_unit" = "DAY"`, `"dynamic_partition.time_zone" = "Asia/Shanghai"`, `"dynamic_partition.start" = "-2"`, `"dynamic_partition.end" = "2"`, `"dynamic_partition.prefix" = "p"`,
			`"dynamic_partition.replication_allocation" = "tag.location.default: 1"`, `"dynamic_partition.buckets" = "32"`, `"dynamic_partition.create_history_partition" = "true"`,
			`"dynamic_partition.history_partition_num" = "2"`, `"dynamic_partition.hot_partition_num" = "0"`, `"dynamic_partition.reserved_history_periods" = "[2024-01-01,2024-12-31],[2025-01-01,2025-12-31]"`,
			`"dynamic_partition.storage_policy" = ""`, "BUCKETS AUTO",
		}, texts{`"dynamic_partition.enable" = "true"`}, texts{`"dynamic_partition.enable" = "false"`}, nil},
		{"dynamic_week", dynamic + ", 'dynamic_partition.time_unit' = 'WEEK', 'dynamic_partition.start_day_of_week' = '2')", texts{`"dynamic_partition.start_day_of_week" = "2"`}, nil, nil, nil},
		{"dynamic_month", dynamic + ", 'dynamic_partition.time_unit' = 'MONTH', 'dynamic_partition.start_day_of_month' = '1')", texts{`"dynamic_partition.start_day_of_month" = "1"`}, nil, nil, nil},
		{"sequence_type", unique + ", 'function_column.sequence_type' = 'datetime')", texts{`"function_column.sequence_type" = "datetimev2(0)"`}, nil, nil, nil},
		{"sequence_col", unique + ", 'function_column.sequence_col' = 'test')", texts{`"function_column.sequence_col" = "test"`}, nil, nil, nil},
		{"rows", unique + ", 'store_row_column' = 'true', 'row_store_page_size' = '4096')", texts{`"store_row_column" = "true"`, `"row_store_page_size" = "4096"`}, nil, nil, nil},
		{"some_rows", unique + ", 'row_store_columns' = 'test,id')", texts{`"row_store_columns" = "test,id"`, `"row_store_page_size" = "16384"`}, nil, nil, nil},
		{"skip_bitmap", unique + ", 'enable_unique_key_skip_bitmap_column' = 'true')", texts{`"enable_unique_key_skip_bitmap_column" = "true"`}, nil, nil, nil},
		{"time_series", columns + "DUPLICATE KEY(test) DISTRIBUTED BY RANDOM BUCKETS 4 PROPERTIES ('replication_num' = '1', 'compaction_policy' = 'time_series', 'time_series_compaction_level_threshold' = '8', 'time_series_compaction_empty_rowsets_threshold' = '4')", texts{
			`"compaction_policy" = "time_series"`, `"time_series_compaction_goal_size_mbytes" = "1024"`, `"time_series_compaction_file_count_threshold" = "2000"`, `"time_series_compaction_time_threshold_seconds" = "3600"`,
			`"time_series_compaction_empty_rowsets_threshold" = "4"`, `"time_series_compaction_level_threshold" = "8"`, "DISTRIBUTED BY RANDOM BUCKETS 4",
		}, nil, nil, nil},
		{"aggregate", "(`test` INT, `id` INT, `v` BIGINT SUM DEFAULT '0', m INT MAX, n INT MIN, r INT REPLACE) AGGREGATE KEY(test, id) DISTRIBUTED BY HASH(id) BUCKETS 20 PROPERTIES ('replication_num' = '1')", texts{
			"AGGREGATE KEY(`test`, `id`)", "`v` bigint SUM NULL DEFAULT \"0\"", "`m` int MAX NULL", "`n` int MIN NULL", "`r` int REPLACE NULL", "DISTRIBUTED BY HASH(`id`) BUCKETS 20",
		}, nil, nil, nil},
		{"indexed", "(`test` INT, `id` INT, s VARCHAR(10) COMMENT 'it is', INDEX id_idx (id) USING INVERTED COMMENT 'test_id_idx', INDEX s_idx (s) USING INVERTED PROPERTIES('parser' = 'english'), INDEX n_idx (s) USING NGRAM_BF PROPERTIES('gram_size' = '3', 'bf_size' = '256')) " +
			"DUPLICATE KEY(test) COMMENT 'test_comment' DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ('replication_num' = '1')", texts{
			"INDEX id_idx (`id`) USING INVERTED COMMENT 'test_id_idx'", `USING INVERTED PROPERTIES("parser" = "english", "lower_case" = "true", "support_phrase" = "true")`, "USING NGRAM_BF PROPERTIES(", `"gram_size" = "3"`, "COMMENT 'test_comment'", "`s` varchar(10) NULL COMMENT \"it is\"",
		}, nil, nil, nil},
		{"columns", "(`id` BIGINT NOT NULL AUTO_INCREMENT, price DECIMAL(10, 2), quantity INT, `total_value` DECIMAL(10, 2) GENERATED ALWAYS AS (price * quantity), `col2` datetime DEFAULT CURRENT_TIMESTAMP) " +
			"UNIQUE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ('replication_num' = '1')", texts{
			"AUTO_INCREMENT(1)", "`total_value` decimal(10,2) AS ((`price` * CAST(`quantity` AS decimalv3(10,0)))) NULL", "`col2` datetime NULL DEFAULT CURRENT_TIMESTAMP",
		}, nil, nil, nil},
		{"objects", "(k INT, h HLL HLL_UNION, b BITMAP BITMAP_UNION) AGGREGATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')", texts{"hll HLL_UNION NOT NULL", "bitmap BITMAP_UNION NOT NULL DEFAULT BITMAP_EMPTY"}, nil, nil, nil},
	}
	for _, test := range tests {
		from.exec("CREATE TABLE `%s` %s", test.name, test.definition)
	}
	from.exec("ALTER TABLE plain MODIFY COLUMN id COMMENT 'new column comment'")
	label := from.backup(db)
	snapshot := from.getSnapshot(db, label, false)
	info := decodeJobInfo(t, snapshot.JobInfo)
	info["extra_info"] = from.extraInfo()
	requireOK(t, to.restore(restoreRequest(t, into, label+"_r", snapshot.Meta, info)))
	to.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s_r\"", into, label)

	for _, test := range tests {
		up := values(from.query("SHOW CREATE TABLE `%s`.`%s`", db, test.name), "Create Table")
		copied := values(to.query("SHOW CREATE TABLE `%s`.`%s`", into, test.name), "Create Table")
		for _, text := range test.both {
			require.Contains(t, up, text, test.name)
			require.Contains(t, copied, text, test.name)
		}
		for _, text := range test.source {
			require.Contains(t, up, text, test.name)
		}
		for _, text := range test.down {
			require.Contains(t, copied, text, test.name)
		}
		for _, text := range test.gone {
			require.NotContains(t, copied, text, test.name)
		}
	}
	require.Contains(t, values(to.query("SHOW CREATE TABLE `%s`.plain", into), "Create Table"), "`id` int NULL COMMENT \"new column comment\"")
	to.exec("ALTER TABLE `%s`.plain SET ('is_being_synced' = 'false')", into)
	require.Contains(t, values(to.query("SHOW CREATE TABLE `%s`.plain", into), "Create Table"), `"is_being_synced" = "false"`)
	from.exec("DROP STORAGE POLICY show_policy")
	from.exec("DROP RESOURCE show_res")
}
