package parser

import "strings"

// optionalPartitionBy reads [AUTO] PARTITION BY RANGE|LIST (..) (partitions).
func (p *parser) optionalPartitionBy() *PartitionBy {
	auto := p.keyword("AUTO", "PARTITION", "BY")
	if !auto && !p.keyword("PARTITION", "BY") {
		return nil
	}
	by := &PartitionBy{Auto: auto}
	switch {
	case p.keyword("LIST"):
		by.List = true
	case p.keyword("RANGE"):
	case auto || p.peek().IsSymbol("("):
	default:
		p.mismatch("{'RANGE', 'LIST'}")
	}
	p.partitionColumns(by)
	if p.symbol("(") && !p.symbol(")") {
		p.pos-- // list reads the parenthesis itself
		p.list(func() {
			if !p.peek().IsSymbol(")") {
				by.Partitions = append(by.Partitions, p.partitionItem())
			}
		})
	}
	return by
}

// partitionItem reads PARTITION p VALUES ... or a bulk of partitions.
func (p *parser) partitionItem() PartitionDef {
	if p.peek().Is("FROM") {
		return p.bulkPartitions()
	}
	p.expect("PARTITION")
	return p.partitionDef()
}

// bulkPartitions reads FROM (lower) TO (upper) INTERVAL n [unit] [(properties)].
func (p *parser) bulkPartitions() PartitionDef {
	b := &BulkPartitions{}
	bound := func() (v PartitionValue) {
		if values := p.tuple(); len(values) == 1 {
			return values[0]
		}
		p.failf("partition column size must be one in the multi partition clause")
		return v
	}
	p.expect("FROM")
	b.From = bound()
	p.expect("TO")
	b.To = bound()
	p.expect("INTERVAL")
	b.Interval = p.integer()
	for _, unit := range []string{"HOUR", "DAY", "WEEK", "MONTH", "YEAR"} {
		if p.keyword(unit) {
			b.Unit = unit
		}
	}
	d := PartitionDef{Bulk: b}
	if p.peek().IsSymbol("(") {
		d.Properties = p.properties()
	}
	return d
}

// partitionColumns reads (a, b) or (date_trunc(a, 'day')).
func (p *parser) partitionColumns(by *PartitionBy) {
	bare := !p.peek().IsSymbol("(") // AUTO PARTITION BY RANGE date_trunc(..)
	if !bare {
		p.expectSymbol("(")
	}
	for p.err == nil {
		if p.peekAt(1).IsSymbol("(") {
			by.Expr, by.Columns = p.partitionFunction()
		} else {
			by.Columns = append(by.Columns, p.ident())
		}
		if !p.symbol(",") {
			break
		}
	}
	if !bare {
		p.expectSymbol(")")
	}
}

// partitionFunction reads f(column, 'literal' ...) and normalises its text.
func (p *parser) partitionFunction() (expr string, columns []string) {
	expr = strings.ToLower(p.ident()) + "("
	first := true
	p.list(func() {
		if !first {
			expr += ", "
		}
		first = false
		switch t := p.peek(); t.Kind {
		case String:
			expr += "'" + strings.ReplaceAll(p.next().Text, "'", "''") + "'"
		case Number:
			expr += p.next().Text
		default:
			name := p.ident()
			columns = append(columns, name)
			expr += QuoteIdent(name)
		}
	})
	return expr + ")", columns
}

// QuoteIdent puts an identifier into backticks and doubles those inside.
func QuoteIdent(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// partitionDef reads [IF NOT EXISTS] name [VALUES ...] [("key" = "value")].
func (p *parser) partitionDef() PartitionDef {
	d := PartitionDef{IfNotExists: p.ifNotExists()}
	d.Name = p.dashedIdent() // SHOW CREATE TABLE prints names bare
	if p.keyword("VALUES") {
		p.partitionValues(&d)
	}
	if p.peek().IsSymbol("(") {
		d.Properties = p.properties()
	}
	return d
}

func (p *parser) partitionValues(d *PartitionDef) {
	switch {
	case p.keyword("LESS", "THAN"):
		if p.keyword("MAXVALUE") {
			d.LessThan = []PartitionValue{{MaxValue: true}}
			return
		}
		d.LessThan = p.tuple()
	case p.keyword("IN"):
		p.inValues(d)
	default:
		p.expectSymbol("[")
		d.Lower = p.tuple()
		p.expectSymbol(",")
		d.Upper = p.tuple()
		p.expectSymbol(")")
	}
}

// inValues reads ("a", "b") or (("a", 1), ("b", 2)).
func (p *parser) inValues(d *PartitionDef) {
	p.list(func() {
		if p.peek().IsSymbol("(") {
			d.In = append(d.In, p.tuple())
			return
		}
		d.In = append(d.In, []PartitionValue{p.partitionValue()})
	})
}

func (p *parser) tuple() []PartitionValue {
	var values []PartitionValue
	p.list(func() { values = append(values, p.partitionValue()) })
	return values
}

func (p *parser) partitionValue() PartitionValue {
	sign := ""
	if p.symbol("-") {
		sign = "-"
	}
	switch t := p.peek(); {
	case t.Kind == String && sign == "", t.Kind == Number:
		return PartitionValue{Text: sign + p.next().Text}
	case sign == "" && p.keyword("MAXVALUE"):
		return PartitionValue{MaxValue: true}
	case sign == "" && p.keyword("NULL"):
		return PartitionValue{Null: true}
	case sign == "" && (t.Is("TRUE") || t.Is("FALSE")):
		return PartitionValue{Text: strings.ToLower(p.next().Text)}
	}
	p.mismatch("a partition value")
	return PartitionValue{}
}

// optionalDistribution reads [DISTRIBUTED BY HASH (..)|RANDOM [BUCKETS n|AUTO]].
func (p *parser) optionalDistribution() *Distribution {
	if !p.keyword("DISTRIBUTED", "BY") {
		return nil
	}
	d := &Distribution{}
	switch {
	case p.keyword("HASH"):
		d.Columns = p.idents()
	case p.keyword("RANDOM"):
		d.Random = true
	default:
		p.mismatch("{'HASH', 'RANDOM'}")
	}
	if !p.keyword("BUCKETS") {
		return d
	}
	if d.Auto = p.keyword("AUTO"); d.Auto {
		return d
	}
	n := p.integer()
	if p.err == nil && (n < 1 || n > 1<<20) {
		p.failf("Buckets number must be greater than zero, but was %d", n)
		return d
	}
	d.Buckets = int(n)
	return d
}
