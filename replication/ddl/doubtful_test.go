package ddl

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
)

// What a frontend prints without escaping must not become a statement on the destination: whoever
// may alter one table of the source would execute what they like there.
func TestValuesDoNotBecomeStatements(t *testing.T) {
	const list = "CREATE TABLE `n` (\n  `s` varchar(99) NOT NULL{column}\n) ENGINE=OLAP\nDUPLICATE KEY(`s`)\n{comment}PARTITION BY LIST(`s`)\n(PARTITION p VALUES IN (\"{value}\"))\nDISTRIBUTED BY HASH(`s`) BUCKETS 1\nPROPERTIES (\n\"binlog.enable\" = \"true\"\n);"
	create := func(column, comment, value string) binlog.CreateTable {
		return binlog.CreateTable{TableID: 11, TableName: "n", SQL: strings.NewReplacer("{column}", column, "{comment}", comment, "{value}", value).Replace(list)}
	}
	partition := func(value string) binlog.AddPartition {
		add := binlog.AddPartition{TableID: 10, SQL: "ADD PARTITION `p5` VALUES IN ((\"" + value + "\")) (\"version_info\" = \"1\");"}
		add.Partition.Name, add.Partition.Distribution.Type, add.Partition.Distribution.BucketNum = "p5", "RANDOM", 1
		return add
	}
	view := func(sql string) binlog.CreateTable {
		return binlog.CreateTable{TableID: 12, TableName: "v", TableType: "VIEW", SQL: sql}
	}
	for name, c := range map[string]struct {
		typ   binlog.Type
		data  any
		table int64
		clean bool
	}{
		"a partition":               {binlog.TypeAddPartition, partition(`x; DROP TABLE a; -- y`), 10, true},
		"that ends the statement":   {binlog.TypeAddPartition, partition(`x")); DROP TABLE victim.keep; -- `), 10, false},
		"that adds a clause":        {binlog.TypeAddPartition, partition(`x")), DROP PARTITION p1, ADD PARTITION p6 VALUES IN (("y`), 10, false},
		"that hides in a comment":   {binlog.TypeAddPartition, partition(`x" /*")) ; DROP TABLE a */`), 10, false},
		"with a quote":              {binlog.TypeAddPartition, partition(`it"s`), 10, false},
		"a table":                   {binlog.TypeCreateTable, create("", "", "x; y"), 11, true},
		"its partition":             {binlog.TypeCreateTable, create("", "", `x"))); DROP TABLE victim.keep; -- `), 11, false},
		"its partition's query":     {binlog.TypeCreateTable, create("", "", `x")) AS SELECT * FROM secret.t -- `), 11, false},
		"its column":                {binlog.TypeCreateTable, create(" COMMENT 'a',\n  `b` int NULL); DROP TABLE victim.keep; -- ', \n  `c` int NULL", "", "x"), 11, false},
		"its default":               {binlog.TypeCreateTable, create(` DEFAULT "a"; DROP TABLE victim.keep; -- "`, "", "x"), 11, true}, // quoted anew
		"its comment":               {binlog.TypeCreateTable, create("", "COMMENT 'a'; DROP TABLE victim.keep; -- '\n", "x"), 11, true},
		"a view":                    {binlog.TypeCreateTable, view("CREATE VIEW `v` AS SELECT split_by_string(`a`, ';') AS `k` FROM `internal`.`src`.`t`;"), 12, true},
		"its query":                 {binlog.TypeCreateTable, view("CREATE VIEW `v` AS SELECT 1; DROP TABLE victim.keep;"), 12, false},
		"a truncate":                {binlog.TypeTruncateTable, `{"tblId":10,"isEntireTable":false,"rawSql":"PARTITIONS (p5); DROP TABLE a"}`, 10, false},
		"a column without its type": {binlog.TypeModifyTableAddOrDropColumns, `{"tableId":10,"indexSchemaMap":{},"rawSql":"ALTER TABLE ` + "`t`" + ` ADD COLUMN a int COMMENT \"x\"; DROP TABLE a; -- \""}`, 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := applying(c.typ, c.data, c.table)
			a.src.TableMeta[11], a.src.TableMeta[12] = &meta.Table{ID: 11, Name: "n"}, &meta.Table{ID: 12, Name: "v"}
			a.dst.onExec = func(statement string) {
				if text, created := strings.CutPrefix(statement, "CREATE TABLE IF NOT EXISTS `dst`."); created {
					a.dst.made["n"] = "CREATE TABLE " + text
				}
			}
			got := a.run(t)
			if !c.clean {
				require.Empty(t, a.dst.Executed)
				require.NotNil(t, got.Wanted)
				require.Equal(t, c.table, got.Wanted.Partial.TableID)
				return
			}
			require.Len(t, a.dst.Executed, 1+strings.Count(name, "a view"))
		})
	}
}
