package apiserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// attack sends what a browser sends for a page of evil.example after that name was
// pointed at this server: to the browser the page is of the same origin.
func attack(s *Server, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "evil.example:9190"
	r.Header.Set("Origin", "http://evil.example:9190")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, r)
	return rec
}

// A page whose name was pointed at a server without tokens reads nothing and
// commands nothing, in either form of the interface.
func TestRebindingIsRefused(t *testing.T) {
	f := newFake()
	j := f.add("j1", nil)
	s := newServer(t, f, nil)
	for _, request := range [][3]string{
		{"GET", "/view", ""}, {"POST", "/list_jobs", "{}"}, {"POST", "/pause", `{"name":"j1"}`}, {"POST", "/view/pause", "name=j1"},
		{"POST", "/job_detail", `{"name":"j1"}`}, {"GET", "/version", ""}, {"GET", "/metrics", ""}, {"GET", "/nope", ""},
		{"GET", "/jobs", ""}, {"DELETE", "/jobs/j1", ""}, {"PATCH", "/jobs/j1/host_mapping", "{}"},
	} {
		rec := attack(s, request[0], request[1], request[2])
		require.Equal(t, http.StatusForbidden, rec.Code, request)
		require.Contains(t, rec.Body.String(), `the name \"evil.example:9190\" is not known to be this server's`, request)
	}
	require.Empty(t, j.signals)
	require.Equal(t, `{"success":true}`, ask(s, "/pause", `{"name":"j1"}`).Body.String(), "by its own name it does")
	require.Len(t, j.signals, 1)
}

// With tokens the name says nothing: proxies pass requests on under many.
func TestTokensMakeEveryNameRight(t *testing.T) {
	s := newGuardedServer(t, newFake(), nil)
	r := httptest.NewRequest(http.MethodGet, "/list_jobs", nil)
	r.Host = "anything.example"
	r.Header.Set("Authorization", "Bearer "+tokenOf("read"))
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, r)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, http.StatusUnauthorized, attack(s, "GET", "/list_jobs", "").Code, "the page has no token")
}

// Every answer has the headers that browsers need, those that no handler wrote
// included; the page of /view has a stricter policy.
func TestEveryAnswerHasSafeHeaders(t *testing.T) {
	s := newGuardedServer(t, newFake(), nil)
	for _, path := range []string{"/version", "/view", "/list_jobs", "/jobs", "/jobs/nope", "/nope", "/metrics", "/openapi.json"} {
		for _, role := range []string{"", "admin"} {
			h := askAs(s, role, http.MethodGet, path, "").Result().Header
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
			require.Equal(t, "DENY", h.Get("X-Frame-Options"), path)
			require.Equal(t, "same-origin", h.Get("Referrer-Policy"), path)
			require.Len(t, h.Values("Content-Security-Policy"), 1, path)
			require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		}
	}
	require.Contains(t, askAs(s, "admin", http.MethodGet, "/view", "").Result().Header.Get("Content-Security-Policy"), "default-src 'none'")
}
