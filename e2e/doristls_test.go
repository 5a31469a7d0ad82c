package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/config"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// wiretap passes connections on and keeps what clients say.
type wiretap struct {
	host string
	port int

	mu   sync.Mutex
	said bytes.Buffer
}

func tap(t *testing.T, to string) *wiretap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wiretap{host: "127.0.0.1", port: l.Addr().(*net.TCPAddr).Port}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			wg.Go(func() { defer server.Close(); _, _ = io.Copy(io.MultiWriter(w, server), client) })
			wg.Go(func() { defer client.Close(); _, _ = io.Copy(client, server) })
		}
	})
	return w
}

// Write implements io.Writer.
func (w *wiretap) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(b)
}

func (w *wiretap) heard(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.said.Bytes(), []byte(text))
}

// SQL to frontends with enable_ssl is encrypted, and what they have to prove is what
// doris-tls says.
func TestSQLOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	cert := writeCertificate(t, file("doris.crt"), file("doris.key"), 1) // for 127.0.0.1
	pair, err := tls.LoadX509KeyPair(file("doris.crt"), file("doris.key"))
	require.NoError(t, err)
	writeCertificate(t, file("stranger.crt"), file("stranger.key"), 2)
	clients := x509.NewCertPool()
	clients.AddCert(cert)
	e := newOwnEnv(t, harness.PairOptions{Password: "s3cret", TLS: &tls.Config{Certificates: []tls.Certificate{pair}}},
		"--doris-tls", "verify-full", "--doris-ca", file("doris.crt"))

	// A job: nothing of its statements is on the wire.
	wire := tap(t, e.pair.Source.FE(0).MySQLAddr())
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	source := e.pair.Source.Spec("d", "")
	source["port"] = strconv.Itoa(wire.port)
	name := e.jobName()
	_, err = e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name, "src": source, "dest": e.pair.Destination.Spec("d", "")})
	require.NoError(t, err)
	e.endWithTest(name)
	e.awaitEqual(name, "d", "d")
	e.exec("ALTER TABLE d.t ADD COLUMN added INT", "INSERT INTO d.t VALUES (2, 'b', 3)")
	e.awaitEqual(name, "d", "d")
	require.Positive(t, wire.said.Len())
	for _, clear := range []string{"SHOW", "root", "BACKUP"} {
		require.False(t, wire.heard(clear), clear)
	}

	// No job asks for less than the process allows.
	dest := e.pair.Destination.Spec("weak", "")
	dest["tls"] = "off"
	_, err = e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name + "_weak", "src": source, "dest": dest})
	require.ErrorContains(t, err, "dest.tls: less TLS than the process allows: the job asks for off, doris-tls of the workers is verify-full")

	ask := func(addr string, change func(*config.Config)) error {
		t.Helper()
		c := config.Default()
		change(&c)
		require.NoError(t, c.Validate())
		host, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		n, err := strconv.Atoi(port)
		require.NoError(t, err)
		client := sqlclient.Config{Frontends: []sqlclient.Endpoint{{Host: host, Port: n}}, User: "root", Password: "s3cret", ConnectTimeout: 10 * time.Second}
		over, err := c.SQLTLS()
		if err != nil {
			return err
		}
		if client.TLS, err = over(job.SideTLS{}); err != nil {
			return err
		}
		db := sqlclient.New(client)
		defer func() { require.NoError(t, db.Close()) }()
		ctx, cancel := context.WithTimeout(e.ctx, 20*time.Second)
		defer cancel()
		_, err = db.Query(ctx, "SHOW FRONTENDS")
		return err
	}
	tapped := net.JoinHostPort(wire.host, strconv.Itoa(wire.port))
	other := net.JoinHostPort("localhost", strconv.Itoa(wire.port)) // not in the certificate
	for _, tt := range []struct {
		name   string
		addr   string
		change func(*config.Config)
		failed string
	}{
		{"nothing is verified", other, func(c *config.Config) { c.DorisTLS = "required" }, ""},
		{"whatever the name", other, func(c *config.Config) { c.DorisTLS, c.DorisCA = "verify-ca", file("doris.crt") }, ""},
		{"the name, too", tapped, func(c *config.Config) { c.DorisTLS, c.DorisCA = "verify-full", file("doris.crt") }, ""},
		{"another name", other, func(c *config.Config) { c.DorisTLS, c.DorisCA = "verify-full", file("doris.crt") }, "certificate is valid for"},
		{"another authority", tapped, func(c *config.Config) { c.DorisTLS, c.DorisCA = "verify-ca", file("stranger.crt") }, "unknown authority"},
		{"the system's authorities", tapped, func(c *config.Config) { c.DorisTLS = "verify-ca" }, "unknown authority"},
	} {
		err := ask(tt.addr, tt.change)
		if tt.failed == "" {
			require.NoError(t, err, tt.name)
		} else {
			require.ErrorContains(t, err, tt.failed, tt.name)
		}
	}
	require.False(t, wire.heard("SHOW FRONTENDS"))
	require.NoError(t, ask(tapped, func(*config.Config) {}), "Doris still takes clients without TLS")
	require.True(t, wire.heard("SHOW FRONTENDS"), "the wiretap hears what is said in the clear")

	// A frontend that asks for certificates, and one without TLS.
	strict := clusters(t, harness.PairOptions{Password: "s3cret", TLS: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}})
	address := strict.pair.Source.FE(0).MySQLAddr()
	require.Error(t, ask(address, func(c *config.Config) { c.DorisTLS, c.DorisCA = "verify-ca", file("doris.crt") }))
	require.NoError(t, ask(address, func(c *config.Config) {
		c.DorisTLS, c.DorisCA, c.DorisCert, c.DorisKey = "verify-ca", file("doris.crt"), file("doris.crt"), file("doris.key")
	}))
	plain := clusters(t, harness.PairOptions{Password: "s3cret"})
	err = ask(plain.pair.Source.FE(0).MySQLAddr(), func(c *config.Config) { c.DorisTLS = "required" })
	require.ErrorIs(t, err, sqlclient.ErrNoTLS)
	require.ErrorContains(t, err, "enable_ssl = true")
	require.NoError(t, os.WriteFile(file("empty"), pem.EncodeToMemory(&pem.Block{Type: "NOTHING"}), 0o600))
	require.ErrorContains(t, ask(tapped, func(c *config.Config) { c.DorisTLS, c.DorisCA = "verify-ca", file("empty") }), "holds no PEM certificate")
}

