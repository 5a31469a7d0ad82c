package schema

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// ParseDefinition reads what SHOW CREATE TABLE or SHOW CREATE VIEW prints, or the
// SQL of a CREATE_TABLE binlog. database is the one that the object is in. The
// texts are not escaped (doris-sql.md 3.2, 3.4): what stands between the lines
// that every text has is taken as it is.
func ParseDefinition(text, database string) (Definition, error) {
	head := CreateHead.FindStringSubmatchIndex(text)
	if head == nil {
		return Definition{}, fmt.Errorf("the CREATE statement begins unexpectedly: %.80q", text)
	}
	if strings.EqualFold(text[head[2]:head[3]], "VIEW") {
		view, err := SplitView(text)
		if err != nil {
			return Definition{}, err
		}
		return Definition{View: true, Comment: view.comment, Query: normalQuery(view.Query, database)}, nil
	}
	return parseTable(text[head[1]:])
}

// ParseViewQuery is the definition of a view of which the SELECT and the comment
// are known.
func ParseViewQuery(query, comment, database string) Definition {
	return Definition{View: true, Comment: comment, Query: normalQuery(query, database)}
}

// TableText is a CREATE TABLE text cut into its parts, each as printed.
type TableText struct {
	Items        []string // columns and indexes
	Engine       string
	Keys         string // with the cluster key
	Comment      string // with its quotes
	Partitioning string
	Partitions   []string
	Distribution string
	Properties   string // from the line before PROPERTIES on
}

// SplitTable cuts what follows the name of a CREATE TABLE text.
func SplitTable(rest string) (TableText, error) {
	var t TableText
	open := strings.Index(rest, "(\n")
	end := strings.Index(rest, "\n) ENGINE=")
	if open < 0 || end < open {
		return t, fmt.Errorf("the CREATE TABLE text has no list of columns: %.80q", rest)
	}
	t.Items = splitItems(rest[open+2 : end])
	rest, t.Properties = splitProperties(rest[end+len("\n) ENGINE="):])
	t.Engine, rest, _ = strings.Cut(rest, "\n")
	t.Engine = strings.TrimRight(t.Engine, "; ")
	rest = "\n" + rest
	if i := strings.LastIndex(rest, "\nDISTRIBUTED BY "); i >= 0 {
		t.Distribution, rest = strings.TrimSpace(rest[i:]), rest[:i]
	}
	if i := max(strings.LastIndex(rest, "\nPARTITION BY "), strings.LastIndex(rest, "\nAUTO PARTITION BY ")); i >= 0 {
		clause, list, _ := strings.Cut(rest[i+1:], "\n")
		t.Partitioning, rest = clause, rest[:i]
		list = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(list), "("), ")")
		if strings.TrimSpace(list) != "" {
			t.Partitions = strings.Split(list, ",\nPARTITION ")
			t.Partitions[0] = strings.TrimPrefix(t.Partitions[0], "PARTITION ")
		}
	}
	if i := strings.Index(rest, "\nCOMMENT "); i >= 0 {
		t.Comment, rest = rest[i+len("\nCOMMENT "):], rest[:i]
	}
	t.Keys = strings.TrimSpace(rest)
	return t, nil
}

// splitItems cuts the list of columns and indexes: each begins on a line of its
// own, with a backtick or the word INDEX.
func splitItems(list string) []string {
	var items []string
	for line := range strings.SplitSeq(list, "\n") {
		begins := strings.HasPrefix(line, "  `") || strings.HasPrefix(line, "  INDEX ")
		if n := len(items); n > 0 && (!begins || !strings.HasSuffix(items[n-1], ",")) {
			items[n-1] += "\n" + line // a line break in a comment
			continue
		}
		items = append(items, strings.TrimPrefix(line, "  "))
	}
	for i := range len(items) - 1 {
		items[i] = strings.TrimSuffix(items[i], ",")
	}
	return items
}

