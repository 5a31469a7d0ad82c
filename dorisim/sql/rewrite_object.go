package sql

import "github.com/doris-ccr/ccr/dorisim/sql/query"

// objectAggregate turns an aggregate function that MySQL does not have, f(a), into a
// scalar one over the array of all its arguments.
func (r *rewriter) objectAggregate(fold, argument string) error {
	c := r.c
	first := c.pos == 0 || c.tokens[c.pos-1].Is("SELECT") || c.tokens[c.pos-1].IsSymbol(",")
	start := c.next().Pos
	c.next() // (
	open, closing := query.Fold(fold)+"(json_arrayagg(", "))"
	if argument != "" {
		open, closing = open+argument+"(", closing+")"
	}
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
	label := c.src[start:c.tokens[c.pos-1].End]
	if next := c.peek(); first && r.depth == 0 && !r.from && (c.end() || next.IsSymbol(",") || next.Is("FROM")) {
		closing += " AS " + quoteName(label)
	}
	r.replace(closing)
	return nil
}
