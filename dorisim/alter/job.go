// Package alter runs the asynchronous jobs of ALTER TABLE: schema changes that
// rewrite data into shadow indexes, rollups, and index builds. It writes their
// binlogs (doris-binlogs.md 2.7, 2.22) and remembers them for SHOW ALTER.
package alter

import (
	"context"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// Kind of a job, as its binlog spells it.
type Kind string

const (
	SchemaChange Kind = "SCHEMA_CHANGE"
	Rollup       Kind = "ROLLUP"
)

// State of a job as printed (doris-sql.md 5.6).
type State string

const (
	Pending    State = "PENDING"
	WaitingTxn State = "WAITING_TXN"
	Running    State = "RUNNING"
	Finished   State = "FINISHED"
	Cancelled  State = "CANCELLED"
)

func (s State) final() bool { return s == Finished || s == Cancelled }

// ShadowPrefix begins the names of the indexes that a schema change makes.
const ShadowPrefix = "__doris_shadow_"

// defaultTimeout after which real Doris gives a job up, unless the FE's
// configuration says another.
const defaultTimeout = 30 * 24 * time.Hour

// lightTimeout is what SHOW ALTER prints of changes that needed no job.
const lightTimeout = time.Second

func (m *Manager) timeout() time.Duration {
	if d, err := time.ParseDuration(m.core.FEConfig("alter_table_timeout_second") + "s"); err == nil {
		return d
	}
	return defaultTimeout
}

// Job is a schema change or a rollup. Its fields are guarded by core's metadata
// lock.
type Job struct {
	ID, DB, Table int64
	TableName     string // when the job was created
	Kind          Kind
	State         State
	RawSQL        string
	Msg           string
	Timeout       time.Duration
	Created       time.Time
	Finished      time.Time
	// Watershed is the first transaction that loads the new indexes.
	Watershed int64
	// Indexes are under construction: shadows, or the rollup.
	Indexes []NewIndex

	// apply changes the table at the moment the new indexes replace the old
	// ones.
	apply func(*catalog.Table)
}

// NewIndex is an index under construction and the one it is made from.
type NewIndex struct {
	Index      *catalog.Index
	OriginID   int64
	OriginName string
	// Convert turns rows of the origin into rows of Index.
	Convert func([]types.Row) (be.RowsetData, error)
}

// Manager runs the jobs of one cluster.
type Manager struct {
	core   *core.Core
	jobs   []*Job      // oldest first
	builds []*IndexJob // oldest first
}

// New returns a manager without jobs.
func New(c *core.Core) *Manager { return &Manager{core: c} }

// Request describes a job to submit.
type Request struct {
	Kind   Kind
	RawSQL string
	// Indexes to build; names, ids and the shadow state are given by Submit.
	Indexes []NewIndex
	Apply   func(*catalog.Table)
}

// Submit starts a job: it is PENDING, the table is in SCHEMA_CHANGE or ROLLUP.
// It needs core's lock.
func (m *Manager) Submit(t *catalog.Table, r Request) *Job {
	j := &Job{
		ID: m.core.NextID(), DB: t.DBID, Table: t.ID, TableName: t.Name, Kind: r.Kind, State: Pending, RawSQL: r.RawSQL,
		Timeout: m.timeout(), Created: m.core.Now(), Indexes: r.Indexes, apply: r.Apply,
	}
	for i := range j.Indexes {
		n := &j.Indexes[i]
		n.OriginName = t.Indexes[n.OriginID].Name
		n.Index.ID, n.Index.State = m.core.NextID(), catalog.IndexShadow
		if r.Kind == SchemaChange {
			n.Index.Name = ShadowPrefix + n.OriginName
		}
	}
	t.State = catalog.StateSchemaChange
	if r.Kind == Rollup {
		t.State = catalog.StateRollup
	}
	m.jobs = append(m.jobs, j)
	m.record(j)
	m.core.Go(func(ctx context.Context) { m.run(ctx, j) })
	return j
}

// AddFinished lists a change that needed no job (doris-sql.md 5.4: light ones
// are listed as FINISHED). It needs core's lock.
func (m *Manager) AddFinished(id int64, t *catalog.Table, indexes ...int64) {
	now := m.core.Now()
	j := &Job{ID: id, DB: t.DBID, Table: t.ID, TableName: t.Name, Kind: SchemaChange, State: Finished, Timeout: lightTimeout, Created: now, Finished: now}
	for _, index := range indexes {
		shown := *t.Indexes[index]
		j.Indexes = append(j.Indexes, NewIndex{Index: &shown, OriginID: index, OriginName: shown.Name})
	}
	m.jobs = append(m.jobs, j)
}

// Jobs returns the jobs of a database of that kind, oldest first. It needs
// core's read lock, also for reading the jobs.
func (m *Manager) Jobs(db int64, kind Kind) []*Job {
	var list []*Job
	for _, j := range m.jobs {
		if j.DB == db && j.Kind == kind {
			list = append(list, j)
		}
	}
	return list
}

// Cancel ends the unfinished jobs of the table of that kind; ids restricts them.
// It tells whether there were any. It needs core's lock.
func (m *Manager) Cancel(t *catalog.Table, kind Kind, ids []int64) bool {
	found := false
	for _, j := range m.jobs {
		if j.Table == t.ID && j.Kind == kind && !j.State.final() && (len(ids) == 0 || slices.Contains(ids, j.ID)) {
			m.cancel(j, "user cancelled")
			found = true
		}
	}
	return found
}

// cancel undoes what the job has made. It needs core's lock.
func (m *Manager) cancel(j *Job, reason string) {
	j.State, j.Msg, j.Finished = Cancelled, reason, m.core.Now()
	if t, ok := m.table(j); ok {
		for _, n := range j.Indexes {
			if _, made := t.Indexes[n.Index.ID]; made {
				m.core.DropIndexTablets(t, n.Index.ID)
				delete(t.Indexes, n.Index.ID)
			}
		}
		m.release(t)
	}
	m.record(j)
}

// release makes the table NORMAL when its last job has ended.
func (m *Manager) release(t *catalog.Table) {
	busy := slices.ContainsFunc(m.jobs, func(j *Job) bool { return j.Table == t.ID && !j.State.final() })
	if !busy && (t.State == catalog.StateSchemaChange || t.State == catalog.StateRollup) {
		t.State = catalog.StateNormal
	}
}

// table finds the job's table. It needs core's lock.
func (m *Manager) table(j *Job) (*catalog.Table, bool) {
	_, t, ok := m.core.TableByID(j.Table)
	return t, ok
}
