package replication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

const jobInfo = `{"name":"s","id":10100,"backup_objects":{"t1":{"id":9007199254740993,"partitions":{"p1":{"id":10210,"version":20,"indexes":{}}}},` +
	`"t2":{"id":10201,"partitions":{}}},"new_backup_objects":{"views":[{"id":10300,"name":"v"}],"odbc_tables":[]},` +
	`"table_commit_seq_map":{"9007199254740993":8990,"10201":8995},"unknown_key":{"a":[1.50,"<&>"]}, "tblalias": {} }
`

func TestJobInfo(t *testing.T) {
	content, err := parseJobInfo([]byte(jobInfo))
	require.NoError(t, err)
	require.Equal(t, snapshotContent{
		Tables: map[string]snapshotTable{
			"t1": {ID: 9007199254740993, Partitions: map[string]int64{"p1": 10210}},
			"t2": {ID: 10201, Partitions: map[string]int64{}},
		},
		Views:      map[string]int64{"v": 10300},
		CommitSeqs: map[int64]int64{9007199254740993: 8990, 10201: 8995},
	}, content)

	backends := []meta.Backend{{ID: 9007199254740995, Host: "203.0.113.2", HTTPPort: 8040}}
	edited, err := addExtraInfo([]byte(jobInfo), backends, "tok")
	require.NoError(t, err)
	before, _, _ := strings.Cut(jobInfo, " }\n")
	require.Equal(t, before+` ,"extra_info":{"be_network_map":{"9007199254740995":{"ip":"203.0.113.2","port":8040}},"token":"tok"}}`, string(edited))
	require.True(t, json.Valid(edited))

	again, err := addExtraInfo(edited, backends, "new")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(again), "extra_info"))
	require.Contains(t, string(again), "9007199254740993")

	for _, bad := range []string{"", "[]", "null", "{"} {
		_, err := addExtraInfo([]byte(bad), backends, "tok")
		require.Error(t, err, bad)
	}
}

func TestFinishFull(t *testing.T) {
	restored := map[int64]job.Table{
		10: {Name: "a", DestID: 20, CommitSeq: 500}, 11: {Name: "b", DestID: 21, CommitSeq: 510}, 12: {Name: "v", View: true},
	}
	progress := func(commitSeq int64) *job.Progress {
		return &job.Progress{
			Position: job.Position{CommitSeq: 300, TxnID: 9, Applied: 7},
			Snapshot: &job.Snapshot{Restored: &job.Restored{CommitSeq: commitSeq}},
		}
	}
	j := &Job{spec: *databaseSpec()}
	f := j.finishFull(progress(0), restored)
	require.Equal(t, job.DBTablesIncrementalSync, f.State)
	require.Equal(t, job.Position{CommitSeq: 500, Applied: 7}, f.Position, "the least of the tables")
	require.Equal(t, restored, f.Tables)
	require.Equal(t, int64(495), j.finishFull(progress(495), restored).Position.CommitSeq, "or the backup's own")
	prepared := progress(495)
	prepared.Snapshot.Prepared, prepared.Snapshot.Before = true, 480
	require.Equal(t, int64(480), j.finishFull(prepared, restored).Position.CommitSeq, "or what was newest before it was ordered")
	prepared.Snapshot.Before = 0
	require.Zero(t, j.finishFull(prepared, restored).Position.CommitSeq, "nothing was recorded before it was ordered")

	j = &Job{spec: *tableSpec()}
	f = j.finishFull(progress(495), map[int64]job.Table{10: {Name: "t", DestID: 20, CommitSeq: 500}})
	require.Equal(t, job.TableIncrementalSync, f.State)
	require.Equal(t, int64(500), f.Position.CommitSeq, "a table job has no filter: its table's own")
	require.Equal(t, int64(20), f.DestinationTableID)
}

