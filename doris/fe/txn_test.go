package fe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/status"
	fs "github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	wire "github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
)

func TestBeginTxn(t *testing.T) {
	f := startFrontend(t).says("beginTxn", &fs.TBeginTxnResult_{
		Status: okStatus, TxnID: p(int64(777)), DbID: p(int64(50100)), SubTxnIds: []int64{777, 778}})
	c := newClient(t, fe.Config{}, f)

	txn, err := c.BeginTxn(t.Context(), fe.BeginRequest{
		Database: "d", TableIDs: []int64{50200}, Label: "l", RequestID: fe.UniqueID{Hi: 1, Lo: 2}, Timeout: time.Hour, SubTxnNum: 2})
	require.NoError(t, err)
	require.Equal(t, fe.Txn{ID: 777, DatabaseID: 50100, SubIDs: []int64{777, 778}}, txn)
	require.Equal(t, &fs.TBeginTxnRequest{
		User: p("root"), Passwd: p("secret"), Db: p("d"), TableIds: []int64{50200}, Label: p("l"),
		RequestID: &types.TUniqueId{Hi: 1, Lo: 2}, Timeout: p(int64(3600)), SubTxnNum: 2, BackendID: p(int64(-1))}, f.requests()[0])

	_, err = c.BeginTxn(t.Context(), fe.BeginRequest{Database: "d", Label: "l"})
	require.NoError(t, err)
	bare := f.requests()[1].(*fs.TBeginTxnRequest)
	require.True(t, bare.IsSetTableIds(), "an empty list is set")
	require.False(t, bare.IsSetRequestID())
	require.False(t, bare.IsSetTimeout())
	require.False(t, bare.IsSetToken())
	require.False(t, bare.IsSetAuthCode())
}

func TestBeginTxnMeetsItsOwn(t *testing.T) {
	f := startFrontend(t).says("beginTxn", &fs.TBeginTxnResult_{Status: okStatus, TxnID: p(int64(777))})
	txn, err := newClient(t, fe.Config{}, f).BeginTxn(t.Context(), fe.BeginRequest{Label: "l"})
	require.NoError(t, err)
	require.Equal(t, fe.Txn{ID: 777, Existing: true}, txn)
}

func TestBeginTxnLabelExists(t *testing.T) {
	f := startFrontend(t).says("beginTxn", &fs.TBeginTxnResult_{
		Status: refuse(wire.TStatusCode_LABEL_ALREADY_EXISTS,
			"errCode = 2, detailMessage = Label [l] has already been used, relate to txn [777], status [COMMITTED]."),
		JobStatus: p("FINISHED")})
	_, err := newClient(t, fe.Config{}, f).BeginTxn(t.Context(), fe.BeginRequest{Label: "l"})
	var exists *fe.LabelExistsError
	require.ErrorAs(t, err, &exists)
	require.EqualValues(t, 777, exists.TxnID)
	require.Equal(t, fe.JobFinished, exists.JobStatus)
	require.Equal(t, "COMMITTED", exists.TxnStatus)
	require.NotContains(t, err.Error(), "secret")
}

