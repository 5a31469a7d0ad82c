package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// consoleToken is the token of a role in newConsoleEnv.
func consoleToken(role string) string { return "the-token-of-role-" + role }

// newConsoleEnv has a ccr-standalone that asks for tokens, and jobs in several states.
func newConsoleEnv(t *testing.T) *env {
	tokens := filepath.Join(t.TempDir(), "tokens")
	lines := ""
	for _, role := range []string{"read", "operate", "admin"} {
		lines += fmt.Sprintf("%s %s plain:%s\n", map[string]string{"read": "grafana", "operate": "maria", "admin": "ops"}[role], role, consoleToken(role))
	}
	require.NoError(t, os.WriteFile(tokens, []byte(lines), 0o600))
	e := newOwnEnv(t, harness.PairOptions{}, "--tokens-file", tokens)
	e.ccr.Token = consoleToken("admin")
	for _, d := range []string{"shop", "stock", "billing"} {
		e.exec("CREATE DATABASE "+d, fmt.Sprintf(duplicateTable, d, "orders"), fmt.Sprintf(duplicateTable, d, "items"))
		e.enableBinlog(d, "orders", "items")
		e.exec(fmt.Sprintf("INSERT INTO %s.orders VALUES (1, 'a')", d))
	}
	e.consoleJob("shop", "")
	e.consoleJob("stock", "")
	e.consoleJob("billing", "orders")
	_, err := e.ccr.Call(e.ctx, "pause", map[string]any{"name": "billing_orders"})
	require.NoError(t, err)
	// No backend of the source is in this mapping: the job stands at the next load.
	_, err = e.ccr.Call(e.ctx, "update_host_mapping", map[string]any{"name": "stock", "src_host_mapping": map[string]string{"172.168.1.1": "10.0.10.1"}})
	require.NoError(t, err)
	e.exec("INSERT INTO stock.orders VALUES (3, 'c')")
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, "stock")
		if err == nil && !s.Stalled {
			err = errors.New("job stock goes on")
		}
		return err
	}))
	return e
}

// consoleJob makes a job of a database or a table, and waits until it streams.
func (e *env) consoleJob(database, table string) {
	e.Helper()
	name := database
	if table != "" {
		name += "_" + table
	}
	_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name,
		"src": e.pair.Source.Spec(database, table), "dest": e.pair.Destination.Spec(database, table)})
	require.NoError(e, err)
	e.awaitState(name, "DBIncrementalSync", "DBTablesIncrementalSync", "TableIncrementalSync")
}

// TestConsole uses each page and each action in a real browser.
func TestConsole(t *testing.T) {
	t.Parallel()
	e := newConsoleEnv(t)
	p := openBrowser(t, "http://"+e.ccr.API)
	for _, part := range []struct {
		name string
		use  func(*env, *browserPage)
	}{
		{"login", consoleLogin},
		{"list", consoleList},
		{"pages of a job", consoleJobPages},
		{"actions", consoleActions},
		{"the last hour", consoleCharts},
		{"several jobs", consoleBulk},
		{"a new job", consoleNewJob},
		{"clusters", consoleClusters},
		{"without script", consoleWithoutScript},
		{"Chinese, on a phone, in the dark", consoleElsewhere},
		{"roles", consoleRoles},
		{"the end", consoleDelete},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			e.T, p.T = t, t
			part.use(e, p)
		}) {
			break
		}
	}
	e.T, p.T = t, t
}

func consoleLogin(_ *env, p *browserPage) {
	p.open("/console/job?name=shop&tab=tables")
	p.sound()
	p.logIn("wrong")
	p.see("This token is not known.")
	p.logIn(consoleToken("admin"))
	p.see("shop", "orders", "ops") // where the person wanted to go
	p.await(`document.cookie === ""`)
}

func consoleList(_ *env, p *browserPage) {
	p.open("/")
	p.see("shop", "stock", "billing_orders", "1 stalled", "1 paused", "1 running")
	p.await(`document.querySelector("tbody tr").textContent.includes("stock")`)
	p.sound()
	p.picture("jobs")
	// What somebody types finds jobs at once.
	p.do(chromedp.SendKeys("input[type=search]", "bill", chromedp.ByQuery))
	p.await(`document.querySelectorAll("tbody tr").length === 1 && location.search === "?q=bill"`)
	p.see("1 of 3 jobs")
	p.open("/?state=stalled")
	p.await(`document.querySelectorAll("tbody tr").length === 1`)
	// The keyboard alone: the first stop leads to the content, "/" to the search.
	p.open("/")
	p.do(chromedp.KeyEvent(kb.Tab))
	p.await(`document.activeElement.classList.contains("skip")`)
	p.do(chromedp.KeyEvent("/"))
	p.await(`document.activeElement.type === "search"`)
	p.open("/")
	p.reachable()
	// What is ticked stays ticked when the list renews itself.
	p.click(`input[value=shop]`)
	p.do(chromedp.Evaluate(`document.querySelector("#list").dataset.old = "yes"; htmx.ajax("GET", location.href, {target: "#list", select: "#list", swap: "outerHTML"}); 0`, nil))
	p.await(`!document.querySelector("#list").dataset.old && document.querySelector("input[value=shop]").checked`)
}

