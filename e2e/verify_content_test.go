package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/job"
)

// damaged does something to the row with a key.
func damaged(kind be.DamageKind, key string) dorisim.Damage {
	return dorisim.Damage{Kind: kind, Key: &key}
}

// changed gives a column of the row with a key another value.
func changed(key, column, value string) dorisim.Damage {
	return dorisim.Damage{Kind: be.ChangeRows, Key: &key, Column: column, Value: &value}
}

func damages(all ...dorisim.Damage) []dorisim.Damage { return all }

// inRows is a difference in the rows of a partition.
func inRows(partition string, source, destination int64, keys ...string) finding {
	return finding{kind: "rows", partition: partition, rows: [2]int64{source, destination}, keys: keys}
}

// inColumns is a difference in the values of columns.
func inColumns(partition string, keys []string, columns ...string) finding {
	return finding{kind: "content", partition: partition, columns: columns, keys: keys}
}

func finds(all ...finding) []finding { return all }

// plantedRows are differences in rows, and those that a weaker checksum would miss.
// The first partition of a table that several share has none.
func plantedRows() []planted {
	const unpartitioned = `(v VARCHAR(40), n INT) DISTRIBUTED BY RANDOM BUCKETS 3 PROPERTIES ("replication_num" = "1", "enable_duplicate_without_keys_by_default" = "true")`
	return slices.Concat(inDuplicates(), inUniques(), inAggregates(), inPairs(), []planted{
		{name: "bitmap", create: `(id INT, b BITMAP BITMAP_UNION, h HLL HLL_UNION) AGGREGATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`,
			rows: "(1, bitmap_from_string('1,2,3'), hll_hash('a')), (2, to_bitmap(7), hll_hash('b'))", needs: job.VerifyChecksum, notCompared: []string{"h"},
			damage: damages(changed("1", "b", "1,2,4")), want: finds(finding{kind: "content", columns: []string{"b"}, keys: []string{"1"}})},
		{name: "without_keys", create: unpartitioned, rows: "('a', 1), ('a', 1), ('b', 2)", damage: damages(damaged(be.DropRows, "a")),
			want: finds(finding{kind: "rows", rows: [2]int64{3, 2}, keys: []string{"a"}, anywhere: true})},
		{name: "many_missing", rows: manyRows(600), damage: []dorisim.Damage{{Kind: be.DropRows, Partition: "p2", Rows: 500}}, want: finds(inRows("p2", 600, 100))},
	})
}

// inDuplicates are differences of a DUPLICATE table.
func inDuplicates() []planted {
	const t = "duplicates"
	rows := eightRows(1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14) + ", (501, 'a', 1), (501, 'a', 1), (501, 'a', 1), (502, 'b', 2), (601, 'a', 1), (601, 'a', 1), (602, 'b', 2), (603, 'c', 3)"
	return []planted{
		{name: t, create: withPartitions(twoPartitions, 14), rows: rows},
		{name: "row_missing", in: t, damage: damages(damaged(be.DropRows, "103")), want: finds(inRows("p2", 8, 7, "103"))},
		{name: "row_doubled", in: t, damage: damages(damaged(be.DoubleRows, "203")), want: finds(inRows("p3", 8, 9, "203"))},
		{name: "row_too_many", in: t, by: []string{"INSERT INTO {t} VALUES (350, 'not from the source', 1)"}, want: finds(inRows("p4", 8, 9, "350"))},
		{name: "row_deleted_by_hand", in: t, by: []string{"DELETE FROM {t} PARTITION p5 WHERE id = 403"}, want: finds(inRows("p5", 8, 7, "403"))},
		{name: "one_of_three_missing", in: t, damage: damages(damaged(be.DropRows, "501")), want: finds(inRows("p6", 4, 3, "501"))},
		// As many rows on both sides, and every hash an even number of times: xor would
		// not see it.
		{name: "pairs_of_equal_rows", in: t, needs: job.VerifyChecksum,
			damage: []dorisim.Damage{{Kind: be.ChangeRows, Key: text("601"), Column: "v", Value: text("z"), Rows: 2}},
			want:   finds(inColumns("p7", []string{"601"}, "v"))},
		// The columns of all rows have the same values on both sides.
		{name: "values_swapped_between_rows", in: t, needs: job.VerifyChecksum, damage: damages(changed("703", "v", "v704"), changed("704", "v", "v703")),
			want: finds(finding{kind: "content", partition: "p8", keys: []string{"703", "704"}})},
		{name: "key_changed", in: t, needs: job.VerifyChecksum, damage: damages(changed("803", "id", "813")), want: finds(inColumns("p9", []string{"803", "813"}, "id", "v", "n"))},
		{name: "rows_missing_in_both", in: t, damage: damages(damaged(be.DropRows, "903"), damaged(be.DropRows, "1003")),
			want: finds(inRows("p10", 8, 7, "903"), inRows("p11", 8, 7, "1003"))},
		{name: "truncated", in: t, by: []string{"TRUNCATE TABLE {t} PARTITION (p12)"}, want: finds(inRows("p12", 8, 0, "1101", "1108"))},
		{name: "moved_to_another_partition", in: t, by: []string{"DELETE FROM {t} PARTITION p13 WHERE id = 1203", "INSERT INTO {t} VALUES (1330, 'v1203', 1203)"},
			want: finds(inRows("p13", 8, 7, "1203"), inRows("p14", 8, 9, "1330"))},
	}
}

