package ddl

import (
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// Hidden columns that features add.
const (
	hiddenSequence   = "__DORIS_SEQUENCE_COL__"
	hiddenSkipBitmap = "__DORIS_SKIP_BITMAP_COL__"
	versionColumn    = "__DORIS_VERSION_COL__" // of every UNIQUE table
)

// skipBitmapColumn is the property of tables with hiddenSkipBitmap.
const skipBitmapColumn = "enable_unique_key_skip_bitmap_column"

// sequenceColumnOf is the column of sequence_type.
func sequenceColumnOf(typ types.Type, keys types.KeysType) types.Column {
	return types.Column{
		Name: hiddenSequence, Type: typ, Nullable: true, Agg: valueAgg(keys), AggImplicit: true, Hidden: true,
		Comment: "sequence column hidden column",
	}
}

func skipBitmapColumnOf(keys types.KeysType) types.Column {
	empty := "BITMAP_EMPTY"
	return types.Column{
		Name: hiddenSkipBitmap, Type: types.Type{Kind: types.Bitmap}, Agg: valueAgg(keys), AggImplicit: true, Hidden: true,
		Default: &empty, DefaultExpr: true, Comment: "doris skip bitmap hidden column",
	}
}

// appendHidden gives a new table a hidden column.
func appendHidden(t *catalog.Table, c types.Column) {
	base := t.Indexes[t.BaseIndexID]
	base.MaxUniqueID++
	c.UniqueID = base.MaxUniqueID
	base.Schema.Columns = append(base.Schema.Columns, c)
}

// enableFeature is ENABLE FEATURE: ADD COLUMN of a hidden column, light if the
// table is (doris-binlogs.md 2.8).
func (e *Executor) enableFeature(db *catalog.Database, t *catalog.Table, c *parser.EnableFeature) error {
	change := newColumnChange(t)
	switch strings.ToUpper(c.Name) {
	case "BATCH_DELETE":
		if t.Keys != types.UniqueKeys {
			return core.Errorf("Batch delete only supported in unique tables.")
		}
		return core.Errorf("Can not enable batch delete support, already supported batch delete.")
	case "SEQUENCE_LOAD":
		col, err := sequenceFeature(t, c.Properties)
		if err != nil {
			return err
		}
		change.addHidden(&col, `NULL DEFAULT NULL`, "", change.indexes)
		return e.finishColumns(db, t, change, func(t *catalog.Table) {
			t.Properties = maps.Clone(t.Properties)
			t.Properties[sequenceType] = legacyTypeName(col.Type)
			for _, index := range t.Indexes {
				index.Schema.Sequence = hiddenSequence
			}
		})
	case "UPDATE_FLEXIBLE_COLUMNS":
		if err := checkFlexible(t); err != nil {
			return err
		}
		col := skipBitmapColumnOf(t.Keys)
		change.addHidden(&col, "NOT NULL DEFAULT \"\x00\"", lastColumn(t), change.indexes[:1])
		return e.finishColumns(db, t, change, setSkipBitmap)
	}
	return core.Errorf("unknown feature name: %s", c.Name)
}

func setSkipBitmap(t *catalog.Table) {
	t.Properties = maps.Clone(t.Properties)
	t.Properties[skipBitmapColumn] = "true"
}

func sequenceFeature(t *catalog.Table, props parser.Properties) (types.Column, error) {
	if len(props) == 0 {
		return types.Column{}, core.Errorf("Properties is not set")
	}
	if t.Keys != types.UniqueKeys {
		return types.Column{}, core.Errorf("Sequence load only supported in unique tables.")
	}
	name, ok := props[sequenceType]
	if !ok {
		return types.Column{}, core.Errorf("unknown sequence column type")
	}
	typ, err := sequenceTypeOf(name)
	if err != nil {
		return types.Column{}, err
	}
	if baseSchema(t).ColumnIndex(hiddenSequence) >= 0 {
		return types.Column{}, core.Errorf("Can not enable sequence column support, already supported sequence column.")
	}
	return sequenceColumnOf(typ, t.Keys), nil
}

func checkFlexible(t *catalog.Table) error {
	rollups := func(index *catalog.Index) bool {
		return index.ID != t.BaseIndexID && index.State != catalog.IndexShadow
	}
	switch {
	case !isMergeOnWrite(t):
		return core.Errorf("Update flexible columns feature is only supported on merge-on-write unique tables.")
	case baseSchema(t).ColumnIndex(hiddenSkipBitmap) >= 0:
		return core.Errorf("table %s has enabled update flexible columns feature already.", t.Name)
	case slices.ContainsFunc(slices.Collect(maps.Values(t.Indexes)), rollups):
		return core.Errorf("unknown feature : UPDATE_FLEXIBLE_COLUMNS")
	}
	return nil
}

// lastColumn is the last column of a UNIQUE table, hidden ones included.
func lastColumn(t *catalog.Table) string {
	columns := baseSchema(t).Columns
	if last := columns[len(columns)-1]; last.Hidden {
		return last.Name
	}
	return versionColumn
}

// addHidden appends a hidden column to indexes. attributes is how rawSql writes
// its nullability and default.
func (c *columnChange) addHidden(col *types.Column, attributes, after string, to []*indexChange) {
	for _, x := range to {
		x.maxUniqueID++
		col.UniqueID = x.maxUniqueID
		x.columns = append(x.columns, *col)
		x.changed = true
	}
	text := "ADD COLUMN " + parser.QuoteIdent(col.Name) + " " + parser.FormatType(col.Type) + " " + attributes + " COMMENT " + quoteText(col.Comment)
	if after != "" {
		text += " AFTER " + parser.QuoteIdent(after)
	}
	c.sql = append(c.sql, text)
}

// setSkipBitmapProperty is SET of the property: a rewrite of the table.
func (e *Executor) setSkipBitmapProperty(db *catalog.Database, t *catalog.Table, value string) error {
	switch {
	case value != "true":
		return core.Errorf("Can not alter %s from true to false currently.", skipBitmapColumn)
	case !isMergeOnWrite(t):
		return core.Errorf("tablet property %s canonly be set in merge-on-write unique table.", skipBitmapColumn)
	case baseSchema(t).ColumnIndex(hiddenSkipBitmap) >= 0:
		return core.Errorf("Nothing is changed. please check your alter stmt.")
	}
	change := newColumnChange(t)
	col := skipBitmapColumnOf(t.Keys)
	change.addHidden(&col, "", "", change.indexes[:1])
	change.heavy = true
	change.sql = []string{"PROPERTIES (" + quoteText(skipBitmapColumn) + " = " + quoteText(value) + ")"}
	return e.finishColumns(db, t, change, setSkipBitmap)
}