func consoleJobPages(_ *env, p *browserPage) {
	// What the clusters say of tables comes when somebody asks for it.
	p.job("shop", "tables")
	p.click(`a[href*="count=1"]`)
	p.see("1 rows", "minutes old", "last changed")
	p.job("shop", "")
	p.await(`document.querySelector("#copies").textContent.includes("full sync starts at commit seq")`)
	p.job("stock", "")
	p.see("The job cannot go on", "What helps:", "host mapping", "Latest events", "172.168.1.1")
	p.sound()
	p.picture("stalled")
	p.click("Actions")
	p.see("Copy everything", "Delete")
	p.reachable()
	p.job("shop", "tables")
	p.see("orders", "items", "follows")
	p.sound()
	p.job("shop", "events")
	p.see("full sync done")
	p.sound()
	p.job("shop", "verify")
	p.see("has not been verified yet")
	p.sound()
	p.open("/console/job?name=nobody")
	p.see("there is no such job")
	p.sound()
}

// consoleCharts looks at the last hour. A worker takes a sample every 15 s: most of that has passed.
func consoleCharts(e *env, p *browserPage) {
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.ccr.API+"/console/job?name=shop", nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+e.ccr.Token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err == nil && !bytes.Contains(page, []byte("<figure")) {
			err = fmt.Errorf("no chart yet, HTTP %d", resp.StatusCode)
		}
		return err
	}))
	p.job("shop", "")
	p.await(`document.querySelectorAll("figure.chart canvas").length === 3`)
	p.sound()
	p.picture("job")
	p.open("/")
	p.await(`document.querySelector("svg.line path")`)
}

// consoleActions orders everything that can be ordered, and looks that it happens.
func consoleActions(e *env, p *browserPage) {
	status := func(job string) harness.Status {
		e.Helper()
		s, err := e.ccr.Status(e.ctx, job)
		require.NoError(e, err)
		return s
	}
	await := func(what string, check func(context.Context) (bool, error)) {
		e.Helper()
		require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
			done, err := check(ctx)
			if err == nil && !done {
				err = errors.New("not yet: " + what)
			}
			return err
		}))
	}
	p.order("pause", "shop", nil)
	p.see("Carried out: Pause", "The job is paused")
	require.Equal(e, "paused", status("shop").State)
	p.click("Resume")
	p.see("Let shop go on?")
	p.click("button.primary")
	p.see("Carried out: Resume")
	require.Equal(e, "running", status("shop").State)

	p.order("partial_sync", "shop", map[string]string{})
	p.await(`location.pathname === "/console/do"`) // the browser wants a table first
	p.do(chromedp.Evaluate(`const s = document.querySelector("#table"); s.value = [...s.options].find((o) => o.text === "orders").value; 0`, nil))
	p.click("button.primary")
	p.see("Carried out: Copy a table")
	await("a partial sync", func(context.Context) (bool, error) { return status("shop").PartialSyncs == 1, nil })
	p.order("full_sync", "shop", nil)
	p.see("Carried out: Copy everything")
	await("a full sync", func(context.Context) (bool, error) {
		s := status("shop")
		return s.FullSyncs == 2 && s.Phase == "stream", nil
	})

	p.order("tables", "shop", map[string]string{"#exclude": "*_tmp"})
	p.see("Carried out: Tables", "exclude_tables", "*_tmp")
	p.order("desync", "shop", nil)
	p.see("Carried out: Free the destination")
	p.order("sync", "shop", nil)
	p.see("Carried out: Mark the destination")

	p.order("verify", "shop", nil)
	p.see("Carried out: Verify", "Last verification", "equal")
	p.sound()
	p.order("repair", "shop", nil)
	p.see("has left nothing to repair") // refused, with the reason
	p.order("schedule", "shop", map[string]string{"#every": "24h", "#window": "01:00-05:00"})
	p.see("24h")
	p.order("verify_cancel", "shop", nil)
	p.see("no verification of job shop is running")

	// The job that stands at a binlog: the binlog is shown, left out, and what it lacks is copied again.
	p.job("stock", "")
	p.click("Leave this binlog out")
	p.see("The binlog", "UPSERT at commit seq", "missing rows")
	p.picture("skip")
	p.click("button.primary")
	p.see("Carried out: Leave a binlog out")
	p.order("hosts", "stock", map[string]string{"#src": ""})
	p.see("Carried out: Host mapping")
	await("job stock goes on", func(context.Context) (bool, error) { return !status("stock").Stalled, nil })
	var rows int
	require.NoError(e, e.dst.QueryRowContext(e.ctx, "SELECT COUNT(*) FROM stock.orders WHERE id = 3").Scan(&rows))
	require.Zero(e, rows, "the load was left out")
	p.order("hosts", "stock", map[string]string{"#src": "nonsense"})
	p.see("private address = public address: nonsense")
}

