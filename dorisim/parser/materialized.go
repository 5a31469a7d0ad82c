package parser

import "strings"

// CreateMaterializedView is CREATE MATERIALIZED VIEW of the asynchronous kind:
// a table that is refreshed from a query.
type CreateMaterializedView struct {
	Allowed     SessionFlags
	IfNotExists bool
	View        Name
	Columns     []ViewColumnDef
	Comment     string
	Properties  Properties
	// Options is the text between the name and AS: BUILD, REFRESH, keys,
	// partitions, distribution.
	Options string
	Query   string
}

// DropMaterializedView is DROP MATERIALIZED VIEW without ON.
type DropMaterializedView struct {
	IfExists bool
	View     Name
}

// AlterMaterializedView is ALTER MATERIALIZED VIEW: RENAME (NewName), REPLACE
// WITH MATERIALIZED VIEW (Other), SET (Set), or another refresh method, which
// sets none of them.
type AlterMaterializedView struct {
	View       Name
	NewName    string
	Other      string
	Properties Properties // of REPLACE
	Set        Properties
}

// TouchMaterializedView is REFRESH, PAUSE, RESUME or CANCEL of an asynchronous
// materialized view or of its job.
type TouchMaterializedView struct{ View Name }

func (*CreateMaterializedView) statement() {}
func (*DropMaterializedView) statement()   {}
func (*AlterMaterializedView) statement()  {}
func (*TouchMaterializedView) statement()  {}

// createMaterialized reads what follows CREATE MATERIALIZED VIEW.
func (p *parser) createMaterialized() Statement {
	s := &CreateMaterializedView{IfNotExists: p.ifNotExists(), View: p.name()}
	s.Columns = p.viewColumns()
	start, end := p.peek().Pos, p.peek().Pos
	for p.err == nil && p.peek().Kind != EOF && !(p.peek().Is("AS") && p.startsQuery(1)) {
		switch {
		case p.keyword("COMMENT"):
			s.Comment = p.str()
		case p.keyword("PROPERTIES"):
			s.Properties = p.properties()
		default:
			end = p.next().End
		}
	}
	s.Options = strings.TrimSpace(p.src[start:max(start, end)])
	p.expect("AS")
	s.Query = p.query()
	return s
}

func (p *parser) startsQuery(n int) bool {
	t := p.peekAt(n)
	return t.Is("SELECT") || t.Is("WITH") || t.IsSymbol("(")
}

// alterMaterialized reads what follows ALTER MATERIALIZED VIEW.
func (p *parser) alterMaterialized() Statement {
	s := &AlterMaterializedView{View: p.name()}
	switch {
	case p.keyword("RENAME"):
		s.NewName = p.ident()
	case p.keyword("REPLACE", "WITH", "MATERIALIZED", "VIEW"):
		s.Other = p.ident()
		s.Properties = p.optionalProperties()
	case p.keyword("SET"):
		s.Set = p.properties()
	case p.keyword("REFRESH"):
		p.skipRest()
	default:
		p.mismatch("{'REFRESH', 'RENAME', 'REPLACE', 'SET'}")
	}
	return s
}

// touchMaterialized reads what follows REFRESH, PAUSE, RESUME and CANCEL.
func (p *parser) touchMaterialized() Statement {
	p.expect("MATERIALIZED", "VIEW")
	if p.keyword("JOB") || p.keyword("TASK") {
		if p.peek().Kind == Number {
			p.next()
		}
		p.expect("ON")
	}
	s := &TouchMaterializedView{View: p.name()}
	p.skipRest() // AUTO, COMPLETE, PARTITIONS (..)
	return s
}

func (p *parser) skipRest() {
	for p.peek().Kind != EOF && !p.peek().IsSymbol(";") {
		p.next()
	}
}
