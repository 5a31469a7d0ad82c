package parser

import (
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/types"
)

func (p *parser) createTable(external bool) Statement {
	ifNotExists := p.ifNotExists()
	name := p.name()
	if p.keyword("LIKE") {
		s := &CreateTableLike{IfNotExists: ifNotExists, Table: name, Like: p.name()}
		if p.keyword("WITH", "ROLLUP") {
			s.WithRollup = true
			if p.peek().IsSymbol("(") {
				p.idents()
			}
		}
		return s
	}
	s := &CreateTable{External: external, IfNotExists: ifNotExists, Table: name}
	var names []string
	switch {
	case p.namesOnly():
		names = p.idents()
	case p.peek().IsSymbol("(") || !p.createsFromQuery():
		p.columnsAndIndexes(s)
	}
	if p.keyword("ENGINE") {
		p.expectSymbol("=")
		s.Engine = p.ident()
	}
	p.keysClause(s)
	s.Comment, _ = p.optionalComment()
	s.Partitioning = p.optionalPartitionBy()
	s.Distribution = p.optionalDistribution()
	if p.keyword("ROLLUP") {
		s.Rollups = p.rollups()
	}
	s.Properties = p.optionalProperties()
	switch {
	case p.keyword("AS"):
		return &CreateTableAs{Create: s, Names: names, Query: p.query()}
	case names != nil:
		p.mismatch("'AS'")
	case p.keyword("BROKER", "PROPERTIES"):
		p.properties() // how to reach the broker: nobody does
	}
	return s
}

// namesOnly tells whether (a, b) without types comes next: the columns of CREATE
// TABLE AS SELECT.
func (p *parser) namesOnly() bool {
	after := p.peekAt(2)
	return p.peek().IsSymbol("(") && (after.IsSymbol(",") || after.IsSymbol(")")) && p.createsFromQuery()
}

// createsFromQuery tells whether a CREATE TABLE without columns has a query
// that gives them.
func (p *parser) createsFromQuery() bool {
	for i := p.pos; i+1 < len(p.tokens); i++ {
		if next := p.tokens[i+1]; p.tokens[i].Is("AS") && (next.Is("SELECT") || next.Is("WITH") || next.IsSymbol("(")) {
			return true
		}
	}
	return false
}

// columnsAndIndexes reads the parenthesised definitions; a trailing comma is
// accepted.
func (p *parser) columnsAndIndexes(s *CreateTable) {
	p.list(func() {
		switch {
		case p.peek().IsSymbol(")") && len(s.Columns) > 0:
		case p.keyword("INDEX"):
			s.Indexes = append(s.Indexes, p.indexDef())
		default:
			s.Columns = append(s.Columns, p.columnDef())
		}
	})
}

func (p *parser) keysClause(s *CreateTable) {
	switch {
	case p.keyword("DUPLICATE", "KEY"):
		s.Keys = types.DupKeys
	case p.keyword("UNIQUE", "KEY"):
		s.Keys = types.UniqueKeys
	case p.keyword("AGGREGATE", "KEY"):
		s.Keys = types.AggKeys
	default:
		return
	}
	s.KeyColumns = p.idents()
	if p.keyword("CLUSTER", "BY") || p.keyword("ORDER", "BY") {
		s.ClusterBy = p.idents()
	}
}

// columnDef reads name type and the attributes in any order.
func (p *parser) columnDef() ColumnDef {
	c := ColumnDef{Name: p.ident()}
	c.Type = p.parseType(0)
	for p.err == nil && p.columnAttribute(&c) {
	}
	return c
}

func (p *parser) columnAttribute(c *ColumnDef) bool {
	switch {
	case p.keyword("KEY"):
		c.Key = true
	case p.keyword("NOT", "NULL"):
		c.Nullable = ptr(false)
	case p.keyword("NULL"):
		c.Nullable = ptr(true)
	case p.keyword("AUTO_INCREMENT"):
		c.AutoInc, c.AutoIncInit = true, 1
		if p.symbol("(") {
			c.AutoIncInit = p.integer()
			p.expectSymbol(")")
		}
	case p.keyword("DEFAULT"):
		c.Default = p.defaultValue()
	case p.keyword("ON", "UPDATE"):
		p.expect("CURRENT_TIMESTAMP")
		p.optionalArguments()
		c.OnUpdate = true
	case p.keyword("COMMENT"):
		c.Comment = p.str()
	case p.keyword("GENERATED", "ALWAYS", "AS"), p.keyword("AS"):
		c.Generated = p.generated()
	default:
		return p.aggregation(c)
	}
	return true
}

