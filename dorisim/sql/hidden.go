package sql

import (
	"context"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/load"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// Hidden columns of UNIQUE tables besides those of target.go.
const (
	versionColumn    = "__DORIS_VERSION_COL__"
	skipBitmapColumn = "__DORIS_SKIP_BITMAP_COL__"
)

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

// namesHidden tells whether a SELECT names a hidden column, and whether it names
// that of versions. Doris finds what is named whatever show_hidden_columns says
// (doris-sql.md 5.9); here a SELECT that has a * besides does not.
func (c *cursor) namesHidden() (any, versions bool) {
	for i, t := range c.tokens {
		star := t.IsSymbol("*") && i > 0 && (c.tokens[i-1].IsSymbol(",") || c.tokens[i-1].IsSymbol(".") || c.tokens[i-1].Is("SELECT") || c.tokens[i-1].Is("DISTINCT"))
		if star {
			return false, false
		}
		if t.Kind != parser.Word && t.Kind != parser.QuotedIdent {
			continue
		}
		switch strings.ToUpper(t.Text) {
		case deleteSignColumn, sequenceColumn, skipBitmapColumn:
			any = true
		case versionColumn:
			any, versions = true, true
		}
	}
	return any, versions
}

// isMark tells the columns of markColumns from those that are stored.
func isMark(c *types.Column) bool {
	return c.Hidden && (c.Name == deleteSignColumn || c.Name == versionColumn)
}

// visibility says what a SELECT shows of a table: its hidden columns, the deleted
// rows of UNIQUE tables, and what the version column really says.
type visibility struct{ hidden, deleted, versions bool }

// view says where the cells of shown rows come from.
type view struct {
	columns []types.Column
	cells   []int // of each column: where it is stored, or a mark
	marks   bool  // is there any
	whole   bool  // rows are shown as they are stored
}

// Marks stand for columns that are not stored.
const (
	deleteMark  = -1
	versionMark = -2
)

// newView shows the columns of withMarks or of a schema, the hidden ones only if
// they are to be shown.
func newView(all []types.Column, hidden bool) *view {
	v := &view{}
	stored := 0
	for i := range all {
		c, from := &all[i], stored
		switch {
		case isMark(c) && c.Name == versionColumn:
			from = versionMark
		case isMark(c):
			from = deleteMark
		default:
			stored++
		}
		if c.Hidden && !hidden {
			continue
		}
		v.columns, v.cells = append(v.columns, *c), append(v.cells, from)
		v.marks = v.marks || from < 0
	}
	v.whole = !v.marks && len(v.cells) == stored
	return v
}

// scanned reads what is shown of a partition.
func (s *session) scanned(ctx context.Context, t *catalog.Table, p *catalog.Partition, what core.Scan, v *view, shown visibility) ([]types.Row, error) {
	c := s.server.core
	if !v.marks || !shown.deleted && !shown.versions {
		rows, err := c.ScanRows(ctx, t, p, what)
		if err != nil || v.whole {
			return rows, err
		}
		out := make([]types.Row, len(rows))
		for i, row := range rows {
			out[i] = v.row(be.MarkedRow{Row: row})
		}
		return out, nil
	}
	rows, err := c.ScanMarked(ctx, t, p, what)
	if err != nil {
		return nil, err
	}
	out := make([]types.Row, 0, len(rows))
	for _, row := range rows {
		if !row.Deleted || shown.deleted {
			out = append(out, v.row(row))
		}
	}
	return out, nil
}

// row is what is shown of a stored row.
func (v *view) row(stored be.MarkedRow) types.Row {
	cells := make(types.Row, len(v.cells))
	for i, from := range v.cells {
		switch {
		case from == versionMark:
			cells[i] = stored.Version
		case from == deleteMark && stored.Deleted:
			cells[i] = int64(1)
		case from == deleteMark:
			cells[i] = int64(0)
		case from < len(stored.Row):
			cells[i] = stored.Row[from]
		}
	}
	return cells
}
