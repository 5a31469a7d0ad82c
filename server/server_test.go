package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/config"
)

// The parts against a real Temporal server are tested in e2e and standalone.

// closedPort returns an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// lockedBuffer takes log lines while a test reads them.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func testConfig(t *testing.T) config.Config {
	c := config.Default()
	c.Listen = "127.0.0.1:0"
	c.TemporalAddress = closedPort(t)
	return c
}

func TestWaitsForTemporalUntilToldToStop(t *testing.T) {
	var log lockedBuffer
	c := testConfig(t)
	c.Warnings = []string{"mind the gap"}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			Config: c, API: true, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Ready: func(string) { t.Error("ready without Temporal") },
		})
	}()
	require.Eventually(t, func() bool {
		return bytes.Contains([]byte(log.String()), []byte("Temporal is not ready, trying again"))
	}, 10*time.Second, 5*time.Millisecond)
	require.Contains(t, log.String(), "mind the gap")
	cancel()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("did not stop")
	}
}

func TestMistakesEndItAtOnce(t *testing.T) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	t.Run("port in use", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		c := testConfig(t)
		c.MetricsListen = l.Addr().String()
		err = Run(t.Context(), Options{Config: c, API: true, Logger: quiet})
		require.ErrorContains(t, err, "listen for metrics: ")
		require.ErrorContains(t, err, "address already in use")
	})
	t.Run("no key file", func(t *testing.T) {
		c := testConfig(t)
		c.SecretKeyFile = "/does/not/exist"
		require.ErrorContains(t, Run(t.Context(), Options{Config: c, API: true, Logger: quiet}), "read secret key file")
	})
	t.Run("bad certificate", func(t *testing.T) {
		c := testConfig(t)
		c.TemporalCA = "/does/not/exist"
		require.ErrorContains(t, Run(t.Context(), Options{Config: c, API: true, Logger: quiet}), "read temporal-ca")
	})
}

func TestFatalCause(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		cause error
		want  error
	}{
		{nil, nil},
		{errors.New("a signal"), nil},
		{&workerError{boom}, boom},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(tt.cause)
		require.ErrorIs(t, fatalCause(ctx), tt.want)
	}
}

type fakeHealth struct {
	client.Client
	err error
}

func (f *fakeHealth) CheckHealth(context.Context, *client.CheckHealthRequest) (*client.CheckHealthResponse, error) {
	return nil, f.err
}

func TestObserveHandler(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "ccr_x_total"}, func() float64 { return 1 }))
	health := &fakeHealth{}
	h := (&process{registry: registry, temporal: health}).observeHandler()
	get := func(path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		return rec
	}
	require.Contains(t, get("/metrics").Body.String(), "ccr_x_total 1")
	require.Equal(t, http.StatusOK, get("/healthz").Code)
	health.err = serviceerror.NewUnavailable("gone")
	require.Equal(t, http.StatusServiceUnavailable, get("/healthz").Code)
	require.Equal(t, http.StatusNotFound, get("/debug/pprof/").Code)
}

func TestServeHTTPStopsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serveHTTP(ctx, l, pprofHandler(), slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/debug/pprof/cmdline")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	cancel()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("did not stop")
	}
}
