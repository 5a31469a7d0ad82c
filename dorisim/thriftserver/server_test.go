package thriftserver_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/dorisim/thriftserver"
)

// handler answers with the peer's address, or as told.
type handler struct {
	block  chan struct{}
	err    error
	panics bool
}

func (h *handler) IngestBinlog(ctx context.Context, _ *backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error) {
	if h.panics {
		panic("no such tablet")
	}
	if h.block != nil {
		close(h.block)
		<-ctx.Done()
	}
	return backendservice.NewTIngestBinlogResult_(), h.err
}

func (h *handler) QueryIngestBinlog(ctx context.Context, _ *backendservice.TQueryIngestBinlogRequest) (*backendservice.TQueryIngestBinlogResult_, error) {
	peer := thriftserver.Peer(ctx)
	return &backendservice.TQueryIngestBinlogResult_{ErrMsg: &peer}, nil
}

func serve(t *testing.T, h *handler, o thriftserver.Options) (*thriftserver.Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := thriftserver.New(backendservice.NewBackendServiceProcessor(h), o)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		require.NoError(t, <-served)
	})
	return s, l.Addr().String()
}

func dial(t *testing.T, addr string, framed, strict bool) *backendservice.BackendServiceClient {
	t.Helper()
	conf := &thrift.TConfiguration{TBinaryStrictWrite: &strict, SocketTimeout: 10 * time.Second}
	var transport thrift.TTransport = thrift.NewTSocketConf(addr, conf)
	if framed {
		transport = thrift.NewTFramedTransportConf(transport, conf)
	}
	require.NoError(t, transport.Open())
	t.Cleanup(func() { _ = transport.Close() })
	return backendservice.NewBackendServiceClientFactory(transport, thrift.NewTBinaryProtocolFactoryConf(conf))
}

func TestHeaderStylesAndFraming(t *testing.T) {
	for _, framed := range []bool{false, true} {
		_, addr := serve(t, &handler{}, thriftserver.Options{Framed: framed})
		for _, strict := range []bool{false, true} {
			c := dial(t, addr, framed, strict)
			for range 2 {
				r, err := c.QueryIngestBinlog(context.Background(), backendservice.NewTQueryIngestBinlogRequest())
				require.NoError(t, err)
				require.Equal(t, "127.0.0.1", r.GetErrMsg())
			}
		}
	}
}

func TestDropConnection(t *testing.T) {
	_, addr := serve(t, &handler{err: thriftserver.ErrDropConnection}, thriftserver.Options{})
	_, err := dial(t, addr, false, true).IngestBinlog(context.Background(), backendservice.NewTIngestBinlogRequest())
	var transport thrift.TTransportException
	require.ErrorAs(t, err, &transport)
}

func TestTooLargeMessage(t *testing.T) {
	_, addr := serve(t, &handler{}, thriftserver.Options{MaxMessageSize: 100})
	host := string(make([]byte, 1000))
	_, err := dial(t, addr, false, true).IngestBinlog(context.Background(), &backendservice.TIngestBinlogRequest{RemoteHost: &host})
	require.Error(t, err)
}

// TestTooLargeFrame is doris-rpc.md 1.2: a frame has at most 16,384,000 bytes.
func TestTooLargeFrame(t *testing.T) {
	_, addr := serve(t, &handler{}, thriftserver.Options{Framed: true})
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write(binary.BigEndian.AppendUint32(nil, 16_384_001))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// TestPanicEndsOneConnection only.
func TestPanicEndsOneConnection(t *testing.T) {
	_, addr := serve(t, &handler{panics: true}, thriftserver.Options{})
	_, err := dial(t, addr, false, true).IngestBinlog(context.Background(), backendservice.NewTIngestBinlogRequest())
	require.Error(t, err)
	_, err = dial(t, addr, false, true).QueryIngestBinlog(context.Background(), backendservice.NewTQueryIngestBinlogRequest())
	require.NoError(t, err)
}

func TestCloseEndsRunningCalls(t *testing.T) {
	h := &handler{block: make(chan struct{})}
	s, addr := serve(t, h, thriftserver.Options{})
	c := dial(t, addr, false, true)
	failed := make(chan error, 1)
	go func() {
		_, err := c.IngestBinlog(context.Background(), backendservice.NewTIngestBinlogRequest())
		failed <- err
	}()
	<-h.block
	s.Close()
	require.Error(t, <-failed)
	_, err := net.Dial("tcp", addr)
	require.Error(t, err)
}
