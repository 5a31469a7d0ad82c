package sql

import (
	"fmt"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// bind puts the values v1, v2, ... of a prepared statement into its text as
// literals.
func bind(text string, vars map[string]*querypb.BindVariable) (string, error) {
	tokens, err := parser.Lex(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	last, n := 0, 0
	for _, t := range tokens {
		if !t.IsSymbol("?") {
			continue
		}
		n++
		v, ok := vars[fmt.Sprintf("v%d", n)]
		if !ok || v == nil {
			return "", core.Errorf("parameter %d of the prepared statement has no value", n)
		}
		out.WriteString(text[last:t.Pos])
		out.WriteString(literal(v))
		last = t.End
	}
	out.WriteString(text[last:])
	return out.String(), nil
}

func literal(v *querypb.BindVariable) string {
	switch {
	case v.Type == sqltypes.Null:
		return "NULL"
	case sqltypes.IsIntegral(v.Type), sqltypes.IsFloat(v.Type):
		return string(v.Value)
	default:
		return quoteString(string(v.Value))
	}
}

var stringEscapes = strings.NewReplacer("\\", "\\\\", "'", "\\'", "\x00", "\\0", "\n", "\\n", "\r", "\\r", "\x1a", "\\Z")

// quoteString is text as a string literal.
func quoteString(text string) string { return "'" + stringEscapes.Replace(text) + "'" }

// quoteName is text as a quoted identifier.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
