package ddl

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
	"github.com/doris-ccr/ccr/job"
)

// columnChange is a light schema change in the making (doris-binlogs.md 2.8):
// value columns that come and go at once, without touching data.
type columnChange struct {
	t           *catalog.Table
	columns     []types.Column
	maxUniqueID int32
	dropped     []string
	sql         []string // clauses of rawSql
}

// changeColumns adds and drops value columns.
func (e *Executor) changeColumns(db *catalog.Database, t *catalog.Table, clauses []parser.AlterClause) error {
	base := t.Indexes[t.BaseIndexID]
	change := columnChange{t: t, columns: slices.Clone(base.Schema.Columns), maxUniqueID: maxUniqueID(base)}
	for _, clause := range clauses {
		var err error
		switch c := clause.(type) {
		case *parser.AddColumns:
			err = change.add(c)
		case *parser.DropColumn:
			err = change.drop(c)
		case *parser.ModifyColumn:
			err = change.modify(c)
		default:
			err = heavyChange("ORDER BY")
		}
		if err != nil {
			return err
		}
	}
	if t.Properties[lightSchemaChange] != "true" || len(t.Indexes) > 1 {
		return heavyChange("ADD/DROP COLUMN of a table without light schema change")
	}
	base.Schema.Columns = change.columns
	base.Schema.Version++
	base.MaxUniqueID = change.maxUniqueID
	t.Secondary = slices.DeleteFunc(slices.Clone(t.Secondary), func(s catalog.SecondaryIndex) bool {
		return slices.ContainsFunc(s.Columns, func(c string) bool { return slices.Contains(change.dropped, c) })
	})
	e.core.SyncTabletSettings(t)
	e.recordColumns(db, t, change.sql)
	return nil
}

func heavyChange(what string) error { return notYet("%s, a schema change that rewrites data,", what) }

// maxUniqueID is the highest id ever given; catalogs made by hand may lack it.
func maxUniqueID(index *catalog.Index) int32 {
	highest := index.MaxUniqueID
	for _, c := range index.Schema.Columns {
		highest = max(highest, c.UniqueID)
	}
	return highest
}

func (c *columnChange) index(name string) int {
	return slices.IndexFunc(c.columns, func(col types.Column) bool { return strings.EqualFold(col.Name, name) })
}

