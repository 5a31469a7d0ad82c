package console

import (
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/job"
)

// withTables is a backend with a job that is well, one that stands at a binlog, and a table job.
func withTables() *fakeBackend {
	p := job.Progress{Tables: map[int64]job.Table{7: {Name: "orders", DestID: 17}, 8: {Name: "v", View: true}}}
	return &fakeBackend{
		jobs: []Job{makeJob("good", func(j *Job) {
			j.Spec.Exclude, j.Spec.Source.HostMapping = []string{"*_tmp"}, map[string]string{"10.1.1.1": "1.1.1.1", "10.1.1.2": "1.1.1.2"}
		}), makeJob("stuck", stalled), makeJob("one", func(j *Job) { j.Spec.Source.Table, j.Spec.Destination.Table = "t", "t" })},
		progress: map[string]job.Progress{"good": p, "stuck": p},
	}
}

// TestEveryActionAsksAndActs: its page says what will happen, its form sends the order.
func TestEveryActionAsksAndActs(t *testing.T) {
	cases := map[string]struct {
		job  string
		form url.Values
		want string
	}{
		"pause":        {want: "pause good"},
		"resume":       {job: "stuck", want: "resume stuck"},
		"skip":         {job: "stuck", form: url.Values{"commit_seq": {"101"}}, want: "skip stuck {SkipBy:silence SkipCommitSeq:101 SkipTable: SkipTableID:0}"},
		"partial_sync": {form: url.Values{"table": {"7"}}, want: "skip good {SkipBy:partialsync SkipCommitSeq:0 SkipTable:orders SkipTableID:7}"},
		"full_sync":    {want: "force_fullsync good"},
		"verify":       {form: url.Values{"method": {"rows"}, "tables": {"a, b*"}, "repair": {"1"}, "rate": {"500"}}, want: "verify good [a b*] rows repair=true rate=500 now "},
		"schedule":     {form: url.Values{"method": {"count"}, "every": {"24h"}, "window": {"01:00-05:00"}}, want: "verify good [] count repair=false rate=0 24h 01:00-05:00"},
		"repair":       {want: "repair good"},
		"verify_pause": {want: "verification pause good"}, "verify_resume": {want: "verification resume good"}, "verify_cancel": {want: "verification cancel good"},
		"tables":      {form: url.Values{"include": {"orders*\nusers"}, "exclude": {""}}, want: "tables good [orders* users] []"},
		"hosts":       {form: url.Values{"src": {"10.1.1.1=2.2.2.2\n 10.1.1.3 = 1.1.1.3"}, "dest": {""}}, want: "map good map[10.1.1.1:2.2.2.2 10.1.1.2: 10.1.1.3:1.1.1.3] map[]"},
		"credentials": {form: url.Values{"src.user": {"ccr2"}, "src.password": {"s3cret"}, "dest.no_password": {"1"}, "force": {"1"}}, want: "credentials good ccr2:s3cret : force=true"},
		"addresses":   {form: url.Values{"src.host": {" fe1 "}, "src.thrift_port": {"9021"}, "dest.port": {""}, "src.tls": {"-"}, "dest.tls": {"verify-ca"}, "dest.tls_ca": {" pem "}, "force": {"1"}}, want: `addresses good {fe1 0 9021 tls=""} { 0 0 tls="verify-ca" tls_ca="pem"} force=true`},
		"options":     {form: url.Values{"replication_num": {"1"}, "commit_order": {"per_table"}}, want: `options good 1 "per_table"`},
		"desync":      {want: "desync good"},
		"sync":        {want: "sync good"},
		"delete":      {form: url.Values{"typed": {"good"}}, want: "delete good"},
	}
	b := newSite(t, withTables(), false)
	for _, a := range actions {
		c, ok := cases[a.Name]
		require.True(t, ok, "no case for %s", a.Name)
		if c.job == "" {
			c.job = "good"
		}
		b.backend.orders, b.backend.refusal = nil, nil
		page := "/console/do?action=" + a.Name + "&name=" + c.job
		html := strings.ReplaceAll(b.get(page), "&#39;", "'")
		for _, text := range a.Says {
			require.Contains(t, html, text)
		}
		require.Empty(t, b.backend.orders, "asking does nothing")
		form := url.Values{"action": {a.Name}, "name": {c.job}}
		for k, v := range c.form {
			require.Contains(t, html, `name="`+k+`"`, a.Name)
			form[k] = v
		}
		rec := b.send(page, "/console/do", form)
		require.Equal(t, http.StatusSeeOther, rec.Code, "%s: %s", a.Name, rec.Body.String())
		require.Equal(t, []string{c.want}, b.backend.orders)
		to := strings.TrimPrefix(rec.Header().Get("Location"), "..")
		require.Contains(t, b.get(to), `class="notice good"`, a.Name)

		b.backend.refusal = errors.New("refused for <some> reason")
		rec = b.send(page, "/console/do", form)
		require.Equal(t, http.StatusUnprocessableEntity, rec.Code)
		require.Contains(t, rec.Body.String(), "refused for &lt;some&gt; reason")
		b.backend.refusal = Pending(errors.New("the job is busy"))
		rec = b.send(page, "/console/do", form)
		require.Equal(t, http.StatusAccepted, rec.Code)
		require.Contains(t, rec.Body.String(), "the job is busy")
		b.backend.refusal = ErrUnknownJob
		require.Equal(t, http.StatusNotFound, b.send(page, "/console/do", form).Code)
	}
}