// inUniques are differences of UNIQUE tables, merged on write and on read.
func inUniques() []planted {
	const onWrite, onRead = "on_write", "on_read"
	merged := func(onWrite bool, n int) string { return withPartitions(fmt.Sprintf(uniqueRows, onWrite), n) }
	sequence := strings.Replace(fmt.Sprintf(uniqueRows, true), `"replication_num"`, `"function_column.sequence_type" = "int", "replication_num"`, 1)
	sequenceRows := "INSERT INTO {t} (id, v, n, __DORIS_SEQUENCE_COL__) VALUES (1, 'a', 1, 10), (103, 'b', 2, 10), (104, 'c', 3, 10)"
	return []planted{
		{name: onWrite, create: merged(true, 6), rows: eightRows(1, 2, 3, 4, 5, 6), setup: []string{"DELETE FROM {t} PARTITION p6 WHERE id = 503"}},
		{name: "on_write_missing", in: onWrite, damage: damages(damaged(be.DropRows, "103")), want: finds(inRows("p2", 8, 7, "103"))},
		{name: "on_write_changed", in: onWrite, needs: job.VerifyChecksum, damage: damages(changed("203", "n", "7")), want: finds(inColumns("p3", []string{"203"}, "n"))},
		{name: "on_write_twice", in: onWrite, damage: damages(damaged(be.DoubleRows, "303")), want: finds(inRows("p4", 8, 9, "303"))},
		{name: "delete_sign", in: onWrite, damage: damages(damaged(be.DeleteRows, "403")), want: finds(inRows("p5", 8, 7, "403"))},
		{name: "deleted_row_is_back", in: onWrite, damage: damages(damaged(be.UndeleteRows, "503")), want: finds(inRows("p6", 7, 8, "503"))},

		{name: onRead, create: merged(false, 3), rows: eightRows(1, 2, 3)},
		{name: "on_read_missing", in: onRead, damage: damages(damaged(be.DropRows, "103")), want: finds(inRows("p2", 8, 7, "103"))},
		{name: "on_read_changed", in: onRead, needs: job.VerifyChecksum, damage: damages(changed("203", "v", "w")), want: finds(inColumns("p3", []string{"203"}, "v"))},

		{name: "sequence", create: sequence, rows: nothing, setup: []string{sequenceRows}, needs: job.VerifyChecksum,
			damage: damages(changed("103", "__DORIS_SEQUENCE_COL__", "11")), want: finds(inColumns("p2", []string{"103"}, "__DORIS_SEQUENCE_COL__"))},
	}
}

// inAggregates are differences of an AGGREGATE table, in rows that two loads have
// made.
func inAggregates() []planted {
	const t = "aggregates"
	rows := "(1, 10, 5, 'a'), (1, 20, 3, 'b')"
	for _, first := range []int{103, 203, 303} {
		rows += fmt.Sprintf(", (%d, 10, 5, 'a'), (%d, 20, 3, 'b'), (%d, 1, 1, 'c')", first, first, first+1)
	}
	return []planted{
		{name: t, create: withPartitions(sums, 4), rows: rows},
		{name: "aggregate_missing", in: t, damage: damages(damaged(be.DropRows, "103")), want: finds(inRows("p2", 2, 1, "103"))},
		{name: "aggregate_changed", in: t, needs: job.VerifyChecksum, damage: damages(changed("203", "total", "31")), want: finds(inColumns("p3", []string{"203"}, "total"))},
		{name: "aggregate_replaced", in: t, needs: job.VerifyChecksum, damage: damages(changed("303", "last", "w")), want: finds(inColumns("p4", []string{"303"}, "last"))},
	}
}

