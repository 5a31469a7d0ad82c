package sql

import (
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/parser"
)

// isPath tells whether column["key"] or column[1] comes next: a part of a
// VARIANT, JSON, ARRAY or MAP value.
func (r *rewriter) isPath() bool {
	i, ok := r.afterName()
	if !ok || !r.c.peekAt(i).IsSymbol("[") || r.c.peekAt(i).Pos != r.c.peekAt(i-1).End {
		return false
	}
	k := r.c.peekAt(i + 1).Kind
	return (k == parser.String || k == parser.Number) && r.c.peekAt(i+2).IsSymbol("]")
}

// afterName is how many tokens the qualified name that comes next has.
func (r *rewriter) afterName() (int, bool) {
	isName := func(i int) bool {
		k := r.c.peekAt(i).Kind
		return k == parser.Word || k == parser.QuotedIdent
	}
	if !isName(0) {
		return 0, false
	}
	n := 1
	for r.c.peekAt(n).IsSymbol(".") && isName(n+1) {
		n += 2
	}
	return n, true
}

// path turns column["a"][2] into a JSON path; Doris counts elements from 1.
func (r *rewriter) path() error {
	n, _ := r.afterName()
	start := r.c.peek().Pos
	r.gap(start)
	column := r.c.src[start:r.c.peekAt(n-1).End]
	r.c.pos += n
	path := "$"
	for r.c.peek().IsSymbol("[") && r.c.peekAt(2).IsSymbol("]") {
		switch t := r.c.peekAt(1); t.Kind {
		case parser.String:
			path += `."` + strings.ReplaceAll(strings.ReplaceAll(t.Text, `\`, `\\`), `"`, `\"`) + `"`
		default:
			at, err := strconv.Atoi(t.Text)
			if err != nil || at < 1 {
				return errSyntax(t.Text)
			}
			path += "[" + strconv.Itoa(at-1) + "]"
		}
		r.c.pos += 3
	}
	r.replace("JSON_UNQUOTE(JSON_EXTRACT(" + column + ", " + quoteString(path) + "))")
	return nil
}
