package fe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
)

// UniqueID makes a repeated BeginTxn meet its own transaction. The zero value is
// not sent.
type UniqueID struct{ Hi, Lo int64 }

// BeginRequest opens a transaction on the destination.
type BeginRequest struct {
	Database string
	TableIDs []int64 // all of them must exist
	Label    string
	// RequestID: a second begin with the same label and request id gets the
	// transaction of the first, as long as that is not finished.
	RequestID UniqueID
	Timeout   time.Duration // in whole seconds; 0 = the server's default
	// SubTxnNum is how many sub-transaction ids are wanted (3.0 and later).
	SubTxnNum int64
}

// Txn is an open transaction.
type Txn struct {
	ID int64
	// DatabaseID and SubIDs do not come back for a transaction that an earlier
	// begin had opened already; Existing is set then.
	DatabaseID int64
	SubIDs     []int64 // the first equals ID
	Existing   bool
}

// BeginTxn opens a transaction. A label in use is a *LabelExistsError. It is not
// repeated after a lost answer: the caller may, if it sent a RequestID.
func (c *Client) BeginTxn(ctx context.Context, req BeginRequest) (Txn, error) {
	op := operation{method: "beginTxn", timeout: c.cfg.RPCTimeout}
	r, err := call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TBeginTxnResult_, error) {
		return s.BeginTxn(ctx, c.beginQuestion(req))
	})
	var refusal *StatusError
	if errors.As(err, &refusal) && refusal.Code == status.LabelAlreadyExists {
		return Txn{}, newLabelExists(req.Label, r.GetJobStatus(), r.GetTxnID(), refusal)
	}
	if err != nil {
		return Txn{}, err
	}
	if r.GetTxnID() <= 0 {
		return Txn{}, incomplete(op.method, "the transaction id is missing")
	}
	return Txn{ID: r.GetTxnID(), DatabaseID: r.GetDbID(), SubIDs: r.GetSubTxnIds(), Existing: !r.IsSetDbID()}, nil
}

// noBackend is the coordinator that transactions name: an id that no backend has.
// Without one, the master aborts them when a backend on the caller's host dies
// (doris-rpc.md 3.7).
var noBackend = int64(-1)

func (c *Client) beginQuestion(req BeginRequest) *frontendservice.TBeginTxnRequest {
	q := &frontendservice.TBeginTxnRequest{
		User: &c.cfg.User, Passwd: &c.cfg.Password, Db: &req.Database, Label: &req.Label,
		TableIds: append([]int64{}, req.TableIDs...), SubTxnNum: req.SubTxnNum, BackendID: &noBackend,
	}
	if req.RequestID != (UniqueID{}) {
		q.RequestID = &types.TUniqueId{Hi: req.RequestID.Hi, Lo: req.RequestID.Lo}
	}
	if req.Timeout > 0 {
		seconds := max(1, int64(req.Timeout/time.Second))
		q.Timeout = &seconds
	}
	return q
}

// TabletCommit says that a destination backend has the transaction's rows for a
// destination tablet.
type TabletCommit struct{ TabletID, BackendID int64 }

// SubTxn is a table's part of a sub-transaction.
type SubTxn struct {
	ID, TableID int64
	CommitInfos []TabletCommit
}

// CommitRequest commits a transaction.
type CommitRequest struct {
	Database    string
	DatabaseID  int64 // 0: looked up by name
	TxnID       int64
	CommitInfos []TabletCommit
	// TxnInsert commits SubTxns instead of CommitInfos.
	TxnInsert bool
	SubTxns   []SubTxn
	// OnlyCommit does not wait until the rows are visible. Old servers wait
	// nevertheless. Not sent with TxnInsert.
	OnlyCommit bool
	// Wait is how long the server may wait for the tables' locks, which it refuses
	// with ErrLocked, and after the commit until the rows are visible; 0: as long as a
	// call may take.
	Wait time.Duration
}

// CommitTxn commits and reports whether the rows are known to be visible
// already. A *StatusError means that nothing was committed; after a
// *TransportError with Sent set, ask what became of the transaction.
func (c *Client) CommitTxn(ctx context.Context, req CommitRequest) (visible bool, err error) {
	op := operation{method: "commitTxn", timeout: c.cfg.CommitTimeout}
	_, err = call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TCommitTxnResult_, error) {
		return s.CommitTxn(ctx, c.commitQuestion(ctx, req))
	})
	var refusal *StatusError
	if errors.As(err, &refusal) && refusal.Code == status.PublishTimeout {
		return false, nil
	}
	return err == nil && (!req.OnlyCommit || req.TxnInsert), err
}