// consoleNewJob fills in the form: the checks beside it say what is wrong, and then that nothing is.
func consoleNewJob(e *env, p *browserPage) {
	e.exec("CREATE DATABASE crm", fmt.Sprintf(duplicateTable, "crm", "people"))
	p.open("/")
	p.click("New job")
	p.see("Nothing is changed by that.")
	p.sound()
	p.click("More")
	p.reachable()
	for side, cluster := range map[string]*harness.Cluster{"src": e.pair.Source, "dest": e.pair.Destination} {
		spec := cluster.Spec("crm", "")
		for _, key := range []string{"host", "port", "thrift_port", "user", "database"} {
			p.fill("input[name='"+side+"."+key+"']", fmt.Sprint(spec[key]))
		}
	}
	// One types the last field, and leaves it.
	p.do(chromedp.SendKeys("#name", "crm"+kb.Tab, chromedp.ByQuery))
	p.await(`document.querySelector("#check .result.fail") && document.querySelector("#check").innerText.includes("binlog")`)
	p.see("password_env: SRC_PASSWORD", "create_ccr -d")
	p.sound()
	p.picture("new")
	e.enableBinlog("crm", "people")
	p.do(chromedp.Evaluate(`document.querySelector("form[data-check]").dispatchEvent(new Event("change")); 0`, nil))
	p.await(`document.querySelector("#check .result.pass") && !document.querySelector("#check li.fail")`)
	p.click("Create")
	p.see("crm", "Latest events", "Actions")
	e.awaitState("crm", "DBIncrementalSync", "DBTablesIncrementalSync")
	p.order("credentials", "crm", map[string]string{"[name='src.user']": "nobody"})
	p.see("nothing is changed") // refused: nobody can log in so
	p.order("credentials", "crm", map[string]string{"[name='src.user']": "root"})
	p.see("Carried out: Credentials")
	p.order("delete", "crm", map[string]string{"#typed": "crm"})
	p.see("Carried out: Delete, crm")
}

func consoleClusters(_ *env, p *browserPage) {
	p.open("/console/clusters")
	p.see("frontend", "backend", "reached", "How long binlogs are kept", "shop", "stock")
	p.sound()
	p.picture("clusters")
}

func consoleBulk(e *env, p *browserPage) {
	p.open("/?sort=name")
	p.click("input[value=shop]")
	p.click("input[value=stock]")
	p.click("button[value=pause]")
	p.see("Pause 2 jobs?", "shop", "stock")
	p.sound()
	p.click("button.primary")
	p.see("Carried out: Pause", "3 paused")
	states := func(want map[string]string) {
		e.Helper()
		for name, state := range want {
			s, err := e.ccr.Status(e.ctx, name)
			require.NoError(e, err)
			require.Equal(e, state, s.State, name)
		}
	}
	states(map[string]string{"shop": "paused", "stock": "paused", "billing_orders": "paused"})
	p.open("/?q=sto")
	p.click("input[name=all]")
	p.click("button[value=resume]")
	p.see("Let 1 jobs go on?")
	p.click("button.primary")
	p.see("Carried out: Resume", "2 paused")
	states(map[string]string{"shop": "paused", "stock": "running", "billing_orders": "paused"})
}

