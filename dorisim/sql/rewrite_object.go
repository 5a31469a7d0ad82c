package sql

import (
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/sql/query"
)

// objectAggregate turns an aggregate function that MySQL does not have, f(a), into a
// scalar one over the array of all its arguments.
func (r *rewriter) objectAggregate(fold, argument string) error {
	open, closing := query.Fold(fold)+"(json_arrayagg(", "))"
	if argument != "" {
		open, closing = open+argument+"(", closing+")"
	}
	return r.call(open, closing)
}

// call turns f(a) into open a closing; as a column of the result it keeps its
// label.
func (r *rewriter) call(open, closing string) error {
	c := r.c
	first := r.atItem()
	start := c.next().Pos
	c.next() // (
	r.replace(open)
	r.depth++
	for outer := r.depth; !c.end(); {
		if c.peek().IsSymbol(")") && r.depth == outer {
			break
		}
		if err := r.step(); err != nil {
			return err
		}
	}
	if !c.symbol(")") {
		return c.mismatch()
	}
	r.depth--
	r.replace(closing + r.label(first, start))
	return nil
}

// atItem tells whether a column of a result may begin at the next token.
func (r *rewriter) atItem() bool {
	return r.c.pos == 0 || r.c.tokens[r.c.pos-1].Is("SELECT") || r.c.tokens[r.c.pos-1].IsSymbol(",")
}

// label names a column of the outermost SELECT, whose source begins at start and
// has just been consumed, after its source. It has no label if first is false, or
// if it goes on.
func (r *rewriter) label(first bool, start int) string {
	next := r.c.peek()
	if !first || r.depth > 0 || r.from || !r.c.end() && !next.IsSymbol(",") && !next.Is("FROM") {
		return ""
	}
	return " AS " + quoteName(r.c.src[start:r.c.tokens[r.c.pos-1].End])
}

// isWindowCall tells whether the call that comes next is one over a window.
func (c *cursor) isWindowCall() bool {
	depth := 0
	for i := 1; c.peekAt(i).Kind != parser.EOF; i++ {
		switch t := c.peekAt(i); {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		}
		if depth == 0 {
			return c.peekAt(i + 1).Is("OVER")
		}
	}
	return false
}

// castsToText tells whether a type is a text to Doris.
func castsToText(t parser.Token) bool {
	return t.Is("STRING") || t.Is("TEXT") || t.Is("VARCHAR") || t.Is("CHAR")
}

// castToText makes a call of what began as a CAST at begin of the output and at
// start of the source, when its AS comes next.
func (r *rewriter) castToText(begin, start int, first bool) error {
	c := r.c
	c.next()
	c.next()
	if c.symbol("(") { // a length would cut
		c.next()
		c.symbol(")")
	}
	if !c.symbol(")") {
		return c.mismatch()
	}
	r.depth--
	text := r.out.String()
	r.out.Reset()
	r.out.WriteString(text[:begin] + query.Text + text[begin+len("CAST"):] + ")" + r.label(first, start))
	r.last = c.tokens[c.pos-1].End
	return nil
}
