package ddl

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// noColumns are words that stand for a value without parentheses.
var noColumns = []string{"NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "LOCALTIME", "LOCALTIMESTAMP"}

// checkColumns refuses a view of one plain SELECT that selects a column that
// none of its tables has. What it cannot see through (subqueries, WITH, UNION,
// table functions, expressions) is for SELECT to find out.
func (d *definition) checkColumns() error {
	if !d.plain() {
		return nil
	}
	known := map[string]bool{}
	for _, s := range d.sources {
		for _, c := range s.columns {
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
		return core.Errorf("Unknown column '%s' in 'table list' in PROJECT clause", name.Text)
	}
	return nil
}

// plain tells whether the query is one SELECT over tables whose columns are all
// known.
func (d *definition) plain() bool {
	selects := 0
	for _, t := range d.tokens {
		switch {
		case t.Is("SELECT"):
			selects++
		case t.Is("LATERAL"):
			return false
		}
	}
	unknown := func(s source) bool { return len(s.columns) == 0 }
	return selects == 1 && len(d.ctes) == 0 && len(d.tableFunctions) == 0 && len(d.sources) > 0 && !slices.ContainsFunc(d.sources, unknown)
}

// qualifyPlain writes the columns of a plain query with their tables, as Doris
// stores them (doris-sql.md 3.4).
func (d *definition) qualifyPlain() {
	if !d.plain() {
		return
	}
	aliases := map[int]bool{}
	for _, it := range d.selectList() {
		for i := it.alias; i < it.end; i++ {
			aliases[i] = true
		}
	}
	for i := 0; d.tokens[i].Kind != parser.EOF; i++ {
		if !isName(d.tokens[i]) {
			continue
		}
		parts, end := d.dotted(i)
		first := i
		i = end
		if aliases[first] || d.tokens[end+1].IsSymbol("(") || d.tokens[end+1].Kind == parser.String || d.edited(first) || first > 0 && d.tokens[first-1].Is("AS") {
			continue
		}
		if text := d.qualified(parts); text != "" {
			d.edits = append(d.edits, edit{d.tokens[first].Pos, d.tokens[end].End, text})
		}
	}
}

// edited tells whether token i begins what is rewritten already.
func (d *definition) edited(i int) bool {
	return slices.ContainsFunc(d.edits, func(e edit) bool { return e.from == d.tokens[i].Pos && e.to > e.from })
}

// qualified is the full name of a column, "" if that is not the name of one, or
// not of one alone.
func (d *definition) qualified(parts []string) string {
	found := ""
	for _, s := range d.sources {
		if len(parts) == 2 && !slices.ContainsFunc(s.names, func(n string) bool { return strings.EqualFold(n, parts[0]) }) {
			continue
		}
		if len(parts) > 2 {
			return ""
		}
		for _, c := range s.columns {
			if !strings.EqualFold(c, parts[len(parts)-1]) {
				continue
			}
			if found != "" {
				return ""
			}
			found = s.qualifier + "." + parser.QuoteIdent(c)
		}
	}
	return found
}
