package sql

import (
	"context"
	"fmt"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/load"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// deleteRows is DELETE FROM t [alias] [PARTITION (p)] WHERE ...: rows with a
// delete sign in UNIQUE tables, a predicate in others.
func (s *session) deleteRows(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	if !c.keyword("FROM") {
		return nil, c.mismatch()
	}
	t, alias, err := s.modified(c)
	if err != nil {
		return nil, err
	}
	using, err := c.relationsUntilWhere("USING")
	if err != nil {
		return nil, err
	}
	if !c.keyword("WHERE") {
		return nil, core.Errorf("delete all rows is forbidden temporary.")
	}
	if using != "" && t.keys != types.UniqueKeys {
		return nil, core.Errorf("delete command on with using clause only supports unique key model")
	}
	if t.keys != types.UniqueKeys {
		predicate, err := deletePredicate(c, t)
		if err != nil {
			return nil, err
		}
		b := load.Batch{DB: t.dbID, Table: t.tableID, Predicate: predicate, Partitions: t.partitions, Temporary: t.temporary}
		return s.write(ctx, writeRequest{batch: b})
	}
	rows, _, err := s.matching(ctx, t, alias, nil, selection{using, c.rest()})
	if err != nil {
		return nil, err
	}
	sign := t.columnIndex(deleteSignColumn)
	for _, row := range rows {
		if sign >= 0 {
			row[sign] = int64(1)
		}
	}
	b := t.batch(rows)
	b.Delete = true
	return s.write(ctx, writeRequest{batch: b})
}

// modified reads the table of DELETE and UPDATE.
func (s *session) modified(c *cursor) (t *target, alias string, err error) {
	database, name, err := c.name()
	if err != nil {
		return nil, "", err
	}
	if t, err = s.target(database, name); err != nil {
		return nil, "", err
	}
	if t.partitions, t.temporary, err = c.partitions(); err != nil {
		return nil, "", err
	}
	alias = t.name
	if c.keyword("AS") || (c.peek().Kind == parser.Word || c.peek().Kind == parser.QuotedIdent) && !c.peek().Is("WHERE") && !c.peek().Is("SET") && !c.peek().Is("USING") {
		alias, err = c.ident()
	}
	return t, alias, err
}

// selection says which rows of a table DELETE and UPDATE mean.
type selection struct {
	with      string // further relations of FROM or USING, "" = none
	condition string
}

// relationsUntilWhere consumes [word relations] up to WHERE.
func (c *cursor) relationsUntilWhere(word string) (string, error) {
	if !c.keyword(word) {
		return "", nil
	}
	start, end := c.peek().Pos, c.peek().Pos
	for depth := 0; !c.end() && (depth > 0 || !c.peek().Is("WHERE")); {
		switch t := c.peek(); {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		}
		end = c.next().End
	}
	if start == end {
		return "", c.mismatch()
	}
	return c.src[start:end], nil
}

// matching returns the complete rows that are meant, and the values of further
// expressions for each of them.
func (s *session) matching(ctx context.Context, t *target, alias string, expressions []string, which selection) ([]types.Row, [][]sqltypes.Value, error) {
	var items []string
	for _, c := range t.columns {
		items = append(items, quoteName(alias)+"."+quoteName(c.Name))
	}
	for _, e := range expressions {
		items = append(items, "("+e+")")
	}
	part := fromClause{table: t.name, partitions: t.partitions, temporary: t.temporary}
	from := quoteName(t.database) + "." + quoteName(part.name()) + " AS " + quoteName(alias)
	if which.with != "" {
		from += ", " + which.with
	}
	c, err := newCursor(fmt.Sprintf("SELECT %s FROM %s WHERE %s", strings.Join(items, ", "), from, which.condition))
	if err != nil {
		return nil, nil, asRefusal(err)
	}
	result, err := s.query(ctx, c, relations{session: s, hidden: true, objects: true})
	if err != nil {
		return nil, nil, err
	}
	rows := make([]types.Row, len(result.Rows))
	more := make([][]sqltypes.Value, len(result.Rows))
	for i, cells := range result.Rows {
		rows[i] = make(types.Row, len(t.columns))
		for j := range t.columns {
			loose := t.columns[j]
			loose.Nullable = true // what is stored may be stored again
			if rows[i][j], err = load.Cell(&loose, cellValue(cells[j]), true); err != nil {
				return nil, nil, err
			}
		}
		more[i] = cells[len(t.columns):]
	}
	return rows, more, nil
}

// update is UPDATE t SET c = expression, ... WHERE ...: a read and a write of
// whole rows.
func (s *session) update(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	t, alias, err := s.modified(c)
	if err != nil {
		return nil, err
	}
	if t.keys != types.UniqueKeys {
		return nil, core.Errorf("Only unique table could be updated.")
	}
	if !c.keyword("SET") {
		return nil, c.mismatch()
	}
	positions, expressions, err := assignments(c, t)
	if err != nil {
		return nil, err
	}
	from, err := c.relationsUntilWhere("FROM")
	if err != nil {
		return nil, err
	}
	if !c.keyword("WHERE") {
		return nil, core.Errorf("Where clause is required")
	}
	rows, values, err := s.matching(ctx, t, alias, expressions, selection{from, c.rest()})
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		for j, at := range positions {
			var err error
			if row[at], err = load.Cell(&t.columns[at], cellValue(values[i][j]), true); err != nil {
				return nil, refused(err)
			}
		}
		if hidden := t.columnIndex(sequenceColumn); hidden >= 0 && t.sequenceFrom >= 0 {
			row[hidden] = row[t.sequenceFrom]
		}
	}
	if err := s.generate(ctx, t, rows); err != nil {
		return nil, err
	}
	return s.write(ctx, writeRequest{batch: t.batch(rows)})
}

