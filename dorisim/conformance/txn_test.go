package conformance

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
)

// upsert is the payload of an UPSERT (doris-binlogs.md 3.1).
type upsert struct {
	CommitSeq    int64  `json:"commitSeq"`
	TxnID        int64  `json:"txnId"`
	TimeStamp    int64  `json:"timeStamp"`
	Label        string `json:"label"`
	DBID         int64  `json:"dbId"`
	TableRecords map[string]struct {
		PartitionRecords []struct {
			PartitionID int64  `json:"partitionId"`
			Range       string `json:"range"`
			Version     int64  `json:"version"`
			Temporary   bool   `json:"isTempPartition"`
			Stid        int64  `json:"stid"`
		} `json:"partitionRecords"`
		IndexIDs []int64 `json:"indexIds"`
	} `json:"tableRecords"`
	Stids []int64 `json:"stids"`
}

func decodeUpsert(t *testing.T, b *frontendservice.TBinlog) upsert {
	t.Helper()
	var u upsert
	require.NoError(t, json.Unmarshal([]byte(b.GetData()), &u))
	return u
}

var labels atomic.Int64

func newLabel() string { return fmt.Sprintf("conf-label:%d", labels.Add(1)) }

func beginRequest(db string, tables []int64, label string) *frontendservice.TBeginTxnRequest {
	if tables == nil {
		tables = []int64{}
	}
	return &frontendservice.TBeginTxnRequest{Cluster: new(""), User: new(user), Passwd: new(password), Db: &db, TableIds: tables, Label: &label}
}

// begin opens a transaction that must succeed.
func (s *side) begin(db string, tables ...int64) int64 {
	s.t.Helper()
	result, err := s.fe.BeginTxn(ctx, beginRequest(db, tables, newLabel()))
	require.NoError(s.t, err)
	requireOK(s.t, result.Status)
	return result.GetTxnID()
}

func (s *side) commit(db string, txn int64, infos []*thrifttypes.TTabletCommitInfo) *status.TStatus {
	s.t.Helper()
	return s.commitWithin(db, txn, infos, patience)
}

// commitWithin gives the server that long, half of which it waits for
// visibility.
func (s *side) commitWithin(db string, txn int64, infos []*thrifttypes.TTabletCommitInfo, patience time.Duration) *status.TStatus {
	s.t.Helper()
	if infos == nil {
		infos = []*thrifttypes.TTabletCommitInfo{}
	}
	result, err := s.fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{
		User: new(user), Passwd: new(password), Db: &db, TxnID: &txn, CommitInfos: infos, ThriftRPCTimeoutMs: new(patience.Milliseconds())})
	require.NoError(s.t, err)
	return result.Status
}

func (s *side) rollback(db string, txn int64) *status.TStatus {
	s.t.Helper()
	result, err := s.fe.RollbackTxn(ctx, &frontendservice.TRollbackTxnRequest{
		User: new(user), Passwd: new(password), Db: &db, TxnID: &txn, Reason: new("conformance")})
	require.NoError(s.t, err)
	return result.Status
}

// ingestion is one row of the table of doris-rpc.md 6, step 6.
type ingestion struct {
	backend *thrifttypes.TBackend
	request *backendservice.TIngestBinlogRequest
}

// ingestions pairs the tablets of one partition by position and lists one call
// for every destination replica.
func ingestions(from, to *side, sourcePartition, partition *frontendservice.TGetMetaPartitionMeta, version, txn int64) []ingestion {
	t := to.t
	t.Helper()
	sourceBackends, backends := from.backends(), to.backends()
	require.Equal(t, sourcePartition.GetRange(), partition.GetRange())
	remote, local := sourcePartition.Indexes[0].Tablets, partition.Indexes[0].Tablets
	require.Len(t, local, len(remote))
	var list []ingestion
	for i, tablet := range local {
		for j, replica := range tablet.Replicas {
			chosen := remote[i].Replicas[j%len(remote[i].Replicas)]
			require.GreaterOrEqual(t, chosen.GetVersion(), version)
			be := sourceBackends[chosen.GetBackendID()]
			list = append(list, ingestion{backends[replica.GetBackendID()], &backendservice.TIngestBinlogRequest{
				TxnID: &txn, RemoteTabletID: remote[i].ID, BinlogVersion: &version,
				RemoteHost: &be.Host, RemotePort: new(strconv.Itoa(int(be.HTTPPort))),
				PartitionID: partition.ID, LocalTabletID: tablet.ID, LoadID: &thrifttypes.TUniqueId{Hi: -1, Lo: -1},
			}})
		}
	}
	return list
}

// ingestAll makes the calls and returns the commit infos.
func (s *side) ingestAll(list []ingestion) []*thrifttypes.TTabletCommitInfo {
	s.t.Helper()
	var infos []*thrifttypes.TTabletCommitInfo
	for _, i := range list {
		result, err := s.backend(i.backend).IngestBinlog(ctx, i.request)
		require.NoError(s.t, err)
		requireOK(s.t, result.Status)
		require.False(s.t, result.GetIsAsync())
		infos = append(infos, &thrifttypes.TTabletCommitInfo{TabletId: i.request.GetLocalTabletID(), BackendId: i.backend.GetID()})
	}
	return infos
}

// twin is a table that exists equally on both sides, with one UPSERT to carry
// over.
type twin struct {
	from, to     *side
	fromDB, toDB string
	upsert       *frontendservice.TBinlog
	version      int64
	source       *frontendservice.TGetMetaPartitionMeta
	partition    *frontendservice.TGetMetaPartitionMeta
	tableID      int64
}

func newTwin(t *testing.T, from, to *side) *twin {
	t.Helper()
	w := &twin{from: from, to: to, fromDB: from.database(), toDB: to.database()}
	from.table(w.fromDB, "orders", 2)
	to.table(w.toDB, "orders", 2)
	prev := from.lastSeq(w.fromDB)
	from.exec("INSERT INTO `%s`.`orders` VALUES (1, 10), (2, 20), (3, 30)", w.fromDB)
	w.upsert = from.nextUpsert(w.fromDB, prev)
	source, table := from.tableMeta(w.fromDB, "orders"), to.tableMeta(w.toDB, "orders")
	w.source, w.partition, w.tableID = source.Partitions[0], table.Partitions[0], table.GetID()
	w.version = decodeUpsert(t, w.upsert).TableRecords[strconv.FormatInt(source.GetID(), 10)].PartitionRecords[0].Version
	return w
}

// backUp makes a snapshot of the source that the destination can restore.
func (w *twin) backUp(t *testing.T) (label string, meta []byte, info map[string]any) {
	t.Helper()
	label = w.from.backup(w.fromDB)
	snapshot := w.from.getSnapshot(w.fromDB, label, false)
	info = decodeJobInfo(t, snapshot.JobInfo)
	info["extra_info"] = w.from.extraInfo()
	return label, snapshot.Meta, info
}

// load opens a transaction of the destination that has all its rows.
func (w *twin) load() (txn int64, infos []*thrifttypes.TTabletCommitInfo) {
	txn = w.to.begin(w.toDB, w.tableID)
	return txn, w.to.ingestAll(w.ingestions(txn))
}

func (w *twin) ingestions(txn int64) []ingestion {
	return ingestions(w.from, w.to, w.source, w.partition, w.version, txn)
}