func TestFinishPartial(t *testing.T) {
	progress := func(partial job.PartialSync, partitions map[int64]int64) *job.Progress {
		return &job.Progress{
			Position:   job.Position{CommitSeq: 290},
			Tables:     map[int64]job.Table{10: {Name: "a", DestID: 20, CommitSeq: 280}, 11: {Name: "b", DestID: 21}},
			Partitions: map[int64]int64{100: 900, 101: 250},
			Snapshot:   &job.Snapshot{Partial: &partial, Trigger: 300, Restored: &job.Restored{Partitions: partitions}},
		}
	}
	restored := map[int64]job.Table{10: {Name: "a", DestID: 30, CommitSeq: 400}}

	j := &Job{spec: *databaseSpec()}
	f := j.finishPartial(progress(job.PartialSync{TableID: 10, Replace: true}, nil), restored)
	require.Equal(t, job.DBTablesIncrementalSync, f.State)
	require.Equal(t, int64(300), f.Position.CommitSeq, "a database job goes on after what ordered the snapshot")
	require.Equal(t, map[int64]job.Table{10: {Name: "a", DestID: 30, CommitSeq: 400}, 11: {Name: "b", DestID: 21}}, f.Tables)

	f = j.finishPartial(progress(job.PartialSync{TableID: 10, Partitions: []string{"p"}}, map[int64]int64{100: 400, 101: 400}), restored)
	require.Equal(t, int64(280), f.Tables[10].CommitSeq, "partitions do not contain the table")
	require.Equal(t, map[int64]int64{100: 900, 101: 400}, f.Partitions, "an entry never decreases")

	j = &Job{spec: *tableSpec()}
	f = j.finishPartial(progress(job.PartialSync{TableID: 10, Replace: true}, nil), restored)
	require.Equal(t, int64(400), f.Position.CommitSeq)
	require.Equal(t, map[int64]job.Table{10: {Name: "a", DestID: 30}}, f.Tables)
	f = j.finishPartial(progress(job.PartialSync{TableID: 10, Partitions: []string{"p"}}, map[int64]int64{100: 400}), restored)
	require.Equal(t, int64(300), f.Position.CommitSeq)
}

func TestObstacle(t *testing.T) {
	for status, want := range map[string][2]string{
		"[COMMON_ERROR, msg: Table t1 already exist but with different schema]":                                   {"t1", ""},
		"[COMMON_ERROR, msg: View v 1 already exist but with different schema]":                                   {"", "v 1"},
		"[COMMON_ERROR, msg: Partition p1 in table t2 has different partition item with partition in repository]": {"t2", ""},
		"[COMMON_ERROR, msg: Partition p1 in table t2 has conflict partition item with existing items]":           {"t2", ""},
		"[COMMON_ERROR, msg: Only support retore OLAP table: t3]":                                                 {"", "t3"},
		"[COMMON_ERROR, msg: Table t1's state is not NORMAL: RESTORE]":                                            {"", ""},
		"[OK]": {"", ""},
	} {
		table, view := obstacle(status)
		require.Equal(t, want, [2]string{table, view}, status)
	}
}

func TestLabelsAndStatements(t *testing.T) {
	require.Equal(t, job.RestoreLabel("s", 1), nextLabel("s", ""))
	require.Equal(t, job.RestoreLabel("s", 8), nextLabel("s", job.RestoreLabel("s", 7)))
	require.Equal(t, "BACKUP SNAPSHOT `d`.`s` TO `__keep_on_local__` PROPERTIES (\"type\" = \"full\")", backupStatement("d", "s", backupObjects{}))
	require.Equal(t, "BACKUP SNAPSHOT `d`.`s` TO `__keep_on_local__` ON (`a``b` PARTITION (`p1`,`p2`)) PROPERTIES (\"type\" = \"full\")",
		backupStatement("d", "s", backupObjects{table: "a`b", partitions: []string{"p1", "p2"}}))
}

