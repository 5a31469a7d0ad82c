package ddl

import (
	"cmp"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// defaultSQLMode is ONLY_FULL_GROUP_BY (doris-sql.md 1.6).
const defaultSQLMode = 32

func (e *Executor) createView(currentDB string, s *parser.CreateView) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database(currentDB, s.View.Database)
	if err != nil {
		return err
	}
	old, exists := db.Tables[s.View.Name]
	switch {
	case exists && s.IfNotExists:
		return nil
	case exists && !s.OrReplace:
		return core.Errorf("Table '%s' already exists", s.View.Name)
	case exists && old.Kind != catalog.View:
		return wrongKind(db, s.View.Name, "VIEW", "DROP TABLE")
	}
	v := &catalog.Table{
		ID: e.core.NextID(), DBID: db.ID, Name: s.View.Name, Kind: catalog.View, State: catalog.StateNormal,
		Comment: s.Comment, Created: e.core.Now(),
	}
	if err := e.define(db, currentDB, v, s.Columns, s.Query, namesOf(s.Allowed)); err != nil {
		return err
	}
	if exists {
		e.recordDrop(db, old, "DROP VIEW IF EXISTS ")
	}
	db.Tables[v.Name] = v
	e.recordCreate(db, v)
	return nil
}

// define stores the qualified definition of a view. Names without a database
// are looked up in the session's, or else in the view's own.
func (e *Executor) define(db *catalog.Database, currentDB string, v *catalog.Table, columns []parser.ViewColumnDef, query string, rules nameRules) error {
	if currentDB == "" {
		currentDB = db.Name
	}
	d, err := newDefinition(query, currentDB, e.viewSource)
	if err != nil {
		return err
	}
	if err := d.checkFunctions(func(database, name string) bool {
		if database == "" && IsBuiltin(name) {
			return true
		}
		_, ok := e.Function(cmp.Or(database, currentDB), name)
		return ok
	}); err != nil {
		return err
	}
	if err := d.checkResources(e.hasResource); err != nil {
		return err
	}
	if err := d.checkColumns(); err != nil {
		return err
	}
	d.qualifyPlain()
	names, err := d.alias(columns)
	if err != nil {
		return err
	}
	v.ViewDefinition = d.text()
	v.ViewColumns = nil
	for i, name := range names {
		if err := rules.checkViewColumn(name); err != nil {
			return planned(err)
		}
		c := catalog.ViewColumn{Name: name}
		if i < len(columns) {
			c.Comment = columns[i].Comment
		}
		v.ViewColumns = append(v.ViewColumns, c)
	}
	return nil
}

// viewSource returns the columns of a table or view that a view reads. It needs
// the lock.
func (e *Executor) viewSource(database, table string) ([]string, error) {
	db, ok := e.core.Database(database)
	if !ok {
		if systemDatabases[database] {
			return nil, nil
		}
		return nil, core.Errorf("Database [%s] does not exist.", database)
	}
	t, ok := db.Tables[table]
	if !ok {
		return nil, core.Errorf("Table [%s] does not exist in database [%s].", table, database)
	}
	var names []string
	if t.Kind == catalog.View {
		for _, c := range t.ViewColumns {
			names = append(names, c.Name)
		}
		return names, nil
	}
	for _, c := range baseSchema(t).Columns {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return names, nil
}

// view returns a view of db. It needs the lock.
func view(db *catalog.Database, name string) (*catalog.Table, error) {
	v, ok := db.Tables[name]
	if !ok {
		return nil, unknownTable(name)
	}
	if v.Kind != catalog.View {
		return nil, wrongKind(db, name, "VIEW", "DROP TABLE")
	}
	return v, nil
}

func (e *Executor) alterView(currentDB string, s *parser.AlterView) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database(currentDB, s.View.Database)
	if err != nil {
		return err
	}
	v, err := view(db, s.View.Name)
	if v == nil && db.Tables[s.View.Name] == nil {
		return core.Errorf("Unknown table '%s'", s.View.Name) // with the generic number
	}
	if err != nil {
		return err
	}
	definition := ""
	if s.SetComment {
		v.Comment = s.Comment
	} else {
		if err := e.define(db, currentDB, v, s.Columns, s.Query, namesOf(s.Allowed)); err != nil {
			return err
		}
		definition = v.ViewDefinition
	}
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{v.ID}, Type: binlog.TypeModifyViewDef,
		Payload: func(int64) any {
			r := viewPayload{DBID: db.ID, TableID: v.ID, Definition: definition, SQLMode: defaultSQLMode, Comment: v.Comment, Schema: []columnPayload{}}
			for _, c := range v.ViewColumns {
				r.Schema = append(r.Schema, columnPayload{
					Name: c.Name, Comment: c.Comment, Nullable: true, Visible: true, UniqueID: -1, ClusterKeyID: -1,
					Stats: noStats, Children: []columnPayload{}, Generated: []string{},
				})
			}
			return r
		},
	})
	return nil
}

func (e *Executor) dropView(currentDB string, s *parser.DropView) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database(currentDB, s.View.Database)
	if err != nil {
		return err
	}
	if _, ok := db.Tables[s.View.Name]; !ok {
		return missing(db, s.View.Name, s.IfExists)
	}
	v, err := view(db, s.View.Name)
	if err != nil {
		return err
	}
	e.recordDrop(db, v, "DROP VIEW IF EXISTS ")
	delete(db.Tables, v.Name)
	return nil
}
