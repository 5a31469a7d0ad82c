package parser

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// DefaultVarcharLen is the length of a VARCHAR written without one.
const DefaultVarcharLen = 65533

// maxTypeDepth limits nested complex types; Doris allows 9.
const maxTypeDepth = 9

// plainTypes are the types without arguments; a display width is accepted and
// forgotten.
var plainTypes = map[string]types.Kind{
	"BOOLEAN": types.Boolean, "BOOL": types.Boolean,
	"TINYINT": types.TinyInt, "SMALLINT": types.SmallInt,
	"INT": types.Int, "INTEGER": types.Int, "BIGINT": types.BigInt, "LARGEINT": types.LargeInt,
	"FLOAT": types.Float, "DOUBLE": types.Double,
	"DATE": types.Date, "DATEV1": types.Date, "DATEV2": types.Date,
	"STRING": types.String, "TEXT": types.String, "IPV4": types.IPv4, "IPV6": types.IPv6,
	"JSON": types.JSON, "JSONB": types.JSON,
	"HLL": types.HLL, "BITMAP": types.Bitmap, "QUANTILE_STATE": types.QuantileState,
}

// typeSpelling is the reverse for FormatType.
var typeSpelling = map[types.Kind]string{
	types.Boolean: "boolean", types.TinyInt: "tinyint", types.SmallInt: "smallint",
	types.Int: "int", types.BigInt: "bigint", types.LargeInt: "largeint",
	types.Float: "float", types.Double: "double", types.Date: "date", types.String: "text",
	types.JSON: "json", types.Variant: "variant", types.HLL: "hll", types.Bitmap: "bitmap",
	types.QuantileState: "quantile_state", types.IPv4: "ipv4", types.IPv6: "ipv6",
	types.Array: "array", types.Map: "map", types.Struct: "struct", types.AggState: "agg_state",
}

// FormatType spells a type as SHOW CREATE TABLE does (doris-sql.md 3.2):
// lower case, without V2 and V3.
func FormatType(t types.Type) string {
	switch t.Kind {
	case types.Char:
		return "char(" + strconv.Itoa(t.Len) + ")"
	case types.Varchar:
		return "varchar(" + strconv.Itoa(t.Len) + ")"
	case types.Decimal:
		return "decimal(" + strconv.Itoa(t.Precision) + "," + strconv.Itoa(t.Scale) + ")"
	case types.DateTime:
		if t.Scale == 0 {
			return "datetime"
		}
		return "datetime(" + strconv.Itoa(t.Scale) + ")"
	}
	return typeSpelling[t.Kind] + t.Text
}

// ParseType reads a type, e.g. "array<varchar(10)>".
func ParseType(text string) (types.Type, error) {
	tokens, err := Lex(text)
	if err != nil {
		return types.Type{}, err
	}
	p := &parser{src: text, tokens: tokens}
	t := p.parseType(0)
	if p.err == nil && p.peek().Kind != EOF {
		p.mismatch("<EOF>")
	}
	return t, p.err
}

func (p *parser) parseType(depth int) types.Type {
	if depth > maxTypeDepth {
		p.failf("type is nested deeper than %d levels", maxTypeDepth)
		return types.Type{}
	}
	at := p.peek()
	name := strings.ToUpper(p.ident())
	if kind, ok := plainTypes[name]; ok {
		if p.symbol("(") { // int(11)
			p.integer()
			p.expectSymbol(")")
		}
		return types.Type{Kind: kind}
	}
	switch name {
	case "CHAR", "CHARACTER":
		return types.Type{Kind: types.Char, Len: p.typeLength(1, 255)}
	case "VARCHAR":
		return types.Type{Kind: types.Varchar, Len: p.typeLength(DefaultVarcharLen, DefaultVarcharLen)}
	case "DATETIME", "DATETIMEV1", "DATETIMEV2":
		return types.Type{Kind: types.DateTime, Scale: p.datetimeScale()}
	case "DECIMAL", "DECIMALV2", "DECIMALV3", "NUMERIC":
		return p.decimal()
	case "ARRAY":
		return types.Type{Kind: types.Array, Text: p.typeArguments(depth, 1)}
	case "MAP":
		return types.Type{Kind: types.Map, Text: p.typeArguments(depth, 2)}
	case "STRUCT":
		return types.Type{Kind: types.Struct, Text: p.structFields(depth)}
	case "VARIANT":
		return types.Type{Kind: types.Variant, Text: p.variantTemplate(depth)}
	case "AGG_STATE":
		return types.Type{Kind: types.AggState, Text: p.aggState()}
	}
	if p.err == nil {
		p.stop(syntaxError(p.src, at.Pos, "no viable alternative at input '"+p.text(at)+"', unknown type"))
	}
	return types.Type{}
}

