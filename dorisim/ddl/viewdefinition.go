package ddl

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// definition rewrites the query of a view as Doris stores it: tables are named
// `internal`.`db`.`t`, and every output column has an alias (doris-sql.md 3.4).
// Only names are touched; what the query means is for SELECT to find out.
type definition struct {
	query  string
	tokens []parser.Token // the last one is EOF
	edits  []edit
	// ctes are the names that WITH defines: no tables of a database.
	ctes map[string]bool
	// sources are the tables of the outermost FROM clauses.
	sources []source
	// databases are those that table names mention.
	databases []string
	// tableFunctions are the tokens at which a table function of FROM begins.
	tableFunctions map[int]bool
}

// source is a table that the outermost SELECT reads.
type source struct {
	columns   []string // none: they are not known
	qualifier string   // how its columns are qualified
	names     []string // what may stand before a column: its alias, or its name
}

// edit replaces query[from:to].
type edit struct {
	from, to int
	text     string
}

// columnsOf returns the columns of a table, or refuses an unknown one.
type columnsOf func(database, table string) ([]string, error)

func newDefinition(query, currentDB string, lookup columnsOf) (*definition, error) {
	tokens, err := parser.Lex(query)
	if err != nil {
		return nil, core.Errorf("%s", err.Error())
	}
	d := &definition{query: query, tokens: tokens, ctes: map[string]bool{}, tableFunctions: map[int]bool{}}
	d.findCTEs()
	if err := d.qualifyTables(currentDB, lookup); err != nil {
		return nil, err
	}
	d.qualifyColumns()
	return d, nil
}

