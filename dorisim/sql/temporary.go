package sql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// A temporary table belongs to its session: nobody else sees it, it ends with the
// session, it leaves no binlog (doris-binlogs.md 1.3) and is in no backup. Here the
// temporary tables of a session are in a database of their own, which nothing
// lists, and the session's statements are pointed to it. The Doris of November
// 2024 and earlier has no such tables. An account needs its privileges on
// everything, and views of temporary tables are not imitated.

// temporaryPrefix begins the names of these databases.
const temporaryPrefix = "dorisim_temporary_"

// temporaryTable is a table as the session's statements name it.
type temporaryTable struct{ database, name string }

// temporaryTables are those of one session. The zero value has none.
type temporaryTables struct {
	home   string // the database that has them, "" before the first one
	tables map[temporaryTable]string
}

// innerName is what a temporary table is called where it is.
func innerName(t temporaryTable) string { return t.database + "__" + t.name }

// createTemporary runs CREATE TEMPORARY TABLE; c stands behind these words.
func (s *session) createTemporary(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	if s.server.core.Version() != core.VersionNew {
		return nil, errSyntax(c.src)
	}
	ifNotExists := c.keyword("IF", "NOT", "EXISTS")
	database, name, err := c.name()
	if err != nil {
		return nil, err
	}
	rest := c.src[c.tokens[c.pos-1].End:]
	if database, err = s.database(database); err != nil {
		return nil, err
	}
	if err := s.needTable(core.CreatePriv, "CREATE", database, name); err != nil {
		return nil, err
	}
	table := temporaryTable{database, name}
	if _, exists := s.temporary.tables[table]; exists {
		if ifNotExists {
			return done(), nil
		}
		return nil, core.Errorf("Table '%s' already exists", name)
	}
	if s.temporary.home == "" {
		home := fmt.Sprintf("%s%d", temporaryPrefix, s.id)
		if err := s.server.cfg.DDL.Exec(ctx, "", &parser.CreateDatabase{Name: home, IfNotExists: true}); err != nil {
			return nil, err
		}
		s.temporary = temporaryTables{home: home, tables: map[temporaryTable]string{}}
	}
	inner := parser.QuoteIdent(s.temporary.home) + "." + parser.QuoteIdent(innerName(table))
	result, err := s.executeDDL(ctx, "CREATE TABLE "+inner+s.withTemporary(rest))
	if err == nil {
		s.temporary.tables[table] = inner
	}
	return result, err
}

// precedesTable tells whether a word is followed by the name of a table.
func precedesTable(t parser.Token) bool {
	for _, word := range []string{"FROM", "JOIN", "INTO", "TABLE", "UPDATE", "DESC", "DESCRIBE", "OVERWRITE", "EXISTS"} {
		if t.Is(word) {
			return true
		}
	}
	return false
}

// withTemporary points the names of the session's temporary tables in a statement
// to where those are.
func (s *session) withTemporary(text string) string {
	if len(s.temporary.tables) == 0 {
		return text
	}
	tokens, err := parser.Lex(text)
	if err != nil {
		return text // whoever runs it says so
	}
	if len(tokens) > 1 && tokens[0].Is("CREATE") && tokens[1].Is("TEMPORARY") {
		return text // createTemporary reads the name
	}
	named := func(t parser.Token) bool { return t.Kind == parser.Word || t.Kind == parser.QuotedIdent }
	var out strings.Builder
	copied := 0
	for i := 1; i < len(tokens); i++ {
		if !precedesTable(tokens[i-1]) || !named(tokens[i]) {
			continue
		}
		table, last := temporaryTable{s.db, tokens[i].Text}, i
		if i+2 < len(tokens) && tokens[i+1].IsSymbol(".") && named(tokens[i+2]) {
			table, last = temporaryTable{tokens[i].Text, tokens[i+2].Text}, i+2
		}
		if inner, ok := s.temporary.tables[table]; ok {
			out.WriteString(text[copied:tokens[i].Pos] + inner + s.aliasFor(tokens, last+1, table.name))
			copied = tokens[last].End
		}
	}
	return out.String() + text[copied:]
}

// aliasFor keeps the table's own name for the columns of a query, unless the query
// gives it another one.
func (s *session) aliasFor(tokens []parser.Token, next int, name string) string {
	if !tokens[0].Is("SELECT") && !tokens[0].Is("WITH") {
		return ""
	}
	if next < len(tokens) {
		t := tokens[next]
		reserved := t.Is("WHERE") || t.Is("ORDER") || t.Is("GROUP") || t.Is("LIMIT") || t.Is("JOIN") || t.Is("INNER") || t.Is("LEFT") || t.Is("RIGHT") || t.Is("ON") || t.Is("UNION") || t.Is("HAVING")
		if !reserved && (t.Kind == parser.Word || t.Kind == parser.QuotedIdent) {
			return ""
		}
	}
	return " AS " + parser.QuoteIdent(name)
}

// forgetTemporary forgets what the session has dropped itself.
func (s *session) forgetTemporary() {
	for table := range s.temporary.tables {
		if !s.hasTable(s.temporary.home, innerName(table)) {
			delete(s.temporary.tables, table)
		}
	}
}

// dropTemporary drops the session's temporary tables when it ends.
func (s *session) dropTemporary() {
	if s.temporary.home == "" {
		return
	}
	// The session's own context is over.
	err := s.server.cfg.DDL.Exec(context.WithoutCancel(s.ctx), "", &parser.DropDatabase{Name: s.temporary.home, IfExists: true, Force: true})
	if err != nil {
		s.server.log.Warn("temporary tables stay", "session", s.id, "error", err)
	}
	s.temporary = temporaryTables{}
}

// databases are those that statements list. It needs core's read lock.
func (s *session) databases() []*catalog.Database {
	return slices.DeleteFunc(s.server.core.Databases(), func(db *catalog.Database) bool { return strings.HasPrefix(db.Name, temporaryPrefix) })
}
