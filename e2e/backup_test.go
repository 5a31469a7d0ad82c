package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// A copy of the data directory, made while ccr-standalone runs by the lines of
// docs/troubleshooting.md, is enough to go on from: the jobs of the copy find out
// what the original has applied since.
func TestBackupOfTheDataDirectory(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("sqlite3")
	require.NoError(t, err, "make setup installs it")
	e := newOwnEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE d", strings.NewReplacer("%s.%s", "d.t").Replace(duplicateTable), "INSERT INTO d.t VALUES (1, 'a')")
	e.enableBinlog("d", "t")
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")
	e.exec("INSERT INTO d.t VALUES (2, 'before the copy')")
	e.awaitEqual(job, "d", "d")

	page, err := os.ReadFile("../docs/troubleshooting.md")
	require.NoError(t, err)
	lines := regexp.MustCompile("(?s)### Backup.*?```sh\n(.*?)```").FindSubmatch(page)
	require.Len(t, lines, 2)
	copied, err := harness.NewCCR(t.TempDir(), false)
	require.NoError(t, err)
	script := strings.NewReplacer("/var/lib/ccr/", e.ccr.DataDir+"/", "/backup/", copied.DataDir+"/").Replace(string(lines[1]))
	out, err := exec.CommandContext(e.ctx, "sh", "-ec", script).CombinedOutput()
	require.NoError(t, err, "%s", out)

	e.exec("INSERT INTO d.t VALUES (3, 'after the copy')", "INSERT INTO d.t VALUES (4, 'after the copy')")
	e.awaitEqual(job, "d", "d")
	e.ccr.Kill()
	e.ccr = copied
	require.NoError(t, copied.Start(e.ctx))
	t.Cleanup(func() { _ = copied.Stop() })
	e.exec("INSERT INTO d.t VALUES (5, 'after the restart')")
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}
