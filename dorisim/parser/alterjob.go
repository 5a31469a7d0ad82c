package parser

import "github.com/doris-ccr/ccr/dorisim/types"

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
	Grouped     bool
	OrderBy     []string
	Statement   string // the whole text
}

// RollupItem is a column of the SELECT, with its aggregation if it has one.
type RollupItem struct {
	Column string
	Agg    types.Agg
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
		return p.unsupported("CREATE MATERIALIZED VIEW ... WHERE")
	}
	if p.keyword("GROUP", "BY") {
		s.Grouped = true
		p.columnList()
	}
	if p.keyword("ORDER", "BY") {
		s.OrderBy = p.columnList()
	}
	last := p.tokens[max(p.pos-1, 0)]
	s.Statement = p.src[p.tokens[0].Pos:last.End]
	return s
}

func (p *parser) columnList() []string {
	var names []string
	for p.err == nil {
		names = append(names, p.qualifiedColumn())
		if !p.symbol(",") {
			break
		}
	}
	return names
}

// qualifiedColumn reads [table.]column and returns the column.
func (p *parser) qualifiedColumn() string {
	name := p.ident()
	for p.symbol(".") {
		name = p.ident()
	}
	return name
}

func (p *parser) rollupItem() RollupItem {
	item := RollupItem{}
	for word, agg := range map[string]types.Agg{"SUM": "SUM", "MIN": "MIN", "MAX": "MAX", "BITMAP_UNION": "BITMAP_UNION", "HLL_UNION": "HLL_UNION"} {
		if p.peek().Is(word) && p.peekAt(1).IsSymbol("(") {
			p.next()
			p.next()
			item = RollupItem{Column: p.qualifiedColumn(), Agg: agg}
			p.expectSymbol(")")
			break
		}
	}
	if item.Column == "" {
		item.Column = p.qualifiedColumn()
	}
	if p.peek().IsSymbol("(") {
		p.unsupported("an expression in CREATE MATERIALIZED VIEW")
	}
	if p.keyword("AS") {
		p.ident()
	}
	return item
}

// dropRollupView reads what follows DROP MATERIALIZED VIEW [IF EXISTS] r, if it
// is of the synchronous kind.
func (p *parser) dropRollupView(ifExists bool, name string) Statement {
	p.expect("ON")
	return &DropRollupView{IfExists: ifExists, Name: name, Table: p.name()}
}
