package ddl

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// item is one entry of the outermost SELECT list: tokens[first:end]. The alias,
// if there is one, begins at token alias.
type item struct {
	first, end int
	alias      int // = end without alias
	name       string
	star       bool
	expanded   string // what the item of an expanded * reads
}

// alias gives every output column its alias: the listed names if there are any,
// else the ones it has already, else its own text. It returns the names; those
// behind a * that cannot be expanded are unknown and left out.
func (d *definition) alias(columns []parser.ViewColumnDef) ([]string, error) {
	items, star := d.expandStar(d.selectList())
	plain := !slices.ContainsFunc(items, func(i item) bool { return i.star })
	if len(columns) > 0 && plain && len(columns) != len(items) {
		return nil, core.CodeErrorf(codeViewWrongList, "View's SELECT and view's field list have different column counts")
	}
	seen := map[string]bool{}
	var names []string
	for i, it := range items {
		if it.star {
			continue
		}
		name := it.name
		if i < len(columns) && plain {
			name = columns[i].Name
		}
		if seen[strings.ToLower(name)] {
			return nil, core.CodeErrorf(codeDuplicateColumn, "Duplicate column name '%s'", name)
		}
		seen[strings.ToLower(name)] = true
		names = append(names, name)
		if it.expanded != "" {
			if items[i].expanded = it.expanded; name != it.name {
				items[i].expanded += " AS " + parser.QuoteIdent(name)
			}
			continue
		}
		d.setAlias(it, name)
	}
	d.writeExpanded(star, items)
	return names, nil
}

// codeViewWrongList is MySQL's ER_VIEW_WRONG_LIST.
const codeViewWrongList = 1353

func (d *definition) setAlias(it item, name string) {
	last := d.tokens[it.alias-1]
	if it.alias == it.end && d.dottedName(it.first, it.end) && strings.EqualFold(last.Text, name) {
		return // a plain column keeps its name
	}
	d.edits = append(d.edits, edit{last.End, d.tokens[it.end-1].End, " AS " + parser.QuoteIdent(name)})
}

// selectList finds the items of the outermost SELECT.
func (d *definition) selectList() []item {
	first := d.outermostSelect()
	if first < 0 {
		return nil
	}
	var items []item
	depth, start := 0, first
	for i := first; ; i++ {
		t := d.tokens[i]
		switch {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		}
		end := t.Kind == parser.EOF || depth < 0 || depth == 0 && (t.Is("FROM") || t.Is("UNION") || t.Is("WHERE") || t.Is("LIMIT") || t.Is("ORDER"))
		if (end || depth == 0 && t.IsSymbol(",")) && i > start {
			items = append(items, d.newItem(start, i))
			start = i + 1
		}
		if end {
			return items
		}
	}
}

// outermostSelect returns the first token of the SELECT list, behind WITH and
// an opening parenthesis if need be.
func (d *definition) outermostSelect() int {
	depth := 0
	leading := true
	for i, t := range d.tokens {
		switch {
		case t.IsSymbol("(") && !leading:
			depth++
		case t.IsSymbol(")"):
			depth--
		case t.Is("SELECT") && depth <= 0:
			for d.tokens[i+1].Is("DISTINCT") || d.tokens[i+1].Is("ALL") || d.tokens[i+1].Kind == parser.Hint {
				i++
			}
			return i + 1
		}
		leading = leading && t.IsSymbol("(")
	}
	return -1
}

func (d *definition) newItem(first, end int) item {
	it := item{first: first, end: end, alias: end}
	last := d.tokens[end-1]
	switch {
	case last.IsSymbol("*") && (end-first == 1 || d.tokens[end-2].IsSymbol(".")):
		it.star = true
	case end-first > 2 && d.tokens[end-2].Is("AS") && (isName(last) || last.Kind == parser.String):
		it.alias, it.name = end-2, last.Text
	case end-first > 1 && d.bareAlias(end-1):
		it.alias, it.name = end-1, last.Text
	case d.dottedName(first, end):
		it.name = last.Text
	default:
		it.name = d.query[d.tokens[first].Pos:last.End]
	}
	return it
}

// dottedName tells whether the item is nothing but a column name.
func (d *definition) dottedName(first, end int) bool {
	if !isName(d.tokens[first]) {
		return false
	}
	_, last := d.dotted(first)
	return last == end-1
}

// notAlias are words that end an expression themselves, notBeforeAlias those
// that need an operand behind them.
var (
	notAlias       = []string{"END", "NULL", "TRUE", "FALSE"}
	notBeforeAlias = []string{"AND", "OR", "NOT", "XOR", "IS", "IN", "LIKE", "RLIKE", "REGEXP", "BETWEEN", "DIV", "MOD", "INTERVAL", "CASE", "WHEN", "THEN", "ELSE", "DISTINCT"}
)

// bareAlias tells whether token i is an alias without AS: a name behind an
// operand.
func (d *definition) bareAlias(i int) bool {
	t, before := d.tokens[i], d.tokens[i-1]
	if !isName(t) || slices.ContainsFunc(notAlias, t.Is) || slices.ContainsFunc(notBeforeAlias, before.Is) {
		return false
	}
	return before.Kind != parser.Symbol && before.Kind != parser.Hint || before.IsSymbol(")")
}

// expandStar writes out a lone * over tables whose columns are known; star is
// its token, nil if there is none such.
func (d *definition) expandStar(items []item) (expanded []item, star *parser.Token) {
	unknown := func(s source) bool { return len(s.columns) == 0 }
	if len(items) != 1 || !items[0].star || items[0].end-items[0].first != 1 || len(d.sources) == 0 || slices.ContainsFunc(d.sources, unknown) {
		return items, nil
	}
	for _, s := range d.sources {
		for _, name := range s.columns {
			expanded = append(expanded, item{name: name, expanded: s.qualifier + "." + parser.QuoteIdent(name)})
		}
	}
	return expanded, &d.tokens[items[0].first]
}

func (d *definition) writeExpanded(star *parser.Token, items []item) {
	if star == nil {
		return
	}
	texts := make([]string, len(items))
	for i, it := range items {
		texts[i] = it.expanded
	}
	d.edits = append(d.edits, edit{star.Pos, star.End, strings.Join(texts, ", ")})
}
