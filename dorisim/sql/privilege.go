package sql

import (
	"cmp"
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
	return core.CodeErrorf(codeTableDenied, "%s command denied to user %s for table '%s: %s'", command, s.account().Identity(), database, table)
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
		return s.needDatabase(core.AlterPriv, x.Name)
	case *parser.Backup:
		return s.authorizeBackup(x)
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
		return s.needTable(core.CreatePriv, "RECOVERY", x.Table.Database, x.Table.Name)
	case *parser.Sync:
		return nil
	}
	return s.authorizeTable(statement)
}

// authorizeTable is authorize for statements about one table or view.
func (s *session) authorizeTable(statement parser.Statement) error {
	create := func(n parser.Name) error { return s.need(core.CreatePriv, "CREATE", n.Database, n.Name) }
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
		return create(x.View)
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
		return alter("ALTER VIEW", x.View)
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

// authorizeBackup wants LOAD on the tables of BACKUP, or on the database.
func (s *session) authorizeBackup(x *parser.Backup) error {
	if len(x.Tables) == 0 || x.Exclude {
		return s.need(core.LoadPriv, "LOAD", x.Label.Database, "")
	}
	for _, t := range x.Tables {
		if err := s.need(core.LoadPriv, "LOAD", x.Label.Database, t.Table.Name); err != nil {
			return err
		}
	}
	return nil
}
