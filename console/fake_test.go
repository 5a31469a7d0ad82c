package console

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// fakeBackend has jobs that are told what to answer.
type fakeBackend struct {
	jobs     []Job
	progress map[string]job.Progress
	err      error
	report   *job.VerifyReport
	schedule string

	clusters   []Cluster
	unanswered []string
	checks     job.CheckReport
	checked    []string // the bodies that were checked
	samples    func(points int) job.Samples
	sampled    []string // the jobs that were asked for last
	refusal    error    // of every order

	ahead    job.BinlogsAhead
	aheadErr error

	sizes    job.TableSizes
	sizesErr error
	counted  []job.TableSizesWanted

	mu     sync.Mutex // guards orders
	orders []string   // what was ordered
}

func (f *fakeBackend) Jobs(echo.Context) ([]Job, error) { return f.jobs, f.err }

func (f *fakeBackend) Job(_ echo.Context, name string) (Job, error) {
	for _, j := range f.jobs {
		if j.Name == name {
			return j, j.Err
		}
	}
	return Job{}, ErrUnknownJob
}

func (f *fakeBackend) Progress(_ echo.Context, name string) (job.Progress, error) {
	return f.progress[name], nil
}

func (f *fakeBackend) Samples(_ echo.Context, names []string, points int) job.SamplesKnown {
	f.sampled = names
	known := job.SamplesKnown{}
	for _, name := range names {
		if f.samples != nil {
			known[name] = f.samples(points)
		}
	}
	return known
}

func (f *fakeBackend) Verification(echo.Context, string) (*job.VerifyReport, string, error) {
	return f.report, f.schedule, nil
}

func (f *fakeBackend) EndedVerification(_ echo.Context, _, report string) (*job.VerifyReport, error) {
	if f.report == nil || f.report.ID != report {
		return nil, nil
	}
	return f.report, nil
}

func (f *fakeBackend) Clusters(echo.Context) ([]Cluster, []string, error) {
	return f.clusters, f.unanswered, f.err
}

func (f *fakeBackend) TableSizes(_ echo.Context, wanted job.TableSizesWanted) (job.TableSizes, error) {
	f.counted = append(f.counted, wanted)
	return f.sizes, f.sizesErr
}

func (f *fakeBackend) Binlogs(_ echo.Context, _ string, _ int64, limit int) (job.BinlogsAhead, error) {
	seen := f.ahead
	seen.Binlogs = seen.Binlogs[:min(limit, len(seen.Binlogs))]
	return seen, f.aheadErr
}

func (f *fakeBackend) Check(_ echo.Context, body []byte) (job.CheckReport, error) {
	f.checked = append(f.checked, string(body))
	return f.checks, f.err
}

func (f *fakeBackend) Create(_ echo.Context, body []byte) error { return f.note("create %s", body) }

func (f *fakeBackend) ChangeCredentials(_ echo.Context, name string, source, destination Login, force bool) error {
	secret := func(l Login) string {
		if l.Password == nil {
			return l.User + ":as it is"
		}
		return l.User + ":" + *l.Password
	}
	return f.note("credentials %s %s %s force=%t", name, secret(source), secret(destination), force)
}

func (f *fakeBackend) ChangeAddresses(_ echo.Context, name string, source, destination Address, force bool) error {
	side := func(a Address) string {
		text := fmt.Sprintf("{%s %d %d", a.Host, a.Port, a.ThriftPort)
		if a.TLS != nil {
			text += fmt.Sprintf(" tls=%q", *a.TLS)
		}
		if a.TLSCA != nil {
			text += fmt.Sprintf(" tls_ca=%q", *a.TLSCA)
		}
		return text + "}"
	}
	return f.note("addresses %s %s %s force=%t", name, side(source), side(destination), force)
}

func (f *fakeBackend) UpdateOptions(_ echo.Context, name string, o job.UpdateOptions) error {
	replicas := "as they are"
	if o.ReplicationNum != nil {
		replicas = strconv.Itoa(*o.ReplicationNum)
	}
	return f.note("options %s %s %q", name, replicas, o.CommitOrder)
}

// note is an order that arrives.
func (f *fakeBackend) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders = append(f.orders, fmt.Sprintf(format, args...))
	return f.refusal
}

func (f *fakeBackend) Order(_ echo.Context, name, signal string) error {
	return f.note("%s %s", signal, name)
}

func (f *fakeBackend) SkipBinlog(_ echo.Context, name string, s job.SkipBinlog) error {
	return f.note("skip %s %+v", name, s)
}

func (f *fakeBackend) MapHosts(_ echo.Context, name string, m job.HostMappings) error {
	return f.note("map %s %v %v", name, m.Source, m.Destination)
}

func (f *fakeBackend) UpdateTables(_ echo.Context, name string, u job.UpdateTables) error {
	return f.note("tables %s %v %v", name, *u.Include, *u.Exclude)
}

