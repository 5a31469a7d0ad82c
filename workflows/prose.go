package workflows

import (
	"regexp"
	"strings"
)

// The Web UI prints straight quotes as typographic ones, and two hyphens as a dash, but
// for spans of code. What people are to copy has to be in these.

// codes finds what people copy: bodies of requests, command lines, statements, options,
// names with underscores, and what is quoted.
var codes = regexp.MustCompile(strings.Join([]string{
	`\{"[^{}]*\}`,
	`\b(?:temporal|tctl|curl|ccr) [a-z]+(?: [a-z]+)?(?: --?[a-z][^\s,;()]*(?: [^\s,;()-][^\s,;()]*)?)+`,
	"\\b(?:ALTER|SHOW|CANCEL|RECOVER|ADMIN|GRANT|CREATE|DROP|SET|SELECT)(?: (?:[A-Z]+\\b|`[^`]+`(?:\\.`[^`]+`)*|[a-z]\\b|=|[(][^()]*[)]))+",
	`(?:^|\B)--[a-z][a-z0-9-]+`,
	`\b[a-zA-Z0-9]+(?:[_.][a-zA-Z0-9]+)*_[a-zA-Z0-9_]*(?: ?= ?(?:"[^"]*"|\w+))?`,
	`"[^"]*"`,
}, "|"))

// prose makes text from outside safe for a paragraph of Markdown, with code in spans.
func prose(text string) string {
	var b strings.Builder
	from := 0
	for _, at := range codes.FindAllStringIndex(text, -1) {
		b.WriteString(markdown.Replace(text[from:at[0]]))
		b.WriteString(code(text[at[0]:at[1]]))
		from = at[1]
	}
	b.WriteString(markdown.Replace(text[from:]))
	return b.String()
}

// code makes a span of code.
func code(text string) string {
	if !strings.Contains(text, "`") {
		return "`" + text + "`"
	}
	fence := "``"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + " " + text + " " + fence
}
