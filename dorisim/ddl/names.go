package ddl

import (
	"regexp"
	"strconv"
	"strings"
	letters "unicode"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// Name rules as Doris prints them in its messages (doris-sql.md 1.5).
const (
	commonNameRegex = `^[a-zA-Z][a-zA-Z0-9-_]{0,63}$`
	tableNameRegex  = `^[a-zA-Z][a-zA-Z0-9-_]*$`
	columnNameRegex = `^[_a-zA-Z@0-9\s/][.a-zA-Z0-9_+-/?@#$%^&*"\s,:]{0,255}$`

	defaultTableNameLimit = 64
)

var (
	commonName = regexp.MustCompile(commonNameRegex)
	tableName  = regexp.MustCompile(tableNameRegex)
	columnName = regexp.MustCompile(columnNameRegex)
)

// systemDatabases exist in every cluster.
var systemDatabases = map[string]bool{"information_schema": true, "mysql": true, "__internal_schema": true}

func checkDatabaseName(name string) error {
	if !commonName.MatchString(name) {
		return core.CodeErrorf(codeWrongDatabaseName, "Incorrect database name '%s'. Database name regex is '%s'", name, commonNameRegex)
	}
	return nil
}

func (e *Executor) checkTableName(name string) error {
	if !tableName.MatchString(name) {
		return core.CodeErrorf(codeWrongTableName, "Incorrect table name '%s'. Table name regex is '%s'", name, tableNameRegex)
	}
	limit, err := strconv.Atoi(e.core.FEConfig("table_name_length_limit"))
	if err != nil {
		limit = defaultTableNameLimit
	}
	if len(name) > limit {
		return core.Errorf("Table name length exceeds limit, the length of table name '%s' is %d which is greater than the configuration 'table_name_length_limit' (%d).",
			name, len(name), limit)
	}
	return nil
}

func checkColumnName(name string) error {
	if !columnName.MatchString(name) || strings.HasPrefix(strings.ToUpper(name), "__DORIS_") {
		return core.CodeErrorf(codeWrongColumnName, "Incorrect column name '%s'. Column regex is '%s'", name, columnNameRegex)
	}
	return nil
}

// checkNewColumnName also takes letters of all scripts if the session allows
// them.
func checkNewColumnName(name string, unicode bool) error {
	if unicode {
		name = strings.Map(func(r rune) rune {
			if r > 127 && (letters.IsLetter(r) || letters.IsNumber(r)) {
				return 'x'
			}
			return r
		}, name)
	}
	return checkColumnName(name)
}

func checkPartitionName(name string) error {
	if !commonName.MatchString(name) {
		return core.CodeErrorf(codeWrongPartName, "Incorrect partition name '%s'. Partition name regex is '%s'", name, commonNameRegex)
	}
	return nil
}
