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
		c.Generated = generatedText(s, c.Generated, tokens)
	}
	return nil
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

// arithmetic tells whether token i is an operand.
func arithmetic(tokens []parser.Token, i int) bool {
	operator := func(t parser.Token) bool { return t.Kind == parser.Symbol && strings.Contains("+-*/%", t.Text) }
	return operator(tokens[i+1]) || i > 0 && operator(tokens[i-1])
}
