package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/payload"
)

// capture is what a backup has frozen so far.
type capture struct {
	meta      []byte
	info      *jobInfo
	commitSeq int64
	tasks     []snapshotTask
	roots     []snapshotRoot
}

// snapshotTask is one tablet to freeze.
type snapshotTask struct {
	tablet, version int64
	backends        []int64 // where it can be read, best first
	files           map[int64][]string
}

// capture records the metadata, the visible versions and a BARRIER per OLAP
// table under one lock: every binlog up to a table's barrier is in its snapshot
// and none after it (doris-binlogs.md 1.9).
func (m *Manager) capture(j *job) error {
	w := j.backup
	c := &capture{info: m.newJobInfo(j)}
	m.core.Lock()
	defer m.core.Unlock()
	db, ok := m.core.DatabaseByID(j.dbID)
	if !ok {
		return notFoundf("database %d does not exist", j.dbID)
	}
	c.commitSeq = m.core.NextJournal()
	meta := snapshotMeta{Database: db.Name}
	for _, ref := range w.refs {
		t, ok := db.Tables[ref.Name]
		if !ok {
			return notFoundf("table %s does not exist", ref.Name)
		}
		if t.Kind == catalog.View {
			meta.Tables = append(meta.Tables, t)
			c.info.Others.Views = append(c.info.Others.Views, viewInfo{ID: t.ID, Name: t.Name})
			continue
		}
		if t.Kind == catalog.ODBC {
			meta.Tables = append(meta.Tables, t)
			c.info.Others.addOdbc(t)
			continue
		}
		for _, p := range ref.Partitions {
			if _, ok := t.Partitions[p]; !ok {
				return notFoundf("partition %s does not exist  in table%s", p, t.Name)
			}
		}
		part := restricted(t, ref.Partitions)
		meta.Tables = append(meta.Tables, part)
		c.info.TableCommitSeqs[t.ID] = m.barrier(db, t)
		if err := m.captureTable(c, part); err != nil {
			return err
		}
	}
	limit, err := strconv.Atoi(m.core.FEConfig("max_backup_tablets_per_job"))
	if err == nil && len(c.tasks) > limit {
		return failf("the num involved tablets %d exceeds the limit %d, which might cause the FE OOM, change config `max_backup_tablets_per_job` to change this limitation", len(c.tasks), limit)
	}
	c.meta, err = encodeMeta(meta)
	w.captured = c
	return err
}

func (m *Manager) newJobInfo(j *job) *jobInfo {
	major, minor, patch := m.core.Version().Release()
	return &jobInfo{
		Name: j.label, Database: j.backup.dbName, ID: j.dbID, BackupTime: j.created.UnixMilli(), Content: j.backup.content,
		Tables: map[string]*tableInfo{}, Result: "succeed", MetaVersion: m.core.MetaVersion(),
		Others:       otherObjects{Views: []viewInfo{}, OdbcTables: []odbcTable{}, OdbcResources: []odbcResource{}},
		MajorVersion: major, MinorVersion: minor, PatchVersion: patch,
		TabletBackends: map[int64]int64{}, TabletPaths: map[int64]string{}, TableCommitSeqs: map[int64]int64{},
		Aliases: map[string]string{},
	}
}

func (m *Manager) barrier(db *catalog.Database, t *catalog.Table) int64 {
	return m.core.Record(core.Event{DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeBarrier, Payload: func(int64) any {
		return payload.Barrier{DBID: db.ID, DBName: db.Name, TableID: t.ID, TableName: t.Name}
	}})
}

