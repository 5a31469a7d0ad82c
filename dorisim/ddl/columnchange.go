package ddl

import (
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// columnChange is an ALTER of columns in the making. It is light when only value
// columns come and go: then it takes effect at once, without touching data
// (doris-binlogs.md 2.8). Else a job rewrites the indexes that change (2.7).
type columnChange struct {
	t       *catalog.Table
	indexes []*indexChange // the base index first
	heavy   bool
	dropped []string // from the base index
	sql     []string // clauses of rawSql
	structs bool     // the version can add fields to a STRUCT
	now     time.Time
}

// indexChange is the new column list of one index.
type indexChange struct {
	index       *catalog.Index
	columns     []types.Column
	maxUniqueID int32
	changed     bool
}

func newColumnChange(t *catalog.Table) *columnChange {
	c := &columnChange{t: t, heavy: t.Properties[lightSchemaChange] != "true"}
	for _, index := range core.SortedIndexes(t) {
		c.indexes = append(c.indexes, &indexChange{index: index, columns: slices.Clone(index.Schema.Columns), maxUniqueID: maxUniqueID(index)})
	}
	return c
}

// changeColumns runs the clauses that change columns.
func (e *Executor) changeColumns(db *catalog.Database, t *catalog.Table, clauses []parser.AlterClause) error {
	change := newColumnChange(t)
	change.structs = e.core.Version() == core.VersionNew
	change.now = e.core.Now()
	for _, clause := range clauses {
		var err error
		switch c := clause.(type) {
		case *parser.AddColumns:
			err = change.add(c)
		case *parser.DropColumn:
			err = change.drop(c)
		case *parser.ModifyColumn:
			err = change.modify(c)
		case *parser.OrderBy:
			err = change.orderBy(c)
		}
		if err != nil {
			return err
		}
	}
	return e.finishColumns(db, t, change, nil)
}

// finishColumns carries a change out: at once, or by a job. apply is what it
// changes of the table beside the columns, nil = nothing.
func (e *Executor) finishColumns(db *catalog.Database, t *catalog.Table, change *columnChange, apply func(*catalog.Table)) error {
	if err := checkTemporary(t); err != nil {
		return err
	}
	rawSQL := "ALTER TABLE " + parser.QuoteIdent(db.Name) + "." + parser.QuoteIdent(t.Name) + " " + strings.Join(change.sql, ", \n")
	if change.heavy {
		return e.submitColumns(t, change, rawSQL, apply)
	}
	var ids []int64
	for _, x := range change.indexes {
		if x.changed {
			x.index.Schema.Columns, x.index.MaxUniqueID = x.columns, x.maxUniqueID
			x.index.Schema.Version++
			ids = append(ids, x.index.ID)
		}
	}
	t.Secondary = withoutColumns(t.Secondary, change.dropped)
	if apply != nil {
		apply(t)
	}
	e.core.SyncTabletSettings(t)
	jobID := e.core.NextID()
	e.recordColumns(db, t, jobID, ids, rawSQL)
	e.alters.AddFinished(jobID, t, ids...)
	return nil
}

// withoutColumns leaves out the indexes that name a dropped column.
func withoutColumns(indexes []catalog.SecondaryIndex, dropped []string) []catalog.SecondaryIndex {
	return slices.DeleteFunc(slices.Clone(indexes), func(s catalog.SecondaryIndex) bool {
		return slices.ContainsFunc(s.Columns, func(c string) bool { return slices.Contains(dropped, c) })
	})
}

// dependents are the generated columns that need a column.
func (x *indexChange) dependents(name string) []string {
	return dependents(&types.Schema{Columns: x.columns}, name)
}

func (x *indexChange) column(name string) int {
	return slices.IndexFunc(x.columns, func(col types.Column) bool { return strings.EqualFold(col.Name, name) })
}

// base is the change of the base index.
func (c *columnChange) base() *indexChange { return c.indexes[0] }

// target is the index that TO or FROM names; "" is the base index.
func (c *columnChange) target(rollup string) (*indexChange, error) {
	if rollup == "" || rollup == c.t.Name {
		return c.base(), nil
	}
	for _, x := range c.indexes[1:] {
		if x.index.Name == rollup {
			return x, nil
		}
	}
	return nil, core.Errorf("Index[%s] does not exist in table[%s]", rollup, c.t.Name)
}

// add is ADD COLUMN. With TO, the column comes into the rollup and, if it is
// new, into the base index.
func (c *columnChange) add(clause *parser.AddColumns) error {
	target, err := c.target(clause.Rollup)
	if err != nil {
		return err
	}
	if err := checkSessionGated(clause.Columns); err != nil {
		return err
	}
	var texts []string
	for i := range clause.Columns {
		text, err := c.addOne(target, &clause.Columns[i], clause.Position)
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	text := "ADD COLUMN " + texts[0]
	if len(texts) > 1 {
		text = "ADD COLUMN (" + strings.Join(texts, ", ") + ")"
	}
	c.sql = append(c.sql, text+positionText(clause.Position)+inText(clause.Rollup))
	return nil
}

func positionText(p parser.Position) string {
	switch {
	case p.First:
		return " FIRST"
	case p.After != "":
		return " AFTER " + parser.QuoteIdent(p.After)
	}
	return ""
}

// inText is how rawSql names the rollup of ADD COLUMN (doris-sql.md 2.12).
func inText(rollup string) string {
	if rollup == "" {
		return ""
	}
	return " IN " + parser.QuoteIdent(rollup)
}

// addOne adds a column and returns its text in rawSql.
func (c *columnChange) addOne(target *indexChange, def *parser.ColumnDef, at parser.Position) (string, error) {
	known := c.base().column(def.Name) >= 0
	switch {
	case target == c.base() && known:
		return "", core.Errorf("Can not add column which already exists in base table: %s", def.Name)
	case target.column(def.Name) >= 0:
		return "", core.Errorf("Can not add column which already exists in index: %s", def.Name)
	}
	key := def.Key || c.t.Keys == types.AggKeys && def.Agg == ""
	col, err := column(def, c.t.Keys, key)
	if err != nil {
		return "", err
	}
	if col.Generated != "" {
		return "", core.Errorf("Not supporting alter table add generated columns.")
	}
	if col.AutoInc {
		return "", core.Errorf("Can not add auto-increment column %s", col.Name)
	}
	col.AggImplicit = false // unlike that of a column from CREATE TABLE
	into := []*indexChange{target}
	switch {
	case key && c.t.Keys == types.UniqueKeys:
		into = c.indexes // every index of a UNIQUE table has all keys
	case target != c.base() && !known:
		into = []*indexChange{c.base(), target}
	}
	c.heavy = c.heavy || key || known
	if col.DefaultExpr && !isObject(col.Type.Kind) {
		col.RealDefault = types.FormatTime(c.now, col.Type.Scale)
	}
	for _, x := range into {
		if err := x.insert(c.t, col, at, x == target); err != nil {
			return "", err
		}
	}
	return c.rawColumnText(&col), nil
}

// insert adds the column with a fresh unique id. A position that only the named
// index knows is ignored in the others.
func (x *indexChange) insert(t *catalog.Table, col types.Column, at parser.Position, strict bool) error {
	if at.After != "" && x.column(at.After) < 0 {
		if strict {
			return core.Errorf("Column[%s] does not found", at.After)
		}
		at = parser.Position{}
	}
	position, err := x.position(t, &col, at)
	if err != nil {
		return err
	}
	x.maxUniqueID++
	col.UniqueID = x.maxUniqueID
	x.columns = slices.Insert(x.columns, position, col)
	x.changed = true
	return nil
}

// position is where a column goes: a key behind the last key, a value before
// what is hidden, unless the statement says.
func (x *indexChange) position(t *catalog.Table, col *types.Column, at parser.Position) (int, error) {
	keys := 0
	for keys < len(x.columns) && x.columns[keys].Key {
		keys++
	}
	position := keys
	if !col.Key {
		position = firstHidden(x.columns)
	}
	switch {
	case at.First:
		position = 0
	case at.After != "":
		position = x.column(at.After) + 1
	}
	if col.Key && position > keys || !col.Key && position < keys {
		return 0, core.Errorf("Invalid column order. value should be after key. index[%s]", indexName(t, x.index))
	}
	return position, nil
}

// indexName is the index' name; the base index is called as its table.
func indexName(t *catalog.Table, index *catalog.Index) string {
	if index.ID == t.BaseIndexID {
		return t.Name
	}
	return index.Name
}

// drop is DROP COLUMN: from one rollup, or from the base index and every rollup
// that has it.
func (c *columnChange) drop(clause *parser.DropColumn) error {
	target, err := c.target(clause.Rollup)
	if err != nil {
		return err
	}
	i := target.column(clause.Name)
	if i < 0 || target.columns[i].Hidden {
		return core.Errorf("Column does not exists: %s", clause.Name)
	}
	dropped := target.columns[i]
	if err := c.checkDrop(target, &dropped); err != nil {
		return err
	}
	from := []*indexChange{target}
	if target == c.base() {
		from = c.indexes
		c.dropped = append(c.dropped, dropped.Name)
	}
	for _, x := range from {
		i := x.column(dropped.Name)
		if i < 0 {
			continue
		}
		if len(x.columns) == 1 {
			return core.Errorf("Can not drop the last column[%s] of index[%s]", dropped.Name, indexName(c.t, x.index))
		}
		c.heavy = c.heavy || x.columns[i].Key
		x.columns = slices.Delete(x.columns, i, i+1)
		x.changed = true
	}
	text := "DROP COLUMN " + parser.QuoteIdent(dropped.Name)
	if target != c.base() {
		text += " IN " + parser.QuoteIdent(clause.Rollup)
	}
	c.sql = append(c.sql, text)
	return nil
}

func (c *columnChange) checkDrop(target *indexChange, col *types.Column) error {
	replaces := func(x types.Column) bool { return strings.HasPrefix(string(x.Agg), "REPLACE") }
	switch base := target == c.base(); {
	case col.Key && c.t.Keys == types.UniqueKeys:
		return core.Errorf("Can not drop key column in Unique data model table")
	case col.Key && c.t.Keys == types.AggKeys && slices.ContainsFunc(target.columns, replaces):
		return core.Errorf("Can not drop key column when table has value column with REPLACE aggregation method")
	case base && slices.Contains(c.t.Partitioning.Columns, col.Name):
		return core.Errorf("Partition column[%s] cannot be dropped", col.Name)
	case base && slices.Contains(c.t.Distribution.Columns, col.Name):
		return core.Errorf("Distribution column[%s] cannot be dropped", col.Name)
	case base && len(target.dependents(col.Name)) > 0:
		return core.Errorf("Column '%s' has a generated column dependency on :[%s]", col.Name, strings.Join(target.dependents(col.Name), ", "))
	case baseSchema(c.t).Sequence == col.Name:
		return core.Errorf("Can not drop sequence mapping column[%s] in Unique data model table[%s]", col.Name, c.t.Name)
	}
	return nil
}
