package parser

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/types"
)

func TestParseAlterJobs(t *testing.T) {
	table := Name{Database: "d", Name: "t"}
	view := "create materialized view r as select t.`a`, sum(b) as s from d.t group by a order by a"
	nested := "CREATE MATERIALIZED VIEW r AS SELECT ABS(t.a)+1, bitmap_union(to_bitmap(b)), count(b) FROM d.t WHERE a > 5 and b = 'x, y' GROUP BY ABS(a)+1"
	for text, want := range map[string]Statement{
		"CREATE INDEX IF NOT EXISTS i ON d.t (a, b) USING bitmap COMMENT 'x';": &AlterTable{Table: table, Clauses: []AlterClause{
			&AddIndex{Index: IndexDef{IfNotExists: true, Name: "i", Columns: []string{"a", "b"}, Kind: "BITMAP", Comment: "x"}}}},
		"DROP INDEX IF EXISTS i ON d.t":                 &AlterTable{Table: table, Clauses: []AlterClause{&DropIndex{IfExists: true, Name: "i"}}},
		"BUILD INDEX i ON d.t":                          &BuildIndex{Name: "i", Table: table},
		"build index `i` on d.t partitions(`p1`, p2)":   &BuildIndex{Name: "i", Table: table, Partitions: []string{"p1", "p2"}},
		"BUILD INDEX i ON d.t PARTITION (p)":            &BuildIndex{Name: "i", Table: table, Partitions: []string{"p"}},
		"CANCEL ALTER TABLE COLUMN FROM d.t":            &CancelAlter{Kind: ColumnJobs, Table: table},
		"CANCEL ALTER TABLE ROLLUP FROM d.t (1, 2)":     &CancelAlter{Kind: RollupJobs, Table: table, Jobs: []int64{1, 2}},
		"CANCEL ALTER TABLE MATERIALIZED VIEW FROM d.t": &CancelAlter{Kind: RollupJobs, Table: table},
		"CANCEL BUILD INDEX ON d.t (5)":                 &CancelAlter{Kind: IndexJobs, Table: table, Jobs: []int64{5}},
		"DROP MATERIALIZED VIEW IF EXISTS r ON d.t":     &DropRollupView{IfExists: true, Name: "r", Table: table},
		view + ";": &CreateRollupView{Name: "r", Table: table, Items: []RollupItem{{Column: "a", Text: "`a`"}, {Column: "b", Agg: types.Agg("SUM"), Text: "sum(`b`)"}},
			Grouped: true, OrderBy: []string{"`a`"}, Statement: view},
		nested: &CreateRollupView{Name: "r", Table: table, Items: []RollupItem{
			{Expr: "abs(`a`) + 1", Text: "abs(`a`) + 1"}, {Expr: "to_bitmap(`b`)", Agg: "BITMAP_UNION", Text: "bitmap_union(to_bitmap(`b`))"},
			{Expr: "count(`b`)", Agg: "SUM", Text: "count(`b`)"}}, Where: "`a` > 5 AND `b` = 'x, y'", Grouped: true, Statement: nested},
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"CREATE INDEX i (a)", "BUILD INDEX ON t", "CANCEL ALTER TABLE t", "CREATE MATERIALIZED VIEW r AS SELECT * FROM t", "CREATE MATERIALIZED VIEW r AS SELECT a FROM t WHERE"} {
		_, err := Parse(text)
		require.Error(t, err, text)
	}
}
