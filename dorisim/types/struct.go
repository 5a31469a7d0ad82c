package types

import (
	"encoding/json"
	"strings"
)

// StructField is a field of a STRUCT type: its name and its type's text.
type StructField struct{ Name, Type string }

// StructFields splits the text of a STRUCT type, "<a:int,b:text>".
func StructFields(t Type) []StructField {
	var fields []StructField
	inner := strings.TrimSuffix(strings.TrimPrefix(t.Text, "<"), ">")
	depth, start := 0, 0
	for i := 0; i <= len(inner); i++ {
		if i < len(inner) {
			switch inner[i] {
			case '<', '(':
				depth++
			case '>', ')':
				depth--
			}
			if inner[i] != ',' || depth > 0 {
				continue
			}
		}
		if name, kind, ok := strings.Cut(inner[start:i], ":"); ok {
			fields = append(fields, StructField{name, kind})
		}
		start = i + 1
	}
	return fields
}

// parseStruct brings an object of JSON into the form that Doris prints: all
// fields of the type in their order, NULL where the object has none. A field
// that the type does not have is an error.
func parseStruct(text string, t Type) (Value, error) {
	var given map[string]json.RawMessage
	decoder := json.NewDecoder(strings.NewReader(text))
	if decoder.Decode(&given) != nil || decoder.More() {
		return nil, ErrSyntax
	}
	var out strings.Builder
	out.WriteByte('{')
	found := 0
	for i, f := range StructFields(t) {
		if i > 0 {
			out.WriteString(", ")
		}
		value, ok := given[f.Name]
		if ok {
			found++
		} else {
			value = json.RawMessage("null")
		}
		out.WriteString(`"` + f.Name + `":` + string(value))
	}
	if found != len(given) {
		return nil, ErrSyntax
	}
	return out.String() + "}", nil
}

// Widened is a stored STRUCT as the type has it now: fields that were added
// later are NULL. Other values stay as they are.
func Widened(v Value, t Type) Value {
	text, ok := v.(string)
	if !ok || t.Kind != Struct {
		return v
	}
	if wide, err := parseStruct(text, t); err == nil {
		return wide
	}
	return v
}
