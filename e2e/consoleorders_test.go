package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// ordered is a job to which orders are given by clicks, and what the API and the clusters say of it then.
type ordered struct {
	*env
	*browserPage
	name string
}

// TestConsoleOrders gives in a browser the orders that change how a job runs and what its verification does, while it
// runs, and looks with the API and in the clusters that they have an effect.
func TestConsoleOrders(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{FEs: 2})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "orders"), fmt.Sprintf(duplicateTable, "d", "items"))
	e.enableBinlog("d", "orders", "items")
	e.exec("INSERT INTO d.orders VALUES (1, 'a'), (2, 'b'), (3, 'c')", "INSERT INTO d.items VALUES (1, 'a'), (2, 'b'), (3, 'c')")
	o := &ordered{env: e, name: e.createJob("d", "", "d", "")}
	e.awaitState(o.name, "DBIncrementalSync", "DBTablesIncrementalSync")
	o.browserPage = openBrowser(t, "http://"+e.ccr.API)
	for _, part := range []struct {
		name string
		give func(*ordered)
	}{
		{"addresses", (*ordered).addresses}, {"options", (*ordered).options}, {"credentials", (*ordered).credentials}, {"tables", (*ordered).tables},
		{"marks", (*ordered).marks}, {"verifications", (*ordered).verifications}, {"repair", (*ordered).repair}, {"schedule", (*ordered).schedule},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			e.T, o.browserPage.T = t, t
			part.give(o)
		}) {
			break
		}
	}
	e.T, o.browserPage.T = t, t
	e.requireFullSyncs(o.name, 1)
}

// detail is what job_detail says.
func (o *ordered) detail(path ...string) any {
	o.env.Helper()
	reply, err := o.ccr.Call(o.env.ctx, "job_detail", map[string]any{"name": o.name})
	require.NoError(o.env, err)
	return find(reply, path...)
}

// goesOn requires that rows still arrive.
func (o *ordered) goesOn(row int) {
	o.env.Helper()
	o.exec(fmt.Sprintf("INSERT INTO d.orders VALUES (%d, 'more')", row))
	o.awaitEqual(o.name, "d", "d")
}

// until waits for something that follows an order.
func (o *ordered) until(check func(context.Context) error) {
	o.env.Helper()
	require.NoError(o.env, harness.Await(o.env.ctx, catchUp, check))
}

// addresses are those of the second frontends from now on. Another cluster is refused, and what was typed stays.
func (o *ordered) addresses() {
	ports := func(c *harness.Cluster, side string) map[string]string {
		_, port, err := net.SplitHostPort(c.FE(1).MySQLAddr())
		require.NoError(o.env, err)
		_, thrift, err := net.SplitHostPort(c.FE(1).ThriftAddr())
		require.NoError(o.env, err)
		host, _, _ := net.SplitHostPort(c.FE(1).MySQLAddr())
		return map[string]string{"[name='" + side + ".host']": host, "[name='" + side + ".port']": port, "[name='" + side + ".thrift_port']": thrift}
	}
	was := o.detail("src", "port")
	o.order("addresses", o.name, ports(o.pair.Destination, "src"))
	o.see("is another cluster than the source of the job")
	require.Equal(o.env, was, o.detail("src", "port"))
	for side, cluster := range map[string]*harness.Cluster{"src": o.pair.Source, "dest": o.pair.Destination} {
		fields := ports(cluster, side)
		o.order("addresses", o.name, fields)
		o.see("Carried out: Addresses")
		require.Equal(o.env, fields["[name='"+side+".port']"], o.detail(side, "port"))
		require.Equal(o.env, fields["[name='"+side+".thrift_port']"], o.detail(side, "thrift_port"))
	}
	require.NoError(o.env, o.pair.Source.KillFE(0)) // the job does not need it any more
	o.browserPage.job(o.name, "")
	o.see("as root")
	require.NoError(o.env, o.pair.Source.RestartFE(0))
	o.goesOn(10)
}

func (o *ordered) options() {
	o.order("options", o.name, map[string]string{"#replication_num": "9"})
	o.see("replication_num 9 is more than the destination's")
	o.order("options", o.name, map[string]string{"#replication_num": "1", "#commit_order": "per_table"})
	o.see("Carried out: Options", "per_table")
	require.EqualValues(o.env, "1", o.detail("replication_num"))
	require.Equal(o.env, "per_table", o.detail("commit_order"))
	o.goesOn(11)
	o.order("options", o.name, map[string]string{"#replication_num": "", "#commit_order": "global"})
	o.see("Carried out: Options")
	require.Equal(o.env, "global", o.detail("commit_order"))
	o.order("options", o.name, nil)
	o.see("Nothing is to be changed.")
}

// credentials of another account: the old one may go.
func (o *ordered) credentials() {
	o.exec("CREATE USER 'other' IDENTIFIED BY 'its own'", "GRANT SELECT_PRIV, LOAD_PRIV, SHOW_VIEW_PRIV ON d.* TO 'other'")
	o.order("credentials", o.name, map[string]string{"[name='src.user']": "other", "[name='src.password']": "wrong"})
	o.see("Access denied")
	require.Equal(o.env, "root", o.detail("src", "user"))
	o.order("credentials", o.name, map[string]string{"[name='src.user']": "other", "[name='src.password']": "its own"})
	o.see("Carried out: Credentials", "as other")
	require.Equal(o.env, "other", o.detail("src", "user"))
	o.goesOn(12)
}

