package schema

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/replication/schematest"
)

func parse(t *testing.T, text, database string) Definition {
	t.Helper()
	d, err := ParseDefinition(text, database)
	require.NoError(t, err, text)
	return d
}

// TestDefinitionOfRealTexts: the texts of a real frontend are read to the last
// column, partition and property.
func TestDefinitionOfRealTexts(t *testing.T) {
	texts := schematest.ShowCreate(t)
	require.GreaterOrEqual(t, len(texts), 15)
	for name, text := range texts {
		d := parse(t, text, "d4")
		require.Empty(t, d.Differences(d), name)
		if d.View {
			continue
		}
		require.NotEmpty(t, d.Columns, name)
		require.Equal(t, "OLAP", d.Engine, name)
		require.Contains(t, d.Distribution, "DISTRIBUTED BY ", name)
		require.Equal(t, strings.Count(text, "\nPARTITION p")+strings.Count(text, "(PARTITION p")+strings.Count(text, "PARTITION q"), len(d.Partitions), name)
		require.Equal(t, strings.Count(text, "\" = \"")-strings.Count(text, "PROPERTIES(\"")*3, len(d.Properties), name)
	}

	dup := parse(t, texts["t_dup"], "d4")
	require.Equal(t, "DUPLICATE KEY(`k1`)", dup.Keys)
	require.Equal(t, "dup table", dup.Comment)
	require.Equal(t, []ColumnDefinition{
		{Name: "k1", Type: "int", Comment: "key one"},
		{Name: "k2", Type: "varchar(20)", Nullable: true},
		{Name: "v1", Type: "bigint", Nullable: true, Default: `"7"`},
		{Name: "v2", Type: "datetime", Nullable: true, Default: "CURRENT_TIMESTAMP"},
	}, dup.Columns)
	require.Equal(t, map[string]string{"p1": `VALUES [("-2147483648"),("10"))`, "p2": `VALUES [("10"),("20"))`}, dup.Partitions)
	require.Equal(t, "RANGE (date_trunc(`d`,'day'))", strings.TrimPrefix(parse(t, texts["t_autop"], "d4").Partitioning, "AUTO PARTITION BY "))
	require.Equal(t, "`a`+1", parse(t, texts["t_gen"], "d4").Columns[1].Generated)
	require.Equal(t, "1", parse(t, texts["t_auto"], "d4").Columns[0].AutoIncrement)
	require.Equal(t, "SUM", parse(t, texts["t_agg"], "d4").Columns[2].Aggregation)
	require.Contains(t, parse(t, texts["t_idx"], "d4").Indexes["ix_txt"], "(`txt`) USING INVERTED map[")
	view := parse(t, texts["v1"], "d4")
	require.Equal(t, "a view", view.Comment)
	require.Equal(t, "SELECT `t_dup`.`k1` AS `kk`, sum(`t_dup`.`v1`) AS `total` FROM `t_dup` GROUP BY `t_dup`.`k1`", view.Query)
}

// TestDefinitionOfBinlogs: the SQL of a CREATE_TABLE record and SHOW CREATE of
// the table say the same, in another database too.
func TestDefinitionOfBinlogs(t *testing.T) {
	texts := schematest.ShowCreate(t)
	compared := 0
	for statement, data := range schematest.DDL(t) {
		create, err := binlog.DecodeCreateTable(data)
		require.NoError(t, err)
		text, ok := texts[create.TableName]
		switch {
		case !ok || create.SQL == "" || create.TableName == "t_dyn":
			continue // the scheduler has made partitions since
		case create.TableName == "t_mow":
			text = strings.Replace(text, "  `c1` int NULL DEFAULT \"3\" COMMENT 'new one',\n", "", 1)
		}
		require.Empty(t, parse(t, create.SQL, "d1").Differences(parse(t, text, "d4")), statement)
		compared++
	}
	require.GreaterOrEqual(t, compared, 13)
}

