package sql

import (
	"context"
	"strconv"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// show dispatches SHOW and ADMIN SHOW, whose words have been consumed.
func (s *session) show(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	full := c.keyword("FULL")
	for c.keyword("GLOBAL") || c.keyword("SESSION") || c.keyword("EXTENDED") {
		full = full || c.keyword("FULL")
	}
	switch word := strings.ToUpper(c.next().Text); word {
	case "CREATE":
		return s.showCreate(c)
	case "TABLES":
		return s.showTables(ctx, c, full, "")
	case "VIEWS":
		return s.showTables(ctx, c, full, catalog.View)
	case "FUNCTIONS":
		return s.showFunctions(ctx, c, full)
	case "COLUMNS", "FIELDS":
		return s.showColumns(ctx, c, full)
	case "PARTITIONS":
		return s.showPartitions(ctx, c, false)
	case "TEMPORARY":
		if c.keyword("PARTITIONS") {
			return s.showPartitions(ctx, c, true)
		}
	case "TABLE":
		if c.keyword("STATUS") {
			return s.showTableStatus(ctx, c)
		}
		return s.showTableID(c)
	case "INDEX", "INDEXES", "KEY", "KEYS":
		return s.showIndexes(ctx, c)
	case "TABLETS":
		return s.showTablets(ctx, c)
	case "TABLET":
		return s.showTablet(c)
	case "VIEW":
		return s.showView(ctx, c)
	case "DATA":
		return s.showData(ctx, c)
	case "CATALOG":
		return s.showRecycleBin(ctx, c)
	case "ALTER":
		return s.showAlter(ctx, c)
	case "BUILD":
		return s.showBuildIndex(ctx, c)
	case "PROC":
		return s.showProc(c)
	case "BRIEF", "RESTORE", "BACKUP", "SNAPSHOT", "TRANSACTION":
		return s.showJobs(c, word)
	default:
		return s.showCluster(ctx, c, word)
	}
	return nil, c.mismatch()
}

// showCluster has the statements about the cluster as a whole.
func (s *session) showCluster(ctx context.Context, c *cursor, word string) (*sqltypes.Result, error) {
	switch word {
	case "DATABASES", "SCHEMAS":
		return s.filter(ctx, c, s.showDatabases(), "Database", false)
	case "FRONTENDS", "BACKENDS", "FRONTEND", "BACKEND":
		return s.showNodes(ctx, c, word)
	case "VARIABLES":
		return s.filter(ctx, c, s.showVariables(), "Variable_name", true)
	case "STATUS":
		return s.filter(ctx, c, newListing("Variable_name", "Value"), "Variable_name", true)
	case "PROCESSLIST":
		return s.filter(ctx, c, s.showProcesses(), "Info", true)
	case "WARNINGS", "ERRORS":
		return s.filter(ctx, c, newListing("Level", "Code", "Message"), "Message", true)
	case "ENGINES":
		l := newListing("Engine", "Support", "Comment", "Transactions", "XA", "Savepoints")
		l.add("OLAP", "YES", "Default storage engine", "YES", "NO", "NO")
		return s.filter(ctx, c, l, "Engine", true)
	case "COLLATION":
		return s.filter(ctx, c, newListing("Collation", "Charset", "Id", "Default", "Compiled", "Sortlen"), "Collation", true)
	case "CHARSET", "CHARACTER":
		c.keyword("SET")
		l := newListing("Charset", "Description", "Default collation", "Maxlen")
		l.add("utf8mb4", "UTF-8 Unicode", "utf8mb4_0900_bin", "4")
		return s.filter(ctx, c, l, "Charset", true)
	case "GRANTS":
		return s.showGrants(c, false)
	case "ALL":
		if c.keyword("GRANTS") {
			return s.showGrants(c, true)
		}
	case "REPOSITORIES":
		return newListing("RepoId", "RepoName", "CreateTime", "IsReadOnly", "Location", "Broker", "Type", "ErrMsg").result(), nil
	case "RESOURCES":
		return s.filter(ctx, c, s.showResources(), "Name", true)
	case "STORAGE":
		return s.showStoragePolicies(c)
	case "BUILTIN":
		return newListing("Signature", "Return Type", "Function Type", "Intermediate Type", "Properties").result(), nil
	case "TRIGGERS", "EVENTS", "PROCEDURE", "FUNCTION", "PLUGINS", "OPEN":
		return newListing("Name").result(), nil
	}
	return s.showEveryday(ctx, c, word)
}

// showNodes is SHOW FRONTENDS, BACKENDS and the configs of both.
func (s *session) showNodes(ctx context.Context, c *cursor, word string) (*sqltypes.Result, error) {
	config := !strings.HasSuffix(word, "S")
	if config && !c.keyword("CONFIG") {
		c.pos = 0
		return nil, c.mismatch()
	}
	var err error
	if config {
		err = withoutCode(s.needGlobal(core.AdminPriv, "ADMIN"))
	} else {
		err = s.needGlobal(operator, "ADMIN/OPERATOR")
	}
	if err != nil {
		return nil, err
	}
	switch word {
	case "FRONTENDS":
		return s.filter(ctx, c, s.showFrontends(), "Name", true)
	case "BACKENDS":
		return s.filter(ctx, c, s.showBackends(), "Host", true)
	case "FRONTEND":
		return s.filter(ctx, c, s.showFrontendConfig(), "Key", true)
	}
	return s.filter(ctx, c, s.showBackendConfig(), "Key", true)
}

// fromDatabase consumes [FROM|IN db] and returns an existing database.
func (s *session) fromDatabase(c *cursor) (string, error) {
	name := ""
	if c.keyword("FROM") || c.keyword("IN") {
		var err error
		if _, name, err = c.name(); err != nil {
			return "", err
		}
	}
	return s.database(name)
}

// fromTable consumes FROM|IN [db.]table [FROM|IN db] and returns the names.
func (s *session) fromTable(c *cursor) (database, table string, err error) {
	if !c.keyword("FROM") && !c.keyword("IN") {
		return "", "", c.mismatch()
	}
	if database, table, err = c.name(); err != nil {
		return "", "", err
	}
	if c.keyword("FROM") || c.keyword("IN") {
		if database, err = c.ident(); err != nil {
			return "", "", err
		}
	}
	database, err = s.database(database)
	return database, table, err
}

// showOfTable is a SHOW of the table that FROM names: list makes the rows, LIKE
// looks at one of their columns. command is as in withTable.
func (s *session) showOfTable(ctx context.Context, c *cursor, command, like string, ignoreCase bool,
	list func(*catalog.Database, *catalog.Table) (*listing, error),
) (*sqltypes.Result, error) {
	database, table, err := s.fromTable(c)
	if err != nil {
		return nil, err
	}
	var l *listing
	err = s.withTable(command, database, table, func(db *catalog.Database, t *catalog.Table) (err error) {
		l, err = list(db, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.filter(ctx, c, l, like, ignoreCase)
}

// withTable calls f with a table or view, holding core's read lock. command is
// what an account without any privilege on it is refused.
func (s *session) withTable(command, database, table string, f func(*catalog.Database, *catalog.Table) error) error {
	if err := s.needTable(core.ShowPriv, command, database, table); err != nil {
		return err
	}
	c := s.server.core
	c.RLock()
	defer c.RUnlock()
	db, ok := c.Database(database)
	if !ok {
		return errUnknownDatabase(database)
	}
	t, ok := db.Tables[table]
	if !ok {
		return errUnknownTable(table)
	}
	return f(db, t)
}

// showTableID is SHOW TABLE <id>: an unknown id gives no row.
func (s *session) showTableID(c *cursor) (*sqltypes.Result, error) {
	if err := s.needGlobal(core.AdminPriv, "ADMIN"); err != nil {
		return nil, err
	}
	t := c.next()
	id, err := strconv.ParseInt(t.Text, 10, 64)
	if err != nil || t.Kind != parser.Number {
		return nil, errSyntax(t.Text)
	}
	l := newListing("DbName", "TableName", "DbId")
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	if db, table, ok := s.server.core.TableByID(id); ok {
		l.add(db.Name, table.Name, db.ID)
	}
	return l.result(), c.finish()
}
