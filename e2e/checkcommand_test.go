package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// checkCommand runs `ccr check` with a body from a file and returns its exit
// status and what it printed.
func (e *env) checkCommand(body map[string]any, args ...string) (status int, out, told string) {
	e.Helper()
	b, err := json.Marshal(body)
	require.NoError(e, err)
	file := filepath.Join(e.TempDir(), "job.json")
	require.NoError(e, os.WriteFile(file, b, 0o600))
	return e.commandLine("ccr", append([]string{"check", "-f", file}, args...)...)
}

// The command makes the checks of check_ccr, with a server and without one, and
// its exit status tells what a script wants to know.
func TestCheckCommand(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2, Password: "s3cret"})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	body := map[string]any{"name": e.jobName(), "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}

	status, out, told := e.checkCommand(body)
	require.Zero(t, status, out+told)
	require.Contains(t, out, "PASS  source: tables")
	require.Contains(t, out, "Overall: pass")
	require.Contains(t, out, "Not looked at without --api")

	// The same lines as check_ccr's, but for what only a server knows.
	read := func(out string) (overall string, lines map[string]checkLine) {
		var printed struct {
			Overall string
			Checks  []checkLine
		}
		require.NoError(t, json.Unmarshal([]byte(out), &printed), out)
		lines = map[string]checkLine{}
		for _, line := range printed.Checks {
			lines[line.Check] = line
		}
		return printed.Overall, lines
	}
	_, want := e.check(func(map[string]any) {})
	status, out, told = e.checkCommand(body, "--output", "json", "--api", e.ccr.API)
	require.Zero(t, status, out+told)
	overall, asked := read(out)
	require.Equal(t, "pass", overall)
	require.Equal(t, want, asked)
	status, out, told = e.checkCommand(body, "--output", "json")
	require.Zero(t, status, out+told)
	_, alone := read(out)
	delete(want, "name")
	delete(want, "other jobs")
	require.Equal(t, want, alone)

	// The files of "ccr job apply" are taken, too.
	inline := func(spec map[string]any) string {
		text, err := json.Marshal(spec)
		require.NoError(t, err)
		return string(text)
	}
	several := filepath.Join(t.TempDir(), "jobs.yaml")
	require.NoError(t, os.WriteFile(several, []byte("name: good\nsrc: "+inline(e.pair.Source.Spec("d", ""))+"\ndest: "+inline(e.pair.Destination.Spec("d", ""))+
		"\n---\nname: bad\nsrc: "+inline(e.pair.Source.Spec("nothing", ""))+"\ndest: "+inline(e.pair.Destination.Spec("nothing", ""))+"\n"), 0o600))
	status, out, told = e.commandLine("ccr", "check", "-f", several)
	require.Equal(t, 1, status, out+told)
	require.Contains(t, out, "job good\nPASS")
	require.Contains(t, out, "job bad\n")
	require.Contains(t, told, "job bad: ")
	require.NotContains(t, told, "job good")

	// A warning does not fail, a misspelt key is one.
	body["replication_mun"] = 1
	status, out, told = e.checkCommand(body)
	require.Zero(t, status, out+told)
	require.Contains(t, out, "Overall: warn")
	require.Contains(t, out, "replication_mun")
	delete(body, "replication_mun")

	// What would fail does, and no password is shown.
	body["replication_num"] = 3
	side(body, "dest")["password"] = "wr0ng pw"
	for _, args := range [][]string{nil, {"--api", "http://" + e.ccr.API + "/"}} {
		status, out, told = e.checkCommand(body, args...)
		require.Equal(t, 1, status, out+told)
		require.Contains(t, out, "FAIL  destination: frontend")
		require.Contains(t, out, "=> correct dest.user and dest.password")
		require.Contains(t, told, "checks failed")
		require.NotContains(t, out+told, "wr0ng")
		require.NotContains(t, out+told, "s3cret")
	}

	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--output", "xml"}, `--output "xml"`},
		{[]string{"-f", "/does/not/exist"}, "read /does/not/exist: no such file"},
		{[]string{"--api", "127.0.0.1:1"}, "connection refused"},
	} {
		status, _, told = e.checkCommand(body, tt.args...)
		require.Equal(t, 1, status)
		require.Contains(t, told, tt.want)
	}
}
