package apiserver

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// browser is a person's browser in front of a server: it keeps cookies.
type browser struct {
	*testing.T
	s       *Server
	cookies map[string]*http.Cookie
}

func newBrowser(t *testing.T, s *Server) *browser {
	return &browser{T: t, s: s, cookies: map[string]*http.Cookie{}}
}

func (b *browser) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Host = "127.0.0.1:9190"
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.s.Handler().ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		b.cookies[c.Name] = c
	}
	return rec
}

// send fills in the form of a page.
func (b *browser) send(page, to string, form url.Values) *httptest.ResponseRecorder {
	b.Helper()
	found := regexp.MustCompile(`name="form_token" value="([^"]+)"`).FindStringSubmatch(b.do(http.MethodGet, page, nil).Body.String())
	require.NotNil(b, found)
	form.Set("form_token", found[1])
	return b.do(http.MethodPost, to, form)
}

// Who asks for "/" with a script gets what there has always been.
func TestRootIsForBrowsersOnly(t *testing.T) {
	s := newServer(t, newFake(), nil)
	for _, method := range []string{"GET", "POST", "DELETE", "HEAD", "PROPFIND"} {
		rec := askBy(s, method, "/", "{}")
		require.Equal(t, http.StatusNotFound, rec.Code, method)
		require.Equal(t, "404 page not found", rec.Body.String(), method)
		require.Equal(t, contentType, rec.Header().Get("Content-Type"), method)
	}
	rec := newBrowser(t, s).do(http.MethodGet, "/", nil)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Contains(t, rec.Header().Get("Content-Type"), "text/html")
}

// TestConsoleOrdersAsTheInterfaceDoes: the job gets the same signal, with who has sent it.
func TestConsoleOrdersAsTheInterfaceDoes(t *testing.T) {
	f := newFake()
	j := f.add("j1", nil)
	s := newGuardedServer(t, f, nil)
	b := newBrowser(t, s)
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodGet, "/", nil).Code)
	require.Equal(t, http.StatusSeeOther, b.send("/console/login", "/console/login", url.Values{"token": {tokenOf("operate")}}).Code)
	require.Contains(t, b.do(http.MethodGet, "/", nil).Body.String(), "operateer")

	rec := b.send("/console/do?action=pause&name=j1", "/console/do", url.Values{"action": {"pause"}, "name": {"j1"}})
	require.Equal(t, http.StatusSeeOther, rec.Code)
	f.with(func() {
		last := j.signals[len(j.signals)-1] // before it the list asks for the lag
		require.Equal(t, job.SignalPause, last.name)
		require.True(t, strings.HasPrefix(last.cmd.By, "operateer ("), last.cmd.By)
	})
	require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, "/console/do?action=delete&name=j1", nil).Code)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/console/job?name=nobody", nil).Code)

	f.with(func() {
		j.onSignal = func(j *fakeJob, _ string, cmd job.Command) { j.conclude(cmd, "there is a reason") }
	})
	rec = b.send("/console/do?action=desync&name=j1", "/console/do", url.Values{"action": {"desync"}, "name": {"j1"}})
	require.Equal(t, http.StatusUnprocessableEntity, rec.Code)
	require.Contains(t, rec.Body.String(), "there is a reason")
}

// A session is known to every server with the same key and tokens.
func TestSessionsOfTheConsoleAreSharedByServers(t *testing.T) {
	f := newFake()
	one := newGuardedServer(t, f, nil)
	b := newBrowser(t, one)
	b.send("/console/login", "/console/login", url.Values{"token": {tokenOf("read")}})
	b.s = newGuardedServer(t, f, nil)
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/", nil).Code)
}

func TestSamplesOfAllProcesses(t *testing.T) {
	f := newFake()
	f.workers = map[string]func(job.LagsWanted) (job.LagsKnown, error){job.WorkerWorkflowIDPrefix + "a": nil, job.WorkerWorkflowIDPrefix + "b": nil}
	for id := range f.workers {
		f.workers[id] = func(job.LagsWanted) (job.LagsKnown, error) { return nil, nil }
	}
	f.samples = map[string]job.SamplesKnown{
		job.WorkerWorkflowIDPrefix + "a": {"j": {Lag: []int64{4, -1}, Behind: []int64{-1, -1}, Applied: []int64{1, -1}}},
		job.WorkerWorkflowIDPrefix + "b": {"j": {Lag: []int64{-1, 3}, Behind: []int64{-1, -1}, Applied: []int64{-1, 2}}, "k": {Lag: []int64{1, 1}}},
	}
	s := newServer(t, f, nil)
	known := s.jobs.workers.samples(t.Context(), []string{"j", "k"}, 2)
	require.Equal(t, []int64{4, 3}, known["j"].Lag, "it has moved from one process to the other")
	require.Equal(t, []int64{1, 2}, known["j"].Applied)
	require.Equal(t, []int64{1, 1}, known["k"].Lag)
}

// TestAReportOfAVerificationIsReadOnce: pages that renew themselves do not read megabytes again and again, also when
// something is ordered meanwhile.
func TestAReportOfAVerificationIsReadOnce(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.status.Verified = &job.Verified{Report: "r1"}
		j.progress.Tables = map[int64]job.Table{11: {Name: "orders"}}
	})
	f.add("verified", nil)
	f.with(func() {
		v := f.jobs[job.WorkflowID("verified")]
		v.closed, v.report = true, &job.VerifyReport{ID: "r1", State: job.VerifyDone, EndedAt: time.Now(), Tables: []job.VerifiedTable{{Table: "orders", TableID: 11, Outcome: job.VerifyEqual}}}
		f.jobs[job.VerifyWorkflowID("j1")] = v
	})
	b := newBrowser(t, newServer(t, f, nil))
	for range 3 {
		require.Contains(t, b.do(http.MethodGet, "/console/job?name=j1&tab=tables", nil).Body.String(), `class="result equal"`)
		require.Equal(t, http.StatusSeeOther, b.send("/console/do?action=pause&name=j1", "/console/do", url.Values{"action": {"pause"}, "name": {"j1"}}).Code)
	}
	f.with(func() { require.Equal(t, 1, f.jobs[job.VerifyWorkflowID("j1")].describes) })
}

// TestMistakesInTheConsole are told as the interface tells them.
func TestMistakesInTheConsole(t *testing.T) {
	b := consoleBackend{newServer(t, newFake(), nil)}
	c := b.s.echo.NewContext(httptest.NewRequest(http.MethodPost, "/console/new", nil), httptest.NewRecorder())
	for body, text := range map[string]string{
		`{"src":{"port":"abc"}}`:     "json: a port is a number, or a string of digits",
		`{"replication_num":"many"}`: `json: cannot unmarshal string into "replication_num": it has to be a number`,
	} {
		_, err := b.Check(c, []byte(body))
		require.EqualError(t, err, text)
		require.EqualError(t, b.Create(c, []byte(body)), text)
	}
}
