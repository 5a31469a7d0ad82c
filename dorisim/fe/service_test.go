package fe_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

func TestFollowersSendToTheMaster(t *testing.T) {
	c := start(t, options{name: "d", fes: 2})
	r, err := c.client(1, false).GetMasterToken(context.Background(), &frontendservice.TGetMasterTokenRequest{})
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_NOT_MASTER, r.Status.StatusCode, "before any argument is looked at")
	require.Equal(t, []string{"FE is not master"}, r.Status.ErrorMsgs)
	require.Equal(t, c.addrs[0], fmt.Sprintf("%s:%d", r.MasterAddress.Hostname, r.MasterAddress.Port))
	c.SetMaster(-1)
	r, err = c.client(1, false).GetMasterToken(context.Background(), &frontendservice.TGetMasterTokenRequest{})
	require.NoError(t, err)
	require.Nil(t, r.MasterAddress)
}

func TestPasswords(t *testing.T) {
	c := start(t, options{name: "d"})
	client := c.client(0, false)
	r, err := client.GetMasterToken(context.Background(), &frontendservice.TGetMasterTokenRequest{User: ptr("root"), Password: ptr("")})
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_NOT_AUTHORIZED, r.Status.StatusCode)
	require.Contains(t, r.Status.ErrorMsgs[0], "(using password: YES)")
	r, err = client.GetMasterToken(context.Background(), &frontendservice.TGetMasterTokenRequest{User: ptr("guest"), Password: ptr("guest")})
	require.NoError(t, err)
	require.Equal(t, c.Token(), r.GetToken())
	b, err := client.GetBinlog(context.Background(), &frontendservice.TGetBinlogRequest{User: ptr("guest"), Passwd: ptr("guest"), Db: ptr("d"), PrevCommitSeq: ptr(int64(-1))})
	require.NoError(t, err)
	require.Contains(t, b.Status.ErrorMsgs[0], "Access denied; you need (at least one of) the (priv predicate: OR, Admin_priv,Select_priv) privilege(s) for this operation")
}

func TestUnknownMethodAndFramed(t *testing.T) {
	c := start(t, options{name: "d", framed: true, disabled: []string{"lockBinlog"}})
	client := c.client(0, true)
	_, err := client.LockBinlog(context.Background(), &frontendservice.TLockBinlogRequest{})
	var application thrift.TApplicationException
	require.ErrorAs(t, err, &application)
	require.EqualValues(t, thrift.UNKNOWN_METHOD, application.TypeId())
	_, err = client.GetBackendMeta(context.Background(), &frontendservice.TGetBackendMetaRequest{})
	require.NoError(t, err, "the connection goes on")
}

// begin asks for a transaction over Thrift.
func (c *cluster) beginRPC(client *frontendservice.FrontendServiceClient, label string, tables ...int64) *frontendservice.TBeginTxnResult_ {
	c.t.Helper()
	r, err := client.BeginTxn(context.Background(), &frontendservice.TBeginTxnRequest{
		User: ptr("root"), Passwd: ptr("secret"), Db: &c.db.Name, TableIds: tables, Label: &label, RequestID: &types.TUniqueId{Hi: 1, Lo: 2},
	})
	require.NoError(c.t, err)
	return r
}

