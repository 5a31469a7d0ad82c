package alter

import (
	"strconv"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// jobPayload is the record of a job's state (doris-binlogs.md 2.7). The rollup
// fields belong to `new`.
type jobPayload struct {
	Type      Kind             `json:"type"`
	DBID      int64            `json:"dbId"`
	TableID   int64            `json:"tableId"`
	TableName string           `json:"tableName"`
	JobID     int64            `json:"jobId"`
	JobState  State            `json:"jobState"`
	RawSQL    *string          `json:"rawSql,omitempty"`
	Shadows   map[string]int64 `json:"iim,omitempty"`

	RollupID   int64  `json:"rollupIndexId,omitempty"`
	RollupName string `json:"rollUpIndexName,omitempty"`
	BaseID     int64  `json:"baseIndexid,omitempty"`
	BaseName   string `json:"baseIndexName,omitempty"`
}

// record writes the binlog of the job's state. It needs core's lock.
func (m *Manager) record(j *Job) {
	p := jobPayload{
		Type: j.Kind, DBID: j.DB, TableID: j.Table, TableName: j.TableName, JobID: j.ID, JobState: j.State, RawSQL: &j.RawSQL,
	}
	switch {
	case j.Kind == Rollup && m.core.Version() == core.VersionM24:
		p.RawSQL = nil
	case j.Kind == SchemaChange:
		p.Shadows = make(map[string]int64, len(j.Indexes))
		for _, n := range j.Indexes {
			p.Shadows[strconv.FormatInt(n.Index.ID, 10)] = n.OriginID
		}
	case m.core.Version() == core.VersionNew:
		n := j.Indexes[0]
		p.RollupID, p.RollupName, p.BaseID, p.BaseName = n.Index.ID, n.Index.Name, n.OriginID, n.OriginName
	}
	m.core.Record(core.Event{DB: j.DB, Tables: []int64{j.Table}, Type: binlog.TypeAlterJob, Payload: func(int64) any { return p }})
}
