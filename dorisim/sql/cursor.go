package sql

import (
	"strings"

	"github.com/doris-ccr/ccr/dorisim/parser"
)

// cursor walks over the tokens of one statement.
type cursor struct {
	src    string
	tokens []parser.Token // the last one is EOF
	pos    int
	hints  []string // in their order
}

// newCursor reads a statement; hints stand apart.
func newCursor(text string) (*cursor, error) {
	all, err := parser.Lex(text)
	if err != nil {
		return nil, err
	}
	c := &cursor{src: text, tokens: all[:0]}
	for _, t := range all {
		if t.Kind == parser.Hint {
			c.hints = append(c.hints, t.Text)
		} else {
			c.tokens = append(c.tokens, t)
		}
	}
	return c, nil
}

func (c *cursor) peek() parser.Token { return c.peekAt(0) }

func (c *cursor) peekAt(n int) parser.Token {
	if i := c.pos + n; i < len(c.tokens) {
		return c.tokens[i]
	}
	return c.tokens[len(c.tokens)-1]
}

func (c *cursor) next() parser.Token {
	t := c.peek()
	if c.pos < len(c.tokens)-1 {
		c.pos++
	}
	return t
}

func (c *cursor) end() bool { return c.peek().Kind == parser.EOF }

// keyword consumes the words if all of them come next.
func (c *cursor) keyword(words ...string) bool {
	for i, w := range words {
		if !c.peekAt(i).Is(w) {
			return false
		}
	}
	c.pos += len(words)
	return true
}

// symbol consumes the symbol if it comes next.
func (c *cursor) symbol(s string) bool {
	if c.peek().IsSymbol(s) {
		c.next()
		return true
	}
	return false
}

// ident consumes an identifier, bare or quoted.
func (c *cursor) ident() (string, error) {
	t := c.peek()
	if t.Kind != parser.Word && t.Kind != parser.QuotedIdent {
		return "", c.mismatch()
	}
	c.next()
	return t.Text, nil
}

// name consumes [[catalog.]database.]object; database is "" if not given.
func (c *cursor) name() (database, object string, err error) {
	parts := make([]string, 0, 3)
	for {
		part, err := c.ident()
		if err != nil {
			return "", "", err
		}
		parts = append(parts, part)
		if len(parts) == 3 || !c.symbol(".") {
			break
		}
	}
	object = parts[len(parts)-1]
	if len(parts) > 1 {
		database = parts[len(parts)-2]
	}
	return database, object, nil
}

// text consumes a string literal.
func (c *cursor) text() (string, error) {
	if c.peek().Kind != parser.String {
		return "", c.mismatch()
	}
	return c.next().Text, nil
}

// rest is the source from the current token on.
func (c *cursor) rest() string {
	end := c.tokens[len(c.tokens)-1].Pos
	return strings.TrimSpace(c.src[c.peek().Pos:end])
}

// mismatch is the refusal of the current token.
func (c *cursor) mismatch() error {
	if c.end() {
		return errSyntax("<EOF>")
	}
	return errSyntax(c.rest())
}

// finish refuses anything but a final semicolon.
func (c *cursor) finish() error {
	for c.symbol(";") {
	}
	if !c.end() {
		return c.mismatch()
	}
	return nil
}

// names consumes a parenthesised or bare list of identifiers.
func (c *cursor) names() ([]string, error) {
	paren := c.symbol("(")
	var list []string
	for {
		name, err := c.ident()
		if err != nil {
			return nil, err
		}
		list = append(list, name)
		if !paren || !c.symbol(",") {
			break
		}
	}
	if paren && !c.symbol(")") {
		return nil, c.mismatch()
	}
	return list, nil
}

// partitions consumes [TEMPORARY] PARTITION[S] (p, ...) if it comes next.
func (c *cursor) partitions() (names []string, temporary bool, err error) {
	start := c.pos
	temporary = c.keyword("TEMPORARY")
	if !c.keyword("PARTITION") && !c.keyword("PARTITIONS") {
		c.pos = start
		return nil, false, nil
	}
	if c.peek().IsSymbol("(") && c.peekAt(1).IsSymbol("*") && c.peekAt(2).IsSymbol(")") {
		c.pos += 3
		return []string{everyTouched}, temporary, nil
	}
	names, err = c.names()
	return names, temporary, err
}

// everyTouched stands for PARTITION(*): the partitions that the rows belong to.
const everyTouched = "*"

// unwrap drops parentheses around all that remains, which the query engine's
// grammar does not know.
func (c *cursor) unwrap() {
	last := len(c.tokens) - 2 // the last one before EOF
	for last > c.pos && c.tokens[last].IsSymbol(";") {
		last--
	}
	if !c.peek().IsSymbol("(") {
		return
	}
	depth := 0
	for i := c.pos; i <= last; i++ {
		switch {
		case c.tokens[i].IsSymbol("("):
			depth++
		case c.tokens[i].IsSymbol(")"):
			depth--
		}
		if depth == 0 && i < last {
			return
		}
	}
	if depth == 0 {
		end := c.tokens[len(c.tokens)-1]
		c.tokens = append(c.tokens[:last:last], end)
		c.pos++
		c.unwrap()
	}
}