func parseTable(rest string) (Definition, error) {
	t, err := SplitTable(rest)
	if err != nil {
		return Definition{}, err
	}
	d := Definition{
		Engine: t.Engine, Keys: normalList(t.Keys), Comment: UnquoteComment(t.Comment), Partitioning: normalList(t.Partitioning),
		Distribution: normalList(t.Distribution), Indexes: map[string]string{}, Partitions: map[string]string{}, Properties: map[string]string{},
	}
	for _, item := range t.Items {
		if index, ok := strings.CutPrefix(item, "INDEX "); ok {
			name, text := parseIndex(index)
			d.Indexes[name] = text
			continue
		}
		column, err := parseColumn(item)
		if err != nil {
			return Definition{}, err
		}
		d.Columns = append(d.Columns, column)
	}
	for _, p := range t.Partitions {
		name, values, _ := strings.Cut(p, " ")
		d.Partitions[Unquote(name)] = normalBounds(values)
	}
	for _, m := range propertyText.FindAllStringSubmatch(t.Properties, -1) {
		d.Properties[m[1]] = m[2]
	}
	return d, nil
}

var (
	propertyText = regexp.MustCompile(`"([^"]+)"\s*=\s*"([^"]*)"`)
	// IndexText matches an index as SHOW CREATE prints it.
	IndexText    = regexp.MustCompile("(?s)^(" + QuotedName + `|\S+) \(([^)]*)\)(?: USING (\w+))?(?: PROPERTIES\((.*?)\))?(?: COMMENT (.*))?$`)
	columnText   = regexp.MustCompile("(?s)^(" + QuotedName + ") (.*)$")
	nullability  = regexp.MustCompile(`^(?:([A-Z_]+) )??(NOT NULL|NULL)\b`)
	autoStart    = regexp.MustCompile(`^ AUTO_INCREMENT(?:\((\d+)\))?`)
	onUpdateText = regexp.MustCompile(`(?s) ON UPDATE (\S+)$`)
	bareNumber   = regexp.MustCompile(`^-?\d+(\.\d+)?([eE][-+]?\d+)?$`)
)

// parseIndex gives the name of an index and the rest in normal form. Servers do
// not print its properties in a fixed order.
func parseIndex(text string) (name, rest string) {
	m := IndexText.FindStringSubmatch(text)
	if m == nil {
		name, rest, _ = strings.Cut(text, " ")
		return Unquote(name), rest
	}
	properties := map[string]string{}
	for _, p := range propertyText.FindAllStringSubmatch(m[4], -1) {
		properties[p[1]] = p[2]
	}
	return Unquote(m[1]), fmt.Sprintf("(%s) USING %s %v COMMENT %q", normalList(m[2]), m[3], properties, UnquoteComment(m[5]))
}

// parseColumn reads a column's line.
func parseColumn(text string) (ColumnDefinition, error) {
	m := columnText.FindStringSubmatch(text)
	if m == nil {
		return ColumnDefinition{}, fmt.Errorf("a column's line begins unexpectedly: %.80q", text)
	}
	c := ColumnDefinition{Name: Unquote(m[1])}
	end := typeEnd(m[2])
	c.Type = NormalType(m[2][:end])
	rest := strings.TrimPrefix(m[2][end:], " ")
	if i := strings.Index(rest, "AS ("); i >= 0 && !strings.ContainsAny(rest[:i], "'\"") {
		n := closing(rest[i+len("AS "):])
		c.Generated = normalExpression(rest[i+len("AS ") : i+len("AS ")+n])
		rest = rest[:i] + strings.TrimPrefix(rest[i+len("AS ")+n:], " ")
	}
	if n := nullability.FindStringSubmatch(rest); n != nil {
		c.Aggregation, c.Nullable = n[1], n[2] == "NULL"
		rest = rest[len(n[0]):]
	}
	if n := autoStart.FindStringSubmatch(rest); n != nil {
		c.AutoIncrement, rest = cmp.Or(n[1], "1"), rest[len(n[0]):]
	}
	rest, c.Comment = cutComment(rest)
	if n := onUpdateText.FindStringSubmatch(rest); n != nil {
		c.OnUpdate, rest = n[1], rest[:len(rest)-len(n[0])]
	}
	if value, ok := strings.CutPrefix(rest, " DEFAULT "); ok {
		c.Default = value
		if bareNumber.MatchString(value) {
			c.Default = `"` + value + `"` // PI: printed bare, and quoted once that was replayed
		}
	}
	return c, nil
}

