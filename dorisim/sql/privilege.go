package sql

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// operator is who may see what the cluster is made of.
const operator = core.AdminPriv | core.NodePriv

// account is the session's user; one that was dropped has no privileges.
func (s *session) account() core.User {
	user, ok := s.server.core.Users.Get(s.user)
	if !ok {
		return core.User{Name: s.user}
	}
	return user
}

// need refuses (1227) who has none of the privileges; name is how Doris calls
// them. The current database stands for "".
func (s *session) need(p core.Privilege, name, database, table string) error {
	if s.account().May(p, cmp.Or(database, s.db), table) {
		return nil
	}
	return core.DenyError(name)
}

// needGlobal is need for privileges that belong to no database.
func (s *session) needGlobal(p core.Privilege, name string) error {
	if s.account().May(p, "", "") {
		return nil
	}
	return core.DenyError(name)
}

// needTable refuses (1142) a command on a table.
func (s *session) needTable(p core.Privilege, command, database, table string) error {
	database = cmp.Or(database, s.db)
	if s.account().May(p, database, table) {
		return nil
	}
	return s.errTableDenied(command, database, table)
}

// errTableDenied names the table in the way of the command.
func (s *session) errTableDenied(command, database, table string) error {
	name := database + ": " + table
	switch command {
	case "DESCRIBE":
		name = database + "." + table
	case "SHOW INDEX":
		name = "`" + database + "`.`" + table + "`"
	}
	return core.CodeErrorf(codeTableDenied, "%s command denied to user '%s'@'%s' for table '%s'", command, s.account().Name, s.host, name)
}

// withoutCode gives a refusal the generic MySQL code, as the new planner does.
func withoutCode(err error) error {
	var refusal *core.Error
	if !errors.As(err, &refusal) {
		return err
	}
	return core.Errorf("%s", refusal.Message)
}

// needView refuses CREATE VIEW and ALTER VIEW: who has not the privilege on the
// view, and who may not read what it selects from.
func (s *session) needView(p core.Privilege, view parser.Name, query string) error {
	if !s.account().May(p, cmp.Or(view.Database, s.db), view.Name) {
		return core.Errorf("Access denied; you need (at least one of) the (%s) privilege(s) on table %s for this operation", core.AdminPriv|p, view.Name)
	}
	for _, t := range s.server.cfg.DDL.TablesOf(query, s.db) {
		if s.account().May(core.SelectPriv, t.Database, t.Name) {
			continue
		}
		return core.Errorf("Permission denied: user [%s] does not have privilege for [priv predicate: OR, %s] command on [%s].[%s].[%s].[%s]",
			s.account().Identity(), core.AdminPriv|core.SelectPriv, internalCatalog, t.Database, t.Name, t.Column)
	}
	return nil
}

// needDatabase refuses (1044) a statement about a database.
func (s *session) needDatabase(p core.Privilege, database string) error {
	database = cmp.Or(database, s.db)
	if s.account().May(p, database, "") {
		return nil
	}
	return s.errDatabaseDenied(database)
}

func (s *session) errDatabaseDenied(database string) error {
	return core.CodeErrorf(codeDatabaseDenied, "Access denied for user '%s' to database '%s'", s.user, database)
}

// sees tells whether the user may know of a database.
func (s *session) sees(database string) bool {
	return slices.Contains(systemDatabases, strings.ToLower(database)) || s.account().Sees(database)
}

// seesTable tells whether the user may know of a table.
func (s *session) seesTable(database, table string) bool {
	return s.account().May(core.ShowPriv, database, table)
}

// authorize checks the privileges that a statement of package parser needs.
func (s *session) authorize(statement parser.Statement) error {
	switch x := statement.(type) {
	case *parser.CreateDatabase:
		return s.needDatabase(core.CreatePriv, x.Name)
	case *parser.DropDatabase:
		return s.needDatabase(core.DropPriv, x.Name)
	case *parser.AlterDatabase:
		if x.NewName == "" {
			return s.needProperties(x.Name)
		}
		return s.needDatabase(core.AlterPriv, x.Name)
	case *parser.Backup:
		return s.need(core.LoadPriv, "LOAD", x.Label.Database, "") // whatever its tables
	case *parser.CancelBackup:
		return s.need(core.LoadPriv, "LOAD", x.Database, "")
	case *parser.AlterSystem:
		return s.needGlobal(core.NodePriv, "NODE")
	case *parser.AdminSetConfig, *parser.AdminSetReplica, *parser.ObjectStatement:
		return s.needGlobal(core.AdminPriv, "ADMIN")
	case *parser.Recover:
		if x.Database != "" {
			return s.needDatabase(core.CreatePriv, x.Database)
		}
		return s.needTable(core.AlterPriv|core.CreatePriv, "RECOVERY", x.Table.Database, x.Table.Name)
	case *parser.Sync:
		return nil
	}
	return s.authorizeTable(statement)
}

// authorizeTable is authorize for statements about one table or view.
func (s *session) authorizeTable(statement parser.Statement) error {
	create := func(n parser.Name) error {
		return withoutCode(s.need(core.CreatePriv, "CREATE", n.Database, n.Name))
	}
	drop := func(n parser.Name) error { return s.need(core.DropPriv, "DROP", n.Database, n.Name) }
	alter := func(command string, n parser.Name) error {
		return s.needTable(core.AlterPriv, command, n.Database, n.Name)
	}
	switch x := statement.(type) {
	case *parser.CreateTable:
		return create(x.Table)
	case *parser.CreateTableAs:
		return create(x.Create.Table)
	case *parser.CreateTableLike:
		if err := s.needTable(core.SelectPriv, "SELECT", x.Like.Database, x.Like.Name); err != nil {
			return err
		}
		return create(x.Table)
	case *parser.CreateView:
		return s.needView(core.CreatePriv, x.View, x.Query)
	case *parser.CreateMaterializedView:
		return create(x.View)
	case *parser.DropTable:
		return drop(x.Table)
	case *parser.DropView:
		return drop(x.View)
	case *parser.DropMaterializedView:
		return drop(x.View)
	case *parser.DropRollupView:
		return drop(x.Table)
	case *parser.TruncateTable:
		return s.need(core.LoadPriv, "LOAD", x.Table.Database, x.Table.Name)
	case *parser.AlterTable:
		return alter("ALTER TABLE", x.Table)
	case *parser.AlterView:
		return s.needView(core.AlterPriv, x.View, x.Query)
	case *parser.AlterMaterializedView:
		return alter("ALTER", x.View)
	case *parser.TouchMaterializedView:
		return alter("ALTER", x.View)
	case *parser.CreateRollupView:
		return alter("ALTER", x.Table)
	case *parser.BuildIndex:
		return alter("ALTER", x.Table)
	case *parser.CancelAlter:
		return alter("CANCEL ALTER TABLE", x.Table)
	}
	return s.needGlobal(core.AdminPriv, "ADMIN")
}

// needProperties: only administrators may set properties of a database.
func (s *session) needProperties(database string) error {
	if s.account().May(core.AdminPriv, "", "") {
		return nil
	}
	return s.errDatabaseDenied(cmp.Or(database, s.db))
}
