package job

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func authorityText(t *testing.T, name string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// What is no mode or no authority is refused, and never shown: it may be a key.
func TestSideTLSMistakes(t *testing.T) {
	good := authorityText(t, "theirs")
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}))
	for text, side := range map[string]SideTLS{
		"none of off, required":   {TLS: "on"},
		"has no effect without":   {TLS: TLSRequired, TLSCA: good},
		"no effect without tls v": {TLSCA: good},
		"the text of the file":    {TLS: TLSVerifyCA, TLSCA: "/etc/passwd"},
		"something else":          {TLS: TLSVerifyCA, TLSCA: good + key},
		"cannot be read":          {TLS: TLSVerifyCA, TLSCA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))},
		"longer than 16384 bytes": {TLS: TLSVerifyCA, TLSCA: strings.Repeat(good, 1+maxAuthority/len(good))},
	} {
		_, err := side.Normalized()
		require.ErrorContains(t, err, text)
		require.NotContains(t, err.Error(), "PRIVATE")
	}
	side, err := SideTLS{TLS: TLSVerifyCA, TLSCA: "# ours\n" + good}.Normalized()
	require.NoError(t, err)
	require.Equal(t, SideTLS{TLS: TLSVerifyCA, TLSCA: good}, side, "without the remark")
	require.Equal(t, "verify-ca (CN=theirs)", side.Words())
}

// A change of a side leaves what it does not name, and no authority without use.
func TestSideTLSChanges(t *testing.T) {
	text := func(s string) *string { return &s }
	s := Spec{Destination: Cluster{Host: "fe", SideTLS: SideTLS{TLS: TLSVerifyCA, TLSCA: "pem"}}}
	for _, tt := range []struct {
		change ClusterChange
		is     SideTLS
	}{
		{ClusterChange{TLS: text(TLSVerifyFull)}, SideTLS{TLS: TLSVerifyFull, TLSCA: "pem"}},
		{ClusterChange{Port: 9031}, SideTLS{TLS: TLSVerifyFull, TLSCA: "pem"}},
		{ClusterChange{TLSCA: text("")}, SideTLS{TLS: TLSVerifyFull}},
		{ClusterChange{TLSCA: text("other")}, SideTLS{TLS: TLSVerifyFull, TLSCA: "other"}},
		{ClusterChange{TLS: text(TLSOff)}, SideTLS{TLS: TLSOff}},
		{ClusterChange{TLS: text("")}, SideTLS{}},
	} {
		s.Change(ClusterChanges{Dest: &tt.change})
		require.Equal(t, tt.is, s.Destination.SideTLS)
		require.Equal(t, SideTLS{}, s.Source.SideTLS)
	}
	require.ErrorIs(t, (&ClusterChanges{Dest: &ClusterChange{}}).CheckHosts(), ErrNoHosts)
	require.NoError(t, (&ClusterChanges{Dest: &ClusterChange{TLS: text("")}}).CheckHosts())
	require.ErrorContains(t, (&ClusterChanges{Dest: &ClusterChange{TLS: text("on")}}).CheckHosts(), "dest: [normal] tls is none of")
	require.ErrorContains(t, (&ClusterChanges{Dest: &ClusterChange{TLS: text("off"), TLSCA: text("x")}}).CheckHosts(), "no effect")
}
