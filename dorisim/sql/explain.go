package sql

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// explain names the index that a SELECT from one table would use (doris-sql.md 5.6).
// Other statements are only repeated: there is no plan worth reading.
func (s *session) explain(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	for c.keyword("VERBOSE") || c.keyword("PLAN") {
	}
	l := newListing("Explain String(Nereids Planner)")
	q, ok := readSelection(c)
	if !ok {
		l.add(c.rest())
		return l.result(), nil
	}
	database, err := s.database(q.database)
	if err != nil {
		return nil, err
	}
	// The planner refuses what cannot be read.
	text, err := newCursor(c.rest())
	if err != nil {
		return nil, asRefusal(err)
	}
	if _, err := s.query(ctx, text, relations{session: s}); err != nil {
		return nil, err
	}
	err = s.withTable("SELECT", database, q.table, func(_ *catalog.Database, t *catalog.Table) error {
		if t.Kind != catalog.OLAP {
			l.add(c.rest())
			return nil
		}
		l.add("PLAN FRAGMENT 0")
		l.add("  0:VOlapScanNode")
		l.add(fmt.Sprintf("     TABLE: %s.%s(%s), PREAGGREGATION: ON", database, t.Name, indexName(t, q.chooseIndex(t).ID)))
		l.add(fmt.Sprintf("     partitions=%d/%d", len(t.Partitions), len(t.Partitions)))
		return nil
	})
	return l.result(), err
}

// selectionText is SELECT items FROM table [WHERE ..] [GROUP BY ..] [ORDER BY ..] as
// parser.NormalText writes it.
type selectionText struct {
	database, table string
	items           []string
	where           string
	rest            string // what else mentions columns
	grouped         bool
}

// readSelection reads a SELECT from one table; ok is false for anything else.
func readSelection(c *cursor) (selectionText, bool) {
	tokens := c.tokens[c.pos:]
	if len(tokens) == 0 || !tokens[0].Is("SELECT") {
		return selectionText{}, false
	}
	var q selectionText
	var parts = map[string][]parser.Token{}
	clause, depth, start := "SELECT", 0, 1
	for i := 1; i < len(tokens); i++ {
		t := tokens[i]
		switch {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		}
		end := t.Kind == parser.EOF || t.IsSymbol(";")
		next := ""
		for _, word := range []string{"FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT"} {
			if depth == 0 && t.Is(word) {
				next = word
			}
		}
		if !end && next == "" {
			if t.Is("SELECT") || t.Is("JOIN") || t.Is("UNION") {
				return q, false
			}
			continue
		}
		parts[clause] = tokens[start:i]
		if end {
			break
		}
		clause, start = next, i+1
		if next == "GROUP" || next == "ORDER" {
			start++ // BY
		}
	}
	from := parts["FROM"]
	switch {
	case len(from) > 0 && len(from) != 2 && len(from)%2 == 1 && !from[len(from)-1].IsSymbol(")"):
		q.table = from[len(from)-1].Text
		if len(from) > 2 {
			q.database = from[len(from)-3].Text
		}
	case len(from) == 2 || len(from) == 4: // with an alias
		q.table = from[len(from)-2].Text
		if len(from) == 4 {
			q.database = from[0].Text
		}
	default:
		return q, false
	}
	if slices.ContainsFunc(from, func(t parser.Token) bool { return t.IsSymbol(",") }) {
		return q, false
	}
	for _, item := range commaSeparated(parts["SELECT"]) {
		for i, t := range item {
			if t.Is("AS") {
				item = item[:i]
				break
			}
		}
		q.items = append(q.items, parser.NormalText(c.src, item))
	}
	q.where = parser.NormalText(c.src, parts["WHERE"])
	q.grouped = len(parts["GROUP"]) > 0
	for _, name := range []string{"GROUP", "HAVING", "ORDER"} {
		q.rest += " " + parser.NormalText(c.src, parts[name])
	}
	return q, true
}

func commaSeparated(tokens []parser.Token) [][]parser.Token {
	var list [][]parser.Token
	depth, start := 0, 0
	for i, t := range tokens {
		switch {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		case t.IsSymbol(",") && depth == 0:
			list = append(list, tokens[start:i])
			start = i + 1
		}
	}
	return append(list, tokens[start:])
}

// chooseIndex takes the narrowest index that has all that the statement needs; one
// that holds fewer rows than the table comes before the table's own.
func (q *selectionText) chooseIndex(t *catalog.Table) *catalog.Index {
	best := t.Indexes[t.BaseIndexID]
	rows := func(index *catalog.Index) int { // fewer or all
		if index.Where != "" || index.Schema.Keys != t.Keys {
			return 0
		}
		return 1
	}
	better := func(a, b *catalog.Index) bool {
		return cmp.Or(cmp.Compare(rows(a), rows(b)), cmp.Compare(len(a.Schema.Columns), len(b.Schema.Columns))) < 0
	}
	for _, index := range core.SortedIndexes(t) {
		if index.ID == t.BaseIndexID || index.State == catalog.IndexShadow || !q.answeredBy(t, index) {
			continue
		}
		if better(index, best) {
			best = index
		}
	}
	return best
}

// unionForms are how a SELECT asks for what a materialized view has gathered.
var unionForms = strings.NewReplacer("bitmap_union_count(", "bitmap_union(", "hll_union_agg(", "hll_union(", "ndv(", "hll_union(hll_hash(", "approx_count_distinct(", "hll_union(hll_hash(")

// answeredBy tells whether an index has every column and aggregate that the
// statement mentions, and the rows that it wants.
func (q *selectionText) answeredBy(t *catalog.Table, index *catalog.Index) bool {
	base := &t.Indexes[t.BaseIndexID].Schema
	condition := " " + q.where
	if index.Where != "" {
		kept := slices.DeleteFunc(strings.Split(q.where, " AND "), func(part string) bool { return slices.Contains(strings.Split(index.Where, " AND "), part) })
		if len(strings.Split(q.where, " AND "))-len(kept) < len(strings.Split(index.Where, " AND ")) {
			return false
		}
		condition = " " + strings.Join(kept, " AND ")
	}
	text := unionForms.Replace(strings.Join(q.items, " ") + condition + q.rest)
	plain := map[string]bool{}
	for i := range index.Schema.Columns {
		if c := &index.Schema.Columns[i]; c.Define == "" && (c.Key || index.Statement == "") {
			plain[strings.ToLower(c.Name)] = true
		}
	}
	aggregated := index.Schema.Keys == "AGGREGATE" && t.Keys == "DUPLICATE"
	if index.Statement != "" {
		statement, err := parser.Parse(index.Statement)
		view, ok := statement.(*parser.CreateRollupView)
		if err != nil || !ok {
			return false
		}
		for _, item := range view.Items {
			if item.Agg == "" && item.Column != "" || item.Agg != "" && !aggregated && item.Column != "" {
				plain[strings.ToLower(item.Column)] = true
				continue
			}
			text = strings.ReplaceAll(text, item.Text, "")
		}
	}
	tokens, err := parser.Lex(text)
	if err != nil {
		return false
	}
	for _, token := range tokens {
		if token.IsSymbol("*") && slices.Contains(q.items, "*") {
			return false
		}
		if at := base.ColumnIndex(token.Text); token.Kind == parser.QuotedIdent && at >= 0 && !plain[strings.ToLower(base.Columns[at].Name)] {
			return false
		}
	}
	return !aggregated || q.grouped || !slices.ContainsFunc(q.items, func(item string) bool { return strings.HasPrefix(item, "`") })
}
