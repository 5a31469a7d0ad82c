package ddl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/schema"
)

// applyModifyColumns replays a light change of columns (doris-binlogs.md 2.8).
// The statement is built from the schema that the binlog has, and from the
// columns that the destination has: the text that the binlog has is not escaped,
// and partly not valid. What cannot be built with certainty, or does not fit what
// is there, comes by a snapshot of the table.
func applyModifyColumns(a *application) (job.ApplyResult, error) {
	modify, err := binlog.DecodeModifyColumns(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	base, usable, err := a.baseSchema(modify)
	if err != nil {
		return job.ApplyResult{}, err
	}
	if !usable {
		return a.onTable(modify.TableID, func(table string) (string, error) { return a.columnsAsWritten(table, modify) })
	}
	change := columnChange{a: a, modify: modify, base: base}
	result, err := a.onTable(modify.TableID, change.statement)
	switch {
	case err != nil:
		return result, err
	case change.unclear != "":
		return a.replaceTable(modify.TableID, "%s at commit seq %d: %s", a.rec.Type, a.rec.CommitSeq, change.unclear)
	case change.conflict != "":
		return a.bringConflicting(modify.TableID, "%s", change.conflict)
	case change.executed:
		if change.conflict, err = change.mismatch(); err != nil {
			return result, err
		}
		if change.conflict != "" {
			return a.bringConflicting(modify.TableID, "after %s, %s", result.Summary, change.conflict)
		}
	case result.Summary == nothingToDo:
		result.Summary = "the destination has these columns already"
	}
	return result, nil
}

// baseSchema is the schema of the base index after the change. usable is false
// if the binlog does not have it in a form that can be relied upon.
func (a *application) baseSchema(modify binlog.ModifyColumns) (schema []binlog.Column, usable bool, err error) {
	schema, ok := modify.IndexSchema[modify.BaseIndexID]
	if !ok {
		var ambiguous bool
		if schema, ambiguous = largestSchema(modify.IndexSchema); ambiguous {
			table, _, err := a.j.Source.TableByID(a.ctx, modify.TableID)
			if err != nil {
				return nil, false, err
			}
			schema = nil
			if table != nil && len(table.Partitions) > 0 {
				for _, index := range table.Partitions[0].Indexes {
					if index.Name == table.Name {
						schema = modify.IndexSchema[index.ID]
					}
				}
			}
		}
	}
	for _, c := range schema {
		if len(c.Type) == 0 {
			return nil, false, nil
		}
	}
	return schema, len(schema) > 0, nil
}

// largestSchema is the schema with the most columns: the base index has all of
// them. Another index may have as many.
func largestSchema(schemas map[int64][]binlog.Column) (largest []binlog.Column, ambiguous bool) {
	for _, id := range slices.Sorted(maps.Keys(schemas)) {
		switch n := len(schemas[id]); {
		case n > len(largest):
			largest, ambiguous = schemas[id], false
		case n == len(largest):
			ambiguous = true
		}
	}
	return largest, ambiguous
}

// columnChange is one change of columns being replayed.
type columnChange struct {
	a      *application
	modify binlog.ModifyColumns
	base   []binlog.Column
	table  string
	// Why it takes a snapshot: unclear is what no statement can be built of for
	// certain, conflict what the destination's table has.
	unclear, conflict string
	executed          bool
}

// statement is the ALTER TABLE for the destination, "" if there is nothing to
// execute: it has been done, or there is a conflict.
func (c *columnChange) statement(table string) (string, error) {
	c.table = table
	have, err := c.a.definitionOf(table)
	if err != nil {
		return "", err
	}
	if c.unclear, err = c.hiddenMissing(); err != nil || c.unclear != "" {
		return "", err
	}
	plan := planColumns(have, c.base)
	c.unclear, c.conflict = plan.unclear, plan.conflict
	if c.unclear == "" {
		c.unclear = c.beyondBase(plan)
	}
	if c.unclear != "" || c.conflict != "" {
		return "", nil
	}
	if len(plan.clauses) == 0 {
		c.conflict, err = c.rollupsMismatch()
		return "", err
	}
	c.executed = true
	return "ALTER TABLE " + sqlclient.Name(c.a.j.Spec.Destination.Database, table) + " " + strings.Join(plan.clauses, ", "), nil
}

// hiddenMissing tells if the table has a hidden column at the source that the
// destination lacks: no ADD COLUMN makes one.
func (c *columnChange) hiddenMissing() (string, error) {
	var wanted []string
	for _, column := range c.base {
		if !column.Visible {
			wanted = append(wanted, column.Name)
		}
	}
	if len(wanted) == 0 {
		return "", nil
	}
	have, err := c.a.j.Destination.SQL.HiddenColumns(c.a.ctx, c.a.j.Spec.Destination.Database, c.table)
	if err != nil {
		return "", fmt.Errorf("look at the hidden columns of destination table %s: %w", c.table, err)
	}
	for _, name := range wanted {
		// A server that shows no hidden column at all does not answer the question.
		if !slices.Contains(have, name) && (len(have) > 0 || strings.Contains(c.modify.RawSQL, name)) {
			return fmt.Sprintf("the destination's table has no hidden column %s", name), nil
		}
	}
	return "", nil
}

// beyondBase tells if the statement did more than the base index shows.
func (c *columnChange) beyondBase(plan columnPlan) string {
	for _, column := range c.base {
		// Dropped and added again, the name is the same and the rows are not.
		if column.Visible && strings.Contains(c.modify.RawSQL, "DROP COLUMN "+sqlclient.Quote(column.Name)) {
			return fmt.Sprintf("column %s may have been dropped and added again: %s", column.Name, c.modify.RawSQL)
		}
	}
	for _, schema := range c.modify.IndexSchema {
		if len(schema) > 0 && &schema[0] == &c.base[0] {
			continue // the base index itself
		}
		for _, column := range schema {
			if slices.ContainsFunc(plan.added, func(name string) bool { return strings.EqualFold(name, column.Name) }) {
				return fmt.Sprintf("column %s was added to a rollup too", column.Name)
			}
		}
	}
	return ""
}

// mismatch tells in what the destination's columns differ from those of the
// binlog.
func (c *columnChange) mismatch() (string, error) {
	have, err := c.a.definitionOf(c.table)
	if err != nil {
		return "", err
	}
	want := make([]schema.ColumnDefinition, 0, len(c.base))
	for _, column := range c.base {
		if column.Visible {
			defined, _ := schema.DefinedColumn(column, have.Aggregates()) // a type that is not known is not compared
			want = append(want, defined)
		}
	}
	if found := schema.ColumnDifferences(have.Columns, want); len(found) > 0 {
		return "the columns of destination and source differ: " + strings.Join(found, "; "), nil
	}
	return c.rollupsMismatch()
}

// rollupsMismatch compares the columns of rollups: those of the binlog have no
// names, so each has to have its like. Expressions of materialized views are not
// compared.
func (c *columnChange) rollupsMismatch() (string, error) {
	if len(c.modify.IndexSchema) < 2 {
		return "", nil
	}
	indexes, err := c.a.j.Destination.SQL.IndexColumns(c.a.ctx, c.a.j.Spec.Destination.Database, c.table)
	if err != nil {
		return "", fmt.Errorf("look at the indexes of destination table %s: %w", c.table, err)
	}
	var want, have []string
	for _, schema := range c.modify.IndexSchema {
		var names []string
		for _, column := range schema {
			if column.Visible {
				names = append(names, column.Name)
			}
		}
		want = append(want, indexLine(names))
	}
	for _, names := range indexes {
		have = append(have, indexLine(names))
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		return fmt.Sprintf("the indexes of the destination have the columns %s, those of the source %s", strings.Join(have, "; "), strings.Join(want, "; ")), nil
	}
	return "", nil
}

// indexLine is a list of columns to be compared. A synchronous materialized view
// has columns with names of their own, which are not printed as they are kept.
func indexLine(names []string) string {
	line := strings.ToLower(strings.Join(names, ","))
	if strings.HasPrefix(line, "mv") || strings.Contains(line, ",mv") {
		return fmt.Sprintf("%d of a materialized view", len(names))
	}
	return line
}

// columnPlan is what makes one list of columns of another.
type columnPlan struct {
	clauses []string
	added   []string
	// Why that cannot be, see columnChange.
	unclear, conflict string
}

// planColumns finds the clauses that make the columns of have those of want.
func planColumns(have schema.Definition, want []binlog.Column) columnPlan {
	var plan columnPlan
	order := newColumnOrder(have.Columns)
	var visible, added []binlog.Column
	for _, column := range want {
		if column.Visible {
			visible = append(visible, column)
		}
	}
	for _, column := range have.Columns {
		if indexOfColumn(visible, column.Name) < 0 {
			plan.clauses = append(plan.clauses, "DROP COLUMN "+sqlclient.Quote(column.Name))
			order.remove(column.Name)
		}
	}
	for _, column := range visible {
		defined, err := schema.DefinedColumn(column, have.Aggregates())
		there, ok := have.Column(column.Name)
		switch {
		case !ok && err != nil:
			plan.unclear = err.Error()
		case !ok && column.Key:
			plan.unclear = fmt.Sprintf("the destination lacks key column %s", column.Name)
		case !ok:
			added = append(added, column)
		case defined.Same(there):
		case defined.Lengthens(there):
			plan.clauses = append(plan.clauses, "MODIFY COLUMN "+defined.Clause(column.Key))
		default:
			plan.conflict = fmt.Sprintf("column %s is %s at the source and %s on the destination", column.Name, defined, there)
		}
		if plan.unclear != "" || plan.conflict != "" {
			return plan
		}
	}
	// Rowsets name columns by their unique ids, which both sides give in the order
	// in which columns are added.
	slices.SortStableFunc(added, func(x, y binlog.Column) int { return int(x.UniqueID - y.UniqueID) })
	for _, column := range added {
		defined, _ := schema.DefinedColumn(column, have.Aggregates())
		plan.clauses = append(plan.clauses, "ADD COLUMN "+defined.Clause(false)+order.insert(column.Name, visible))
		plan.added = append(plan.added, column.Name)
	}
	if !order.is(visible) {
		plan.conflict = fmt.Sprintf("the order of the columns would be %s", strings.Join(order.names, ", "))
	}
	return plan
}

func indexOfColumn(columns []binlog.Column, name string) int {
	return slices.IndexFunc(columns, func(c binlog.Column) bool { return strings.EqualFold(c.Name, name) })
}

// columnOrder is the order that the clauses so far make.
type columnOrder struct{ names []string }

func newColumnOrder(columns []schema.ColumnDefinition) *columnOrder {
	o := &columnOrder{}
	for _, c := range columns {
		o.names = append(o.names, c.Name)
	}
	return o
}

func (o *columnOrder) index(name string) int {
	return slices.IndexFunc(o.names, func(n string) bool { return strings.EqualFold(n, name) })
}

func (o *columnOrder) remove(name string) {
	if i := o.index(name); i >= 0 {
		o.names = slices.Delete(o.names, i, i+1)
	}
}

// insert puts a column behind the nearest that is before it in want, and says
// so unless that is the end.
func (o *columnOrder) insert(name string, want []binlog.Column) string {
	anchor := -1
	for i := indexOfColumn(want, name) - 1; i >= 0 && anchor < 0; i-- {
		anchor = o.index(want[i].Name)
	}
	atEnd := anchor == len(o.names)-1
	position := " FIRST"
	if anchor >= 0 {
		position = " AFTER " + sqlclient.Quote(o.names[anchor])
	}
	o.names = slices.Insert(o.names, anchor+1, name)
	if atEnd {
		return ""
	}
	return position
}

func (o *columnOrder) is(want []binlog.Column) bool {
	return slices.EqualFunc(o.names, want, func(name string, c binlog.Column) bool { return strings.EqualFold(name, c.Name) })
}

// columnsAsWritten is the text of a binlog that has nothing better. It cannot be
// repeated, so the names of the destination's columns are looked at first where
// an earlier attempt may have been at it.
func (a *application) columnsAsWritten(table string, modify binlog.ModifyColumns) (string, error) {
	if a.unknown {
		applied, err := a.hasColumns(table, modify)
		if err != nil || applied {
			return "", err
		}
	}
	return rewriteAlter(modify.RawSQL, a.j.Spec.Destination.Database, table)
}

// hasColumns tells whether the destination has the visible columns that the
// base index has after the change.
func (a *application) hasColumns(table string, modify binlog.ModifyColumns) (bool, error) {
	columns, err := a.j.Destination.SQL.Columns(a.ctx, a.j.Spec.Destination.Database, table)
	if err != nil {
		return false, fmt.Errorf("look at the columns of %s: %w", table, err)
	}
	var have, want []string
	for _, c := range columns {
		have = append(have, strings.ToLower(c.Name))
	}
	largest, _ := largestSchema(modify.IndexSchema)
	for _, c := range largest {
		if c.Visible {
			want = append(want, strings.ToLower(c.Name))
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(have, want), nil
}

// definitionOf is what the destination's table is defined as now.
func (a *application) definitionOf(table string) (schema.Definition, error) {
	db := a.j.Spec.Destination.Database
	text, err := a.j.Destination.SQL.CreateTableText(a.ctx, db, table)
	if err != nil {
		return schema.Definition{}, fmt.Errorf("look at the definition of destination table %s: %w", table, err)
	}
	return schema.ParseDefinition(text, db)
}
