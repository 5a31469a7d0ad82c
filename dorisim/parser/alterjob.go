package parser

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// BuildIndex is BUILD INDEX name ON table [PARTITION[S] (..)].
type BuildIndex struct {
	Name       string
	Table      Name
	Partitions []string // none = all
}

// AlterJobKind says which jobs CANCEL ALTER TABLE (or CANCEL BUILD INDEX) means.
type AlterJobKind string

const (
	ColumnJobs AlterJobKind = "COLUMN"
	RollupJobs AlterJobKind = "ROLLUP"
	IndexJobs  AlterJobKind = "INDEX"
)

// CancelAlter is CANCEL ALTER TABLE COLUMN|ROLLUP|MATERIALIZED VIEW FROM t
// [(job ids)] and CANCEL BUILD INDEX ON t [(job ids)].
type CancelAlter struct {
	Kind  AlterJobKind
	Table Name
	Jobs  []int64 // none = all
}

// CreateRollupView is CREATE MATERIALIZED VIEW of the synchronous kind: a
// rollup that is defined by a SELECT.
type CreateRollupView struct {
	IfNotExists bool
	Name        string
	Table       Name
	Items       []RollupItem
	Where       string // as NormalText writes it, "" = none
	Grouped     bool
	OrderBy     []string
	Statement   string // the whole text
}

// RollupItem is a column of the SELECT, with its aggregation if it has one: a column
// of the table, or an expression.
type RollupItem struct {
	Column string // "" for an expression
	Expr   string // the expression as NormalText writes it, without its aggregation
	Agg    types.Agg
	Text   string // all of it, as NormalText writes it
}

// DropRollupView is DROP MATERIALIZED VIEW r ON t.
type DropRollupView struct {
	IfExists bool
	Name     string
	Table    Name
}

func (*BuildIndex) statement()       {}
func (*CancelAlter) statement()      {}
func (*CreateRollupView) statement() {}
func (*DropRollupView) statement()   {}

// createIndex reads CREATE INDEX as the ALTER TABLE that it is.
func (p *parser) createIndex() Statement {
	d := IndexDef{IfNotExists: p.ifNotExists(), Kind: "INVERTED"}
	d.Name = p.ident()
	p.expect("ON")
	table := p.name()
	d.Columns = p.idents()
	p.indexOptions(&d)
	return &AlterTable{Table: table, Clauses: []AlterClause{&AddIndex{Index: d}}}
}

// dropIndex reads DROP INDEX i ON t.
func (p *parser) dropIndex() Statement {
	c := &DropIndex{IfExists: p.ifExists(), Name: p.ident()}
	p.expect("ON")
	return &AlterTable{Table: p.name(), Clauses: []AlterClause{c}}
}

func (p *parser) buildIndex() Statement {
	s := &BuildIndex{Name: p.ident()}
	p.expect("ON")
	s.Table = p.name()
	s.Partitions, _ = p.optionalPartitions()
	return s
}

// cancelAlter reads what follows CANCEL ALTER TABLE.
func (p *parser) cancelAlter() Statement {
	s := &CancelAlter{}
	switch {
	case p.keyword("COLUMN"):
		s.Kind = ColumnJobs
	case p.keyword("ROLLUP"), p.keyword("MATERIALIZED", "VIEW"):
		s.Kind = RollupJobs
	default:
		p.mismatch("{'COLUMN', 'MATERIALIZED', 'ROLLUP'}")
		return nil
	}
	p.expect("FROM")
	s.Table, s.Jobs = p.name(), p.jobIDs()
	return s
}

// cancelBuild reads what follows CANCEL BUILD INDEX.
func (p *parser) cancelBuild() Statement {
	p.expect("ON")
	s := &CancelAlter{Kind: IndexJobs, Table: p.name()}
	s.Jobs = p.jobIDs()
	return s
}

func (p *parser) jobIDs() []int64 {
	var ids []int64
	if p.peek().IsSymbol("(") {
		p.list(func() { ids = append(ids, p.integer()) })
	}
	return ids
}

// isRollupView tells the synchronous CREATE MATERIALIZED VIEW from the
// asynchronous one, whose definition begins with other clauses than AS.
func (p *parser) isRollupView() bool {
	i := 0
	if p.peek().Is("IF") {
		i = 3 // IF NOT EXISTS
	}
	return p.peekAt(i + 1).Is("AS")
}

