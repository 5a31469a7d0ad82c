package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/doris-ccr/ccr/config"
	"github.com/doris-ccr/ccr/job"
)

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	a := &authority{key: key, file: filepath.Join(dir, name+".crt")}
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	return a
}

// issue writes a certificate for the DNS names, and its key.
func (a *authority) issue(t *testing.T, dir, name string, dns ...string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: dns, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	return certFile, keyFile
}

// securedTemporal is as much of a Temporal frontend as connecting needs. It asks
// for client certificates, and keeps what each call says of itself.
type securedTemporal struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer
	address string

	mu      sync.Mutex
	headers []metadata.MD
	clients []string // common names of their certificates
}

func (s *securedTemporal) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

func (s *securedTemporal) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	known := map[string]enumspb.IndexedValueType{}
	for _, name := range []string{job.SearchAttributeSyncType, job.SearchAttributeSyncState, job.SearchAttributeJobState, job.SearchAttributeSourceDatabase, job.SearchAttributeDestinationDatabase} {
		known[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: known}, nil
}

func (s *securedTemporal) note(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.mu.Lock()
	s.headers = append(s.headers, md)
	s.mu.Unlock()
	return next(ctx, r)
}

// taken returns what has arrived, and forgets it.
func (s *securedTemporal) taken() (headers []metadata.MD, clients []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	headers, clients, s.headers, s.clients = s.headers, s.clients, nil, nil
	return headers, clients
}

func startSecuredTemporal(t *testing.T, ca *authority, certFile, keyFile string, auth tls.ClientAuthType) *securedTemporal {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(t, err)
	s := &securedTemporal{}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	creds := credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: auth, ClientCAs: pool,
		VerifyConnection: func(state tls.ConnectionState) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, c := range state.PeerCertificates {
				s.clients = append(s.clients, c.Subject.CommonName)
			}
			return nil
		}})
	g := grpc.NewServer(grpc.Creds(creds), grpc.UnaryInterceptor(s.note))
	workflowservice.RegisterWorkflowServiceServer(g, s)
	operatorservice.RegisterOperatorServiceServer(g, s)
	grpc_health_v1.RegisterHealthServer(g, health.NewServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = l.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { _ = g.Serve(l) })
	t.Cleanup(func() { g.Stop(); serving.Wait() })
	return s
}

// once connects with the settings, without trying again.
func once(t *testing.T, c config.Config) (client.Client, error) {
	t.Helper()
	require.NoError(t, c.Validate())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	dial, err := dialOptions(Options{Config: c, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return dialOnce(ctx, dial, prometheus.NewRegistry())
}

// A Temporal that proves who it is and asks the same of its clients, by certificates.
func TestTemporalWithMutualTLS(t *testing.T) {
	dir := t.TempDir()
	ca, stranger := newAuthority(t, dir, "ca"), newAuthority(t, dir, "stranger")
	serverCert, serverKey := ca.issue(t, dir, "server", "temporal.example.com")
	clientCert, clientKey := ca.issue(t, dir, "ccr-worker")
	foreignCert, foreignKey := stranger.issue(t, dir, "foreign")
	temporal := startSecuredTemporal(t, ca, serverCert, serverKey, tls.RequireAndVerifyClientCert)
	good := func(change func(*config.Config)) config.Config {
		c := testConfig(t)
		c.TemporalAddress, c.TemporalServerName = temporal.address, "temporal.example.com"
		c.TemporalCA, c.TemporalCert, c.TemporalKey = ca.file, clientCert, clientKey
		if change != nil {
			change(&c)
		}
		return c
	}
	connected, err := once(t, good(nil))
	require.NoError(t, err)
	defer connected.Close()
	_, clients := temporal.taken()
	require.Contains(t, clients, "ccr-worker")

	for name, wrong := range map[string]func(*config.Config){
		"no TLS": func(c *config.Config) {
			c.TemporalCA, c.TemporalCert, c.TemporalKey, c.TemporalServerName = "", "", "", ""
		},
		"no client certificate":         func(c *config.Config) { c.TemporalCert, c.TemporalKey = "", "" },
		"a stranger's certificate":      func(c *config.Config) { c.TemporalCert, c.TemporalKey = foreignCert, foreignKey },
		"another authority":             func(c *config.Config) { c.TemporalCA = stranger.file },
		"the system's authorities":      func(c *config.Config) { c.TemporalCA = "" },
		"another name":                  func(c *config.Config) { c.TemporalServerName = "other.example.com" },
		"the address is no name of its": func(c *config.Config) { c.TemporalServerName = "" },
	} {
		c, err := once(t, good(wrong))
		if err == nil {
			c.Close()
		}
		require.Error(t, err, name)
	}
	require.NoError(t, os.Chmod(clientKey, 0o644))
	_, err = once(t, good(nil))
	require.ErrorContains(t, err, "others may read or change it (chmod o= "+clientKey+")")

	// A renewed certificate is used without a restart.
	require.NoError(t, os.Chmod(clientKey, 0o600))
	tlsConfig, err := func() (*tls.Config, error) { c := good(nil); return c.TemporalTLSConfig() }()
	require.NoError(t, err)
	renewed, renewedKey := ca.issue(t, dir, "renewed")
	require.NoError(t, os.Rename(renewed, clientCert))
	require.NoError(t, os.Rename(renewedKey, clientKey))
	tlsConfig.NextProtos = []string{"h2"} // what gRPC adds
	conn, err := tls.Dial("tcp", temporal.address, tlsConfig)
	require.NoError(t, err)
	require.NoError(t, conn.Handshake())
	_, err = conn.Read(make([]byte, 1)) // the server's first frame: it has accepted the certificate
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	_, clients = temporal.taken()
	require.Contains(t, clients, "renewed")
}

// A Temporal that asks for a key, as Temporal Cloud does: each call brings it along,
// encrypted, and a file with another one is noticed.
func TestTemporalWithAnAPIKey(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	serverCert, serverKey := ca.issue(t, dir, "server", "temporal.example.com")
	temporal := startSecuredTemporal(t, ca, serverCert, serverKey, tls.NoClientCert)
	c := testConfig(t)
	c.TemporalAddress, c.TemporalServerName, c.TemporalCA, c.TemporalNamespace = temporal.address, "temporal.example.com", ca.file, "prod.a1b2c"

	requireKey := func(key string) {
		t.Helper()
		headers, _ := temporal.taken()
		require.NotEmpty(t, headers)
		for _, md := range headers {
			require.Equal(t, []string{"Bearer " + key}, md.Get("authorization"))
		}
	}
	byText := c
	byText.TemporalAPIKey = "key-of-the-environment"
	connected, err := once(t, byText)
	require.NoError(t, err)
	connected.Close()
	requireKey("key-of-the-environment")

	file := filepath.Join(dir, "api-key")
	c.TemporalAPIKeyFile = file
	_, err = once(t, c)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(file, []byte("first-key\n"), 0o600))
	connected, err = once(t, c)
	require.NoError(t, err)
	defer connected.Close()
	requireKey("first-key")
	require.NoError(t, os.WriteFile(file, []byte("second-key\n"), 0o600))
	_, err = connected.WorkflowService().GetSystemInfo(t.Context(), &workflowservice.GetSystemInfoRequest{})
	require.NoError(t, err)
	requireKey("second-key")

	// A key alone makes the connection encrypted: it is in no clear text.
	alone := config.Default()
	alone.TemporalAPIKey = "k"
	tlsConfig, err := alone.TemporalTLSConfig()
	require.NoError(t, err)
	require.NotNil(t, tlsConfig)
}