// script is a cluster whose backups and restores go through given states.
type script struct {
	frontend
	database
	tables    map[int64]*meta.Table
	id        int64           // of the database, 0 = 1
	dropped   map[int64]int64 // tables, as the metadata lists them
	off       map[string]bool // whose SHOW CREATE says that no binlogs are recorded
	metaErr   error
	names     []string // SHOW TABLES
	views     []string // those of names that are views
	backups   []sqlclient.BackupJob
	restores  []sqlclient.RestoreJob
	backupErr []error // of the next BACKUP statements
	outcome   []sqlclient.RestoreJob
	submitted []fe.RestoreRequest
	executed  []string
	snapshot  fe.Snapshot
	snapErr   error
	newest    int64
	// unrecorded: the table has no log before a backup begins it.
	unrecorded bool
	locked     []int64
	log        map[int64][]binlog.Record // by table; none: as of a table that is gone
	logErr     error
	// open are the job's transactions, rolledBack those that were given up.
	open       []sqlclient.Transaction
	rolledBack []int64
}

func (s *script) Binlogs(_ context.Context, req fe.BinlogRequest) (fe.BinlogBatch, error) {
	if s.logErr != nil {
		return fe.BinlogBatch{}, s.logErr
	}
	if s.log[req.TableID] == nil {
		return fe.BinlogBatch{}, fe.ErrBinlogNotFound
	}
	var got fe.BinlogBatch
	for _, rec := range s.log[req.TableID] {
		if rec.CommitSeq > req.PrevCommitSeq && len(got.Binlogs) < 2 {
			got.Binlogs = append(got.Binlogs, rec)
		}
	}
	return got, nil
}

// BinlogLag only tells the end of the log.
func (s *script) BinlogLag(_ context.Context, req fe.BinlogRequest) (binlog.Lag, error) {
	if log := s.log[req.TableID]; len(log) > 0 {
		return binlog.Lag{LastCommitSeq: log[len(log)-1].CommitSeq}, nil
	}
	return binlog.Lag{}, nil
}

// LockBinlog finds nothing to lock before the first backup if s.unrecorded.
func (s *script) LockBinlog(_ context.Context, req fe.LockRequest) (int64, error) {
	if s.unrecorded && len(s.executed) == 0 {
		return 0, fe.ErrBinlogNotFound
	}
	s.locked = append(s.locked, req.CommitSeq)
	return s.newest, nil
}
func (s *script) MasterToken(context.Context) (string, error)      { return "token", nil }
func (s *script) Backends(context.Context) ([]meta.Backend, error) { return nil, nil }
func (s *script) Close() error                                     { return nil }
func (s *script) Tables(context.Context, string) ([]string, error) {
	return slices.Clone(s.names), nil
}
func (s *script) DropTable(_ context.Context, _, name string) error { return s.drop(name) }
func (s *script) DropView(_ context.Context, _, name string) error  { return s.drop(name) }

func (s *script) drop(name string) error {
	s.executed = append(s.executed, "DROP "+name)
	s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == name })
	return nil
}

func (s *script) Snapshot(context.Context, fe.SnapshotRequest) (fe.Snapshot, error) {
	return s.snapshot, s.snapErr
}

func (s *script) Meta(_ context.Context, req fe.MetaRequest) (*meta.Database, error) {
	if s.metaErr != nil {
		return nil, s.metaErr
	}
	db := &meta.Database{ID: max(s.id, 1), Tables: map[int64]*meta.Table{}, DroppedTables: s.dropped}
	for id, t := range s.tables {
		if slices.Contains(req.TableIDs, id) || slices.Contains(req.Tables, t.Name) {
			db.Tables[id] = t
		}
	}
	return db, nil
}

func (s *script) CreateDatabaseText(_ context.Context, name string) (string, error) {
	return s.CreateTableText(context.Background(), "", name)
}

func (s *script) CreateTableText(_ context.Context, _, name string) (string, error) {
	return fmt.Sprintf("CREATE %s ... PROPERTIES (\"binlog.enable\" = \"%t\")", name, !s.off[name]), nil
}

