package parser

func (p *parser) alterTable() Statement {
	s := &AlterTable{Table: p.name()}
	for p.err == nil {
		if c := p.alterClause(); c != nil {
			s.Clauses = append(s.Clauses, c)
		}
		if !p.symbol(",") {
			break
		}
	}
	return s
}

func (p *parser) alterClause() AlterClause {
	switch {
	case p.keyword("ADD"):
		return p.addClause()
	case p.keyword("DROP"):
		return p.dropClause()
	case p.keyword("MODIFY"):
		return p.modifyClause()
	case p.keyword("RENAME"):
		return p.renameClause()
	case p.keyword("REPLACE"):
		return p.replaceClause()
	case p.keyword("SET"):
		return &SetProperties{Properties: p.properties()}
	case p.keyword("ORDER", "BY"):
		return &OrderBy{Columns: p.idents(), Rollup: p.fromRollup()}
	case p.keyword("ENABLE", "FEATURE"):
		return &EnableFeature{Name: p.str(), Properties: p.withProperties()}
	}
	p.mismatch("{'ADD', 'DROP', 'ENABLE', 'MODIFY', 'ORDER', 'RENAME', 'REPLACE', 'SET'}")
	return nil
}

func (p *parser) withProperties() Properties {
	if p.keyword("WITH", "PROPERTIES") {
		return p.properties()
	}
	return nil
}

func (p *parser) addClause() AlterClause {
	switch {
	case p.keyword("TEMPORARY", "PARTITION"):
		return p.addPartition(true)
	case p.keyword("PARTITION"):
		return p.addPartition(false)
	case p.keyword("PARTITIONS"):
		c := &AddPartition{Partition: p.bulkPartitions()}
		c.Distribution = p.optionalDistribution()
		c.Properties = p.optionalProperties()
		return c
	case p.keyword("COLUMN"):
		return p.addColumns()
	case p.keyword("INDEX"):
		return &AddIndex{Index: p.indexDef()}
	case p.keyword("ROLLUP"):
		return p.addRollup()
	}
	p.mismatch("{'COLUMN', 'INDEX', 'PARTITION', 'ROLLUP', 'TEMPORARY'}")
	return nil
}

func (p *parser) addPartition(temporary bool) AlterClause {
	c := &AddPartition{Temporary: temporary, Partition: p.partitionDef()}
	c.Distribution = p.optionalDistribution()
	if p.peek().IsSymbol("(") {
		c.Properties = p.properties()
	} else {
		c.Properties = p.optionalProperties()
	}
	return c
}

func (p *parser) addColumns() AlterClause {
	c := &AddColumns{}
	if p.peek().IsSymbol("(") {
		p.list(func() { c.Columns = append(c.Columns, p.columnDef()) })
	} else {
		c.Columns = []ColumnDef{p.columnDef()}
		c.Position = p.position()
	}
	c.Rollup = p.toRollup()
	p.optionalProperties()
	return c
}

func (p *parser) position() Position {
	switch {
	case p.keyword("FIRST"):
		return Position{First: true}
	case p.keyword("AFTER"):
		return Position{After: p.ident()}
	}
	return Position{}
}

func (p *parser) toRollup() string {
	if p.keyword("TO") || p.keyword("IN") {
		return p.ident()
	}
	return ""
}

func (p *parser) fromRollup() string {
	if p.keyword("FROM") {
		return p.ident()
	}
	return ""
}

func (p *parser) addRollup() AlterClause {
	c := &AddRollup{}
	for p.err == nil {
		c.Rollups = append(c.Rollups, p.rollup())
		// Further rollups follow without the keyword: r1 (a), r2 (b).
		if !p.peek().IsSymbol(",") || !p.peekAt(2).IsSymbol("(") {
			break
		}
		p.next()
	}
	return c
}