func (f *fakeBackend) Delete(_ echo.Context, name string) error { return f.note("delete %s", name) }

func (f *fakeBackend) Verify(_ echo.Context, name string, o VerifyOrder) error {
	every := "now"
	if o.Every != nil {
		every = *o.Every
	}
	return f.note("verify %s %v %s repair=%t rate=%d %s %s", name, o.Tables, o.Method, o.Repair, o.Rate, every, o.Window)
}

func (f *fakeBackend) Repair(_ echo.Context, name string) error { return f.note("repair %s", name) }

func (f *fakeBackend) SteerVerification(_ echo.Context, name, signal string) error {
	return f.note("verification %s %s", signal, name)
}

// makeJob is a job that is well.
func makeJob(name string, change func(*Job)) Job {
	j := Job{Name: name,
		Spec: job.Spec{Name: name,
			Source:      job.Cluster{Host: "10.0.0.1", Port: 9030, User: "ccr", Database: "shop"},
			Destination: job.Cluster{Host: "10.0.0.2", Port: 9030, User: "ccr", Database: "shop_copy"}},
		Status: job.Status{Name: name, Running: true, Checked: true, Phase: job.PhaseStream, ProgressState: job.DBIncrementalSync,
			Position: job.Position{CommitSeq: 100}, Doing: "stream binlogs", FullSyncs: 1, FullSyncAt: time.Now().Add(-time.Hour),
			Lag: binlog.Lag{ObservedAt: time.Now()}}}
	if change != nil {
		change(&j)
	}
	return j
}

func paused(j *Job) { j.Status.Running = false }

func stalled(j *Job) {
	j.Status.Stalled = true
	j.Status.Problem = &job.Problem{Text: "<script>alert(1)</script> refused", Kind: job.KindFE, CommitSeq: 101, Since: time.Now().Add(-time.Minute), Tries: 3, Remedy: "grant LOAD_PRIV"}
}

// site is a console with a browser in front of it.
type site struct {
	*testing.T
	backend *fakeBackend
	console *Console
	echo    *echo.Echo
	cookies map[string]*http.Cookie
	header  http.Header
	entered []string // the names of those who were let in
}

const tokenOf = "the-token-of-role-"

func newSite(t *testing.T, f *fakeBackend, withTokens bool) *site {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var tokens *access.Tokens
	if withTokens {
		path := filepath.Join(t.TempDir(), "tokens")
		lines := ""
		for _, role := range []string{"read", "operate", "admin"} {
			lines += fmt.Sprintf("%s %s plain:%s%s\n", role+"er", role, tokenOf, role)
		}
		require.NoError(t, os.WriteFile(path, []byte(lines), 0o600))
		var err error
		tokens, err = access.OpenTokens(path, log)
		require.NoError(t, err)
	}
	b := &site{T: t, backend: f, echo: echo.New(), cookies: map[string]*http.Cookie{}, header: http.Header{"Accept": {"text/html"}}}
	s, err := New(Options{Backend: f, Tokens: tokens, Sessions: access.NewSessions(tokens, [][]byte{[]byte("key")}), Version: "v1:abc",
		TemporalUI: "http://temporal.example:8233/", Namespace: "default", Logger: log,
		Enter: func(_ echo.Context, id access.Identity, _ access.Role) { b.entered = append(b.entered, id.Name) }})
	require.NoError(t, err)
	b.console = s
	for _, r := range s.Routes() {
		b.echo.Add(r.Method, r.Path, r.Handle)
	}
	return b
}

func (b *site) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	b.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, path, body)
	for k, v := range b.header {
		r.Header[k] = v
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.echo.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		require.True(b, c.HttpOnly, c.Name)
		require.Equal(b, http.SameSiteStrictMode, c.SameSite, c.Name)
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
	return rec
}

// get asks for a page that is there.
func (b *site) get(path string) string {
	b.Helper()
	rec := b.do(http.MethodGet, path, nil)
	require.Equal(b, http.StatusOK, rec.Code, rec.Body.String())
	return rec.Body.String()
}

var formToken = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

// send fills in a form of a page that the browser has seen.
func (b *site) send(page, action string, form url.Values) *httptest.ResponseRecorder {
	b.Helper()
	found := formToken.FindStringSubmatch(b.do(http.MethodGet, page, nil).Body.String())
	require.NotNil(b, found, "there is no form on %s", page)
	form.Set("form_token", found[1])
	return b.do(http.MethodPost, action, form)
}

// logIn logs the bearer of a role's token in.
func (b *site) logIn(role string) {
	b.Helper()
	rec := b.send("/console/login", "/console/login", url.Values{"token": {tokenOf + role}})
	require.Equal(b, http.StatusSeeOther, rec.Code)
}
