package ddl

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// nameRule is a rule of Doris for names: its message quotes the expression
// (doris-sql.md 1.5).
type nameRule struct {
	text string
	*regexp.Regexp
}

func rule(text string) nameRule { return nameRule{text, regexp.MustCompile(text)} }

// nameRules are the rules of one session: the variable
// enable_unicode_name_support exchanges all of them (doris-sql.md 1.6).
type nameRules struct{ common, table, column nameRule }

var (
	plainNames = nameRules{
		common: rule(`^[a-zA-Z][a-zA-Z0-9-_]{0,63}$`),
		table:  rule(`^[a-zA-Z][a-zA-Z0-9-_]*$`),
		column: rule(`^[_a-zA-Z@0-9\s/][.a-zA-Z0-9_+-/?@#$%^&*"\s,:]{0,255}$`),
	}
	unicodeNames = nameRules{
		common: rule(`^[a-zA-Z\p{L}][a-zA-Z0-9-_\p{L}]{0,63}$`),
		table:  rule(`^[a-zA-Z\p{L}][a-zA-Z0-9-_\p{L}]*$`),
		column: rule(`^[_a-zA-Z@0-9\p{L}][.a-zA-Z0-9_+-/?@#$%^&*\p{L}]{0,255}$`),
	}
)

const (
	defaultTableNameLimit = 64
	// shadowColumnPrefix marks the columns of a running schema change.
	shadowColumnPrefix = "__doris_shadow_"
	// forbiddenPartitionPrefix is kept for Doris itself.
	forbiddenPartitionPrefix = "placeholder_"
)

// systemDatabases exist in every cluster.
var systemDatabases = map[string]bool{"information_schema": true, "mysql": true, "__internal_schema": true}

// namesOf are the rules that a session's statement obeys.
func namesOf(flags parser.SessionFlags) nameRules {
	if flags.UnicodeNames {
		return unicodeNames
	}
	return plainNames
}

// checkNames refuses names that a statement gives to something new, before
// anything else is looked at. Names of what exists are never checked.
func (e *Executor) checkNames(stmt parser.Statement, flags parser.SessionFlags) error {
	names := namesOf(flags)
	switch s := stmt.(type) {
	case *parser.CreateDatabase:
		if systemDatabases[s.Name] {
			return nil
		}
		return names.checkDatabase(s.Name)
	case *parser.AlterDatabase:
		if s.NewName == "" {
			return nil
		}
		return names.checkDatabase(s.NewName)
	case *parser.CreateTable:
		return planned(e.checkCreateTable(s, names))
	case *parser.CreateTableLike:
		return planned(e.checkTableName(s.Table.Name, names))
	case *parser.CreateView:
		return planned(e.checkTableName(s.View.Name, names))
	case *parser.AlterView:
		return planned(e.checkTableName(s.View.Name, names))
	case *parser.CreateMaterializedView:
		return planned(e.checkTableName(s.View.Name, names))
	case *parser.AlterMaterializedView:
		if s.NewName == "" {
			return nil
		}
		return planned(e.checkTableName(s.NewName, names))
	case *parser.CreateRollupView:
		return e.checkTableName(s.Name, names)
	case *parser.AlterTable:
		for _, clause := range s.Clauses {
			if err := e.checkClause(clause, names); err != nil {
				return err
			}
		}
	}
	return nil
}

// planned is the refusal of a statement that the new planner runs: it keeps the
// text of an error and loses its number (doris-sql.md 1.4).
func planned(err error) error {
	refusal, ok := err.(*core.Error)
	if !ok {
		return err
	}
	plain := *refusal
	plain.Code = 0
	return &plain
}

func (e *Executor) checkCreateTable(s *parser.CreateTable, names nameRules) error {
	if err := e.checkTableName(s.Table.Name, names); err != nil {
		return err
	}
	for i := range s.Columns {
		if err := names.checkColumn(s.Columns[i].Name); err != nil {
			return err
		}
	}
	for _, r := range s.Rollups {
		if err := e.checkTableName(r.Name, names); err != nil {
			return err
		}
	}
	if s.Partitioning == nil {
		return nil
	}
	for i := range s.Partitioning.Partitions {
		if p := &s.Partitioning.Partitions[i]; p.Bulk == nil {
			if err := names.checkPartition(p.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Executor) checkClause(clause parser.AlterClause, names nameRules) error {
	switch c := clause.(type) {
	case *parser.AddPartition:
		if c.Partition.Bulk != nil {
			return nil
		}
		return names.checkPartition(c.Partition.Name)
	case *parser.AddColumns:
		for i := range c.Columns {
			if err := names.checkColumn(c.Columns[i].Name); err != nil {
				return err
			}
		}
	case *parser.ModifyColumn:
		return names.checkColumn(c.Column.Name)
	case *parser.AddRollup:
		for _, r := range c.Rollups {
			if err := e.checkTableName(r.Name, names); err != nil {
				return err
			}
		}
	case *parser.Rename:
		switch c.Kind {
		case parser.RenamePartition:
			return names.checkPartition(c.New)
		case parser.RenameColumn:
			return names.checkColumn(c.New)
		}
		return e.checkTableName(c.New, names)
	}
	return nil
}

func (r nameRules) checkDatabase(name string) error {
	if !r.common.MatchString(name) {
		return core.CodeErrorf(codeWrongDatabaseName, "Incorrect database name '%s'", name)
	}
	return nil
}

func (e *Executor) checkTableName(name string, r nameRules) error {
	if !r.table.MatchString(name) {
		return core.CodeErrorf(codeWrongTableName, "Incorrect table name '%s'. Table name regex is '%s'", name, r.table.text)
	}
	limit, err := strconv.Atoi(e.core.FEConfig("table_name_length_limit"))
	if err != nil {
		limit = defaultTableNameLimit
	}
	if length := utf8.RuneCountInString(name); length > limit {
		return core.CodeErrorf(codeTableNameTooLong, "Table name length exceeds limit, the length of table name '%s' is %d which is greater than the configuration 'table_name_length_limit' (%d).",
			name, length, limit)
	}
	return nil
}

func (r nameRules) checkColumn(name string) error {
	if !r.column.MatchString(name) || strings.HasPrefix(name, shadowColumnPrefix) {
		return core.CodeErrorf(codeWrongColumnName, "Incorrect column name '%s'. Column regex is '%s'", name, r.column.text)
	}
	if strings.HasPrefix(name, "mv_") || strings.HasPrefix(name, "mva_") {
		return core.Errorf("Incorrect column name %s, column name can't start with 'mv_'/'mva_'", name)
	}
	return nil
}

// checkViewColumn leaves alone what cannot be a name in any session: columns that
// are expressions without an alias bear their text here, where Doris makes up a
// name.
func (r nameRules) checkViewColumn(name string) error {
	ascii := strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) {
			return 'x'
		}
		return c
	}, name)
	if !plainNames.column.MatchString(ascii) {
		return nil
	}
	return r.checkColumn(name)
}

// checkPartition: the message does not say which name it means.
func (r nameRules) checkPartition(name string) error {
	if !r.common.MatchString(name) || strings.HasPrefix(name, forbiddenPartitionPrefix) {
		return core.CodeErrorf(codeWrongPartName, "Incorrect partition name")
	}
	return nil
}
