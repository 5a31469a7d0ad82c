package fe

import (
	"context"
	"errors"
	"time"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/thriftserver"
)

// BeginTxn implements doris-rpc.md 3.7.
func (s *service) BeginTxn(ctx context.Context, r *frontendservice.TBeginTxnRequest) (*frontendservice.TBeginTxnResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TBeginTxnResult_ {
		return &frontendservice.TBeginTxnResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "beginTxn", reply, func() (*frontendservice.TBeginTxnResult_, error) {
		result, err := s.beginTxn(ctx, r)
		var used *core.LabelUsedError
		if errors.As(err, &used) {
			result = reply(&status.TStatus{StatusCode: status.TStatusCode_LABEL_ALREADY_EXISTS, ErrorMsgs: []string{used.Error()}}, nil)
			result.JobStatus = pointer(jobStatus(used.State)) // the transaction's id is in the text only
			return result, nil
		}
		return result, err
	})
}

// jobStatus is the state of the transaction that has the label.
func jobStatus(s core.TxnState) string {
	if s == core.TxnPrepare {
		return "RUNNING"
	}
	return "FINISHED"
}

// maxSubTxns keeps a senseless request from eating the memory.
const maxSubTxns = 1_000_000

func (s *service) beginTxn(ctx context.Context, r *frontendservice.TBeginTxnRequest) (*frontendservice.TBeginTxnResult_, error) {
	err := require(given{"user", r.User != nil}, given{"passwd", r.Passwd != nil}, given{"db", r.Db != nil},
		given{"table ids", r.TableIds != nil}, given{"label", r.Label != nil})
	if err != nil {
		return nil, err
	}
	c := credentials{r.User, r.Passwd, r.Token, r.GetUserIP()}
	if !c.trusted() {
		if err := s.checkTables(*r.Db, r.TableIds); err != nil {
			return nil, err
		}
		if err := s.authorize(c, mayLoad, scope{*r.Db, s.tableNames(r.TableIds)}); err != nil {
			return nil, err
		}
	}
	if *r.Label == "" {
		return nil, core.Errorf("empty label in begin request")
	}
	db, err := s.database(*r.Db, core.MetaErrorf)
	if err != nil {
		return nil, err
	}
	request := core.BeginRequest{
		DB: db.ID, Tables: r.TableIds, Label: *r.Label, Timeout: time.Duration(r.GetTimeout()) * time.Second,
		Source: "BACKEND_STREAMING", Coordinator: core.Coordinator{Backend: true, ID: r.GetBackendID(), Host: thriftserver.Peer(ctx)},
	}
	if r.RequestID != nil {
		request.RequestID = &[2]int64{r.RequestID.Hi, r.RequestID.Lo}
	}
	if s.has.subTxns {
		if r.SubTxnNum > maxSubTxns {
			return nil, core.Errorf("%d sub transactions are too many, dorisim gives up to %d", r.SubTxnNum, maxSubTxns)
		}
		request.SubTxns = int(r.SubTxnNum)
	}
	txn, err := s.core.Begin(ctx, request)
	if err != nil {
		return nil, err
	}
	result := &frontendservice.TBeginTxnResult_{Status: ok(), TxnID: &txn.ID}
	if !txn.Repeated {
		result.DbID, result.SubTxnIds = &txn.DB, txn.SubIDs
	}
	return result, nil
}

// checkTables resolves the tables for the privilege check.
func (s *service) checkTables(database string, ids []int64) error {
	s.core.RLock()
	defer s.core.RUnlock()
	db, ok := s.core.Database(database)
	if !ok {
		return core.Errorf("can't find db named: %s", database)
	}
	for _, id := range ids {
		if home, _, ok := s.core.TableByID(id); !ok || home != db {
			return core.Errorf("can't find table id: %d in db: %s", id, database)
		}
	}
	return nil
}

// databaseID resolves db_id, or else the name.
func (s *service) databaseID(id *int64, name *string) (int64, error) {
	if id != nil && *id > 0 {
		s.core.RLock()
		defer s.core.RUnlock()
		if _, ok := s.core.DatabaseByID(*id); !ok {
			return 0, core.Errorf("unknown database, database=%s", *name)
		}
		return *id, nil
	}
	db, err := s.database(*name, core.Errorf)
	if err != nil {
		return 0, err
	}
	return db.ID, nil
}

