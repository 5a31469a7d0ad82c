package backup

import (
	"fmt"
	"time"
)

// localSnapshot is a finished backup on the disk of one FE.
type localSnapshot struct {
	job       *job
	frontend  int // index of the FE that ran the backup
	snapshot  Snapshot
	locations []snapshotRoot
}

// snapshotRoot is a directory on a backend that belongs to a snapshot.
type snapshotRoot struct {
	backend int64
	root    string
}

// Snapshot is what getSnapshot answers (doris-rpc.md 3.11).
type Snapshot struct {
	Label         string
	Meta, JobInfo []byte
	ExpiredAt     time.Time
	CommitSeq     int64
}

// SnapshotError says that a snapshot cannot be had.
type SnapshotError struct {
	Label   string
	Expired bool
}

// Error implements error.
func (e *SnapshotError) Error() string {
	if e.Expired {
		return fmt.Sprintf("snapshot %s is expired", e.Label)
	}
	return fmt.Sprintf("snapshot %s not exist", e.Label)
}

// Snapshot finds a finished backup by its label alone, in the whole cluster. It
// must be one of the current master's own.
func (m *Manager) Snapshot(label string) (Snapshot, error) {
	m.mu.Lock()
	s, ok := m.snapshots[label]
	m.mu.Unlock()
	if !ok || s.frontend != m.core.Master() {
		return Snapshot{}, &SnapshotError{Label: label}
	}
	if m.core.Now().After(s.snapshot.ExpiredAt) {
		return Snapshot{}, &SnapshotError{Label: label, Expired: true}
	}
	return s.snapshot, nil
}

// register makes a finished backup available; the last one of a label wins.
func (m *Manager) register(s *localSnapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshots[s.snapshot.Label] = s
}

// forget removes the snapshot of a job that fell off the history. It needs m.mu.
func (m *Manager) forget(j *job) {
	if s, ok := m.snapshots[j.label]; ok && s.job == j {
		delete(m.snapshots, j.label)
		m.release(s.locations)
	}
}

// release removes directories on the backends.
func (m *Manager) release(roots []snapshotRoot) {
	for _, r := range roots {
		if tasks, ok := m.core.Backend(r.backend); ok {
			tasks.ReleaseSnapshot(r.root)
		}
	}
}