// refused turns the complaint about a row into what a client sees.
func refused(err error) error {
	if bad, ok := err.(*load.RowError); ok {
		return bad.Refusal()
	}
	return err
}

// assignments reads c = expression, ... up to WHERE.
func assignments(c *cursor, t *target) (positions []int, expressions []string, err error) {
	for {
		name, err := c.ident()
		if err != nil {
			return nil, nil, err
		}
		for c.symbol(".") { // table.column
			if name, err = c.ident(); err != nil {
				return nil, nil, err
			}
		}
		at := t.columnIndex(name)
		switch {
		case at < 0:
			return nil, nil, core.CodeErrorf(codeUnknownColumn, "Unknown column '%s' in '%s'", name, t.name)
		case t.columns[at].Key:
			return nil, nil, core.Errorf("Only value columns of unique table could be updated")
		case !c.symbol("="):
			return nil, nil, c.mismatch()
		}
		start, end := c.peek().Pos, c.peek().Pos
		for depth := 0; !c.end() && (depth > 0 || !c.peek().IsSymbol(",") && !c.peek().Is("WHERE") && !c.peek().Is("FROM") && !c.peek().IsSymbol(";")); {
			if c.peek().IsSymbol("(") {
				depth++
			}
			if c.peek().IsSymbol(")") {
				depth--
			}
			end = c.next().End
		}
		positions = append(positions, at)
		expressions = append(expressions, c.src[start:end])
		if !c.symbol(",") {
			return positions, expressions, nil
		}
	}
}

// deletePredicate reads a conjunction of comparisons with constants, the only
// WHERE that a predicate delete knows.
func deletePredicate(c *cursor, t *target) (*be.DeletePredicate, error) {
	var p be.DeletePredicate
	for {
		parens := 0
		for c.symbol("(") {
			parens++
		}
		condition, err := deleteCondition(c, t)
		if err != nil {
			return nil, err
		}
		p.Conditions = append(p.Conditions, condition)
		for ; parens > 0; parens-- {
			if !c.symbol(")") {
				return nil, errDeleteWhere()
			}
		}
		if !c.keyword("AND") && !c.symbol("&&") {
			if c.finish() != nil {
				return nil, errDeleteWhere()
			}
			return &p, nil
		}
	}
}

func errDeleteWhere() error {
	return core.Errorf("Where clause only supports compound predicate, binary predicate, is_null predicate or in predicate.")
}

func deleteCondition(c *cursor, t *target) (be.Condition, error) {
	name, err := c.ident()
	if err != nil {
		return be.Condition{}, errDeleteWhere()
	}
	for c.symbol(".") {
		if name, err = c.ident(); err != nil {
			return be.Condition{}, errDeleteWhere()
		}
	}
	at := t.columnIndex(name)
	if at < 0 {
		return be.Condition{}, core.CodeErrorf(codeUnknownColumn, "Unknown column '%s' in '%s'", name, t.name)
	}
	column := &t.columns[at]
	if t.keys == types.AggKeys && !column.Key {
		return be.Condition{}, core.Errorf("delete predicate on value column only supports Unique table with merge-on-write enabled and Duplicate table, but Table[%s] is an Aggregate table.", t.name)
	}
	out := be.Condition{Column: column.Name}
	switch {
	case c.keyword("IS", "NOT", "NULL"):
		out.Op = "IS_NOT_NULL"
		return out, nil
	case c.keyword("IS", "NULL"):
		out.Op = "IS_NULL"
		return out, nil
	case c.keyword("NOT", "IN"):
		out.Op = "NOT_IN"
	case c.keyword("IN"):
		out.Op = "IN"
	default:
		return out, comparison(c, column, &out)
	}
	if !c.symbol("(") {
		return out, errDeleteWhere()
	}
	for {
		if err := operand(c, column, &out); err != nil {
			return out, err
		}
		if !c.symbol(",") {
			break
		}
	}
	if !c.symbol(")") {
		return out, errDeleteWhere()
	}
	return out, nil
}

func comparison(c *cursor, column *types.Column, out *be.Condition) error {
	switch op := c.next().Text; op {
	case "=", "!=", "<", "<=", ">", ">=":
		out.Op = op
	case "<>":
		out.Op = "!="
	default:
		return errDeleteWhere()
	}
	return operand(c, column, out)
}

// operand reads a constant in the column's type.
func operand(c *cursor, column *types.Column, out *be.Condition) error {
	sign := ""
	if c.symbol("-") {
		sign = "-"
	}
	v, ok := literalValue(c.next())
	if !ok {
		return errDeleteWhere()
	}
	if sign != "" {
		v = sign + fmt.Sprint(v)
	}
	loose := *column
	loose.Nullable = true
	value, err := load.Cell(&loose, v, true)
	if err != nil {
		return core.Errorf("Invalid column value[%v] for column %s", v, column.Name)
	}
	out.Values = append(out.Values, value)
	return nil
}
