package pair

import (
	"context"
	"fmt"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// Guard makes the job ask before each change of the destination, and before each
// snapshot on the source, whether it may still be made: a process can stand still
// between any two lines, and when it goes on, another attempt at the step may be
// over and later binlogs applied. A TRUNCATE or a restore that is repeated then
// would lose rows (architecture.md 4.5). Shifts have their own way (mayCommit).
func (j *Job) Guard(may func(context.Context) error) {
	for _, c := range []*Cluster{j.Source, j.Destination} {
		c.SQL = guardedSQL{Database: c.SQL, may: may}
		c.FE = guardedFE{Frontend: c.FE, may: may}
	}
}

// guardedSQL asks before every statement that changes something.
type guardedSQL struct {
	Database
	may func(context.Context) error
}

func (g guardedSQL) do(ctx context.Context, what string, act func() error) error {
	if err := g.may(ctx); err != nil {
		return fmt.Errorf("not sent: %s: %w", what, err)
	}
	return act()
}

func (g guardedSQL) Exec(ctx context.Context, statement string) error {
	return g.do(ctx, statement, func() error { return g.Database.Exec(ctx, statement) })
}

func (g guardedSQL) ExecWith(ctx context.Context, set sqlclient.Setting, statement string) error {
	return g.do(ctx, statement, func() error { return g.Database.ExecWith(ctx, set, statement) })
}

func (g guardedSQL) CreateDatabase(ctx context.Context, db string) error {
	return g.do(ctx, "CREATE DATABASE "+db, func() error { return g.Database.CreateDatabase(ctx, db) })
}

func (g guardedSQL) DropTable(ctx context.Context, db, table string) error {
	return g.do(ctx, "DROP TABLE "+table, func() error { return g.Database.DropTable(ctx, db, table) })
}

func (g guardedSQL) DropView(ctx context.Context, db, view string) error {
	return g.do(ctx, "DROP VIEW "+view, func() error { return g.Database.DropView(ctx, db, view) })
}

func (g guardedSQL) CancelBackup(ctx context.Context, db string) error {
	return g.do(ctx, "CANCEL BACKUP", func() error { return g.Database.CancelBackup(ctx, db) })
}

func (g guardedSQL) CancelRestore(ctx context.Context, db string) error {
	return g.do(ctx, "CANCEL RESTORE", func() error { return g.Database.CancelRestore(ctx, db) })
}

// guardedFE asks before a restore.
type guardedFE struct {
	Frontend
	may func(context.Context) error
}

func (g guardedFE) RestoreSnapshot(ctx context.Context, req fe.RestoreRequest) error {
	if err := g.may(ctx); err != nil {
		return fmt.Errorf("not sent: restore %s: %w", req.Label, err)
	}
	return g.Frontend.RestoreSnapshot(ctx, req)
}
