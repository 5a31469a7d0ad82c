package cli

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// run executes a command line and returns what it printed.
func run(ctx context.Context, environ []string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := CCR("", environ).Root()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

func TestHelpTeaches(t *testing.T) {
	for _, tt := range []struct {
		args []string
		has  []string
		not  []string
	}{
		{nil, []string{"ccr server --temporal-address", "healthcheck", "ccr-standalone"}, nil},
		{[]string{"server", "--help"}, []string{"Examples:", "--listen host:port", "CCR_STREAM_SLOTS", "--config path"}, []string{"--data-dir"}},
		{[]string{"api", "--help"}, []string{"--listen", "CCR_SECRET_KEY"}, []string{"--stream-slots"}},
		{[]string{"worker", "--help"}, []string{"--stream-slots", "CCR_SECRET_KEY"}, []string{"CCR_LISTEN"}},
	} {
		out, err := run(t.Context(), nil, tt.args...)
		require.NoError(t, err)
		for _, want := range tt.has {
			require.Contains(t, out, want)
		}
		for _, not := range tt.not {
			require.NotContains(t, out, not)
		}
	}
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"sevrer"}, `unknown command "sevrer" (did you mean server?); see ccr --help`},
		{[]string{"check-it"}, `unknown command "check-it"`},
		{[]string{"server", "extra"}, "unknown command"},
		{[]string{"server", "--listn", "x"}, "unknown flag: --listn (did you mean --listen?); see ccr server --help"},
		{[]string{"worker", "--temporal_adress", "x"}, "did you mean --temporal-address?"},
		{[]string{"api", "--command-timeout", "soon"}, "see ccr api --help"},
		{[]string{"server", "--listen", "0.0.0.0:1"}, "reachable from other machines"},
		{[]string{"worker", "--config", "/does/not/exist"}, "read configuration"},
	} {
		_, err := run(t.Context(), nil, tt.args...)
		require.ErrorContains(t, err, tt.want)
	}
}

func TestConfigShowsWhereValuesComeFrom(t *testing.T) {
	out, err := run(t.Context(), []string{"CCR_RPC_TIMEOUT=9s", "CCR_SECRET_KEY=hunter2"}, "config", "--port=9200")
	require.NoError(t, err)
	require.Contains(t, out, "rpc-timeout: 9s  # environment CCR_RPC_TIMEOUT\n")
	require.Contains(t, out, "listen: \"127.0.0.1:9200\"")
	require.NotContains(t, out, "hunter2")
	out, err = run(t.Context(), nil, "config", "--reference")
	require.NoError(t, err)
	require.Contains(t, out, "# Configuration\n")
}

// TestReferenceIsUpToDate fails when a setting or a flag has changed; the fix is
// "ccr config --reference > docs/configuration.md".
func TestReferenceIsUpToDate(t *testing.T) {
	want, err := run(t.Context(), nil, "config", "--reference")
	require.NoError(t, err)
	is, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	require.Equal(t, want, string(is))
	require.Contains(t, want, "| `ccr import` | `--dry-run` |")
}

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	out, err := run(t.Context(), nil, "token", "new", "maria", "operate", "--tokens-file", file)
	require.NoError(t, err)
	require.Regexp(t, `^ccr_[A-Za-z0-9_-]{43}\n$`, out)
	_, err = run(t.Context(), nil, "token", "new", "maria", "read", "--tokens-file", file)
	require.ErrorContains(t, err, "has a token named maria already")
	_, err = run(t.Context(), nil, "token", "new", "grafana", "read", "--tokens-file", file)
	require.NoError(t, err)
	listed, err := run(t.Context(), nil, "token", "list", "--tokens-file", file)
	require.NoError(t, err)
	require.Equal(t, "maria    operate\ngrafana  read\n", listed)
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(kept), strings.TrimSpace(out), "only a digest is kept")

	out, err = run(t.Context(), nil, "token", "new", "maria", "operate")
	require.NoError(t, err)
	require.Contains(t, out, "\nmaria operate sha256:")
	for _, args := range [][]string{{"new", "maria", "boss"}, {"new", "a b", "read"}, {"new", "a"}, {"list"}, {"list", "--tokens-file", "/does/not/exist"}} {
		_, err := run(t.Context(), nil, append([]string{"token"}, args...)...)
		require.Error(t, err, args)
	}
}

func TestVersion(t *testing.T) {
	out, err := run(t.Context(), nil, "version")
	require.NoError(t, err)
	require.Equal(t, CCR("", nil).version()+"\n", out)
	out, err = run(t.Context(), nil, "--version")
	require.NoError(t, err)
	require.Equal(t, CCR("", nil).version()+"\n", out)
}

func TestHealthcheck(t *testing.T) {
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/healthz", r.URL.Path)
		w.WriteHeader(status)
		_, _ = w.Write([]byte("temporal is not reachable"))
	}))
	defer srv.Close()
	address := srv.Listener.Addr().String()
	_, err := run(t.Context(), nil, "healthcheck", "--listen", address)
	require.NoError(t, err)
	_, err = run(t.Context(), []string{"CCR_METRICS_LISTEN=" + address}, "healthcheck")
	require.NoError(t, err)

	status = http.StatusServiceUnavailable
	_, err = run(t.Context(), nil, "healthcheck", "--listen", address)
	require.ErrorContains(t, err, "not well: 503 Service Unavailable: temporal is not reachable")
	srv.Close()
	_, err = run(t.Context(), nil, "healthcheck", "--listen", address)
	require.ErrorContains(t, err, "not running")
}
