package access

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/doris-ccr/ccr/keyfile"
)

// Certificate is the one that servers show. It is read again when its files
// change, so that it can be renewed without a restart.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	watch             watch
	pair              atomic.Pointer[tls.Certificate]
	unreadable        atomic.Bool
}

// OpenCertificate reads a certificate and its key from PEM files. Two empty
// paths mean a nil Certificate.
func OpenCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log, watch: watch{paths: []string{certFile, keyFile}}}
	c.watch.changed() // what is read next is known
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// ServerConfig returns the TLS settings of a server, nil for a nil Certificate.
func (c *Certificate) ServerConfig() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(), nil
		},
	}
}

// current returns the newest pair that could be read. While one file is new and
// the other is not, they do not fit: the old pair stays until they do.
func (c *Certificate) current() *tls.Certificate {
	if c.watch.changed() {
		if err := c.read(); err != nil {
			c.log.Error("certificate cannot be read, the one in use stays", "error", err)
		} else {
			c.log.Info("certificate read again", "file", c.certFile)
		}
	}
	return c.pair.Load()
}

func (c *Certificate) read() error {
	pair, err := c.load()
	c.unreadable.Store(err != nil)
	if err != nil {
		return fmt.Errorf("load tls-cert and tls-key: %w", err)
	}
	c.pair.Store(&pair)
	return nil
}

func (c *Certificate) load() (pair tls.Certificate, err error) {
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return pair, err
	}
	key, err := keyfile.Read(c.keyFile)
	if err != nil {
		return pair, err
	}
	return tls.X509KeyPair(cert, key)
}

// Unreadable tells whether the files have changed into something that cannot be
// used, so that an older certificate is shown. It looks at them, as a connection
// does; it is false for a nil Certificate.
func (c *Certificate) Unreadable() bool {
	if c == nil {
		return false
	}
	c.current()
	return c.unreadable.Load()
}

// errOtherCertificate: whoever answered is not the process with our files.
var errOtherCertificate = errors.New("the server shows another certificate than the one in tls-cert")

// LocalConfig returns the TLS settings with which a process on the same machine
// reaches a server by its address: whatever names the certificate is for, it has
// to be the one in certFile.
func LocalConfig(certFile string) (*tls.Config, error) {
	b, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("read tls-cert: %w", err)
	}
	first, _ := pem.Decode(b)
	if first == nil {
		return nil, fmt.Errorf("tls-cert %s holds no PEM certificate", certFile)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // the check below is stricter
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) == 0 || !bytes.Equal(raw[0], first.Bytes) {
				return errOtherCertificate
			}
			return nil
		},
	}, nil
}