// captureTable adds the table's part of job_info and a task for each tablet.
func (m *Manager) captureTable(c *capture, t *catalog.Table) error {
	info := &tableInfo{ID: t.ID, Partitions: map[string]*partitionInfo{}}
	for name, p := range t.Partitions {
		part := &partitionInfo{ID: p.ID, Version: p.VisibleVersion, Indexes: map[string]*indexInfo{}}
		for id, idx := range t.Indexes {
			index := &indexInfo{ID: id, SchemaHash: idx.Schema.Hash, Tablets: map[int64][]string{}, TabletsOrder: []int64{}}
			for _, tablet := range p.Tablets[id] {
				index.TabletsOrder = append(index.TabletsOrder, tablet.ID)
				hosts := m.readable(tablet, p.VisibleVersion)
				if len(hosts) == 0 {
					return failf("failed to choose replica to make snapshot for tablet %d. visible version: %d", tablet.ID, p.VisibleVersion)
				}
				c.tasks = append(c.tasks, snapshotTask{tablet: tablet.ID, version: p.VisibleVersion, backends: hosts, files: index.Tablets})
			}
			part.Indexes[indexName(t, idx)] = index
		}
		info.Partitions[name] = part
	}
	c.info.Tables[t.Name] = info
	return nil
}

// readable lists the backends whose replica has the version, lowest replica id
// first.
func (m *Manager) readable(t *catalog.Tablet, version int64) []int64 {
	alive := map[int64]bool{}
	for _, b := range m.core.Backends() {
		alive[b.ID] = b.Alive
	}
	replicas := slices.SortedFunc(slices.Values(t.Replicas), func(a, b *catalog.Replica) int { return cmp.Compare(a.ID, b.ID) })
	var hosts []int64
	for _, r := range replicas {
		if alive[r.BackendID] && r.CanRead(version) {
			hosts = append(hosts, r.BackendID)
		}
	}
	return hosts
}

// indexName is the base index' name as everybody else sees it: the table's.
func indexName(t *catalog.Table, idx *catalog.Index) string {
	if idx.ID == t.BaseIndexID {
		return t.Name
	}
	return idx.Name
}

// makeSnapshots freezes every tablet on one backend.
func (m *Manager) makeSnapshots(ctx context.Context, j *job) error {
	c := j.backup.captured
	unfinished := make([]string, len(c.tasks))
	for i, task := range c.tasks {
		unfinished[i] = fmt.Sprintf("%d=%d", task.tablet, task.backends[0])
	}
	j.setTasks(strings.Join(unfinished, ", "))
	for _, task := range c.tasks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.makeSnapshot(c, task, j.timeout); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) makeSnapshot(c *capture, task snapshotTask, timeout time.Duration) error {
	var last error
	for _, host := range task.backends {
		tasks, ok := m.core.Backend(host)
		if !ok {
			continue
		}
		root, files, err := tasks.MakeSnapshot(task.tablet, task.version, timeout)
		if err != nil {
			last = err
			continue
		}
		c.roots = append(c.roots, snapshotRoot{backend: host, root: root})
		c.info.TabletBackends[task.tablet] = host
		c.info.TabletPaths[task.tablet] = root
		task.files[task.tablet] = files
		return nil
	}
	switch {
	case errors.Is(last, be.ErrTabletMissing):
		return failf("make snapshot failed, failed to ge tablet, table will be droped or truncated")
	case errors.Is(last, be.ErrVersionMissing), errors.Is(last, be.ErrVersionMerged):
		return &failure{code: "OLAP_VERSION_ALREADY_MERGED", text: "make snapshot failed, version already merged"}
	}
	return failf("make snapshot failed, %v", last)
}

// publishSnapshot makes the finished backup available under its label.
func (m *Manager) publishSnapshot(j *job) error {
	c := j.backup.captured
	text, err := json.Marshal(c.info)
	if err != nil {
		return fmt.Errorf("encode job info: %w", err)
	}
	if err := j.pointOfNoReturn(); err != nil {
		return err
	}
	m.register(&localSnapshot{job: j, frontend: m.core.Master(), locations: c.roots, snapshot: Snapshot{
		Label: j.label, Meta: c.meta, JobInfo: text, ExpiredAt: j.created.Add(j.timeout), CommitSeq: c.commitSeq,
	}})
	return nil
}
