package ddl

import (
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// SourceTable is a table that a query names, and the first of its columns that
// the query mentions.
type SourceTable struct{ Database, Name, Column string }

// TablesOf lists the tables of a view's query that exist; a query that cannot be
// read has none: its refusal is for the statement itself.
func (e *Executor) TablesOf(query, currentDB string) []SourceTable {
	e.core.RLock()
	defer e.core.RUnlock()
	tokens, err := parser.Lex(query)
	if err != nil {
		return nil
	}
	var found []SourceTable
	_, err = newDefinition(query, currentDB, func(database, table string) ([]string, error) {
		db, ok := e.core.Database(database)
		if !ok || db.Tables[table] == nil {
			return nil, nil
		}
		source := SourceTable{Database: database, Name: table}
		for _, index := range db.Tables[table].Indexes {
			for _, token := range tokens {
				if source.Column == "" && index.Schema.ColumnIndex(token.Text) >= 0 {
					source.Column = token.Text
				}
			}
		}
		found = append(found, source)
		return nil, nil
	})
	if err != nil {
		return nil
	}
	return found
}
