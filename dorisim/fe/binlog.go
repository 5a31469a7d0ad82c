package fe

import (
	"context"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// readCodes are the statuses of binlog reads on the wire.
var readCodes = map[core.ReadStatus]status.TStatusCode{
	core.ReadOK: status.TStatusCode_OK, core.ReadTooOld: status.TStatusCode_BINLOG_TOO_OLD_COMMIT_SEQ,
	core.ReadTooNew: status.TStatusCode_BINLOG_TOO_NEW_COMMIT_SEQ, core.ReadNotFoundDB: status.TStatusCode_BINLOG_NOT_FOUND_DB,
	core.ReadNotFoundTable: status.TStatusCode_BINLOG_NOT_FOUND_TABLE,
}

// binlogTarget names the list that a request is about.
type binlogTarget struct {
	database, table *string
	tableID         *int64
}

// resolve returns database and table id; -1 stands for the db list. A table id
// is taken as it is (doris-rpc.md 3.4).
func (s *service) resolve(t binlogTarget) (db, table int64, err error) {
	s.core.RLock()
	defer s.core.RUnlock()
	d, known := s.core.Database(*t.database)
	if !known {
		return 0, 0, core.Errorf("unknown database, database=%s", *t.database)
	}
	if t.tableID != nil {
		return d.ID, max(*t.tableID, -1), nil
	}
	if t.table == nil || *t.table == "" {
		return d.ID, -1, nil
	}
	found, known := d.Tables[*t.table]
	if !known {
		return 0, 0, core.MetaErrorf("table not found, tableName=%s", *t.table)
	}
	return d.ID, found.ID, nil
}

// checkRead does what getBinlog and getBinlogLag have in common.
func (s *service) checkRead(ctx context.Context, r *frontendservice.TGetBinlogRequest) (db, table int64, err error) {
	err = require(given{"user", r.User != nil}, given{"passwd", r.Passwd != nil}, given{"db", r.Db != nil}, given{"prev_commit_seq", r.PrevCommitSeq != nil})
	if err != nil {
		return 0, 0, err
	}
	if err := s.authorize(credentials{r.User, r.Passwd, r.Token, r.GetUserIP()}, mayRead, named(r.Db, r.Table)); err != nil {
		return 0, 0, err
	}
	return s.resolve(binlogTarget{r.Db, r.Table, r.TableID})
}

// GetBinlog implements doris-rpc.md 3.4.
func (s *service) GetBinlog(ctx context.Context, r *frontendservice.TGetBinlogRequest) (*frontendservice.TGetBinlogResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TGetBinlogResult_ {
		return &frontendservice.TGetBinlogResult_{Status: st, MasterAddress: master}
	}
	do := func() (*frontendservice.TGetBinlogResult_, error) {
		db, table, err := s.checkRead(ctx, r)
		if err != nil {
			return nil, err
		}
		n := 1
		if s.has.batches {
			n = int(min(r.GetNumAcquired(), core.MaxBinlogBatch))
		}
		entries, read := s.core.ReadBinlogs(db, table, *r.PrevCommitSeq, n)
		result := reply(code(readCodes[read]), nil)
		for _, b := range entries {
			result.Binlogs = append(result.Binlogs, wireBinlog(b))
		}
		return result, nil
	}
	if s.has.batches && r.GetAllowFollowerRead() {
		return serve(ctx, s, "getBinlog", reply, do)
	}
	return answer(ctx, s, "getBinlog", reply, do)
}

func wireBinlog(b *core.Binlog) *frontendservice.TBinlog {
	kind := frontendservice.TBinlogType(b.Type)
	w := &frontendservice.TBinlog{CommitSeq: &b.CommitSeq, Timestamp: &b.Timestamp, Type: &kind, DbID: &b.DB}
	if len(b.Tables) > 0 {
		w.TableIds = b.Tables
	}
	if b.Type == binlog.TypeDummy {
		w.Belong = &b.Belong
		return w
	}
	w.Data, w.TableRef, w.RemoveEnableCache = &b.Data, &b.TableRef, &b.RemoveEnableCache
	return w
}

// GetBinlogLag implements doris-rpc.md 3.5.
func (s *service) GetBinlogLag(ctx context.Context, r *frontendservice.TGetBinlogRequest) (*frontendservice.TGetBinlogLagResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TGetBinlogLagResult_ {
		return &frontendservice.TGetBinlogLagResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "getBinlogLag", reply, func() (*frontendservice.TGetBinlogLagResult_, error) {
		db, table, err := s.checkRead(ctx, r)
		if err != nil {
			return nil, err
		}
		lag, read := s.core.Lag(db, table, *r.PrevCommitSeq)
		result := reply(code(readCodes[read]), nil)
		if read != core.ReadOK {
			return result, nil
		}
		result.Lag = &lag.Lag
		if s.has.lagDetails {
			result.FirstCommitSeq, result.LastCommitSeq = &lag.FirstCommitSeq, &lag.LastCommitSeq
			result.FirstBinlogTimestamp, result.LastBinlogTimestamp = &lag.FirstTimestamp, &lag.LastTimestamp
			result.NextCommitSeq, result.NextBinlogTimestamp = &lag.NextCommitSeq, &lag.NextTimestamp
		}
		return result, nil
	})
}

// LockBinlog implements doris-rpc.md 3.6.
func (s *service) LockBinlog(ctx context.Context, r *frontendservice.TLockBinlogRequest) (*frontendservice.TLockBinlogResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TLockBinlogResult_ {
		return &frontendservice.TLockBinlogResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "lockBinlog", reply, func() (*frontendservice.TLockBinlogResult_, error) {
		err := require(given{"user", r.User != nil}, given{"passwd", r.Passwd != nil}, given{"db", r.Db != nil}, given{"job_unique_id", r.JobUniqueID != nil})
		if err != nil {
			return nil, err
		}
		if err := s.authorize(fromPeer(ctx, r.User, r.Passwd, r.Token), mayRead, named(r.Db, r.Table)); err != nil {
			return nil, err
		}
		db, table, err := s.resolve(binlogTarget{r.Db, r.Table, r.TableID})
		if err != nil {
			return nil, err
		}
		seq := int64(-1)
		if r.LockCommitSeq != nil {
			seq = *r.LockCommitSeq
		}
		locked, read := s.core.LockBinlogs(db, table, *r.JobUniqueID, seq)
		result := reply(code(readCodes[read]), nil)
		result.LockedCommitSeq = &locked
		return result, nil
	})
}
