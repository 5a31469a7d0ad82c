package idl_test

import (
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
)

var (
	okBytes      = object(f(1, i32(0)), f(2, list(kindString, str("m"))))
	ok           = &status.TStatus{StatusCode: status.TStatusCode_OK, ErrorMsgs: []string{"m"}}
	addressBytes = object(f(1, str("h")), f(2, i32(9020)))
	address      = &types.TNetworkAddress{Hostname: "h", Port: 9020}
)

// Every field of every reply, encoded by hand from the tables of doris-rpc.md,
// plus one that no version knows.
var replies = map[string]struct {
	method string
	reply  value
	into   thrift.TStruct
	want   thrift.TStruct
}{
	"getMasterToken": {"getMasterToken",
		object(f(1, okBytes), f(2, str("t")), f(3, addressBytes), f(99, str("unknown"))),
		&frontendservice.FrontendServiceGetMasterTokenResult{}, &frontendservice.FrontendServiceGetMasterTokenResult{
			Success: &frontendservice.TGetMasterTokenResult_{Status: ok, Token: p("t"), MasterAddress: address}}},

	"getBackendMeta": {"getBackendMeta",
		object(f(1, okBytes), f(2, list(kindStruct, object(f(1, str("h")), f(2, i32(9060)), f(3, i32(8040)), f(4, i32(8060)), f(5, boolean(true)), f(6, i64(10002))))),
			f(3, addressBytes), f(99, i64(1))),
		&frontendservice.FrontendServiceGetBackendMetaResult{}, &frontendservice.FrontendServiceGetBackendMetaResult{
			Success: &frontendservice.TGetBackendMetaResult_{Status: ok, MasterAddress: address, Backends: []*types.TBackend{
				{Host: "h", BePort: 9060, HTTPPort: 8040, BrpcPort: p(int32(8060)), IsAlive: p(true), ID: p(int64(10002))}}}}},

	"getMeta": {"getMeta",
		object(f(1, okBytes), f(2, object(f(1, i64(1)), f(2, str("d")), f(3, list(kindStruct,
			object(f(1, i64(2)), f(2, str("t")), f(3, boolean(false)), f(4, list(kindStruct,
				object(f(1, i64(3)), f(2, str("p")), f(3, str("k")), f(4, str("r")), f(5, i64(21)), f(6, boolean(true)), f(7, list(kindStruct,
					object(f(1, i64(4)), f(2, str("i")), f(3, list(kindStruct,
						object(f(1, i64(5)), f(2, list(kindStruct, object(f(1, i64(6)), f(2, i64(7)), f(3, i64(8)))))))))))))),
				f(5, str("OLAP"))))),
			f(4, list(kindI64, i64(11))), f(5, list(kindI64, i64(12))), f(6, list(kindI64)),
			f(7, dict(kindI64, kindI64, i64(11), i64(101))), f(8, dict(kindI64, kindI64, i64(12), i64(102))), f(9, dict(kindI64, kindI64)))),
			f(3, addressBytes)),
		&frontendservice.FrontendServiceGetMetaResult{}, &frontendservice.FrontendServiceGetMetaResult{
			Success: &frontendservice.TGetMetaResult_{Status: ok, MasterAddress: address, DbMeta: &frontendservice.TGetMetaDBMeta{
				ID: p(int64(1)), Name: p("d"), Tables: []*frontendservice.TGetMetaTableMeta{
					{ID: p(int64(2)), Name: p("t"), InTrash: p(false), Type: p("OLAP"), Partitions: []*frontendservice.TGetMetaPartitionMeta{
						{ID: p(int64(3)), Name: p("p"), Key: p("k"), Range: p("r"), VisibleVersion: p(int64(21)), IsTemp: p(true),
							Indexes: []*frontendservice.TGetMetaIndexMeta{{ID: p(int64(4)), Name: p("i"), Tablets: []*frontendservice.TGetMetaTabletMeta{
								{ID: p(int64(5)), Replicas: []*frontendservice.TGetMetaReplicaMeta{{ID: p(int64(6)), BackendID: p(int64(7)), Version: p(int64(8))}}}}}}}}}},
				DroppedPartitions: []int64{11}, DroppedTables: []int64{12}, DroppedIndexes: []int64{},
				DroppedPartitionMap: map[int64]int64{11: 101}, DroppedTableMap: map[int64]int64{12: 102}, DroppedIndexMap: map[int64]int64{}}}}},

	"getBinlog": {"getBinlog",
		object(f(1, okBytes), f(2, i64(1)), f(3, list(kindStruct,
			object(f(1, i64(9001)), f(2, i64(-1)), f(3, i32(0)), f(4, i64(10100)), f(5, list(kindI64, i64(10200))), f(6, str("{}")), f(7, i64(-1)), f(8, i64(2)), f(9, boolean(true))),
			object(f(1, i64(9002)), f(3, i32(5000))))), // a type of the future
			f(4, str("v")), f(5, i64(2)), f(6, addressBytes)),
		&frontendservice.FrontendServiceGetBinlogResult{}, &frontendservice.FrontendServiceGetBinlogResult{
			Success: &frontendservice.TGetBinlogResult_{Status: ok, NextCommitSeq: p(int64(1)), FeVersion: p("v"), FeMetaVersion: p(int64(2)), MasterAddress: address,
				Binlogs: []*frontendservice.TBinlog{
					{CommitSeq: p(int64(9001)), Timestamp: p(int64(-1)), Type: p(frontendservice.TBinlogType_UPSERT), DbID: p(int64(10100)), TableIds: []int64{10200},
						Data: p("{}"), Belong: p(int64(-1)), TableRef: p(int64(2)), RemoveEnableCache: p(true)},
					{CommitSeq: p(int64(9002)), Type: p(frontendservice.TBinlogType(5000))}}}}},

	"getBinlogLag": {"getBinlogLag",
		object(f(1, okBytes), f(2, i64(2)), f(3, addressBytes), f(4, i64(4)), f(5, i64(5)), f(6, i64(6)), f(7, i64(7)), f(8, i64(8)), f(9, i64(9))),
		&frontendservice.FrontendServiceGetBinlogLagResult{}, &frontendservice.FrontendServiceGetBinlogLagResult{
			Success: &frontendservice.TGetBinlogLagResult_{Status: ok, Lag: p(int64(2)), MasterAddress: address, FirstCommitSeq: p(int64(4)), LastCommitSeq: p(int64(5)),
				FirstBinlogTimestamp: p(int64(6)), LastBinlogTimestamp: p(int64(7)), NextCommitSeq: p(int64(8)), NextBinlogTimestamp: p(int64(9))}}},

	"lockBinlog": {"lockBinlog",
		object(f(1, okBytes), f(2, i64(9)), f(3, addressBytes)),
		&frontendservice.FrontendServiceLockBinlogResult{}, &frontendservice.FrontendServiceLockBinlogResult{
			Success: &frontendservice.TLockBinlogResult_{Status: ok, LockedCommitSeq: p(int64(9)), MasterAddress: address}}},

	"beginTxn": {"beginTxn",
		object(f(1, okBytes), f(2, i64(777)), f(3, str("RUNNING")), f(4, i64(50100)), f(5, addressBytes), f(6, list(kindI64, i64(777), i64(778)))),
		&frontendservice.FrontendServiceBeginTxnResult{}, &frontendservice.FrontendServiceBeginTxnResult{
			Success: &frontendservice.TBeginTxnResult_{Status: ok, TxnID: p(int64(777)), JobStatus: p("RUNNING"), DbID: p(int64(50100)), MasterAddress: address, SubTxnIds: []int64{777, 778}}}},

	"commitTxn": {"commitTxn",
		object(f(1, object(f(1, i32(73)))), f(2, addressBytes)),
		&frontendservice.FrontendServiceCommitTxnResult{}, &frontendservice.FrontendServiceCommitTxnResult{
			Success: &frontendservice.TCommitTxnResult_{Status: &status.TStatus{StatusCode: status.TStatusCode_NOT_MASTER}, MasterAddress: address}}},

	"rollbackTxn, unknown code": {"rollbackTxn",
		object(f(1, object(f(1, i32(4711)))), f(2, addressBytes)),
		&frontendservice.FrontendServiceRollbackTxnResult{}, &frontendservice.FrontendServiceRollbackTxnResult{
			Success: &frontendservice.TRollbackTxnResult_{Status: &status.TStatus{StatusCode: 4711}, MasterAddress: address}}},

	"waitingTxnStatus": {"waitingTxnStatus",
		object(f(1, okBytes), f(2, i32(3))),
		&frontendservice.FrontendServiceWaitingTxnStatusResult{}, &frontendservice.FrontendServiceWaitingTxnStatusResult{
			Success: &frontendservice.TWaitingTxnStatusResult_{Status: ok, TxnStatusID: p(int32(3))}}},

	"getSnapshot": {"getSnapshot",
		object(f(1, okBytes), f(2, str("\x1f\x8b")), f(3, str("{}")), f(4, addressBytes), f(5, boolean(true)), f(6, i64(1745419250589)), f(7, i64(9000))),
		&frontendservice.FrontendServiceGetSnapshotResult{}, &frontendservice.FrontendServiceGetSnapshotResult{
			Success: &frontendservice.TGetSnapshotResult_{Status: ok, Meta: []byte("\x1f\x8b"), JobInfo: []byte("{}"), MasterAddress: address, Compressed: p(true),
				ExpiredAt: p(int64(1745419250589)), CommitSeq: p(int64(9000))}}},

	"restoreSnapshot": {"restoreSnapshot",
		object(f(1, okBytes), f(2, addressBytes)),
		&frontendservice.FrontendServiceRestoreSnapshotResult{}, &frontendservice.FrontendServiceRestoreSnapshotResult{
			Success: &frontendservice.TRestoreSnapshotResult_{Status: ok, MasterAddress: address}}},

	"ingest_binlog": {"ingest_binlog",
		object(f(1, okBytes), f(2, boolean(true))),
		&backendservice.BackendServiceIngestBinlogResult{}, &backendservice.BackendServiceIngestBinlogResult{
			Success: &backendservice.TIngestBinlogResult_{Status: ok, IsAsync: p(true)}}},

	"query_ingest_binlog": {"query_ingest_binlog",
		object(f(1, i32(5)), f(2, str("e"))),
		&backendservice.BackendServiceQueryIngestBinlogResult{}, &backendservice.BackendServiceQueryIngestBinlogResult{
			Success: &backendservice.TQueryIngestBinlogResult_{Status: p(backendservice.TIngestBinlogStatus_DOING), ErrMsg: p("e")}}},
}