func TestRolesOfActions(t *testing.T) {
	for _, role := range []access.Role{access.Read, access.Operate, access.Admin} {
		b := newSite(t, withTables(), true)
		b.logIn(role.String())
		menu := b.get("/console/job?name=good")
		for _, a := range actions {
			b.backend.orders = nil
			form := url.Values{"action": {a.Name}, "name": {"good"}, "typed": {"good"}, "commit_seq": {"1"}, "table": {"7"}, "replication_num": {"2"}, "commit_order": {"global"}}
			page := b.do(http.MethodGet, "/console/do?action="+a.Name+"&name=good", nil).Code
			sent := b.send("/", "/console/do", form)
			if role < a.Role {
				require.Equal(t, http.StatusForbidden, page, a.Name)
				require.Equal(t, http.StatusForbidden, sent.Code, a.Name)
				require.Empty(t, b.backend.orders, a.Name)
				require.NotContains(t, menu, "action="+a.Name+"&", a.Name)
			} else {
				require.Equal(t, http.StatusOK, page, a.Name)
				require.Len(t, b.backend.orders, 1, a.Name)
			}
		}
	}
}

func TestMistakesInForms(t *testing.T) {
	for _, form := range []url.Values{
		{"action": {"skip"}, "commit_seq": {"x"}},
		{"action": {"partial_sync"}, "table": {"99"}},
		{"action": {"verify"}, "rate": {"many"}},
		{"action": {"hosts"}, "src": {"10.0.0.1"}},
		{"action": {"hosts"}, "src": {"= 10.0.0.1"}},
		{"action": {"addresses"}, "src.port": {"many"}},
		{"action": {"addresses"}, "dest.thrift_port": {"70000"}},
		{"action": {"options"}, "replication_num": {"x"}, "commit_order": {"global"}},
		{"action": {"options"}, "replication_num": {""}, "commit_order": {"global"}}, // nothing is changed
		{"action": {"delete"}, "typed": {"other"}},
	} {
		b := newSite(t, withTables(), false)
		form.Set("name", "good")
		rec := b.send("/", "/console/do", form)
		require.Equal(t, http.StatusUnprocessableEntity, rec.Code)
		require.Contains(t, rec.Body.String(), `role="alert"`)
		require.Empty(t, b.backend.orders)
	}
	b := newSite(t, withTables(), false)
	require.Equal(t, http.StatusNotFound, b.send("/", "/console/do", url.Values{"action": {"explode"}, "name": {"good"}}).Code)
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "/console/do", url.Values{"action": {"pause"}, "name": {"good"}}).Code, "without the form token")
	require.Empty(t, b.backend.orders)
}

// TestOnlyChangedOptionsAreSent: the order of commits is refused at times, also if it stays.
func TestOnlyChangedOptionsAreSent(t *testing.T) {
	f := withTables()
	f.jobs[0].Spec.ReplicationNum, f.jobs[0].Spec.CommitOrder = 3, job.CommitOrderPerTable
	b := newSite(t, f, false)
	page := b.get("/console/do?action=options&name=good")
	require.Contains(t, page, `name="replication_num" inputmode="numeric" value="3"`)
	require.Contains(t, page, `<option value="per_table" selected>`)
	for _, c := range []struct{ replicas, order, want string }{
		{"", "per_table", `options good -1 ""`}, {"3", "global", `options good as they are "global"`}, {"2", "global", `options good 2 "global"`},
	} {
		f.orders = nil
		b.send("/", "/console/do", url.Values{"action": {"options"}, "name": {"good"}, "replication_num": {c.replicas}, "commit_order": {c.order}})
		require.Equal(t, []string{c.want}, f.orders)
	}
}

