package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const plainToken = "a-token-of-more-than-twenty-characters"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), mode))
	require.NoError(t, os.Chmod(path, mode)) // whatever the umask is
}

func TestTokensFile(t *testing.T) {
	token, line, err := NewToken(Identity{"maria", Operate})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(token, "ccr_"))
	require.NotContains(t, line, token)
	path := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, Append(path, "# people\n\n"+line))
	require.NoError(t, Append(path, "grafana READ plain:"+plainToken))

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	ids, err := List(path)
	require.NoError(t, err)
	require.Equal(t, []Identity{{"maria", Operate}, {"grafana", Read}}, ids)

	tokens, err := OpenTokens(path, quiet)
	require.NoError(t, err)
	id, err := tokens.Identify(token)
	require.NoError(t, err)
	require.Equal(t, Identity{"maria", Operate}, id)
	id, err = tokens.Identify(plainToken)
	require.NoError(t, err)
	require.Equal(t, Identity{"grafana", Read}, id)
	for _, wrong := range []string{token + "x", token[1:], "maria", line} {
		_, err = tokens.Identify(wrong)
		require.ErrorIs(t, err, ErrUnknownToken)
	}
	_, err = tokens.Identify("")
	require.ErrorIs(t, err, ErrNoToken)
}

func TestMistakesInTheTokensFile(t *testing.T) {
	good := "a read sha256:" + strings.Repeat("00", 32)
	for text, want := range map[string]string{
		"":                             "holds no token",
		"# nothing\n":                  "holds no token",
		"a read":                       "line 1: 2 words, want three",
		"\na boss plain:" + plainToken: `line 2: role "boss" is not one of read, operate, admin`,
		"a open plain:" + plainToken:   `role "open" is not one of`,
		"a/b read plain:" + plainToken: `token name "a/b"`,
		"a read plain:short":           "shorter than 20",
		"a read " + plainToken:         "neither sha256:<hex> nor plain:<token>",
		"a read sha256:00":             "64 hex digits",
		good + "\n" + good:             "line 2: there are two tokens named a",
		good + "\nb admin" + good[6:]:  "line 2: the token of b has another name already",
	} {
		path := filepath.Join(t.TempDir(), "tokens")
		write(t, path, text, 0o600)
		_, err := OpenTokens(path, quiet)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), plainToken)
		require.NotContains(t, err.Error(), "short:")
	}
	_, err := OpenTokens(filepath.Join(t.TempDir(), "nothing"), quiet)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = NewToken(Identity{"a", Open})
	require.ErrorContains(t, err, "no role")
}

func TestOthersMustNotReadOrChangeTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	hashed, plain := "a read sha256:"+strings.Repeat("00", 32), "a read plain:"+plainToken
	for _, tt := range []struct {
		text string
		mode os.FileMode
		good bool
	}{
		{hashed, 0o644, true}, // as Kubernetes mounts secrets
		{hashed, 0o666, false},
		{plain, 0o600, true},
		{plain, 0o640, false},
		{plain, 0o604, false},
	} {
		write(t, path, tt.text, tt.mode)
		_, err := OpenTokens(path, quiet)
		if tt.good {
			require.NoError(t, err, tt.mode)
		} else {
			require.ErrorIs(t, err, ErrLoosePermissions, tt.mode)
		}
	}
}

// lookNow makes the next use look at the files at once.
func (w *watch) lookNow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = time.Time{}
}

func TestTokensAreReadAgain(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, "a read plain:"+plainToken, 0o600)
	tokens, err := OpenTokens(path, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	role := func(token string) Role {
		tokens.watch.lookNow()
		id, err := tokens.Identify(token)
		if err != nil {
			require.ErrorIs(t, err, ErrUnknownToken)
		}
		return id.Role
	}
	require.Equal(t, Read, role(plainToken))

	write(t, path, "a admin plain:"+plainToken+"\nb read plain:"+plainToken+"2", 0o600)
	require.Equal(t, Admin, role(plainToken))
	require.Equal(t, Read, role(plainToken+"2"))

	write(t, path, "a admin plain:"+plainToken, 0o600)
	require.Equal(t, Open, role(plainToken+"2"), "taken away")

	for _, broken := range []string{"", "a admin", "a admin plain:x"} {
		write(t, path, broken, 0o600)
		require.Equal(t, Admin, role(plainToken), "a mistake locks nobody out")
	}
	require.Contains(t, log.String(), "the tokens known so far stay")
	require.NoError(t, os.Remove(path))
	require.Equal(t, Admin, role(plainToken))
	require.NotContains(t, log.String(), plainToken)
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, "r read plain:"+plainToken+"r\no operate plain:"+plainToken+"o\na admin plain:"+plainToken+"a", 0o600)
	tokens, err := OpenTokens(path, quiet)
	require.NoError(t, err)
	request := func(header string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		return r
	}
	basic := request("")
	basic.SetBasicAuth("anybody", plainToken+"o")
	for _, tt := range []struct {
		r      *http.Request
		needed Role
		name   string
		status int
	}{
		{request(""), Open, "", 0},
		{request("Bearer wrong"), Open, "", 0},
		{request(""), Read, "", http.StatusUnauthorized},
		{request("Bearer "), Read, "", http.StatusUnauthorized},
		{request("Bearer wrong"), Read, "", http.StatusUnauthorized},
		{request("Token " + plainToken + "r"), Read, "", http.StatusUnauthorized},
		{request("Bearer " + plainToken + "r"), Open, "r", 0},
		{request("bearer " + plainToken + "r"), Read, "r", 0},
		{request("Bearer " + plainToken + "r"), Operate, "r", http.StatusForbidden},
		{request("Bearer " + plainToken + "o"), Operate, "o", 0},
		{request("Bearer " + plainToken + "o"), Admin, "o", http.StatusForbidden},
		{request("Bearer " + plainToken + "a"), Admin, "a", 0},
		{basic, Operate, "o", 0},
	} {
		id, err := tokens.Check(tt.r, tt.needed)
		require.Equal(t, tt.name, id.Name)
		if tt.status == 0 {
			require.NoError(t, err)
			continue
		}
		require.Error(t, err)
		require.Equal(t, tt.status, Status(err))
		require.NotContains(t, err.Error(), plainToken)
	}
	id, err := (*Tokens)(nil).Check(request(""), Admin)
	require.NoError(t, err)
	require.Equal(t, Identity{Role: Admin}, id, "no tokens, no questions")

	h := tokens.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), Read, quiet)
	for header, want := range map[string]int{"": 401, "Bearer x": 401, "Bearer " + plainToken + "r": http.StatusTeapot} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, request(header))
		require.Equal(t, want, rec.Code)
		require.Equal(t, want == 401, rec.Header().Get("WWW-Authenticate") != "")
	}
}