func (s *script) TableExists(_ context.Context, _, name string) (bool, error) {
	return slices.Contains(s.names, name), nil
}

func (s *script) FrontendConfig(context.Context, string) (string, bool, error) {
	return "true", true, nil
}

func (s *script) Exec(_ context.Context, statement string) error {
	s.executed = append(s.executed, statement)
	if !strings.HasPrefix(statement, "BACKUP") { // an alias is swapped in
		s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == job.AliasName("t", testEpoch) })
		return nil
	}
	if len(s.backupErr) > 0 {
		err := s.backupErr[0]
		s.backupErr = s.backupErr[1:]
		if err != nil {
			return err
		}
	}
	s.backups = []sqlclient.BackupJob{{State: "SNAPSHOTING"}, {State: sqlclient.JobFinished}}
	return nil
}

// BackupJob shows one state after the other; the last one stays.
func (s *script) BackupJob(context.Context, string, string) (sqlclient.BackupJob, bool, error) {
	if len(s.backups) == 0 {
		return sqlclient.BackupJob{}, false, nil
	}
	b := s.backups[0]
	if len(s.backups) > 1 {
		s.backups = s.backups[1:]
	}
	return b, true, nil
}

func (s *script) RestoreJobs(context.Context, string, string) ([]sqlclient.RestoreJob, error) {
	return s.restores, nil
}

func (s *script) Transactions(context.Context, string, string) ([]sqlclient.Transaction, error) {
	return s.open, nil
}

func (s *script) RollbackTxn(_ context.Context, req fe.RollbackRequest) error {
	s.rolledBack = append(s.rolledBack, req.TxnID)
	return nil
}

func (s *script) RestoreSnapshot(_ context.Context, req fe.RestoreRequest) error {
	s.submitted = append(s.submitted, req)
	r := sqlclient.RestoreJob{State: sqlclient.JobFinished}
	if len(s.outcome) > 0 {
		r, s.outcome = s.outcome[0], s.outcome[1:]
	}
	r.Label = req.Label
	s.restores = append(s.restores, r)
	return nil
}

func scripted(spec *job.Spec, src, dst *script) *Job {
	c := NewConnector(Options{SnapshotPoll: time.Millisecond})
	return &Job{
		c: c, opts: &c.opts, spec: *spec, log: c.opts.Logger,
		source:      &cluster{side: "source", spec: spec.Source, fe: src, sql: src},
		destination: &cluster{side: "destination", spec: spec.Destination, fe: dst, sql: dst},
	}
}

func ordered(spec *job.Spec, partial *job.PartialSync, name string) job.StepInput {
	return job.StepInput{Spec: *spec, Progress: job.Progress{
		Epoch: testEpoch, CreatedAt: time.Unix(testEpoch-10, 0), Snapshot: &job.Snapshot{Partial: partial, Name: name, Trigger: 50, Prepared: true, Before: 77},
	}}
}

