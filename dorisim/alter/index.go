package alter

import (
	"context"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// buildTimeout is printed into the binlogs of index builds.
const buildTimeout = 30 * 24 * time.Hour

// IndexJob builds inverted indexes for the rows of one partition, or drops their
// files (doris-binlogs.md 2.22). Its fields are guarded by core's metadata lock.
type IndexJob struct {
	ID, DB, Table  int64
	TableName      string
	Partition      int64
	PartitionName  string
	OriginIndex    int64
	State          State
	Msg            string
	Drop           bool
	Text           string // of the indexes, for SHOW BUILD INDEX
	Watershed      int64
	Created, Ended time.Time

	indexes any // as the binlog prints them
}

type indexJobPayload struct {
	JobID         int64    `json:"jobId"`
	JobState      State    `json:"jobState"`
	DBID          int64    `json:"dbId"`
	TableID       int64    `json:"tableId"`
	TableName     string   `json:"tableName"`
	PartitionID   int64    `json:"partitionId"`
	PartitionName string   `json:"partitionName"`
	ErrMsg        string   `json:"errMsg"`
	Created       int64    `json:"createTimeMs"`
	Finished      int64    `json:"finishedTimeMs"`
	Watershed     int64    `json:"watershedTxnId"`
	IsDrop        bool     `json:"isDropOp"`
	Indexes       any      `json:"alterInvertedIndexes"`
	OriginIndex   int64    `json:"originIndexId"`
	Tasks         struct{} `json:"invertedIndexBatchTask"`
	TimeoutMs     int64    `json:"timeoutMs"`
}

// BuildIndex starts one job a partition. text is what SHOW BUILD INDEX prints of
// the indexes, indexes what the binlogs do. It needs core's lock.
func (m *Manager) BuildIndex(t *catalog.Table, partitions []*catalog.Partition, drop bool, text string, indexes any) {
	for _, p := range partitions {
		j := &IndexJob{
			ID: m.core.NextID(), DB: t.DBID, Table: t.ID, TableName: t.Name, Partition: p.ID, PartitionName: p.Name,
			OriginIndex: t.BaseIndexID, State: WaitingTxn, Drop: drop, Text: text, Watershed: m.core.NextTxnID(),
			Created: m.core.Now(), indexes: indexes,
		}
		m.builds = append(m.builds, j)
		m.recordBuild(j)
		m.core.Go(func(ctx context.Context) { m.build(ctx, j) })
	}
}

// Builds returns the index builds of a database, oldest first. It needs core's
// read lock, also for reading the jobs.
func (m *Manager) Builds(db int64) []*IndexJob {
	return slices.DeleteFunc(slices.Clone(m.builds), func(j *IndexJob) bool { return j.DB != db })
}

// CancelBuilds ends the unfinished builds of the table; ids restricts them. It
// tells whether there were any. It needs core's lock.
func (m *Manager) CancelBuilds(t *catalog.Table, ids []int64) bool {
	found := false
	for _, j := range m.builds {
		if j.Table == t.ID && !j.State.final() && (len(ids) == 0 || slices.Contains(ids, j.ID)) {
			j.Msg = "user cancelled"
			m.enter(j, Cancelled)
			found = true
		}
	}
	return found
}

// build takes an index job through its states.
func (m *Manager) build(ctx context.Context, j *IndexJob) {
	if !m.stay(ctx, WaitingTxn) {
		return
	}
	for m.core.RunningBefore(j.DB, j.Table, j.Watershed) {
		if faults.Sleep(ctx, poll) != nil {
			return
		}
	}
	if !m.advance(j, Running) || !m.stay(ctx, Running) {
		return
	}
	m.buildTablets(j)
	m.advance(j, Finished)
}

// buildTablets makes, or removes, the index files of the job's partition. A
// backend that is down gets them when its tablets are repaired.
func (m *Manager) buildTablets(j *IndexJob) {
	m.core.RLock()
	defer m.core.RUnlock()
	_, t, ok := m.core.TableByID(j.Table)
	if !ok {
		return
	}
	for _, p := range core.Partitions(t) {
		if p.ID != j.Partition {
			continue
		}
		for _, tablets := range p.Tablets {
			for _, tablet := range tablets {
				for _, r := range tablet.Replicas {
					if tasks, ok := m.core.Backend(r.BackendID); ok {
						_ = tasks.BuildIndexes(tablet.ID)
					}
				}
			}
		}
	}
}

// advance enters the next state, unless the job has ended or what it works on
// is gone.
func (m *Manager) advance(j *IndexJob, to State) bool {
	m.core.Lock()
	defer m.core.Unlock()
	if j.State.final() {
		return false
	}
	_, t, ok := m.core.TableByID(j.Table)
	if !ok || !slices.ContainsFunc(core.Partitions(t), func(p *catalog.Partition) bool { return p.ID == j.Partition }) {
		j.Msg = "table or partition does not exist"
		m.enter(j, Cancelled)
		return false
	}
	m.enter(j, to)
	return true
}

func (m *Manager) enter(j *IndexJob, to State) {
	j.State = to
	if to.final() {
		j.Ended = m.core.Now()
	}
	m.recordBuild(j)
}

// recordBuild writes the binlog of the job's state. It needs core's lock.
func (m *Manager) recordBuild(j *IndexJob) {
	p := indexJobPayload{
		JobID: j.ID, JobState: j.State, DBID: j.DB, TableID: j.Table, TableName: j.TableName, PartitionID: j.Partition,
		PartitionName: j.PartitionName, ErrMsg: j.Msg, Created: j.Created.UnixMilli(), Finished: -1, Watershed: j.Watershed,
		IsDrop: j.Drop, Indexes: j.indexes, OriginIndex: j.OriginIndex, TimeoutMs: buildTimeout.Milliseconds(),
	}
	if !j.Ended.IsZero() {
		p.Finished = j.Ended.UnixMilli()
	}
	m.core.Record(core.Event{DB: j.DB, Tables: []int64{j.Table}, Type: binlog.TypeIndexChangeJob, Payload: func(int64) any { return p }})
}