func TestTransactionCalls(t *testing.T) {
	c := start(t, options{name: "d"})
	table := c.table("t", 0, 1)
	client := c.client(0, false)
	first := c.beginRPC(client, "l", table.ID)
	require.Equal(t, status.TStatusCode_OK, first.Status.StatusCode, first.Status.ErrorMsgs)
	require.Equal(t, c.db.ID, first.GetDbID())
	require.False(t, first.IsSetSubTxnIds())
	again := c.beginRPC(client, "l", table.ID)
	require.Equal(t, first.GetTxnID(), again.GetTxnID())
	require.False(t, again.IsSetDbID())

	require.Contains(t, c.beginRPC(client, "x", 1).Status.ErrorMsgs[0], "can't find table id: 1 in db: d")
	require.Contains(t, c.beginRPC(client, "x").Status.ErrorMsgs[0], "table ids is not set")

	commit := &frontendservice.TCommitTxnRequest{User: ptr("root"), Passwd: ptr("secret"), Db: ptr("d"), TxnID: first.TxnID}
	r, err := client.CommitTxn(context.Background(), commit)
	require.NoError(t, err)
	require.Contains(t, r.Status.ErrorMsgs[0], "commit_infos is not set")
	commit.CommitInfos = []*types.TTabletCommitInfo{}
	r, err = client.CommitTxn(context.Background(), commit)
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_OK, r.Status.StatusCode)
	used := c.beginRPC(client, "l", table.ID)
	require.Equal(t, status.TStatusCode_LABEL_ALREADY_EXISTS, used.Status.StatusCode)
	require.Equal(t, "FINISHED", used.GetJobStatus())

	w, err := client.WaitingTxnStatus(context.Background(), &frontendservice.TWaitingTxnStatusRequest{DbID: &c.db.ID, TxnID: first.TxnID})
	require.NoError(t, err)
	require.EqualValues(t, 3, w.GetTxnStatusID())
	back, err := client.RollbackTxn(context.Background(), &frontendservice.TRollbackTxnRequest{User: ptr("root"), Passwd: ptr("secret"), Db: ptr("d"), TxnID: first.TxnID})
	require.NoError(t, err)
	require.Equal(t, []string{"errCode = 2, detailMessage = transaction not found"}, back.Status.ErrorMsgs)
}

func TestLostReplyOfCommit(t *testing.T) {
	c := start(t, options{name: "d"})
	table := c.table("t", 0, 1)
	begun := c.beginRPC(c.client(0, false), "l", table.ID)
	_, err := c.Faults().Add(faults.Rule{Point: "fe.commitTxn", Action: faults.DropAfter, Count: 1})
	require.NoError(t, err)
	commit := &frontendservice.TCommitTxnRequest{User: ptr("root"), Passwd: ptr("secret"), Db: ptr("d"), TxnID: begun.TxnID, CommitInfos: []*types.TTabletCommitInfo{}}
	_, err = c.client(0, false).CommitTxn(context.Background(), commit)
	require.Error(t, err)
	txn, _ := c.Txn(c.db.ID, begun.GetTxnID())
	require.Equal(t, "VISIBLE", string(txn.State), "the effect took place")
	r, err := c.client(0, false).CommitTxn(context.Background(), commit)
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_OK, r.Status.StatusCode)
}

func TestPublishTimeout(t *testing.T) {
	c := start(t, options{name: "d"})
	table := c.table("t", 0, 1)
	_, err := c.Faults().Add(faults.Rule{Point: "publish", Action: faults.Fail})
	require.NoError(t, err)
	client := c.client(0, false)
	begun := c.beginRPC(client, "l", table.ID)
	commit := &frontendservice.TCommitTxnRequest{User: ptr("root"), Passwd: ptr("secret"), Db: ptr("d"), TxnID: begun.TxnID,
		CommitInfos: []*types.TTabletCommitInfo{}, ThriftRPCTimeoutMs: ptr(int64(2))}
	r, err := client.CommitTxn(context.Background(), commit)
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_PUBLISH_TIMEOUT, r.Status.StatusCode)
	require.Equal(t, []string{"transaction commit successfully, BUT data will be visible later"}, r.Status.ErrorMsgs)
	commit.OnlyCommit = ptr(true)
	r, err = client.CommitTxn(context.Background(), commit)
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_OK, r.Status.StatusCode)
}

