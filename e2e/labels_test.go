package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// TestLabelsThatAreForgotten: a destination that remembers a hundred loads has
// forgotten those that a killed process has applied and not reported. Nothing is
// applied twice (architecture.md 4.2). An account without Admin_priv cannot list
// transactions, and may not read how many are remembered.
func TestLabelsThatAreForgotten(t *testing.T) {
	for name, admin := range map[string]bool{"administrator": true, "least privileges": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newOwnEnv(t, harness.PairOptions{Version: core.VersionM24})
			e.execDestination(`ADMIN SET FRONTEND CONFIG ("label_num_threshold" = "100")`)
			e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), "INSERT INTO d.t VALUES (0, 'first')")
			e.enableBinlog("d", "t")
			e.accounts(admin)
			job := e.createJobAs(admin)
			e.awaitEqual(job, "d", "d")
			e.execDestination(fmt.Sprintf(duplicateTable, "d", "other"))

			for i := range 8 {
				e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'x')", i+1))
			}
			require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
				if n := rowsOf(ctx, e.dst); n < 9 {
					return fmt.Errorf("%d rows", n)
				}
				return nil
			}))
			e.ccr.Kill()
			for i := range 160 {
				e.execDestination(fmt.Sprintf("INSERT INTO d.other VALUES (%d, 'y')", i))
			}
			e.exec("INSERT INTO d.t VALUES (100, 'after')")
			require.NoError(t, e.ccr.Start(e.ctx))
			e.awaitThat(job, func(ctx context.Context) error {
				if got := rowsOf(ctx, e.dst); got != 10 {
					return fmt.Errorf("%d rows, not 10", got)
				}
				return nil
			})
			e.exec("INSERT INTO d.t VALUES (101, 'later')")
			e.awaitThat(job, func(ctx context.Context) error {
				if got := rowsOf(ctx, e.dst); got != 11 {
					return fmt.Errorf("%d rows, not 11", got)
				}
				return nil
			})
			e.requireFullSyncs(job, 1)
		})
	}
}

// rowsOf counts the rows of d.t, -1 if they cannot be read.
func rowsOf(ctx context.Context, db *sql.DB) (n int) {
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM d.t").Scan(&n); err != nil {
		return -1
	}
	return n
}

// accounts makes the account ccr on both sides, with what docs/security.md lists
// for the database d, or with Admin_priv.
func (e *env) accounts(admin bool) {
	e.Helper()
	source, destination := "GRANT SELECT_PRIV, LOAD_PRIV ON internal.d.* TO ccr", "GRANT SELECT_PRIV, LOAD_PRIV, ALTER_PRIV, CREATE_PRIV, DROP_PRIV ON internal.d.* TO ccr"
	if admin {
		source, destination = "GRANT ADMIN_PRIV ON *.*.* TO ccr", "GRANT ADMIN_PRIV ON *.*.* TO ccr"
	}
	e.exec("CREATE USER ccr IDENTIFIED BY 'source pw'", source)
	e.execDestination("CREATE USER ccr IDENTIFIED BY 'destination pw'", destination)
}

// asAccount gives a body the accounts of accounts.
func asAccount(b map[string]any) {
	side(b, "src")["user"], side(b, "src")["password"] = "ccr", "source pw"
	side(b, "dest")["user"], side(b, "dest")["password"] = "ccr", "destination pw"
}

// createJobAs creates a job for the database d with the accounts of accounts.
// check_ccr says before which way tells what is applied.
func (e *env) createJobAs(admin bool) string {
	e.Helper()
	_, lines := e.check(asAccount)
	require.Equal(e, "pass", lines["destination: transactions"].Status, "%v", lines)
	if admin {
		require.Contains(e, lines["destination: transactions"].Detail, "may list them")
	}
	body := map[string]any{"name": e.jobName(), "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}
	asAccount(body)
	_, err := e.ccr.Call(e.ctx, "create_ccr", body)
	require.NoError(e, err)
	e.endWithTest(e.jobName())
	return e.jobName()
}
