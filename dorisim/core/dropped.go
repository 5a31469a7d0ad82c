package core

import (
	"encoding/json"
	"maps"
	"strconv"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// Dropped are the ids that binlogs in the db list removed, with the commit seq
// of the removal (doris-binlogs.md 1.8).
type Dropped struct{ Partitions, Tables, Indexes map[int64]int64 }

type droppedResources struct{ Dropped }

// Dropped returns the dropped resources of a database. It needs no lock.
func (c *Core) Dropped(db int64) Dropped {
	c.binlogs.mu.RLock()
	defer c.binlogs.mu.RUnlock()
	logs, ok := c.binlogs.dbs[db]
	if !ok {
		return Dropped{}
	}
	d := logs.dropped.Dropped
	return Dropped{maps.Clone(d.Partitions), maps.Clone(d.Tables), maps.Clone(d.Indexes)}
}

// removal has the fields of all payloads that remove something
// (doris-binlogs.md 2.5, 2.6, 2.7, 2.14, 2.15, 2.20, 2.24, 2.25).
type removal struct {
	PartitionID     int64             `json:"pid"`
	IsTempPartition bool              `json:"isTempPartition"`
	TableID         int64             `json:"tableId"`
	Truncated       map[string]string `json:"op"`
	JobType         string            `json:"type"`
	JobState        string            `json:"jobState"`
	ShadowToOrigin  map[string]int64  `json:"iim"`
	IndexID         int64             `json:"indexId"`
	OriginTableID   int64             `json:"origTblId"`
	SwapTable       bool              `json:"swapTable"`
	Replaced        []int64           `json:"replacedPartitionIds"`
	RecoveredPartID int64             `json:"partitionId"`
	WrappedType     binlog.Type       `json:"binlogType"`
	Wrapped         string            `json:"binlog"`
}

// note updates the lists for a new binlog.
func (d *droppedResources) note(b *Binlog) { d.apply(b.CommitSeq, b.Type, b.Data) }

func (d *droppedResources) apply(seq int64, kind binlog.Type, data string) {
	switch kind {
	case binlog.TypeDropPartition, binlog.TypeTruncateTable, binlog.TypeDropTable, binlog.TypeAlterJob, binlog.TypeDropRollup,
		binlog.TypeReplaceTable, binlog.TypeReplacePartitions, binlog.TypeRecoverInfo, binlog.TypeBarrier:
	default:
		return
	}
	var r removal
	if json.Unmarshal([]byte(data), &r) != nil {
		return
	}
	switch kind {
	case binlog.TypeDropPartition:
		put(&d.Partitions, r.PartitionID, seq)
	case binlog.TypeTruncateTable:
		for id := range r.Truncated {
			if n, err := strconv.ParseInt(id, 10, 64); err == nil {
				put(&d.Partitions, n, seq)
			}
		}
	case binlog.TypeDropTable:
		put(&d.Tables, r.TableID, seq)
	case binlog.TypeAlterJob:
		if r.JobType == "SCHEMA_CHANGE" && r.JobState == "FINISHED" {
			for _, origin := range r.ShadowToOrigin {
				put(&d.Indexes, origin, seq)
			}
		}
	case binlog.TypeDropRollup:
		put(&d.Indexes, r.IndexID, seq)
	case binlog.TypeReplaceTable:
		if !r.SwapTable {
			put(&d.Tables, r.OriginTableID, seq)
		}
	case binlog.TypeReplacePartitions:
		for _, id := range r.Replaced {
			put(&d.Partitions, id, seq)
		}
	case binlog.TypeRecoverInfo:
		if r.RecoveredPartID > 0 {
			delete(d.Partitions, r.RecoveredPartID)
		} else {
			delete(d.Tables, r.TableID)
		}
	case binlog.TypeBarrier:
		if r.Wrapped != "" && r.WrappedType != binlog.TypeBarrier {
			d.apply(seq, r.WrappedType, r.Wrapped)
		}
	}
}

func put(m *map[int64]int64, id, seq int64) {
	if id <= 0 {
		return
	}
	if *m == nil {
		*m = map[int64]int64{}
	}
	(*m)[id] = seq
}

// trim forgets what was dropped at or before the GC position.
func (d *droppedResources) trim(seq int64) {
	for _, m := range []map[int64]int64{d.Partitions, d.Tables, d.Indexes} {
		maps.DeleteFunc(m, func(_, at int64) bool { return at <= seq })
	}
}
