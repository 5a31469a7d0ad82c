// Package ddl executes Doris' DDL on the simulated cluster, writes the binlogs
// that follow from it (doris-binlogs.md 2), and prints SHOW CREATE texts
// (doris-sql.md 3).
package ddl

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/alter"
	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// MySQL error codes (doris-sql.md 1.4).
const (
	codeDatabaseExists    = 1007
	codeDatabaseMissing   = 1008
	codeNoDatabase        = 1046
	codeTableExists       = 1050 // of RECOVER: CREATE has 1105
	codeUnknownDatabase   = 1049
	codeUnknownTable      = 1051
	codeUnknownInDatabase = 1109
	codeDuplicateColumn   = 1060
	codeWrongDatabaseName = 1102
	codeWrongTableName    = 1103
	codeWrongColumnName   = 1166
	codeWrongKind         = 1347
	codePartitionList     = 1507
	codeDuplicatePart     = 1517
	codeWrongPartName     = 1567
	codeTableNameTooLong  = 5089
)

// Executor runs statements on a Core. It is safe for concurrent use: every
// statement holds the metadata lock for as long as it changes something.
type Executor struct {
	core    *core.Core
	backups *backup.Manager
	alters  *alter.Manager
	objects objects
}

// New returns an executor; m runs BACKUP and CANCEL and may be nil where these
// are not needed.
func New(c *core.Core, m *backup.Manager) *Executor {
	return &Executor{core: c, backups: m, alters: alter.New(c)}
}

// Alters are the asynchronous ALTER jobs.
func (e *Executor) Alters() *alter.Manager { return e.alters }

// Exec runs one statement in the session's current database ("" = none), with the
// defaults of all session variables. Its errors are *core.Error.
func (e *Executor) Exec(ctx context.Context, currentDB string, stmt parser.Statement) error {
	return e.ExecAllowing(ctx, currentDB, stmt, parser.SessionFlags{})
}

// ExecAllowing is Exec for a session that allows more.
func (e *Executor) ExecAllowing(ctx context.Context, currentDB string, stmt parser.Statement, flags parser.SessionFlags) error {
	parser.Allow(stmt, flags)
	err := e.checkNames(stmt, flags)
	if err == nil {
		err = e.checkTypes(stmt)
	}
	if err == nil {
		err = e.exec(ctx, currentDB, stmt)
	}
	var refusal *core.Error
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	return core.Errorf("%s", err.Error())
}

func (e *Executor) exec(ctx context.Context, currentDB string, stmt parser.Statement) error {
	switch s := stmt.(type) {
	case *parser.CreateDatabase:
		return e.createDatabase(s)
	case *parser.DropDatabase:
		return e.dropDatabase(s)
	case *parser.AlterDatabase:
		return e.alterDatabase(s)
	case *parser.CreateTable:
		return e.createTable(currentDB, s)
	case *parser.CreateTableLike:
		return e.createTableLike(currentDB, s)
	case *parser.DropTable:
		return e.dropTable(currentDB, s)
	case *parser.TruncateTable:
		return altering(e, currentDB, s.Table, s, e.truncateTable)
	case *parser.AlterTable:
		return altering(e, currentDB, s.Table, s, e.alterTable)
	case *parser.BuildIndex:
		return altering(e, currentDB, s.Table, s, e.buildIndex)
	case *parser.CancelAlter:
		return e.cancelAlter(currentDB, s)
	case *parser.CreateRollupView:
		return altering(e, currentDB, s.Table, s, e.createRollupView)
	case *parser.DropRollupView:
		return altering(e, currentDB, s.Table, s, e.dropRollupView)
	case *parser.CreateView:
		return e.createView(currentDB, s)
	case *parser.AlterView:
		return e.alterView(currentDB, s)
	case *parser.DropView:
		return e.dropView(currentDB, s)
	case *parser.CreateMaterializedView:
		return e.createMaterialized(currentDB, s)
	case *parser.DropMaterializedView:
		return e.dropMaterialized(currentDB, s)
	case *parser.AlterMaterializedView:
		return e.alterMaterialized(currentDB, s)
	case *parser.TouchMaterializedView:
		return e.touchMaterialized(currentDB, s)
	case *parser.ObjectStatement:
		return e.object(currentDB, s)
	case *parser.RepositoryStatement:
		return repository(s)
	case *parser.Backup:
		return e.backup(ctx, currentDB, s)
	case *parser.CancelBackup:
		return e.cancelBackup(currentDB, s)
	case *parser.AdminSetConfig:
		for key, value := range s.Config {
			e.core.SetFEConfig(key, value)
		}
		return nil
	case *parser.AdminSetReplica:
		return e.setReplica(s)
	case *parser.AlterSystem:
		return e.alterSystem(s)
	case *parser.Recover:
		return e.recover(currentDB, s)
	case *parser.Sync:
		return nil
	}
	return core.Errorf("%T is not supported", stmt)
}

// database resolves the database of a name. It needs the lock.
func (e *Executor) database(currentDB, name string) (*catalog.Database, error) {
	if name == "" {
		name = currentDB
	}
	if name == "" {
		return nil, core.CodeErrorf(codeNoDatabase, "No database selected")
	}
	db, ok := e.core.Database(name)
	if !ok {
		return nil, core.CodeErrorf(codeUnknownDatabase, "Unknown database '%s'", name)
	}
	return db, nil
}

// table resolves a table that is no view. It needs the lock.
func (e *Executor) table(currentDB string, name parser.Name, verb string) (*catalog.Database, *catalog.Table, error) {
	db, err := e.database(currentDB, name.Database)
	if err != nil {
		return nil, nil, err
	}
	t, err := olapTable(db, name.Name, verb)
	return db, t, err
}

// altering runs a statement on a table that may be altered, holding the lock.
func altering[S any](e *Executor, currentDB string, name parser.Name, statement S, run func(*catalog.Database, *catalog.Table, S) error) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, t, err := e.table(currentDB, name, "ALTER")
	if err != nil {
		return err
	}
	if err := core.CheckAlter(t); err != nil {
		return err
	}
	return run(db, t, statement)
}

// olapTable returns a table of db that is no view; verb is the statement that a
// refused view would need instead.
func olapTable(db *catalog.Database, name, verb string) (*catalog.Table, error) {
	t, ok := db.Tables[name]
	if !ok {
		return nil, unknownTable(name)
	}
	if t.Kind == catalog.View {
		return nil, wrongKind(db, name, "TABLE", verb+" VIEW")
	}
	return t, nil
}

func unknownTable(name string) error {
	return core.CodeErrorf(codeUnknownTable, "Unknown table '%s'", name)
}

func wrongKind(db *catalog.Database, name, wanted, instead string) error {
	return core.CodeErrorf(codeWrongKind, "'%s.%s' is not %s. Use '%s %s.%s'.", db.Name, name, wanted, instead, db.Name, name)
}

// notYet refuses what the simulator understands and does not carry out.
func notYet(format string, args ...any) error {
	return core.Errorf("%s is not supported by dorisim yet", fmt.Sprintf(format, args...))
}

// pendingVersions tells whether a committed transaction of one of the
// partitions is not visible yet.
func pendingVersions(partitions ...*catalog.Partition) bool {
	return slices.ContainsFunc(partitions, func(p *catalog.Partition) bool { return p.NextVersion > p.VisibleVersion+1 })
}