// TestDefinitionDifferences changes one thing of a real text at a time.
func TestDefinitionDifferences(t *testing.T) {
	texts := schematest.ShowCreate(t)
	for name, c := range map[string]struct {
		of, from, to string
		part         Part // "" for none
	}{
		"type":                      {"t_dup", "`v1` bigint", "`v1` int", PartColumns},
		"length":                    {"t_dup", "varchar(20)", "varchar(40)", PartColumns},
		"nullable":                  {"t_dup", "varchar(20) NULL", "varchar(20) NOT NULL", PartColumns},
		"default":                   {"t_dup", `DEFAULT "7"`, `DEFAULT "8"`, PartColumns},
		"no default":                {"t_dup", ` DEFAULT "7"`, "", PartColumns},
		"default is a text":         {"t_dup", "DEFAULT CURRENT_TIMESTAMP", `DEFAULT "CURRENT_TIMESTAMP"`, PartColumns},
		"comment of a column":       {"t_dup", "'key one'", "'key two'", PartColumns},
		"column gone":               {"t_dup", "  `v1` bigint NULL DEFAULT \"7\",\n", "", PartColumns},
		"column more":               {"t_dup", "  `v1` bigint", "  `v0` bigint NULL,\n  `v1` bigint", PartColumns},
		"order":                     {"t_types2", "  `i4` ipv4 NULL,\n  `i6` ipv6 NULL\n", "  `i6` ipv6 NULL,\n  `i4` ipv4 NULL\n", PartColumns},
		"aggregation":               {"t_agg", "bigint SUM", "bigint MAX", PartColumns},
		"generated":                 {"t_gen", "`a` + 1", "`a` + 2", PartColumns},
		"auto increment":            {"t_auto", "AUTO_INCREMENT(1)", "AUTO_INCREMENT(9)", PartColumns},
		"keys":                      {"t_dup", "DUPLICATE KEY(`k1`)", "DUPLICATE KEY(`k1`, `k2`)", PartKeys},
		"comment":                   {"t_dup", "'dup table'", "'table'", PartComment},
		"partition by":              {"t_dup", "RANGE(`k1`)", "RANGE(`k2`)", PartPartitions},
		"range":                     {"t_dup", `("20")`, `("30")`, PartPartitions},
		"partition's name":          {"t_dup", "PARTITION p2", "PARTITION p3", PartPartitions},
		"list":                      {"t_list", `"a","b"`, `"a"`, PartPartitions},
		"buckets":                   {"t_dup", "BUCKETS 2", "BUCKETS 3", PartDistribution},
		"index":                     {"t_idx", `"parser" = "english"`, `"parser" = "chinese"`, PartIndexes},
		"index's column":            {"t_idx", "(`txt`)", "(`msg`)", PartIndexes},
		"bloom filter":              {"t_idx", `"bloom_filter_columns" = "msg",`, "", PartProperties},
		"sequence":                  {"t_mor", `"function_column.sequence_type" = "int",`, "", PartProperties},
		"light schema change":       {"t_dup", `"light_schema_change" = "true",`, "", PartProperties},
		"merge on write":            {"t_mow", `"enable_unique_key_merge_on_write" = "true"`, `"enable_unique_key_merge_on_write" = "false"`, PartProperties},
		"query":                     {"v1", "sum(", "max(", PartQuery},
		"comment of a view":         {"v1", "'a view'", "'view'", PartComment},
		"table of another database": {"v1", "FROM `internal`.`d4`.", "FROM `internal`.`d5`.", PartQuery},

		"comment in later style":    {"t_dup", "'key one'", `"key one"`, ""},
		"types in old style":        {"t_dup", "`v1` bigint", "`v1` bigint(20)", ""},
		"types with their version":  {"t_date", "datetime(3)", "datetimev2(3)", ""},
		"dates in later style":      {"t_date", "('2024-01-02')", `("2024-01-02")`, ""},
		"MAXVALUE in later style":   {"t_two", "MAXVALUEMAXVALUE", "MAXVALUE, MAXVALUE", ""},
		"list values each alone":    {"t_list", `("a","b")`, `(("a"),("b"))`, ""},
		"order of index properties": {"t_idx", `"parser" = "english", "lower_case" = "true"`, `"lower_case" = "true", "parser" = "english"`, ""},
		"replicas":                  {"t_dup", "default: 1", "default: 3", ""},
		"binlogs off":               {"t_dup", `"binlog.enable" = "true"`, `"binlog.enable" = "false"`, ""},
		"medium":                    {"t_dup", "\"storage_medium\" = \"hdd\",\n", "", ""},
		"being synced":              {"t_dup", `"is_being_synced" = "false"`, `"is_being_synced" = "true"`, ""},
		"property of one version":   {"t_mow", "\"enable_mow_light_delete\" = \"false\"", "\"new_thing\" = \"false\"", ""},
		"parentheses of generated":  {"t_gen", "((`a` + 1))", "(`a` + 1)", ""},
		"table of a very old view":  {"v1", "`internal`.`d4`.", "`default_cluster:d4`.", ""},
		"blanks of a view":          {"v1", " FROM ", "\nFROM  ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := texts[c.of]
			changed := strings.ReplaceAll(text, c.from, c.to)
			require.NotEqual(t, text, changed)
			found := parse(t, text, "d4").Differences(parse(t, changed, "d4"))
			if c.part == "" {
				require.Empty(t, found)
				return
			}
			require.NotEmpty(t, found)
			for _, d := range found {
				require.Equal(t, c.part, d.Part, d.Text)
				require.NotEmpty(t, d.Text)
			}
		})
	}
}