func TestCommitTxn(t *testing.T) {
	ok := &fs.TCommitTxnResult_{Status: okStatus}
	late := &fs.TCommitTxnResult_{Status: refuse(wire.TStatusCode_PUBLISH_TIMEOUT, "transaction commit successfully, BUT data will be visible later")}
	tests := map[string]struct {
		request fe.CommitRequest
		reply   *fs.TCommitTxnResult_
		visible bool
		check   func(*testing.T, *fs.TCommitTxnRequest)
	}{
		"waits": {fe.CommitRequest{Database: "d", DatabaseID: 50100, TxnID: 777, CommitInfos: []fe.TabletCommit{{TabletID: 1, BackendID: 2}}}, ok, true,
			func(t *testing.T, r *fs.TCommitTxnRequest) {
				require.Equal(t, &fs.TCommitTxnRequest{User: p("root"), Passwd: p("secret"), Db: p("d"), DbID: p(int64(50100)), TxnID: p(int64(777)),
					CommitInfos: []*types.TTabletCommitInfo{{TabletId: 1, BackendId: 2}}, ThriftRPCTimeoutMs: p(int64(33000))}, r)
			}},
		"publish timeout is success": {fe.CommitRequest{TxnID: 777}, late, false,
			func(t *testing.T, r *fs.TCommitTxnRequest) {
				require.True(t, r.IsSetCommitInfos(), "an empty list is set")
			}},
		"only commit": {fe.CommitRequest{TxnID: 777, OnlyCommit: true}, ok, false,
			func(t *testing.T, r *fs.TCommitTxnRequest) { require.True(t, r.GetOnlyCommit()) }},
		"a short wait": {fe.CommitRequest{TxnID: 777, Wait: 5 * time.Millisecond}, ok, true,
			func(t *testing.T, r *fs.TCommitTxnRequest) { require.EqualValues(t, 10, r.GetThriftRPCTimeoutMs()) }},
		"sub-transactions": {fe.CommitRequest{TxnID: 777, OnlyCommit: true, TxnInsert: true,
			SubTxns: []fe.SubTxn{{ID: 778, TableID: 5, CommitInfos: []fe.TabletCommit{{TabletID: 1, BackendID: 2}}}}}, ok, true,
			func(t *testing.T, r *fs.TCommitTxnRequest) {
				require.True(t, r.GetTxnInsert())
				require.False(t, r.IsSetOnlyCommit())
				require.False(t, r.IsSetCommitInfos())
				require.Len(t, r.SubTxnInfos, 1)
				require.EqualValues(t, 778, r.SubTxnInfos[0].GetSubTxnID())
				require.EqualValues(t, 5, r.SubTxnInfos[0].GetTableID())
				require.Equal(t, []*types.TTabletCommitInfo{{TabletId: 1, BackendId: 2}}, r.SubTxnInfos[0].TabletCommitInfos)
			}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startFrontend(t).says("commitTxn", tt.reply)
			visible, err := newClient(t, fe.Config{}, f).CommitTxn(t.Context(), tt.request)
			require.NoError(t, err)
			require.Equal(t, tt.visible, visible)
			tt.check(t, f.requests()[0].(*fs.TCommitTxnRequest))
		})
	}
}

func TestCommitTxnTellsItsBudget(t *testing.T) {
	f := startFrontend(t).says("commitTxn", &fs.TCommitTxnResult_{Status: okStatus})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := newClient(t, fe.Config{}, f).CommitTxn(ctx, fe.CommitRequest{TxnID: 1})
	require.NoError(t, err)
	ms := f.requests()[0].(*fs.TCommitTxnRequest).GetThriftRPCTimeoutMs()
	require.LessOrEqual(t, ms, int64(10000))
	require.Positive(t, ms)
}