// inPairs are differences between two columns of a row.
func inPairs() []planted {
	const t, pairs = "pairs", `(id INT, x VARCHAR(40), y VARCHAR(40)) DUPLICATE KEY(id) %s DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`
	const ranges = `PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("100"), PARTITION p2 VALUES LESS THAN ("200"))`
	return []planted{
		{name: t, create: fmt.Sprintf(pairs, withPartitions(ranges, 3)), rows: "(1, 'x', 'y'), (101, 'x', 'y'), (102, 'a', 'b'), (201, 'ab', 'c'), (202, 'a', 'b')"},
		{name: "values_swapped_between_columns", in: t, needs: job.VerifyChecksum, damage: damages(changed("101", "x", "y"), changed("101", "y", "x")),
			want: finds(inColumns("p2", []string{"101"}, "x", "y"))},
		{name: "end_of_a_column_in_the_next", in: t, needs: job.VerifyChecksum, damage: damages(changed("201", "x", "a"), changed("201", "y", "bc")),
			want: finds(inColumns("p3", []string{"201"}, "x", "y"))},
		{name: "no_partitions", create: fmt.Sprintf(pairs, ""), rows: "(1, 'ab', 'c'), (2, 'a', 'b')", damage: damages(damaged(be.DropRows, "2")),
			want: finds(finding{kind: "rows", keys: []string{"2"}, rows: [2]int64{2, 1}})},
	}
}

func text(s string) *string { return &s }

// manyRows are n rows of p2.
func manyRows(n int) string {
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf("(%d, 'v%d', %d)", 100+i%100, i, i))
	}
	return strings.Join(rows, ", ")
}

// kindOfValue is a type of a column, what the source has in it, and what the
// destination has instead; nil is NULL.
type kindOfValue struct {
	name, kind string
	source     string // as SQL
	value      *string
}

// plantedValues are differences in single values, as small as they can be, in
// all kinds of columns: a row for each.
func plantedValues() []planted {
	kinds := []kindOfValue{
		{"c_bool", "BOOLEAN", "true", text("false")},
		{"c_tiny", "TINYINT", "-128", text("-127")},
		{"c_small", "SMALLINT", "1", text("-1")},
		{"c_int", "INT", "2147483647", text("2147483646")},
		{"c_big", "BIGINT", "9007199254740993", text("9007199254740992")}, // equal as DOUBLE
		{"c_large", "LARGEINT", "170141183460469231731687303715884105727", text("170141183460469231731687303715884105726")},
		{"c_float", "FLOAT", "0.1", text("0.2")},
		{"c_double", "DOUBLE", "0.3", text("0.30000000000000004")},
		{"c_decimal", "DECIMAL(27, 9)", "123456789012345678.000000001", text("123456789012345678.000000002")},
		{"c_char", "CHAR(5)", "'abc'", text("abd")},
		{"c_blank", "VARCHAR(40)", "'text'", text("text ")},
		{"c_case", "STRING", "'text'", text("Text")},
		{"c_umlaut", "VARCHAR(40)", "'größe'", text("grosse")},
		{"c_date", "DATE", "'2026-02-28'", text("2026-03-01")},
		{"c_datetime", "DATETIME(6)", "'2026-02-28 23:59:59.999999'", text("2026-02-28 23:59:59.999998")},
		{"c_json", "JSON", `'{"a":1}'`, text(`{"a":"1"}`)},
		{"c_array", "ARRAY<INT>", "'[1, 2]'", text("[2, 1]")},
		{"c_map", "MAP<STRING, INT>", `'{"a":1}'`, text(`{"a":2}`)},
		{"c_struct", "STRUCT<x:INT, y:STRING>", `'{"x":1,"y":"a"}'`, text(`{"x":1,"y":"b"}`)},
		{"c_ipv4", "IPV4", "'10.0.0.1'", text("10.0.0.2")},
		{"c_ipv6", "IPV6", "'::1'", text("::2")},
		{"c_variant", "VARIANT", `'{"a":1}'`, text(`{"a":2}`)},
		{"empty_null", "VARCHAR(40)", "''", nil},
		{"null_empty", "VARCHAR(40)", "NULL", text("")},
		{"null_text", "VARCHAR(40)", "NULL", text("NULL")},
		{"zero_null", "INT", "0", nil},
		{"null_zero", "INT", "NULL", text("0")},
		{"false_null", "BOOLEAN", "false", nil},
		{"json_null", "JSON", "'null'", nil},
		{"array_null", "ARRAY<INT>", "'[]'", nil},
	}
	p := planted{name: "kinds", needs: job.VerifyChecksum, want: finds(finding{kind: "content"})}
	var columns, values, rows []string
	for _, k := range kinds {
		columns, values = append(columns, k.name+" "+k.kind), append(values, k.source)
	}
	for i, k := range kinds {
		id := strconv.Itoa(1000 + i)
		rows = append(rows, fmt.Sprintf("(%s, %s)", id, strings.Join(values, ", ")))
		p.damage = append(p.damage, dorisim.Damage{Kind: be.ChangeRows, Key: &id, Column: k.name, Value: k.value, Null: k.value == nil})
		p.want[0].columns, p.want[0].keys = append(p.want[0].columns, k.name), append(p.want[0].keys, id)
	}
	p.create = "(id INT, " + strings.Join(columns, ", ") + `) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`
	p.rows = strings.Join(rows, ", ")
	return []planted{p}
}
