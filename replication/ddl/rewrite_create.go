package ddl

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/schema"
)

// rewriteCreateTable makes a CREATE TABLE text of the source fit for the
// destination: qualified with database and name, its texts and names in quotes,
// without what only the source has, with replicas copies if replicas > 0.
func rewriteCreateTable(sql, database, name string, replicas int, keepMedium bool) (string, error) {
	head := schema.CreateHead.FindStringSubmatchIndex(sql)
	if head == nil {
		return "", fmt.Errorf("the CREATE statement begins unexpectedly: %.80q", sql)
	}
	t, err := schema.SplitTable(sql[head[1]:])
	if err != nil {
		return "", err
	}
	items := make([]string, len(t.Items))
	for i, item := range t.Items {
		if items[i], err = rewriteItem(item); err != nil {
			return "", err
		}
	}
	lines := []string{
		"CREATE " + sql[head[2]:head[3]] + " IF NOT EXISTS " + sqlclient.Name(database, name) + " (",
		"  " + strings.Join(items, ",\n  "),
		") ENGINE=" + t.Engine,
	}
	comment := ""
	if t.Comment != "" {
		if comment, err = quotedComment(t.Comment); err != nil {
			return "", err
		}
		comment = "COMMENT " + comment
	}
	for _, line := range []string{t.Keys, comment, t.Partitioning} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	if t.Partitioning != "" {
		partitions, err := rewritePartitions(t.Partitions)
		if err != nil {
			return "", err
		}
		lines = append(lines, "("+strings.Join(partitions, ",\n")+")")
	}
	if t.Distribution != "" {
		lines = append(lines, t.Distribution)
	}
	statement := strings.Join(lines, "\n")
	if t.Properties != "" {
		statement += rewriteProperties(t.Properties, replicas, keepMedium, t.Engine)
	}
	return statement, checkCreate(statement)
}

// rewriteItem quotes the texts of a column or index.
func rewriteItem(item string) (string, error) {
	if index, ok := strings.CutPrefix(item, "INDEX "); ok {
		return rewriteIndex(index)
	}
	text, comment := item, ""
	for _, quote := range []string{"'", `"`} {
		if i := strings.Index(item, " COMMENT "+quote); i >= 0 && strings.HasSuffix(item, quote) {
			text, comment = item[:i], item[i+len(" COMMENT "):]
			break
		}
	}
	if m := defaultClause.FindStringSubmatch(text); m != nil && strings.ContainsAny(m[2], `"\`) {
		if strings.Contains(m[2], `\`) {
			return "", fmt.Errorf("versions do not agree on backslashes in the text of a default: %.200q", item)
		}
		text = m[1] + sqlclient.QuoteString(m[2]) + m[3]
	}
	if comment == "" {
		return text, nil
	}
	comment, err := quotedComment(comment)
	return text + " COMMENT " + comment, err
}

var defaultClause = regexp.MustCompile(`(?s)^(.*? DEFAULT )"(.*)"( ON UPDATE \S+)?$`)

func rewriteIndex(text string) (string, error) {
	m := schema.IndexText.FindStringSubmatch(text)
	if m == nil {
		return "INDEX " + text, nil
	}
	index := "INDEX " + sqlclient.Quote(schema.Unquote(m[1])) + " (" + m[2] + ")"
	if m[3] != "" {
		index += " USING " + m[3]
	}
	if m[4] != "" {
		index += " PROPERTIES(" + m[4] + ")"
	}
	if m[5] == "" {
		return index, nil
	}
	comment, err := quotedComment(m[5])
	return index + " COMMENT " + comment, err
}

// quotedComment makes a printed comment a string literal. Between single quotes
// nothing is escaped but double ones, in some versions; a backslash may be
// anything then (doris-sql.md 3.2).
func quotedComment(printed string) (string, error) {
	if strings.HasPrefix(printed, `"`) {
		return printed, nil // versions with these quotes escape as they should
	}
	comment := schema.UnquoteComment(printed)
	if strings.Contains(comment, `\`) {
		return "", fmt.Errorf("versions do not agree on backslashes in the text of a comment: %.200q", printed)
	}
	return `"` + strings.ReplaceAll(comment, `"`, `\"`) + `"`, nil
}

// rewritePartitions quotes the names and separates the bounds of partitions.
func rewritePartitions(partitions []string) ([]string, error) {
	list := make([]string, len(partitions))
	for i, p := range partitions {
		name, values, _ := strings.Cut(p, " ")
		list[i] = "PARTITION " + sqlclient.Quote(schema.Unquote(name))
		if values != "" {
			list[i] += " " + outsideTexts(values, schema.LiteralRuns.Replace)
		}
		if !wordsOf(list[i], partitionWords) {
			return nil, fmt.Errorf("partition %s: %w: %.200q", name, errDoubtful, values)
		}
	}
	return list, nil
}

// outsideTexts changes a statement outside of its string literals.
func outsideTexts(statement string, change func(string) string) string {
	var b strings.Builder
	for _, piece := range schema.Pieces(statement) {
		if piece.Literal {
			b.WriteString(piece.Text)
		} else {
			b.WriteString(change(piece.Text))
		}
	}
	return b.String()
}

// rewriteProperties takes out what the destination has for itself. A table
// without light schema changes is one that does not say so: the default is to
// have them (doris-sql.md 3.3).
func rewriteProperties(properties string, replicas int, keepMedium bool, engine string) string {
	if !keepMedium {
		properties = storageMedium.ReplaceAllString(properties, "")
	}
	properties = dynamicPolicy.ReplaceAllString(properties, "")
	properties = emptyTail.ReplaceAllString(properties, "\n)")
	if engine == olap && !strings.Contains(properties, `"light_schema_change"`) {
		properties = firstProperty.ReplaceAllString(properties, "${1}\"light_schema_change\" = \"false\",\n")
	}
	if replicas > 0 {
		n := strconv.Itoa(replicas)
		properties = replication.ReplaceAllString(properties, `"${1}replication_num" = "`+n+`"`)
	}
	return properties
}

const olap = "OLAP"

var firstProperty = regexp.MustCompile(`^(\s*PROPERTIES \(\s*)`)
