package sql

import (
	"strings"
	"unicode"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/ddl"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/sql/query"
)

// internalCatalog is the first part of a fully qualified name.
const internalCatalog = "internal"

// functionMark is in the names of relations that are no tables, which are reached
// under information_schema: mark + name + mark + arguments. No table can have it.
const functionMark = "\x01function\x01"

// rewriter turns a Doris SELECT into one that the query engine reads.
type rewriter struct {
	session *session
	c       *cursor
	out     strings.Builder
	last    int  // end of the source that has been copied or replaced
	taken   int  // where the last copied token begins in out
	depth   int  // of parentheses
	from    bool // FROM of the outermost SELECT has been seen
}

// rewrite changes what MySQL's dialect has not: three-part names, table
// functions, partitions in FROM, system variables, COUNT() and Doris' names of
// cast types. Comments and hints are left out.
func (s *session) rewrite(c *cursor) (string, error) { return s.rewriteIn(s.db, c) }

// rewriteIn rewrites a text that is written for another current database: a
// view's.
func (s *session) rewriteIn(database string, c *cursor) (string, error) {
	c, err := s.expandFunctions(database, c)
	if err != nil {
		return "", err
	}
	c.unwrap()
	r := &rewriter{session: s, c: c, last: c.peek().Pos}
	for !c.end() {
		if err := r.step(); err != nil {
			return "", err
		}
	}
	return strings.TrimRight(r.out.String(), "; \n\t\r"), nil
}

// gap copies the blanks before pos; a comment becomes one.
func (r *rewriter) gap(pos int) {
	if blank := r.c.src[r.last:pos]; strings.TrimSpace(blank) == "" {
		r.out.WriteString(blank)
	} else {
		r.out.WriteByte(' ')
	}
	r.last = pos
}

// take copies one token.
func (r *rewriter) take() {
	t := r.c.next()
	r.gap(t.Pos)
	r.taken = r.out.Len()
	r.out.WriteString(r.c.src[t.Pos:t.End])
	r.last = t.End
}

// replace writes text instead of the tokens that have been consumed since the
// last copied one.
func (r *rewriter) replace(text string) {
	if r.out.Len() > 0 {
		r.out.WriteByte(' ')
	}
	r.out.WriteString(text)
	r.last = r.c.tokens[r.c.pos-1].End
}

func (r *rewriter) step() error {
	c := r.c
	t := c.peek()
	switch {
	case t.IsSymbol("("):
		r.depth++
	case t.IsSymbol(")"):
		r.depth--
	case t.Is("FROM") && r.depth == 0:
		r.from = true
	case t.IsSymbol("@@"):
		return r.systemVariable()
	case t.IsSymbol("@"):
		return r.userVariable()
	case r.isSessionFunction():
		r.sessionFunction()
		return nil
	case t.Is(internalCatalog) && r.dotted(3), t.Kind == parser.QuotedIdent && t.Text == internalCatalog && r.dotted(3):
		r.gap(t.Pos)
		c.next()
		r.last = c.next().End
		return nil
	case r.isPath():
		return r.path()
	case t.Is("COUNT") && c.peekAt(1).IsSymbol("(") && c.peekAt(2).IsSymbol(")"):
		c.pos += 3
		r.replace("count(*)")
		return nil
	case c.peekAt(1).Kind == parser.String && strings.HasPrefix(strings.ToUpper(t.Text), "MATCH") && t.Kind == parser.Word:
		return r.match()
	case t.Is("LIKE") && c.peekAt(1).Kind == parser.String && !c.peekAt(2).Is("ESCAPE"):
		r.take()
		r.replace(quoteString(c.next().Text) + likeEscape)
		return nil
	case t.Kind == parser.Word && c.peekAt(1).IsSymbol("(") && r.session.lacks(t.Text):
		return ddl.UnknownFunction(t.Text)
	case t.Is("CAST") && c.peekAt(1).IsSymbol("("):
		return r.cast()
	case t.Is("SUM") && c.peekAt(1).IsSymbol("(") && !c.peekAt(2).Is("DISTINCT") && !c.isWindowCall():
		return r.call(query.Sum+"(", ")")
	case (t.Is("LEFT") || t.Is("RIGHT")) && c.peekAt(1).IsSymbol("("):
		return r.firstAsText()
	case r.isPartOfTable():
		return r.partOfTable()
	case t.Kind == parser.Word && c.peekAt(1).IsSymbol("(") && r.isTableFunction():
		return r.tableFunction()
	case t.Kind == parser.Word && c.peekAt(1).IsSymbol("("):
		if fold, argument, ok := query.Aggregate(t.Text); ok {
			return r.objectAggregate(fold, argument)
		}
	}
	r.take()
	return nil
}

// likeEscape names the escape character that LIKE has anyway, and that the
// pattern, written anew, has kept. It keeps the engine from turning a pattern
// into a comparison: that one ends at U+00FF, and takes the escape character for
// a part of the text.
const likeEscape = ` ESCAPE '\\'`

// dotted tells whether n identifiers joined by dots come next.
func (r *rewriter) dotted(n int) bool {
	for i := range n {
		if k := r.c.peekAt(2 * i).Kind; k != parser.Word && k != parser.QuotedIdent {
			return false
		}
		if i < n-1 && !r.c.peekAt(2*i+1).IsSymbol(".") {
			return false
		}
	}
	return true
}

