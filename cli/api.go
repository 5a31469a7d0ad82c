package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// replyLimit bounds what is read of a reply, in bytes.
const replyLimit = 64 << 20

// apiFlags say how to reach an API server.
type apiFlags struct {
	api, ca string
}

// ask posts a body to a running ccr, and reads the reply into out. role is what the
// token in CCR_TOKEN has to permit. A reply that is not a success is an error with
// its text.
func (f apiFlags) ask(ctx context.Context, token, path, role string, body []byte, out any) error {
	address := f.api
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	url := strings.TrimRight(address, "/") + path
	fail := func(err error) error { return fmt.Errorf("ask %s: %w", url, err) }
	asker, err := clientFor(f.ca)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := asker.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }() // the body has been read
	said, err := io.ReadAll(io.LimitReader(resp.Body, replyLimit))
	if err != nil {
		return fail(err)
	}
	var reply struct {
		Success  bool   `json:"success"`
		ErrorMsg string `json:"error_msg"`
	}
	switch err := json.Unmarshal(said, &reply); {
	case err != nil:
		return fail(fmt.Errorf("%s, and not an answer of ccr", resp.Status))
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return fail(fmt.Errorf("%s: %s (set %s to a token with the role %s)", resp.Status, reply.ErrorMsg, tokenEnv, role))
	case !reply.Success:
		return fail(errors.New(reply.ErrorMsg))
	}
	if err := json.Unmarshal(said, out); err != nil {
		return fail(fmt.Errorf("read the answer: %w", err))
	}
	return nil
}

// clientFor trusts the authority in caFile, "" for those of the system.
func clientFor(caFile string) (*http.Client, error) {
	if caFile == "" {
		return http.DefaultClient, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read --ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca-file %s holds no PEM certificate", caFile)
	}
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
	}}, nil
}
