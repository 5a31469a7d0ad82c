package console

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/job"
)

func TestScriptsThatAskForTheRootGetNoPage(t *testing.T) {
	b := newSite(t, &fakeBackend{}, false)
	b.header = http.Header{"Accept": {"*/*"}}
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/", nil).Code)
	b.header = http.Header{}
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/", nil).Code)
	b.header = http.Header{"Accept": {"*/*"}, "Hx-Request": {"true"}}
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/", nil).Code, "the list renews itself")
	b.header = http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/", nil).Code)
}

func TestHeadersOfPages(t *testing.T) {
	h := newSite(t, &fakeBackend{}, false).do(http.MethodGet, "/", nil).Header()
	csp := h.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		require.Contains(t, csp, rule)
	}
	require.NotContains(t, csp, "unsafe")
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", h.Get("Cache-Control"))
}

func TestLogin(t *testing.T) {
	b := newSite(t, &fakeBackend{jobs: []Job{makeJob("j1", nil)}}, true)
	rec := b.do(http.MethodGet, "/console/job?name=j1&tab=events", nil)
	require.Equal(t, http.StatusSeeOther, rec.Code)
	to, err := url.Parse(rec.Header().Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "../console/login", to.Path)
	require.Empty(t, b.entered)

	login := "/console/login?" + to.RawQuery
	rec = b.send(login, "/console/login", url.Values{"token": {"wrong"}})
	require.Equal(t, http.StatusUnauthorized, rec.Code)
	require.NotContains(t, b.cookies, sessionCookie)
	require.Contains(t, rec.Body.String(), `role="alert"`)

	next := to.Query().Get("next")
	before := b.cookies[formCookie].Value
	rec = b.send(login, "/console/login", url.Values{"token": {tokenOf + "operate"}, "next": {next}})
	require.Equal(t, "../console/job?name=j1&tab=events", rec.Header().Get("Location"))
	require.NotContains(t, b.cookies[sessionCookie].Value, tokenOf)
	require.NotEqual(t, before, b.cookies[formCookie].Value)
	page := b.get("/")
	require.Contains(t, page, "operateer")
	require.Equal(t, []string{"operateer"}, b.entered)

	b.send("/", "/console/logout", url.Values{})
	require.NotContains(t, b.cookies, sessionCookie)
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodGet, "/", nil).Code)

	b.header.Set("Authorization", "Bearer "+tokenOf+"read")
	require.Contains(t, b.get("/"), "reader")
	b.header.Set("Authorization", "Bearer wrong")
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodGet, "/", nil).Code)
}

func TestALinkFromAnotherSiteKeepsTheSession(t *testing.T) {
	b := newSite(t, &fakeBackend{}, true)
	b.header.Set("Sec-Fetch-Site", "cross-site")
	require.Contains(t, b.get("/"), `http-equiv="refresh"`, "the browser comes again by itself, with its cookies")
	require.NotContains(t, b.cookies, formCookie)
}

func TestWhereALoginLeads(t *testing.T) {
	for next, want := range map[string]string{
		"console/job?name=a": "console/job?name=a", "?state=paused": "?state=paused", "": "",
		"//evil.example/": "", "https://evil.example/": "", "/\\evil.example": "", "\\\\evil.example": "", "console/../../x": "",
		"javascript:alert(1)": "", "/console/job": "", "console/login?next=x": "", "delete": "",
	} {
		require.Equal(t, want, ownPage(next), next)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	b := newSite(t, &fakeBackend{}, true)
	for _, form := range []url.Values{{}, {"form_token": {""}}, {"form_token": {"guessed"}}} {
		form.Set("token", tokenOf+"admin")
		require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "/console/login", form).Code)
	}
	other := newSite(t, &fakeBackend{}, true)
	stolen := formToken.FindStringSubmatch(other.get("/console/login"))[1]
	b.get("/console/login")
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "/console/login", url.Values{"form_token": {stolen}, "token": {tokenOf + "admin"}}).Code)
	require.NotContains(t, b.cookies, sessionCookie)
}

func TestCookiesUnderTLSAreSecure(t *testing.T) {
	b := newSite(t, &fakeBackend{}, false)
	b.get("/")
	require.False(t, b.cookies[formCookie].Secure)
	delete(b.cookies, formCookie)
	b.header.Set("X-Forwarded-Proto", "https")
	b.get("/")
	require.True(t, b.cookies[formCookie].Secure)
}

// Each page asks for the role that the index says.
func TestRolesOfPages(t *testing.T) {
	roles := []access.Role{access.Open, access.Read, access.Operate, access.Admin}
	index := newSite(t, &fakeBackend{}, true)
	s, err := New(Options{Backend: index.backend, Sessions: access.NewSessions(nil, nil)})
	require.NoError(t, err)
	for _, r := range s.Routes() {
		if r.Role == access.Open {
			continue
		}
		for _, role := range roles {
			b := newSite(t, &fakeBackend{jobs: []Job{makeJob("j1", nil)}}, true)
			if role > access.Open {
				b.logIn(role.String())
			}
			rec := b.do(r.Method, r.Path+"?name=j1", url.Values{})
			switch {
			case role == access.Open:
				require.Equal(t, http.StatusSeeOther, rec.Code, r.Path)
			case role < r.Role:
				require.Equal(t, http.StatusForbidden, rec.Code, r.Path)
				require.Contains(t, rec.Body.String(), "this needs "+r.Role.String())
			default:
				require.NotContains(t, rec.Body.String(), "this needs")
			}
			require.Equal(t, role >= r.Role && role > access.Open, len(b.entered) == 1, "%s as %s", r.Path, role)
		}
	}
}

