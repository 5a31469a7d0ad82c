package sql

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/ddl"
	"github.com/doris-ccr/ccr/dorisim/sql/query"
)

// selectStatement evaluates SELECT. The cursor may stand behind its first word.
func (s *session) selectStatement(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	c.pos = 0
	restore, err := s.heedHints(c.hints)
	if err != nil {
		return nil, err
	}
	defer restore()
	from := relations{session: s}
	if !s.flag("show_hidden_columns") {
		from.hidden, from.versions = c.namesHidden()
	}
	return s.query(ctx, c, from)
}

// query evaluates a SELECT, from the cursor to its end, over the relations.
func (s *session) query(ctx context.Context, c *cursor, from relations) (*sqltypes.Result, error) {
	text, err := s.rewrite(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	for try := 1; ; try++ {
		result, err := s.server.engine.Run(ctx, from, s.db, text)
		if err == nil {
			return result, nil
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, core.Errorf("Query timeout")
		}
		// A schema change that ends under the query replaces its index.
		if try == planTries || !errors.Is(err, core.ErrIndexGone) {
			return nil, s.queryError(err)
		}
	}
}

// withTimeout ends a query when query_timeout says so.
func (s *session) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	text, _ := s.variable("query_timeout")
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
}

// planTries bounds how often a query is planned.
const planTries = 5

// queryError speaks of the engine's errors as Doris' planner does.
func (s *session) queryError(err error) error {
	var refusal *core.Error
	if errors.As(err, &refusal) {
		return err
	}
	var failed *query.Error
	if !errors.As(err, &failed) {
		return core.Errorf("%s", err.Error())
	}
	name := fromName(failed.Name).table
	switch {
	case errors.Is(err, query.ErrUnknownTable):
		return errNoTable(s.db, name)
	case errors.Is(err, query.ErrUnknownDatabase):
		return core.Errorf("Database [%s] does not exist.", name)
	case errors.Is(err, query.ErrUnknownColumn):
		return core.CodeErrorf(codeUnknownColumn, "Unknown column '%s' in 'table list'", name)
	case errors.Is(err, query.ErrUnknownFunction) && ddl.IsBuiltin(name):
		return core.Errorf("dorisim does not evaluate the function '%s'", name)
	case errors.Is(err, query.ErrUnknownFunction):
		return ddl.UnknownFunction(name)
	case errors.Is(err, query.ErrSyntax):
		return core.CodeErrorf(codeSyntax, "%s", err.Error())
	case strings.Contains(err.Error(), "no database selected"):
		return errNoDatabase()
	}
	return core.Errorf("%s", err.Error())
}

// filter applies LIKE, or WHERE, ORDER BY and LIMIT, to the result of a SHOW
// statement. LIKE looks at the column called like.
func (s *session) filter(ctx context.Context, c *cursor, l *listing, like string, ignoreCase bool) (*sqltypes.Result, error) {
	if c.keyword("LIKE") {
		pattern, err := c.text()
		if err != nil {
			return nil, err
		}
		l.keepLike(like, pattern, ignoreCase)
	}
	for c.symbol(";") {
	}
	if c.end() {
		return l.result(), nil
	}
	if t := c.peek(); !t.Is("WHERE") && !t.Is("ORDER") && !t.Is("LIMIT") {
		return nil, c.mismatch()
	}
	rest, err := newCursor("SELECT * FROM " + quoteName(listingName) + " " + c.rest())
	if err != nil {
		return nil, asRefusal(err)
	}
	text, err := s.rewrite(rest)
	if err != nil {
		return nil, err
	}
	from := relations{session: s, extra: map[string]*query.Relation{listingName: l.relation(listingName)}}
	result, err := s.server.engine.Run(ctx, from, informationSchema, text)
	if err != nil {
		return nil, s.queryError(err)
	}
	shown := l.result()
	shown.Rows = result.Rows
	return shown, nil
}

// listingName is the name under which filter reads a listing.
const listingName = "\x01listing"

// keepLike drops the rows whose column does not match.
func (l *listing) keepLike(column, pattern string, ignoreCase bool) {
	at := 0
	for i, title := range l.titles {
		if title == column {
			at = i
		}
	}
	kept := l.rows[:0]
	for _, row := range l.rows {
		if like(row[at], pattern, ignoreCase) {
			kept = append(kept, row)
		}
	}
	l.rows = kept
}

// like is SQL's LIKE; a backslash escapes the character that follows it
// (doris-sql.md 1.5).
func like(text, pattern string, ignoreCase bool) bool {
	if ignoreCase {
		text, pattern = strings.ToLower(text), strings.ToLower(pattern)
	}
	return likeRunes([]rune(text), []rune(pattern))
}

func likeRunes(text, pattern []rune) bool {
	for len(pattern) > 0 {
		switch p := pattern[0]; {
		case p == '%':
			for len(pattern) > 0 && pattern[0] == '%' {
				pattern = pattern[1:]
			}
			if len(pattern) == 0 {
				return true
			}
			for i := range text {
				if likeRunes(text[i:], pattern) {
					return true
				}
			}
			return false
		case len(text) == 0:
			return false
		case p == '_':
			text, pattern = text[1:], pattern[1:]
		default:
			if p == '\\' && len(pattern) > 1 {
				pattern = pattern[1:]
			}
			if text[0] != pattern[0] {
				return false
			}
			text, pattern = text[1:], pattern[1:]
		}
	}
	return len(text) == 0
}
