package backup

import (
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// switchMeta makes the restored objects usable (doris-sql.md 4.9).
func (m *Manager) switchMeta(j *job, moved map[*catalog.Replica]bool) error {
	m.core.Lock()
	defer m.core.Unlock()
	db, ok := m.core.DatabaseByID(j.dbID)
	if !ok {
		return notFoundf("database %d does not exist", j.dbID)
	}
	w := j.restore
	for _, p := range w.plan.tables {
		m.settleTable(w, p, moved)
		if p.mode == replaceTable {
			m.swap(db, p)
		}
		p.table.State = catalog.StateNormal
		m.core.SyncTabletSettings(p.table)
	}
	for _, v := range w.plan.views {
		db.Tables[v.view.Name] = v.view
	}
	if w.options.cleanTables {
		m.cleanTables(w, db)
	}
	m.core.NextJournal()
	return nil
}

// settleTable gives the partitions the snapshot's versions and the table the
// properties of a synced one.
func (m *Manager) settleTable(w *restoreWork, p *tablePlan, moved map[*catalog.Replica]bool) {
	now := m.core.Now()
	for _, part := range p.parts {
		local := part.local
		local.VisibleVersion, local.NextVersion, local.VisibleTime = part.version, part.version+1, now
		local.State = catalog.StateNormal
		if part.added {
			p.table.Partitions[local.Name] = local
		}
		for _, pair := range part.pairs {
			for _, r := range pair.local.Replicas {
				if moved[r] {
					r.Version, r.LastFailed = part.version, 0
				} else {
					m.core.MarkBad(pair.local.ID, r, part.version)
				}
			}
		}
	}
	if w.options.syncing {
		p.table.Properties["is_being_synced"] = "true"
		delete(p.table.Properties, "storage_policy")
		delete(p.table.Properties, "colocate_with")
	}
	if w.options.cleanPartitions && p.mode == inPlace {
		for name, local := range p.table.Partitions {
			if !slices.ContainsFunc(p.parts, func(x *partitionPlan) bool { return x.local == local }) {
				delete(p.table.Partitions, name)
				m.core.RecyclePartition(p.table, local)
			}
		}
	}
}

// swap lets the new table take the place of the old one, which is erased.
func (m *Manager) swap(db *catalog.Database, p *tablePlan) {
	delete(db.Tables, p.table.Name)
	m.core.DropTable(p.old)
	p.table.Name = p.name
	p.table.Indexes[p.table.BaseIndexID].Name = p.name
	db.Tables[p.name] = p.table
}

// droppedTable is the payload of DROP_TABLE (doris-binlogs.md 2.6).
type droppedTable struct {
	CommitSeq int64  `json:"commitSeq"`
	DBID      int64  `json:"dbId"`
	TableID   int64  `json:"tableId"`
	TableName string `json:"tableName"`
	IsView    bool   `json:"isView"`
	RawSQL    string `json:"rawSql"`
}

// cleanTables drops local tables and views that are not in the job. As in every
// Doris version it compares with the job's original names, so that a table
// restored under an alias counts as foreign (doris-sql.md 4.9).
func (m *Manager) cleanTables(w *restoreWork, db *catalog.Database) {
	for name, t := range db.Tables {
		if slices.ContainsFunc(w.meta.Tables, func(s *catalog.Table) bool { return s.Name == name }) {
			continue
		}
		delete(db.Tables, name)
		m.core.RecycleTable(t)
		kind := "TABLE"
		if t.Kind == catalog.View {
			kind = "VIEW"
		}
		m.core.Record(core.Event{DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeDropTable, Payload: func(seq int64) any {
			return droppedTable{CommitSeq: seq, DBID: db.ID, TableID: t.ID, TableName: name, IsView: t.Kind == catalog.View,
				RawSQL: fmt.Sprintf("DROP %s IF EXISTS `%s`", kind, name)}
		}})
	}
}

// undo removes what a cancelled restore has prepared (doris-sql.md 4.10).
func (m *Manager) undo(j *job) {
	for _, b := range m.core.Backends() {
		if tasks, ok := m.core.Backend(b.ID); ok {
			tasks.Discard(j.id)
		}
	}
	m.core.Lock()
	defer m.core.Unlock()
	if j.restore.plan == nil {
		return
	}
	db, ok := m.core.DatabaseByID(j.dbID)
	if !ok {
		return
	}
	for _, p := range j.restore.plan.tables {
		m.undoTable(db, p)
	}
}

func (m *Manager) undoTable(db *catalog.Database, p *tablePlan) {
	if p.old != nil {
		if p.mode == inPlace {
			p.old.State = catalog.StateNormal
		}
		p.old.InAtomicRestore = false
		for _, local := range p.old.Partitions {
			local.State = catalog.StateNormal
		}
	}
	if p.mode != inPlace {
		if p.table != nil {
			if db.Tables[p.table.Name] == p.table {
				delete(db.Tables, p.table.Name)
			}
			m.core.DropTable(p.table)
		}
		return
	}
	for _, part := range p.parts {
		if part.added {
			m.core.DropPartition(part.local)
		}
	}
}