func TestLanguages(t *testing.T) {
	b := newSite(t, &fakeBackend{}, false)
	require.Contains(t, b.get("/"), `<html lang="en">`)
	for accept, want := range map[string]string{"zh-TW,zh;q=0.9,en;q=0.8": "zh-CN", "zh": "zh-CN", "en-GB,zh;q=0.5": "en", "fr,de;q=0.9": "en", "fr,zh-CN;q=0.9": "zh-CN"} {
		b.header.Set("Accept-Language", accept)
		require.Contains(t, b.get("/"), `<html lang="`+want+`">`, accept)
	}
	rec := b.do(http.MethodGet, "/console/language?to=en&next="+url.QueryEscape("?state=paused"), nil)
	require.Equal(t, "../?state=paused", rec.Header().Get("Location"))
	require.Contains(t, b.get("/"), `<html lang="en">`, "what a person has chosen counts more than what the browser says")
	b.do(http.MethodGet, "/console/language?to=xx", nil)
	require.Contains(t, b.get("/"), `<html lang="en">`)
}

var textsInTemplates = regexp.MustCompile(`\bT "([^"]+)"`)
var textsInCode = regexp.MustCompile(`\.(?:text|t)\("((?:[^"\\]|\\.)+)"`)

// TestEveryTextIsTranslated: and no translation is left of a text that is gone, and both have the same verbs.
func TestEveryTextIsTranslated(t *testing.T) {
	used := map[string]bool{}
	for _, pattern := range []string{"templates/*.html", "*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, re := range []*regexp.Regexp{textsInTemplates, textsInCode} {
				for _, found := range re.FindAllStringSubmatch(string(text), -1) {
					used[found[1]] = true
				}
			}
		}
	}
	for _, word := range wordsByValue() {
		used[word] = true
	}
	verbs := regexp.MustCompile(`%[a-z]`)
	for text := range used {
		require.Contains(t, chineseTexts, text)
		require.Equal(t, verbs.FindAllString(text, -1), verbs.FindAllString(chineseTexts[text], -1), text)
	}
	for text := range chineseTexts {
		require.True(t, used[text], "nothing says %q any more", text)
	}
}

// wordsByValue are texts that templates translate by their value.
func wordsByValue() []string {
	words := slices.Clone(groups)
	for _, a := range actions {
		words = append(append(words, a.Label, a.Title), a.Says...)
	}
	for _, j := range []Job{makeJob("", stalled), makeJob("", paused)} {
		for _, f := range fixes(j) {
			words = append(words, f.Label)
		}
	}
	words = slices.AppendSeq(words, maps.Values(methodWords))
	words = append(words, "Source", "Destination", "view", "external", tableFollows, tableCopying, tableWaits, tableAhead, tableGone, tableUnsure, tableDiffers, tableOutside)
	return words
}

func TestListOfJobs(t *testing.T) {
	b := newSite(t, &fakeBackend{jobs: []Job{
		makeJob("a", nil),
		makeJob("b", func(j *Job) {
			paused(j)
			j.Spec.Source.Host = "10.9.9.9"
			j.Status.Lag.Binlogs, j.Status.Lag.NextTimestamp = 5, time.Now().Add(-90*time.Second).UnixMilli()
		}),
		makeJob("c", stalled),
		makeJob("d", func(j *Job) { *j = Job{Name: "d", Err: errors.New("no worker <b>runs</b>")} }),
		makeJob("e", func(j *Job) { j.Status.Phase = job.PhaseRestore }),
		makeJob("f", func(j *Job) { j.Status.Differences = []job.Difference{{Table: "t"}} }),
	}}, false)
	names := func(query string) string {
		t.Helper()
		var list string
		for _, found := range regexp.MustCompile(`console/job\?name=([a-z]+)"`).FindAllStringSubmatch(b.get("/"+query), -1) {
			list += found[1]
		}
		return list
	}
	require.Equal(t, "cdfbea", names(""), "what needs a person first")
	require.Equal(t, "abcdef", names("?sort=name"))
	require.Equal(t, "b", names("?sort=lag")[:1])
	require.Equal(t, "b", names("?sort=behind")[:1])
	for query, want := range map[string]string{
		"?state=paused": "b", "?state=stalled": "c", "?state=unknown": "d", "?state=copying": "e", "?state=running": "fa", "?state=differs": "f",
		"?cluster=10.9.9.9:9030": "b", "?q=10.9": "b", "?q=SHOP_copy+10.0.0.1": "cfea", "?q=nothing": "",
	} {
		require.Equal(t, want, names(query), query)
	}
	page := b.get("/")
	require.NotContains(t, page, "<script>alert")
	require.Contains(t, page, "&lt;script&gt;alert(1)")
	require.NotContains(t, page, "<b>runs")
	require.Contains(t, page, ">1 min 30 s<")
	require.Contains(t, page, `<option>10.9.9.9:9030</option>`)
	b.backend.err = errors.New("temporal is not reachable")
	require.Equal(t, http.StatusServiceUnavailable, b.do(http.MethodGet, "/", nil).Code)
}