func (o *ordered) tables() {
	o.order("tables", o.name, map[string]string{"#exclude": "*_tmp"})
	o.see("Carried out: Tables")
	require.Equal(o.env, []any{"*_tmp"}, o.detail("exclude_tables"))
	o.exec(fmt.Sprintf(duplicateTable, "d", "one_tmp"), fmt.Sprintf(duplicateTable, "d", "later"))
	o.until(func(ctx context.Context) error {
		_, err := o.rowsOf(ctx, "later")
		return err
	})
	_, err := o.rowsOf(o.env.ctx, "one_tmp")
	require.Error(o.env, err, "it is excluded")
	o.order("tables", o.name, map[string]string{"#exclude": ""})
	o.see("Carried out: Tables")
	o.awaitEqual(o.name, "d", "d")
}

// marks are taken from the tables of the destination, and given back.
func (o *ordered) marks() {
	for _, c := range []struct{ action, label, want string }{{"desync", "Free the destination", "false"}, {"sync", "Mark the destination", "true"}} {
		o.order(c.action, o.name, nil)
		o.see("Carried out: " + c.label)
		var table, definition string
		require.NoError(o.env, o.dst.QueryRowContext(o.env.ctx, "SHOW CREATE TABLE d.orders").Scan(&table, &definition))
		require.Contains(o.env, definition, fmt.Sprintf(`"is_being_synced" = %q`, c.want))
	}
}

func (o *ordered) report() job.VerifyReport {
	o.env.Helper()
	r, err := o.ccr.VerifyReport(o.env.ctx, o.name)
	require.NoError(o.env, err)
	return r
}

// untilVerification waits until the verification is in a state.
func (o *ordered) untilVerification(wanted string) {
	o.until(func(context.Context) error {
		if state := o.report().State; state != wanted {
			return fmt.Errorf("the verification is %s", state)
		}
		return nil
	})
}

// verifications that read a row a second are paused, go on and are ended.
func (o *ordered) verifications() {
	o.order("verify", o.name, map[string]string{"#method": "rows", "#rate": "2", "#tables": "items orders"})
	o.see("Carried out: Verify", "A verification is under way")
	o.sound()
	o.click("Pause the verification")
	o.click("button.primary")
	o.see("Carried out: Pause the verification")
	o.untilVerification(job.VerifyPaused)
	o.browserPage.job(o.name, "verify")
	o.see("paused")
	o.sound()
	o.click("Resume the verification")
	o.click("button.primary")
	o.see("Carried out: Resume the verification")
	o.untilVerification(job.VerifyRunning)
	o.order("verify_cancel", o.name, nil)
	o.see("Carried out: End the verification")
	o.until(func(context.Context) error {
		if r := o.report(); r.EndedAt.IsZero() || r.Result() != "cancelled" {
			return fmt.Errorf("the verification is %s, %q", r.State, r.Result())
		}
		return nil
	})
	o.browserPage.job(o.name, "verify")
	o.see("Last verification", "cancelled")
}

// repair copies again what a verification has found to differ.
func (o *ordered) repair() {
	lost := damaged("drop", "2")
	lost.Database, lost.Table = "d", "items"
	_, err := o.pair.Destination.Damage(lost)
	require.NoError(o.env, err)
	o.order("verify", o.name, map[string]string{"#method": "rows", "#tables": "items"})
	o.see("Last verification", "different")
	o.sound()
	o.browserPage.job(o.name, "tables")
	o.await(`[...document.querySelectorAll("tbody tr")].some((r) => r.textContent.includes("items") && r.querySelector(".result.different"))`)
	o.browserPage.job(o.name, "verify")
	o.click("Repair")
	o.see("What is copied again", "items")
	o.sound()
	o.click("button.primary")
	o.see("Carried out: Repair", "repaired")
	o.awaitEqual(o.name, "d", "d")
}

// schedule makes the job be verified by itself, and not any more.
func (o *ordered) schedule() {
	every := func() any {
		reply, err := o.ccr.Call(o.env.ctx, "verify_status", map[string]any{"name": o.name})
		require.NoError(o.env, err)
		return find(reply, "schedule", "every")
	}
	o.order("schedule", o.name, map[string]string{"#every": "soon"})
	o.see("length of time")
	o.order("schedule", o.name, map[string]string{"#every": "24h", "#window": "01:00-05:00"})
	o.see("Carried out: Verify regularly", "24h")
	require.Contains(o.env, fmt.Sprint(every()), "24h")
	o.order("schedule", o.name, map[string]string{"#every": "0", "#window": ""})
	o.see("Carried out: Verify regularly")
	require.Nil(o.env, every())
}

// TestEachActionIsOrderedInABrowser: an action that is added to the console is ordered by one of these tests, too.
func TestEachActionIsOrderedInABrowser(t *testing.T) {
	t.Parallel()
	actions, err := os.ReadFile("../console/actions.go")
	require.NoError(t, err)
	tests := ""
	for _, file := range []string{"console_test.go", "consoleorders_test.go"} {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		tests += string(b)
	}
	found := regexp.MustCompile(`{Name: "(\w+)", Role: [\w.]+, Label: "([^"]+)"`).FindAllStringSubmatch(string(actions), -1)
	require.Greater(t, len(found), 15)
	for _, a := range found {
		require.True(t, strings.Contains(tests, `"Carried out: `+a[2]) || strings.Contains(tests, `"`+a[1]+`", "`+a[2]+`"`), "nobody sees that %s is carried out", a[1])
	}
}
