package parser

import (
	"strconv"
	"strings"
)

func (p *parser) parseCreate() Statement {
	orReplace := p.keyword("OR", "REPLACE")
	switch {
	case p.keyword("VIEW"):
		return p.createView(orReplace)
	case orReplace:
		p.mismatch("'VIEW'")
		return nil
	case p.keyword("DATABASE"), p.keyword("SCHEMA"):
		s := &CreateDatabase{IfNotExists: p.ifNotExists()}
		s.Name = p.databaseName()
		s.Properties = p.optionalProperties()
		return s
	case p.keyword("TABLE"):
		return p.createTable(false)
	case p.keyword("EXTERNAL", "TABLE"):
		return p.createTable(true)
	case p.keyword("INDEX"):
		return p.createIndex()
	case p.keyword("MATERIALIZED", "VIEW"):
		if p.isRollupView() {
			return p.rollupView()
		}
		return p.createMaterialized()
	case p.keyword("TEMPORARY", "TABLE"), p.keyword("STORAGE", "VAULT"):
		return p.unsupported(p.firstWords(2))
	case p.keyword("REPOSITORY"), p.keyword("READ", "ONLY", "REPOSITORY"):
		return p.createRepository()
	}
	if s, ok := p.objectStatement(CreateObject); ok {
		return s
	}
	return p.unknown()
}

// databaseName reads [internal.]db; bare names may contain dashes.
func (p *parser) databaseName() string {
	name := p.dashedIdent()
	if strings.EqualFold(name, "internal") && p.symbol(".") {
		name = p.dashedIdent()
	}
	return name
}

func (p *parser) parseDrop() Statement {
	switch {
	case p.keyword("DATABASE"), p.keyword("SCHEMA"):
		s := &DropDatabase{IfExists: p.ifExists()}
		s.Name = p.databaseName()
		s.Force = p.keyword("FORCE")
		return s
	case p.keyword("TABLE"):
		s := &DropTable{IfExists: p.ifExists()}
		s.Table = p.name()
		s.Force = p.keyword("FORCE")
		return s
	case p.keyword("VIEW"):
		s := &DropView{IfExists: p.ifExists()}
		s.View = p.name()
		return s
	case p.keyword("INDEX"):
		return p.dropIndex()
	case p.keyword("MATERIALIZED", "VIEW"):
		ifExists := p.ifExists()
		name := p.name()
		if p.peek().Is("ON") {
			return p.dropRollupView(ifExists, name.Name)
		}
		return &DropMaterializedView{IfExists: ifExists, View: name}
	case p.keyword("REPOSITORY"):
		return &RepositoryStatement{Action: DropObject, Name: p.ident()}
	case p.keyword("STORAGE", "VAULT"):
		return p.unsupported(p.firstWords(2))
	}
	if s, ok := p.objectStatement(DropObject); ok {
		return s
	}
	return p.unknown()
}

func (p *parser) parseAlter() Statement {
	switch {
	case p.keyword("DATABASE"), p.keyword("SCHEMA"):
		return p.alterDatabase()
	case p.keyword("TABLE"):
		return p.alterTable()
	case p.keyword("VIEW"):
		return p.alterView()
	case p.keyword("MATERIALIZED", "VIEW"):
		return p.alterMaterialized()
	case p.keyword("SYSTEM"):
		return p.alterSystem()
	case p.keyword("REPOSITORY"):
		return &RepositoryStatement{Action: AlterObject, Name: p.ident(), Properties: p.optionalProperties()}
	}
	if s, ok := p.objectStatement(AlterObject); ok {
		return s
	}
	return p.unknown()
}

func (p *parser) alterDatabase() Statement {
	s := &AlterDatabase{Name: p.databaseName()}
	switch {
	case p.keyword("RENAME"):
		s.NewName = p.dashedIdent()
	case p.keyword("SET", "PROPERTIES"):
		s.Properties = p.properties()
	case p.keyword("SET", "DATA", "QUOTA"):
		s.DataQuota = p.bytes()
	case p.keyword("SET"):
		return p.unsupported("ALTER DATABASE SET " + strings.ToUpper(p.text(p.peek())))
	default:
		p.mismatch("{'RENAME', 'SET'}")
	}
	return s
}

// bytes reads a positive quantity of bytes, with or without a unit: 10485760, 10M, 10TB.
func (p *parser) bytes() int64 {
	text := strings.ToUpper(p.text(p.peek()))
	number := strings.TrimRight(text, "BKMGTP")
	unit := strings.TrimSuffix(text[len(number):], "B")
	if unit == "" && number == text && p.peekAt(1).Kind == Word {
		p.next()
		unit = strings.TrimSuffix(strings.ToUpper(p.text(p.peek())), "B")
	}
	n, err := strconv.ParseInt(number, 10, 64)
	power := strings.Index(" KMGTP", unit)
	if unit == "" {
		power = 0
	}
	if err != nil || n <= 0 || power < 0 || len(unit) > 1 {
		p.mismatch("a quantity")
		return 0
	}
	p.next()
	return n << (10 * power)
}