func TestGetMeta(t *testing.T) {
	c := start(t, options{name: "d", bes: 2})
	parted, _ := c.table("parted", 2, 2), c.table("plain", 0, 1)
	c.view("v", "SELECT 1")
	client := c.client(0, false)
	ask := func(db *frontendservice.TGetMetaDB) *frontendservice.TGetMetaDBMeta {
		r, err := client.GetMeta(context.Background(), &frontendservice.TGetMetaRequest{User: ptr("root"), Passwd: ptr("secret"), Db: db})
		require.NoError(t, err)
		require.Equal(t, status.TStatusCode_OK, r.Status.StatusCode)
		return r.DbMeta
	}
	require.Nil(t, ask(&frontendservice.TGetMetaDB{Name: ptr("x")}))
	all := ask(&frontendservice.TGetMetaDB{Name: ptr("d")})
	require.Len(t, all.Tables, 2, "no views")
	one := ask(&frontendservice.TGetMetaDB{ID: &c.db.ID, Tables: []*frontendservice.TGetMetaTable{{ID: &parted.ID}, {ID: ptr(int64(1))}, {Name: ptr("nope")}}})
	require.Len(t, one.Tables, 1, "unknown ones are left out")
	p := one.Tables[0].Partitions[0]
	require.Contains(t, []string{"[types: [BIGINT]; keys: [0]; ..types: [BIGINT]; keys: [10]; )", "[types: [BIGINT]; keys: [10]; ..types: [BIGINT]; keys: [20]; )"}, p.GetRange())
	require.Equal(t, "parted", p.Indexes[0].GetName())
	require.Len(t, p.Indexes[0].Tablets, 2)
	require.Less(t, p.Indexes[0].Tablets[0].GetID(), p.Indexes[0].Tablets[1].GetID())
	require.Len(t, p.Indexes[0].Tablets[0].Replicas, 2)
	require.NotNil(t, one.DroppedTableMap)
}

func TestGetBinlogOverThrift(t *testing.T) {
	c := start(t, options{name: "d"})
	table := c.table("t", 0, 1)
	client := c.client(0, false)
	ask := func(prev int64, change func(*frontendservice.TGetBinlogRequest)) *frontendservice.TGetBinlogResult_ {
		r := &frontendservice.TGetBinlogRequest{User: ptr("root"), Passwd: ptr("secret"), Db: ptr("d"), PrevCommitSeq: &prev, NumAcquired: ptr(int64(1000))}
		if change != nil {
			change(r)
		}
		reply, err := client.GetBinlog(context.Background(), r)
		require.NoError(t, err)
		return reply
	}
	require.Equal(t, status.TStatusCode_BINLOG_NOT_FOUND_DB, ask(-1, nil).Status.StatusCode)
	for i := range int64(300) {
		c.insert(table, "t", i)
	}
	all := ask(-1, nil)
	require.Equal(t, status.TStatusCode_OK, all.Status.StatusCode)
	require.Len(t, all.Binlogs, 255)
	require.Empty(t, all.Status.ErrorMsgs)
	require.Len(t, ask(-1, func(r *frontendservice.TGetBinlogRequest) { r.NumAcquired = nil }).Binlogs, 1)
	require.Equal(t, status.TStatusCode_BINLOG_NOT_FOUND_TABLE,
		ask(-1, func(r *frontendservice.TGetBinlogRequest) { r.TableID = ptr(int64(1)) }).Status.StatusCode, "ids are not validated")
	require.Equal(t, []string{"errCode = 7, detailMessage = table not found, tableName=x"},
		ask(-1, func(r *frontendservice.TGetBinlogRequest) { r.Table = ptr("x") }).Status.ErrorMsgs)
	require.Equal(t, []string{"errCode = 2, detailMessage = unknown database, database=x"},
		ask(-1, func(r *frontendservice.TGetBinlogRequest) { r.Db = ptr("x") }).Status.ErrorMsgs)
	old := ask(-2, nil)
	require.Equal(t, status.TStatusCode_BINLOG_TOO_OLD_COMMIT_SEQ, old.Status.StatusCode)
	require.Len(t, old.Binlogs, 1)
	require.EqualValues(t, -1, old.Binlogs[0].GetBelong())
	require.False(t, old.Binlogs[0].IsSetData())

	locked, err := client.LockBinlog(context.Background(), &frontendservice.TLockBinlogRequest{User: ptr("root"), Passwd: ptr("secret"), Db: ptr("d"), TableID: ptr(int64(-1)), JobUniqueID: ptr("j")})
	require.NoError(t, err)
	require.Greater(t, locked.GetLockedCommitSeq(), all.Binlogs[254].GetCommitSeq())
	lag, err := client.GetBinlogLag(context.Background(), &frontendservice.TGetBinlogRequest{User: ptr("root"), Passwd: ptr("secret"), Db: ptr("d"), PrevCommitSeq: all.Binlogs[254].CommitSeq})
	require.NoError(t, err)
	require.EqualValues(t, 45, lag.GetLag())
	require.Equal(t, locked.GetLockedCommitSeq(), lag.GetLastCommitSeq())
}