func TestReplies(t *testing.T) {
	for name, tt := range replies {
		t.Run(name, func(t *testing.T) {
			buffer := thrift.NewTMemoryBuffer()
			_, err := buffer.Write(message(messageReply, tt.method, 42, object(f(0, tt.reply))))
			require.NoError(t, err)
			protocol := thrift.NewTBinaryProtocolConf(buffer, nil)
			client := thrift.NewTStandardClient(protocol, protocol)
			require.NoError(t, client.Recv(t.Context(), protocol, 42, tt.method, tt.into))
			require.Equal(t, tt.want, tt.into)
		})
	}
}

// The names of a few enum values are part of what people read in logs.
func TestEnumValues(t *testing.T) {
	require.EqualValues(t, 27, frontendservice.TBinlogType_MIN_UNKNOWN)
	require.EqualValues(t, 26, frontendservice.TBinlogType_MODIFY_DISTRIBUTION_TYPE)
	require.EqualValues(t, 28, frontendservice.TBinlogType_UNKNOWN_12)
	require.EqualValues(t, 116, frontendservice.TBinlogType_UNKNOWN_100)
	require.EqualValues(t, 0, frontendservice.TSnapshotType_REMOTE)
	require.EqualValues(t, 0, types.TSubTxnType_INSERT)
	require.EqualValues(t, 3, backendservice.TIngestBinlogStatus_OK)
	require.EqualValues(t, 100, status.TStatusCode_DELETE_BITMAP_LOCK_ERROR)
}
