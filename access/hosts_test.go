package access

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// Names that anybody can point at this server are refused unless they are known.
func TestHosts(t *testing.T) {
	h := NewHosts("ccr.example.com", "CCR-API:9190", "0.0.0.0:9190", "")
	answer := func(host string) int {
		r := httptest.NewRequest(http.MethodGet, "/list_jobs", nil)
		r.Host = host
		rec := httptest.NewRecorder()
		h.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(rec, r)
		if rec.Code != http.StatusOK {
			require.Contains(t, rec.Body.String(), "--allowed-hosts")
		}
		return rec.Code
	}
	for _, host := range []string{
		"localhost", "LOCALHOST:9190", "localhost.", "ccr.localhost:9190", "127.0.0.1:9190", "127.8.8.8", "10.1.2.3:9190",
		"[::1]:9190", "[::1]", "::1", "[fe80::1%eth0]:9190", "ccr.example.com", "CCR.example.com:443", "ccr.example.com.:443", "ccr-api:9190", "",
	} {
		require.Equal(t, http.StatusOK, answer(host), host)
	}
	for _, host := range []string{
		"evil.example", "evil.example:9190", "127.0.0.1.evil.example:9190", "localhost.evil.example", "evillocalhost", "ccr.example.com.evil.example",
		"sub.ccr.example.com", "127.1", "2130706433", "0x7f000001", "ccr-api.evil.example:9190", "[::1].evil.example",
	} {
		require.Equal(t, http.StatusForbidden, answer(host), host)
	}
	require.Error(t, Hosts{}.Check(httptest.NewRequest(http.MethodGet, "http://example.com/", nil)), "the zero value knows no names")
}

// A handler's own policy stands in the place of the general one.
func TestSafeHeaders(t *testing.T) {
	h := SafeHeaders(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/strict" {
			w.Header().Set("Content-Security-Policy", "default-src 'none'")
		}
	}))
	get := func(path string) http.Header {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		return rec.Result().Header
	}
	is := get("/")
	require.Equal(t, "nosniff", is.Get("X-Content-Type-Options"))
	require.Equal(t, "DENY", is.Get("X-Frame-Options"))
	require.Equal(t, "same-origin", is.Get("Referrer-Policy"))
	policy := is.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'self'")
	require.Contains(t, policy, "frame-ancestors 'none'")
	require.NotContains(t, policy, "unsafe")
	require.Equal(t, []string{"default-src 'none'"}, get("/strict").Values("Content-Security-Policy"))
}
