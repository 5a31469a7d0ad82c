package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// commandLine runs a binary as a script does, and returns its exit status and what it
// printed.
func (e *env) commandLine(binary string, args ...string) (status int, out, told string) {
	e.Helper()
	path, err := harness.Binary(binary)
	require.NoError(e, err)
	cmd := exec.CommandContext(e.ctx, path, args...)
	cmd.Env = append(os.Environ(), "CCR_API="+e.ccr.API, "CCR_TOKEN=", "CCR_CONTEXTS_FILE="+filepath.Join(e.TempDir(), "none"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), stdout.String(), stderr.String()
	}
	require.NoError(e, err)
	return 0, stdout.String(), stderr.String()
}

// A job's life from the command line: each command does what it says, and its exit status
// tells a script.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	name := e.jobName()
	file := filepath.Join(t.TempDir(), "job.yaml")
	describe := func(change func(map[string]any)) {
		m := map[string]any{"name": name, "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}
		change(m)
		b, err := json.Marshal(m)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, b, 0o600))
	}
	ccr := func(status int, args ...string) (out string) {
		t.Helper()
		got, out, told := e.commandLine("ccr", args...)
		require.Equal(t, status, got, "ccr %v\n%s%s", args, out, told)
		return out + told
	}
	describe(func(map[string]any) {})
	ccr(3, "job", "describe", name)
	ccr(0, "job", "create", "-f", file)
	require.Contains(t, ccr(6, "job", "create", "-f", file), "already exist")
	require.Contains(t, ccr(0, "job", "list", "-o", "name"), name+"\n")
	ccr(0, "job", "wait", name, "--for", "incremental", "--timeout", "2m")
	require.Contains(t, ccr(0, "job", "describe", name), "DBIncrementalSync")
	require.Contains(t, ccr(0, "job", "tables", name), "u ")
	_, out, _ := e.commandLine("ccr-standalone", "job", "list", name, "-o", "name")
	require.Equal(t, name+"\n", out, "ccr-standalone has the commands, too")

	ccr(0, "job", "pause", name)
	ccr(0, "job", "wait", name, "--for", "paused", "--timeout", "1m")
	require.Contains(t, ccr(4, "job", "wait", name, "--for", "running", "--timeout", "200ms"), "is not running after 200ms")
	ccr(0, "job", "resume", name)
	e.exec("INSERT INTO d.t VALUES (1, 'x')")
	ccr(0, "job", "wait", name, "--for", "lag=0", "--timeout", "2m")

	describe(func(m map[string]any) { m["exclude_tables"], m["paused"] = []string{"u"}, true })
	ccr(4, "job", "apply", "-f", file, "--dry-run", "--exit-code")
	require.Contains(t, ccr(0, "job", "apply", "-f", file), "job "+name+" changed\n    exclude_tables: [] => [u]\n    paused: false => true\n")
	require.Equal(t, "job "+name+" unchanged\n", ccr(0, "job", "apply", "-f", file), "the second time changes nothing")
	describe(func(m map[string]any) { m["reuse_binlog_label"] = true })
	require.Contains(t, ccr(6, "job", "apply", "-f", file), "a job keeps it for its life")

	require.Contains(t, ccr(0, "cluster", "describe", "--job", name), "KEPT UNTIL")
	require.Contains(t, ccr(2, "job", "delete", name), "say it with --yes")
	ccr(0, "job", "delete", name, "--yes")
	ccr(0, "job", "wait", name, "--for", "deleted")
	ccr(3, "job", "delete", name, "--yes")
}
