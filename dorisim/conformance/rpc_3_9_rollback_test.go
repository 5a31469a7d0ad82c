package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
)

func TestRollback(t *testing.T) {
	w := newTwin(t, source(t), destination(t))
	s := w.to
	txn := s.begin(w.toDB, w.tableID)
	list := w.ingestions(txn)
	infos := s.ingestAll(list)
	requireOK(t, s.rollback(w.toDB, txn))
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "transaction not found", s.rollback(w.toDB, txn))

	// BEs drop the data.
	require.Eventually(t, func() bool {
		i := list[0]
		result, err := s.backend(i.backend).QueryIngestBinlog(ctx, &backendservice.TQueryIngestBinlogRequest{
			TxnID: &txn, PartitionID: i.request.PartitionID, TabletID: i.request.LocalTabletID, LoadID: &thrifttypes.TUniqueId{Hi: -1, Lo: -1}})
		require.NoError(t, err)
		return result.GetStatus() == backendservice.TIngestBinlogStatus_FAILED || result.GetStatus() == backendservice.TIngestBinlogStatus_NOT_FOUND
	}, patience, 5*time.Millisecond)

	txn = s.begin(w.toDB, w.tableID)
	for _, i := range w.ingestions(txn) {
		_, err := s.backend(i.backend).IngestBinlog(ctx, i.request)
		require.NoError(t, err)
	}
	requireOK(t, s.commit(w.toDB, txn, infos))
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "transaction not found", s.rollback(w.toDB, txn))
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "transaction [4] not found", s.rollback(w.toDB, 4))
}

func TestWaitingTxnStatus(t *testing.T) {
	s := destination(t)
	db := s.database()
	s.table(db, "a", 1)
	id := s.meta(db).GetID()
	wait := func(txn *int64, label *string) *frontendservice.TWaitingTxnStatusResult_ {
		result, err := s.fe.WaitingTxnStatus(ctx, &frontendservice.TWaitingTxnStatusRequest{DbID: &id, TxnID: txn, Label: label})
		require.NoError(t, err)
		return result
	}
	label := newLabel()
	begun := s.beginTxn(beginRequest(db, []int64{s.tableMeta(db, "a").GetID()}, label))
	requireOK(t, begun.Status)
	requireOK(t, s.commit(db, begun.GetTxnID(), nil))
	byID := wait(begun.TxnID, nil)
	requireOK(t, byID.Status)
	require.EqualValues(t, 3, byID.GetTxnStatusID())
	require.EqualValues(t, 3, wait(nil, &label).GetTxnStatusID())
	aborted := s.begin(db, s.tableMeta(db, "a").GetID())
	requireOK(t, s.rollback(db, aborted))
	require.EqualValues(t, 4, wait(&aborted, nil).GetTxnStatusID())
	requireStatus(t, status.TStatusCode_INTERNAL_ERROR, "txn does not exist: 4", wait(new(int64(4)), nil).Status)
	unknown := wait(nil, new("no-such-label"))
	requireOK(t, unknown.Status)
	require.Zero(t, unknown.GetTxnStatusID())
}