// isFrom tells whether the token at pos makes a relation follow.
func (r *rewriter) isFrom(pos int) bool {
	return pos >= 0 && (r.c.tokens[pos].Is("FROM") || r.c.tokens[pos].Is("JOIN") || r.c.tokens[pos].IsSymbol(","))
}

// isTableFunction tells whether the word, which an argument list follows, is
// read from. After a comma only known names are, as it may be any function.
func (r *rewriter) isTableFunction() bool {
	if r.c.pos == 0 || !r.isFrom(r.c.pos-1) {
		return false
	}
	if !r.c.tokens[r.c.pos-1].IsSymbol(",") {
		return true
	}
	switch strings.ToLower(r.c.peek().Text) {
	case "frontends", "backends", "numbers":
		return true
	}
	return false
}

// systemVariable replaces @@[session.|global.]name by its value; as a column of
// the result it keeps its name.
func (r *rewriter) systemVariable() error {
	c := r.c
	c.next()
	label := "@@"
	for (c.peek().Is("SESSION") || c.peek().Is("GLOBAL")) && c.peekAt(1).IsSymbol(".") {
		label += c.next().Text + "."
		c.next()
	}
	name, err := c.ident()
	if err != nil {
		return err
	}
	label += name
	value, ok := r.session.variable(name)
	if !ok {
		return core.CodeErrorf(codeUnknownVariable, "Unknown system variable '%s'", name)
	}
	r.literal(value, label)
	return nil
}

func isNumber(text string) bool {
	if text == "" || len(text) > 18 {
		return false
	}
	return strings.Trim(text, "0123456789") == ""
}

// castTypes maps Doris' names of types to those that CAST knows in MySQL.
var castTypes = map[string]string{
	"INT": "SIGNED", "INTEGER": "SIGNED", "BIGINT": "SIGNED",
	"TINYINT": "SIGNED", "SMALLINT": "SIGNED", "BOOLEAN": "SIGNED", "LARGEINT": "DECIMAL(39,0)", "DATEV2": "DATE",
	"DATETIMEV2": "DATETIME", "DECIMALV3": "DECIMAL", "FLOAT": "DOUBLE",
}

// cast copies CAST(expression AS and replaces the type's name.
func (r *rewriter) cast() error {
	c := r.c
	first, start := r.atItem(), c.peek().Pos
	r.take()
	begin := r.taken
	r.depth++
	r.take()
	for outer := r.depth; !c.end(); {
		t := c.peek()
		switch {
		case t.IsSymbol(")") && r.depth == outer:
			return nil
		case t.Is("AS") && r.depth == outer && castsToText(c.peekAt(1)):
			return r.castToText(begin, start, first)
		case t.Is("AS") && r.depth == outer:
			r.take()
			if name, ok := castTypes[strings.ToUpper(c.peek().Text)]; ok {
				c.next()
				r.replace(name)
			}
			return nil
		}
		if err := r.step(); err != nil {
			return err
		}
	}
	return nil
}

// firstAsText copies f(a up to the comma, making a text of a: Doris casts numbers
// there, the query engine does not.
func (r *rewriter) firstAsText() error {
	r.take()
	r.depth++
	r.take()
	r.out.WriteString("CONCAT(")
	for outer := r.depth; !r.c.end(); {
		t := r.c.peek()
		if r.depth == outer && (t.IsSymbol(",") || t.IsSymbol(")")) {
			break
		}
		if err := r.step(); err != nil {
			return err
		}
	}
	r.out.WriteString(")")
	return nil
}

// tableFunction turns FROM f("k" = "v") into a relation of its own name.
func (r *rewriter) tableFunction() error {
	c := r.c
	name := strings.ToLower(c.next().Text)
	c.next()
	var arguments []string
	for !c.end() && !c.peek().IsSymbol(")") {
		if t := c.next(); t.Kind == parser.String || t.Kind == parser.Number {
			arguments = append(arguments, t.Text)
		}
	}
	if !c.symbol(")") {
		return c.mismatch()
	}
	text := informationSchema + "." + quoteName(functionMark+name+functionMark+strings.Join(arguments, ","))
	if !c.peek().Is("AS") && !r.aliasFollows() {
		text += " AS " + quoteName(name)
	}
	r.replace(text)
	return nil
}

// match turns the full-text predicates into a search for words: MATCH and
// MATCH_ANY want one of them, MATCH_PHRASE all of them one after the other, and
// MATCH_ALL all of them, here only in the given order.
func (r *rewriter) match() error {
	c := r.c
	kind := strings.ToUpper(c.next().Text)
	words := strings.FieldsFunc(c.next().Text, func(x rune) bool { return !unicode.IsLetter(x) && !unicode.IsNumber(x) })
	for i := range words {
		words[i] = strings.ToLower(words[i])
	}
	between := "|"
	switch {
	case strings.HasPrefix(kind, "MATCH_PHRASE"):
		between = "[^a-z0-9]+"
	case kind == "MATCH_ALL" && len(words) > 1:
		between = ".*"
	}
	r.replace("REGEXP " + quoteString("(?i)(^|[^a-z0-9])("+strings.Join(words, between)+")([^a-z0-9]|$)"))
	return nil
}
