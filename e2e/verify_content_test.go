package e2e

import (
	"fmt"
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

// plantedRows are differences in rows, and those that a weaker checksum would
// miss.
func plantedRows() []planted {
	onWrite, onRead := fmt.Sprintf(uniqueRows, true), fmt.Sprintf(uniqueRows, false)
	const pairs = `(id INT, x VARCHAR(40), y VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`
	sequence := strings.Replace(onWrite, `"replication_num"`, `"function_column.sequence_type" = "int", "replication_num"`, 1)
	sequenceRows := "INSERT INTO {t} (id, v, n, __DORIS_SEQUENCE_COL__) VALUES (1, 'a', 1, 10), (103, 'b', 2, 10), (104, 'c', 3, 10)"
	return []planted{
		{name: "row_missing", damage: damages(damaged(be.DropRows, "103")), want: finds(inRows("p2", 8, 7, "103"))},
		{name: "row_doubled", damage: damages(damaged(be.DoubleRows, "103")), want: finds(inRows("p2", 8, 9, "103"))},
		{name: "row_too_many", by: []string{"INSERT INTO {t} VALUES (150, 'not from the source', 1)"}, want: finds(inRows("p2", 8, 9, "150"))},
		{name: "row_deleted_by_hand", by: []string{"DELETE FROM {t} PARTITION p1 WHERE id = 3"}, want: finds(inRows("p1", 8, 7, "3"))},
		{name: "rows_missing_in_both", damage: damages(damaged(be.DropRows, "3"), damaged(be.DropRows, "103")),
			want: finds(inRows("p1", 8, 7, "3"), inRows("p2", 8, 7, "103"))},
		{name: "truncated", by: []string{"TRUNCATE TABLE {t}"}, want: finds(inRows("p1", 8, 0), inRows("p2", 8, 0))},
		{name: "one_of_three_missing", rows: "(1, 'a', 1), (1, 'a', 1), (1, 'a', 1), (2, 'b', 2)", damage: damages(damaged(be.DropRows, "1")),
			want: finds(inRows("p1", 4, 3, "1"))},
		// As many rows on both sides, and every hash an even number of times: xor would
		// not see it.
		{name: "pairs_of_equal_rows", rows: "(1, 'a', 1), (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)", needs: job.VerifyChecksum,
			damage: []dorisim.Damage{{Kind: be.ChangeRows, Key: text("1"), Column: "v", Value: text("z"), Rows: 2}},
			want:   finds(inColumns("p1", []string{"1"}, "v"))},
		{name: "moved_to_another_partition", create: strings.ReplaceAll(twoPartitions, "(id INT, v VARCHAR(40), n INT) DUPLICATE KEY(id)", "(id INT, v VARCHAR(40), n INT) DUPLICATE KEY(id, v)"),
			by:   []string{"DELETE FROM {t} PARTITION p1 WHERE id = 3", "INSERT INTO {t} VALUES (130, 'v3', 3)"},
			want: finds(inRows("p1", 8, 7, "3"), inRows("p2", 8, 9, "130"))},
		// The columns of all rows have the same values on both sides.
		{name: "values_swapped_between_rows", needs: job.VerifyChecksum, damage: damages(changed("103", "v", "v104"), changed("104", "v", "v103")),
			want: finds(finding{kind: "content", partition: "p2", keys: []string{"103", "104"}})},
		{name: "values_swapped_between_columns", create: pairs, rows: "(1, 'x', 'y'), (2, 'a', 'b')", needs: job.VerifyChecksum,
			damage: damages(changed("1", "x", "y"), changed("1", "y", "x")), want: finds(finding{kind: "content", columns: []string{"x", "y"}, keys: []string{"1"}})},
		{name: "end_of_a_column_in_the_next", create: pairs, rows: "(1, 'ab', 'c'), (2, 'a', 'b')", needs: job.VerifyChecksum,
			damage: damages(changed("1", "x", "a"), changed("1", "y", "bc")), want: finds(finding{kind: "content", columns: []string{"x", "y"}, keys: []string{"1"}})},
		{name: "no_partitions", create: pairs, rows: "(1, 'ab', 'c'), (2, 'a', 'b')", damage: damages(damaged(be.DropRows, "2")),
			want: finds(finding{kind: "rows", keys: []string{"2"}, rows: [2]int64{2, 1}})},
		{name: "key_changed", needs: job.VerifyChecksum, damage: damages(changed("103", "id", "113")), want: finds(inColumns("p2", []string{"103", "113"}, "id", "v", "n"))},

		{name: "on_write_missing", create: onWrite, damage: damages(damaged(be.DropRows, "103")), want: finds(inRows("p2", 8, 7, "103"))},
		{name: "on_write_changed", create: onWrite, needs: job.VerifyChecksum, damage: damages(changed("103", "n", "7")), want: finds(inColumns("p2", []string{"103"}, "n"))},
		{name: "on_write_twice", create: onWrite, damage: damages(damaged(be.DoubleRows, "103")), want: finds(inRows("p2", 8, 9, "103"))},
		{name: "on_read_missing", create: onRead, damage: damages(damaged(be.DropRows, "103")), want: finds(inRows("p2", 8, 7, "103"))},
		{name: "on_read_changed", create: onRead, needs: job.VerifyChecksum, damage: damages(changed("103", "v", "w")), want: finds(inColumns("p2", []string{"103"}, "v"))},
		{name: "delete_sign", create: onWrite, damage: damages(damaged(be.DeleteRows, "103")), want: finds(inRows("p2", 8, 7, "103"))},
		{name: "deleted_row_is_back", create: onWrite, setup: []string{"DELETE FROM {t} PARTITION p2 WHERE id = 103"}, damage: damages(damaged(be.UndeleteRows, "103")),
			want: finds(inRows("p2", 7, 8, "103"))},
		{name: "sequence", create: sequence, rows: nothing, setup: []string{sequenceRows}, needs: job.VerifyChecksum,
			damage: damages(changed("103", "__DORIS_SEQUENCE_COL__", "11")), want: finds(inColumns("p2", []string{"103"}, "__DORIS_SEQUENCE_COL__"))},

		{name: "aggregate_missing", create: sums, rows: summed, damage: damages(damaged(be.DropRows, "103")), want: finds(inRows("p2", 2, 1, "103"))},
		{name: "aggregate_changed", create: sums, rows: summed, needs: job.VerifyChecksum, damage: damages(changed("103", "total", "31")), want: finds(inColumns("p2", []string{"103"}, "total"))},
		{name: "aggregate_replaced", create: sums, rows: summed, needs: job.VerifyChecksum, damage: damages(changed("103", "last", "w")), want: finds(inColumns("p2", []string{"103"}, "last"))},

		{name: "bitmap", create: `(id INT, b BITMAP BITMAP_UNION, h HLL HLL_UNION) AGGREGATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`,
			rows: "(1, bitmap_from_string('1,2,3'), hll_hash('a')), (2, to_bitmap(7), hll_hash('b'))", needs: job.VerifyChecksum, notCompared: []string{"h"},
			damage: damages(changed("1", "b", "1,2,4")), want: finds(finding{kind: "content", columns: []string{"b"}, keys: []string{"1"}})},

		{name: "without_keys", create: `(v VARCHAR(40), n INT) DISTRIBUTED BY RANDOM BUCKETS 3 PROPERTIES ("replication_num" = "1", "enable_duplicate_without_keys_by_default" = "true")`,
			rows: "('a', 1), ('a', 1), ('b', 2)", damage: damages(damaged(be.DropRows, "a")), want: finds(finding{kind: "rows", rows: [2]int64{3, 2}, keys: []string{"a"}, anywhere: true})},
		{name: "many_missing", rows: manyRows(600), damage: []dorisim.Damage{{Kind: be.DropRows, Partition: "p2", Rows: 500}}, want: finds(inRows("p2", 600, 100))},
	}
}

const summed = "(1, 10, 5, 'a'), (1, 20, 3, 'b'), (103, 10, 5, 'a'), (103, 20, 3, 'b'), (104, 1, 1, 'c')"

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
