package ddl

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/backup"
)

func TestBackupStatements(t *testing.T) {
	f := newFixture(t)
	m := backup.New(f.core)
	t.Cleanup(m.Close)
	f.Executor = New(f.core, m)
	const prefix = "errCode = 2, detailMessage = "
	for sql, want := range map[string]string{
		"BACKUP SNAPSHOT nope.l TO `__keep_on_local__`":        "Unknown database 'nope'",
		"BACKUP SNAPSHOT l TO `__keep_on_local__` ON (t)":      "Unknown table 't'",
		"BACKUP SNAPSHOT l TO repo":                            "Repository repo does not exist",
		"BACKUP SNAPSHOT l TO `__keep_on_local__` ON (t AS u)": "Can not set alias for table in Backup Stmt: t",
		"CANCEL BACKUP":         "No backup job is currently running",
		"CANCEL RESTORE FROM s": "No restore is currently running",
		"BACKUP SNAPSHOT `s`.`l` TO `__keep_on_local__` ON (t,t)": "Duplicated table: t",
	} {
		require.EqualError(t, f.try(sql), prefix+want, sql)
	}
	require.ErrorContains(t, f.try("BACKUP SNAPSHOT l TO `__keep_on_local__` ON (s.t)"), "Cannot specify database name on backup objects: ")
}
