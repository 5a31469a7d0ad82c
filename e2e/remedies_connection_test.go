package e2e

import (
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// Servers that do not answer, or refuse the account.
func connectionRemedies() []remedyRow {
	const (
		unreachable = "### It cannot reach a server (`rpc`)"
		denied      = "### Access denied"
	)
	// started is a server of the destination that is down and is started again.
	started := func(name, text, help string, kill, start func(*harness.Pair) error) remedyRow {
		return remedyRow{name: name, helps: []string{help}, pages: []string{unreachable},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				require.NoError(t, kill(t.pair))
				t.exec(after)
				t.stands(text, t.row.helps[0])
				require.NoError(t, start(t.pair))
				t.goesOn()
			}}
	}
	return []remedyRow{
		started("a frontend is started", "connect", "check that the server runs and can be reached from here",
			func(p *harness.Pair) error { return p.Destination.KillFE(0) }, func(p *harness.Pair) error { return p.Destination.RestartFE(0) }),
		started("a backend is started", "destination backend", "bring the backend in the text back",
			func(p *harness.Pair) error { return p.Destination.KillBE(0) }, func(p *harness.Pair) error { return p.Destination.RestartBE(0) }),
		{name: "the way between the backends is opened", helps: []string{"check that the destination's backend can reach the source's at the address in the text"}, pages: []string{"### The destination's backend cannot fetch from the source's (`be`)"},
			play: func(t *trouble) {
				t.tables("t")
				t.replicate()
				closed := t.fault(t.pair.Source, faults.Rule{Point: "be.http.binlog", Action: faults.DropBefore})
				t.exec(after)
				t.stands("HTTP_ERROR", t.row.helps[0])
				closed.end()
				t.goesOn()
			}},
		{name: "the new address of the frontend is told", helps: []string{"or with update_hosts that of the frontend which the job names"}, pages: []string{unreachable},
			play: func(t *trouble) {
				public, err := t.pair.Destination.Publish()
				require.NoError(t, err)
				t.tables("t")
				t.account()
				dest := t.pair.Destination.Spec("d", "")
				own := dest["host"]
				dest["host"], dest["user"], dest["password"] = public.Spec("d", "")["host"], "ccr", "old"
				t.createJobOf(t.jobName(), map[string]any{"dest": dest, "allow_table_exists": true})
				t.follows()
				public.Close()
				t.exec(after)
				t.stands("connect", t.row.helps[0])
				t.order(t.said("update_hosts"), map[string]any{"dest": map[string]any{"host": own}})
				t.goesOn()
			}},
		{name: "the old password is given back", helps: []string{"check the user's password and privileges on both clusters"}, pages: []string{denied},
			play: func(t *trouble) {
				t.lockedOut()
				t.execDestination("SET PASSWORD FOR 'ccr' = PASSWORD('old')")
				t.goesOn()
			}},
		{name: "the new password is told", helps: []string{"update_credentials tells the job a new password"}, pages: []string{denied},
			play: func(t *trouble) {
				t.lockedOut()
				t.order(t.said("update_credentials"), map[string]any{"dest": map[string]any{"password": "new"}})
				t.goesOn()
			}},
		{name: "a privilege is granted again", helps: []string{"check_ccr names what is missing"}, pages: []string{denied},
			play: func(t *trouble) {
				t.asAccount()
				t.execDestination("REVOKE LOAD_PRIV ON d.* FROM 'ccr'")
				t.exec(after)
				t.stands("denied", t.row.helps[0])
				overall, lines := t.check(func(body map[string]any) {
					body["name"], body["allow_table_exists"] = t.jobName()+"_check", true
					dest := side(body, "dest")
					dest["user"], dest["password"] = "ccr", "old"
				})
				require.Equal(t, "fail", overall)
				t.remedy = lines["destination: privileges"].Remedy
				t.follow(t.dst, "GRANT .*")
				t.goesOn()
			}},
	}
}

// asAccount runs a job with an account of its own on the destination.
func (t *trouble) asAccount() {
	t.Helper()
	t.tables("t")
	t.account()
	t.createAs(t.jobName(), "old")
	t.follows()
}

// account makes the account, with what a job needs on the destination.
func (t *trouble) account() {
	t.Helper()
	t.execDestination("CREATE USER 'ccr' IDENTIFIED BY 'old'", "CREATE DATABASE d",
		"GRANT SELECT_PRIV, LOAD_PRIV, ALTER_PRIV, CREATE_PRIV, DROP_PRIV, SHOW_VIEW_PRIV ON d.* TO 'ccr'")
}

func (t *trouble) createAs(name, password string) {
	t.Helper()
	dest := t.pair.Destination.Spec("d", "")
	dest["user"], dest["password"] = "ccr", password
	t.createJobOf(name, map[string]any{"dest": dest, "allow_table_exists": true})
}

// lockedOut changes the password of a job's account.
func (t *trouble) lockedOut() {
	t.Helper()
	t.asAccount()
	t.execDestination("SET PASSWORD FOR 'ccr' = PASSWORD('new')")
	t.exec(after)
	t.stands("denied", t.row.helps[0])
}
