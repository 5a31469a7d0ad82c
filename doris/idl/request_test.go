package idl_test

import (
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
)

func p[T any](v T) *T { return &v }

// Every field of every request, against the tables of doris-rpc.md. Request is
// what is encoded, want the same by hand.
var requests = map[string]struct {
	method  string
	request thrift.TStruct
	want    value
}{
	"getMasterToken": {"getMasterToken", &frontendservice.FrontendServiceGetMasterTokenArgs{
		Request: &frontendservice.TGetMasterTokenRequest{Cluster: p(""), User: p("u"), Password: p("p")}},
		object(f(1, str("")), f(2, str("u")), f(3, str("p")))},

	"getBackendMeta": {"getBackendMeta", &frontendservice.FrontendServiceGetBackendMetaArgs{
		Request: &frontendservice.TGetBackendMetaRequest{Cluster: p("c"), User: p("u"), Passwd: p("p"), UserIP: p("ip"), Token: p("t"), BackendID: p(int64(7))}},
		object(f(1, str("c")), f(2, str("u")), f(3, str("p")), f(4, str("ip")), f(5, str("t")), f(6, i64(7)))},

	"getMeta": {"getMeta", &frontendservice.FrontendServiceGetMetaArgs{
		Request: &frontendservice.TGetMetaRequest{Cluster: p("c"), User: p("u"), Passwd: p("p"), UserIP: p("ip"), Token: p("t"),
			Db: &frontendservice.TGetMetaDB{ID: p(int64(1)), Name: p("d"), OnlyTableNames: p(false), Tables: []*frontendservice.TGetMetaTable{
				{ID: p(int64(2)), Name: p("t"), InTrash: p(true), Partitions: []*frontendservice.TGetMetaPartition{
					{ID: p(int64(3)), Name: p("p"), Key: p("k"), Range: p("r"), IsTemp: p(true), Indexes: []*frontendservice.TGetMetaIndex{
						{ID: p(int64(4)), Name: p("i"), Tablets: []*frontendservice.TGetMetaTablet{
							{ID: p(int64(5)), Replicas: []*frontendservice.TGetMetaReplica{{ID: p(int64(6))}}}}}}}}}}}}},
		object(f(1, str("c")), f(2, str("u")), f(3, str("p")), f(4, str("ip")), f(5, str("t")),
			f(6, object(f(1, i64(1)), f(2, str("d")), f(3, boolean(false)), f(4, list(kindStruct,
				object(f(1, i64(2)), f(2, str("t")), f(3, boolean(true)), f(4, list(kindStruct,
					object(f(1, i64(3)), f(2, str("p")), f(3, str("k")), f(4, str("r")), f(5, boolean(true)), f(6, list(kindStruct,
						object(f(1, i64(4)), f(2, str("i")), f(3, list(kindStruct,
							object(f(1, i64(5)), f(2, list(kindStruct, object(f(1, i64(6))))))))))))))))))))},

	"getBinlog": {"getBinlog", &frontendservice.FrontendServiceGetBinlogArgs{Request: binlogRequest()}, binlogRequestBytes()},

	// The request of getBinlogLag is an alias of that of getBinlog.
	"getBinlogLag": {"getBinlogLag", &frontendservice.FrontendServiceGetBinlogLagArgs{Request: binlogRequest()}, binlogRequestBytes()},

	"lockBinlog": {"lockBinlog", &frontendservice.FrontendServiceLockBinlogArgs{
		Request: &frontendservice.TLockBinlogRequest{Cluster: p("c"), User: p("u"), Passwd: p("p"), Db: p("d"), Table: p("t"),
			TableID: p(int64(-1)), Token: p("k"), JobUniqueID: p("j"), LockCommitSeq: p(int64(9))}},
		object(f(1, str("c")), f(2, str("u")), f(3, str("p")), f(4, str("d")), f(5, str("t")), f(6, i64(-1)), f(7, str("k")), f(8, str("j")), f(9, i64(9)))},

	"beginTxn": {"beginTxn", &frontendservice.FrontendServiceBeginTxnArgs{
		Request: &frontendservice.TBeginTxnRequest{Cluster: p("c"), User: p("u"), Passwd: p("p"), Db: p("d"), TableIds: []int64{50200, 50201},
			UserIP: p("ip"), Label: p("l"), AuthCode: p(int64(1)), Timeout: p(int64(2)), RequestID: &types.TUniqueId{Hi: 3, Lo: 4},
			Token: p("t"), BackendID: p(int64(5)), SubTxnNum: 6}},
		object(f(1, str("c")), f(2, str("u")), f(3, str("p")), f(4, str("d")), f(5, list(kindI64, i64(50200), i64(50201))), f(6, str("ip")),
			f(7, str("l")), f(8, i64(1)), f(9, i64(2)), f(10, object(f(1, i64(3)), f(2, i64(4)))), f(11, str("t")), f(12, i64(5)), f(13, i64(6)))},

	// Unset is not empty: the empty list travels, what was not set does not, nor
	// does the default of sub_txn_num.
	"beginTxn, empty list": {"beginTxn", &frontendservice.FrontendServiceBeginTxnArgs{
		Request: &frontendservice.TBeginTxnRequest{TableIds: []int64{}, Label: p("")}},
		object(f(5, list(kindI64)), f(7, str("")))},

	"beginTxn, nothing set": {"beginTxn", &frontendservice.FrontendServiceBeginTxnArgs{
		Request: frontendservice.NewTBeginTxnRequest()}, object()},

	"commitTxn": {"commitTxn", &frontendservice.FrontendServiceCommitTxnArgs{
		Request: &frontendservice.TCommitTxnRequest{Cluster: p("c"), User: p("u"), Passwd: p("p"), Db: p("d"), UserIP: p("ip"), TxnID: p(int64(777)),
			CommitInfos: []*types.TTabletCommitInfo{{TabletId: 50231, BackendId: 50002, InvalidDictCols: []string{"x"}}},
			AuthCode:    p(int64(1)), ThriftRPCTimeoutMs: p(int64(33000)), Token: p("t"), DbID: p(int64(50100)), TxnInsert: p(true),
			SubTxnInfos: []*types.TSubTxnInfo{{SubTxnID: p(int64(778)), TableID: p(int64(50200)),
				TabletCommitInfos: []*types.TTabletCommitInfo{{TabletId: 50233, BackendId: 50003}}, SubTxnType: p(types.TSubTxnType_DELETE)}},
			OnlyCommit: p(true)}},
		object(f(1, str("c")), f(2, str("u")), f(3, str("p")), f(4, str("d")), f(5, str("ip")), f(6, i64(777)),
			f(7, list(kindStruct, object(f(1, i64(50231)), f(2, i64(50002)), f(3, list(kindString, str("x")))))),
			f(8, i64(1)), f(10, i64(33000)), f(11, str("t")), f(12, i64(50100)), f(13, boolean(true)),
			f(14, list(kindStruct, object(f(1, i64(778)), f(2, i64(50200)),
				f(3, list(kindStruct, object(f(1, i64(50233)), f(2, i64(50003))))), f(4, i32(1))))),
			f(15, boolean(true)))},

	"commitTxn, empty list": {"commitTxn", &frontendservice.FrontendServiceCommitTxnArgs{
		Request: &frontendservice.TCommitTxnRequest{CommitInfos: []*types.TTabletCommitInfo{}}},
		object(f(7, list(kindStruct)))},

	"rollbackTxn": {"rollbackTxn", &frontendservice.FrontendServiceRollbackTxnArgs{
		Request: &frontendservice.TRollbackTxnRequest{Cluster: p("c"), User: p("u"), Passwd: p("p"), Db: p("d"), UserIP: p("ip"), TxnID: p(int64(1)),
			Reason: p("r"), AuthCode: p(int64(2)), Token: p("t"), DbID: p(int64(3))}},
		object(f(1, str("c")), f(2, str("u")), f(3, str("p")), f(4, str("d")), f(5, str("ip")), f(6, i64(1)), f(7, str("r")),
			f(9, i64(2)), f(11, str("t")), f(12, i64(3)))},

	"waitingTxnStatus": {"waitingTxnStatus", &frontendservice.FrontendServiceWaitingTxnStatusArgs{
		Request: &frontendservice.TWaitingTxnStatusRequest{DbID: p(int64(1)), TxnID: p(int64(2)), Label: p("l")}},
		object(f(1, i64(1)), f(2, i64(2)), f(3, str("l")))},

	"getSnapshot": {"getSnapshot", &frontendservice.FrontendServiceGetSnapshotArgs{
		Request: &frontendservice.TGetSnapshotRequest{Cluster: p("c"), User: p("u"), Passwd: p("p"), Db: p("d"), Table: p(""), Token: p("t"),
			LabelName: p("l"), SnapshotName: p(""), SnapshotType: p(frontendservice.TSnapshotType_LOCAL), EnableCompress: p(true)}},
		object(f(1, str("c")), f(2, str("u")), f(3, str("p")), f(4, str("d")), f(5, str("")), f(6, str("t")), f(7, str("l")), f(8, str("")),
			f(9, i32(1)), f(10, boolean(true)))},

	"restoreSnapshot": {"restoreSnapshot", &frontendservice.FrontendServiceRestoreSnapshotArgs{
		Request: &frontendservice.TRestoreSnapshotRequest{Cluster: p("c"), User: p("u"), Passwd: p("p"), Db: p("d"), Table: p("t"), Token: p("k"),
			LabelName: p("l"), RepoName: p("__keep_on_local__"), TableRefs: []*types.TTableRef{{Table: p("t"), AliasName: p("a")}},
			Properties: map[string]string{"reserve_replica": "true"}, Meta: []byte{0, 255}, JobInfo: []byte("{}"),
			CleanTables: p(true), CleanPartitions: p(false), AtomicRestore: p(true), Compressed: p(false), ForceReplace: p(true)}},
		object(f(1, str("c")), f(2, str("u")), f(3, str("p")), f(4, str("d")), f(5, str("t")), f(6, str("k")), f(7, str("l")),
			f(8, str("__keep_on_local__")), f(9, list(kindStruct, object(f(1, str("t")), f(3, str("a"))))),
			f(10, dict(kindString, kindString, str("reserve_replica"), str("true"))), f(11, str("\x00\xff")), f(12, str("{}")),
			f(13, boolean(true)), f(14, boolean(false)), f(15, boolean(true)), f(16, boolean(false)), f(17, boolean(true)))},

	"restoreSnapshot, empty map": {"restoreSnapshot", &frontendservice.FrontendServiceRestoreSnapshotArgs{
		Request: &frontendservice.TRestoreSnapshotRequest{Properties: map[string]string{}}},
		object(f(10, dict(kindString, kindString)))},

	"ingest_binlog": {"ingest_binlog", &backendservice.BackendServiceIngestBinlogArgs{
		IngestBinlogRequest: &backendservice.TIngestBinlogRequest{TxnID: p(int64(777)), RemoteTabletID: p(int64(10231)), BinlogVersion: p(int64(21)),
			RemoteHost: p("h"), RemotePort: p("8040"), PartitionID: p(int64(50210)), LocalTabletID: p(int64(50231)), LoadID: &types.TUniqueId{Hi: -1, Lo: -1}}},
		object(f(1, i64(777)), f(2, i64(10231)), f(3, i64(21)), f(4, str("h")), f(5, str("8040")), f(6, i64(50210)), f(7, i64(50231)),
			f(8, object(f(1, i64(-1)), f(2, i64(-1)))))},

	"query_ingest_binlog": {"query_ingest_binlog", &backendservice.BackendServiceQueryIngestBinlogArgs{
		QueryIngestBinlogRequest: &backendservice.TQueryIngestBinlogRequest{TxnID: p(int64(1)), PartitionID: p(int64(2)), TabletID: p(int64(3)),
			LoadID: &types.TUniqueId{Hi: -1, Lo: -1}}},
		object(f(1, i64(1)), f(2, i64(2)), f(3, i64(3)), f(4, object(f(1, i64(-1)), f(2, i64(-1)))))},
}

