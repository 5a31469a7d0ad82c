package thriftpool_test

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftpool"
)

// server answers every query_ingest_binlog with text, over as many connections
// as come.
type server struct {
	addr     string
	accepted atomic.Int32
	text     string
	listener net.Listener
}

func (s *server) IngestBinlog(context.Context, *backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error) {
	return nil, thrift.ErrAbandonRequest
}

func (s *server) QueryIngestBinlog(context.Context, *backendservice.TQueryIngestBinlogRequest) (*backendservice.TQueryIngestBinlogResult_, error) {
	return &backendservice.TQueryIngestBinlogResult_{ErrMsg: &s.text}, nil
}

func start(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{addr: l.Addr().String(), listener: l, text: "hello"}
	processor := backendservice.NewBackendServiceProcessor(s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			go func() {
				defer func() { _ = c.Close() }()
				transport := thrift.NewTBufferedTransport(thrift.NewTSocketFromConnConf(c, nil), 4096)
				protocol := thrift.NewTBinaryProtocolConf(transport, nil)
				for {
					if ok, err := processor.Process(context.Background(), protocol, protocol); !ok || err != nil {
						return
					}
				}
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return s
}

func query(t *testing.T, p *thriftpool.Pool, target thriftpool.Target) (string, error) {
	t.Helper()
	r, err := backendservice.NewBackendServiceClient(p.Client(target, time.Minute)).
		QueryIngestBinlog(t.Context(), &backendservice.TQueryIngestBinlogRequest{})
	if err != nil {
		return "", err
	}
	return r.GetErrMsg(), nil
}

func TestConnectionsAreReused(t *testing.T) {
	s := start(t)
	p := thriftpool.New(thriftpool.Config{})
	defer func() { require.NoError(t, p.Close()) }()
	target := thriftpool.Target{Addr: s.addr}
	for range 5 {
		got, err := query(t, p, target)
		require.NoError(t, err)
		require.Equal(t, "hello", got)
	}
	require.EqualValues(t, 1, s.accepted.Load())
	require.Equal(t, 1, p.Idle(target))
}

func TestOldConnectionsAreNotReused(t *testing.T) {
	s := start(t)
	p := thriftpool.New(thriftpool.Config{IdleTimeout: 1})
	defer func() { require.NoError(t, p.Close()) }()
	for range 2 {
		_, err := query(t, p, thriftpool.Target{Addr: s.addr})
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, s.accepted.Load())
}

func TestConnectionIsDroppedAfterAnError(t *testing.T) {
	s := start(t)
	p := thriftpool.New(thriftpool.Config{})
	defer func() { require.NoError(t, p.Close()) }()
	target := thriftpool.Target{Addr: s.addr}
	_, err := query(t, p, target)
	require.NoError(t, err)

	_, err = backendservice.NewBackendServiceClient(p.Client(target, time.Minute)).IngestBinlog(t.Context(), &backendservice.TIngestBinlogRequest{})
	var lost *thriftpool.Error
	require.ErrorAs(t, err, &lost)
	require.True(t, lost.Sent)
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, p.Idle(target))
}

// A server that closed the connection while it was idle is not a lost reply.
func TestConnectionClosedWhileIdle(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	hangUp := make(chan struct{})
	hungUp := make(chan struct{})
	go func() {
		processor := backendservice.NewBackendServiceProcessor(&server{text: "hello"})
		for first := true; ; first = false {
			c, err := l.Accept()
			if err != nil {
				return
			}
			protocol := thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(thrift.NewTSocketFromConnConf(c, nil), 4096), nil)
			_, _ = processor.Process(context.Background(), protocol, protocol)
			if first {
				<-hangUp
				_ = c.Close()
				close(hungUp)
			}
		}
	}()
	p := thriftpool.New(thriftpool.Config{})
	defer func() { require.NoError(t, p.Close()) }()
	target := thriftpool.Target{Addr: l.Addr().String()}
	_, err = query(t, p, target)
	require.NoError(t, err)
	close(hangUp)
	<-hungUp
	_, err = query(t, p, target)
	require.NoError(t, err)
}

func TestReplyLargerThanAllowed(t *testing.T) {
	s := start(t)
	s.text = string(make([]byte, 1<<16))
	p := thriftpool.New(thriftpool.Config{})
	defer func() { require.NoError(t, p.Close()) }()
	_, err := query(t, p, thriftpool.Target{Addr: s.addr, MaxMessageSize: 1 << 10})
	var lost *thriftpool.Error
	require.ErrorAs(t, err, &lost)
	require.ErrorIs(t, err, thriftpool.ErrTooLarge)
	got, err := query(t, p, thriftpool.Target{Addr: s.addr})
	require.NoError(t, err)
	require.Len(t, got, 1<<16)
}

func TestMaxIdle(t *testing.T) {
	s := start(t)
	p := thriftpool.New(thriftpool.Config{MaxIdle: 2})
	defer func() { require.NoError(t, p.Close()) }()
	target := thriftpool.Target{Addr: s.addr}
	errs := make(chan error, 8)
	for range 8 {
		go func() { _, err := query(t, p, target); errs <- err }()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
	require.LessOrEqual(t, p.Idle(target), 2)
}

func TestClosedPool(t *testing.T) {
	s := start(t)
	p := thriftpool.New(thriftpool.Config{})
	require.NoError(t, p.Close())
	_, err := query(t, p, thriftpool.Target{Addr: s.addr})
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestContextEndsTheCall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	p := thriftpool.New(thriftpool.Config{})
	defer func() { require.NoError(t, p.Close()) }()

	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := backendservice.NewBackendServiceClient(p.Client(thriftpool.Target{Addr: l.Addr().String()}, 0)).
			QueryIngestBinlog(ctx, &backendservice.TQueryIngestBinlogRequest{})
		result <- err
	}()
	c, err := l.Accept() // the request is on its way
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = io.ReadFull(c, make([]byte, 4))
	require.NoError(t, err)
	cancel()
	err = <-result
	require.ErrorIs(t, err, context.Canceled)
	var lost *thriftpool.Error
	require.ErrorAs(t, err, &lost)
	require.True(t, lost.Sent)
}
