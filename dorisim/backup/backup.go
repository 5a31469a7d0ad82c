package backup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// backupWork is what a backup job works on.
type backupWork struct {
	dbName  string
	refs    []TableRef
	objects string
	content string

	captured *capture
}

// Backup submits a BACKUP job (doris-sql.md 2.7, 4.1). Errors: *core.Error.
func (m *Manager) Backup(ctx context.Context, r BackupRequest) error {
	if err := checkRefs(r); err != nil {
		return err
	}
	if err := m.core.CheckLabel(r.Label); err != nil {
		return err
	}
	timeout, content, err := backupProperties(r.Properties, m.defaultTimeout())
	if err != nil {
		return err
	}
	return m.submit(ctx, r.Repository, r.DB, r.Label, func(db *catalog.Database) error {
		refs, err := m.resolve(db, r)
		if err != nil {
			return err
		}
		j := newJob(db.ID, r.Label, timeout, m.core.Now)
		j.backup = &backupWork{dbName: db.Name, refs: refs, objects: objectsOf(db.Name, refs), content: content}
		m.core.NextJournal()
		return m.add(j, func(ctx context.Context) error { return m.runBackup(ctx, j) })
	})
}

func (m *Manager) defaultTimeout() time.Duration {
	ms, err := strconv.ParseInt(m.core.FEConfig("backup_job_default_timeout_ms"), 10, 64)
	if err != nil {
		return 24 * time.Hour
	}
	return time.Duration(ms) * time.Millisecond
}

func backupProperties(p map[string]string, fallback time.Duration) (timeout time.Duration, content string, err error) {
	timeout, content = fallback, "ALL"
	unknown := map[string]string{}
	for key, value := range p {
		switch strings.ToLower(key) {
		case "type":
			if !strings.EqualFold(value, "full") {
				return 0, "", refusef("Invalid backup job type: %s", value)
			}
		case "content":
			if !strings.EqualFold(value, "all") && !strings.EqualFold(value, "metadata_only") {
				return 0, "", refusef("Invalid backup job content:%s", value)
			}
			content = strings.ToUpper(value)
		case "timeout":
			if timeout, err = parseTimeout(value); err != nil {
				return 0, "", err
			}
		default:
			unknown[key] = value
		}
	}
	if len(unknown) > 0 {
		return 0, "", refusef("Unknown backup job properties: [%s]", strings.Join(slices.Sorted(maps.Keys(unknown)), ", "))
	}
	return timeout, content, nil
}

// parseTimeout reads seconds; ten minutes are the least.
func parseTimeout(value string) (time.Duration, error) {
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, refusef("Invalid timeout format: %s", value)
	}
	if seconds < 600 {
		return 0, refusef("timeout must be at least 10 min")
	}
	return time.Duration(seconds) * time.Second, nil
}

// checkRefs refuses object lists that the parser lets through.
func checkRefs(r BackupRequest) error {
	seen := map[string]bool{}
	for _, ref := range r.Tables {
		switch {
		case strings.Contains(ref.Name, "."):
			return refusef("Cannot specify database name on backup objects: %s. Specify database name before label", ref.Name)
		case ref.Alias != "":
			return refusef("Can not set alias for table in Backup Stmt: %s", ref.Name)
		case ref.TemporaryPartitions:
			return refusef("Do not support backup temp partitions in table %s", ref.Name)
		case seen[ref.Name]:
			return refusef("Duplicated table: %s", ref.Name)
		}
		seen[ref.Name] = true
	}
	return nil
}

// resolve turns the statement's list into the objects to back up, sorted by
// name, and checks them.
func (m *Manager) resolve(db *catalog.Database, r BackupRequest) ([]TableRef, error) {
	m.core.RLock()
	defer m.core.RUnlock()
	refs := slices.Clone(r.Tables)
	if r.Exclude || len(refs) == 0 {
		refs = nil
		for _, name := range slices.Sorted(maps.Keys(db.Tables)) {
			if !slices.ContainsFunc(r.Tables, func(x TableRef) bool { return x.Name == name }) && db.Tables[name].Kind != catalog.MaterializedView {
				refs = append(refs, TableRef{Name: name})
			}
		}
	}
	var kept []TableRef
	for _, ref := range refs {
		t, ok := db.Tables[ref.Name]
		if !ok {
			return nil, core.CodeErrorf(1051, "Unknown table '%s'", ref.Name)
		}
		if t.Kind == catalog.View || t.Kind == catalog.ODBC {
			kept = append(kept, ref)
			continue
		}
		if t.Kind != catalog.OLAP {
			if m.core.FEConfig("ignore_backup_not_support_table_type") == "true" {
				continue
			}
			return nil, refusef("Table '%s' is not a OLAP table", t.Name)
		}
		kept = append(kept, ref)
		if len(t.Temporary) > 0 && m.core.FEConfig("ignore_backup_tmp_partitions") != "true" {
			return nil, refusef("Do not support backup table %s with temp partitions", t.Name)
		}
		for _, p := range ref.Partitions {
			if _, ok := t.Partitions[p]; !ok {
				return nil, refusef("Unknown partition %s in table%s", p, t.Name)
			}
		}
	}
	return kept, nil
}

// objectsOf is the column BackupObjs (doris-sql.md 2.8).
func objectsOf(db string, refs []TableRef) string {
	texts := make([]string, len(refs))
	for i, ref := range refs {
		partitions := ""
		if len(ref.Partitions) > 0 {
			partitions = "PARTITIONS (" + strings.Join(ref.Partitions, ", ") + ")"
		}
		texts[i] = fmt.Sprintf("[%s.%s%s]", db, ref.Name, partitions)
	}
	return strings.Join(texts, ", ")
}

// runBackup goes through the states. Tablets are frozen right after the
// capture, before their versions can be compacted away.
func (m *Manager) runBackup(ctx context.Context, j *job) error {
	err := m.backupStates(ctx, j)
	if err != nil && j.backup.captured != nil {
		m.release(j.backup.captured.roots)
	}
	return err
}

func (m *Manager) backupStates(ctx context.Context, j *job) error {
	wait := func(state string) error { return m.tick(ctx, "backup", state, m.core.Profile().BackupTick) }
	if err := wait(statePending); err != nil {
		return err
	}
	if err := m.core.HoldJob(ctx, core.PauseBackup, j.label); err != nil {
		return err
	}
	j.number(m.core.NextID())
	if err := m.capture(j); err != nil {
		return err
	}
	j.enter(stateSnapshoting)
	if err := m.makeSnapshots(ctx, j); err != nil {
		return err
	}
	if err := wait(stateSnapshoting); err != nil {
		return err
	}
	j.setTasks("") // the daemon notices at its next round that they are done
	for _, state := range []string{stateUploadSnapshot, stateUploading, stateSaveMeta, stateUploadInfo} {
		j.enter(state)
		if err := wait(state); err != nil {
			return err
		}
	}
	return m.publishSnapshot(j)
}

func (j *job) backupRow() BackupJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	return BackupJob{
		JobID: j.id, SnapshotName: j.label, DbName: j.backup.dbName, State: j.state, BackupObjs: j.backup.objects,
		CreateTime: j.created, SnapshotFinishedTime: j.reached[stateUploadSnapshot], UploadFinishedTime: j.reached[stateSaveMeta],
		FinishedTime: j.reached[stateFinished], UnfinishedTasks: j.tasks, Status: j.status, Timeout: int64(j.timeout / time.Second),
	}
}
