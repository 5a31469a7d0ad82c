package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TemporalTLSConfig returns the TLS settings of the connection to Temporal, nil
// when it is not encrypted.
func (c *Config) TemporalTLSConfig() (*tls.Config, error) {
	if !c.TemporalTLS && c.TemporalCA == "" && c.TemporalCert == "" && c.TemporalServerName == "" {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TemporalServerName}
	if c.TemporalCA != "" {
		pem, err := os.ReadFile(c.TemporalCA)
		if err != nil {
			return nil, fmt.Errorf("read temporal-ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("temporal-ca %s holds no PEM certificate", c.TemporalCA)
		}
	}
	if c.TemporalCert != "" {
		pair, err := tls.LoadX509KeyPair(c.TemporalCert, c.TemporalKey)
		if err != nil {
			return nil, fmt.Errorf("load temporal-cert and temporal-key: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
