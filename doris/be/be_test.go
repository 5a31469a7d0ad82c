package be_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
)

// backend is a fake BE.
type backend struct {
	endpoint be.Endpoint
	ingest   func(*backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error)

	mu      sync.Mutex
	queries []*backendservice.TQueryIngestBinlogRequest
	states  []backendservice.TQueryIngestBinlogResult_ // answers to queries, the last for ever
}

func (b *backend) IngestBinlog(_ context.Context, r *backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error) {
	return b.ingest(r)
}

func (b *backend) QueryIngestBinlog(_ context.Context, r *backendservice.TQueryIngestBinlogRequest) (*backendservice.TQueryIngestBinlogResult_, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queries = append(b.queries, r)
	state := b.states[0]
	if len(b.states) > 1 {
		b.states = b.states[1:]
	}
	return &state, nil
}

func (b *backend) asked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queries)
}

func start(t *testing.T, b *backend) *backend {
	t.Helper()
	listener, err := thrift.NewTServerSocket("127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Listen())
	server := thrift.NewTSimpleServer4(backendservice.NewBackendServiceProcessor(b), listener,
		thrift.NewTBufferedTransportFactory(8192), thrift.NewTBinaryProtocolFactoryConf(nil))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve()
	}()
	t.Cleanup(func() {
		_ = server.Stop()
		<-done
	})
	host, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	b.endpoint.Host = host
	b.endpoint.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	return b
}

func newPool(t *testing.T, cfg be.Config) *be.Pool {
	t.Helper()
	p := be.NewPool(cfg)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func ptr[T any](v T) *T { return &v }

func replies(r *backendservice.TIngestBinlogResult_) func(*backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error) {
	return func(*backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error) {
		return r, nil
	}
}

func refusal(code status.TStatusCode, text string) *backendservice.TIngestBinlogResult_ {
	return &backendservice.TIngestBinlogResult_{Status: &status.TStatus{StatusCode: code, ErrorMsgs: []string{text}}}
}

var (
	done    = &backendservice.TIngestBinlogResult_{Status: &status.TStatus{}}
	queued  = &backendservice.TIngestBinlogResult_{Status: &status.TStatus{}, IsAsync: ptr(true)}
	request = be.IngestRequest{TxnID: 777, RemoteTabletID: 10231, Version: 21, RemoteHost: "10.0.0.2", RemotePort: 8040, PartitionID: 50210, LocalTabletID: 50231}
)

func TestIngest(t *testing.T) {
	got := make(chan *backendservice.TIngestBinlogRequest, 1)
	b := start(t, &backend{ingest: func(r *backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error) {
		got <- r
		return done, nil
	}})
	var observed []string
	p := newPool(t, be.Config{Observe: func(method, addr string, _ time.Duration, err error) {
		observed = append(observed, method+" "+addr)
		require.NoError(t, err)
	}})
	require.NoError(t, p.Ingest(t.Context(), b.endpoint, request))
	require.Equal(t, &backendservice.TIngestBinlogRequest{
		TxnID: ptr(int64(777)), RemoteTabletID: ptr(int64(10231)), BinlogVersion: ptr(int64(21)), RemoteHost: ptr("10.0.0.2"), RemotePort: ptr("8040"),
		PartitionID: ptr(int64(50210)), LocalTabletID: ptr(int64(50231)), LoadID: &types.TUniqueId{Hi: -1, Lo: -1}}, <-got)
	require.Equal(t, []string{"ingest_binlog " + b.endpoint.String()}, observed)
}

func TestIngestRefused(t *testing.T) {
	tests := map[string]struct {
		reply *backendservice.TIngestBinlogResult_
		want  error
	}{
		"tablet":    {refusal(status.TStatusCode_TABLET_MISSING, "tablet 50231 not found"), be.ErrTabletMissing},
		"http":      {refusal(status.TStatusCode_HTTP_ERROR, "(10.0.0.9)[HTTP_ERROR]404"), be.ErrHTTP},
		"switch":    {refusal(status.TStatusCode_RUNTIME_ERROR, "enable feature binlog is false"), be.ErrBinlogDisabled},
		"no status": {&backendservice.TIngestBinlogResult_{}, be.ErrIncomplete},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := start(t, &backend{ingest: replies(tt.reply)})
			err := newPool(t, be.Config{}).Ingest(t.Context(), b.endpoint, request)
			for _, sentinel := range []error{be.ErrTabletMissing, be.ErrHTTP, be.ErrBinlogDisabled, be.ErrIncomplete} {
				require.Equal(t, sentinel == tt.want, errors.Is(err, sentinel), "%v is %v", err, sentinel)
			}
			if s := tt.reply.Status; s != nil {
				require.ErrorContains(t, err, s.ErrorMsgs[0])
			}
		})
	}
}

