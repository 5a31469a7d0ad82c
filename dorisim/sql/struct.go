package sql

import (
	"encoding/json"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// structConstant turns a literal STRUCT, named_struct('a', 1), struct(1) or
// {1, 'x'}, into an object of JSON. What has anything but literals in it is kept
// as its text.
func structConstant(expression string, t types.Type) string {
	c, err := newCursor(expression)
	if err != nil {
		return expression
	}
	named := c.keyword("NAMED_STRUCT")
	if !named && !c.keyword("STRUCT") && !c.keyword("ROW") && !c.peek().IsSymbol("{") {
		return expression
	}
	if !c.symbol("(") && !c.symbol("{") {
		return expression
	}
	cells, ok := literals(c)
	if !ok {
		return expression
	}
	fields := types.StructFields(t)
	var names []string
	for i, f := range fields {
		names = append(names, f.Name)
		if named && 2*i < len(cells) {
			name, isText := cells[2*i].(string)
			if !isText {
				return expression
			}
			names[i] = name
		}
	}
	if named {
		for i := range len(cells) / 2 {
			cells[i] = cells[2*i+1]
		}
		cells = cells[:len(cells)/2]
	}
	if len(cells) != len(fields) {
		return expression
	}
	var items []string
	for i, cell := range cells {
		name, _ := json.Marshal(names[i]) // a text
		value, err := json.Marshal(cell)
		if err != nil {
			return expression
		}
		items = append(items, string(name)+":"+string(value))
	}
	return "{" + strings.Join(items, ",") + "}"
}

// literals reads literals separated by commas up to the end of the list.
func literals(c *cursor) ([]types.Value, bool) {
	var list []types.Value
	for {
		v, ok := literalValue(c.peek())
		if _, isDefault := v.(useDefault); !ok || isDefault {
			return nil, false
		}
		if c.next().Kind == parser.Number {
			if text, isText := v.(string); isText {
				v = json.Number(text)
			}
		}
		list = append(list, v)
		if c.symbol(",") {
			continue
		}
		if !c.symbol(")") && !c.symbol("}") {
			return nil, false
		}
		return list, c.end()
	}
}
