package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
)

func (s *side) beginTxn(r *frontendservice.TBeginTxnRequest) *frontendservice.TBeginTxnResult_ {
	s.t.Helper()
	result, err := s.fe.BeginTxn(ctx, r)
	require.NoError(s.t, err)
	return result
}

func TestBeginRefusals(t *testing.T) {
	s := destination(t)
	db := s.database()
	s.table(db, "a", 1)
	a := s.tableMeta(db, "a").GetID()
	analysis(t, "can't find db named: no_such_db", s.beginTxn(beginRequest("no_such_db", []int64{a}, newLabel())).Status)
	analysis(t, "can't find table id: 4 in db: "+db, s.beginTxn(beginRequest(db, []int64{a, 4}, newLabel())).Status)
	analysis(t, "empty label in begin request", s.beginTxn(beginRequest(db, []int64{a}, "")).Status)
	for _, label := range []string{"no blanks", "äöü", strings.Repeat("x", 129)} {
		analysis(t, "Label format error. regex: ^[-_A-Za-z0-9:]{1,128}$, label: "+label, s.beginTxn(beginRequest(db, []int64{a}, label)).Status)
	}
	huge := beginRequest(db, []int64{a}, newLabel())
	huge.SubTxnNum = 1 << 62
	analysis(t, "4611686018427387904 sub transactions are too many", s.beginTxn(huge).Status)
	refused := s.beginTxn(beginRequest(db, []int64{a}, "no blanks"))
	require.Nil(t, refused.TxnID)
}

func TestBegin(t *testing.T) {
	s := destination(t)
	db := s.database()
	s.table(db, "a", 1)
	a := s.tableMeta(db, "a").GetID()
	label := newLabel()
	first := s.beginTxn(beginRequest(db, []int64{a}, label))
	requireOK(t, first.Status)
	require.Positive(t, first.GetTxnID())
	require.Equal(t, s.meta(db).GetID(), first.GetDbID())
	require.Nil(t, first.SubTxnIds)
	require.Nil(t, first.JobStatus)

	inUse := func(state, job string) {
		t.Helper()
		r := s.beginTxn(beginRequest(db, []int64{a}, label))
		requireStatus(t, status.TStatusCode_LABEL_ALREADY_EXISTS, "errCode = 2, detailMessage = Label ["+label+
			"] has already been used, relate to txn ["+itoa(first.GetTxnID())+"], status ["+state+"].", r.Status)
		require.Equal(t, job, r.GetJobStatus())
		require.Nil(t, r.TxnID, "the id of the owner stands in the text only")
	}
	inUse("PREPARE", "RUNNING")
	requireOK(t, s.rollback(db, first.GetTxnID()))
	second := s.beginTxn(beginRequest(db, []int64{a}, label))
	requireOK(t, second.Status)
	require.NotEqual(t, first.GetTxnID(), second.GetTxnID(), "the label of an aborted transaction is free")
	first = second
	requireOK(t, s.commit(db, first.GetTxnID(), nil))
	inUse("VISIBLE", "FINISHED")
	// Labels belong to a database.
	other := s.database()
	s.table(other, "a", 1)
	requireOK(t, s.beginTxn(beginRequest(other, []int64{s.tableMeta(other, "a").GetID()}, label)).Status)
}

func TestBeginRequestID(t *testing.T) {
	s := destination(t)
	db := s.database()
	s.table(db, "a", 1)
	request := beginRequest(db, []int64{s.tableMeta(db, "a").GetID()}, newLabel())
	request.RequestID = &thrifttypes.TUniqueId{Hi: 1, Lo: 2}
	request.SubTxnNum = 3
	first := s.beginTxn(request)
	requireOK(t, first.Status)
	require.Len(t, first.SubTxnIds, 3)
	require.Equal(t, first.GetTxnID(), first.SubTxnIds[0])

	again := s.beginTxn(request)
	requireOK(t, again.Status)
	require.Equal(t, first.GetTxnID(), again.GetTxnID())
	require.Nil(t, again.DbID, "db_id is not set in that reply")
	require.Nil(t, again.SubTxnIds)

	request.RequestID = &thrifttypes.TUniqueId{Hi: 1, Lo: 3}
	requireStatus(t, status.TStatusCode_LABEL_ALREADY_EXISTS, "has already been used", s.beginTxn(request).Status)
	request.RequestID = &thrifttypes.TUniqueId{Hi: 1, Lo: 2}
	requireOK(t, s.commit(db, first.GetTxnID(), nil))
	finished := s.beginTxn(request)
	require.Equal(t, status.TStatusCode_LABEL_ALREADY_EXISTS, finished.Status.StatusCode)
	require.Equal(t, "FINISHED", finished.GetJobStatus())
}

// TestPrepareDiesWithTheMaster: PREPARE transactions are in memory only.
func TestPrepareDiesWithTheMaster(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "a", 1)
	a := s.tableMeta(db, "a").GetID()
	prepared, committed := s.begin(db, a), s.begin(db, a)
	requireOK(t, s.commit(db, committed, nil))
	require.NoError(t, c.SwitchMaster(1))
	s.fe = frontend(t, c.FE(1).ThriftAddr())
	text := "transaction [" + itoa(prepared) + "] not found"
	analysis(t, text, s.commit(db, prepared, nil))
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, text, s.rollback(db, prepared))
	requireOK(t, s.commit(db, committed, nil))
}

func TestRunningLimit(t *testing.T) {
	_, s := private(t)
	s.exec(`ADMIN SET FRONTEND CONFIG ("max_running_txn_num_per_db" = "2")`)
	db := s.database()
	s.table(db, "a", 1)
	a := s.tableMeta(db, "a").GetID()
	s.begin(db, a)
	s.begin(db, a)
	analysis(t, "current running txns on db "+itoa(s.meta(db).GetID())+" is 2, larger than limit 2",
		s.beginTxn(beginRequest(db, []int64{a}, newLabel())).Status)
}