func TestManyJobsHavePages(t *testing.T) {
	f := &fakeBackend{}
	for i := range 1000 {
		f.jobs = append(f.jobs, makeJob(fmt.Sprintf("job-%04d", i), nil))
	}
	b := newSite(t, f, false)
	page := b.get("/?sort=name")
	require.Equal(t, jobsAPage, strings.Count(page, `<tr class="running">`))
	require.Contains(t, page, "job-0099")
	require.NotContains(t, page, "job-0100")
	require.Contains(t, page, "?page=2&amp;sort=name")
	require.Contains(t, b.get("/?sort=name&page=10"), "job-0999")
	require.Contains(t, b.get("/?sort=name&page=99"), "job-0999", "the last page there is")
	require.Contains(t, b.get("/?sort=name&page=2&q=0777"), "job-0777", "a search that finds less than a page")
}

func TestPageOfAJob(t *testing.T) {
	f := &fakeBackend{jobs: []Job{makeJob("good", nil), makeJob("stuck", stalled), makeJob("silent", func(j *Job) { j.Err = errors.New("its workflow is broken") })},
		progress: map[string]job.Progress{"good": {
			Position: job.Position{CommitSeq: 100},
			Tables:   map[int64]job.Table{1: {Name: "orders", DestID: 11}, 2: {Name: "items", CommitSeq: 120}, 3: {Name: "v", View: true}},
			Awaited:  []job.PartialSync{{TableID: 4, Table: "late", Why: "it is included now"}},
			Events:   []job.Event{{At: time.Now(), Text: "first", Level: "info"}, {At: time.Now(), Text: "<i>second</i>", Level: "warn"}},
		}}}
	b := newSite(t, f, false)
	page := b.get("/console/job?name=good")
	require.Contains(t, page, "http://temporal.example:8233/namespaces/default/workflows/ccr-job-good")
	require.NotContains(t, page, "cannot go on")
	require.Less(t, strings.Index(page, "second"), strings.Index(page, "first"), "the newest first")
	require.NotContains(t, page, "<i>second")
	page = b.get("/console/job?name=good&tab=tables")
	for _, text := range []string{"orders", "ahead of the job", "waits for its copy", "it is included now", ">view<"} {
		require.Contains(t, page, text)
	}
	require.NotContains(t, b.get("/console/job?name=good&tab=tables&q=item"), "orders")
	f.jobs[0].Status.Copying = &job.Copying{Left: 30, Most: 120, Since: time.Now().Add(-90*time.Second - 500*time.Millisecond)}
	page = b.get("/console/job?name=good")
	require.Contains(t, page, "30 of 120 tablets are still to be copied, about 30 s more at the pace so far")
	require.Contains(t, page, `value="75"`)
	require.NotContains(t, page, "all replicas counted", "nobody has told")
	f.jobs[0].Status.Copying.AboutBytes = 40 << 30
	require.Contains(t, b.get("/console/job?name=good"), "about 30.0 GiB of 40.0 GiB (all replicas counted)")
	f.jobs[0].Status.Copying = &job.Copying{Left: 119, Most: 120, Since: time.Now()}
	require.NotContains(t, b.get("/console/job?name=good"), "at the pace so far", "too early to say")
	page = b.get("/console/job?name=stuck")
	require.Contains(t, page, "grant LOAD_PRIV")
	require.Contains(t, page, "tried 3 times")
	require.Contains(t, b.get("/console/job?name=silent"), "its workflow is broken")
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/console/job?name=nobody", nil).Code)
}

// TestAssetsAreTheReleasedFiles: what README.md says they are.
func TestAssetsAreTheReleasedFiles(t *testing.T) {
	readme, err := fs.ReadFile(assetFiles, "assets/README.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("\\| `([^`]+)` \\| `[^`]+` [0-9.]+ \\|.*`([0-9a-f]{64})`").FindAllStringSubmatch(string(readme), -1)
	require.Len(t, rows, 3)
	b := newSite(t, &fakeBackend{}, false)
	for _, row := range rows {
		file, err := fs.ReadFile(assetFiles, "assets/"+row[1])
		require.NoError(t, err)
		sum := sha256.Sum256(file)
		require.Equal(t, row[2], hex.EncodeToString(sum[:]), row[1])
		rec := b.do(http.MethodGet, "/console/assets/"+row[1], nil)
		require.Equal(t, http.StatusOK, rec.Code)
		require.Contains(t, rec.Header().Get("Cache-Control"), "immutable")
	}
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/console/assets/README.md", nil).Code)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/console/assets/..%2fconsole.go", nil).Code)
}
