package schema

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// ViewText is a CREATE VIEW text cut into its parts.
type ViewText struct {
	columns string // the list with its parentheses, in versions that print it
	comment string // as printed, that is not escaped
	Query   string
	// Doubtful: the comment has characters that may end it, or may not; what is
	// comment and what is query is a guess.
	Doubtful bool
}

// afterComment is what ends a view's comment: the query begins.
var afterComment = regexp.MustCompile(`(?i)' AS (?:SELECT\b|WITH\b|\(|VALUES\b|/\*)`)

// SplitView cuts a CREATE VIEW text. Doris prints the comment as it is, so that a
// quote in it may seem to end it (doris-sql.md 3.4).
func SplitView(text string) (ViewText, error) {
	head := CreateHead.FindStringIndex(text)
	if head == nil {
		return ViewText{}, fmt.Errorf("the CREATE statement begins unexpectedly: %.80q", text)
	}
	rest := strings.TrimRight(strings.TrimSpace(text[head[1]:]), "; \n")
	var v ViewText
	if strings.HasPrefix(rest, "(") {
		n := closing(rest)
		v.columns, rest = rest[:n], strings.TrimSpace(rest[n:])
		v.Doubtful = strings.Contains(v.columns, "COMMENT") // not escaped either
	}
	if inner, ok := strings.CutPrefix(rest, "COMMENT '"); ok {
		if ends := afterComment.FindAllStringIndex(inner, -1); len(ends) > 0 {
			end := ends[len(ends)-1][0]
			v.comment, v.Query = inner[:end], inner[end+len("' AS "):]
			v.Doubtful = v.Doubtful || len(ends) > 1 || strings.ContainsAny(v.comment, `'"\`)
			return v, nil
		}
	} else if query, ok := cutFold(rest, "AS "); ok {
		v.Query = query
		return v, nil
	}
	return ViewText{}, fmt.Errorf("the CREATE VIEW text has no query: %.80q", text)
}

func cutFold(text, prefix string) (rest string, ok bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return text, false
	}
	return text[len(prefix):], true
}

// Create is the statement that makes the view, called name with its database.
func (v ViewText) Create(name string) string {
	statement := "CREATE VIEW " + name
	if v.columns != "" {
		statement += " " + v.columns
	}
	if v.comment != "" {
		statement += " COMMENT " + sqlclient.QuoteString(v.comment)
	}
	return statement + " AS " + v.Query
}

// normalQuery is a query without the name of the database that it qualifies
// names with, and without needless blanks.
func normalQuery(query, database string) string {
	query = strings.TrimRight(strings.TrimSpace(query), "; \n")
	inside := strings.ReplaceAll(database, "`", "``")
	var b strings.Builder
	for _, piece := range Pieces(query) {
		if piece.Literal {
			b.WriteString(piece.Text)
			continue
		}
		text := strings.NewReplacer("`internal`.`"+inside+"`.", "", "`default_cluster:"+inside+"`.", "", "`"+inside+"`.", "").Replace(piece.Text)
		blank := false
		for _, r := range text {
			if unicode.IsSpace(r) {
				blank = true
				continue
			}
			if blank {
				b.WriteByte(' ')
			}
			blank = false
			b.WriteRune(r)
		}
		if blank {
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}

// Piece is a part of a statement: a string literal or comment, or what is
// between two of them.
type Piece struct {
	Text    string
	Literal bool
}

// Pieces cuts a statement so that names can be replaced in it without
// touching its texts. Names in backticks are no texts.
func Pieces(statement string) []Piece {
	var pieces []Piece
	start := 0
	for i := 0; i < len(statement); {
		switch c := statement[i]; {
		case c == '\'' || c == '"':
			end := literalEnd(statement, i)
			pieces = append(pieces, Piece{Text: statement[start:i]}, Piece{Text: statement[i:end], Literal: true})
			i, start = end, end
		case c == '`':
			if n := strings.IndexByte(statement[i+1:], '`'); n >= 0 {
				i += n + 2
			} else {
				i = len(statement)
			}
		default:
			i++
		}
	}
	return append(pieces, Piece{Text: statement[start:]})
}

// literalEnd is the end of the string literal that begins at i: its quote may be
// doubled or escaped in it.
func literalEnd(statement string, i int) int {
	quote := statement[i]
	for j := i + 1; j < len(statement); j++ {
		switch {
		case statement[j] == '\\':
			j++
		case statement[j] == quote && j+1 < len(statement) && statement[j+1] == quote:
			j++
		case statement[j] == quote:
			return j + 1
		}
	}
	return len(statement)
}
