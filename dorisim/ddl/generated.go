package ddl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// integerDigits is the precision of the decimal that an integer is cast to.
var integerDigits = map[types.Kind]int{types.TinyInt: 3, types.SmallInt: 5, types.Int: 10, types.BigInt: 20, types.LargeInt: 38}

// normaliseGenerated writes the expressions of generated columns as Doris prints
// them: names quoted, and integers that meet a decimal cast (doris-sql.md 3.2).
func normaliseGenerated(s *types.Schema) error {
	for i := range s.Columns {
		c := &s.Columns[i]
		if c.Generated == "" {
			continue
		}
		tokens, err := parser.Lex(c.Generated)
		if err != nil {
			return core.Errorf("%s", err.Error())
		}
		if err := checkGenerated(s, i, tokens); err != nil {
			return err
		}
		if c.Generated, err = spacedOperators(generatedText(s, c.Generated, tokens)); err != nil {
			return err
		}
	}
	return nil
}

// checkGenerated refuses expressions that are not functions of the row alone.
func checkGenerated(s *types.Schema, column int, tokens []parser.Token) error {
	c := &s.Columns[column]
	if s.Keys == types.AggKeys && !c.Key && !strings.HasPrefix(string(c.Agg), "REPLACE") {
		return core.Errorf("The generated columns can be key columns, or value columns of replace and replace_if_not_null aggregation type.")
	}
	for i, t := range tokens {
		next := tokens[min(i+1, len(tokens)-1)]
		switch {
		case t.IsSymbol("@"), t.IsSymbol("@@"):
			return core.Errorf("Generated column expression cannot contain variable.")
		case t.Is("SELECT"):
			return core.Errorf("Generated column does not support subquery.")
		case isName(t) && next.IsSymbol("(") && slices.ContainsFunc(aggregateFunctions, t.Is):
			return core.Errorf("Expression of generated column '%s' contains a disallowed function:'%s'", c.Name, strings.ToLower(t.Text))
		case t.Kind == parser.QuotedIdent && s.ColumnIndex(t.Text) < 0:
			return core.Errorf("Unknown column '%s' in 'generated column function'", t.Text)
		case isOperandName(tokens, i) && s.ColumnIndex(t.Text) < 0:
			return core.Errorf("Unknown column '%s' in 'generated column function'", t.Text)
		}
	}
	for _, at := range references(s, tokens) {
		switch used := &s.Columns[at]; {
		case used.AutoInc:
			return core.Errorf("Generated column '%s' cannot refer to auto-increment column.", c.Name)
		case used.Generated != "" && at >= column:
			return core.Errorf("Generated column can refer only to generated columns defined prior to it.")
		}
	}
	return nil
}

// aggregateFunctions are those that people try; Doris refuses all of its own.
var aggregateFunctions = []string{"SUM", "COUNT", "MIN", "MAX", "AVG", "RANK", "ROW_NUMBER", "GROUPING", "BITMAP_UNION", "HLL_UNION"}

// isOperandName tells whether a bare word stands alone between parentheses, commas
// and operators, so that it can only be a column.
func isOperandName(tokens []parser.Token, i int) bool {
	if t := tokens[i]; t.Kind != parser.Word || slices.ContainsFunc([]string{"NULL", "TRUE", "FALSE", "CURRENT_TIMESTAMP", "CURRENT_DATE"}, t.Is) {
		return false
	}
	edge := func(t parser.Token, parenthesis string) bool {
		return t.Kind == parser.EOF || t.Kind == parser.Symbol && (t.Text == parenthesis || t.Text == "," || strings.Contains("+-*/%", t.Text))
	}
	before := i == 0 || edge(tokens[i-1], "(")
	return before && (i+1 == len(tokens) || edge(tokens[i+1], ")"))
}

// references are the columns that an expression mentions, by position.
func references(s *types.Schema, tokens []parser.Token) []int {
	var list []int
	for i, t := range tokens {
		if !isName(t) || i+1 < len(tokens) && tokens[i+1].IsSymbol("(") {
			continue
		}
		if at := s.ColumnIndex(t.Text); at >= 0 && !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return list
}

// GeneratedFrom lists the columns that a generated column is made of.
func GeneratedFrom(s *types.Schema, c *types.Column) []string {
	tokens, err := parser.Lex(c.Generated)
	if err != nil {
		return nil
	}
	var names []string
	for _, at := range references(s, tokens) {
		names = append(names, s.Columns[at].Name)
	}
	return names
}

// dependents are the generated columns that need a column.
func dependents(s *types.Schema, name string) []string {
	var list []string
	for i := range s.Columns {
		if c := &s.Columns[i]; c.Generated != "" && slices.Contains(GeneratedFrom(s, c), name) {
			list = append(list, c.Name)
		}
	}
	return list
}

func generatedText(s *types.Schema, text string, tokens []parser.Token) string {
	columnAt := func(i int) *types.Column {
		if i < 0 || !isName(tokens[i]) || tokens[i+1].IsSymbol("(") {
			return nil
		}
		if at := s.ColumnIndex(tokens[i].Text); at >= 0 {
			return &s.Columns[at]
		}
		return nil
	}
	decimal := slices.ContainsFunc(tokens, func(t parser.Token) bool {
		at := s.ColumnIndex(t.Text)
		return isName(t) && at >= 0 && s.Columns[at].Type.Kind == types.Decimal
	})
	var out strings.Builder
	last := 0
	for i, t := range tokens {
		c := columnAt(i)
		if c == nil {
			continue
		}
		shown := parser.QuoteIdent(c.Name)
		if digits := integerDigits[c.Type.Kind]; decimal && digits > 0 && arithmetic(tokens, i) {
			shown = fmt.Sprintf("CAST(%s AS decimalv3(%d,0))", shown, digits)
		}
		out.WriteString(text[last:t.Pos] + shown)
		last = t.End
	}
	return out.String() + text[last:]
}

// spacedOperators puts blanks around the operators.
func spacedOperators(text string) (string, error) {
	tokens, err := parser.Lex(text)
	if err != nil {
		return "", core.Errorf("%s", err.Error())
	}
	var out strings.Builder
	for i, t := range tokens[:len(tokens)-1] { // the last one is EOF
		between := ""
		if i > 0 {
			between = text[tokens[i-1].End:t.Pos]
			if binary(tokens, i) || binary(tokens, i-1) {
				between = " "
			}
		}
		out.WriteString(between + text[t.Pos:t.End])
	}
	return out.String(), nil
}

// binary tells whether token i is an operator between two operands.
func binary(tokens []parser.Token, i int) bool {
	if tokens[i].Kind != parser.Symbol || !strings.Contains("+-*/%", tokens[i].Text) || i == 0 {
		return false
	}
	before := tokens[i-1]
	return before.Kind != parser.Symbol || before.IsSymbol(")")
}

// arithmetic tells whether token i is an operand.
func arithmetic(tokens []parser.Token, i int) bool {
	operator := func(t parser.Token) bool { return t.Kind == parser.Symbol && strings.Contains("+-*/%", t.Text) }
	return operator(tokens[i+1]) || i > 0 && operator(tokens[i-1])
}
