package pairtest

import (
	"context"
	"slices"
	"sync"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Source serves binlogs and the metadata of its tables. Methods that are not
// faked panic.
type Source struct {
	pair.Frontend
	Mu        sync.Mutex
	Log       []binlog.Record
	Gone      meta.Database // only the dropped maps
	TableMeta map[int64]*meta.Table
	Asked     map[string]int
	Batches   int // binlogs a call, 0 = as many as asked for
	Locked    []int64
	Behind    binlog.Lag
	// Nodes, if there is another than the usual one.
	Nodes []meta.Backend
	// Refuse may fail a call for binlogs.
	Refuse func(req fe.BinlogRequest) error
	// OnBinlogs sees what the log is asked for.
	OnBinlogs func(prev int64)
	// OnMeta is called with the number of the getMeta call, and may change what is
	// dropped.
	OnMeta func(call int)
}

func (f *Source) count(method string) {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	f.Asked[method]++
}

// Binlogs fakes the call.
func (f *Source) Binlogs(_ context.Context, req fe.BinlogRequest) (fe.BinlogBatch, error) {
	f.count("getBinlog")
	f.Mu.Lock()
	defer f.Mu.Unlock()
	if f.Refuse != nil {
		if err := f.Refuse(req); err != nil {
			return fe.BinlogBatch{}, err
		}
	}
	if f.OnBinlogs != nil {
		f.OnBinlogs(req.PrevCommitSeq)
	}
	limit := int(req.Limit)
	if f.Batches > 0 {
		limit = f.Batches
	}
	var got []binlog.Record
	for _, rec := range f.Log {
		if rec.CommitSeq > req.PrevCommitSeq && len(got) < limit {
			got = append(got, rec)
		}
	}
	switch {
	case len(got) == 0:
		return fe.BinlogBatch{Status: status.BinlogTooNewCommitSeq}, nil
	case got[0].Type == binlog.TypeDummy:
		return fe.BinlogBatch{Status: status.BinlogTooOldCommitSeq, Binlogs: got[:1]}, nil
	}
	return fe.BinlogBatch{Binlogs: got}, nil
}

// BinlogLag fakes the call.
func (f *Source) BinlogLag(_ context.Context, req fe.BinlogRequest) (lag binlog.Lag, err error) {
	f.count("getBinlogLag")
	if f.Behind != (binlog.Lag{}) {
		return f.Behind, nil
	}
	f.Mu.Lock()
	defer f.Mu.Unlock()
	for _, rec := range f.Log {
		if rec.CommitSeq <= req.PrevCommitSeq {
			continue
		}
		if lag.Binlogs++; lag.NextCommitSeq == 0 || rec.CommitSeq < lag.NextCommitSeq {
			lag.NextCommitSeq = rec.CommitSeq
		}
	}
	return lag, nil
}

// LockBinlog fakes the call.
func (f *Source) LockBinlog(_ context.Context, req fe.LockRequest) (int64, error) {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	f.Locked = append(f.Locked, req.CommitSeq)
	return req.CommitSeq, nil
}

// MasterToken fakes the call.
func (f *Source) MasterToken(context.Context) (string, error) { return "token", nil }

// Backends fakes the call.
func (f *Source) Backends(context.Context) ([]meta.Backend, error) {
	f.count("getBackendMeta")
	if f.Nodes != nil {
		return f.Nodes, nil
	}
	return []meta.Backend{{ID: 1, Host: "src-be", HTTPPort: 8040, Alive: true}}, nil
}

// Meta fakes the call.
func (f *Source) Meta(_ context.Context, req fe.MetaRequest) (*meta.Database, error) {
	f.count("getMeta")
	f.Mu.Lock()
	defer f.Mu.Unlock()
	if f.OnMeta != nil {
		f.OnMeta(f.Asked["getMeta"])
	}
	return pick(f.TableMeta, req, f.Gone), nil
}

// Close fakes the call.
func (f *Source) Close() error { return nil }

func pick(tables map[int64]*meta.Table, req fe.MetaRequest, gone meta.Database) *meta.Database {
	db := gone
	db.ID, db.Tables = max(db.ID, req.DatabaseID, 1), map[int64]*meta.Table{}
	for id, t := range tables {
		if slices.Contains(req.TableIDs, id) || slices.Contains(req.Tables, t.Name) {
			db.Tables[id] = t
		}
	}
	return &db
}
