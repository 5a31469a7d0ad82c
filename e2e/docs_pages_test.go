package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// blocksOf are the shell blocks of a page below docs/.
func blocksOf(t *testing.T, page string) []string {
	t.Helper()
	root, err := harness.Root()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs", page))
	require.NoError(t, err)
	var blocks []string
	for _, m := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// The quick start, by hand: what its lines make on the source arrives.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("mysql")
	require.NoError(t, err, "make setup installs it")
	e := newOwnEnv(t, harness.PairOptions{})
	src, dest := e.pair.Source.Spec("", ""), e.pair.Destination.Spec("", "")
	here := strings.NewReplacer("127.0.0.1:9190", e.ccr.API,
		"-P 9030", fmt.Sprint("-P ", src["port"]), "-P 10030", fmt.Sprint("-P ", dest["port"]),
		`"port": "9030", "thrift_port": "9031"`, fmt.Sprintf(`"port": "%s", "thrift_port": "%s"`, src["port"], src["thrift_port"]),
		`"port": "10030", "thrift_port": "10031"`, fmt.Sprintf(`"port": "%s", "thrift_port": "%s"`, dest["port"], dest["thrift_port"]))
	for _, block := range blocksOf(t, "quickstart.md") {
		if !strings.Contains(block, "mysql ") && !strings.Contains(block, "curl ") {
			continue // builds and starts what runs here already
		}
		run := func(ctx context.Context) ([]byte, error) {
			return exec.CommandContext(ctx, "bash", "-c", curlPrelude+here.Replace(block)).CombinedOutput()
		}
		if !strings.Contains(block, "SELECT") {
			out, err := run(e.ctx)
			require.NoError(t, err, "%s\n%s", block, out)
			require.NotContains(t, string(out), `"success":false`, block)
			continue
		}
		// Until the tables are there it is refused.
		require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
			out, err := run(ctx)
			if err == nil && (!strings.Contains(string(out), "milk") || !strings.Contains(string(out), "price")) {
				err = fmt.Errorf("not there yet: %s", out)
			}
			return err
		}))
		return
	}
	require.Fail(t, "no block looks at the destination")
}

// The first block of docs/security.md makes tokens and starts a server with TLS;
// its curl line asks that server.
func TestSecurityPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	temporal, address, err := harness.StartEmbeddedTemporal(t.Context(), dir, "")
	require.NoError(t, err)
	t.Cleanup(temporal.Kill)
	ccr, err := harness.Binary("ccr")
	require.NoError(t, err)
	ports, err := harness.FreePorts(1)
	require.NoError(t, err)
	cert := filepath.Join(dir, "tls.crt")
	writeCertificate(t, cert, filepath.Join(dir, "tls.key"), 1)

	var setUp, ask string
	for _, block := range blocksOf(t, "security.md") {
		switch {
		case strings.Contains(block, "ccr token new"):
			setUp = block
		case strings.Contains(block, "curl "):
			ask = block
		}
	}
	here := strings.NewReplacer("/etc/ccr", dir, ":9190", fmt.Sprintf(":%d", ports[0]))
	var token string
	for line := range strings.Lines(here.Replace(setUp)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "   #")
		words := strings.Fields(line)
		if words[1] != "server" {
			out, err := exec.CommandContext(t.Context(), ccr, words[1:]...).Output()
			require.NoError(t, err, line)
			if strings.Contains(line, "maria") {
				token = strings.TrimSpace(string(out))
			}
			continue
		}
		p, err := harness.StartProcess("server", ccr, filepath.Join(dir, "server.log"), nil, append(words[1:], "--temporal-address", address)...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Stop(40*time.Second)) })
	}
	reach := fmt.Sprintf("curl() { command curl -sS --cacert %s --resolve ccr.example.com:%d:127.0.0.1 \"$@\"; }\n", cert, ports[0])
	require.NoError(t, harness.Await(t.Context(), catchUp, func(ctx context.Context) error {
		run := exec.CommandContext(ctx, "bash", "-c", reach+here.Replace(ask))
		run.Env = append(os.Environ(), "CCR_TOKEN="+token)
		out, err := run.CombinedOutput()
		if err == nil && !strings.Contains(string(out), "job ccr_test not exist") {
			err = fmt.Errorf("the reply is %s", out)
		}
		return err
	}))
}