// TestDefinitionOfUnescapedTexts: quotes and line breaks in comments and defaults
// stand in the texts as they are (doris-sql.md 3.2).
func TestDefinitionOfUnescapedTexts(t *testing.T) {
	text := schematest.ShowCreate(t)["t_dup"]
	for printed, want := range map[string]string{
		`'it's'`:        "it's",
		`'say \"hi\"'`:  `say "hi"`,
		`"say \"hi\""`:  `say "hi"`,
		"'two\nlines,'": "two\nlines,",
		"'a, b'":        "a, b",
		"'x' y'":        "x' y",
	} {
		d := parse(t, strings.Replace(text, "'key one'", printed, 1), "d4")
		require.Equal(t, want, d.Columns[0].Comment, printed)
		require.Len(t, d.Columns, 4, printed)
		d = parse(t, strings.Replace(text, "'dup table'", printed, 1), "d4")
		require.Equal(t, want, d.Comment, printed)
		require.Len(t, d.Partitions, 2, printed)
	}
	d := parse(t, strings.Replace(text, `"7"`, `"a"b" COMMENT 'it's "so"'`, 1), "d4")
	require.Equal(t, ColumnDefinition{Name: "v1", Type: "bigint", Nullable: true, Default: `"a"b"`, Comment: `it's "so"`}, d.Columns[2])
}

