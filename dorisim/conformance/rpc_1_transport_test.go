package conformance

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
)

// wire writes Thrift's binary protocol by hand.
type wire []byte

func (w wire) i32(n uint32) wire          { return binary.BigEndian.AppendUint32(w, n) }
func (w wire) text(s string) wire         { return append(w.i32(uint32(len(s))), s...) }
func (w wire) field(k, id byte) wire      { return append(w, k, 0, id) }
func (w wire) stop() wire                 { return append(w, 0) }
func (w wire) str(id byte, s string) wire { return w.field(11, id).text(s) }

// TestRawBytes makes one call without any Thrift library, in both header
// styles, and checks the reply byte by byte.
func TestRawBytes(t *testing.T) {
	s := source(t)
	token, err := s.fe.GetMasterToken(ctx, &frontendservice.TGetMasterTokenRequest{Cluster: new(""), User: new(user), Password: new(password)})
	require.NoError(t, err)
	arguments := wire{}.field(12, 1).str(1, "").str(2, user).str(3, password).stop().stop()
	headers := map[string]wire{
		"strict":     wire{}.i32(0x80010001).text("getMasterToken").i32(7),
		"non-strict": append(wire{}.text("getMasterToken"), 1).i32(7),
	}
	want := append(wire{}.i32(0x80010002).text("getMasterToken").i32(7).field(12, 0).field(12, 1).field(8, 1).i32(0).stop(),
		wire{}.str(2, token.GetToken()).stop().stop()...)
	for style, header := range headers {
		conn, err := net.Dial("tcp", s.thrift)
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		for range 2 { // a connection carries one call after the other
			_, err = conn.Write(append(header[:len(header):len(header)], arguments...))
			require.NoError(t, err)
			got := make([]byte, len(want))
			_, err = io.ReadFull(conn, got)
			require.NoError(t, err, style)
			require.Equal(t, []byte(want), got, style)
		}
		require.NoError(t, conn.Close())
	}
}

func TestUnknownMethod(t *testing.T) {
	s := source(t)
	var be string
	for _, b := range s.backends() {
		be = net.JoinHostPort(b.Host, itoa(int64(b.BePort)))
	}
	for addr, method := range map[string]string{s.thrift: "getTableNames", be: "submit_tasks"} {
		for _, strict := range []bool{true, false} {
			c := protocol(t, addr, strict)
			for range 2 {
				_, err := c.Call(ctx, method, backendservice.NewTIngestBinlogRequest(), backendservice.NewTIngestBinlogResult_())
				var x thrift.TApplicationException
				require.ErrorAs(t, err, &x)
				require.EqualValues(t, thrift.UNKNOWN_METHOD, x.TypeId())
				require.Equal(t, "Invalid method name: '"+method+"'", x.Error())
			}
		}
	}
}

// TestUnknownFields: fields that a server does not know are skipped.
func TestUnknownFields(t *testing.T) {
	s := source(t)
	conn, err := net.Dial("tcp", s.thrift)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	call := wire{}.i32(0x80010001).text("getMasterToken").i32(1).field(12, 1).str(2, user).str(3, password).str(99, "future").stop().stop()
	_, err = conn.Write(call)
	require.NoError(t, err)
	header := make([]byte, 4)
	_, err = io.ReadFull(conn, header)
	require.NoError(t, err)
	require.Equal(t, []byte{0x80, 1, 0, 2}, header, "a reply, no exception")
}

// TestNonStrictEverywhere runs typed calls with old-style headers.
func TestNonStrictEverywhere(t *testing.T) {
	s := source(t)
	fe := frontendservice.NewFrontendServiceClient(protocol(t, s.thrift, false))
	result, err := fe.GetBackendMeta(ctx, &frontendservice.TGetBackendMetaRequest{User: new(user), Passwd: new(password)})
	require.NoError(t, err)
	requireOK(t, result.Status)
	b := result.Backends[0]
	be := backendservice.NewBackendServiceClient(protocol(t, net.JoinHostPort(b.Host, itoa(int64(b.BePort))), false))
	answer, err := be.QueryIngestBinlog(ctx, backendservice.NewTQueryIngestBinlogRequest())
	require.NoError(t, err)
	require.Equal(t, "txn_id is empty", answer.GetErrMsg())
}
