package pairtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Views fakes the call.
func (s *Script) Views(context.Context, string) ([]string, error) { return s.ViewNames, nil }

// Script is a cluster whose backups and restores go through given states.
type Script struct {
	pair.Frontend
	pair.Database
	TableMeta     map[int64]*meta.Table
	ID            int64           // of the database, 0 = 1
	Dropped       map[int64]int64 // tables, as the metadata lists them
	Off           map[string]bool // whose SHOW CREATE says that no binlogs are recorded
	MetaErr       error
	Names         []string // SHOW TABLES
	ViewNames     []string // those of names that are views
	BackupStates  []sqlclient.BackupJob
	RestoreStates []sqlclient.RestoreJob
	BackupErr     []error // of the next BACKUP statements
	Outcome       []sqlclient.RestoreJob
	Submitted     []fe.RestoreRequest
	Executed      []string
	Snap          fe.Snapshot
	SnapErr       error
	Newest        int64
	// Unrecorded: the table has no log before a backup begins it.
	Unrecorded bool
	Locked     []int64
	Log        map[int64][]binlog.Record // by table; none: as of a table that is gone
	LogErr     error
	// Open are the job's transactions, RolledBack those that were given up.
	Open       []sqlclient.Transaction
	RolledBack []int64
	// TableStatus is what SHOW TABLE STATUS answers, StatusErr its refusal, StatusAsked how often it was asked.
	TableStatus []sqlclient.Row
	StatusErr   error
	StatusAsked int
}

// Query answers SHOW TABLE STATUS.
func (s *Script) Query(_ context.Context, statement string) ([]sqlclient.Row, error) {
	if !strings.HasPrefix(statement, "SHOW TABLE STATUS FROM ") {
		return nil, errors.ErrUnsupported
	}
	s.StatusAsked++
	return s.TableStatus, s.StatusErr
}

// Binlogs fakes the call.
func (s *Script) Binlogs(_ context.Context, req fe.BinlogRequest) (fe.BinlogBatch, error) {
	if s.LogErr != nil {
		return fe.BinlogBatch{}, s.LogErr
	}
	if s.Log[req.TableID] == nil {
		return fe.BinlogBatch{}, fe.ErrBinlogNotFound
	}
	var got fe.BinlogBatch
	for _, rec := range s.Log[req.TableID] {
		if rec.CommitSeq > req.PrevCommitSeq && len(got.Binlogs) < 2 {
			got.Binlogs = append(got.Binlogs, rec)
		}
	}
	return got, nil
}

// BinlogLag only tells the end of the log.
func (s *Script) BinlogLag(_ context.Context, req fe.BinlogRequest) (binlog.Lag, error) {
	if log := s.Log[req.TableID]; len(log) > 0 {
		return binlog.Lag{LastCommitSeq: log[len(log)-1].CommitSeq}, nil
	}
	return binlog.Lag{}, nil
}

// LockBinlog finds nothing to lock before the first backup if s.unrecorded.
func (s *Script) LockBinlog(_ context.Context, req fe.LockRequest) (int64, error) {
	if s.Unrecorded && len(s.Executed) == 0 {
		return 0, fe.ErrBinlogNotFound
	}
	s.Locked = append(s.Locked, req.CommitSeq)
	return s.Newest, nil
}

// MasterToken fakes the call.
func (s *Script) MasterToken(context.Context) (string, error) { return "token", nil }

// Backends fakes the call.
func (s *Script) Backends(context.Context) ([]meta.Backend, error) { return nil, nil }

// Close fakes the call.
func (s *Script) Close() error { return nil }

// Tables fakes the call.
func (s *Script) Tables(context.Context, string) ([]string, error) {
	return slices.Clone(s.Names), nil
}

// DropTable fakes the call.
func (s *Script) DropTable(_ context.Context, _, name string) error { return s.drop(name) }

// DropView fakes the call.
func (s *Script) DropView(_ context.Context, _, name string) error { return s.drop(name) }

func (s *Script) drop(name string) error {
	s.Executed = append(s.Executed, "DROP "+name)
	s.Names = slices.DeleteFunc(s.Names, func(n string) bool { return n == name })
	return nil
}