func (p *parser) typeLength(def, limit int) int {
	if !p.symbol("(") {
		return def
	}
	if p.symbol("*") {
		p.expectSymbol(")")
		return limit
	}
	n := p.integer()
	p.expectSymbol(")")
	if p.err == nil && (n < 1 || n > int64(limit)) {
		p.failf("type length must be between 1 and %d, but was %d", limit, n)
		return def
	}
	return int(n)
}

func (p *parser) datetimeScale() int {
	if !p.symbol("(") {
		return 0
	}
	n := p.integer()
	p.expectSymbol(")")
	if p.err == nil && n > 6 {
		p.failf("scale of DATETIME must be between 0 and 6, but was %d", n)
	}
	return int(n)
}

func (p *parser) decimal() types.Type {
	t := types.Type{Kind: types.Decimal, Precision: 38, Scale: 9}
	if !p.symbol("(") {
		return t
	}
	precision, scale := p.integer(), int64(0)
	if p.symbol(",") {
		scale = p.integer()
	}
	p.expectSymbol(")")
	if p.err == nil && (precision < 1 || precision > 76 || scale > precision) {
		p.failf("wrong precision or scale of DECIMAL(%d, %d)", precision, scale)
	}
	t.Precision, t.Scale = int(precision), int(scale)
	return t
}

func (p *parser) typeArguments(depth, count int) string {
	p.expectSymbol("<")
	var args []string
	for i := range count {
		if i > 0 {
			p.expectSymbol(",")
		}
		args = append(args, FormatType(p.parseType(depth+1)))
	}
	p.expectSymbol(">")
	return "<" + strings.Join(args, ",") + ">"
}

func (p *parser) structFields(depth int) string {
	p.expectSymbol("<")
	var fields []string
	for p.err == nil {
		field := p.ident()
		p.symbol(":")
		fields = append(fields, field+":"+FormatType(p.parseType(depth+1)))
		p.optionalComment()
		if !p.symbol(",") {
			break
		}
	}
	p.expectSymbol(">")
	return "<" + strings.Join(fields, ",") + ">"
}

// variantTemplate reads [<[MATCH_NAME] 'path':type [COMMENT 'x'], ... [PROPERTIES
// (..)]>] and returns it as SHOW CREATE TABLE prints it. A path is a pattern unless
// MATCH_NAME says otherwise.
func (p *parser) variantTemplate(depth int) string {
	if !p.symbol("<") {
		return ""
	}
	var items []string
	for p.err == nil {
		if p.peek().Is("PROPERTIES") {
			var props []string
			given := p.optionalProperties()
			for _, key := range slices.Sorted(maps.Keys(given)) {
				props = append(props, strconv.Quote(key)+" = "+strconv.Quote(given[key]))
			}
			items = append(items, "PROPERTIES ("+strings.Join(props, ",")+")")
			break
		}
		item := ""
		if p.keyword("MATCH_NAME") {
			item = "MATCH_NAME "
		} else {
			p.keyword("MATCH_NAME_GLOB")
		}
		item += "'" + p.str() + "'"
		p.expectSymbol(":")
		item += ":" + FormatType(p.parseType(depth+1))
		if comment, _ := p.optionalComment(); comment != "" {
			item += " COMMENT '" + comment + "'"
		}
		items = append(items, item)
		if !p.symbol(",") {
			break
		}
	}
	p.expectSymbol(">")
	return "<" + strings.Join(items, ",") + ">"
}

// aggState reads <function(type [NULL|NOT NULL], ...)>.
func (p *parser) aggState() string {
	p.expectSymbol("<")
	text := "<" + strings.ToLower(p.ident()) + "("
	first := true
	p.list(func() {
		if !first {
			text += ","
		}
		first = false
		text += FormatType(p.parseType(1))
		switch {
		case p.keyword("NOT", "NULL"):
			text += " not null"
		case p.keyword("NULL"):
			text += " null"
		}
	})
	p.expectSymbol(">")
	return text + ")>"
}
