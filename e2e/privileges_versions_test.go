package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// TestDocumentedPrivilegesInEveryVersion: accounts with what docs/security.md
// lists, and administrators, run a job from create_ccr over full sync, DDL, a
// crash and a partial sync to delete, whichever way tells what is applied.
func TestDocumentedPrivilegesInEveryVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []core.Version{core.VersionNew, core.Version30, core.Version21, core.VersionM24} {
		for name, admin := range map[string]bool{"administrator": true, "least privileges": false} {
			t.Run(fmt.Sprintf("%s %s", version, name), func(t *testing.T) {
				t.Parallel()
				e := newOwnEnv(t, harness.PairOptions{BEs: 1, Version: version})
				e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(uniqueTable, "d", "u"), "INSERT INTO d.t VALUES (1, 'a')")
				e.enableBinlog("d", "t", "u")
				e.accounts(admin)
				job := e.createJobAs(admin)
				e.awaitEqual(job, "d", "d")

				e.exec("INSERT INTO d.t VALUES (2, 'b')", "ALTER TABLE d.t ADD COLUMN c INT", "INSERT INTO d.t VALUES (3, 'c', 3)",
					"TRUNCATE TABLE d.u", "INSERT INTO d.u VALUES (2, 'b', 2)", fmt.Sprintf(duplicateTable, "d", "w"), "INSERT INTO d.w VALUES (1, 'w')")
				e.awaitEqual(job, "d", "d")
				for i := range 10 {
					e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'd', 4)", 10+i))
				}
				e.ccr.Kill()
				e.exec("INSERT INTO d.t VALUES (30, 'e', 5)")
				require.NoError(t, e.ccr.Start(e.ctx))
				e.awaitEqual(job, "d", "d")

				e.exec("ALTER TABLE d.u MODIFY COLUMN n BIGINT", "INSERT INTO d.u VALUES (5, 'f', 6)") // a partial sync
				e.awaitEqual(job, "d", "d")
				e.requireFullSyncs(job, 1)
				_, err := e.ccr.Call(e.ctx, "delete", map[string]any{"name": job})
				require.NoError(t, err)
			})
		}
	}
}
