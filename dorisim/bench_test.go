package dorisim_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// dial opens a Thrift connection.
func dial(tb testing.TB, addr string) *thrift.TStandardClient {
	tb.Helper()
	socket := thrift.NewTSocketConf(addr, nil)
	require.NoError(tb, socket.Open())
	tb.Cleanup(func() { _ = socket.Close() })
	p := thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(socket, 8192), nil)
	return thrift.NewTStandardClient(p, p)
}

// BenchmarkUpserts replays single-row transactions of one table from one cluster
// into another: begin, ingest, commit over Thrift, 16 at a time, with the
// realistic delays.
func BenchmarkUpserts(b *testing.B) {
	start := func(name string, p core.Profile) *dorisim.Cluster {
		c, err := dorisim.Start(context.Background(), dorisim.Config{Name: name, Profile: p, RootPassword: "x"})
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, c.Close()) })
		return c
	}
	src, dst := start("src", core.Instant), start("dst", core.Realistic)
	tables := [2]struct{ table, partition, tablet int64 }{}
	for i, c := range []*dorisim.Cluster{src, dst} {
		exec(b, open(b, c), "CREATE DATABASE d", "CREATE TABLE d.t (id BIGINT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ('binlog.enable' = 'true')")
		c.Core().RLock()
		db, _ := c.Core().Database("d")
		t := db.Tables["t"]
		p := t.Partitions["t"]
		tables[i].table, tables[i].partition, tables[i].tablet = t.ID, p.ID, p.Tablets[t.BaseIndexID][0].ID
		c.Core().RUnlock()
	}
	source := open(b, src)
	for i := range b.N {
		exec(b, source, fmt.Sprintf("INSERT INTO d.t VALUES (%d)", i))
	}
	remoteHost, remotePort := src.BE(0).Host(), strconv.Itoa(src.BE(0).HTTPPort())
	backendAddr := net.JoinHostPort(dst.BE(0).Host(), strconv.Itoa(dst.BE(0).BePort()))
	slots := make(chan func(int), 16)
	for range cap(slots) {
		fe := frontendservice.NewFrontendServiceClient(dial(b, dst.FE(0).ThriftAddr()))
		be := backendservice.NewBackendServiceClient(dial(b, backendAddr))
		slots <- func(i int) { upsert(b, fe, be, dst, tables[0].tablet, tables[1], remoteHost, remotePort, i) }
	}
	b.ResetTimer()
	for i := range b.N {
		run := <-slots
		go func() { run(i); slots <- run }()
	}
	for range cap(slots) {
		<-slots
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "txn/s")
}

func upsert(b *testing.B, fe *frontendservice.FrontendServiceClient, be *backendservice.BackendServiceClient, dst *dorisim.Cluster,
	remote int64, local struct{ table, partition, tablet int64 }, host, port string, i int) {
	ctx := context.Background()
	str := func(s string) *string { return &s }
	num := func(n int64) *int64 { return &n }
	yes := true
	begun, err := fe.BeginTxn(ctx, &frontendservice.TBeginTxnRequest{User: str("root"), Passwd: str("x"), Db: str("d"), TableIds: []int64{local.table}, Label: str(fmt.Sprintf("l%d", i))})
	if err != nil || begun.Status.StatusCode != status.TStatusCode_OK {
		b.Errorf("begin: %v %v", begun, err)
		return
	}
	ingested, err := be.IngestBinlog(ctx, &backendservice.TIngestBinlogRequest{TxnID: begun.TxnID, RemoteTabletID: &remote, BinlogVersion: num(int64(i + 2)),
		RemoteHost: &host, RemotePort: &port, PartitionID: &local.partition, LocalTabletID: &local.tablet, LoadID: &types.TUniqueId{Hi: -1, Lo: -1}})
	if err != nil || ingested.Status.StatusCode != status.TStatusCode_OK {
		b.Errorf("ingest: %v %v", ingested, err)
		return
	}
	committed, err := fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: str("root"), Passwd: str("x"), Db: str("d"), TxnID: begun.TxnID, OnlyCommit: &yes,
		CommitInfos: []*types.TTabletCommitInfo{{TabletId: local.tablet, BackendId: dst.BE(0).ID()}}})
	if err != nil || committed.Status.StatusCode != status.TStatusCode_OK {
		b.Errorf("commit: %v %v", committed, err)
	}
}
