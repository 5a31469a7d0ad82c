package apiserver

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/access"
)

// tokenOf is the token of a role in newGuardedServer.
func tokenOf(role string) string { return "the-token-of-role-" + role }

// newGuardedServer asks for tokens: one for each role, named after it.
func newGuardedServer(t *testing.T, f *fakeTemporal, change func(*Options)) *Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens")
	var lines []string
	for _, role := range []string{"read", "operate", "admin"} {
		lines = append(lines, role+"er "+role+" plain:"+tokenOf(role))
	}
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
	return newServer(t, f, func(o *Options) {
		if change != nil {
			change(o)
		}
		var err error
		o.Tokens, err = access.OpenTokens(file, o.Logger)
		require.NoError(t, err)
	})
}

// askAs sends a request with the token of a role; "" sends none.
func askAs(s *Server, role, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Sec-Fetch-Site", "same-origin") // the buttons of /view ask for it
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+tokenOf(role))
	}
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, r)
	return rec
}

// neededRoles is written down a second time, so that no endpoint loses its guard
// by a slip. A new endpoint needs a line here, too.
var neededRoles = map[string]string{
	"/version": "", "/healthz": "", "/openapi.json": "",
	"/view": "read", "/view/pause": "operate", "/view/resume": "operate",
	"/features": "read", "/metrics": "read", "/list_jobs": "read", "/job_status": "read", "/job_detail": "read",
	"/job_progress": "read", "/job_events": "read", "/job_binlogs": "read", "/get_lag": "read",
	"/pause": "operate", "/resume": "operate", "/desync": "operate", "/sync": "operate", "/force_fullsync": "operate",
	"/update_credentials": "admin", "/update_hosts": "admin", "/update_options": "admin",
	"/job_skip_binlog": "operate", "/update_tables": "operate", "/update_host_mapping": "admin", "/add_host_mapping": "admin",
	"/verify_status": "read", "/verify": "operate", "/verify_pause": "operate", "/verify_resume": "operate", "/verify_cancel": "operate", "/repair": "operate",
	"/create_ccr": "admin", "/check_ccr": "admin", "/delete": "admin", "/failpoint": "admin",
}

func TestRoles(t *testing.T) {
	f := newFake()
	f.add("j1", nil)
	s := newGuardedServer(t, f, nil)
	ranks := []string{"", "read", "operate", "admin"}
	for _, p := range s.operators(prometheus.NewRegistry()) {
		needed, listed := neededRoles[p.path]
		require.True(t, listed, "%s is not in neededRoles", p.path)
		enough := false
		for _, role := range ranks {
			enough = enough || role == needed
			rec := askAs(s, role, http.MethodPost, p.path, `{}`)
			switch {
			case enough:
				require.NotEqual(t, http.StatusUnauthorized, rec.Code, p.path+" as "+role)
				require.NotEqual(t, http.StatusForbidden, rec.Code, p.path+" as "+role)
			case role == "":
				require.Equal(t, http.StatusUnauthorized, rec.Code, p.path)
				scheme := "Bearer"
				if forBrowsers(p.path) {
					scheme = "Basic"
				}
				require.Contains(t, rec.Header().Get("WWW-Authenticate"), scheme+` realm="ccr`)
				require.Equal(t, `{"success":false,"error_msg":"a token is needed: send the header Authorization: Bearer TOKEN"}`, rec.Body.String())
			default:
				require.Equal(t, http.StatusForbidden, rec.Code, p.path+" as "+role)
				require.Equal(t, `{"success":false,"error_msg":"token `+role+`er has the role `+role+`, this needs `+needed+`"}`, rec.Body.String())
			}
		}
	}
}

// resourceRoles is neededRoles of the REST form.
var resourceRoles = map[string]string{
	"GET /jobs": "read", "POST /jobs": "admin", "GET /jobs/:name": "read", "DELETE /jobs/:name": "admin",
	"GET /jobs/:name/status": "read", "GET /jobs/:name/progress": "read", "GET /jobs/:name/lag": "read", "GET /jobs/:name/events": "read",
	"GET /jobs/:name/clusters": "read", "GET /jobs/:name/binlogs": "read", "GET /api/v1/clusters": "read",
	"POST /jobs/:name/pause": "operate", "POST /jobs/:name/resume": "operate", "POST /jobs/:name/desync": "operate",
	"POST /jobs/:name/sync": "operate", "POST /jobs/:name/force_fullsync": "operate", "POST /jobs/:name/skip_binlog": "operate",
	"PATCH /jobs/:name/host_mapping": "admin", "PATCH /jobs/:name/tables": "operate", "PATCH /jobs/:name/credentials": "admin", "PATCH /jobs/:name/hosts": "admin", "PATCH /jobs/:name/options": "admin",
	"GET /jobs/:name/verification": "read", "POST /jobs/:name/verification": "operate", "DELETE /jobs/:name/verification": "operate",
	"POST /jobs/:name/verification/pause": "operate", "POST /jobs/:name/verification/resume": "operate", "POST /jobs/:name/repair": "operate",
}

func TestRolesOfResources(t *testing.T) {
	s := newGuardedServer(t, newFake(), nil)
	ranks := []string{"", "read", "operate", "admin"}
	for _, p := range s.resources() {
		needed, listed := resourceRoles[p.method+" "+p.path]
		require.True(t, listed, "%s %s is not in resourceRoles", p.method, p.path)
		enough := false
		for _, role := range ranks {
			enough = enough || role == needed
			rec := askAs(s, role, p.method, strings.ReplaceAll(p.path, ":name", "j1"), `{}`)
			switch {
			case enough:
				require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, rec.Code, p.path+" as "+role)
			case role == "":
				require.Equal(t, http.StatusUnauthorized, rec.Code, p.path)
				require.Equal(t, problemType, rec.Header().Get("Content-Type"))
			default:
				require.Equal(t, http.StatusForbidden, rec.Code, p.path+" as "+role)
				require.Contains(t, rec.Body.String(), `"status":403,"detail":"token `+role+`er has the role `+role+`, this needs `+needed+`"`)
			}
		}
	}
}

func TestWrongTokensAreRefused(t *testing.T) {
	s := newGuardedServer(t, newFake(), nil)
	require.Equal(t, `{"success":false,"error_msg":"the token is not known"}`, askAs(s, "nobody", "GET", "/list_jobs", "").Body.String())
	require.Equal(t, http.StatusOK, askAs(s, "nobody", "GET", "/version", "").Code)
	require.Equal(t, http.StatusNotFound, askAs(s, "", "GET", "/nope", "").Code)
}

func TestEventsNameTheToken(t *testing.T) {
	f := newFake()
	j := f.add("j1", nil)
	s := newGuardedServer(t, f, nil)
	require.Equal(t, `{"success":true}`, askAs(s, "operate", "POST", "/pause", `{"name":"j1"}`).Body.String())
	require.Equal(t, "operateer (192.0.2.1:1234)", j.signals[0].cmd.By)
}