func (c *Client) commitQuestion(ctx context.Context, req CommitRequest) *frontendservice.TCommitTxnRequest {
	budget := c.cfg.CommitTimeout
	if deadline, ok := ctx.Deadline(); ok {
		budget = max(time.Millisecond, min(budget, time.Until(deadline)))
	}
	if req.Wait > 0 {
		budget = min(budget, 2*req.Wait) // a server takes half of it for these (doris-rpc.md 3.8)
	}
	ms := budget.Milliseconds()
	q := &frontendservice.TCommitTxnRequest{
		User: &c.cfg.User, Passwd: &c.cfg.Password, Db: &req.Database, TxnID: &req.TxnID, ThriftRPCTimeoutMs: &ms,
	}
	if req.DatabaseID > 0 {
		q.DbID = &req.DatabaseID
	}
	if !req.TxnInsert {
		q.CommitInfos = commitInfos(req.CommitInfos)
		if req.OnlyCommit {
			q.OnlyCommit = &req.OnlyCommit
		}
		return q
	}
	q.TxnInsert = &req.TxnInsert
	q.SubTxnInfos = make([]*types.TSubTxnInfo, 0, len(req.SubTxns))
	for _, sub := range req.SubTxns {
		q.SubTxnInfos = append(q.SubTxnInfos, &types.TSubTxnInfo{
			SubTxnID: &sub.ID, TableID: &sub.TableID, TabletCommitInfos: commitInfos(sub.CommitInfos),
			SubTxnType: types.TSubTxnTypePtr(types.TSubTxnType_INSERT),
		})
	}
	return q
}

// commitInfos is never nil: an unset list is refused, an empty one is not.
func commitInfos(commits []TabletCommit) []*types.TTabletCommitInfo {
	infos := make([]*types.TTabletCommitInfo, 0, len(commits))
	for _, tc := range commits {
		infos = append(infos, &types.TTabletCommitInfo{TabletId: tc.TabletID, BackendId: tc.BackendID})
	}
	return infos
}

// RollbackRequest aborts a transaction.
type RollbackRequest struct {
	Database   string
	DatabaseID int64 // 0: looked up by name
	TxnID      int64
	Reason     string
}

// RollbackTxn aborts a transaction. Its refusals are ErrTxnNotFound (also for a
// VISIBLE or ABORTED one), ErrTxnCommitted, ErrTxnVisible and ErrTxnAborted.
func (c *Client) RollbackTxn(ctx context.Context, req RollbackRequest) error {
	op := operation{method: "rollbackTxn", timeout: c.cfg.RPCTimeout}
	_, err := call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TRollbackTxnResult_, error) {
		q := &frontendservice.TRollbackTxnRequest{User: &c.cfg.User, Passwd: &c.cfg.Password, Db: &req.Database, TxnID: &req.TxnID}
		if req.DatabaseID > 0 {
			q.DbID = &req.DatabaseID
		}
		if req.Reason != "" {
			q.Reason = &req.Reason
		}
		return s.RollbackTxn(ctx, q)
	})
	return err
}

// TxnStatus is Doris' number of a transaction's state (doris-rpc.md 2).
type TxnStatus int32

// The states of a transaction.
const (
	TxnUnknown      TxnStatus = 0
	TxnPrepare      TxnStatus = 1
	TxnCommitted    TxnStatus = 2
	TxnVisible      TxnStatus = 3
	TxnAborted      TxnStatus = 4
	TxnPrecommitted TxnStatus = 5
)

var txnStatusNames = [...]string{"UNKNOWN", "PREPARE", "COMMITTED", "VISIBLE", "ABORTED", "PRECOMMITTED"}

// String returns Doris' name.
func (s TxnStatus) String() string {
	if s < 0 || int(s) >= len(txnStatusNames) {
		return txnStatusNames[TxnUnknown]
	}
	return txnStatusNames[s]
}

// waitLimit is how long the server waits at most (commit_timeout_second), with a
// grace for the answer.
const waitLimit = 35 * time.Second

// TxnQuestion names a transaction: by id, or by its label if TxnID is 0.
type TxnQuestion struct {
	DatabaseID int64
	TxnID      int64
	Label      string
	// Within is how long to wait for an answer; 0 = as long as the server waits.
	Within time.Duration
}

// ErrMasterUnknown: no frontend has answered as master yet.
var ErrMasterUnknown = errors.New("the master is not known")

// WaitTxn waits, up to the server's 30 s, until the transaction is VISIBLE or
// ABORTED; a label that no transaction has is TxnUnknown. ErrTxnPending: it is
// neither yet. ErrTxnNotFound: there is no transaction with this id. It needs no
// privilege.
//
// Followers answer it as well, and know less: so only the frontend that answered
// last as master is asked, and must still be the master as far as is known.
func (c *Client) WaitTxn(ctx context.Context, question TxnQuestion) (TxnStatus, error) {
	op := operation{method: "waitingTxnStatus", timeout: question.Within}
	if op.timeout <= 0 {
		op.timeout = waitLimit
	}
	master := c.Master()
	if master == (Endpoint{}) {
		return TxnUnknown, fmt.Errorf("%s: %w", op.method, ErrMasterUnknown)
	}
	q := &frontendservice.TWaitingTxnStatusRequest{DbID: &question.DatabaseID}
	if question.TxnID != 0 {
		q.TxnID = &question.TxnID
	} else {
		q.Label = &question.Label
	}
	r, err := attempt(ctx, c, op, master, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TWaitingTxnStatusResult_, error) {
		return s.WaitingTxnStatus(ctx, q)
	})
	switch {
	case err != nil:
		return TxnUnknown, err
	case !r.IsSetTxnStatusID():
		return TxnUnknown, incomplete(op.method, "the state is missing")
	case c.Master() != master:
		return TxnUnknown, fmt.Errorf("%s: %s is not the master any more: %w", op.method, master, ErrMasterUnknown)
	}
	return TxnStatus(r.GetTxnStatusID()), nil
}
