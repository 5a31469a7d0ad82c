package ddl

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// valueAgg is the implicit aggregation of a value column.
func valueAgg(keys types.KeysType) types.Agg {
	switch keys {
	case types.UniqueKeys:
		return "REPLACE"
	case types.DupKeys:
		return "NONE"
	}
	return ""
}

// column checks a definition and makes the column of a table with that model.
func column(def *parser.ColumnDef, keys types.KeysType, key bool) (types.Column, error) {
	c := types.Column{
		Name: def.Name, Type: def.Type, Key: key, Nullable: true, OnUpdate: def.OnUpdate,
		AutoInc: def.AutoInc, AutoIncInit: def.AutoIncInit, Generated: def.Generated, Comment: def.Comment,
	}
	if err := columnAgg(&c, def, keys); err != nil {
		return c, err
	}
	switch {
	case def.Generated != "" && def.AutoInc:
		return c, core.Errorf("Generated columns cannot be auto_increment.")
	case def.Generated != "" && (def.Default != nil || def.OnUpdate):
		return c, core.Errorf("Generated columns cannot have default value.")
	}
	if def.Nullable != nil {
		c.Nullable = *def.Nullable
	}
	if key {
		if err := checkKeyType(&c); err != nil {
			return c, err
		}
	}
	if c.AutoInc {
		if def.Nullable != nil && *def.Nullable {
			return c, core.Errorf("the auto increment column %s must be not null", c.Name)
		}
		c.Nullable = false
	}
	if isObject(c.Type.Kind) {
		c.Nullable = false
	}
	return c, columnDefault(&c, def)
}

func isObject(k types.Kind) bool {
	return k == types.HLL || k == types.Bitmap || k == types.QuantileState
}

func columnAgg(c *types.Column, def *parser.ColumnDef, keys types.KeysType) error {
	switch {
	case c.Key && def.Agg != "":
		return core.Errorf("Key column [%s] can not set aggregation type", c.Name)
	case c.Key:
	case keys == types.AggKeys && def.Agg == "":
		return core.Errorf("AGG_KEYS table should specify aggregate type for non-key column[%s]", c.Name)
	case keys != types.AggKeys && def.Agg != "":
		return core.Errorf("%s table should not specify aggregate type for non-key column[%s]", keysName(keys), c.Name)
	case keys == types.AggKeys:
		c.Agg = def.Agg
	default:
		c.Agg, c.AggImplicit = valueAgg(keys), true
	}
	return nil
}

func keysName(keys types.KeysType) string {
	switch keys {
	case types.UniqueKeys:
		return "UNIQUE_KEYS"
	case types.AggKeys:
		return "AGG_KEYS"
	}
	return "DUP_KEYS"
}

func checkKeyType(c *types.Column) error {
	switch c.Type.Kind {
	case types.Float, types.Double:
		return core.Errorf("Float or double can not used as a key, use decimal instead.")
	case types.String:
		return core.Errorf("String Type should not be used in key column[%s].", c.Name)
	case types.Array:
		return core.Errorf("Array can only be used in the non-key column of the duplicate table at present.")
	case types.JSON, types.Variant, types.Map, types.Struct, types.HLL, types.Bitmap, types.QuantileState, types.AggState:
		return core.Errorf("%s type should not be used in key column[%s].", c.Type.Kind, c.Name)
	}
	return nil
}

func columnDefault(c *types.Column, def *parser.ColumnDef) error {
	switch d := def.Default; {
	case c.Type.Kind == types.Bitmap:
		text := "BITMAP_EMPTY"
		c.Default, c.DefaultExpr = &text, true
	case d == nil || isObject(c.Type.Kind):
	case d.Null:
		if !c.Nullable {
			return core.Errorf("Can not set null default value to non nullable column: %s", c.Name)
		}
	case d.Expr:
		c.Default, c.DefaultExpr = &d.Text, true
	default:
		if _, err := types.Parse(d.Text, c.Type); err != nil {
			return core.Errorf("Invalid default value '%s' for column %s: %s", d.Text, c.Name, parser.FormatType(c.Type))
		}
		c.Default = &d.Text
	}
	return nil
}

// checkSessionGated refuses what needs a session variable (doris-sql.md 1.6).
func checkSessionGated(defs []parser.ColumnDef) error {
	for _, d := range defs {
		switch {
		case d.Type.Kind == types.Decimal && d.Type.Precision > 38 && !d.Allowed.Decimal256:
			return core.Errorf("Column of type Decimal256 with precision %d is disabled by default. set enable_decimal256 = true to enable it.", d.Type.Precision)
		case d.Type.Kind == types.AggState && !d.Allowed.AggState:
			return core.Errorf("agg_state not enable, need set enable_agg_state=true")
		}
	}
	return nil
}

// noAutoInc is the initial value that a column without AUTO_INCREMENT has when
// its table is created; added later it has 0.
const noAutoInc = -1