func (c *columnChange) add(clause *parser.AddColumns) error {
	if clause.Rollup != "" && clause.Rollup != c.t.Name {
		return notYet("ADD COLUMN to a rollup")
	}
	if err := checkSessionGated(clause.Columns); err != nil {
		return err
	}
	var texts []string
	for i := range clause.Columns {
		text, err := c.addOne(&clause.Columns[i], clause.Position)
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	if len(texts) > 1 {
		c.sql = append(c.sql, "ADD COLUMN ("+strings.Join(texts, ", ")+")")
		return nil
	}
	text := "ADD COLUMN " + texts[0]
	switch {
	case clause.Position.First:
		text += " FIRST"
	case clause.Position.After != "":
		text += " AFTER " + parser.QuoteIdent(clause.Position.After)
	}
	c.sql = append(c.sql, text)
	return nil
}

// addOne adds a column and returns its text in rawSql.
func (c *columnChange) addOne(def *parser.ColumnDef, at parser.Position) (string, error) {
	if def.Key || c.t.Keys == types.AggKeys && def.Agg == "" {
		return "", heavyChange("ADD COLUMN of a key column")
	}
	if c.index(def.Name) >= 0 {
		return "", core.Errorf("Can not add column which already exists in base table: %s", def.Name)
	}
	col, err := column(def, c.t.Keys, false)
	if err != nil {
		return "", err
	}
	if col.AutoInc || col.Generated != "" {
		return "", core.Errorf("Not supporting alter table add generated columns or auto increment columns.")
	}
	position, err := c.position(at)
	if err != nil {
		return "", err
	}
	c.maxUniqueID++
	col.UniqueID = c.maxUniqueID
	c.columns = slices.Insert(c.columns, position, col)
	text := columnText(&col, c.t.Keys)
	if col.Comment == "" {
		text += ` COMMENT ""`
	}
	return text, nil
}

// position is where a new value column goes: behind all keys, before what is
// hidden.
func (c *columnChange) position(at parser.Position) (int, error) {
	position := slices.IndexFunc(c.columns, func(col types.Column) bool { return col.Hidden })
	if position < 0 {
		position = len(c.columns)
	}
	switch {
	case at.First:
		position = 0
	case at.After != "":
		i := c.index(at.After)
		if i < 0 {
			return 0, core.Errorf("Column[%s] does not found", at.After)
		}
		position = i + 1
	}
	if position < len(c.columns) && c.columns[position].Key {
		return 0, core.Errorf("Invalid column order. value should be after key. index[%s]", c.t.Name)
	}
	return position, nil
}

func (c *columnChange) drop(clause *parser.DropColumn) error {
	if clause.Rollup != "" && clause.Rollup != c.t.Name {
		return notYet("DROP COLUMN from a rollup")
	}
	i := c.index(clause.Name)
	if i < 0 || c.columns[i].Hidden {
		return core.Errorf("Column does not exists: %s", clause.Name)
	}
	name := c.columns[i].Name
	switch {
	case c.columns[i].Key && c.t.Keys == types.UniqueKeys:
		return core.Errorf("Can not drop key column in Unique data model table")
	case slices.Contains(c.t.Partitioning.Columns, name):
		return core.Errorf("Partition column[%s] cannot be dropped", name)
	case slices.Contains(c.t.Distribution.Columns, name):
		return core.Errorf("Distribution column[%s] cannot be dropped", name)
	case baseSchema(c.t).Sequence == name:
		return core.Errorf("Can not drop sequence mapping column[%s] in Unique data model table[%s]", name, c.t.Name)
	case c.columns[i].Key:
		return heavyChange("DROP COLUMN of a key column")
	}
	c.columns = slices.Delete(c.columns, i, i+1)
	c.dropped = append(c.dropped, name)
	c.sql = append(c.sql, "DROP COLUMN "+parser.QuoteIdent(name))
	return nil
}

func (c *columnChange) modify(clause *parser.ModifyColumn) error {
	if c.index(clause.Column.Name) < 0 {
		return core.Errorf("Column[%s] does not exists", clause.Column.Name)
	}
	return heavyChange("MODIFY COLUMN")
}

func (e *Executor) recordColumns(db *catalog.Database, t *catalog.Table, clauses []string) {
	rawSQL := "ALTER TABLE " + parser.QuoteIdent(db.Name) + "." + parser.QuoteIdent(t.Name) + " " + strings.Join(clauses, ", \n")
	jobID := e.core.NextID()
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: job.ModifyTableAddOrDropColumns,
		Payload: func(int64) any {
			return lightSchemaPayload{
				DBID: db.ID, TableID: t.ID, Schemas: map[int64][]columnPayload{t.BaseIndexID: schemaRecord(t)},
				Indexes: secondaryRecord(t), JobID: jobID, RawSQL: rawSQL,
			}
		},
	})
}

// schemaRecord lists the columns of the base index, with those hidden ones that
// real Doris keeps in every UNIQUE table and the simulator does without.
func schemaRecord(t *catalog.Table) []columnPayload {
	var list []columnPayload
	schema := baseSchema(t)
	for i := range schema.Columns {
		list = append(list, columnRecord(&schema.Columns[i]))
	}
	if t.Keys != types.UniqueKeys {
		return list
	}
	next := maxUniqueID(t.Indexes[t.BaseIndexID])
	for _, c := range []types.Column{
		{Name: "__DORIS_DELETE_SIGN__", Type: types.Type{Kind: types.TinyInt}},
		{Name: "__DORIS_VERSION_COL__", Type: types.Type{Kind: types.BigInt}},
	} {
		next++
		zero := "0"
		c.Default, c.Hidden, c.Agg, c.AggImplicit, c.UniqueID = &zero, true, valueAgg(t.Keys), true, next
		list = append(list, columnRecord(&c))
	}
	return list
}

func secondaryRecord(t *catalog.Table) []secondaryPayload {
	list := []secondaryPayload{}
	schema := baseSchema(t)
	for _, s := range t.Secondary {
		r := secondaryPayload{ID: s.ID, Name: s.Name, Columns: s.Columns, Kind: s.Kind, Properties: s.Properties, Comment: s.Comment}
		for _, name := range s.Columns {
			r.ColumnIDs = append(r.ColumnIDs, schema.Columns[schema.ColumnIndex(name)].UniqueID)
		}
		list = append(list, r)
	}
	return list
}
