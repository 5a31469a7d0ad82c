package ddl

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/replication/schematest"
)

// TestRewriteRealTexts: what is made of the texts that a real frontend recorded
// defines the same tables.
func TestRewriteRealTexts(t *testing.T) {
	rewritten := 0
	for statement, data := range schematest.DDL(t) {
		create, err := binlog.DecodeCreateTable(data)
		require.NoError(t, err)
		if create.SQL == "" || isView(create.TableType, create.SQL) {
			continue
		}
		got, err := rewriteCreateTable(create.SQL, "dst", create.TableName, 0, true)
		require.NoError(t, err, statement)
		require.Empty(t, parse(t, create.SQL, "d1").Differences(parse(t, got, "dst")), statement)
		require.NotContains(t, got, "MAXVALUEMAXVALUE")
		require.NotContains(t, got, "COMMENT '")
		rewritten++
	}
	require.GreaterOrEqual(t, rewritten, 14)
}

// TestRewriteUnescapedTexts: what stands in a text as it is, is quoted; what may
// be one thing or another is left to a snapshot.
func TestRewriteUnescapedTexts(t *testing.T) {
	text := schematest.ShowCreate(t)["t_idx"]
	for name, c := range map[string]struct{ from, to, want string }{
		"quotes in a comment":    {"`id` int NULL", "`id` int NULL COMMENT 'it's \"so\"'", "`id` int NULL COMMENT \"it's \\\"so\\\"\",\n"},
		"escaped quotes":         {"`id` int NULL", "`id` int NULL COMMENT 'a\\\"b'", "`id` int NULL COMMENT \"a\\\"b\",\n"},
		"lines in a comment":     {"`id` int NULL", "`id` int NULL COMMENT 'a,\nb',\n  `x` int NULL", "`id` int NULL COMMENT \"a,\nb\",\n  `x` int NULL,\n"},
		"later style":            {"`id` int NULL", "`id` int NULL COMMENT \"a\\\\b\"", "COMMENT \"a\\\\b\",\n"},
		"quotes in a default":    {"`msg` varchar(100) NULL", "`msg` varchar(100) NULL DEFAULT \"a\"b\" COMMENT 'c'", "DEFAULT \"a\\\"b\" COMMENT \"c\",\n"},
		"comment of the table":   {"DUPLICATE KEY(`id`)", "DUPLICATE KEY(`id`)\nCOMMENT 'it's\nPARTITION'", "\nCOMMENT \"it's\nPARTITION\"\n"},
		"comment of an index":    {"COMMENT 'inv'", "COMMENT 'it's'", "INDEX `ix_txt` (`txt`) USING INVERTED PROPERTIES(\"parser\" = \"english\", \"lower_case\" = \"true\", \"support_phrase\" = \"true\") COMMENT \"it's\"\n"},
		"no light schema change": {"\"light_schema_change\" = \"true\",\n", "", "\"light_schema_change\" = \"false\",\n"},
		"backslash in a comment": {"`id` int NULL", "`id` int NULL COMMENT 'a\\b'", ""},
		"backslash in a default": {"`msg` varchar(100) NULL", "`msg` varchar(100) NULL DEFAULT \"a\\b\"", ""},
		"backslash of the table": {"DUPLICATE KEY(`id`)", "DUPLICATE KEY(`id`)\nCOMMENT 'a\\b'", ""},
		"backslash of an index":  {"COMMENT 'inv'", "COMMENT 'a\\b'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(text, c.from, c.to, 1)
			require.NotEqual(t, text, changed)
			got, err := rewriteCreateTable(changed, "d", "t", 0, true)
			if c.want == "" {
				require.ErrorContains(t, err, "backslashes")
				return
			}
			require.NoError(t, err)
			require.Contains(t, got, c.want)
		})
	}
	// A text is no bound.
	list := schematest.ShowCreate(t)["t_list"]
	got, err := rewriteCreateTable(strings.Replace(list, `"a","b"`, `"NULLNULL","b"`, 1), "d", "t", 0, true)
	require.NoError(t, err)
	require.Contains(t, got, "(PARTITION `pa` VALUES IN (\"NULLNULL\",\"b\"),\nPARTITION `pc` VALUES")
}
