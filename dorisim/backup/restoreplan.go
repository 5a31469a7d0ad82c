package backup

import (
	"fmt"
	"maps"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

// atomicPrefix begins the hidden name of a table that an atomic restore makes.
const atomicPrefix = "__doris_atomic_restore_prefix__"

// mode says how a table is restored.
type mode int

const (
	createTable  mode = iota // the name is free
	inPlace                  // over the existing table (doris-sql.md 4.7)
	replaceTable             // beside the existing table, swapped at the end (4.8)
)

// plan is what a restore has prepared: the objects it makes and marks.
type plan struct {
	tables []*tablePlan
	views  []*viewPlan
}

// tablePlan is one OLAP table of a restore.
type tablePlan struct {
	source *catalog.Table
	info   *tableInfo
	mode   mode
	name   string         // final name
	old    *catalog.Table // the existing table, for inPlace and replaceTable
	table  *catalog.Table // the table that receives the data
	parts  []*partitionPlan
}

// partitionPlan is one partition that receives data.
type partitionPlan struct {
	source  *catalog.Partition
	info    *partitionInfo
	local   *catalog.Partition
	added   bool // a new partition of an existing table, added at commit
	pairs   []tabletPair
	version int64
}

// tabletPair is a local tablet and the one whose data it receives.
type tabletPair struct {
	local  *catalog.Tablet
	remote int64
	hash   int32
}

// viewPlan is a view or ODBC table to make; old is the one it replaces, if any.
type viewPlan struct {
	view *catalog.Table
	old  *catalog.Table
}

// prepare checks the job against the database (doris-sql.md 4.6) and makes what
// is new. What it made is in the plan even if it fails.
func (m *Manager) prepare(j *job) error {
	w := j.restore
	w.plan = &plan{}
	j.number(m.core.NextID())
	m.core.Lock()
	defer m.core.Unlock()
	db, ok := m.core.DatabaseByID(j.dbID)
	if !ok {
		return notFoundf("database %d does not exist", j.dbID)
	}
	tables, views, odbc := w.split()
	if err := w.checkKinds(m.core, db, tables, slices.Concat(views, odbc)); err != nil {
		return err
	}
	for _, t := range tables {
		if err := w.planTable(db, t); err != nil {
			return err
		}
	}
	for _, v := range views {
		if err := w.planView(m.core, db, v); err != nil {
			return err
		}
	}
	for _, t := range odbc {
		if err := w.planOdbc(m.core, db, t); err != nil {
			return err
		}
	}
	w.mark()
	for _, p := range w.plan.tables {
		if err := m.makeTable(w, db, p); err != nil {
			return err
		}
	}
	return nil
}

func (w *restoreWork) split() (tables, views, odbc []*catalog.Table) {
	for _, t := range w.meta.Tables {
		switch t.Kind {
		case catalog.View:
			views = append(views, t)
		case catalog.ODBC:
			odbc = append(odbc, t)
		default:
			tables = append(tables, t)
		}
	}
	return tables, views, odbc
}

// checkKinds is checks 2 to 6 of doris-sql.md 4.6.
func (w *restoreWork) checkKinds(c *core.Core, db *catalog.Database, tables, others []*catalog.Table) error {
	for _, t := range tables {
		name := w.target(t.Name)
		local, ok := db.Tables[name]
		switch {
		case !ok:
		case local.Kind != catalog.OLAP:
			verb := "retore" // so in all versions but the newest
			if c.Version() == core.VersionNew {
				verb = "restore"
			}
			return failf("Only support %s OLAP table: %s", verb, name)
		case local.State != "" && local.State != catalog.StateNormal:
			return failf("Table %s's state is not NORMAL: %s", name, local.State)
		case c.Version() == core.VersionNew && local.Properties["colocate_with"] != "":
			return failf("Not support to restore to local table %s with colocate group.", name)
		case len(local.Temporary) > 0:
			return failf("Do not support restoring table with temp partitions")
		case !w.options.atomic && c.Version() != core.VersionNew && c.HasCommitted(db.ID, local.ID):
			return failf("Table %s's has unfinished load job", name)
		}
	}
	for _, v := range others {
		name := w.target(v.Name)
		if local, ok := db.Tables[name]; ok && local.Kind != v.Kind {
			return failf("The local table %s with the same name but a different type of backup meta.", name)
		}
	}
	return nil
}

// planTable decides how a table is restored: checks 7 to 11.
func (w *restoreWork) planTable(db *catalog.Database, t *catalog.Table) error {
	info, ok := w.info.Tables[t.Name]
	if !ok {
		return notFoundf("table %s is not in the job info", t.Name)
	}
	p := &tablePlan{source: t, info: info, name: w.target(t.Name), mode: createTable}
	w.plan.tables = append(w.plan.tables, p)
	p.old = db.Tables[p.name]
	if p.old == nil {
		return nil
	}
	p.mode = inPlace
	if w.options.atomic {
		p.mode = replaceTable
	}
	if p.mode == replaceTable && w.options.force {
		return nil
	}
	shared := sharedPartitions(p.old, t)
	if signature(p.old, shared) != signature(t, shared) {
		return failf("Table %s already exist but with different schema", p.name)
	}
	return w.checkPartitions(p, shared)
}

// checkPartitions is checks 9 to 11.
func (w *restoreWork) checkPartitions(p *tablePlan, shared []string) error {
	for _, name := range slices.Sorted(slices.Values(shared)) {
		local, remote := p.old.Partitions[name], p.source.Partitions[name]
		if rangetext.ItemText(p.old, local.Item, false) != rangetext.ItemText(p.source, remote.Item, false) {
			return failf("Partition %s in table %s has different partition item with partition in repository", name, p.name)
		}
		if p.mode == inPlace && !w.options.reserveReplica && local.ReplicaNum != w.options.replicas {
			return failf("Partition %s in table %s has different replication num '%d' with partition in repository, which is %d", name, p.name, local.ReplicaNum, w.options.replicas)
		}
	}
	if p.mode != inPlace {
		return nil
	}
	for name, remote := range p.source.Partitions {
		if slices.Contains(shared, name) {
			continue
		}
		for _, local := range p.old.Partitions {
			if rangetext.Overlap(p.source, local.Item, remote.Item) {
				return failf("Partition %s in table %s has conflict partition item with existing items", name, p.name)
			}
		}
	}
	return nil
}

// planView is check 12; equal views are kept.
func (w *restoreWork) planView(c *core.Core, db *catalog.Database, v *catalog.Table) error {
	name := w.target(v.Name)
	old := db.Tables[name]
	if old != nil {
		if sameView(old, v, w.meta.Database, db.Name) {
			return nil
		}
		if !w.options.atomic || !w.options.force {
			return failf("View %s already exist but with different schema", name)
		}
	}
	view := *v
	view.ID, view.DBID, view.Name, view.Created = c.NextID(), db.ID, name, c.Now()
	view.ViewDefinition = viewDefinition(v, w.meta.Database, db.Name)
	w.plan.views = append(w.plan.views, &viewPlan{view: &view, old: old})
	return nil
}

// mark protects the existing tables while the restore runs (doris-sql.md 4.6).
func (w *restoreWork) mark() {
	for _, p := range w.plan.tables {
		switch p.mode {
		case inPlace:
			p.old.State = catalog.StateRestore
			for name := range p.source.Partitions {
				if local, ok := p.old.Partitions[name]; ok {
					local.State = catalog.StateRestore
				}
			}
		case replaceTable:
			p.old.InAtomicRestore = true
		}
	}
}

// makeTable makes the new table, or the missing partitions of the existing one,
// and pairs tablets by index name and bucket position.
func (m *Manager) makeTable(w *restoreWork, db *catalog.Database, p *tablePlan) error {
	if p.mode == inPlace {
		p.table = p.old
	} else {
		p.table = m.newTable(w, db, p)
		if _, taken := db.Tables[p.table.Name]; taken {
			return failf("Table %s already exist in db: %s", p.table.Name, db.Name)
		}
		db.Tables[p.table.Name] = p.table
	}
	for _, name := range slices.Sorted(maps.Keys(p.source.Partitions)) {
		remote, info := p.source.Partitions[name], p.info.Partitions[name]
		if info == nil {
			return notFoundf("partition %s of table %s is not in the job info", name, p.source.Name)
		}
		if err := m.makePartition(w, p, remote, info); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) makePartition(w *restoreWork, p *tablePlan, remote *catalog.Partition, info *partitionInfo) error {
	part := &partitionPlan{source: remote, info: info, version: info.Version}
	name := remote.Name
	if p.source.Partitioning.Kind == catalog.Unpartitioned {
		name = p.name
	}
	local, ok := p.table.Partitions[remote.Name]
	if !ok || p.mode != inPlace {
		replicas := w.options.replicas
		if w.options.reserveReplica {
			replicas = remote.ReplicaNum
		}
		made, err := m.core.NewPartition(p.table, name, remote.Item, remote.Distribution, replicas)
		if err != nil {
			return failf("Failed to find enough backend, please check the replication num,replication tag and storage medium.")
		}
		made.Properties = maps.Clone(remote.Properties)
		local, part.added = made, p.mode == inPlace
		if !part.added {
			p.table.Partitions[made.Name] = made
		}
	}
	part.local = local
	p.parts = append(p.parts, part)
	return part.pair(p)
}

// pair matches tablets by index name and bucket position.
func (part *partitionPlan) pair(p *tablePlan) error {
	for id, tablets := range part.local.Tablets {
		idx, ok := p.table.Indexes[id]
		if !ok || idx.State == catalog.IndexShadow {
			continue
		}
		name := idx.Name
		if id == p.table.BaseIndexID {
			name = p.source.Name
		}
		remote, ok := part.info.Indexes[name]
		if !ok {
			return failf("failed to get schema hash of table: %s, partition: %s, index: %s", p.source.Name, part.source.Name, name)
		}
		order := remote.TabletsOrder
		if len(order) == 0 {
			order = slices.Sorted(maps.Keys(remote.Tablets))
		}
		if len(order) != len(tablets) {
			return failf("tablets of table %s, partition %s, index %s: %d in the snapshot, %d locally", p.source.Name, part.source.Name, name, len(order), len(tablets))
		}
		for i, tablet := range tablets {
			part.pairs = append(part.pairs, tabletPair{local: tablet, remote: order[i], hash: remote.SchemaHash})
		}
	}
	return nil
}

// newTable copies the snapshot's table with fresh ids (doris-sql.md 4.9).
func (m *Manager) newTable(w *restoreWork, db *catalog.Database, p *tablePlan) *catalog.Table {
	t := *p.source
	t.ID, t.DBID, t.Created = m.core.NextID(), db.ID, m.core.Now()
	t.Name, t.State, t.InAtomicRestore = p.name, catalog.StateRestore, false
	if p.mode == replaceTable {
		t.Name = atomicPrefix + p.name
	}
	t.Partitions, t.Temporary = map[string]*catalog.Partition{}, map[string]*catalog.Partition{}
	t.Indexes = map[int64]*catalog.Index{}
	for _, idx := range core.SortedIndexes(p.source) {
		fresh := *idx
		fresh.ID = m.core.NextID()
		if idx.ID == p.source.BaseIndexID {
			t.BaseIndexID, fresh.Name = fresh.ID, t.Name
		}
		t.Indexes[fresh.ID] = &fresh
	}
	t.Secondary = slices.Clone(p.source.Secondary)
	if m.core.FEConfig("restore_reset_index_id") == "true" {
		for i := range t.Secondary {
			t.Secondary[i].ID = m.core.NextID()
		}
	}
	t.Properties = maps.Clone(p.source.Properties)
	if t.Properties == nil {
		t.Properties = map[string]string{}
	}
	if !w.options.reserveReplica {
		t.ReplicaNum = w.options.replicas
		t.Properties["replication_allocation"] = fmt.Sprintf("tag.location.default: %d", w.options.replicas)
	}
	if _, dynamic := t.Properties["dynamic_partition.enable"]; dynamic && !w.options.reserveDynamic {
		t.Properties["dynamic_partition.enable"] = "false"
	}
	return &t
}