func (p *parser) parseTruncate() Statement {
	p.expect("TABLE")
	s := &TruncateTable{Table: p.name()}
	s.Partitions, _ = p.optionalPartitions()
	s.Force = p.keyword("FORCE")
	return s
}

// optionalPartitions reads [[TEMPORARY] PARTITION[S] (p1, p2) | p].
func (p *parser) optionalPartitions() (names []string, temporary bool) {
	temporary = p.keyword("TEMPORARY")
	if !p.keyword("PARTITION") && !p.keyword("PARTITIONS") {
		if temporary {
			p.mismatch("'PARTITION'")
		}
		return nil, temporary
	}
	if !p.peek().IsSymbol("(") {
		return []string{p.dashedIdent()}, temporary
	}
	p.list(func() { names = append(names, p.dashedIdent()) })
	return names, temporary
}

func (p *parser) createView(orReplace bool) Statement {
	s := &CreateView{OrReplace: orReplace, IfNotExists: p.ifNotExists()}
	s.View = p.name()
	s.Columns = p.viewColumns()
	s.Comment, _ = p.optionalComment()
	p.expect("AS")
	s.Query = p.query()
	return s
}

func (p *parser) viewColumns() []ViewColumnDef {
	if !p.peek().IsSymbol("(") {
		return nil
	}
	var columns []ViewColumnDef
	p.list(func() {
		c := ViewColumnDef{Name: p.ident()}
		c.Comment, _ = p.optionalComment()
		columns = append(columns, c)
	})
	return columns
}

func (p *parser) alterView() Statement {
	s := &AlterView{View: p.name()}
	if p.keyword("MODIFY", "COMMENT") {
		s.SetComment = true
		s.Comment = p.str()
		return s
	}
	s.Columns = p.viewColumns()
	p.expect("AS")
	s.Query = p.query()
	return s
}

// query takes the rest of the statement, up to a semicolon, as it is written.
func (p *parser) query() string {
	start := p.peek()
	if !start.Is("SELECT") && !start.Is("WITH") && !start.IsSymbol("(") {
		p.mismatch("{'SELECT', 'WITH', '('}")
		return ""
	}
	end := start.End
	for t := p.peek(); t.Kind != EOF && !t.IsSymbol(";"); t = p.peek() {
		end = p.next().End
	}
	return p.src[start.Pos:end]
}

func (p *parser) parseBackup() Statement {
	if !p.keyword("SNAPSHOT") {
		return p.unsupported(p.firstWords(2))
	}
	s := &Backup{Label: Name{Name: p.dashedIdent()}}
	if p.symbol(".") {
		s.Label = Name{Database: s.Label.Name, Name: p.dashedIdent()}
		if p.symbol(".") {
			s.Label = Name{Database: s.Label.Name, Name: p.dashedIdent()}
		}
	}
	p.expect("TO")
	s.Repository = p.ident()
	s.Exclude = p.keyword("EXCLUDE")
	if s.Exclude || p.keyword("ON") {
		p.list(func() { s.Tables = append(s.Tables, p.backupTable()) })
	}
	s.Properties = p.optionalProperties()
	return s
}

func (p *parser) backupTable() BackupTable {
	t := BackupTable{Table: p.name()}
	t.Partitions, t.TemporaryPartitions = p.optionalPartitions()
	if p.keyword("AS") {
		t.Alias = p.ident()
	}
	return t
}

func (p *parser) parseCancel() Statement {
	s := &CancelBackup{}
	switch {
	case p.keyword("BACKUP"):
	case p.keyword("RESTORE"):
		s.Restore = true
	case p.keyword("ALTER", "TABLE"):
		return p.cancelAlter()
	case p.keyword("BUILD", "INDEX"):
		return p.cancelBuild()
	case p.keyword("DECOMMISSION", "BACKEND"):
		return &AlterSystem{Action: CancelDecommission, Nodes: p.nodes()}
	default:
		return p.unsupported(p.firstWords(2))
	}
	if p.keyword("FROM") || p.keyword("IN") {
		s.Database = p.databaseName()
	}
	return s
}

func (p *parser) parseAdminSet() Statement {
	switch {
	case p.keyword("FRONTEND", "CONFIG"), p.keyword("ALL", "FRONTENDS", "CONFIG"):
		s := &AdminSetConfig{Config: p.properties()}
		p.keyword("ALL")
		return s
	case p.keyword("REPLICA", "STATUS"):
		p.expect("PROPERTIES")
		return &AdminSetReplica{Properties: p.properties()}
	}
	return p.unknown()
}

func (p *parser) alterSystem() Statement {
	for _, action := range []SystemAction{AddBackend, DropBackend, DroppBackend, DecommissionBackend, AddFollower, AddObserver, DropFollower, DropObserver} {
		if p.keyword(strings.Fields(string(action))...) {
			s := &AlterSystem{Action: action, Nodes: p.nodes()}
			if action == AddBackend {
				p.optionalProperties()
			}
			return s
		}
	}
	return p.unsupported("ALTER SYSTEM " + p.firstWords(2))
}

// nodes reads addresses or ids, as texts.
func (p *parser) nodes() []string {
	list := []string{p.str()}
	for p.symbol(",") {
		list = append(list, p.str())
	}
	return list
}
