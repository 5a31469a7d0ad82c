package schema

import (
	"regexp"
	"strings"
)

// The statements that binlogs carry are texts printed by the source's FE. They
// are rewritten here for the destination (doris-sql.md 2.12 and 3.7).

// QuotedName matches one backticked identifier; a doubled backtick is part of it.
const QuotedName = "`(?:[^`]|``)+`"

var (
	// CreateHead matches the beginning of a CREATE up to the name.
	CreateHead = regexp.MustCompile(`(?is)^\s*CREATE\s+(TABLE|VIEW|EXTERNAL\s+TABLE)\s+(IF\s+NOT\s+EXISTS\s+)?(` + QuotedName + `)`)
	// LiteralRuns are the multi-column bounds that some versions print without
	// the comma between them.
	LiteralRuns = strings.NewReplacer(
		"MAXVALUEMAXVALUE", "MAXVALUE, MAXVALUE",
		"NULLMAXVALUE", "NULL, MAXVALUE",
		"MAXVALUENULL", "MAXVALUE, NULL",
		"NULLNULL", "NULL, NULL",
	)
)

// splitProperties cuts a CREATE TABLE text before its table properties, which
// begin on a line of their own.
func splitProperties(sql string) (body, properties string) {
	if i := strings.LastIndex(sql, "\nPROPERTIES"); i >= 0 {
		return sql[:i], sql[i:]
	}
	if i := strings.LastIndex(sql, "PROPERTIES ("); i >= 0 {
		return sql[:i], sql[i:]
	}
	return sql, ""
}

// Unquote removes the backquotes of a name.
func Unquote(name string) string {
	if len(name) >= 2 && name[0] == '`' && name[len(name)-1] == '`' {
		return strings.ReplaceAll(name[1:len(name)-1], "``", "`")
	}
	return name
}