// hiddenColumns is how many hidden columns Doris puts into a new UNIQUE table
// (doris-binlogs.md 2.8).
const hiddenColumns = 2

// buildSchema makes the base schema of a table: model, keys and columns.
func buildSchema(t *catalog.Table, s *parser.CreateTable) (types.Schema, error) {
	if len(s.Columns) == 0 {
		return types.Schema{}, core.Errorf("Should specify at least one column in table")
	}
	if err := checkSessionGated(s.Columns); err != nil {
		return types.Schema{}, err
	}
	keys, err := keyColumns(t, s)
	if err != nil {
		return types.Schema{}, err
	}
	schema := types.Schema{Hash: rand.Int32(), Keys: t.Keys}
	for i := range s.Columns {
		c, err := column(&s.Columns[i], t.Keys, i < len(keys))
		if err != nil {
			return schema, err
		}
		if schema.ColumnIndex(c.Name) >= 0 {
			return schema, core.CodeErrorf(codeDuplicateColumn, "Duplicate column name '%s'", c.Name)
		}
		c.UniqueID = int32(i)
		if !c.AutoInc {
			c.AutoIncInit = noAutoInc
		}
		schema.Columns = append(schema.Columns, c)
	}
	return schema, normaliseGenerated(&schema)
}

// keyColumns decides the model and the key columns, which must be a prefix of
// the columns.
func keyColumns(t *catalog.Table, s *parser.CreateTable) ([]string, error) {
	t.Keys = s.Keys
	if s.Keys == "" {
		keys := implicitKeys(t, s)
		if len(keys) == 0 && !t.KeysHidden {
			return nil, core.Errorf("The olap table first column could not be float, double, string or array, struct, map, please use decimal or varchar instead.")
		}
		return keys, nil
	}
	for i, name := range s.KeyColumns {
		if i >= len(s.Columns) || !slices.ContainsFunc(s.Columns, func(c parser.ColumnDef) bool { return strings.EqualFold(c.Name, name) }) {
			return nil, core.Errorf("Key column(%s) doesn't exist.", name)
		}
		if !strings.EqualFold(s.Columns[i].Name, name) {
			return nil, core.Errorf("Key columns should be a ordered prefix of the schema. KeyColumns[%d] (starts from zero) is %s, but corresponding column is %s in the previous columns declaration.",
				i, name, s.Columns[i].Name)
		}
	}
	return s.KeyColumns, nil
}

// implicitKeys chooses the keys of a table without key clause: AGGREGATE if a
// column aggregates, else DUPLICATE by the first columns that fit a short key,
// or none at all where the property says so.
func implicitKeys(t *catalog.Table, s *parser.CreateTable) []string {
	marked := slices.ContainsFunc(s.Columns, func(c parser.ColumnDef) bool { return c.Key })
	if aggregated := slices.IndexFunc(s.Columns, func(c parser.ColumnDef) bool { return c.Agg != "" }); aggregated >= 0 {
		t.Keys = types.AggKeys
		return columnNames(s.Columns[:aggregated])
	}
	t.Keys = types.DupKeys
	if strings.EqualFold(s.Properties[duplicateWithoutKeys], "true") && !marked {
		t.KeysHidden = true
		return nil
	}
	n := 0
	for n < len(s.Columns) && (marked && s.Columns[n].Key || !marked && n < 3) {
		kind := s.Columns[n].Type.Kind
		if checkKeyType(&types.Column{Type: s.Columns[n].Type}) != nil {
			break
		}
		n++
		if kind == types.Varchar {
			break
		}
	}
	return columnNames(s.Columns[:n])
}

func columnNames(defs []parser.ColumnDef) []string {
	names := make([]string, len(defs))
	for i, d := range defs {
		names[i] = d.Name
	}
	return names
}

// maxShortKeyColumns and maxShortKeyBytes bound the short key of an index.
const (
	maxShortKeyColumns = 3
	maxShortKeyBytes   = 36
)

// shortKeyColumns counts the key columns of the short key: a VARCHAR ends it.
func shortKeyColumns(s *types.Schema) int {
	n, size := 0, 0
	for _, c := range s.Columns {
		if !c.Key || n == maxShortKeyColumns {
			break
		}
		size += keyBytes(c.Type)
		if size > maxShortKeyBytes && n > 0 && c.Type.Kind != types.Varchar && c.Type.Kind != types.Char {
			break
		}
		n++
		if c.Type.Kind == types.Varchar {
			break
		}
	}
	return max(n, 1)
}

func keyBytes(t types.Type) int {
	switch t.Kind {
	case types.Boolean, types.TinyInt:
		return 1
	case types.SmallInt:
		return 2
	case types.Int, types.Date:
		return 4
	case types.BigInt, types.DateTime:
		return 8
	case types.Char, types.Varchar:
		return t.Len
	}
	return 16
}