// knownTxn finds the transaction, checks that its tables exist, and tells which
// they are.
func (s *service) knownTxn(db, id int64) (scope, error) {
	txn, ok := s.core.Txn(db, id)
	if !ok {
		return scope{}, &core.TxnNotFoundError{TxnID: id}
	}
	s.core.RLock()
	defer s.core.RUnlock()
	var on scope
	if database, ok := s.core.DatabaseByID(db); ok {
		on.database = database.Name // of a transaction without tables (doris-rpc.md 3.7)
	}
	for _, table := range txn.Tables {
		home, t, ok := s.core.TableByID(table)
		if !ok {
			return on, core.MetaErrorf("table not found, tableId=%d", table)
		}
		on.database, on.tables = home.Name, append(on.tables, t.Name)
	}
	return on, nil
}

// checkToken verifies the token of commitTxn and rollbackTxn.
func (s *service) checkToken(token *string) error {
	if token != nil && *token != "" && *token != s.core.Token() {
		return core.Errorf("Invalid token: %s", *token)
	}
	return nil
}

// CommitTxn implements doris-rpc.md 3.8.
func (s *service) CommitTxn(ctx context.Context, r *frontendservice.TCommitTxnRequest) (*frontendservice.TCommitTxnResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TCommitTxnResult_ {
		return &frontendservice.TCommitTxnResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "commitTxn", reply, func() (*frontendservice.TCommitTxnResult_, error) {
		visible, err := s.commitTxn(ctx, r)
		switch {
		case err != nil:
			return nil, err
		case visible || (s.has.onlyCommit && r.GetOnlyCommit()):
			return reply(ok(), nil), nil
		}
		return reply(&status.TStatus{StatusCode: status.TStatusCode_PUBLISH_TIMEOUT, ErrorMsgs: []string{"transaction commit successfully, BUT data will be visible later"}}, nil), nil
	})
}

func (s *service) commitTxn(ctx context.Context, r *frontendservice.TCommitTxnRequest) (bool, error) {
	err := require(given{"user", r.User != nil}, given{"passwd", r.Passwd != nil}, given{"db", r.Db != nil}, given{"txn_id", r.TxnID != nil},
		given{"commit_infos", r.CommitInfos != nil || r.GetTxnInsert()}, given{"sub_txn_infos", r.SubTxnInfos != nil || !r.GetTxnInsert()})
	if err != nil {
		return false, err
	}
	db, err := s.databaseID(r.DbID, r.Db)
	if err != nil {
		return false, err
	}
	tables, err := s.knownTxn(db, *r.TxnID)
	if err != nil {
		return false, err
	}
	if err := s.checkToken(r.Token); err != nil {
		return false, err
	}
	if err := s.authorize(credentials{r.User, r.Passwd, r.Token, r.GetUserIP()}, mayLoad, tables); err != nil {
		return false, err
	}
	request := core.CommitRequest{DB: db, TxnID: *r.TxnID, OnlyCommit: s.has.onlyCommit && r.GetOnlyCommit()}
	if r.IsSetThriftRPCTimeoutMs() {
		request.Wait = max(time.Duration(*r.ThriftRPCTimeoutMs)*time.Millisecond/2, time.Millisecond)
	}
	if r.GetTxnInsert() {
		request.SubTxns = []core.SubTxn{}
		for _, sub := range r.SubTxnInfos {
			request.SubTxns = append(request.SubTxns, core.SubTxn{ID: sub.GetSubTxnID(), Table: sub.GetTableID(), Tablets: tabletCommits(sub.TabletCommitInfos)})
		}
	} else {
		request.Tablets = tabletCommits(r.CommitInfos)
	}
	return s.core.Commit(ctx, request)
}

