package client

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each status of the API is an error of its class, with the text of the server.
func TestClassesOfErrors(t *testing.T) {
	classes := []error{ErrNotFound, ErrUnauthorized, ErrRefused, ErrPending, ErrUnavailable}
	for status, want := range map[int]error{
		404: ErrNotFound, 401: ErrUnauthorized, 403: ErrUnauthorized, 400: ErrRefused, 409: ErrRefused, 413: ErrRefused, 422: ErrRefused,
		202: ErrPending, 502: ErrUnavailable, 503: ErrUnavailable, 504: ErrUnavailable, 500: nil,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"detail":"what the server says of %d"}`, status)
		}))
		c, err := New(Options{Address: server.URL})
		require.NoError(t, err)
		_, err = c.Job(t.Context(), "a")
		server.Close()
		require.ErrorContains(t, err, fmt.Sprintf("what the server says of %d", status))
		for _, class := range classes {
			require.Equal(t, class == want, errors.Is(err, class), "%d and %v", status, class)
		}
		_, err = c.Job(t.Context(), "a")
		require.ErrorIs(t, err, ErrUnavailable, "nobody listens any more")
	}
}

// A page that is not of ccr is never taken for a job that does not exist.
func TestStrangers(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	c, err := New(Options{Address: server.URL})
	require.NoError(t, err)
	_, err = c.Job(t.Context(), "a")
	require.NotErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "is not an answer of ccr")
}

// Requests have the token and the name as one part of the path, over TLS if the server's
// authority is known.
func TestRequests(t *testing.T) {
	var got string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s %s %s", r.Method, r.URL.EscapedPath(), r.Header.Get("Authorization"), body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	c, err := New(Options{Address: server.URL + "/", Token: "t1", CAFile: ca})
	require.NoError(t, err)
	require.NoError(t, c.SkipBinlog(t.Context(), "a/b:c", Skip{By: "silence", CommitSeq: 5}))
	require.Equal(t, `POST /jobs/a%2Fb:c/skip_binlog Bearer t1 {"skip_by":"silence","skip_commit_seq":5}`, got)

	stranger, err := New(Options{Address: server.URL})
	require.NoError(t, err)
	require.ErrorContains(t, stranger.Command(t.Context(), "a", "pause"), "certificate")
	for _, address := range []string{"", "://", "ftp://host", "http://"} {
		_, err := New(Options{Address: address})
		require.ErrorContains(t, err, "no address of an API server", address)
	}
	_, err = New(Options{Address: "h:1", CAFile: "client.go"})
	require.ErrorContains(t, err, "holds no PEM certificate")
}

// A redirect is not followed, wherever it leads: the token and the passwords of a new job would be
// sent there.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var followed []string
		other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			followed = append(followed, r.Header.Get("Authorization"), string(body))
		}))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, status)
		}))
		c, err := New(Options{Address: server.URL, Token: "t"})
		require.NoError(t, err)
		_, err = c.Job(t.Context(), "a")
		require.ErrorContains(t, err, other.URL)
		require.ErrorContains(t, c.Create(t.Context(), []byte(`{"src":{"password":"p"}}`)), "which is not followed")
		server.Close()
		other.Close()
		require.Empty(t, followed, status)
	}
}

func TestATokenInTheClear(t *testing.T) {
	for address, clear := range map[string]bool{
		"http://ccr.example:9190": true, "10.0.0.1:9190": true, "http://[2001:db8::1]:9190": true,
		"https://ccr.example": false, "http://127.0.0.1:9190": false, "localhost:9190": false, "http://[::1]:9190": false,
	} {
		c, err := New(Options{Address: address, Token: "t"})
		require.NoError(t, err)
		require.Equal(t, clear, c.ClearToken(), address)
		c, err = New(Options{Address: address})
		require.NoError(t, err)
		require.False(t, c.ClearToken(), address)
	}
}
