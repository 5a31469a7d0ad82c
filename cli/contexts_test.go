package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Servers are kept in a file for its owner only; commands ask the one that was chosen.
func TestContexts(t *testing.T) {
	t.Parallel()
	r := newRecorded(t, nil)
	r.token = "t1"
	dir := t.TempDir()
	file := filepath.Join(dir, "ccr", "config.yaml")
	s := session{environ: []string{"XDG_CONFIG_HOME=" + dir}}
	ok := func(s session, args ...string) string {
		t.Helper()
		out, failure, status := s.run(t.Context(), args...)
		require.Zero(t, status, failure)
		return out
	}
	fails := func(s session, status int, text string, args ...string) {
		t.Helper()
		_, failure, got := s.run(t.Context(), args...)
		require.Contains(t, failure, text)
		require.Equal(t, status, got)
	}
	fails(s, exitUsage, "--api is missing", "context", "set", "lab")
	fails(s, exitUsage, "is no address", "context", "set", "lab", "--api", "ftp://x")
	withToken := s
	withToken.stdin = strings.NewReader("t1\n")
	ok(withToken, "context", "set", "lab", "--api", r.URL, "--token-stdin")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Contains(t, ok(s, "job", "list"), "weblogs", "the first context is the current one")

	token := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(token, []byte("t1\n"), 0o600))
	ok(s, "context", "set", "prod", "--api", r.URL, "--token-file", token)
	ok(s, "context", "set", "none", "--api", r.URL)
	require.Contains(t, ok(s, "job", "list", "--context", "prod", "-o", "name"), "weblogs")
	fails(s, exitUnauthorized, "a token with the role read", "job", "list", "--context", "none")
	ok(s, "context", "use", "none")
	listed := ok(s, "context", "list")
	require.Regexp(t, `(?m)^-\s+lab\s+http\S+\s+in the file\s+-\s*$`, listed)
	require.Regexp(t, `(?m)^\*\s+none\s`, listed)
	require.NotContains(t, listed, "t1")
	fails(s, exitUnauthorized, "a token with the role read", "job", "list")
	chosen := s
	chosen.environ = append([]string{"CCR_CONTEXT=lab"}, s.environ...)
	require.Contains(t, ok(chosen, "job", "list"), "weblogs")
	fails(s, exitNotFound, `no context "other"`, "job", "list", "--context", "other")
	fails(s, exitNotFound, "it has: lab, none, prod", "context", "use", "other")
	require.Equal(t, "lab\nnone\nprod\n:4\n", completions(ok(s, "__complete", "job", "list", "--context", "")))

	// The token of a context is for its own server.
	fails(chosen, exitUnauthorized, "a token with the role read", "job", "list", "--api", r.URL)
	ok(chosen, "job", "list", "--api", r.URL, "--token-file", token)

	require.NoError(t, os.Chmod(token, 0o644))
	fails(s, exitUsage, "chmod 600 "+token, "job", "list", "--context", "prod")
	require.NoError(t, os.Chmod(file, 0o640))
	fails(s, exitUsage, "has the token of the context lab: others may read or change it (mode 0640): chmod 600", "job", "list")
	require.NoError(t, os.Chmod(file, 0o600))
	ok(s, "context", "delete", "lab")
	fails(s, exitNotFound, `no context "lab"`, "job", "list", "--context", "lab")
	require.NoError(t, os.Chmod(file, 0o644))
	ok(s, "context", "use", "prod")

	require.NoError(t, os.WriteFile(file, []byte("contexts: {a: {apo: hunter2}}"), 0o600))
	fails(s, exitUsage, "field apo not found", "context", "list")
}

