package parser

// Recover is RECOVER DATABASE, TABLE or PARTITION: exactly one of Database,
// Table and Partition is set, Partition together with Table.
type Recover struct {
	Database  string
	Table     Name
	Partition string
	ID        int64  // 0 = the one dropped last
	As        string // "" = the old name
}

func (*Recover) statement() {}

func (p *parser) parseRecover() Statement {
	s := &Recover{}
	switch {
	case p.keyword("DATABASE"):
		s.Database = p.databaseName()
		p.recoverRest(s)
	case p.keyword("TABLE"):
		s.Table = p.name()
		p.recoverRest(s)
	case p.keyword("PARTITION"):
		s.Partition = p.dashedIdent()
		p.recoverRest(s)
		p.expect("FROM")
		s.Table = p.name()
	default:
		p.mismatch("{'DATABASE', 'PARTITION', 'TABLE'}")
	}
	return s
}

// recoverRest reads [id] [AS name].
func (p *parser) recoverRest(s *Recover) {
	if p.peek().Kind == Number {
		s.ID = p.integer()
	}
	if p.keyword("AS") {
		s.As = p.dashedIdent()
	}
}
