package ddl

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/schema"
)

// Frontends do not escape everything that they print into a binlog (doris-binlogs.md 2.4,
// doris-sql.md 3.2). Whoever may alter one table of the source must not be able to execute what
// they like with the account that ccr has on the destination: what cannot be told from the
// statement around it for certain comes by a snapshot of the one table.

// errDoubtful: the text has, outside of its string literals, what no such text has.
var errDoubtful = errors.New("what is a value and what is a statement is not certain")

// isDoubtful tells whether a statement was not sent for what it may be.
func isDoubtful(err error) bool {
	return errors.Is(err, errDoubtful) || errors.Is(err, sqlclient.ErrSeveralStatements)
}

var (
	// partitionWords are all that a partition has besides names, texts and numbers.
	partitionWords = regexp.MustCompile(`(?i)^(?:PARTITION|VALUES|IN|LESS|THAN|MAXVALUE|NULL|TRUE|FALSE|DISTRIBUTED|BY|HASH|RANDOM|BUCKETS|AUTO|-?\d[\d.]*|[\s(),\[\]=])*$`)
	bareName       = regexp.MustCompile("^\\s*[^\\s`'\"();,]+")
	quotedNames    = regexp.MustCompile(schema.QuotedName)
	// query is what makes a CREATE TABLE text copy rows of another table.
	query = regexp.MustCompile(`(?i)\b(?:SELECT|WITH)\b`)
)

// bare is a text without its string literals and quoted names.
func bare(text string) string {
	var b strings.Builder
	for _, piece := range schema.Pieces(text) {
		if piece.Literal {
			b.WriteByte(' ')
		} else {
			b.WriteString(quotedNames.ReplaceAllString(piece.Text, " "))
		}
	}
	return b.String()
}

func wordsOf(text string, words *regexp.Regexp) bool { return words.MatchString(bare(text)) }

// checkCreate refuses a CREATE TABLE text with a query in it: none that is printed has one.
func checkCreate(statement string) error {
	if query.MatchString(bare(statement)) {
		return fmt.Errorf("the CREATE TABLE record: %w: %.200q", errDoubtful, statement)
	}
	return sqlclient.CheckSingle(statement)
}