// Flags win over the environment, which wins over the context.
func TestWhichServer(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "contexts.yaml")
	require.NoError(t, os.WriteFile(file, []byte("current: a\ncontexts:\n  a: {api: http://a, token: ta, ca-file: ca}\n"), 0o600))
	token := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(token, []byte("tf\n"), 0o600))
	for name, tt := range map[string]struct {
		environ []string
		c       connection
		want    string // address, token, ca
	}{
		"nothing":            {nil, connection{}, "http://127.0.0.1:9190  "},
		"context":            {[]string{"CCR_CONTEXTS_FILE=" + file}, connection{}, "http://a ta ca"},
		"token of the env":   {[]string{"CCR_CONTEXTS_FILE=" + file, "CCR_TOKEN=te"}, connection{}, "http://a te ca"},
		"token file of env":  {[]string{"CCR_CONTEXTS_FILE=" + file, "CCR_TOKEN_FILE=" + token}, connection{}, "http://a tf ca"},
		"both of the env":    {[]string{"CCR_TOKEN=te", "CCR_TOKEN_FILE=" + token}, connection{}, "http://127.0.0.1:9190 te "},
		"address of the env": {[]string{"CCR_CONTEXTS_FILE=" + file, "CCR_API=http://e", "CCR_CA_FILE=ce"}, connection{}, "http://e  ce"},
		"flags":              {[]string{"CCR_CONTEXTS_FILE=" + file, "CCR_API=http://e", "CCR_TOKEN=te"}, connection{api: "http://f", tokenFile: token, ca: "cf"}, "http://f tf cf"},
		"context over env":   {[]string{"CCR_CONTEXTS_FILE=" + file, "CCR_API=http://e"}, connection{context: "a"}, "http://a ta ca"},
	} {
		tt.c.environ = tt.environ
		o, err := tt.c.server()
		require.NoError(t, err, name)
		require.Equal(t, tt.want, o.Address+" "+o.Token+" "+o.CAFile, name)
	}
}

// completions is the answer of __complete without what it says to the person who tests it.
func completions(out string) string {
	text, _, _ := strings.Cut(out, "Completion ended")
	return text
}

// Names of jobs, tables and words are completed; a server that does not answer has none.
func TestCompletion(t *testing.T) {
	t.Parallel()
	r := newRecorded(t, nil)
	s := session{environ: []string{"CCR_API=" + r.URL}}
	for line, want := range map[string]string{
		"job describe w":                   "weblogs\n:4\n",
		"job pause sales ":                 "crm\nweblogs\n:4\n",
		"job wait sales --for l":           "lag=0\nlag<\n:4\n",
		"job skip sales ":                  ":4\n",
		"job partial-sync sales u":         "users\n:4\n",
		"verify sa":                        "sales\n:4\n",
		"job verify status s":              "sales\n:4\n",
		"job list -o w":                    "wide\n:4\n",
		"cluster describe 127.0.0.77:3":    "127.0.0.77:30030\n:4\n",
		"cluster describe --job c":         "crm\n:4\n",
		"job events weblogs --level w":     "warn\n:4\n",
		"job describe --api http://[::1] ": ":4\n",
	} {
		args := strings.Split(line, " ")
		out, failure, status := s.run(t.Context(), append([]string{"__complete"}, args...)...)
		require.Zero(t, status, failure)
		require.Equal(t, want, completions(out), line)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		out, failure, status := s.run(t.Context(), "completion", shell)
		require.Zero(t, status, failure)
		require.Contains(t, out, "__complete", shell)
	}
}

// Who sends a token through a network is told that others can read it.
func TestATokenInTheClearIsToldOf(t *testing.T) {
	t.Parallel()
	for address, warned := range map[string]bool{"http://ccr.invalid:1": true, "https://ccr.invalid:1": false, "http://127.0.0.1:1": false} {
		out, _, status := session{environ: []string{"CCR_API=" + address, "CCR_TOKEN=t1"}}.run(t.Context(), "job", "list")
		require.Equal(t, exitUnavailable, status)
		require.Equal(t, warned, strings.Contains(out, "is sent to "+address+" without TLS"), out)
	}
}