func TestIngestAsync(t *testing.T) {
	doing := backendservice.TQueryIngestBinlogResult_{Status: ptr(backendservice.TIngestBinlogStatus_DOING)}
	tests := map[string]struct {
		last backendservice.TQueryIngestBinlogResult_
		want error
	}{
		"ok":        {backendservice.TQueryIngestBinlogResult_{Status: ptr(backendservice.TIngestBinlogStatus_OK)}, nil},
		"failed":    {backendservice.TQueryIngestBinlogResult_{Status: ptr(backendservice.TIngestBinlogStatus_FAILED)}, be.ErrIngestFailed},
		"forgotten": {backendservice.TQueryIngestBinlogResult_{Status: ptr(backendservice.TIngestBinlogStatus_NOT_FOUND)}, be.ErrIngestForgotten},
		"no tablet": {backendservice.TQueryIngestBinlogResult_{Status: ptr(backendservice.TIngestBinlogStatus_NOT_FOUND), ErrMsg: ptr("tablet 50231 not found")}, be.ErrTabletMissing},
		"cloud":     {backendservice.TQueryIngestBinlogResult_{Status: ptr(backendservice.TIngestBinlogStatus_UNKNOWN)}, be.ErrIngestFailed},
		"unset":     {backendservice.TQueryIngestBinlogResult_{}, be.ErrIncomplete},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := start(t, &backend{ingest: replies(queued), states: []backendservice.TQueryIngestBinlogResult_{doing, doing, tt.last}})
			p := newPool(t, be.Config{PollMin: time.Millisecond, PollMax: 2 * time.Millisecond})
			require.ErrorIs(t, p.Ingest(t.Context(), b.endpoint, request), tt.want)
			require.Equal(t, 3, b.asked())
			require.Equal(t, &backendservice.TQueryIngestBinlogRequest{TxnID: ptr(int64(777)), PartitionID: ptr(int64(50210)), TabletID: ptr(int64(50231)),
				LoadID: &types.TUniqueId{Hi: -1, Lo: -1}}, b.queries[0])
		})
	}
}

func TestIngestAsyncEnds(t *testing.T) {
	doing := backendservice.TQueryIngestBinlogResult_{Status: ptr(backendservice.TIngestBinlogStatus_DOING)}
	b := start(t, &backend{ingest: replies(queued), states: []backendservice.TQueryIngestBinlogResult_{doing}})
	p := newPool(t, be.Config{PollMin: time.Millisecond, PollMax: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- p.Ingest(ctx, b.endpoint, request) }()
	require.Eventually(t, func() bool { return b.asked() > 2 }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)

	short := newPool(t, be.Config{PollMin: time.Millisecond, PollMax: time.Millisecond, IngestTimeout: 5 * time.Millisecond})
	require.Error(t, short.Ingest(t.Context(), b.endpoint, request))
}

func TestIngestLimitPerBackend(t *testing.T) {
	const limit = 3
	var mu sync.Mutex
	running, most := 0, 0
	finish := make(chan struct{})
	gate := func(*backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		<-finish
		mu.Lock()
		running--
		mu.Unlock()
		return done, nil
	}
	busy := start(t, &backend{ingest: gate})
	idle := start(t, &backend{ingest: replies(done)})
	p := newPool(t, be.Config{Limit: limit})

	var wg sync.WaitGroup
	errs := make(chan error, 10)
	for range 10 {
		wg.Go(func() { errs <- p.Ingest(t.Context(), busy.endpoint, request) })
	}
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return running == limit }, 10*time.Second, time.Millisecond)
	require.NoError(t, p.Ingest(t.Context(), idle.endpoint, request), "another backend has slots of its own")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var lost *be.TransportError
	require.ErrorAs(t, p.Ingest(ctx, busy.endpoint, request), &lost)
	require.False(t, lost.Sent)

	close(finish)
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, limit, most)
}

func TestIngestLostReply(t *testing.T) {
	var healthy atomic.Bool
	b := start(t, &backend{ingest: func(*backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error) {
		if healthy.Load() {
			return done, nil
		}
		return nil, thrift.ErrAbandonRequest
	}})
	p := newPool(t, be.Config{})
	var lost *be.TransportError
	require.ErrorAs(t, p.Ingest(t.Context(), b.endpoint, request), &lost)
	require.True(t, lost.Sent)
	healthy.Store(true)
	require.NoError(t, p.Ingest(t.Context(), b.endpoint, request))
}
