package ddl

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// modify is MODIFY COLUMN with a definition: a new type, default, nullability or
// position, in one rollup or wherever the column is.
func (c *columnChange) modify(clause *parser.ModifyColumn) error {
	target, err := c.target(clause.Rollup)
	if err != nil {
		return err
	}
	i := target.column(clause.Column.Name)
	if i < 0 || target.columns[i].Hidden {
		return core.Errorf("Column[%s] does not exists", clause.Column.Name)
	}
	old := target.columns[i]
	if old.Generated != "" || clause.Column.Generated != "" {
		return core.Errorf("Not supporting alter table modify generated columns.")
	}
	col, err := c.modified(&clause.Column, &old)
	if err != nil {
		return err
	}
	in := []*indexChange{target}
	if target == c.base() {
		in = c.indexes
	}
	for _, x := range in {
		if x.column(old.Name) < 0 {
			continue
		}
		if err := x.replace(c.t, col, clause.Position, x == target); err != nil {
			return err
		}
	}
	c.heavy = c.heavy || !grown(&old, &col, clause.Position) && !lengthened(&old, &col, clause.Position)
	shown := col
	shown.Comment = clause.Column.Comment
	text := "MODIFY COLUMN " + c.rawColumnText(&shown) + positionText(clause.Position)
	if clause.Rollup != "" {
		text += " FROM " + parser.QuoteIdent(clause.Rollup)
	}
	c.sql = append(c.sql, text)
	return nil
}

// lengthened tells whether a VARCHAR becomes a longer one and nothing else
// changes: that is light (doris-binlogs.md 2.8).
func lengthened(old, col *types.Column, at parser.Position) bool {
	return at == parser.Position{} && old.Type.Kind == types.Varchar && col.Type.Kind == types.Varchar && col.Type.Len > old.Type.Len &&
		old.Nullable == col.Nullable
}

// modified is the column by its new definition.
func (c *columnChange) modified(def *parser.ColumnDef, old *types.Column) (types.Column, error) {
	if c.t.Keys == types.AggKeys && old.Agg != "" && def.Agg == "" {
		given := *def
		given.Agg, def = old.Agg, &given
	}
	col, err := column(def, c.t.Keys, old.Key)
	switch {
	case err != nil:
		return col, err
	case def.Key && !old.Key:
		return col, core.Errorf("Can not change value column[%s] to key column", old.Name)
	case col.Agg != old.Agg:
		return col, core.Errorf("Can not change aggregation type")
	case !col.Nullable && old.Nullable:
		return col, core.Errorf("Can not change from nullable to non-nullable")
	case slices.Contains(c.t.Partitioning.Columns, old.Name) && col.Type != old.Type:
		return col, core.Errorf("Can not modify partition column[%s].", old.Name)
	case slices.Contains(c.t.Distribution.Columns, old.Name) && col.Type != old.Type:
		return col, core.Errorf("Can not modify distribution column[%s]. index[%s]", old.Name, c.t.Name)
	}
	col.Name, col.UniqueID, col.AutoIncInit, col.AggImplicit = old.Name, old.UniqueID, old.AutoIncInit, old.AggImplicit
	if def.Comment == "" {
		col.Comment = old.Comment
	}
	if c.structs && old.Type.Kind == types.Struct && col.Type.Kind == types.Struct {
		return col, checkStructChange(old.Type, col.Type)
	}
	return col, checkTypeChange(old.Type, col.Type)
}

// integers in ascending width.
var integers = []types.Kind{types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.LargeInt}

// checkTypeChange refuses what loses values.
func checkTypeChange(from, to types.Type) error {
	i, j := slices.Index(integers, from.Kind), slices.Index(integers, to.Kind)
	textual := func(k types.Kind) bool { return k == types.Char || k == types.Varchar }
	switch {
	case from == to, i >= 0 && j >= i, textual(from.Kind) && to.Kind == types.String:
		return nil
	case textual(from.Kind) && textual(to.Kind):
		if to.Len < from.Len {
			return core.Errorf("Shorten type length is prohibited, srcType=%s, dstType=%s", parser.FormatType(from), parser.FormatType(to))
		}
		return nil
	case i >= 0 && (to.Kind == types.Float || to.Kind == types.Double || to.Kind == types.Decimal || to.Kind == types.Varchar || to.Kind == types.String),
		from.Kind == types.Float && to.Kind == types.Double,
		from.Kind == types.Decimal && (to.Kind == types.Varchar || to.Kind == types.String || to.Kind == types.Decimal && to.Precision-to.Scale >= from.Precision-from.Scale),
		from.Kind == types.Date && to.Kind == types.DateTime, from.Kind == types.DateTime && (to.Kind == types.Date || to.Kind == types.DateTime),
		(textual(from.Kind) || from.Kind == types.String) && (j >= 0 || to.Kind == types.Date || to.Kind == types.Double || to.Kind == types.JSON),
		from.Kind == types.JSON && to.Kind == types.String, from.Kind == types.String && to.Kind == types.JSON:
		return nil
	}
	return core.Errorf("Can not change %s to %s", from.Kind, to.Kind)
}

// replace exchanges the column of that name, and moves it if the statement says.
func (x *indexChange) replace(t *catalog.Table, col types.Column, at parser.Position, strict bool) error {
	i := x.column(col.Name)
	old := x.columns[i]
	col.UniqueID, col.Key = old.UniqueID, old.Key
	x.changed = true
	if at == (parser.Position{}) || !strict {
		x.columns[i] = col
		return nil
	}
	if strings.EqualFold(at.After, col.Name) || at.After != "" && x.column(at.After) < 0 {
		return core.Errorf("Column[%s] does not found", at.After)
	}
	x.columns = slices.Delete(x.columns, i, i+1)
	position, err := x.position(t, &col, at)
	if err != nil {
		return err
	}
	x.columns = slices.Insert(x.columns, position, col)
	return nil
}

// orderBy is ORDER BY: all columns of an index in a new order.
func (c *columnChange) orderBy(clause *parser.OrderBy) error {
	target, err := c.target(clause.Rollup)
	if err != nil {
		return err
	}
	var ordered, hidden []types.Column
	for _, col := range target.columns {
		if col.Hidden {
			hidden = append(hidden, col)
		}
	}
	seen := map[int]bool{}
	for _, name := range clause.Columns {
		i := target.column(name)
		switch {
		case i < 0 || target.columns[i].Hidden:
			return core.Errorf("Column[%s] not exists", name)
		case seen[i]:
			return core.Errorf("Reduplicative column[%s]", name)
		case target.columns[i].Key && len(ordered) > 0 && !ordered[len(ordered)-1].Key:
			return core.Errorf("Invalid column order. value should be after key. index[%s]", indexName(c.t, target.index))
		}
		seen[i] = true
		ordered = append(ordered, target.columns[i])
	}
	if len(ordered)+len(hidden) != len(target.columns) {
		return core.Errorf("Reorder stmt should contains all columns")
	}
	target.columns, target.changed, c.heavy = append(ordered, hidden...), true, true
	text := "ORDER BY " + quoteIdents(clause.Columns)
	if clause.Rollup != "" {
		text += " FROM " + parser.QuoteIdent(clause.Rollup)
	}
	c.sql = append(c.sql, text)
	return nil
}
