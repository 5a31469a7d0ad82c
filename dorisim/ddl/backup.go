package ddl

import (
	"cmp"
	"context"

	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

func (e *Executor) backup(ctx context.Context, currentDB string, s *parser.Backup) error {
	database := cmp.Or(s.Label.Database, currentDB)
	if database == "" {
		return core.CodeErrorf(codeNoDatabase, "No database selected")
	}
	request := backup.BackupRequest{
		DB: database, Label: s.Label.Name, Repository: s.Repository, Exclude: s.Exclude, Properties: s.Properties,
	}
	for _, t := range s.Tables {
		if t.Table.Database != "" {
			return core.CodeErrorf(backup.CodeRefused, "Cannot specify database name on backup objects: %s. Specify database name before label", t.Table.Name)
		}
		request.Tables = append(request.Tables, backup.TableRef{
			Name: t.Table.Name, Alias: t.Alias, Partitions: t.Partitions, TemporaryPartitions: t.TemporaryPartitions,
		})
	}
	return e.backups.Backup(ctx, request)
}

func (e *Executor) cancelBackup(currentDB string, s *parser.CancelBackup) error {
	db, err := e.databaseName(currentDB, s.Database)
	if err != nil {
		return err
	}
	if s.Restore {
		return e.backups.CancelRestore(db)
	}
	return e.backups.CancelBackup(db)
}

// databaseName returns the name of an existing database, the current one for "".
func (e *Executor) databaseName(currentDB, name string) (string, error) {
	e.core.RLock()
	defer e.core.RUnlock()
	db, err := e.database(currentDB, name)
	if err != nil {
		return "", err
	}
	return db.Name, nil
}