func TestAFormKeepsWhatWasFilledIn(t *testing.T) {
	b := newSite(t, withTables(), false)
	rec := b.send("/", "/console/do", url.Values{"action": {"hosts"}, "name": {"good"}, "src": {"nonsense"}, "dest": {"a = b"}})
	require.Contains(t, rec.Body.String(), ">nonsense</textarea>")
	require.Contains(t, rec.Body.String(), ">a = b</textarea>")
	require.Contains(t, b.get("/console/do?action=hosts&name=good"), ">10.1.1.1 = 1.1.1.1\n10.1.1.2 = 1.1.1.2</textarea>")
	require.Contains(t, b.get("/console/do?action=tables&name=good"), ">*_tmp</textarea>")
	require.Contains(t, b.get("/console/do?action=skip&name=stuck"), `value="101"`)
	require.Contains(t, b.get("/console/do?action=partial_sync&name=good&table=7"), `<option value="7" selected>orders</option>`)
	require.NotContains(t, b.get("/console/do?action=partial_sync&name=good&table=7"), ">v</option>", "a view")
}

func TestTheMenuHasWhatFits(t *testing.T) {
	b := newSite(t, withTables(), false)
	good, one := b.get("/console/job?name=good"), b.get("/console/job?name=one")
	require.Contains(t, good, "action=pause&")
	require.NotContains(t, good, "action=resume&")
	require.Contains(t, good, "action=tables&")
	require.NotContains(t, one, "action=tables&")
	require.NotContains(t, one, "action=partial_sync&")
	stuck := b.get("/console/job?name=stuck")
	require.Contains(t, stuck, "Try again now")
	require.Contains(t, stuck, "Leave this binlog out")
	b.backend.jobs[1].Status.Problem.Remedy = "add it to the host mapping with update_host_mapping"
	require.Contains(t, b.get("/console/job?name=stuck"), `<a class="button primary" href="../console/do?action=hosts&amp;name=stuck">`, "the remedy comes first")
}

func TestSeveralJobsAtOnce(t *testing.T) {
	b := newSite(t, withTables(), true)
	b.logIn("read")
	require.NotContains(t, b.get("/"), `name="job"`)
	require.Equal(t, http.StatusForbidden, b.send("/", "/console/bulk", url.Values{"action": {"pause"}, "job": {"good"}, "sure": {"yes"}}).Code)

	b = newSite(t, withTables(), true)
	b.logIn("operate")
	rec := b.send("/", "/console/bulk", url.Values{"action": {"pause"}, "job": {"good", "one"}})
	require.Contains(t, rec.Body.String(), "Pause 2 jobs?")
	require.Empty(t, b.backend.orders, "asking does nothing")
	rec = b.send("/", "/console/bulk", url.Values{"action": {"pause"}, "job": {"good", "one"}, "sure": {"yes"}})
	require.Equal(t, http.StatusSeeOther, rec.Code)
	require.ElementsMatch(t, []string{"pause good", "pause one"}, b.backend.orders)

	b.backend.orders = nil
	rec = b.send("/", "/console/bulk", url.Values{"action": {"resume"}, "all": {"yes"}, "state": {"stalled"}})
	require.Contains(t, rec.Body.String(), "Let 1 jobs go on?")
	require.Contains(t, rec.Body.String(), `value="stuck"`)
	b.backend.refusal = errors.New("it cannot")
	rec = b.send("/", "/console/bulk", url.Values{"action": {"resume"}, "job": {"stuck"}, "sure": {"yes"}})
	require.Contains(t, rec.Body.String(), "Carried out by 0 of 1 jobs")
	require.Contains(t, rec.Body.String(), "it cannot")
	require.Contains(t, b.send("/", "/console/bulk", url.Values{"action": {"pause"}}).Body.String(), "No job is chosen")
	require.Equal(t, http.StatusNotFound, b.send("/", "/console/bulk", url.Values{"action": {"delete"}, "job": {"good"}, "sure": {"yes"}}).Code)
}

