// Package backup runs the BACKUP and RESTORE jobs of a simulated cluster
// (doris-sql.md chapter 4) and keeps the local snapshots that getSnapshot hands
// out (doris-rpc.md 3.11, 5).
package backup

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// LocalRepository is the built-in repository: snapshots stay on the BEs.
const LocalRepository = "__keep_on_local__"

// CodeRefused is the MySQL code of refusals of BACKUP and CANCEL that are not
// about an unknown database or table (doris-sql.md 1.4).
const CodeRefused = 5064

func refusef(format string, args ...any) error {
	return core.CodeErrorf(CodeRefused, format, args...)
}

// TableRef is one object of a BACKUP statement.
type TableRef struct {
	Name       string
	Partitions []string
	// TemporaryPartitions and Alias are refused, as Doris does.
	TemporaryPartitions bool
	Alias               string
}

// BackupRequest is a BACKUP SNAPSHOT statement (doris-sql.md 2.7).
type BackupRequest struct {
	DB, Label, Repository string
	Tables                []TableRef
	// Exclude: Tables are those to leave out.
	Exclude    bool
	Properties map[string]string
}

// BackupJob is a row of SHOW BACKUP (doris-sql.md 2.8). Zero times are NULL.
type BackupJob struct {
	JobID                                                              int64
	SnapshotName, DbName, State, BackupObjs                            string
	CreateTime, SnapshotFinishedTime, UploadFinishedTime, FinishedTime time.Time
	UnfinishedTasks, Progress, TaskErrMsg, Status                      string
	Timeout                                                            int64 // seconds
}

// RestoreJob is a row of SHOW RESTORE (doris-sql.md 2.9). Zero times are NULL.
type RestoreJob struct {
	JobID                                                                                  int64
	Label, Timestamp, DbName, State                                                        string
	AllowLoad                                                                              bool
	ReplicationNum                                                                         int
	ReplicaAllocation                                                                      string
	ReserveReplica, ReserveDynamicPartitionEnable                                          bool
	RestoreObjs                                                                            string
	CreateTime, MetaPreparedTime, SnapshotFinishedTime, DownloadFinishedTime, FinishedTime time.Time
	UnfinishedTasks, Progress, TaskErrMsg, Status                                          string
	Timeout                                                                                int64 // seconds
}

// Manager has the jobs of all databases of a cluster.
type Manager struct {
	core *core.Core
	// submission is held while a job is being submitted, cluster-wide.
	submission chan struct{}

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	dbs       map[int64][]*job // remembered jobs, oldest first
	snapshots map[string]*localSnapshot
}

// New returns a Manager. Close it before the Core.
func New(c *core.Core) *Manager {
	m := &Manager{core: c, submission: make(chan struct{}, 1), dbs: map[int64][]*job{}, snapshots: map[string]*localSnapshot{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Close stops all jobs where they are and waits for them.
func (m *Manager) Close() {
	m.cancel()
	m.wg.Wait()
}

// submissionWait is how long a submission waits for another one.
const submissionWait = 10 * time.Second

// submit runs f on a database that has no unfinished job, while no other job is
// being submitted (doris-sql.md 4.1).
func (m *Manager) submit(ctx context.Context, repository, database, label string, f func(*catalog.Database) error) error {
	if repository != LocalRepository {
		return refusef("Repository %s does not exist", repository)
	}
	timer := time.NewTimer(submissionWait)
	defer timer.Stop()
	select {
	case m.submission <- struct{}{}:
		defer func() { <-m.submission }()
		if err := m.core.Faults().Before(ctx, "backup.submit"); err != nil {
			return fmt.Errorf("submit: %w", err)
		}
		db, err := m.database(database)
		if err != nil {
			return err
		}
		if old := m.busy(db.ID); old != nil {
			return old.inTheWayOf(label)
		}
		return f(db)
	case <-timer.C:
		return refusef("Another backup or restore job is being submitted. Please wait and try again")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add remembers a new job, forgets the oldest, and starts run; it refuses when
// another job of the database is unfinished.
func (m *Manager) add(j *job, run func(context.Context) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, old := range m.dbs[j.dbID] {
		if !old.finished() {
			return old.inTheWayOf(j.label)
		}
	}
	jobs := append(m.dbs[j.dbID], j)
	for len(jobs) > max(m.remembered(), 1) {
		m.forget(jobs[0])
		jobs = jobs[1:]
	}
	m.dbs[j.dbID] = jobs
	m.wg.Go(func() { j.run(m.ctx, run) })
	return nil
}

func (m *Manager) remembered() int {
	n := 0
	if _, err := fmt.Sscan(m.core.FEConfig("max_backup_restore_job_num_per_db"), &n); err != nil {
		return 10
	}
	return n
}

// busy tells which unfinished job the database has.
func (m *Manager) busy(db int64) *job {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.dbs[db] {
		if !j.finished() {
			return j
		}
	}
	return nil
}

func (m *Manager) jobsOf(name string) []*job {
	m.core.RLock()
	db, ok := m.core.Database(name)
	m.core.RUnlock()
	if !ok {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*job(nil), m.dbs[db.ID]...)
}

// BackupJobs returns the remembered backups of a database, oldest first.
func (m *Manager) BackupJobs(db string) []BackupJob {
	var rows []BackupJob
	for _, j := range m.jobsOf(db) {
		if j.backup != nil {
			rows = append(rows, j.backupRow())
		}
	}
	return rows
}

// RestoreJobs returns the remembered restores of a database, oldest first.
func (m *Manager) RestoreJobs(db string) []RestoreJob {
	var rows []RestoreJob
	for _, j := range m.jobsOf(db) {
		if j.restore != nil {
			rows = append(rows, j.restoreRow())
		}
	}
	return rows
}

// CancelBackup ends the running backup of a database (doris-sql.md 2.11).
func (m *Manager) CancelBackup(db string) error {
	return m.cancelJob(db, false, "No backup job is currently running")
}

// CancelRestore ends the running restore of a database and undoes what it has
// prepared (doris-sql.md 4.10).
func (m *Manager) CancelRestore(db string) error {
	return m.cancelJob(db, true, "No restore is currently running")
}

// lastJob is the only one that CANCEL looks at, be it finished or not.
func (m *Manager) lastJob(db int64) *job {
	m.mu.Lock()
	defer m.mu.Unlock()
	if jobs := m.dbs[db]; len(jobs) > 0 {
		return jobs[len(jobs)-1]
	}
	return nil
}

func (m *Manager) cancelJob(name string, restore bool, none string) error {
	db, err := m.database(name)
	if err != nil {
		return err
	}
	j := m.lastJob(db.ID)
	if j == nil || (j.restore != nil) != restore {
		return refusef("%s", none)
	}
	if state, ok := j.cancelByUser(); !ok {
		return refusef("Failed to cancel job: Job with label %s can not be cancelled. state: %s", j.label, state)
	}
	return nil
}

func (m *Manager) database(name string) (*catalog.Database, error) {
	m.core.RLock()
	defer m.core.RUnlock()
	db, ok := m.core.Database(name)
	if !ok {
		return nil, core.CodeErrorf(1049, "Unknown database '%s'", name)
	}
	return db, nil
}

// tick waits for one step of a job, and then at the state's fault point.
func (m *Manager) tick(ctx context.Context, kind, state string, d time.Duration) error {
	if err := faults.Sleep(ctx, d); err != nil {
		return err
	}
	return m.core.Faults().Before(ctx, kind+"."+state)
}