func (p *parser) dropClause() AlterClause {
	switch {
	case p.keyword("TEMPORARY", "PARTITION"):
		return p.dropPartition(true)
	case p.keyword("PARTITION"):
		return p.dropPartition(false)
	case p.keyword("COLUMN"):
		return &DropColumn{Name: p.ident(), Rollup: p.fromRollup()}
	case p.keyword("INDEX"):
		return &DropIndex{IfExists: p.ifExists(), Name: p.ident()}
	case p.keyword("ROLLUP"):
		c := &DropRollup{Names: []string{p.ident()}}
		for p.peek().IsSymbol(",") && !p.peekAt(1).Is("DROP") && p.err == nil {
			p.next()
			c.Names = append(c.Names, p.ident())
		}
		return c
	}
	p.mismatch("{'COLUMN', 'INDEX', 'PARTITION', 'ROLLUP', 'TEMPORARY'}")
	return nil
}

func (p *parser) dropPartition(temporary bool) AlterClause {
	c := &DropPartition{Temporary: temporary, IfExists: p.ifExists()}
	c.Name = p.ident()
	c.Force = p.keyword("FORCE")
	return c
}

func (p *parser) modifyClause() AlterClause {
	switch {
	case p.keyword("COMMENT"):
		return &ModifyComment{Comment: p.str()}
	case p.keyword("DISTRIBUTION"):
		d := p.optionalDistribution()
		if d == nil {
			p.mismatch("'DISTRIBUTED'")
			return nil
		}
		return &ModifyDistribution{Distribution: *d}
	case p.keyword("PARTITION"):
		return p.modifyPartition()
	case p.keyword("COLUMN"):
		return p.modifyColumn()
	case p.keyword("ENGINE"):
		p.unsupported("MODIFY ENGINE")
		return nil
	}
	p.mismatch("{'COLUMN', 'COMMENT', 'DISTRIBUTION', 'PARTITION'}")
	return nil
}

func (p *parser) modifyPartition() AlterClause {
	c := &ModifyPartition{}
	switch {
	case p.peek().IsSymbol("(") && p.peekAt(1).IsSymbol("*"):
		p.next()
		p.next()
		p.expectSymbol(")")
	case p.peek().IsSymbol("("):
		c.Partitions = p.idents()
	default:
		c.Partitions = []string{p.ident()}
	}
	p.expect("SET")
	c.Properties = p.properties()
	return c
}

// modifyColumn tells MODIFY COLUMN c COMMENT '..' from a new definition.
func (p *parser) modifyColumn() AlterClause {
	if p.peekAt(1).Is("COMMENT") {
		c := &ModifyComment{Column: p.ident()}
		p.expect("COMMENT")
		c.Comment = p.str()
		return c
	}
	c := &ModifyColumn{Column: p.columnDef()}
	c.Position = p.position()
	c.Rollup = p.fromRollup()
	p.optionalProperties()
	return c
}

// renameClause tells RENAME PARTITION a b from RENAME partition, a table of
// that name.
func (p *parser) renameClause() AlterClause {
	for _, kind := range []RenameKind{RenamePartition, RenameRollup, RenameColumn} {
		if p.peek().Is(string(kind)) && (p.peekAt(1).Kind == Word || p.peekAt(1).Kind == QuotedIdent) {
			p.next()
			c := &Rename{Kind: kind, Old: p.ident()}
			p.keyword("TO")
			c.New = p.ident()
			return c
		}
	}
	if p.peekAt(1).Kind == Word || p.peekAt(1).Kind == QuotedIdent {
		if !p.keyword("TABLE") {
			p.keyword("TO")
		}
	}
	return &Rename{Kind: RenameTable, New: p.ident()}
}

func (p *parser) replaceClause() AlterClause {
	if p.keyword("WITH", "TABLE") {
		c := &ReplaceTable{Other: p.ident()}
		c.Properties = p.optionalProperties()
		c.Force = p.keyword("FORCE")
		return c
	}
	c := &ReplacePartition{}
	c.Partitions, _ = p.optionalPartitions()
	if len(c.Partitions) == 0 {
		p.mismatch("{'PARTITION', 'WITH'}")
		return nil
	}
	p.expect("WITH", "TEMPORARY", "PARTITION")
	if p.peek().IsSymbol("(") {
		c.Temporary = p.idents()
	} else {
		c.Temporary = []string{p.ident()}
	}
	c.Force = p.keyword("FORCE")
	c.Properties = p.optionalProperties()
	return c
}