// makeCertificate writes a self-signed pair of its own serial number.
func makeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "ccr"}, DNSNames: []string{"ccr.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	makeCertificate(t, certFile, keyFile, 1)
	c, err := OpenCertificate(certFile, keyFile, quiet)
	require.NoError(t, err)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelInfo)}
	done := make(chan error)
	go func() { done <- srv.Serve(tls.NewListener(plain, c.ServerConfig())) }()
	t.Cleanup(func() {
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})

	ask := func() (int64, error) {
		c.watch.lookNow()
		local, err := LocalConfig(certFile)
		require.NoError(t, err)
		transport := &http.Transport{TLSClientConfig: local}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get("https://" + plain.Addr().String())
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	serial, err := ask()
	require.NoError(t, err)
	require.Equal(t, int64(1), serial)

	makeCertificate(t, certFile, keyFile, 2)
	serial, err = ask()
	require.NoError(t, err)
	require.Equal(t, int64(2), serial)

	// Half a renewal: the key is still the old one.
	makeCertificate(t, certFile, filepath.Join(dir, "later.key"), 3)
	_, err = ask()
	require.ErrorIs(t, err, errOtherCertificate, "the pair in use stays, and is not the one in the file")
	require.NoError(t, os.Rename(filepath.Join(dir, "later.key"), keyFile))
	serial, err = ask()
	require.NoError(t, err)
	require.Equal(t, int64(3), serial)
}

func TestCertificateMistakes(t *testing.T) {
	c, err := OpenCertificate("", "", quiet)
	require.NoError(t, err)
	require.Nil(t, c.ServerConfig())
	_, err = OpenCertificate("/does/not/exist", "/nor/this", quiet)
	require.ErrorContains(t, err, "tls-cert")
	_, err = LocalConfig("/does/not/exist")
	require.ErrorIs(t, err, os.ErrNotExist)
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err = LocalConfig(empty)
	require.ErrorContains(t, err, "no PEM certificate")
}

// A file that has become unreadable is told by a metric until it is mended: what was
// read before stays in use.
func TestUnreadableFilesAreTold(t *testing.T) {
	dir := t.TempDir()
	path, certFile, keyFile := filepath.Join(dir, "tokens"), filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write(t, path, "grafana read plain:"+plainToken, 0o600)
	tokens, err := OpenTokens(path, quiet)
	require.NoError(t, err)
	makeCertificate(t, certFile, keyFile, 1)
	certificate, err := OpenCertificate(certFile, keyFile, quiet)
	require.NoError(t, err)
	lookAgain := func() { tokens.watch.lookNow(); certificate.watch.lookNow() }
	require.False(t, tokens.Unreadable())
	require.False(t, certificate.Unreadable())
	require.False(t, (*Tokens)(nil).Unreadable())
	require.False(t, (*Certificate)(nil).Unreadable())

	require.NoError(t, os.Chmod(path, 0o644))
	require.NoError(t, os.Chmod(keyFile, 0o644))
	lookAgain()
	require.True(t, tokens.Unreadable())
	require.True(t, certificate.Unreadable())
	_, err = tokens.Identify(plainToken)
	require.NoError(t, err, "the tokens of before")

	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Chmod(keyFile, 0o640))
	lookAgain()
	require.False(t, tokens.Unreadable())
	require.False(t, certificate.Unreadable())
}

// A key that everybody on the machine can read is none.
func TestKeyThatOthersReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	makeCertificate(t, certFile, keyFile, 1)
	require.NoError(t, os.Chmod(keyFile, 0o644))
	_, err := OpenCertificate(certFile, keyFile, quiet)
	require.ErrorIs(t, err, ErrLoosePermissions)
}
