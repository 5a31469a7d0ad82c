package config

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/keyfile"
)

// temporalTLSWanted tells whether the connection to Temporal is encrypted: each
// setting about that implies it, and a key must not be sent in the clear.
func (c *Config) temporalTLSWanted() bool {
	return c.TemporalTLS || c.TemporalCA != "" || c.TemporalCert != "" || c.TemporalServerName != "" ||
		c.TemporalAPIKey != "" || c.TemporalAPIKeyFile != ""
}

// TemporalTLSConfig returns the TLS settings of the connection to Temporal, nil
// when it is not encrypted.
func (c *Config) TemporalTLSConfig() (*tls.Config, error) {
	if !c.temporalTLSWanted() {
		return nil, nil
	}
	return clientTLS(tlsFiles{setting: "temporal", ca: c.TemporalCA, cert: c.TemporalCert, key: c.TemporalKey}, c.TemporalServerName)
}

// checkDorisTLS refuses files that would not be used: whoever names an authority
// believes to be protected by it.
func (c *Config) checkDorisTLS() error {
	if (c.DorisCert == "") != (c.DorisKey == "") {
		return errors.New("doris-cert and doris-key have to be given together")
	}
	switch {
	case c.DorisTLSMin != "" && job.WeakerTLS(c.DorisTLS, c.DorisTLSMin):
		return fmt.Errorf("doris-tls %s is less than doris-tls-min %s", c.DorisTLS, c.DorisTLSMin)
	case c.DorisTLS == job.TLSOff && (c.DorisCA != "" || c.DorisCert != ""):
		return errors.New("doris-ca and doris-cert have no effect with doris-tls off: set it to verify-ca or verify-full")
	case c.DorisTLS == job.TLSRequired && c.DorisCA != "":
		return errors.New("doris-ca has no effect with doris-tls required, which verifies nothing: set it to verify-ca or verify-full")
	}
	return nil
}

// ErrWeakTLS: a job asks for less TLS than the process allows.
var ErrWeakTLS = errors.New("less TLS than the process allows")

// SQLTLS returns what says how SQL goes to a side of a job, a nil *tls.Config for in the
// clear. A side that says nothing gets doris-tls. A missing name is the frontend's host.
func (c *Config) SQLTLS() (func(job.SideTLS) (*tls.Config, error), error) {
	base, err := clientTLS(tlsFiles{setting: "doris", ca: c.DorisCA, cert: c.DorisCert, key: c.DorisKey}, "")
	if err != nil {
		return nil, err
	}
	usual := cmp.Or(c.DorisTLS, job.TLSOff)
	least := cmp.Or(c.DorisTLSMin, usual)
	return func(side job.SideTLS) (*tls.Config, error) {
		mode := cmp.Or(side.TLS, usual)
		if job.WeakerTLS(mode, least) {
			setting := "doris-tls"
			if c.DorisTLSMin != "" {
				setting = "doris-tls-min"
			}
			return nil, fmt.Errorf("%w: the job asks for %s, %s of the workers is %s", ErrWeakTLS, mode, setting, least)
		}
		return modeTLS(base, mode, side)
	}, nil
}

// modeTLS is a client's TLS for one side. The authority of the side is used instead of the
// process's, not beside it.
func modeTLS(base *tls.Config, mode string, side job.SideTLS) (*tls.Config, error) {
	if mode == job.TLSOff {
		return nil, nil
	}
	t := base.Clone()
	own, err := side.Authorities()
	if err != nil {
		return nil, err
	}
	if len(own) > 0 {
		t.RootCAs = x509.NewCertPool()
		for _, cert := range own {
			t.RootCAs.AddCert(cert)
		}
	}
	if mode == job.TLSVerifyFull {
		return t, nil
	}
	t.InsecureSkipVerify = true // below is what is verified instead, if anything
	if mode == job.TLSVerifyCA {
		t.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(t.RootCAs, state) }
	}
	return t, nil
}

// verifyChain is all of the usual verification except for the name: those of
// Doris' certificates are rarely the hosts'.
func verifyChain(roots *x509.CertPool, state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server shows no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// tlsFiles are the files of a client, and how the settings that name them begin.
type tlsFiles struct{ setting, ca, cert, key string }

// clientTLS reads the files. The client certificate is read again for each
// connection, so that it can be renewed.
func clientTLS(f tlsFiles, serverName string) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("read %s-ca: %w", f.setting, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s-ca %s holds no PEM certificate", f.setting, f.ca)
		}
	}
	if f.cert == "" {
		return t, nil
	}
	if _, err := f.pair(); err != nil {
		return nil, err
	}
	t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return f.pair() }
	return t, nil
}

func (f tlsFiles) pair() (*tls.Certificate, error) {
	fail := func(err error) (*tls.Certificate, error) {
		return nil, fmt.Errorf("load %s-cert and %s-key: %w", f.setting, f.setting, err)
	}
	cert, err := os.ReadFile(f.cert)
	if err != nil {
		return fail(err)
	}
	key, err := keyfile.Read(f.key)
	if err != nil {
		return fail(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fail(err)
	}
	return &pair, nil
}

// TemporalKeySource returns what gives the key that Temporal asks for, nil if there is
// none. The file is read now, for its mistakes, and again for each call.
func (c *Config) TemporalKeySource() (func(context.Context) (string, error), error) {
	if c.TemporalAPIKey != "" {
		key := c.TemporalAPIKey
		return func(context.Context) (string, error) { return key, nil }, nil
	}
	if c.TemporalAPIKeyFile == "" {
		return nil, nil
	}
	file := c.TemporalAPIKeyFile
	read := func(context.Context) (string, error) {
		b, err := keyfile.Read(file)
		if err != nil {
			return "", fmt.Errorf("read temporal-api-key-file: %w", err)
		}
		key := strings.TrimSpace(string(b))
		if key == "" {
			return "", fmt.Errorf("temporal-api-key-file %s is empty", file)
		}
		return key, nil
	}
	if _, err := read(context.Background()); err != nil {
		return nil, err
	}
	return read, nil
}
