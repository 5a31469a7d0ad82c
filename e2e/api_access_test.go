package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// writeCertificate makes a self-signed pair for 127.0.0.1 and ccr.example.com.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "ccr"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames: []string{"ccr.example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// An API that other machines may reach: tokens and TLS, a certificate that is
// renewed and tokens that come and go, without a restart.
func TestAPIWithTokensAndTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	temporal, address, err := harness.StartEmbeddedTemporal(t.Context(), dir, "")
	require.NoError(t, err)
	t.Cleanup(temporal.Kill)
	ccr, err := harness.Binary("ccr")
	require.NoError(t, err)
	ports, err := harness.FreePorts(1)
	require.NoError(t, err)
	certFile, keyFile, tokens := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "tokens")
	cert := writeCertificate(t, certFile, keyFile, 1)

	token := func(name, role string) string {
		out, err := exec.Command(ccr, "token", "new", name, role, "--tokens-file", tokens).Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(out))
	}
	reader := token("reader", "read")
	// Every address of this machine: the check of the settings lets it pass.
	listen := fmt.Sprintf("0.0.0.0:%d", ports[0])
	bare := exec.Command(ccr, "api", "--listen", listen)
	said, err := bare.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "give tokens (--tokens-file) and TLS (--tls-cert, --tls-key)")

	guarded := []string{"--listen", listen, "--tokens-file", tokens, "--tls-cert", certFile, "--tls-key", keyFile}
	p, err := harness.StartProcess("api", ccr, filepath.Join(dir, "api.log"), nil, append([]string{"api", "--temporal-address", address}, guarded...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := p.Stop(40 * time.Second); err != nil {
			t.Error(err)
		}
	})
	require.NoError(t, harness.Await(t.Context(), catchUp, func(ctx context.Context) error {
		if p.Exited() {
			return fmt.Errorf("%w: %s", harness.ErrGiveUp, p.Tail(10))
		}
		out, err := exec.CommandContext(ctx, ccr, append([]string{"healthcheck"}, guarded...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("healthcheck: %w: %s", err, out)
		}
		return nil
	}))

	url := fmt.Sprintf("https://127.0.0.1:%d/list_jobs", ports[0])
	ask := func(trusted *x509.Certificate, token string) (int, error) {
		pool := x509.NewCertPool()
		pool.AddCert(trusted)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
		require.NoError(t, err)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		return resp.StatusCode, err
	}
	becomes := func(want int, trusted *x509.Certificate, token string) {
		t.Helper()
		require.NoError(t, harness.Await(t.Context(), catchUp, func(context.Context) error {
			code, err := ask(trusted, token)
			if err == nil && code != want {
				err = fmt.Errorf("HTTP %d, want %d", code, want)
			}
			return err
		}))
	}
	code, err := ask(cert, reader)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code)
	code, err = ask(cert, "")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, code)
	plain, err := http.Get(strings.Replace(url, "https", "http", 1))
	require.NoError(t, err)
	require.NoError(t, plain.Body.Close())
	require.Equal(t, http.StatusBadRequest, plain.StatusCode, "no plain HTTP")

	// A token that is added works, one that is taken away does not.
	second := token("second", "read")
	becomes(http.StatusOK, cert, second)
	text, err := os.ReadFile(tokens)
	require.NoError(t, err)
	lines := bytes.SplitAfter(text, []byte("\n"))
	require.NoError(t, os.WriteFile(tokens, lines[1], 0o600))
	becomes(http.StatusUnauthorized, cert, reader)
	becomes(http.StatusOK, cert, second)

	renewed := writeCertificate(t, certFile, keyFile, 2)
	becomes(http.StatusOK, renewed, second)
	log := p.Tail(1000)
	for _, secret := range []string{reader, second} {
		require.NotContains(t, log, secret)
	}
}

