package sql

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/ddl"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// maxExpansions bounds the calls of alias functions in one statement, those in
// the expressions of other alias functions included.
const maxExpansions = 100

// missingConfig is a switch of the simulator, no FE config of Doris: names,
// separated by commas, of functions that the imitated version does not have yet,
// as 2.0 has no xxhash_64 (doris-sql.md 5.9).
const missingConfig = "dorisim_missing_functions"

// lacks tells whether the imitated version has no function of that name.
func (s *session) lacks(name string) bool {
	list := s.server.core.FEConfig(missingConfig)
	return list != "" && slices.ContainsFunc(strings.Split(list, ","), func(missing string) bool { return strings.EqualFold(strings.TrimSpace(missing), name) })
}

// expandFunctions puts the expressions of ALIAS functions, as database sees
// them, in the place of their calls.
func (s *session) expandFunctions(database string, c *cursor) (*cursor, error) {
	if !s.server.cfg.DDL.HasFunctions() {
		return c, nil
	}
	for range maxExpansions {
		text, ok, err := s.expandOne(database, c)
		if err != nil || !ok {
			return c, err
		}
		if c, err = newCursor(text); err != nil {
			return nil, asRefusal(err)
		}
	}
	return nil, core.Errorf("alias functions are nested more than %d times", maxExpansions)
}

// expandOne replaces the first call; ok is false if there is none.
func (s *session) expandOne(database string, c *cursor) (text string, ok bool, err error) {
	for i := c.pos; i+1 < len(c.tokens); i++ {
		name := c.tokens[i]
		if name.Kind != parser.Word && name.Kind != parser.QuotedIdent || !c.tokens[i+1].IsSymbol("(") {
			continue
		}
		home, first := database, i
		if i >= 2 && c.tokens[i-1].IsSymbol(".") {
			home, first = c.tokens[i-2].Text, i-2
		} else if ddl.IsBuiltin(name.Text) {
			continue
		}
		f, known := s.server.cfg.DDL.Function(home, name.Text)
		if !known {
			continue
		}
		if f.Class != "ALIAS" {
			return "", false, core.Errorf("dorisim does not evaluate the function %s: it has no code", f.Signature())
		}
		arguments, end := c.arguments(i + 1)
		if len(arguments) != len(f.Parameters) {
			return "", false, core.Errorf("Can not found function '%s' which has %d arity. Candidate functions are: [%s]", name.Text, len(arguments), f.Signature())
		}
		body, err := substitute(f, arguments)
		if err != nil {
			return "", false, err
		}
		return c.src[c.peek().Pos:c.tokens[first].Pos] + "(" + body + ")" + c.src[end:], true, nil
	}
	return "", false, nil
}

// arguments returns the texts of a call's arguments, whose parenthesis opens at
// token open, and where the call ends in the source.
func (c *cursor) arguments(open int) (texts []string, end int) {
	depth, start := 0, c.tokens[open].End
	for _, t := range c.tokens[open:] {
		end = t.End
		switch {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		case t.IsSymbol(",") && depth == 1:
			texts = append(texts, c.src[start:t.Pos])
			start = t.End
		}
		if depth == 0 {
			if last := c.src[start:t.Pos]; len(texts) > 0 || strings.TrimSpace(last) != "" {
				texts = append(texts, last)
			}
			return texts, end
		}
	}
	return texts, end
}

// substitute puts the arguments into the function's expression.
func substitute(f ddl.Object, arguments []string) (string, error) {
	tokens, err := parser.Lex(f.Returns)
	if err != nil {
		return "", asRefusal(err)
	}
	var out strings.Builder
	last := 0
	for i, t := range tokens {
		if t.Kind != parser.Word && t.Kind != parser.QuotedIdent || tokens[i+1].IsSymbol("(") {
			continue
		}
		for n, name := range f.Parameters {
			if strings.EqualFold(name, t.Text) {
				out.WriteString(f.Returns[last:t.Pos] + "(" + arguments[n] + ")")
				last = t.End
			}
		}
	}
	return out.String() + f.Returns[last:], nil
}
