package parser

import "strings"

// Split cuts text at the semicolons between statements: those inside strings,
// quoted identifiers and comments do not count. Empty statements are left out,
// so an empty tail after the last semicolon is ignored (doris-sql.md 1.3).
//
// Text that cannot be read to its end (a string without end) is returned as the
// last statement: Parse will say what is wrong with it.
func Split(text string) []string {
	var statements []string
	l := lexer{src: text}
	start, empty := 0, true
	cut := func(end int) {
		if !empty {
			statements = append(statements, strings.TrimSpace(text[start:end]))
		}
	}
	for {
		t, err := l.next()
		switch {
		case err != nil:
			empty = false
			cut(len(text))
			return statements
		case t.Kind == EOF:
			cut(len(text))
			return statements
		case t.IsSymbol(";"):
			cut(t.Pos)
			start, empty = t.End, true
		default:
			empty = false
		}
	}
}