func binlogRequest() *frontendservice.TGetBinlogRequest {
	return &frontendservice.TGetBinlogRequest{Cluster: p("c"), User: p("u"), Passwd: p("p"), Db: p("d"), Table: p("t"), TableID: p(int64(10200)),
		UserIP: p("ip"), Token: p("k"), PrevCommitSeq: p(int64(9000)), NumAcquired: p(int64(16)), AllowFollowerRead: p(true)}
}

func binlogRequestBytes() value {
	return object(f(1, str("c")), f(2, str("u")), f(3, str("p")), f(4, str("d")), f(5, str("t")), f(6, i64(10200)), f(7, str("ip")), f(8, str("k")),
		f(9, i64(9000)), f(10, i64(16)), f(11, boolean(true)))
}

func TestRequests(t *testing.T) {
	for name, tt := range requests {
		t.Run(name, func(t *testing.T) {
			buffer := thrift.NewTMemoryBuffer()
			protocol := thrift.NewTBinaryProtocolConf(buffer, nil)
			client := thrift.NewTStandardClient(protocol, protocol)
			require.NoError(t, client.Send(t.Context(), protocol, 42, tt.method, tt.request))
			require.Equal(t, message(messageCall, tt.method, 42, object(f(1, tt.want))), buffer.Bytes())
		})
	}
}