func TestTakeSnapshot(t *testing.T) {
	ctx := context.Background()
	table := map[int64]*meta.Table{10: {ID: 10, Name: "t"}}
	partial := &job.PartialSync{TableID: 10, Table: "t", Replace: true}

	t.Run("first finds out from where binlogs are needed", func(t *testing.T) {
		src := &script{newest: 77, names: []string{"t"}}
		in := ordered(databaseSpec(), nil, "")
		in.Progress.Snapshot.Prepared = false
		got, err := scripted(databaseSpec(), src, nil).TakeSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, job.SnapshotTaken{Prepared: true, Before: 77}, got)
		require.Empty(t, src.executed, "it has to be recorded before the backup is ordered")
	})
	t.Run("locks a log that its own backup begins", func(t *testing.T) {
		src := &script{unrecorded: true, names: []string{"t"}, tables: table}
		in := ordered(tableSpec(), nil, "")
		in.Progress.Snapshot.Prepared = false
		got, err := scripted(tableSpec(), src, nil).TakeSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, job.SnapshotTaken{Prepared: true}, got)
		require.Empty(t, src.locked)
		in.Progress.Snapshot.Prepared, in.Progress.Snapshot.Before = true, 0
		_, err = scripted(tableSpec(), src, nil).TakeSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, []int64{0}, src.locked, "from the beginning, and once")

		src = &script{names: []string{"t"}, newest: 77}
		_, err = scripted(databaseSpec(), src, nil).TakeSnapshot(ctx, ordered(databaseSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.Empty(t, src.locked, "the lock of the step before holds")
	})
	t.Run("waits for others and for itself", func(t *testing.T) {
		src := &script{names: []string{"t"}, backupErr: []error{fmt.Errorf("busy: %w", sqlclient.ErrJobRunning), &sqlclient.NetworkError{Sent: true}}}
		var notes []string
		got, err := scripted(databaseSpec(), src, nil).TakeSnapshot(ctx, ordered(databaseSpec(), nil, ""), func(h job.Heartbeat) { notes = append(notes, h.Note) })
		require.NoError(t, err)
		require.Equal(t, job.SnapshotTaken{Name: job.SnapshotName(databaseSpec(), testEpoch, false, 0)}, got)
		require.Len(t, src.executed, 3)
		require.NotEmpty(t, notes)
	})
	t.Run("finds its own backup", func(t *testing.T) {
		src := &script{backups: []sqlclient.BackupJob{{State: sqlclient.JobFinished}}}
		got, err := scripted(databaseSpec(), src, nil).TakeSnapshot(ctx, ordered(databaseSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.NotEmpty(t, got.Name)
		require.Empty(t, src.executed)
	})
	t.Run("cancelled", func(t *testing.T) {
		src := &script{backups: []sqlclient.BackupJob{{State: sqlclient.JobCancelled, Status: "[TIMEOUT, msg: ]"}}}
		got, err := scripted(databaseSpec(), src, nil).TakeSnapshot(ctx, ordered(databaseSpec(), partial, ""), nil)
		require.NoError(t, err)
		require.True(t, got.Wanted.Retry)
		require.Equal(t, partial, got.Wanted.Partial)
		require.Contains(t, got.Wanted.Reason, "TIMEOUT")
	})
	t.Run("empty database", func(t *testing.T) {
		got, err := scripted(databaseSpec(), &script{newest: 77}, nil).TakeSnapshot(ctx, ordered(databaseSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.Equal(t, job.SnapshotTaken{Nothing: true, CommitSeq: 77}, got)
	})
	t.Run("table gone", func(t *testing.T) {
		got, err := scripted(databaseSpec(), &script{}, nil).TakeSnapshot(ctx, ordered(databaseSpec(), partial, ""), nil)
		require.NoError(t, err)
		require.True(t, got.TableGone)
	})
	t.Run("table renamed", func(t *testing.T) {
		src := &script{tables: map[int64]*meta.Table{10: {ID: 10, Name: "t2"}, 11: {ID: 11, Name: "t"}}}
		got, err := scripted(databaseSpec(), src, nil).TakeSnapshot(ctx, ordered(databaseSpec(), partial, ""), nil)
		require.NoError(t, err)
		require.Equal(t, &job.PartialSync{TableID: 10, Table: "t2", Replace: true}, got.Wanted.Partial)
		require.Empty(t, src.executed)
	})
	t.Run("partition gone", func(t *testing.T) {
		src := &script{tables: table, backupErr: []error{fmt.Errorf("no: %w", sqlclient.ErrUnknownPartition)}}
		got, err := scripted(databaseSpec(), src, nil).TakeSnapshot(ctx, ordered(databaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Partitions: []string{"p"}}, ""), nil)
		require.NoError(t, err)
		require.Equal(t, partial, got.Wanted.Partial)
	})
	t.Run("table job follows the id, then the name", func(t *testing.T) {
		src := &script{tables: map[int64]*meta.Table{10: {ID: 10, Name: "renamed"}}}
		got, err := scripted(tableSpec(), src, nil).TakeSnapshot(ctx, ordered(tableSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.Contains(t, src.executed[0], "ON (`renamed`)")
		require.Zero(t, got.SourceTableID)

		src = &script{tables: map[int64]*meta.Table{15: {ID: 15, Name: "t"}}}
		got, err = scripted(tableSpec(), src, nil).TakeSnapshot(ctx, ordered(tableSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.Equal(t, int64(15), got.SourceTableID)

		_, err = scripted(tableSpec(), &script{}, nil).TakeSnapshot(ctx, ordered(tableSpec(), nil, ""), nil)
		require.ErrorContains(t, err, "does not exist any more")
		require.NotEmpty(t, Remedy(err))
	})
}

func snapshotOf(info string) fe.Snapshot {
	return fe.Snapshot{Meta: []byte("meta"), JobInfo: []byte(info), CommitSeq: 40}
}

const oneTable = `{"backup_objects":{"t":{"id":10,"partitions":{"p":{"id":100}}}},"new_backup_objects":{"views":[{"id":12,"name":"v"}]},"table_commit_seq_map":{"10":60}}`

func TestRestoreSnapshot(t *testing.T) {
	ctx := context.Background()
	differs := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: Table t already exist but with different schema]"}
	viewDiffers := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: View v already exist but with different schema]"}
	other := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: disk]"}
	alias := job.AliasName("t", testEpoch)

	t.Run("table job, renamed before the backup", func(t *testing.T) {
		src := &script{snapshot: snapshotOf(`{"backup_objects":{"t2":{"id":10,"partitions":{"p":{"id":100}}}},"table_commit_seq_map":{"10":60}}`)}
		got, err := scripted(tableSpec(), src, &script{}).RestoreSnapshot(ctx, ordered(tableSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, "t2", got.SourceTable)
		require.Zero(t, got.SourceTableID)
	})
	t.Run("database", func(t *testing.T) {
		src, dst := &script{snapshot: snapshotOf(oneTable)}, &script{open: []sqlclient.Transaction{{ID: 7, Status: sqlclient.TxnPrepare}, {ID: 8, Status: sqlclient.TxnVisible}}}
		defer func() { require.Equal(t, []int64{7}, dst.rolledBack, "left by an attempt that stood still") }()
		got, err := scripted(databaseSpec(), src, dst).RestoreSnapshot(ctx, ordered(databaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, &job.Restored{CommitSeq: 40, Partition: 100, Tables: map[int64]job.Table{
			10: {Name: "t", CommitSeq: 60}, 12: {Name: "v", CommitSeq: 40, View: true},
		}}, got.Restored)
		require.Len(t, dst.submitted, 1)
		req := dst.submitted[0]
		require.True(t, req.AtomicRestore && req.ForceReplace && req.Compressed)
		require.Empty(t, req.Tables)
		require.Equal(t, map[string]string{"reserve_replica": "true"}, req.Properties)
		require.Contains(t, string(req.JobInfo), `"token":"token"`)
	})
	t.Run("finds its own restore", func(t *testing.T) {
		src, dst := &script{snapshot: snapshotOf(oneTable)}, &script{restores: []sqlclient.RestoreJob{{State: sqlclient.JobFinished, Label: "s_r_1"}}}
		got, err := scripted(databaseSpec(), src, dst).RestoreSnapshot(ctx, ordered(databaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.NotNil(t, got.Restored)
		require.Empty(t, dst.submitted)
	})
	t.Run("another schema is restored beside", func(t *testing.T) {
		src, dst := &script{snapshot: snapshotOf(oneTable)}, &script{outcome: []sqlclient.RestoreJob{differs, viewDiffers}, names: []string{"t", "v", alias}, views: []string{"v"}}
		got, err := scripted(databaseSpec(), src, dst).RestoreSnapshot(ctx, ordered(databaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"t": alias}, got.Aliases)
		require.Len(t, dst.submitted, 3)
		require.Equal(t, []fe.TableRef{{Table: "t", Alias: alias}, {Table: "v"}}, dst.submitted[1].Tables, "all objects are listed")
		require.Equal(t, []string{"DROP v"}, dst.executed)
		require.Equal(t, job.RestoreLabel("s", 3), dst.submitted[2].Label)
	})
	t.Run("what is no view is not dropped", func(t *testing.T) {
		noOLAP := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: Only support restore OLAP table: t]"}
		src, dst := &script{snapshot: snapshotOf(oneTable)}, &script{outcome: []sqlclient.RestoreJob{noOLAP, noOLAP, noOLAP}, names: []string{"t"}}
		got, err := scripted(databaseSpec(), src, dst).RestoreSnapshot(ctx, ordered(databaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.True(t, got.Wanted.Retry)
		require.Equal(t, "rename or drop what has that name on the destination", got.Wanted.Remedy)
		require.Empty(t, dst.executed)
	})
	t.Run("snapshot lost", func(t *testing.T) {
		src := &script{snapErr: fe.ErrSnapshotNotExist}
		got, err := scripted(databaseSpec(), src, &script{}).RestoreSnapshot(ctx, ordered(databaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.True(t, got.Wanted.Retry)
	})
	t.Run("cancelled again and again", func(t *testing.T) {
		src, dst := &script{snapshot: snapshotOf(oneTable)}, &script{outcome: []sqlclient.RestoreJob{other, other, other}}
		got, err := scripted(databaseSpec(), src, dst).RestoreSnapshot(ctx, ordered(databaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.True(t, got.Wanted.Retry)
		require.Contains(t, got.Wanted.Reason, "disk")
	})
	const onlyTable = `{"backup_objects":{"t":{"id":10,"partitions":{"p":{"id":100}}}},"table_commit_seq_map":{"10":60}}`
	t.Run("partial replaces", func(t *testing.T) {
		src, dst := &script{snapshot: snapshotOf(onlyTable)}, &script{names: []string{"t", alias}}
		got, err := scripted(databaseSpec(), src, dst).RestoreSnapshot(ctx, ordered(databaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Replace: true}, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, []fe.TableRef{{Table: "t", Alias: alias}}, dst.submitted[0].Tables)
		require.False(t, dst.submitted[0].AtomicRestore)
		require.Equal(t, map[string]string{"t": alias}, got.Aliases)
	})
	t.Run("partial of partitions", func(t *testing.T) {
		src, dst := &script{snapshot: snapshotOf(onlyTable)}, &script{names: []string{"t"}}
		in := ordered(databaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Partitions: []string{"p"}}, "s")
		got, err := scripted(databaseSpec(), src, dst).RestoreSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, map[int64]int64{100: 60}, got.Restored.Partitions)
		require.Equal(t, []fe.TableRef{{Table: "t"}}, dst.submitted[0].Tables)

		dst = &script{outcome: []sqlclient.RestoreJob{differs}, names: []string{"t"}}
		got, err = scripted(databaseSpec(), src, dst).RestoreSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, &job.PartialSync{TableID: 10, Table: "t", Replace: true}, got.Wanted.Partial)

		// Restored where there is no table, they would become a table of their own.
		got, err = scripted(databaseSpec(), src, &script{}).RestoreSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, &job.PartialSync{TableID: 10, Table: "t", Replace: true}, got.Wanted.Partial)
	})
	t.Run("the name belongs to another table", func(t *testing.T) {
		src := &script{snapshot: snapshotOf(onlyTable), tables: map[int64]*meta.Table{9: {ID: 9, Name: "t_old"}}}
		got, err := scripted(databaseSpec(), src, &script{}).RestoreSnapshot(ctx, ordered(databaseSpec(), &job.PartialSync{TableID: 9, Table: "t", Replace: true}, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, &job.PartialSync{TableID: 9, Table: "t_old", Replace: true}, got.Wanted.Partial)

		src.tables = nil
		got, err = scripted(databaseSpec(), src, &script{}).RestoreSnapshot(ctx, ordered(databaseSpec(), &job.PartialSync{TableID: 9, Table: "t", Replace: true}, "s"), nil)
		require.NoError(t, err)
		require.True(t, got.TableGone)
	})
	t.Run("table job under another name", func(t *testing.T) {
		spec := tableSpec()
		src, dst := &script{snapshot: snapshotOf(onlyTable)}, &script{}
		_, err := scripted(spec, src, dst).RestoreSnapshot(ctx, ordered(spec, nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, []fe.TableRef{{Table: "t", Alias: "copy"}}, dst.submitted[0].Tables)

		// Onto an existing table of another name Doris never restores.
		beside := job.AliasName("copy", testEpoch)
		dst = &script{names: []string{"copy", beside}}
		got, err := scripted(spec, src, dst).RestoreSnapshot(ctx, ordered(spec, nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, []fe.TableRef{{Table: "t", Alias: beside}}, dst.submitted[0].Tables)
		require.Equal(t, map[string]string{"copy": beside}, got.Aliases)
	})
}

func TestFinishSnapshotSwapsIn(t *testing.T) {
	ctx := context.Background()
	alias := job.AliasName("t", testEpoch)
	leftover := job.AliasName("t", testEpoch-5)
	foreign := job.AliasName("x", testEpoch-5)
	in := ordered(databaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Replace: true}, "s")
	in.Progress.Tables = map[int64]job.Table{10: {Name: "old_t", DestID: 19}}
	in.Progress.Snapshot.Aliases = map[string]string{"t": alias}
	in.Progress.Snapshot.Restored = &job.Restored{Tables: map[int64]job.Table{10: {Name: "t", CommitSeq: 60}}}

	dst := &script{
		names:  []string{"t", alias, leftover, foreign},
		tables: map[int64]*meta.Table{30: {ID: 30, Name: "t"}, 19: {ID: 19, Name: "old_t"}},
	}
	got, err := scripted(databaseSpec(), &script{}, dst).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Equal(t, int64(30), got.Tables[10].DestID)
	require.Equal(t, int64(60), got.Tables[10].CommitSeq)
	require.Contains(t, dst.executed[0], "REPLACE WITH TABLE `"+alias+"` PROPERTIES(\"swap\"=\"false\")")
	require.Contains(t, dst.executed, "DROP "+leftover)
	require.NotContains(t, dst.executed, "DROP "+foreign)
	require.Contains(t, dst.executed, "DROP old_t", "what was restored under its new name")

	dst = &script{names: []string{alias}, tables: dst.tables}
	_, err = scripted(databaseSpec(), &script{}, dst).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Contains(t, dst.executed[0], "RENAME `t`")

	dst = &script{names: []string{"t"}, tables: map[int64]*meta.Table{30: {ID: 30, Name: "t"}}}
	_, err = scripted(databaseSpec(), &script{}, dst).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Empty(t, dst.executed, "swapped in by an earlier attempt")

	dst.tables = nil
	lost, err := scripted(databaseSpec(), &script{}, dst).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Equal(t, job.SnapshotFinished{Wanted: &job.SnapshotWanted{Retry: true, Reason: "table t was restored, and is not on the destination any more"}}, lost)
}

func TestWaitEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	src := &script{backups: []sqlclient.BackupJob{{State: "SNAPSHOTING"}}}
	_, err := scripted(databaseSpec(), src, nil).TakeSnapshot(ctx, ordered(databaseSpec(), nil, ""), func(job.Heartbeat) { cancel() })
	require.True(t, errors.Is(err, context.Canceled))
}
