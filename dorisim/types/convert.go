package types

// Convert turns a value of one type into one of another, as a schema change
// does: through its text. Errors are *ParseError.
func Convert(v Value, from, to Type) (Value, error) {
	if v == nil || from == to {
		return v, nil
	}
	text := Format(v, from)
	switch {
	case from.Kind == DateTime && to.Kind == Date && len(text) > len("2006-01-02"):
		text = text[:len("2006-01-02")]
	case from.Kind == Date && to.Kind == DateTime:
		text += " 00:00:00"
	}
	return Parse(text, to)
}
