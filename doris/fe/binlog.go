package fe

import (
	"context"
	"errors"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
)

// BinlogRequest asks for what follows a position in the log of a database, or
// of one table.
type BinlogRequest struct {
	Database string
	// Table and TableID choose the log of a table. TableID 0 chooses the log of
	// the database, or of Table if that is set.
	Table   string
	TableID int64
	// PrevCommitSeq is the last commit seq already handled.
	PrevCommitSeq int64
	// Limit is how many binlogs are wanted; servers give 1 to 255, old ones
	// always 1.
	Limit int64
	// MaxBytes is how large the answer may be, if that is less than
	// Config.MaxMessageSize; 0: no less. A larger one is ErrTooLarge.
	MaxBytes int32
}

func (c *Client) binlogQuestion(req BinlogRequest) *frontendservice.TGetBinlogRequest {
	q := &frontendservice.TGetBinlogRequest{
		User: &c.cfg.User, Passwd: &c.cfg.Password, Db: &req.Database, PrevCommitSeq: &req.PrevCommitSeq,
	}
	if req.Table != "" {
		q.Table = &req.Table
	}
	if req.TableID > 0 {
		q.TableID = &req.TableID
	}
	if req.Limit > 0 {
		q.NumAcquired = &req.Limit
	}
	return q
}

// BinlogBatch is an answer to a BinlogRequest.
type BinlogBatch struct {
	// Status is OK, BINLOG_TOO_NEW_COMMIT_SEQ (nothing yet), or
	// BINLOG_TOO_OLD_COMMIT_SEQ (history is lost; Binlogs is the DUMMY that says
	// up to where).
	Status Code
	// Binlogs in ascending order of commit seqs, all greater than the position
	// asked for.
	Binlogs []binlog.Record
}

// Binlogs returns what follows req.PrevCommitSeq. That there is nothing yet, or
// that history is lost, is a result and not an error.
func (c *Client) Binlogs(ctx context.Context, req BinlogRequest) (BinlogBatch, error) {
	op := operation{method: "getBinlog", timeout: c.cfg.RPCTimeout, repeatable: true, most: req.MaxBytes}
	r, err := call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TGetBinlogResult_, error) {
		return s.GetBinlog(ctx, c.binlogQuestion(req))
	})
	batch := BinlogBatch{Status: status.OK}
	var refusal *StatusError
	if errors.As(err, &refusal) {
		switch refusal.Code {
		case status.BinlogTooNewCommitSeq:
			return BinlogBatch{Status: refusal.Code}, nil
		case status.BinlogTooOldCommitSeq:
			batch.Status, err = refusal.Code, nil
		}
	}
	if err != nil {
		return BinlogBatch{}, err
	}
	if len(r.Binlogs) == 0 {
		return BinlogBatch{}, incomplete(op.method, "status %s without a binlog", batch.Status)
	}
	last := req.PrevCommitSeq
	for _, b := range r.Binlogs {
		if !b.IsSetCommitSeq() || !b.IsSetType() || b.GetCommitSeq() <= last {
			return BinlogBatch{}, incomplete(op.method, "binlog %d of type %d after %d is out of order or has no type",
				b.GetCommitSeq(), int64(b.GetType()), last)
		}
		last = b.GetCommitSeq()
		batch.Binlogs = append(batch.Binlogs, record(b))
	}
	return batch, nil
}

func record(b *frontendservice.TBinlog) binlog.Record {
	r := binlog.Record{
		CommitSeq: b.GetCommitSeq(), Timestamp: -1, Type: binlog.Type(b.GetType()),
		DBID: b.GetDbID(), TableIDs: b.GetTableIds(), Data: b.GetData(), Belong: b.GetBelong(),
	}
	if b.IsSetTimestamp() {
		r.Timestamp = b.GetTimestamp()
	}
	return r
}

// BinlogLag returns how far the position is behind. Old servers tell the number
// of binlogs only.
func (c *Client) BinlogLag(ctx context.Context, req BinlogRequest) (binlog.Lag, error) {
	op := operation{method: "getBinlogLag", timeout: c.cfg.RPCTimeout, repeatable: true}
	req.Limit = 0
	r, err := call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TGetBinlogLagResult_, error) {
		return s.GetBinlogLag(ctx, c.binlogQuestion(req))
	})
	if err != nil {
		return binlog.Lag{}, err
	}
	if !r.IsSetLag() {
		return binlog.Lag{}, incomplete(op.method, "the lag is missing")
	}
	return binlog.Lag{
		Binlogs:        r.GetLag(),
		FirstCommitSeq: r.GetFirstCommitSeq(),
		LastCommitSeq:  r.GetLastCommitSeq(),
		NextCommitSeq:  r.GetNextCommitSeq(),
		FirstTimestamp: r.GetFirstBinlogTimestamp(),
		LastTimestamp:  r.GetLastBinlogTimestamp(),
		NextTimestamp:  r.GetNextBinlogTimestamp(),
		ObservedAt:     time.Now(),
	}, nil
}

// LockRequest asks the source to keep binlogs from a position on.
type LockRequest struct {
	Database string
	Table    string
	TableID  int64 // -1 for the log of the database
	// JobUniqueID tells the locks of different jobs apart.
	JobUniqueID string
	CommitSeq   int64 // < 0: the newest
}

// LockBinlog moves the job's lock forward and returns the commit seq that is
// locked now. Old servers: ErrUnknownMethod. A position beyond the newest binlog
// is a *StatusError with BINLOG_TOO_NEW_COMMIT_SEQ.
func (c *Client) LockBinlog(ctx context.Context, req LockRequest) (int64, error) {
	op := operation{method: "lockBinlog", timeout: c.cfg.RPCTimeout, repeatable: true}
	r, err := call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TLockBinlogResult_, error) {
		q := &frontendservice.TLockBinlogRequest{
			User: &c.cfg.User, Passwd: &c.cfg.Password, Db: &req.Database, TableID: &req.TableID,
			JobUniqueID: &req.JobUniqueID, LockCommitSeq: &req.CommitSeq,
		}
		if req.Table != "" {
			q.Table = &req.Table
		}
		return s.LockBinlog(ctx, q)
	})
	if err != nil {
		return 0, err
	}
	if !r.IsSetLockedCommitSeq() {
		return 0, incomplete(op.method, "the locked commit seq is missing")
	}
	return r.GetLockedCommitSeq(), nil
}
