package sql

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/load"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// versionColumn is a hidden column of UNIQUE tables.
const versionColumn = "__DORIS_VERSION_COL__"

// markColumns are the hidden columns that every UNIQUE table of Doris has
// (doris-sql.md 5.3); the simulator keeps delete marks beside the rows instead.
func markColumns(s *types.Schema) []types.Column {
	if s.Keys != types.UniqueKeys {
		return nil
	}
	zero := "0"
	return []types.Column{
		{Name: deleteSignColumn, Type: types.Type{Kind: types.TinyInt}, Hidden: true, Default: &zero, Agg: "REPLACE", AggImplicit: true},
		{Name: versionColumn, Type: types.Type{Kind: types.BigInt}, Hidden: true, Default: &zero, Agg: "REPLACE", AggImplicit: true},
	}
}

// withMarks are all columns of a table in Doris' order: the marks come before
// what features add.
func withMarks(s *types.Schema) []types.Column {
	first := slices.IndexFunc(s.Columns, func(c types.Column) bool { return c.Hidden })
	if first < 0 {
		first = len(s.Columns)
	}
	return slices.Insert(slices.Clone(s.Columns), first, markColumns(s)...)
}

// addDeleteSign lets an INSERT name the delete sign among its columns.
func (t *target) addDeleteSign(names []string) {
	named := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, deleteSignColumn) })
	if named && t.keys == types.UniqueKeys {
		t.columns = append(slices.Clip(t.columns), markColumns(&types.Schema{Keys: t.keys})[0])
	}
}

// takeDeleteSign turns the delete sign, if it is among the columns of a batch,
// into marks of rows.
func takeDeleteSign(b *load.Batch) error {
	at := slices.Index(b.Columns, deleteSignColumn)
	if at < 0 {
		return nil
	}
	b.DeleteRows = map[int]bool{}
	b.Columns = slices.Delete(slices.Clone(b.Columns), at, at+1)
	for i, row := range b.Rows {
		switch row[at] {
		case int64(0), nil:
		case int64(1):
			b.DeleteRows[i] = true
		default:
			return core.Errorf("the delete sign of a row is 0 or 1, but was %v", row[at])
		}
		b.Rows[i] = slices.Delete(row, at, at+1)
	}
	return nil
}

// isMark tells the columns of markColumns from those that are stored.
func isMark(c *types.Column) bool {
	return c.Hidden && (c.Name == deleteSignColumn || c.Name == versionColumn)
}
