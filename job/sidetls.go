package job

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// SideTLS is how SQL goes to the frontends of one side of a job.
type SideTLS struct {
	// TLS is one of TLSModes; empty: as the worker's process says (doris-tls).
	TLS string `json:"tls,omitempty"`
	// TLSCA is the authority that a frontend's certificate has to come from, as PEM
	// text; empty: that of the worker's process.
	TLSCA string `json:"tls_ca,omitempty"`
}

// What a frontend has to prove, the least first.
const (
	TLSOff        = "off"         // nothing is encrypted
	TLSRequired   = "required"    // nothing
	TLSVerifyCA   = "verify-ca"   // a certificate of the authority
	TLSVerifyFull = "verify-full" // one for its host, too
)

// TLSModes are the words of SideTLS.TLS and of the setting doris-tls, the least first.
func TLSModes() []string { return []string{TLSOff, TLSRequired, TLSVerifyCA, TLSVerifyFull} }

// WeakerTLS tells whether one mode protects less than another.
func WeakerTLS(mode, than string) bool {
	return slices.Index(TLSModes(), mode) < slices.Index(TLSModes(), than)
}

// maxAuthority bounds SideTLS.TLSCA: it is in the state of the job and in each step's input.
const maxAuthority = 16 << 10

// check refuses what no worker could do. A text is never shown: it may be a key.
func (t SideTLS) check() error {
	if t.TLS != "" && !slices.Contains(TLSModes(), t.TLS) {
		return fmt.Errorf("[normal] tls is none of %s", strings.Join(TLSModes(), ", "))
	}
	if t.TLSCA == "" {
		return nil
	}
	if t.TLS != TLSVerifyCA && t.TLS != TLSVerifyFull {
		return fmt.Errorf("[normal] tls_ca has no effect without tls %s or %s", TLSVerifyCA, TLSVerifyFull)
	}
	if len(t.TLSCA) > maxAuthority {
		return fmt.Errorf("[normal] tls_ca is longer than %d bytes: leave out what signs no frontend", maxAuthority)
	}
	_, err := certificates(t.TLSCA)
	return err
}

var (
	errNoCertificate = errors.New("[normal] tls_ca holds no PEM certificate: it is the text of the file, not its name")
	errNotOnlyCerts  = errors.New("[normal] tls_ca holds something else than certificates; a key belongs nowhere but to its owner")
	errBrokenCert    = errors.New("[normal] tls_ca holds a certificate that cannot be read")
)

// certificates are the blocks of a PEM text, which has to have no others.
func certificates(text string) (blocks []*pem.Block, err error) {
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, errNotOnlyCerts
		}
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		return nil, errNoCertificate
	}
	return blocks, nil
}

// Authorities are the certificates of TLSCA.
func (t SideTLS) Authorities() ([]*x509.Certificate, error) {
	if t.TLSCA == "" {
		return nil, nil
	}
	blocks, err := certificates(t.TLSCA)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for _, block := range blocks {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errBrokenCert
		}
		all = append(all, cert)
	}
	return all, nil
}

// Normalized is t with nothing but certificates in TLSCA: bundles have remarks. It
// refuses what is no certificate.
func (t SideTLS) Normalized() (SideTLS, error) {
	if t.TLSCA == "" || t.check() != nil {
		return t, t.check()
	}
	all, err := t.Authorities()
	if err != nil {
		return t, err
	}
	var out bytes.Buffer
	for _, cert := range all {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	t.TLSCA = out.String()
	return t, nil
}

// Words say it for people: the mode, and who the authorities are.
func (t SideTLS) Words() string {
	if names := t.Names(); names != "" {
		return t.TLS + " (" + names + ")"
	}
	return t.TLS
}

// Names are the subjects of the authorities.
func (t SideTLS) Names() string {
	all, err := t.Authorities()
	if err != nil {
		return ""
	}
	var names []string
	for _, cert := range all {
		names = append(names, cert.Subject.String())
	}
	return strings.Join(names, "; ")
}
