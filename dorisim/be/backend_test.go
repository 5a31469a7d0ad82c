package be

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/types"
)

const testToken = "1f3c0b1e-0000-4000-8000-000000000000"

// startBackend runs a backend until the test ends.
func startBackend(t *testing.T, id int64, change ...func(*Config)) *Backend {
	t.Helper()
	cfg := Config{ID: id, Token: func() string { return testToken }, RetryPause: time.Millisecond}
	for _, f := range change {
		f(&cfg)
	}
	b := New(cfg)
	require.NoError(t, b.Start())
	t.Cleanup(b.Close)
	return b
}

var (
	intType  = types.Type{Kind: types.Int}
	textType = types.Type{Kind: types.Varchar, Len: 20}
)

// schemaOf makes a schema of an INT key k and INT values.
func schemaOf(keys types.KeysType, values ...types.Column) types.Schema {
	s := types.Schema{Hash: 77, Keys: keys, Columns: []types.Column{{Name: "k", Type: intType, Key: true}}}
	s.Columns = append(s.Columns, values...)
	for i := range s.Columns {
		s.Columns[i].UniqueID = int32(i)
	}
	return s
}

func intColumn(name string, agg types.Agg) types.Column {
	return types.Column{Name: name, Type: intType, Nullable: true, Agg: agg}
}

func rowOf(values ...any) types.Row {
	row := make(types.Row, len(values))
	for i, v := range values {
		if n, ok := v.(int); ok {
			v = int64(n)
		}
		row[i] = v
	}
	return row
}

func rows(r ...types.Row) RowsetData { return RowsetData{Rows: r} }

// writer publishes one version after the other into a tablet.
type writer struct {
	t       *testing.T
	b       *Backend
	tablet  int64
	version int64
	txn     int64
}

func newWriter(t *testing.T, b *Backend, spec TabletSpec) *writer {
	t.Helper()
	require.NoError(t, b.CreateTablet(spec))
	return &writer{t: t, b: b, tablet: spec.TabletID, version: 1, txn: 1000 * spec.TabletID}
}

func (w *writer) write(data RowsetData) {
	w.t.Helper()
	w.txn++
	w.version++
	require.NoError(w.t, w.b.Write(w.txn, 1, w.tablet, data))
	require.NoError(w.t, w.b.Publish(w.txn, 1, w.tablet, w.version))
}

func (w *writer) scan() []types.Row { return scanAll(w.t, w.b, w.tablet) }

func scanAll(t *testing.T, b *Backend, tablet int64) []types.Row {
	t.Helper()
	v, err := b.Version(tablet)
	require.NoError(t, err)
	got, err := b.Scan(context.Background(), tablet, v)
	require.NoError(t, err)
	return got
}

// client dials the backend's Thrift port.
func client(t *testing.T, b *Backend, strict bool) *backendservice.BackendServiceClient {
	t.Helper()
	conf := &thrift.TConfiguration{TBinaryStrictWrite: &strict, ConnectTimeout: 5 * time.Second, SocketTimeout: 20 * time.Second}
	socket := thrift.NewTSocketConf(net.JoinHostPort(b.Host(), strconv.Itoa(b.BePort())), conf)
	require.NoError(t, socket.Open())
	t.Cleanup(func() { _ = socket.Close() })
	return backendservice.NewBackendServiceClientFactory(thrift.NewTBufferedTransport(socket, 4096), thrift.NewTBinaryProtocolFactoryConf(conf))
}

// ingestRequest asks for version of the source tablet.
func ingestRequest(from *Backend, remoteTablet, version, txn, localTablet int64) *backendservice.TIngestBinlogRequest {
	host, port, partition := from.Host(), strconv.Itoa(from.HTTPPort()), int64(9)
	return &backendservice.TIngestBinlogRequest{
		TxnID: &txn, RemoteTabletID: &remoteTablet, BinlogVersion: &version, RemoteHost: &host, RemotePort: &port,
		PartitionID: &partition, LocalTabletID: &localTablet, LoadID: &thrifttypes.TUniqueId{Hi: -1, Lo: -1},
	}
}