// text returns the rewritten query.
func (d *definition) text() string {
	slices.SortStableFunc(d.edits, func(a, b edit) int { return a.from - b.from })
	var out strings.Builder
	at := 0
	for _, e := range d.edits {
		if e.from < at {
			continue // inside of what is replaced already
		}
		out.WriteString(d.query[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.WriteString(d.query[at:])
	return out.String()
}

// findCTEs collects name in "WITH name AS (" and ", name AS (".
func (d *definition) findCTEs() {
	if !d.tokens[0].Is("WITH") {
		return
	}
	for i := 1; i+2 < len(d.tokens); i++ {
		before := d.tokens[i-1]
		if isName(d.tokens[i]) && (before.Is("WITH") || before.IsSymbol(",")) && d.definesCTE(i+1) {
			d.ctes[strings.ToLower(d.tokens[i].Text)] = true
		}
	}
}

// definesCTE tells whether [(columns)] AS ( begins at token i.
func (d *definition) definesCTE(i int) bool {
	if d.tokens[i].IsSymbol("(") {
		for i++; isName(d.tokens[i]) || d.tokens[i].IsSymbol(","); i++ {
		}
		if !d.tokens[i].IsSymbol(")") {
			return false
		}
		i++
	}
	return d.tokens[i].Is("AS") && d.tokens[i+1].IsSymbol("(")
}

func isName(t parser.Token) bool { return t.Kind == parser.Word || t.Kind == parser.QuotedIdent }

// scope is what is known inside of one pair of parentheses.
type scope struct {
	query bool // a query, not the arguments of a function
	from  bool // inside of a FROM clause
	table bool // a table reference comes next
}

var endOfFrom = []string{"WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "INTERSECT", "EXCEPT", "MINUS", "SELECT", "LATERAL", "WINDOW", "QUALIFY"}

// qualifyTables walks over the FROM clauses and rewrites the table names there.
func (d *definition) qualifyTables(currentDB string, lookup columnsOf) error {
	scopes := []scope{{query: true}}
	for i := 0; d.tokens[i].Kind != parser.EOF; i++ {
		t, s := d.tokens[i], &scopes[len(scopes)-1]
		switch {
		case t.IsSymbol("("):
			inner := scope{query: d.tokens[i+1].Is("SELECT") || d.tokens[i+1].Is("WITH")}
			if s.table && !inner.query { // FROM (a JOIN b)
				inner = scope{query: true, from: true, table: true}
			}
			s.table = false
			scopes = append(scopes, inner)
		case t.IsSymbol(")") && len(scopes) > 1:
			scopes = scopes[:len(scopes)-1]
		case !s.query:
		case t.Is("FROM"), t.Is("JOIN"):
			s.from, s.table = true, true
		case t.IsSymbol(",") && s.from:
			s.table = true
		case slices.ContainsFunc(endOfFrom, t.Is):
			s.from, s.table = false, false
		case s.table && isName(t):
			s.table = false
			end, err := d.qualifyTable(i, len(scopes) == 1, currentDB, lookup)
			if err != nil {
				return err
			}
			i = end
		}
	}
	return nil
}

// qualifyTable rewrites the name that begins at token i and returns the index
// of its last token.
func (d *definition) qualifyTable(i int, outermost bool, currentDB string, lookup columnsOf) (int, error) {
	parts, end := d.dotted(i)
	if d.tokens[end+1].IsSymbol("(") {
		d.tableFunctions[i] = true
		return end, nil
	}
	if len(parts) == 1 && d.ctes[strings.ToLower(parts[0])] {
		return end, nil
	}
	if len(parts) == 3 && strings.EqualFold(parts[0], "internal") {
		parts = parts[1:]
	}
	if len(parts) == 1 {
		parts = []string{currentDB, parts[0]}
	}
	if len(parts) != 2 {
		return end, core.Errorf("Unknown catalog '%s'", parts[0])
	}
	columns, err := lookup(parts[0], parts[1])
	if err != nil {
		return end, err
	}
	qualified := "`internal`." + parser.QuoteIdent(parts[0]) + "." + parser.QuoteIdent(parts[1])
	if outermost {
		s := source{columns: columns, qualifier: qualified, names: []string{parts[1]}}
		if alias := d.tableAlias(end + 1); alias != "" {
			s.qualifier, s.names = parser.QuoteIdent(alias), []string{alias}
		}
		d.sources = append(d.sources, s)
	}
	d.databases = append(d.databases, parts[0])
	d.edits = append(d.edits, edit{d.tokens[i].Pos, d.tokens[end].End, qualified})
	return end, nil
}

// behindTable are words that are no alias where they follow a table.
var behindTable = []string{"JOIN", "LEFT", "RIGHT", "INNER", "OUTER", "CROSS", "FULL", "SEMI", "ANTI", "NATURAL", "ON", "USING",
	"PARTITION", "PARTITIONS", "TEMPORARY", "TABLET", "TABLESAMPLE", "INDEX", "FOR"}

// tableAlias is the alias that stands at token i, "" if there is none.
func (d *definition) tableAlias(i int) string {
	t := d.tokens[i]
	switch {
	case t.Is("AS") && isName(d.tokens[i+1]):
		return d.tokens[i+1].Text
	case !isName(t), slices.ContainsFunc(behindTable, t.Is), slices.ContainsFunc(endOfFrom, t.Is):
		return ""
	}
	return t.Text
}

// dotted reads a.b.c from token i.
func (d *definition) dotted(i int) (parts []string, end int) {
	parts, end = []string{d.tokens[i].Text}, i
	for d.tokens[end+1].IsSymbol(".") && isName(d.tokens[end+2]) {
		end += 2
		parts = append(parts, d.tokens[end].Text)
	}
	return parts, end
}

// qualifyColumns puts `internal`. before db.table.column.
func (d *definition) qualifyColumns() {
	for i := 0; d.tokens[i].Kind != parser.EOF; i++ {
		if !isName(d.tokens[i]) {
			continue
		}
		parts, end := d.dotted(i)
		edited := slices.ContainsFunc(d.edits, func(e edit) bool { return e.from == d.tokens[i].Pos })
		if len(parts) == 3 && !edited && slices.Contains(d.databases, parts[0]) {
			d.edits = append(d.edits, edit{d.tokens[i].Pos, d.tokens[i].Pos, "`internal`."})
		}
		i = end
	}
}