func tabletCommits(infos []*types.TTabletCommitInfo) []core.TabletCommit {
	commits := make([]core.TabletCommit, len(infos))
	for i, info := range infos {
		commits[i] = core.TabletCommit{TabletID: info.TabletId, BackendID: info.BackendId}
	}
	return commits
}

// RollbackTxn implements doris-rpc.md 3.9.
func (s *service) RollbackTxn(ctx context.Context, r *frontendservice.TRollbackTxnRequest) (*frontendservice.TRollbackTxnResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TRollbackTxnResult_ {
		return &frontendservice.TRollbackTxnResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "rollbackTxn", reply, func() (*frontendservice.TRollbackTxnResult_, error) {
		err := require(given{"user", r.User != nil}, given{"passwd", r.Passwd != nil}, given{"db", r.Db != nil}, given{"txn_id", r.TxnID != nil})
		if err != nil {
			return nil, err
		}
		db, err := s.databaseID(r.DbID, r.Db)
		if err != nil {
			return nil, err
		}
		tables, err := s.knownTxn(db, *r.TxnID)
		if err != nil {
			return nil, err
		}
		if err := s.checkToken(r.Token); err != nil {
			return nil, err
		}
		if err := s.authorize(credentials{r.User, r.Passwd, r.Token, r.GetUserIP()}, mayLoad, tables); err != nil {
			return nil, err
		}
		if err := s.core.Abort(ctx, db, *r.TxnID, r.GetReason()); err != nil {
			return nil, err
		}
		return reply(ok(), nil), nil
	})
}

// txnNumbers are the states on the wire (doris-rpc.md 2).
var txnNumbers = map[core.TxnState]int32{core.TxnUnknown: 0, core.TxnPrepare: 1, core.TxnCommitted: 2, core.TxnVisible: 3, core.TxnAborted: 4}

// WaitingTxnStatus implements doris-rpc.md 3.10: no password, no master check.
func (s *service) WaitingTxnStatus(ctx context.Context, r *frontendservice.TWaitingTxnStatusRequest) (*frontendservice.TWaitingTxnStatusResult_, error) {
	reply := func(st *status.TStatus, _ *types.TNetworkAddress) *frontendservice.TWaitingTxnStatusResult_ {
		return &frontendservice.TWaitingTxnStatusResult_{Status: st}
	}
	return serve(ctx, s, "waitingTxnStatus", reply, func() (*frontendservice.TWaitingTxnStatusResult_, error) {
		result := reply(ok(), nil)
		txn, known := s.replayedTxn(r)
		switch {
		case !known && r.TxnID == nil:
			result.TxnStatusID = pointer(txnNumbers[core.TxnUnknown])
			return result, nil
		case !known:
			return nil, &codeError{status.TStatusCode_INTERNAL_ERROR, core.Errorf("txn does not exist: %d", *r.TxnID).Error()}
		}
		state, _ := s.core.WaitTxn(ctx, txn.DB, txn.ID, s.waitLimit())
		if state == core.TxnPrepare {
			return nil, &codeError{status.TStatusCode_INCOMPLETE, "Operation is timeout, txn status is PREPARE"}
		}
		result.TxnStatusID = pointer(txnNumbers[state])
		if txn, _ = s.core.Txn(txn.DB, txn.ID); r.TxnID != nil && txn.Reason != "" {
			result.Status.ErrorMsgs = []string{txn.Reason}
		}
		return result, nil
	})
}

// replayedTxn finds the transaction that a request names. Only the master knows
// those in PREPARE (doris-rpc.md 3, rule 1).
func (s *service) replayedTxn(r *frontendservice.TWaitingTxnStatusRequest) (txn core.Txn, known bool) {
	if r.TxnID != nil {
		txn, known = s.core.Txn(r.GetDbID(), *r.TxnID)
	} else {
		txn, known = s.core.TxnByLabel(r.GetDbID(), r.GetLabel())
	}
	return txn, known && (txn.State != core.TxnPrepare || s.core.Master() == s.index)
}

func (s *service) waitLimit() time.Duration {
	if d, err := time.ParseDuration(s.core.FEConfig("commit_timeout_second") + "s"); err == nil {
		return d
	}
	return 30 * time.Second
}
