package sqlclient

import (
	"errors"
	"fmt"
	"strings"
)

// ErrSeveralStatements: the text is, or may be, more than one statement. Doris executes all of
// them, whether or not the client has asked for that (doris-sql.md 1.5). Statements are made of
// texts that the source printed, and not everything that it prints is escaped: whoever may name
// a partition's values there must not be able to execute what they like on the destination.
var ErrSeveralStatements = errors.New("the text may be several statements")

// CheckSingle returns ErrSeveralStatements unless a text is one statement for certain. What is a
// comment to one server may be none to another: with a comment in it no semicolon is certain.
func CheckSingle(statement string) error {
	text := strings.TrimRight(statement, "; \t\r\n")
	outside := outsideQuotes(text)
	comments := strings.Contains(outside, "--") || strings.Contains(outside, "/*") || strings.Contains(outside, "#")
	if strings.Contains(outside, ";") || comments && strings.Contains(text, ";") {
		return fmt.Errorf("not sent: %w: %.200q", ErrSeveralStatements, statement)
	}
	return nil
}

// outsideQuotes is a text without its string literals and quoted names, for which a blank stands.
func outsideQuotes(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		quote := text[i]
		if quote != '\'' && quote != '"' && quote != '`' {
			b.WriteByte(quote)
			continue
		}
		b.WriteByte(' ')
		for i++; i < len(text) && text[i] != quote; i++ {
			if text[i] == '\\' && quote != '`' {
				i++
			}
		}
	}
	return b.String()
}
