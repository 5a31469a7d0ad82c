package ddl

import (
	"maps"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// maxVarchar is the length of the columns of materialized views: the simulator
// does not infer the types of a query.
const maxVarchar = 65533

// createMaterialized makes an asynchronous materialized view. Its tablets stay
// empty: reading it evaluates the query. `new` never records what happens to it
// (doris-binlogs.md 1.3).
func (e *Executor) createMaterialized(currentDB string, s *parser.CreateMaterializedView) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database(currentDB, s.View.Database)
	if err != nil {
		return err
	}
	if _, exists := db.Tables[s.View.Name]; exists {
		if s.IfNotExists {
			return nil
		}
		return core.Errorf("Table '%s' already exists", s.View.Name)
	}
	var definition catalog.Table
	if err := e.define(db, currentDB, &definition, s.Columns, s.Query, namesOf(s.Allowed)); err != nil {
		return err
	}
	create := &parser.CreateTable{
		Table: s.View, Comment: s.Comment, Distribution: &parser.Distribution{Random: true, Buckets: 1},
		Keys: types.DupKeys, Properties: parser.Properties{},
	}
	for _, c := range definition.ViewColumns {
		create.Columns = append(create.Columns, parser.ColumnDef{Name: c.Name, Comment: c.Comment, Type: types.Type{Kind: types.Varchar, Len: maxVarchar}})
	}
	if len(create.Columns) > 0 {
		create.KeyColumns = []string{create.Columns[0].Name}
	}
	own := maps.Clone(s.Properties)
	for _, key := range []string{"replication_num", replicationAllocation} {
		if value, ok := own[key]; ok {
			create.Properties[key] = value
			delete(own, key)
		}
	}
	t, err := e.buildTable(db, create)
	if err != nil {
		return err
	}
	if err := e.initialPartitions(t, create); err != nil {
		e.core.DropTable(t)
		return err
	}
	t.Kind, t.ViewDefinition, t.ViewColumns = catalog.MaterializedView, definition.ViewDefinition, definition.ViewColumns
	t.Refresh = s.Options
	maps.Copy(t.Properties, own)
	db.Tables[t.Name] = t
	e.recordCreate(db, t)
	return nil
}

// materialized resolves an asynchronous materialized view. It needs the lock.
func (e *Executor) materialized(currentDB string, name parser.Name) (*catalog.Database, *catalog.Table, error) {
	db, err := e.database(currentDB, name.Database)
	if err != nil {
		return nil, nil, err
	}
	t, ok := db.Tables[name.Name]
	if !ok {
		return nil, nil, unknownTable(name.Name)
	}
	if t.Kind != catalog.MaterializedView {
		return nil, nil, wrongKind(db, name.Name, "MATERIALIZED_VIEW", "DROP "+string(t.Kind))
	}
	return db, t, nil
}

func (e *Executor) dropMaterialized(currentDB string, s *parser.DropMaterializedView) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database(currentDB, s.View.Database)
	if err != nil {
		return err
	}
	if _, ok := db.Tables[s.View.Name]; !ok && s.IfExists {
		return nil
	}
	db, t, err := e.materialized(currentDB, s.View)
	if err != nil {
		return err
	}
	e.recordDrop(db, t, "DROP MATERIALIZED VIEW IF EXISTS ")
	delete(db.Tables, t.Name)
	e.core.DropTable(t)
	return nil
}

func (e *Executor) alterMaterialized(currentDB string, s *parser.AlterMaterializedView) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, t, err := e.materialized(currentDB, s.View)
	if err != nil {
		return err
	}
	switch {
	case s.NewName != "":
		return e.renameTable(db, t, s.NewName)
	case s.Other != "":
		if _, _, err := e.materialized(db.Name, parser.Name{Name: s.Other}); err != nil {
			return err
		}
		return e.replaceTable(db, t, &parser.ReplaceTable{Other: s.Other, Properties: s.Properties, Force: true})
	}
	maps.Copy(t.Properties, s.Set)
	return nil
}

// touchMaterialized is REFRESH, PAUSE, RESUME and CANCEL: there is no job.
func (e *Executor) touchMaterialized(currentDB string, s *parser.TouchMaterializedView) error {
	e.core.RLock()
	defer e.core.RUnlock()
	_, _, err := e.materialized(currentDB, s.View)
	return err
}

// ShowCreateMaterialized prints an asynchronous materialized view. The caller
// holds the metadata lock.
func (e *Executor) ShowCreateMaterialized(t *catalog.Table) string {
	text := "CREATE MATERIALIZED VIEW " + parser.QuoteIdent(t.Name)
	if t.Refresh != "" {
		text += "\n" + t.Refresh
	}
	if t.Comment != "" {
		text += "\nCOMMENT '" + t.Comment + "'"
	}
	return text + "\nAS " + t.ViewDefinition
}
