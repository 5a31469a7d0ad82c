package ddl

import (
	"context"

	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

func (e *Executor) backup(ctx context.Context, currentDB string, s *parser.Backup) error {
	db, err := e.databaseName(currentDB, s.Label.Database)
	if err != nil {
		return err
	}
	request := backup.BackupRequest{
		DB: db, Label: s.Label.Name, Repository: s.Repository, Exclude: s.Exclude, Properties: s.Properties,
	}
	for _, t := range s.Tables {
		if t.Table.Database != "" {
			return core.Errorf("Cannot specify database name on backup objects: %s. Specify database name before label", t.Table.Name)
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
