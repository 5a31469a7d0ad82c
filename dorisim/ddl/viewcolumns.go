package ddl

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// codeUnknownColumn is MySQL's ER_BAD_FIELD_ERROR.
const codeUnknownColumn = 1054

// noColumns are words that stand for a value without parentheses.
var noColumns = []string{"NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "LOCALTIME", "LOCALTIMESTAMP"}

// checkColumns refuses a view of one plain SELECT that selects a column that
// none of its tables has. What it cannot see through (subqueries, WITH, UNION,
// table functions, expressions) is for SELECT to find out.
func (d *definition) checkColumns() error {
	selects := 0
	for _, t := range d.tokens {
		switch {
		case t.Is("SELECT"):
			selects++
		case t.Is("LATERAL"):
			return nil
		}
	}
	if selects != 1 || len(d.ctes) > 0 || len(d.tableFunctions) > 0 || len(d.sources) == 0 {
		return nil
	}
	known := map[string]bool{}
	for _, columns := range d.sources {
		if len(columns) == 0 {
			return nil // of a table whose columns are not known
		}
		for _, c := range columns {
			known[strings.ToLower(c)] = true
		}
	}
	for _, it := range d.selectList() {
		if it.star || !d.dottedName(it.first, it.alias) {
			continue
		}
		name := d.tokens[it.alias-1]
		if known[strings.ToLower(name.Text)] || name.Kind == parser.Word && slices.ContainsFunc(noColumns, name.Is) {
			continue
		}
		return core.CodeErrorf(codeUnknownColumn, "Unknown column '%s' in 'table list'", name.Text)
	}
	return nil
}