// The texts of doris-rpc.md 3.7 to 3.12 and what they mean.
func TestRefusals(t *testing.T) {
	tests := []struct {
		status *wire.TStatus
		want   error
	}{
		{analysis("transaction not found"), fe.ErrTxnNotFound},
		{analysis("errCode = 2, detailMessage = transaction [777] not found"), fe.ErrTxnNotFound},
		{refuse(wire.TStatusCode_INTERNAL_ERROR, "txn does not exist: 7"), fe.ErrTxnNotFound},
		{analysis("transaction [777] is already COMMITTED, could not abort."), fe.ErrTxnCommitted},
		{analysis("transaction [777] is already VISIBLE, could not abort."), fe.ErrTxnVisible},
		{analysis("transaction [777] is already aborted, abort reason: x"), fe.ErrTxnAborted},
		{analysis("transaction [777] is already aborted. abort reason: x"), fe.ErrTxnAborted},
		{analysis("errCode = 2, detailMessage = can't find table id: 5 in db: d"), fe.ErrTableNotFound},
		{analysis("errCode = 7, detailMessage = table not found, tableId=5"), fe.ErrTableNotFound},
		{analysis("errCode = 7, detailMessage = unknown table, tableName=t"), fe.ErrTableNotFound},
		{analysis("errCode = 7, detailMessage = unknown database, database=d"), fe.ErrDatabaseNotFound},
		{analysis("errCode = 2, detailMessage = can't find db named: d"), fe.ErrDatabaseNotFound},
		{analysis("errCode = 2, detailMessage = Access denied for user 'u@h' (using password: YES)"), fe.ErrAccessDenied},
		{refuse(wire.TStatusCode_NOT_AUTHORIZED), fe.ErrAccessDenied},
		{refuse(wire.TStatusCode_BINLOG_DISABLE), fe.ErrBinlogNotFound},
		{refuse(wire.TStatusCode_BINLOG_NOT_FOUND_DB), fe.ErrBinlogNotFound},
		{refuse(wire.TStatusCode_BINLOG_NOT_FOUND_TABLE), fe.ErrBinlogNotFound},
		{refuse(wire.TStatusCode_SNAPSHOT_NOT_EXIST, "snapshot l not exist"), fe.ErrSnapshotNotExist},
		{refuse(wire.TStatusCode_SNAPSHOT_EXPIRED), fe.ErrSnapshotExpired},
		{refuse(wire.TStatusCode_INCOMPLETE), fe.ErrTxnPending},
		{analysis("current running txns on db 5 is 1000, larger than limit 1000"), fe.ErrTooManyTxns},
		{analysis("Failed to commit txn 7, cause tablet 1 succ replica num 0 < load required replica num 1. table 5, ..."), fe.ErrQuorum},
		{analysis("Table t is in restore process. Can not load into it"), fe.ErrRestoring},
		{analysis("get tableList write lock timeout, tableList=(t)"), fe.ErrLocked},
		{analysis("Can only run one backup or restore job of a database at same time , current running: label = a"), fe.ErrRestoreBusy},
		{analysis("Another backup or restore job is being submitted. Please wait and try again"), fe.ErrRestoreBusy},
	}
	all := map[error]bool{}
	for _, tt := range tests {
		all[tt.want] = true
	}
	for _, tt := range tests {
		t.Run(tt.status.String(), func(t *testing.T) {
			f := startFrontend(t).says("rollbackTxn", &fs.TRollbackTxnResult_{Status: tt.status})
			err := newClient(t, fe.Config{}, f).RollbackTxn(t.Context(), fe.RollbackRequest{Database: "d", TxnID: 777, Reason: "r"})
			for sentinel := range all {
				if sentinel == tt.want {
					require.ErrorIs(t, err, sentinel)
				} else {
					require.NotErrorIs(t, err, sentinel)
				}
			}
			var refusal *fe.StatusError
			require.ErrorAs(t, err, &refusal)
			require.EqualValues(t, tt.status.StatusCode, refusal.Code)
			for _, text := range tt.status.ErrorMsgs {
				require.ErrorContains(t, err, text)
			}
		})
	}
}

