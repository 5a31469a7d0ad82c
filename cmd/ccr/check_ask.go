package main

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

	"github.com/doris-ccr/ccr/job"
)

// askCheck lets an API server make the checks (check_ccr).
func askCheck(ctx context.Context, f checkFlags, token string, body []byte) (job.CheckReport, error) {
	address := f.api
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	url := strings.TrimRight(address, "/") + "/check_ccr"
	fail := func(err error) (job.CheckReport, error) {
		return job.CheckReport{}, fmt.Errorf("ask %s: %w", url, err)
	}
	asker, err := clientFor(f.ca)
	if err != nil {
		return job.CheckReport{}, err
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
	said, err := io.ReadAll(io.LimitReader(resp.Body, checkBody))
	if err != nil {
		return fail(err)
	}
	var reply struct {
		Success  bool              `json:"success"`
		ErrorMsg string            `json:"error_msg"`
		Checks   []job.CheckResult `json:"checks"`
	}
	switch err := json.Unmarshal(said, &reply); {
	case err != nil:
		return fail(fmt.Errorf("%s, and not an answer of ccr", resp.Status))
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return fail(fmt.Errorf("%s: %s (set %s to a token with the role admin)", resp.Status, reply.ErrorMsg, tokenEnv))
	case !reply.Success:
		return fail(errors.New(reply.ErrorMsg))
	}
	return job.CheckReport{Checks: reply.Checks}, nil
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
