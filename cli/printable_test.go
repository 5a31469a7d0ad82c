package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile would clear the screen, change the title, write backwards, and begin a line of its own.
const hostile = "a\x1b[2J\x1b]0;title\x07b\u009b1mc\u202ed\re"

// Whatever a server answers, a terminal obeys none of it.
func TestTerminalsAreNotOrdered(t *testing.T) {
	quoted, err := json.Marshal(hostile)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jobs" {
			_, _ = io.WriteString(w, `{"jobs":[{"name":`+string(quoted)+`,"type":"db","error":`+string(quoted)+`}]}`)
			return
		}
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"detail":`+string(quoted)+`}`)
	}))
	defer server.Close()
	stdout, stderr := os.Stdout, os.Stderr
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	run := func(args ...string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "said")
		f, err := os.Create(file)
		require.NoError(t, err)
		os.Stdout, os.Stderr = f, f
		cmd := CCR("test", []string{"CCR_API=" + server.URL}).Root()
		cmd.SetArgs(args)
		Main(cmd)
		require.NoError(t, f.Close())
		said, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotEmpty(t, said)
		require.NotRegexp(t, "[\\x00-\\x08\\x0b-\\x1f\\x7f\u0080-\u009f\u202a-\u202e]", string(said), args)
		return string(said)
	}
	run("job", "list")
	run("job", "list", "-o", "name")
	run("job", "list", "-o", "yaml")
	run("job", "describe", "a")
	require.Contains(t, run("job", "pause", "a"), "a?[2J?]0;title?b?1mc?d?e")
	var answer struct{ Jobs []struct{ Error string } }
	require.NoError(t, json.Unmarshal([]byte(run("job", "list", "-o", "json")), &answer))
	require.Equal(t, hostile, answer.Jobs[0].Error, "JSON says the same, in other characters")
}
