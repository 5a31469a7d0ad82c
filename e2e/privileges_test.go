package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// TestLeastPrivileges: accounts with what docs/security.md lists, and no more, run
// everything; for each privilege that is taken away check_ccr and create_ccr name
// it.
func TestLeastPrivileges(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(uniqueTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	e.exec("INSERT INTO d.t VALUES (1, 'a')", "INSERT INTO d.u VALUES (1, 'a', 1)")
	destination := func(statement string) {
		_, err := e.dst.ExecContext(e.ctx, statement)
		require.NoError(t, err, statement)
	}
	e.exec("CREATE USER ccr IDENTIFIED BY 'source pw'", "GRANT SELECT_PRIV, LOAD_PRIV ON internal.d.* TO ccr")
	destination("CREATE USER ccr IDENTIFIED BY 'destination pw'")
	destination("GRANT SELECT_PRIV, LOAD_PRIV, ALTER_PRIV, CREATE_PRIV, DROP_PRIV ON internal.d.* TO ccr")
	accounts := func(b map[string]any) {
		side(b, "src")["user"], side(b, "src")["password"] = "ccr", "source pw"
		side(b, "dest")["user"], side(b, "dest")["password"] = "ccr", "destination pw"
	}

	for _, privilege := range []string{"Select_priv", "Load_priv"} {
		e.exec("REVOKE " + strings.ToUpper(privilege) + " ON internal.d.* FROM ccr")
		e.refusedFor("source", privilege, accounts)
		e.exec("GRANT " + strings.ToUpper(privilege) + " ON internal.d.* TO ccr")
	}
	for _, privilege := range []string{"Select_priv", "Load_priv", "Alter_priv", "Create_priv", "Drop_priv"} {
		destination("REVOKE " + strings.ToUpper(privilege) + " ON internal.d.* FROM ccr")
		e.refusedFor("destination", privilege, accounts)
		destination("GRANT " + strings.ToUpper(privilege) + " ON internal.d.* TO ccr")
	}

	overall, lines := e.check(accounts)
	require.Equal(t, "warn", overall, "%v", lines)
	require.Contains(t, lines["source: frontend"].Detail, "without Admin_priv")
	require.Contains(t, lines["source: all frontends"].Detail, "may not list them")
	require.Contains(t, lines["destination: label memory"].Detail, "may not read the settings")
	require.Equal(t, "pass", lines["destination: privileges"].Status)

	body := map[string]any{"name": e.jobName(), "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}
	accounts(body)
	_, err := e.ccr.Call(e.ctx, "create_ccr", body)
	require.NoError(t, err)
	job := e.jobName()
	e.endWithTest(job)
	e.awaitEqual(job, "d", "d")
	e.exec("INSERT INTO d.t VALUES (2, 'b')", "ALTER TABLE d.t ADD COLUMN c INT", "INSERT INTO d.t VALUES (3, 'c', 3)",
		fmt.Sprintf(duplicateTable, "d", "w"), "INSERT INTO d.w VALUES (1, 'w')", "CREATE VIEW d.v AS SELECT id FROM d.t", "TRUNCATE TABLE d.u",
		"INSERT INTO d.u VALUES (2, 'b', 2)", "ALTER TABLE d.w RENAME x", "DROP VIEW d.v", "DELETE FROM d.t WHERE id = 1",
		"ALTER TABLE d.u MODIFY COLUMN n BIGINT", "INSERT INTO d.x VALUES (2, 'x')")
	e.awaitEqual(job, "d", "d")
	_, err = e.ccr.Call(e.ctx, "force_fullsync", map[string]any{"name": job})
	require.NoError(t, err)
	e.exec("INSERT INTO d.t VALUES (4, 'd', 4)")
	e.awaitEqual(job, "d", "d")
	_, err = e.ccr.Call(e.ctx, "desync", map[string]any{"name": job})
	require.NoError(t, err)
	s, err := e.ccr.Status(e.ctx, job)
	require.NoError(t, err)
	require.False(t, s.Stalled, s.LastError.Text)
}

// refusedFor expects that both calls name the side and the privilege, and how to
// grant it.
func (e *env) refusedFor(where, privilege string, accounts func(map[string]any)) {
	e.Helper()
	_, lines := e.check(accounts)
	line := lines[where+": privileges"]
	require.Equal(e, "fail", line.Status, "%s %s: %v", where, privilege, lines)
	require.Contains(e, line.Detail, privilege)
	require.Equal(e, "GRANT "+strings.ToUpper(privilege)+" ON internal.`d`.* TO \"ccr\"", line.Remedy)
	body := map[string]any{"name": e.jobName(), "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}
	accounts(body)
	_, err := e.ccr.Call(e.ctx, "create_ccr", body)
	require.ErrorContains(e, err, where+" cluster")
	require.ErrorContains(e, err, "lacks "+privilege)
}
