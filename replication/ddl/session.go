package ddl

import (
	"errors"
	"regexp"

	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// namedVariable finds the session variable that a refusal asks for.
var namedVariable = regexp.MustCompile(`(?i)\bset (enable_\w+)\s*=\s*(\w+)`)

// maxVariables bounds how many of them one statement is given.
const maxVariables = 5

// execute runs a statement on the destination. Binlogs do not carry the session
// variables that the statement had at the source (doris-sql.md 1.6): those that
// the destination asks for are set, for this statement only.
func (a *application) execute(statement string) error {
	err := a.j.Destination.SQL.Exec(a.ctx, statement)
	set := sqlclient.Setting{}
	for len(set) < maxVariables {
		var refused *sqlclient.Error
		if !errors.As(err, &refused) {
			return err
		}
		m := namedVariable.FindStringSubmatch(refused.Message)
		if m == nil || set[m[1]] != "" {
			return err
		}
		set[m[1]] = m[2]
		err = a.j.Destination.SQL.ExecWith(a.ctx, set, statement)
	}
	return err
}
