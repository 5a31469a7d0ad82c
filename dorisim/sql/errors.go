package sql

import (
	"errors"

	"github.com/dolthub/vitess/go/mysql"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// MySQL error codes of doris-sql.md 1.4 that this package raises.
const (
	codeDatabaseDenied  = 1044
	codeNoDatabase      = 1046
	codeUnknownDatabase = 1049
	codeUnknownTable    = 1051
	codeUnknownColumn   = 1054
	codeSyntax          = 1105
	codeTableDenied     = 1142
	codeNoTableOf       = 1109
	codeAccessDenied    = 1225
	codeUnknownVariable = 1193
	codeWrongValue      = 1231
	codeWrongType       = 1232
	codeWrongObject     = 1347
	codeUnknownProcPath = 5001
)

// sqlStates of codes that are not HY000.
var sqlStates = map[int]string{
	1044: "42000", 1045: "28000", 1046: "3D000", 1049: "42000", 1050: "42S01", 1051: "42S02",
	1054: "42S22", 1102: "42000", 1103: "42000", 1166: "42000", 1060: "42S21", 1142: "42000", 1227: "42000", 1231: "42000", 1232: "42000", 1064: "42000", 1109: "42S02",
}

// wireError turns an error into what goes over the wire.
func wireError(err error) *mysql.SQLError {
	var wire *mysql.SQLError
	if errors.As(err, &wire) {
		return wire
	}
	var refusal *core.Error
	if !errors.As(err, &refusal) {
		refusal = core.Errorf("%s", err.Error())
	}
	state := refusal.SQLState
	if state == "" {
		state = sqlStates[refusal.MySQLCode()]
	}
	return mysql.NewSQLError(refusal.MySQLCode(), state, "%s", refusal.Error())
}

func errNoDatabase() error { return core.CodeErrorf(codeNoDatabase, "No database selected") }

func errUnknownDatabase(name string) error {
	return core.CodeErrorf(codeUnknownDatabase, "Unknown database '%s'", name)
}

func errUnknownTable(name string) error {
	return core.CodeErrorf(codeUnknownTable, "Unknown table '%s'", name)
}

// errNoTable is how the planner refuses a table in FROM or INTO.
func errNoTable(database, name string) error {
	return core.Errorf("Table [%s] does not exist in database [%s].", name, database)
}

// errNotReady is what a frontend answers to writers while there is no master.
func errNotReady() error {
	return core.Errorf("Node catalog is not ready, please wait for a while.")
}

func errSyntax(near string) error {
	const limit = 64
	if len(near) > limit {
		near = near[:limit] + "..."
	}
	return core.CodeErrorf(codeSyntax, "\nmismatched input or unsupported statement near '%s'", near)
}