// TestColumnsOfBinlogs: the columns of a real record and of SHOW CREATE are the
// same, and what cannot be said for certain is refused.
func TestColumnsOfBinlogs(t *testing.T) {
	texts := schematest.ShowCreate(t)
	modify, err := binlog.DecodeModifyColumns(schematest.DDL(t)[`ALTER TABLE t_mow ADD COLUMN c1 INT NULL DEFAULT "3" COMMENT "new one" AFTER v1`])
	require.NoError(t, err)
	require.Len(t, modify.IndexSchema, 1)
	for _, schema := range modify.IndexSchema {
		var defined []ColumnDefinition
		for _, c := range schema {
			if !c.Visible {
				continue
			}
			d, err := DefinedColumn(c, false)
			require.NoError(t, err)
			defined = append(defined, d)
		}
		require.Empty(t, ColumnDifferences(parse(t, texts["t_mow"], "d4").Columns, defined))
	}

	for raw, want := range map[string]string{
		`{"clazz":"ScalarType","type":"VARCHAR","len":5}`:                                                                                                      "varchar(5)",
		`{"clazz":"ScalarType","type":"CHAR","len":1}`:                                                                                                         "char(1)",
		`{"clazz":"ScalarType","type":"DATETIMEV2","len":-1,"precision":18,"scale":0}`:                                                                         "datetime",
		`{"clazz":"ScalarType","type":"DATETIMEV2","len":-1,"precision":18,"scale":6}`:                                                                         "datetime(6)",
		`{"clazz":"ScalarType","type":"DECIMAL64","len":-1,"precision":10,"scale":2}`:                                                                          "decimal(10,2)",
		`{"clazz":"ScalarType","type":"STRING","len":2147483643}`:                                                                                              "text",
		`{"clazz":"ArrayType","itemType":{"clazz":"ScalarType","type":"INT"},"containsNull":true}`:                                                             "array<int>",
		`{"clazz":"MapType","keyType":{"clazz":"ScalarType","type":"STRING"},"valueType":{"clazz":"ScalarType","type":"INT"}}`:                                 "map<text,int>",
		`{"clazz":"StructType","fields":[{"name":"x","type":{"clazz":"ScalarType","type":"INT"}},{"name":"y","type":{"clazz":"ScalarType","type":"STRING"}}]}`: "struct<x:int,y:text>",
		`{"clazz":"VariantType","type":"VARIANT","len":-1}`:                                                                                                    "variant",
		`{"clazz":"VariantType","type":"VARIANT","predefinedFields":[]}`:                                                                                       "",
		`{"clazz":"AggStateType","type":"AGG_STATE","functionName":"max_by"}`:                                                                                  "",
		`{"clazz":"ScalarType","type":"DECIMALV2","precision":9}`:                                                                                              "",
		`{"clazz":"ScalarType","type":"VARCHAR","len":-1}`:                                                                                                     "",
		`{"clazz":"StructType","fields":[{"name":"x","comment":"c","type":{"clazz":"ScalarType","type":"INT"}}]}`:                                              "",
		`{"clazz":"ArrayType"}`: "",
	} {
		got, err := typeText(json.RawMessage(raw))
		require.Equal(t, want, got, raw)
		require.Equal(t, want == "", err != nil, raw)
	}
}

func TestViewTexts(t *testing.T) {
	const head = "CREATE VIEW `v` "
	for text, want := range map[string]ViewText{
		"AS SELECT 1 AS `a`;":                             {Query: "SELECT 1 AS `a`"},
		"COMMENT 'c' AS SELECT 'x' AS `a`;":               {comment: "c", Query: "SELECT 'x' AS `a`"},
		"COMMENT 'c' AS WITH q AS (SELECT 1) SELECT 2;":   {comment: "c", Query: "WITH q AS (SELECT 1) SELECT 2"},
		"COMMENT 'it's' AS SELECT 1;":                     {comment: "it's", Query: "SELECT 1", Doubtful: true},
		`COMMENT 'a\b' AS SELECT 1;`:                      {comment: `a\b`, Query: "SELECT 1", Doubtful: true},
		"COMMENT 'x' AS select 1 --' AS SELECT k FROM t;": {comment: "x' AS select 1 --", Query: "SELECT k FROM t", Doubtful: true},
		"COMMENT 'two\nlines' AS SELECT 1;":               {comment: "two\nlines", Query: "SELECT 1"},
		"(`a`, `b`) COMMENT 'c' AS SELECT 1, 2;":          {columns: "(`a`, `b`)", comment: "c", Query: "SELECT 1, 2"},
		"(`a` COMMENT 'x') AS SELECT 1;":                  {columns: "(`a` COMMENT 'x')", Query: "SELECT 1", Doubtful: true},
	} {
		got, err := SplitView(head + text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	_, err := SplitView(head + "COMMENT 'c'")
	require.Error(t, err)

	// A name in a text is no name.
	require.Equal(t, "SELECT '`src`.' AS `a` FROM `t`", normalQuery("SELECT '`src`.' AS `a` FROM `src`.`t`;", "src"))
	require.Equal(t, `SELECT 'it''s  \' "' , "a  b" FROM `+"`t`", normalQuery("SELECT 'it''s  \\' \"'   ,\n\"a  b\" FROM `internal`.`src`.`t`", "src"))
}

func FuzzParseDefinition(f *testing.F) {
	data, err := os.ReadFile("../schematest/show_create.real.json")
	if err != nil {
		f.Fatal(err)
	}
	var rows []struct{ Text string }
	if err := json.Unmarshal(data, &rows); err != nil {
		f.Fatal(err)
	}
	for _, row := range rows {
		f.Add(row.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDefinition(text, "d4"); err == nil {
			require.Empty(t, d.Differences(d))
		}
	})
}
