package ddl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// applyComment sets the comment of a table or of columns (doris-binlogs.md
// 2.18).
func applyComment(a *application) (job.ApplyResult, error) {
	comment, err := binlog.DecodeComment(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	return a.onTable(comment.TableID, func(table string) (string, error) {
		clause := "MODIFY COMMENT " + sqlclient.QuoteString(comment.TableComment)
		if strings.EqualFold(comment.Type, "COLUMN") {
			var clauses []string
			for _, column := range slices.Sorted(maps.Keys(comment.ColumnComments)) {
				clauses = append(clauses, fmt.Sprintf("MODIFY COLUMN %s COMMENT %s",
					sqlclient.Quote(column), sqlclient.QuoteString(comment.ColumnComments[column])))
			}
			if len(clauses) == 0 {
				return "", nil
			}
			clause = strings.Join(clauses, ", ")
		}
		return "ALTER TABLE " + sqlclient.Name(a.j.Spec.Destination.Database, table) + " " + clause, nil
	})
}
