package ddl

import (
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// checkTemporary refuses changes of columns, indexes and rollups of a table with
// temporary partitions (doris-binlogs.md 2.7).
func checkTemporary(t *catalog.Table) error {
	if len(t.Temporary) > 0 {
		return core.Errorf("Can not alter table when there are temp partitions in table")
	}
	return nil
}

// rawColumnText prints a column in rawSql as Doris does: types by their internal
// names, no KEY, always with a comment, texts unescaped and computed defaults as
// strings (doris-binlogs.md 2.8).
func (c *columnChange) rawColumnText(col *types.Column) string {
	quoted := func(s string) string { return `"` + s + `"` }
	text := parser.QuoteIdent(col.Name) + " " + rawType(col.Type)
	if col.Agg != "" && !col.AggImplicit && c.t.Keys == types.AggKeys {
		text += " " + string(col.Agg)
	}
	if col.Nullable {
		text += " NULL"
	} else {
		text += " NOT NULL"
	}
	switch {
	case isObject(col.Type.Kind):
		text += " DEFAULT \"\x00\""
	case col.Default == nil:
	default:
		text += " DEFAULT " + quoted(*col.Default)
	}
	if col.OnUpdate {
		text += " ON UPDATE CURRENT_TIMESTAMP"
		if col.Type.Scale > 0 {
			text += "(" + strconv.Itoa(col.Type.Scale) + ")"
		}
	}
	return text + " COMMENT " + quoted(col.Comment)
}

// rawType spells a type as the FE calls it.
func rawType(t types.Type) string {
	text := legacyTypeName(t)
	if t.Kind == types.Decimal {
		text = strings.Replace(text, "decimal(", "decimalv3(", 1)
	}
	return text
}
