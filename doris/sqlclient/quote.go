package sqlclient

import "strings"

// Quote makes an identifier of any text: in backticks, inner ones doubled.
func Quote(identifier string) string {
	return "`" + strings.ReplaceAll(identifier, "`", "``") + "`"
}

// Name returns the quoted full name of a table.
func Name(database, table string) string { return Quote(database) + "." + Quote(table) }

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`)

// QuoteString makes a string literal of any text, in double quotes (doris-sql.md
// 1.5).
func QuoteString(s string) string { return `"` + escaper.Replace(s) + `"` }

// quoteLike makes the single-quoted literal that LIKE takes. The pattern's
// wildcards stay: results must be compared with what was wanted.
func quoteLike(pattern string) string { return "'" + escaper.Replace(pattern) + "'" }
