package thriftpool_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftpool"
)

// announcing answers each call with the beginning of an answer that write makes, and hangs up.
func announcing(t *testing.T, method string, write func(context.Context, thrift.TProtocol) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	memory := thrift.NewTMemoryBuffer()
	protocol := thrift.NewTBinaryProtocolConf(memory, nil)
	ctx := t.Context()
	require.NoError(t, protocol.WriteMessageBegin(ctx, method, thrift.REPLY, 1))
	require.NoError(t, protocol.WriteFieldBegin(ctx, "success", thrift.STRUCT, 0))
	require.NoError(t, write(ctx, protocol))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(memory.Bytes())
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// A few bytes that announce a huge list take no memory: without a bound the process ends.
func TestAnnouncedElementsAreNotBelieved(t *testing.T) {
	const many = 1 << 29 / 3
	lists := announcing(t, "getBinlog", func(ctx context.Context, p thrift.TProtocol) error {
		require.NoError(t, p.WriteFieldBegin(ctx, "binlogs", thrift.LIST, 3))
		return p.WriteListBegin(ctx, thrift.BYTE, many)
	})
	maps := announcing(t, "getMeta", func(ctx context.Context, p thrift.TProtocol) error {
		require.NoError(t, p.WriteFieldBegin(ctx, "db_meta", thrift.STRUCT, 2))
		require.NoError(t, p.WriteFieldBegin(ctx, "dropped_table_map", thrift.MAP, 8))
		return p.WriteMapBegin(ctx, thrift.BYTE, thrift.BYTE, many)
	})
	pool := thriftpool.New(thriftpool.Config{})
	defer func() { require.NoError(t, pool.Close()) }()
	_, err := frontendservice.NewFrontendServiceClient(pool.Client(thriftpool.Target{Addr: lists}, time.Minute)).
		GetBinlog(t.Context(), &frontendservice.TGetBinlogRequest{})
	require.ErrorIs(t, err, thriftpool.ErrTooLarge)
	_, err = frontendservice.NewFrontendServiceClient(pool.Client(thriftpool.Target{Addr: maps}, time.Minute)).
		GetMeta(t.Context(), &frontendservice.TGetMetaRequest{})
	require.ErrorIs(t, err, thriftpool.ErrTooLarge)
}