// Snapshot fakes the call.
func (s *Script) Snapshot(context.Context, fe.SnapshotRequest) (fe.Snapshot, error) {
	return s.Snap, s.SnapErr
}

// Meta fakes the call.
func (s *Script) Meta(_ context.Context, req fe.MetaRequest) (*meta.Database, error) {
	if s.MetaErr != nil {
		return nil, s.MetaErr
	}
	db := &meta.Database{ID: max(s.ID, 1), Tables: map[int64]*meta.Table{}, DroppedTables: s.Dropped}
	for id, t := range s.TableMeta {
		if slices.Contains(req.TableIDs, id) || slices.Contains(req.Tables, t.Name) {
			db.Tables[id] = t
		}
	}
	return db, nil
}

// CreateDatabaseText fakes the call.
func (s *Script) CreateDatabaseText(_ context.Context, name string) (string, error) {
	return s.CreateTableText(context.Background(), "", name)
}

// CreateTableText fakes the call.
func (s *Script) CreateTableText(_ context.Context, _, name string) (string, error) {
	return fmt.Sprintf("CREATE %s ... PROPERTIES (\"binlog.enable\" = \"%t\")", name, !s.Off[name]), nil
}

// TableExists fakes the call.
func (s *Script) TableExists(_ context.Context, _, name string) (bool, error) {
	return slices.Contains(s.Names, name), nil
}

// FrontendConfig fakes the call.
func (s *Script) FrontendConfig(context.Context, string) (string, bool, error) {
	return "true", true, nil
}

// Exec fakes the call.
func (s *Script) Exec(_ context.Context, statement string) error {
	s.Executed = append(s.Executed, statement)
	if !strings.HasPrefix(statement, "BACKUP") { // an alias is swapped in
		s.Names = slices.DeleteFunc(s.Names, func(n string) bool { return n == job.AliasName("t", Epoch) })
		return nil
	}
	if len(s.BackupErr) > 0 {
		err := s.BackupErr[0]
		s.BackupErr = s.BackupErr[1:]
		if err != nil {
			return err
		}
	}
	s.BackupStates = []sqlclient.BackupJob{{State: "SNAPSHOTING"}, {State: sqlclient.JobFinished}}
	return nil
}

// BackupJob shows one state after the other; the last one stays.
func (s *Script) BackupJob(context.Context, string, string) (sqlclient.BackupJob, bool, error) {
	if len(s.BackupStates) == 0 {
		return sqlclient.BackupJob{}, false, nil
	}
	b := s.BackupStates[0]
	if len(s.BackupStates) > 1 {
		s.BackupStates = s.BackupStates[1:]
	}
	return b, true, nil
}

// RestoreJobs fakes the call.
func (s *Script) RestoreJobs(context.Context, string, string) ([]sqlclient.RestoreJob, error) {
	return s.RestoreStates, nil
}

// Transactions fakes the call.
func (s *Script) Transactions(context.Context, string, string) ([]sqlclient.Transaction, error) {
	return s.Open, nil
}

// RollbackTxn fakes the call.
func (s *Script) RollbackTxn(_ context.Context, req fe.RollbackRequest) error {
	s.RolledBack = append(s.RolledBack, req.TxnID)
	return nil
}

// RestoreSnapshot fakes the call.
func (s *Script) RestoreSnapshot(_ context.Context, req fe.RestoreRequest) error {
	s.Submitted = append(s.Submitted, req)
	r := sqlclient.RestoreJob{State: sqlclient.JobFinished}
	if len(s.Outcome) > 0 {
		r, s.Outcome = s.Outcome[0], s.Outcome[1:]
	}
	r.Label = req.Label
	s.RestoreStates = append(s.RestoreStates, r)
	return nil
}

// Scripted is a job between two scripts.
func Scripted(spec *job.Spec, src, dst *Script) *pair.Job {
	c := pair.NewConnector(pair.Options{SnapshotPoll: time.Millisecond})
	return &pair.Job{
		Connector: c, Options: &c.Options, Spec: *spec, Log: c.Options.Logger,
		Source:      &pair.Cluster{Side: "source", Spec: spec.Source, FE: src, SQL: src},
		Destination: &pair.Cluster{Side: "destination", Spec: spec.Destination, FE: dst, SQL: dst},
	}
}
