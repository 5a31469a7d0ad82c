// Package client asks the HTTP API of a running ccr, as the command line does. It uses the
// form of the API with resources, HTTP methods and statuses.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	// replyLimit bounds what is read of a reply, in bytes.
	replyLimit = 64 << 20
	// connectTimeout bounds the wait for a connection. Requests themselves are bounded by
	// their contexts and by the server.
	connectTimeout = 10 * time.Second
)

// Options say which server to ask.
type Options struct {
	// Address of an API server; without a scheme it is asked over HTTP.
	Address string
	// Token is a bearer token, "" for none.
	Token string
	// CAFile is a PEM file of the authority that signed the server's certificate, "" for
	// those of the system.
	CAFile string
}

// Client asks one API server. It is safe for concurrent use.
type Client struct {
	base, token string
	http        *http.Client
}

// New returns a client; it makes no call.
func New(o Options) (*Client, error) {
	base := o.Address
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is no address of an API server: it looks like http://127.0.0.1:9190", o.Address)
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if o.CAFile != "" {
		if transport.TLSClientConfig.RootCAs, err = authorities(o.CAFile); err != nil {
			return nil, err
		}
	}
	return &Client{base: strings.TrimRight(base, "/"), token: o.Token, http: &http.Client{Transport: transport, CheckRedirect: stay}}, nil
}

// stay follows no redirect: the API has none, and where one leads the token and the passwords in a
// body would be sent, too, to another port or without TLS.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// ClearToken tells whether the token is sent over a network that may be others' without being
// encrypted.
func (c *Client) ClearToken() bool {
	u, err := url.Parse(c.base)
	if err != nil || u.Scheme == "https" || c.token == "" {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}

func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read --ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca-file %s holds no PEM certificate", file)
	}
	return pool, nil
}

// Address is the server that is asked.
func (c *Client) Address() string { return c.base }

// Reply is an answer of the API: what of it is known here, and the whole as it was sent.
type Reply[T any] struct {
	Value T
	JSON  json.RawMessage
}

// get asks for a resource.
func get[T any](ctx context.Context, c *Client, path string) (Reply[T], error) {
	return ask[T](ctx, c, http.MethodGet, path, roleRead, nil)
}

func ask[T any](ctx context.Context, c *Client, method, path, role string, body any) (r Reply[T], err error) {
	if r.JSON, err = c.do(ctx, method, path, role, body); err != nil {
		return r, err
	}
	if err := json.Unmarshal(r.JSON, &r.Value); err != nil {
		return r, fmt.Errorf("%s: read the answer of %s: %w", c.base, path, err)
	}
	return r, nil
}

// do sends a request and returns the body of a success, nil if it has none. role is what
// the token has to permit.
func (c *Client) do(ctx context.Context, method, path, role string, body any) (json.RawMessage, error) {
	status, said, err := c.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if status == http.StatusNoContent {
		return nil, nil
	}
	var reply struct {
		Detail   *string `json:"detail"`
		ErrorMsg string  `json:"error_msg"`
	}
	unreadable := json.Unmarshal(said, &reply) != nil
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusAccepted, status >= 300:
		e := &Error{Address: c.base, Path: path, Status: status, Role: role, Text: reply.ErrorMsg}
		if reply.Detail != nil {
			e.Text = *reply.Detail
		}
		e.stranger = e.Text == ""
		return nil, e
	case unreadable:
		return nil, &Error{Address: c.base, Path: path, Status: status, Role: role, stranger: true}
	}
	return said, nil
}

// send sends a request, and reads the whole reply.
func (c *Client) send(ctx context.Context, method, path string, body any) (status int, said []byte, err error) {
	var content io.Reader
	if body != nil {
		encoded, err := encode(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(encoded)
	}
	fail := func(err error) (int, []byte, error) {
		var operation *url.Error
		if errors.As(err, &operation) {
			err = operation.Err // the address is told once
		}
		return 0, nil, &UnreachableError{Address: c.base, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return fail(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }() // the body has been read
	if said, err = io.ReadAll(io.LimitReader(resp.Body, replyLimit)); err != nil {
		return fail(err)
	}
	if location := resp.Header.Get("Location"); resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return 0, nil, &Error{Address: c.base, Path: path, Status: resp.StatusCode, moved: location, stranger: true}
	}
	return resp.StatusCode, said, nil
}

// encode is a body as it is sent: bytes are sent as they are.
func encode(body any) ([]byte, error) {
	if raw, ok := body.([]byte); ok {
		return raw, nil
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	return encoded, nil
}