// Each side of a job has TLS of its own, which can be changed while it runs.
func TestTLSOfASide(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	writeCertificate(t, file("doris.crt"), file("doris.key"), 1) // for 127.0.0.1
	writeCertificate(t, file("stranger.crt"), file("stranger.key"), 2)
	pair, err := tls.LoadX509KeyPair(file("doris.crt"), file("doris.key"))
	require.NoError(t, err)
	authority := func(name string) string {
		b, err := os.ReadFile(file(name))
		require.NoError(t, err)
		return "a remark\n" + string(b)
	}
	e := newOwnEnv(t, harness.PairOptions{Password: "s3cret", TLS: &tls.Config{Certificates: []tls.Certificate{pair}}})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	there, here := tap(t, e.pair.Source.FE(0).MySQLAddr()), tap(t, e.pair.Destination.FE(0).MySQLAddr())
	source, dest := e.pair.Source.Spec("d", ""), e.pair.Destination.Spec("d", "")
	source["port"], dest["port"] = strconv.Itoa(there.port), strconv.Itoa(here.port)
	source["tls"], source["tls_ca"] = "verify-full", authority("stranger.crt")
	name := e.jobName()
	body := map[string]any{"name": name, "src": source, "dest": dest}
	_, err = e.ccr.Call(e.ctx, "create_ccr", body)
	require.ErrorContains(t, err, "unknown authority")
	source["tls_ca"] = authority("doris.key")
	_, err = e.ccr.Call(e.ctx, "create_ccr", body)
	require.ErrorContains(t, err, "something else than certificates")
	require.NotContains(t, err.Error(), "PRIVATE")

	source["tls_ca"] = authority("doris.crt")
	_, err = e.ccr.Call(e.ctx, "create_ccr", body)
	require.NoError(t, err)
	e.endWithTest(name)
	e.awaitEqual(name, "d", "d")
	require.Positive(t, there.said.Len())
	require.False(t, there.heard("SHOW"))
	require.True(t, here.heard("SHOW"), "the destination is asked in the clear, as the process says")

	change := func(side map[string]any) error {
		_, err := e.ccr.Call(e.ctx, "update_hosts", map[string]any{"name": name, "dest": side})
		return err
	}
	require.ErrorContains(t, change(map[string]any{"tls": "verify-full", "tls_ca": authority("stranger.crt")}), "unknown authority")
	require.NoError(t, change(map[string]any{"tls": "verify-full", "tls_ca": authority("doris.crt")}))
	e.exec("ALTER TABLE d.t ADD COLUMN encrypted INT", "INSERT INTO d.t VALUES (2, 'b', 3)")
	e.awaitEqual(name, "d", "d")
	require.False(t, here.heard("encrypted"), "the ALTER is encrypted")
	detail, err := e.ccr.Call(e.ctx, "job_detail", map[string]any{"name": name})
	require.NoError(t, err)
	text := fmt.Sprint(detail)
	require.Contains(t, text, "verify-full")
	require.NotContains(t, text, "a remark")
	e.recordHistory(name)

	// Workers that allow no less than they did: the job stands, and goes on as the remedy says.
	require.NoError(t, change(map[string]any{"tls": "off", "tls_ca": ""}))
	require.NoError(t, e.ccr.Stop())
	e.ccr.Args = append(e.ccr.Args, "--doris-tls", "verify-full", "--doris-ca", file("doris.crt"))
	require.NoError(t, e.ccr.Start(e.ctx))
	e.stalledWith(name, "dest.tls: less TLS than the process allows", "update_hosts tells a running job another dest.tls")
	require.NoError(t, change(map[string]any{"tls": ""}))
	e.exec("INSERT INTO d.t VALUES (3, 'c', 4)")
	e.awaitEqual(name, "d", "d")
}