func TestWaitTxn(t *testing.T) {
	f := startFrontend(t).says("waitingTxnStatus", &fs.TWaitingTxnStatusResult_{Status: okStatus, TxnStatusID: p(int32(3))})
	c := newClient(t, fe.Config{}, f)
	_, err := c.WaitTxn(t.Context(), fe.TxnQuestion{DatabaseID: 1, TxnID: 2})
	require.ErrorIs(t, err, fe.ErrMasterUnknown, "a follower would answer as well, and know less")
	require.Empty(t, f.requests())

	f.says("getMasterToken", &fs.TGetMasterTokenResult_{Status: okStatus, Token: p("x")})
	_, err = c.MasterToken(t.Context())
	require.NoError(t, err)
	got, err := c.WaitTxn(t.Context(), fe.TxnQuestion{DatabaseID: 1, TxnID: 2})
	require.NoError(t, err)
	require.Equal(t, fe.TxnVisible, got)
	require.Equal(t, "VISIBLE", got.String())
	got, err = c.WaitTxn(t.Context(), fe.TxnQuestion{DatabaseID: 1, Label: "l"})
	require.NoError(t, err)
	require.Equal(t, fe.TxnVisible, got)
	asked := f.requests()[1:]
	require.Equal(t, &fs.TWaitingTxnStatusRequest{DbID: p(int64(1)), TxnID: p(int64(2))}, asked[0])
	require.Equal(t, &fs.TWaitingTxnStatusRequest{DbID: p(int64(1)), Label: p("l")}, asked[1])

	f.says("waitingTxnStatus", &fs.TWaitingTxnStatusResult_{Status: okStatus})
	_, err = c.WaitTxn(t.Context(), fe.TxnQuestion{DatabaseID: 1, TxnID: 2})
	require.ErrorIs(t, err, fe.ErrIncomplete)

	// What a real frontend answered (doris-rpc.md 3.10).
	f.says("waitingTxnStatus", &fs.TWaitingTxnStatusResult_{Status: &wire.TStatus{StatusCode: wire.TStatusCode_INTERNAL_ERROR,
		ErrorMsgs: []string{"errCode = 2, detailMessage = txn does not exist: 7"}}})
	_, err = c.WaitTxn(t.Context(), fe.TxnQuestion{DatabaseID: 1, TxnID: 7})
	require.ErrorIs(t, err, fe.ErrTxnNotFound)
	f.says("waitingTxnStatus", &fs.TWaitingTxnStatusResult_{Status: &wire.TStatus{StatusCode: wire.TStatusCode_INCOMPLETE,
		ErrorMsgs: []string{"Operation is timeout, txn status is PREPARE"}}})
	_, err = c.WaitTxn(t.Context(), fe.TxnQuestion{DatabaseID: 1, Label: "h"})
	require.ErrorIs(t, err, fe.ErrTxnPending)

	// One that is running is no answer in time.
	release := make(chan struct{})
	defer close(release)
	f.on("waitingTxnStatus", func(any) (any, error) { <-release; return nil, context.Canceled })
	_, err = c.WaitTxn(t.Context(), fe.TxnQuestion{DatabaseID: 1, Label: "h", Within: 50 * time.Millisecond})
	var lost *fe.TransportError
	require.ErrorAs(t, err, &lost)
}

func TestReplyWithoutStatus(t *testing.T) {
	f := startFrontend(t).says("commitTxn", &fs.TCommitTxnResult_{})
	_, err := newClient(t, fe.Config{}, f).CommitTxn(t.Context(), fe.CommitRequest{TxnID: 1})
	require.ErrorIs(t, err, fe.ErrIncomplete)
}

func TestCodeNames(t *testing.T) {
	require.Equal(t, "BINLOG_TOO_OLD_COMMIT_SEQ", status.BinlogTooOldCommitSeq.String())
	require.Equal(t, "CODE(4711)", fe.Code(4711).String())
}

func TestMapHost(t *testing.T) {
	got, err := fe.MapHost(nil, "10.0.0.1")
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1", got)

	mapping := map[string]string{"10.0.0.1": "203.0.113.1"}
	got, err = fe.MapHost(mapping, "10.0.0.1")
	require.NoError(t, err)
	require.Equal(t, "203.0.113.1", got)
	got, err = fe.MapHost(mapping, "203.0.113.1")
	require.NoError(t, err)
	require.Equal(t, "203.0.113.1", got, "a public address needs no mapping")
	_, err = fe.MapHost(mapping, "10.0.0.2")
	require.EqualError(t, err, "the public ip of 10.0.0.2 is not found, add it to the host mapping with update_host_mapping")
}