func (p *parser) aggregation(c *ColumnDef) bool {
	for _, agg := range []types.Agg{"SUM", "MAX", "MIN", "REPLACE", "REPLACE_IF_NOT_NULL", "HLL_UNION",
		"BITMAP_UNION", "QUANTILE_UNION", "GENERIC"} {
		if p.keyword(string(agg)) {
			c.Agg = agg
			return true
		}
	}
	return false
}

func (p *parser) defaultValue() *DefaultValue {
	sign := ""
	if p.symbol("-") {
		sign = "-"
	}
	switch t := p.peek(); {
	case t.Kind == String, t.Kind == Number:
		return &DefaultValue{Text: sign + p.next().Text}
	case sign == "" && p.keyword("NULL"):
		return &DefaultValue{Null: true}
	case sign == "" && (t.Is("TRUE") || t.Is("FALSE")):
		return &DefaultValue{Text: strings.ToLower(p.next().Text)}
	case sign == "" && t.Kind == Word:
		text := strings.ToUpper(p.next().Text)
		return &DefaultValue{Expr: true, Text: text + p.optionalArguments()}
	}
	p.mismatch("a default value")
	return nil
}

// optionalArguments reads [(n)] and returns its text; () is nothing.
func (p *parser) optionalArguments() string {
	if !p.symbol("(") {
		return ""
	}
	text := ""
	if p.peek().Kind == Number {
		text = "(" + strconv.FormatInt(p.integer(), 10) + ")"
	}
	p.expectSymbol(")")
	return text
}

// generated reads ( expression ) and returns the expression without all
// parentheses that enclose it as a whole.
func (p *parser) generated() string {
	first := p.pos
	p.skipParenthesised()
	if p.err != nil {
		return ""
	}
	open, end := first, p.pos-1
	for open < end && p.tokens[open].IsSymbol("(") && p.matching(open) == end {
		open, end = open+1, end-1
	}
	if open > end {
		p.mismatch("an expression")
		return ""
	}
	return p.src[p.tokens[open].Pos:p.tokens[end].End]
}

func (p *parser) skipParenthesised() {
	if !p.peek().IsSymbol("(") {
		p.mismatch("'('")
		return
	}
	end := p.matching(p.pos)
	if end < 0 {
		p.failf("missing ')'")
		return
	}
	p.pos = end + 1
}

// matching returns the index of the token that closes the parenthesis at open,
// or -1.
func (p *parser) matching(open int) int {
	depth := 0
	for i := open; i < len(p.tokens); i++ {
		switch {
		case p.tokens[i].IsSymbol("("):
			depth++
		case p.tokens[i].IsSymbol(")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// indexDef reads what follows INDEX: [IF NOT EXISTS] name (columns) [USING kind]
// [PROPERTIES (..)] [COMMENT '..'].
func (p *parser) indexDef() IndexDef {
	d := IndexDef{IfNotExists: p.ifNotExists(), Kind: "INVERTED"}
	d.Name = p.ident()
	d.Columns = p.idents()
	p.indexOptions(&d)
	return d
}

func (p *parser) indexOptions(d *IndexDef) {
	if p.keyword("USING") {
		d.Kind = strings.ToUpper(p.ident())
	}
	d.Properties = p.optionalProperties()
	d.Comment, _ = p.optionalComment()
}

// rollups reads (name (columns) [DUPLICATE KEY (..)] [PROPERTIES (..)], ...).
func (p *parser) rollups() []RollupDef {
	var rollups []RollupDef
	p.list(func() { rollups = append(rollups, p.rollup()) })
	return rollups
}

func (p *parser) rollup() RollupDef {
	r := RollupDef{Name: p.ident(), Columns: p.idents()}
	if p.keyword("DUPLICATE", "KEY") {
		p.idents()
	}
	if p.keyword("FROM") {
		p.ident()
	}
	p.optionalProperties()
	return r
}

func ptr[T any](v T) *T { return &v }
