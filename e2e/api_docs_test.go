package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// documents have curl lines that operators copy.
var documents = []string{"README.md", "docs/operations.md", "docs/troubleshooting.md"}

var (
	shellBlock = regexp.MustCompile("(?ms)^ *```(?:sh|bash)\n(.*?)^ *```")
	jobInBlock = regexp.MustCompile(`(?:"name": "|/jobs/)([a-z]\w*)`)
	docHost    = regexp.MustCompile(`"host": "(fe[12])", "port": "9030", "thrift_port": "9020"`)
	docDB      = regexp.MustCompile(`("database": ")\w+(")`)
)

// curlPrelude makes curl fail where it would print an error, and end its output
// with a line break, so that one line is one reply.
const curlPrelude = `set -euo pipefail
curl() { command curl -sS --fail-with-body --max-time 60 "$@"; echo; }
`

// Every block with curl in the documents works as it stands, with this test's
// addresses put in: each reply is a success.
func TestDocumentedCurlLines(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE db_a", fmt.Sprintf(duplicateTable, "db_a", "orders"))
	e.enableBinlog("db_a", "orders")
	e.exec("INSERT INTO db_a.orders VALUES (1, 'a')")
	root, err := harness.Root()
	require.NoError(t, err)
	// The body of create_ccr in a file of its own, as some lines have it.
	dir := t.TempDir()
	body, err := json.Marshal(map[string]any{"name": "another", "src": e.pair.Source.Spec("db_a", ""), "dest": e.pair.Destination.Spec("db_c", "")})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "job.json"), body, 0o600))
	for _, document := range documents {
		text, err := os.ReadFile(filepath.Join(root, document))
		require.NoError(t, err)
		ran := 0
		for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
			script := block[1]
			// A template, and lines for systems that are not here.
			if !strings.Contains(script, "curl ") || strings.Contains(script, "{json body}") || strings.Contains(script, "https://") {
				continue
			}
			e.prepareFor(script)
			ran++
			run := exec.CommandContext(e.ctx, "bash", "-c", curlPrelude+e.withAddresses(script))
			run.Dir = dir
			out, err := run.CombinedOutput()
			require.NoError(t, err, "%s:\n%s\n%s", document, script, out)
			for _, line := range strings.Split(string(out), "\n") {
				if strings.HasPrefix(line, "{") {
					require.NotContains(t, line, `"success":false`, "%s:\n%s", document, script)
				}
			}
			if m := jobInBlock.FindStringSubmatch(script); m != nil && strings.Contains(script, "/update_host_mapping") {
				_, err := e.ccr.Call(e.ctx, "delete", map[string]any{"name": m[1]}) // its hosts are not those of this test
				require.NoError(t, err)
			}
		}
		require.GreaterOrEqual(t, ran, 1, "%s has no block with curl", document)
	}
}

// prepareFor brings about what a block takes for granted: its job exists, runs
// and follows, unless the block creates it.
func (e *env) prepareFor(script string) {
	e.Helper()
	m := jobInBlock.FindStringSubmatch(script)
	if m == nil {
		return
	}
	name := m[1]
	_, err := e.ccr.Status(e.ctx, name)
	exists := err == nil
	creates := strings.Contains(script, "/create_ccr")
	if creates || !exists {
		e.deleteOthers(name) // the documents' jobs all have the same destination
	}
	switch {
	case creates && exists:
		_, err := e.ccr.Call(e.ctx, "delete", map[string]any{"name": name})
		require.NoError(e, err)
		return
	case creates, strings.Contains(script, "/check_ccr"):
		return
	case !exists:
		_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name,
			"src": e.pair.Source.Spec("db_a", ""), "dest": e.pair.Destination.Spec("db_a", "")})
		require.NoError(e, err)
	}
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": name})
	require.NoError(e, err)
	e.awaitState(name, "DBIncrementalSync")
}

// deleteOthers deletes all jobs but the one of that name.
func (e *env) deleteOthers(name string) {
	e.Helper()
	reply, err := e.ccr.Call(e.ctx, "list_jobs", map[string]any{})
	require.NoError(e, err)
	for _, other := range reply["jobs"].([]any) {
		if other != name {
			_, err := e.ccr.Call(e.ctx, "delete", map[string]any{"name": other})
			require.NoError(e, err)
		}
	}
}

// withAddresses puts this test's servers in the place of the document's.
func (e *env) withAddresses(script string) string {
	e.Helper()
	script = strings.ReplaceAll(script, "127.0.0.1:9190", e.ccr.API)
	script = docHost.ReplaceAllStringFunc(script, func(s string) string {
		cluster := e.pair.Source
		if strings.Contains(s, `"fe2"`) {
			cluster = e.pair.Destination
		}
		spec := cluster.Spec("", "")
		return fmt.Sprintf(`"host": "%s", "port": "%s", "thrift_port": "%s"`, spec["host"], spec["port"], spec["thrift_port"])
	})
	script = docDB.ReplaceAllString(script, "${1}db_a${2}")
	if m := jobInBlock.FindStringSubmatch(script); m != nil && strings.Contains(script, "skip_") {
		progress, err := e.ccr.Call(e.ctx, "job_progress", map[string]any{"name": m[1]})
		require.NoError(e, err)
		p := progress["job_progress"].(map[string]any)
		seq, err := p["commit_seq"].(json.Number).Int64()
		require.NoError(e, err)
		script = strings.ReplaceAll(script, `"skip_commit_seq": 1001`, `"skip_commit_seq": `+strconv.FormatInt(seq+1000, 10)) // still ahead
		for id, table := range p["table_name_mapping"].(map[string]any) {
			if table == "orders" {
				script = strings.ReplaceAll(script, "10010", id)
			}
		}
	}
	return script
}