// cutComment cuts the comment from the end of a column's line.
func cutComment(text string) (rest, comment string) {
	for _, quote := range []string{"'", `"`} {
		if i := strings.Index(text, " COMMENT "+quote); i >= 0 && strings.HasSuffix(text, quote) && len(text) > i+len(" COMMENT "+quote) {
			return text[:i], UnquoteComment(text[i+len(" COMMENT "):])
		}
	}
	return text, ""
}

// UnquoteComment takes the quotes from a comment. Between single quotes only
// double ones are escaped, if any; between double quotes all that needs it is.
func UnquoteComment(text string) string {
	text = strings.TrimSpace(text)
	if len(text) < 2 || text[0] != text[len(text)-1] {
		return text
	}
	inner := text[1 : len(text)-1]
	if text[0] == '"' {
		return unescape(inner)
	}
	return strings.ReplaceAll(inner, `\"`, `"`)
}

// typeEnd is where the type at the start of a text ends: at the first blank that
// is not within parentheses or angle brackets.
func typeEnd(text string) int {
	depth := 0
	for i, r := range text {
		switch {
		case r == '(' || r == '<':
			depth++
		case r == ')' || r == '>':
			depth--
		case r == ' ' && depth == 0:
			return i
		}
	}
	return len(text)
}

// closing is where the parenthesis that a text begins with is closed.
func closing(text string) int {
	depth, quote := 0, rune(0)
	for i, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"' || r == '`':
			quote = r
		case r == '(':
			depth++
		case r == ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

var (
	displayWidth = regexp.MustCompile(`\b(tinyint|smallint|int|bigint|largeint)\(\d+\)`)
	typeSpelling = strings.NewReplacer(
		"datetimev2(0)", "datetime", "datetimev2", "datetime", "datetime(0)", "datetime", "datev2", "date",
		"decimalv3", "decimal", "string", "text", "jsonb", "json",
	)
)

// NormalType is a type in the spelling of SHOW CREATE of all versions.
func NormalType(text string) string {
	text = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), ", ", ",")
	return typeSpelling.Replace(displayWidth.ReplaceAllString(text, "$1"))
}

// normalExpression is an expression without what printing it again adds.
func normalExpression(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '(' || r == ')' {
			return -1
		}
		return r
	}, text)
}

// normalList is a clause with names and no texts, without needless blanks.
func normalList(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), ", ", ",")
}

// normalBounds are the values of a partition: quotes as of later versions, no
// blanks between them, and each LIST value alone (doris-sql.md 3.2).
func normalBounds(text string) string {
	var b strings.Builder
	for _, piece := range Pieces(strings.TrimSpace(text)) {
		if piece.Literal {
			b.WriteString(`"` + strings.Trim(piece.Text, piece.Text[:1]) + `"`)
		} else {
			b.WriteString(strings.NewReplacer(", ", ",", " ,", ",").Replace(LiteralRuns.Replace(piece.Text)))
		}
	}
	text = b.String()
	if strings.HasPrefix(text, "VALUES IN ((") {
		text = singleValue.ReplaceAllString(text, "$1")
	}
	return text
}

var singleValue = regexp.MustCompile(`\(("[^",]*"|NULL)\)`)

// String prints the column as a clause of CREATE TABLE or ALTER TABLE.
func (c ColumnDefinition) String() string { return c.Clause(false) }