// The key is changed as docs/security.md says, while a job runs.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	key := func(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }
	e := clusters(t, harness.PairOptions{Password: "s3cret-of-doris"})
	dir := t.TempDir()
	temporal, address, err := harness.StartEmbeddedTemporal(e.ctx, dir, "")
	require.NoError(t, err)
	t.Cleanup(temporal.Kill)
	f := newFleet(e, dir, address)
	keys := func(k ...string) { f.Env = []string{"CCR_SECRET_KEY=" + strings.Join(k, ",")} }
	keys(key(1))
	require.NoError(t, f.AddAPI(e.ctx))
	require.NoError(t, f.AddWorker(e.ctx))
	e.ccr = f.APIs[0].CCR
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	name := e.jobName()
	_, err = e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name, "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")})
	require.NoError(t, err)
	e.awaitEqual(name, "d", "d")
	sealedWith := func() string {
		reply, err := e.ccr.Call(e.ctx, "job_detail", map[string]any{"name": name})
		require.NoError(t, err)
		detail := reply["job_detail"].(map[string]any)
		src, dest := detail["src"].(map[string]any)["password_key"], detail["dest"].(map[string]any)["password_key"]
		require.Equal(t, src, dest)
		return fmt.Sprint(src)
	}
	old := sealedWith()
	require.Len(t, old, 8)
	restart := func() {
		require.NoError(t, f.Workers[0].Stop())
		require.NoError(t, f.Workers[0].Start(e.ctx))
	}
	rows := 0
	follows := func() {
		t.Helper()
		rows++
		e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'x')", rows))
		e.awaitEqual(name, "d", "d")
	}

	keys(key(1), key(2)) // everybody can open what the new key will seal
	restart()
	follows()
	require.Equal(t, old, sealedWith())
	keys(key(2), key(1)) // the new key seals
	restart()
	follows()
	for _, command := range []string{"pause", "resume"} { // the end of a step, sooner than in ten minutes
		_, err := e.ccr.Call(e.ctx, command, map[string]any{"name": name})
		require.NoError(t, err)
	}
	require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
		if now := sealedWith(); now == old {
			return fmt.Errorf("still sealed with %s", now)
		}
		return nil
	}))
	keys(key(2)) // the old key is gone
	restart()
	follows()
	e.requireFullSyncs(name, 1)

	// Without its key a job stalls and says so; with it, it goes on.
	keys(key(3))
	restart()
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, name)
		if err == nil && !strings.Contains(s.LastError.Text, "sealed with a key that this process does not have") {
			err = fmt.Errorf("last error is %q", s.LastError.Text)
		}
		return err
	}))
	keys(key(2))
	restart()
	follows()

	// The keys are lost: the job is told its passwords anew, and goes on.
	keys(key(4))
	restart()
	require.NoError(t, f.APIs[0].Member.Stop())
	require.NoError(t, f.APIs[0].Member.Start(e.ctx))
	login := map[string]any{"password": "s3cret-of-doris"}
	_, err = e.ccr.Call(e.ctx, "update_credentials", map[string]any{"name": name, "src": login, "dest": login})
	require.NoError(t, err)
	follows()
	e.requireFullSyncs(name, 1)
}

// A process for tests makes a job fail at a word, and go on at another.
func TestFailpoint(t *testing.T) {
	t.Parallel()
	e := clusters(t, harness.PairOptions{})
	var err error
	e.ccr, err = harness.NewCCR(t.TempDir(), false)
	require.NoError(t, err)
	e.ccr.Args = []string{"--enable-failpoints"}
	require.NoError(t, e.ccr.Start(e.ctx))
	t.Cleanup(func() {
		if err := e.ccr.Stop(); err != nil {
			t.Error(err)
		}
	})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	name := e.createJob("d", "", "d", "")
	e.awaitEqual(name, "d", "d")
	put := func(value any) {
		_, err := e.ccr.Call(e.ctx, "failpoint", map[string]any{"name": name, "failpoint": "handle_binlog_failed", "value": value})
		require.NoError(t, err)
	}
	put(true)
	e.exec("INSERT INTO d.t VALUES (1, 'a')") // it strikes at a binlog
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, name)
		if err == nil && !(s.Stalled && strings.Contains(s.LastError.Text, "failpoint handle_binlog_failed is on")) {
			err = fmt.Errorf("stalled: %t, last error: %s", s.Stalled, s.LastError.Text)
		}
		return err
	}))
	put(nil)
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": name}) // now, not with the next try
	require.NoError(t, err)
	e.awaitEqual(name, "d", "d")
	e.requireFullSyncs(name, 1)
}

// A page whose name was pointed at this machine after it was loaded gets nothing
// of the two ports that browsers reach (DNS rebinding): not with the name of its
// origin, not as the same origin, which the browser believes it to be.
func TestRebinding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ccr, err := harness.NewCCR(dir, true)
	require.NoError(t, err)
	ccr.Args = []string{"--allowed-hosts", "ccr.example.com,other.example.com"}
	require.NoError(t, ccr.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, ccr.Stop()) })
	ask := func(base, method, path, host, body string) (int, http.Header, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Host = host
		req.Header.Set("Origin", "http://"+host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header, string(b)
	}
	workflows := "/api/v1/namespaces/default/workflows"
	for _, port := range []struct{ base, read, write string }{
		{"http://" + ccr.API, "/list_jobs", "/create_ccr"},
		{"http://" + ccr.UI, workflows, workflows + "/ccr-job-x/terminate"},
	} {
		for _, host := range []string{"evil.example", "evil.example:9190", "ccr.example.com.evil.example", "127.0.0.1.evil.example"} {
			for _, path := range []string{"/", port.read} {
				code, h, text := ask(port.base, http.MethodGet, path, host, "")
				require.Equal(t, http.StatusForbidden, code, port.base+path)
				require.Contains(t, text, "--allowed-hosts")
				require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			}
			code, _, _ := ask(port.base, http.MethodPost, port.write, host, "{}")
			require.Equal(t, http.StatusForbidden, code)
		}
		for _, host := range []string{strings.TrimPrefix(port.base, "http://"), "localhost:1234", "CCR.example.com", "[::1]:8233"} {
			code, h, _ := ask(port.base, http.MethodGet, port.read, host, "")
			require.Equal(t, http.StatusOK, code, host)
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
			require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors")
		}
	}
	code, _, page := ask("http://"+ccr.UI, http.MethodGet, "/", "localhost", "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, page, "<html")
}