// rollupView reads what follows CREATE MATERIALIZED VIEW.
func (p *parser) rollupView() Statement {
	s := &CreateRollupView{IfNotExists: p.ifNotExists(), Name: p.ident()}
	p.expect("AS", "SELECT")
	for p.err == nil {
		s.Items = append(s.Items, p.rollupItem())
		if !p.symbol(",") {
			break
		}
	}
	p.expect("FROM")
	s.Table = p.name()
	if p.keyword("WHERE") {
		s.Where = NormalText(p.src, p.expression())
		if s.Where == "" {
			p.mismatch("an expression")
		}
	}
	if p.keyword("GROUP", "BY") {
		s.Grouped = true
		p.expressionList()
	}
	if p.keyword("ORDER", "BY") {
		s.OrderBy = p.expressionList()
	}
	last := p.tokens[max(p.pos-1, 0)]
	s.Statement = p.src[p.tokens[0].Pos:last.End]
	return s
}

func (p *parser) expressionList() []string {
	var list []string
	for p.err == nil {
		list = append(list, NormalText(p.src, p.expression()))
		if !p.symbol(",") {
			break
		}
	}
	return list
}

// expression consumes everything up to a comma, or to a word that begins another
// clause, outside of parentheses.
func (p *parser) expression() []Token {
	start := p.pos
	for depth := 0; p.peek().Kind != EOF; {
		t := p.peek()
		switch {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		}
		if depth < 0 || t.IsSymbol(";") || depth == 0 && (t.IsSymbol(",") || slices.ContainsFunc(clauseWords, t.Is)) {
			break
		}
		p.next()
	}
	return p.tokens[start:p.pos]
}

var clauseWords = []string{"FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "AS"}

// rollupAggs are the aggregate functions of a synchronous materialized view. Doris
// keeps a COUNT as the sum of ones.
var rollupAggs = map[string]types.Agg{
	"SUM": "SUM", "MIN": "MIN", "MAX": "MAX", "BITMAP_UNION": "BITMAP_UNION", "HLL_UNION": "HLL_UNION", "COUNT": "SUM",
}

func (p *parser) rollupItem() RollupItem {
	tokens := p.expression()
	if p.keyword("AS") {
		p.ident()
	}
	item := RollupItem{Text: NormalText(p.src, tokens)}
	if item.Text == "" || item.Text == "*" {
		p.mismatch("a column")
		return item
	}
	n := len(tokens)
	if n > 2 && tokens[1].IsSymbol("(") && tokens[n-1].IsSymbol(")") && tokens[0].Kind == Word {
		name := strings.ToUpper(tokens[0].Text)
		if agg, ok := rollupAggs[name]; ok {
			item.Agg = agg
			if tokens = tokens[2 : n-1]; name == "COUNT" {
				item.Expr = item.Text
				return item
			}
		}
	}
	if name, ok := plainColumn(tokens); ok {
		item.Column = name
		return item
	}
	item.Expr = NormalText(p.src, tokens)
	return item
}

// plainColumn tells whether tokens are [table.]column.
func plainColumn(tokens []Token) (string, bool) {
	for i, t := range tokens {
		name := t.Kind == Word || t.Kind == QuotedIdent
		if i%2 == 0 && !name || i%2 == 1 && !t.IsSymbol(".") {
			return "", false
		}
	}
	if len(tokens)%2 == 0 {
		return "", false
	}
	return tokens[len(tokens)-1].Text, true
}

// NormalText writes an expression so that equal ones are equal texts: names of
// columns quoted and without their table's, functions in lower case.
func NormalText(src string, tokens []Token) string {
	var out strings.Builder
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		next := Token{}
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		text := src[t.Pos:t.End]
		switch {
		case (t.Kind == Word || t.Kind == QuotedIdent) && next.IsSymbol("."):
			i++ // a table's or database's name
			continue
		case t.Kind == Word && next.IsSymbol("("):
			text = strings.ToLower(t.Text)
		case t.Kind == Word && slices.ContainsFunc(expressionWords, t.Is):
			text = strings.ToUpper(t.Text)
		case t.Kind == Word, t.Kind == QuotedIdent:
			text = QuoteIdent(t.Text)
		}
		if out.Len() > 0 && !t.IsSymbol("(") && !t.IsSymbol(")") && !t.IsSymbol(",") && !strings.HasSuffix(out.String(), "(") {
			out.WriteByte(' ')
		}
		out.WriteString(text)
	}
	return out.String()
}

var expressionWords = []string{"AND", "OR", "NOT", "NULL", "IS", "IN", "LIKE", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END", "TRUE", "FALSE", "DISTINCT", "CAST", "INT", "BIGINT"}

// dropRollupView reads what follows DROP MATERIALIZED VIEW [IF EXISTS] r, if it
// is of the synchronous kind.
func (p *parser) dropRollupView(ifExists bool, name string) Statement {
	p.expect("ON")
	return &DropRollupView{IfExists: ifExists, Name: name, Table: p.name()}
}
