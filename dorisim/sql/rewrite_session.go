package sql

import (
	"context"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// sessionFunction is the value of a function that tells of the session; ok is
// false for anything else.
func (s *session) sessionFunction(name string) (value string, ok bool) {
	switch strings.ToUpper(name) {
	case "VERSION":
		return serverVersion, true
	case "CONNECTION_ID":
		return cellText(int64(s.id)), true
	case "USER", "SESSION_USER":
		return "'" + s.user + "'@'" + s.host + "'", true
	case "CURRENT_USER":
		return s.account().Identity(), true
	}
	return "", false
}

// isSessionFunction tells whether name() comes next, or CURRENT_USER without
// parentheses.
func (r *rewriter) isSessionFunction() bool {
	t := r.c.peek()
	if t.Kind != parser.Word {
		return false
	}
	if _, ok := r.session.sessionFunction(t.Text); !ok {
		return false
	}
	called := r.c.peekAt(1).IsSymbol("(") && r.c.peekAt(2).IsSymbol(")")
	qualified := r.c.pos > 0 && r.c.tokens[r.c.pos-1].IsSymbol(".") || r.c.peekAt(1).IsSymbol(".")
	return called || t.Is("CURRENT_USER") && !qualified
}

// sessionFunction replaces name() by its value.
func (r *rewriter) sessionFunction() {
	name := r.c.next().Text
	value, _ := r.session.sessionFunction(name)
	if r.c.symbol("(") {
		r.c.next()
	}
	r.literal(value, strings.ToLower(name)+"()")
}

// literal writes a value; where it is a column of its own of the outermost
// SELECT that column keeps its label.
func (r *rewriter) literal(value, label string) {
	text := quoteString(value)
	if isNumber(value) {
		text = value
	}
	r.value(text, label)
}

// value is literal for what is quoted already.
func (r *rewriter) value(text, label string) {
	if t := r.c.peek(); r.depth == 0 && !r.from && (r.c.end() || t.IsSymbol(",") || t.IsSymbol(";") || t.Is("FROM") || t.Is("LIMIT")) {
		text += " AS " + quoteName(label)
	}
	r.replace(text)
}

// userVariable replaces @name by what SET has given it, or NULL.
func (r *rewriter) userVariable() error {
	r.c.next()
	name, err := r.c.ident()
	if err != nil {
		return err
	}
	text := "NULL"
	if v, ok := r.session.userVars[strings.ToLower(name)]; ok && !v.IsNull() {
		text = v.ToString()
		if !v.IsIntegral() && !v.IsFloat() && v.Type() != sqltypes.Decimal {
			text = quoteString(text)
		}
	}
	r.value(text, "@"+name)
	return nil
}

// setUserVariable is SET @name = expression.
func (s *session) setUserVariable(ctx context.Context, c *cursor) error {
	name, err := c.ident()
	if err != nil {
		return err
	}
	start := c.pos
	if _, err := assigned(c); err != nil {
		return err
	}
	expression, err := newCursor("SELECT " + c.src[c.tokens[start].End:c.peek().Pos])
	if err != nil {
		return asRefusal(err)
	}
	result, err := s.query(ctx, expression, relations{session: s})
	if err != nil {
		return err
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return core.Errorf("SET @%s needs one value", name)
	}
	if s.userVars == nil {
		s.userVars = map[string]sqltypes.Value{}
	}
	s.userVars[strings.ToLower(name)] = result.Rows[0][0]
	return nil
}
