package be

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Limits of a download step (doris-rpc.md 4.3).
const (
	fetchTries      = 3
	metaTimeout     = 3 * time.Second
	minFileTimeout  = 300 * time.Second
	slowestTransfer = 50 << 10 // bytes a second
	maxMetaSize     = 256 << 20
)

// Failures of a download that have texts and codes of their own.
type (
	// httpError is a step that did not answer 200, or not at all.
	httpError struct{ err error }
	// contentError is a file that came in damaged.
	contentError struct{ text string }
)

func (e *httpError) Error() string    { return e.err.Error() }
func (e *httpError) Unwrap() error    { return e.err }
func (e *contentError) Error() string { return e.text }

// fetcher downloads from another backend's HTTP server.
type fetcher struct {
	client *http.Client
	base   string // http://host:port
	pause  time.Duration
}

// newFetcher addresses host and port as a request names them.
func newFetcher(p *process, host, port string, pause time.Duration) *fetcher {
	return &fetcher{client: p.client, base: "http://" + joinHostPort(host, port), pause: pause}
}

// joinHostPort accepts IPv6 hosts with and without brackets.
func joinHostPort(host, port string) string {
	if len(host) > 0 && host[0] != '[' {
		for i := range host {
			if host[i] == ':' {
				return "[" + host + "]:" + port
			}
		}
	}
	return host + ":" + port
}

// text GETs a small body.
func (f *fetcher) text(ctx context.Context, path string, query url.Values) ([]byte, error) {
	var body []byte
	err := f.request(ctx, metaTimeout, http.MethodGet, path, query, func(response *http.Response) (err error) {
		if body, err = io.ReadAll(io.LimitReader(response.Body, maxMetaSize)); err != nil {
			return &httpError{fmt.Errorf("GET %s: read body: %w", path, err)}
		}
		return nil
	})
	return body, err
}

// attributes is what HEAD tells about a file.
type attributes struct {
	size int64
	md5  string // "" = not told
}

// head asks for a file's size, and its digest if query wants it.
func (f *fetcher) head(ctx context.Context, path string, query url.Values) (attributes, error) {
	var a attributes
	err := f.request(ctx, metaTimeout, http.MethodHead, path, query, func(response *http.Response) error {
		size, err := strconv.ParseInt(response.Header.Get("Content-Length"), 10, 64)
		if err != nil || size < 0 {
			return &httpError{fmt.Errorf("HEAD %s: no content length", path)}
		}
		a = attributes{size: size, md5: response.Header.Get("Content-MD5")}
		return nil
	})
	return a, err
}

// file GETs a file whose size is known and checks size and digest.
func (f *fetcher) file(ctx context.Context, path string, query url.Values, size int64) ([]byte, error) {
	var body []byte
	timeout := max(minFileTimeout, time.Duration(size/slowestTransfer)*time.Second)
	err := f.request(ctx, timeout, http.MethodGet, path, query, func(response *http.Response) (err error) {
		// A body that ends early is told as a wrong size, as Doris does.
		body, err = io.ReadAll(io.LimitReader(response.Body, size+1))
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return &httpError{fmt.Errorf("GET %s: read body: %w", path, err)}
		}
		if int64(len(body)) != size {
			return &contentError{fmt.Sprintf("downloaded file size is not equal, local=%d, remote=%d", len(body), size)}
		}
		if remote := response.Header.Get("Content-MD5"); remote != "" {
			if local := hexMD5(body); local != remote {
				return &contentError{fmt.Sprintf("download file md5 is not equal, local=%s, remote=%s", local, remote)}
			}
		}
		return nil
	})
	return body, err
}

// request makes a request up to three times, until read takes the answer.
func (f *fetcher) request(ctx context.Context, timeout time.Duration, method, path string, query url.Values, read func(*http.Response) error) error {
	return f.retry(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		response, err := f.do(ctx, method, path, query)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		return read(response)
	})
}

// do makes one request; anything but 200 is an *httpError.
func (f *fetcher) do(ctx context.Context, method, path string, query url.Values) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, f.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, &httpError{fmt.Errorf("%s %s: bad address: %w", method, path, err)}
	}
	response, err := f.client.Do(request)
	if err != nil {
		return nil, &httpError{fmt.Errorf("%s %s%s: %w", method, f.base, path, withoutURL(err))}
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 512))
		_ = response.Body.Close()
		return nil, &httpError{fmt.Errorf("%s %s%s: http status code is %d: %s", method, f.base, path, response.StatusCode, text)}
	}
	return response, nil
}

// withoutURL keeps query strings, which carry the cluster token, out of errors.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// retry tries a step three times.
func (f *fetcher) retry(ctx context.Context, step func() error) error {
	for try := 1; ; try++ {
		err := step()
		if err == nil || try == fetchTries || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(f.pause):
		}
	}
}