// consoleWithoutScript does without script what can be done without.
func consoleWithoutScript(_ *env, p *browserPage) {
	p.withoutScript(true)
	defer p.withoutScript(false)
	for path, text := range map[string]string{
		"/console/job?name=shop": "Latest events", "/console/job?name=shop&tab=tables": "orders", "/console/job?name=shop&tab=events": "full sync done",
		"/console/job?name=shop&tab=verify": "Last verification", "/console/clusters": "How long binlogs are kept", "/console/new": "As a file for", "/console/do?action=verify&name=shop": "What will happen",
	} {
		p.open(path)
		p.do(chromedp.WaitVisible(`//*[contains(text(), "`+text+`")]`, chromedp.BySearch))
	}
	p.open("/")
	p.do(chromedp.WaitVisible("table.jobs", chromedp.ByQuery))
	p.do(chromedp.SetValue("input[type=search]", "shop", chromedp.ByQuery), chromedp.Click("form.filter button", chromedp.ByQuery),
		chromedp.WaitVisible(`//p[contains(., "1 of 3 jobs")]`, chromedp.BySearch))
	p.do(chromedp.Click("tbody th a", chromedp.ByQuery), chromedp.WaitVisible(`//h2[contains(., "The job is paused")]`, chromedp.BySearch),
		chromedp.Click(".notice a.button", chromedp.ByQuery), chromedp.WaitVisible(`//h1[contains(., "Let shop go on?")]`, chromedp.BySearch),
		chromedp.Click("button.primary", chromedp.ByQuery), chromedp.WaitVisible(`//p[contains(., "Carried out: Resume")]`, chromedp.BySearch))
}

func consoleElsewhere(_ *env, p *browserPage) {
	p.onPhone(true)
	p.inTheDark(true)
	p.open("/")
	p.sound()
	p.picture("phone")
	p.job("shop", "")
	p.sound()
	p.picture("phone-job")
	p.job("shop", "tables")
	p.sound()
	p.order("verify", "shop", nil)
	p.see("Last verification")
	p.sound()
	p.onPhone(false)
	p.open("/")
	p.click("中文")
	p.see("任务", "运行中", "落后时间")
	p.sound()
	p.picture("dark-chinese")
	p.click("English")
	p.see("Jobs", "running")
	p.inTheDark(false)
}

func consoleRoles(e *env, p *browserPage) {
	p.open("/")
	p.click("Log out")
	p.logIn(consoleToken("operate"))
	p.see("maria")
	p.open("/console/do?action=delete&name=shop")
	p.see("token maria has the role operate, this needs admin")
	p.open("/")
	p.click("Log out")
	p.logIn(consoleToken("read"))
	p.see("grafana", "shop")
	p.await(`!document.querySelector("input[type=checkbox]")`)
	for _, tab := range []string{"", "tables", "events", "verify"} {
		p.job("shop", tab)
		p.see("Overview")
		p.lacks("Actions")
		// Nothing but the search and the way out can be sent, and no link leads to an order.
		p.await(`!document.querySelector("form[method=post]:not([action$=logout]), a[href*='console/do']")`)
	}
	p.lacks("New job")
	p.open("/console/new")
	p.see("this needs admin")
	consoleForged(e, p)
	p.open("/")
	p.click("Log out")
	p.logIn(consoleToken("admin"))
	p.see("ops")
}

// consoleForged sends orders that no page of this reader offers: with the code of another form, and without any.
func consoleForged(e *env, p *browserPage) {
	before, err := e.ccr.Status(e.ctx, "stock")
	require.NoError(e, err)
	require.Equal(e, "running", before.State)
	for _, token := range []string{"document.querySelector('[name=form_token]').value", "'made up'"} {
		for path, form := range map[string]string{"do": "action: 'pause', name: 'stock'", "bulk": "action: 'pause', job: 'stock', sure: 'yes'", "new": "do: 'create', name: 'x'"} {
			p.do(chromedp.Evaluate("window.answer = 0; fetch('/console/"+path+"', { method: 'POST', body: new URLSearchParams({ form_token: "+token+", "+form+" }) }).then((r) => { window.answer = r.status; }); 0", nil))
			p.await("window.answer")
			p.await("window.answer === 403")
		}
	}
	after, err := e.ccr.Status(e.ctx, "stock")
	require.NoError(e, err)
	require.Equal(e, "running", after.State)
}

func consoleDelete(e *env, p *browserPage) {
	p.order("delete", "billing_orders", map[string]string{"#typed": "another"})
	p.see("so that it is surely this one")
	p.order("delete", "billing_orders", map[string]string{"#typed": "billing_orders"})
	p.see("Carried out: Delete, billing_orders")
	_, err := e.ccr.Status(e.ctx, "billing_orders")
	require.ErrorContains(e, err, "not exist")
}
