package e2e

import "strings"

// inDefinition is a difference in what SHOW CREATE prints.
func inDefinition(text string) finding { return finding{kind: "definition", text: text} }

// plantedDefinitions are differences in what there is and how it is defined.
func plantedDefinitions() []planted {
	withIndex := strings.Replace(twoPartitions, "n INT)", "n INT, INDEX i (v) USING INVERTED)", 1)
	return []planted{
		{name: "column_added", by: []string{"ALTER TABLE {t} ADD COLUMN more INT"}, want: finds(inDefinition("more"))},
		{name: "column_dropped", by: []string{"ALTER TABLE {t} DROP COLUMN n"}, want: finds(inDefinition("n"))},
		{name: "column_default", rows: nothing, setup: []string{`ALTER TABLE {t} ADD COLUMN c INT DEFAULT "5"`},
			by: []string{"ALTER TABLE {t} DROP COLUMN c", `ALTER TABLE {t} ADD COLUMN c INT DEFAULT "6"`}, want: finds(inDefinition("c"))},
		{name: "column_type", by: []string{"ALTER TABLE {t} MODIFY COLUMN n BIGINT"}, want: finds(inDefinition("bigint"))},
		{name: "column_length", by: []string{"ALTER TABLE {t} MODIFY COLUMN v VARCHAR(50)"}, want: finds(inDefinition("varchar(50)"))},
		{name: "column_order", by: []string{"ALTER TABLE {t} ORDER BY (id, n, v)"}, want: finds(inDefinition("columns"))},
		{name: "column_comment", by: []string{`ALTER TABLE {t} MODIFY COLUMN n COMMENT "a number"`}, want: finds(inDefinition("a number"))},
		{name: "column_name", by: []string{"ALTER TABLE {t} RENAME COLUMN v w"}, want: finds(inDefinition("w"))},
		{name: "column_nullable", create: strings.Replace(twoPartitions, "n INT)", "n INT NOT NULL)", 1),
			by: []string{"ALTER TABLE {t} MODIFY COLUMN n INT NULL"}, want: finds(inDefinition("n"))},
		{name: "table_comment", by: []string{`ALTER TABLE {t} MODIFY COMMENT "another"`}, want: finds(inDefinition("another"))},
		{name: "table_property", by: []string{`ALTER TABLE {t} SET ("bloom_filter_columns" = "v")`}, want: finds(inDefinition("bloom_filter_columns"))},
		{name: "table_buckets", by: []string{"ALTER TABLE {t} MODIFY DISTRIBUTION DISTRIBUTED BY HASH(id) BUCKETS 7"}, want: finds(inDefinition("7"))},

		{name: "partition_missing", by: []string{"ALTER TABLE {t} DROP PARTITION p2"}, want: finds(finding{kind: "partitions", partition: "p2"})},
		{name: "partition_extra", by: []string{`ALTER TABLE {t} ADD PARTITION p9 VALUES LESS THAN ("900")`}, want: finds(finding{kind: "partitions", partition: "p9"})},
		{name: "partition_range", by: []string{"ALTER TABLE {t} DROP PARTITION p2", `ALTER TABLE {t} ADD PARTITION p2 VALUES LESS THAN ("150")`,
			"INSERT INTO {t} SELECT id + 100, concat('v', id + 100), n + 100 FROM {t} WHERE id < 100"}, want: finds(finding{kind: "partitions", partition: "p2"})},
		{name: "partition_name", by: []string{"ALTER TABLE {t} RENAME PARTITION p2 other"}, want: finds(finding{kind: "definition|partitions", text: "other"})},
		{name: "partition_buckets", by: []string{"ALTER TABLE {t} DROP PARTITION p2", `ALTER TABLE {t} ADD PARTITION p2 VALUES LESS THAN ("200") DISTRIBUTED BY HASH(id) BUCKETS 5`,
			"INSERT INTO {t} SELECT id + 100, concat('v', id + 100), n + 100 FROM {t} WHERE id < 100"}, want: finds(finding{kind: "buckets", partition: "p2"})},

		{name: "index_missing", create: withIndex, by: []string{"DROP INDEX i ON {t}"}, want: finds(finding{kind: "indexes", text: "i"})},
		{name: "index_extra", by: []string{"ALTER TABLE {t} ADD INDEX i (v) USING INVERTED"}, want: finds(finding{kind: "indexes", text: "i"})},
		{name: "rollup_missing", setup: []string{"ALTER TABLE {t} ADD ROLLUP r (id, n)"}, by: []string{"ALTER TABLE {t} DROP ROLLUP r"}, want: finds(finding{kind: "rollups", text: "r"})},
		{name: "rollup_extra", by: []string{"ALTER TABLE {t} ADD ROLLUP r (id, n)"}, want: finds(finding{kind: "rollups", text: "r"})},

		{name: "table_missing", by: []string{"DROP TABLE {t} FORCE"}, want: finds(finding{kind: "objects"})},
		{name: "table_created_again", by: []string{"DROP TABLE {t} FORCE", "CREATE TABLE {t} " + twoPartitions, "INSERT INTO {t} VALUES " + sixteenRows()}, want: finds(finding{kind: "objects"})},
		{name: "table_extra", create: nothing, by: []string{"CREATE TABLE {t} " + twoPartitions}, want: finds(finding{kind: "objects"})},
		{name: "table_renamed", by: []string{"ALTER TABLE {t} RENAME renamed_by_hand"}, want: finds(finding{kind: "objects"})},
		{name: "view_missing", create: nothing, setup: []string{"CREATE TABLE {t}_1 " + twoPartitions, "CREATE VIEW {t} AS SELECT id FROM {t}_1"}, by: []string{"DROP VIEW {t}"},
			want: finds(finding{kind: "objects"})},
		{name: "view_text", create: nothing, setup: []string{"CREATE TABLE {t}_1 " + twoPartitions, "CREATE VIEW {t} AS SELECT id FROM {t}_1"},
			by: []string{"ALTER VIEW {t} AS SELECT n FROM {t}_1"}, want: finds(inDefinition("query"))},
		{name: "view_extra", create: nothing, by: []string{"CREATE VIEW {t} AS SELECT id FROM {db}.busy"}, want: finds(finding{kind: "objects"})},
	}
}