func TestVerificationOfAJob(t *testing.T) {
	f := withTables()
	b := newSite(t, f, false)
	require.Contains(t, b.get("/console/job?name=good&tab=verify"), "has not been verified yet")
	f.report = &job.VerifyReport{ID: "r", State: job.VerifyRunning, Total: 4, Equal: 1, Doing: "orders (1 of 3 partitions)"}
	page := b.get("/console/job?name=good&tab=verify")
	require.Contains(t, page, `value="25"`)
	require.Contains(t, page, "action=verify_cancel")
	require.NotContains(t, page, `class="button primary" href="../console/do?action=repair`)
	f.report = &job.VerifyReport{ID: "r", State: job.VerifyDone, EndedAt: f.jobs[0].Status.FullSyncAt, Total: 1, Different: 1,
		Tables: []job.VerifiedTable{{Table: "orders", Outcome: job.VerifyDifferent, SourceRows: 1234567, Differences: []job.VerifyDifference{{Text: "2 rows are missing"}}}}}
	page = b.get("/console/job?name=good&tab=verify")
	for _, text := range []string{"1,234,567", "2 rows are missing", "action=repair"} {
		require.Contains(t, page, text)
	}
	require.Contains(t, b.get("/console/do?action=repair&name=good"), "2 rows are missing")
}

// A link of a stranger fills in no field that says where passwords go; a person would only have to
// press the button, or to type the password.
func TestLinksFillInNoHosts(t *testing.T) {
	b := newSite(t, withTables(), false)
	const hosts = "&src.host=evil.example&dest.host=evil.example&src=10.0.0.1+%3D+evil.example&dest=evil.example&src.host_mapping=10.0.0.1+%3D+evil.example&name=good&force=1&src.port=666"
	for _, page := range []string{"new?", "do?action=hosts", "do?action=addresses", "do?action=credentials", "do?action=options"} {
		shown := b.get("/console/" + page + hosts)
		require.NotContains(t, strings.ReplaceAll(shown, "language?", ""), `value="evil.example"`, page)
		require.NotContains(t, shown, "> 10.0.0.1 = evil", page)
		require.NotContains(t, shown, ">10.0.0.1 = evil", page)
		require.NotContains(t, shown, `value="666"`, page)
		require.NotContains(t, shown, `value="1" checked`, page)
	}
	require.Contains(t, b.get("/console/do?action=skip&name=good&commit_seq=4711"), `value="4711"`, "what a page of ours links to is filled in")
}

// TestAnOrderToManyJobsGoesOn: each request tells some, and the page sends the rest, with what was refused so far.
func TestAnOrderToManyJobsGoesOn(t *testing.T) {
	f := &fakeBackend{refusal: errors.New("it \"cannot\"")}
	form := url.Values{"action": {"pause"}, "sure": {"yes"}}
	for i := range 2*bulkAtOnce + 3 {
		name := "j" + strconv.Itoa(i)
		f.jobs = append(f.jobs, makeJob(name, nil))
		form.Add("job", name)
	}
	b := newSite(t, f, false)
	b.console.bulkFor = 0
	hidden := regexp.MustCompile(`name="(job|failed|carried)" value="([^"]*)"`)
	next := func(page string) url.Values {
		require.Contains(t, page, "data-go-on")
		form := url.Values{"action": {"pause"}, "sure": {"yes"}}
		for _, m := range hidden.FindAllStringSubmatch(page, -1) {
			form.Add(m[1], html.UnescapeString(m[2]))
		}
		return form
	}
	page := b.send("/", "/console/bulk", form).Body.String()
	require.Contains(t, page, "Carried out by 0 of 19 jobs")
	require.Contains(t, page, "11 jobs are still to be told.")
	f.refusal = nil
	page = b.send("/", "/console/bulk", next(page)).Body.String()
	require.Contains(t, page, "Carried out by 8 of 19 jobs")
	page = b.send("/", "/console/bulk", next(page)).Body.String()
	require.Contains(t, page, "Carried out by 11 of 19 jobs")
	require.NotContains(t, page, "data-go-on")
	require.Equal(t, bulkAtOnce, strings.Count(page, "it &#34;cannot&#34;"))
	require.Len(t, f.orders, 19, "each is told once")
}
