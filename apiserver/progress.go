package apiserver

import (
	"errors"
	"maps"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

type progressReply struct {
	base
	JobProgress progressObject `json:"job_progress"`
}

// progressObject has the keys of http-api.md 3.12. The counters of syncs and
// partial_sync_info are more than it asks for: nobody is to be surprised by a
// full sync.
type progressObject struct {
	JobName          string       `json:"job_name"`
	SyncState        int          `json:"sync_state"`
	SubSyncState     subSyncState `json:"sub_sync_state"`
	JobSyncID        int64        `json:"job_sync_id"`
	PrevCommitSeq    int64        `json:"prev_commit_seq"`
	CommitSeq        int64        `json:"commit_seq"`
	LastCommitSeq    int64        `json:"last_commit_seq"`
	UnknownCommitSeq int64        `json:"unknown_commit_seq"`

	TableMapping          map[int64]int64   `json:"table_mapping"`
	TableNameMapping      map[int64]string  `json:"table_name_mapping"`
	TableCommitSeqMap     map[int64]int64   `json:"table_commit_seq_map"`
	PartitionCommitSeqMap map[int64]int64   `json:"partition_commit_seq_map"`
	Data                  string            `json:"data"` // always empty in this reply
	PartialSyncData       *partialSyncData  `json:"partial_sync_data"`
	TableAliases          map[string]string `json:"table_aliases"`
	PrevTxnID             int64             `json:"prev_txn_id"`
	ShadowIndexMap        map[int64]int64   `json:"shadow_index_map"`

	// Unix seconds, 0 for what has not happened.
	CreatedAt              int64 `json:"created_at"`
	FullSyncStartAt        int64 `json:"full_sync_start_at"`
	PartialSyncStartAt     int64 `json:"partial_sync_start_at"`
	IncrementalSyncStartAt int64 `json:"incremental_sync_start_at"`
	IngestBinlogAt         int64 `json:"ingest_binlog_at"`

	// How many there were, the job's first full sync included.
	FullSyncs    int `json:"full_syncs"`
	PartialSyncs int `json:"partial_syncs"`

	FullSyncInfo fullSyncInfo `json:"full_sync_info"`
	// PartialSyncInfo is null before the first partial sync.
	PartialSyncInfo *partialSyncInfo `json:"partial_sync_info"`
}

type partialSyncData struct {
	TableID      int64    `json:"table_id"`
	Table        string   `json:"table"`
	IsView       bool     `json:"is_view"`
	PartitionIDs []int64  `json:"partition_ids"`
	Partitions   []string `json:"partitions"`
}

type fullSyncInfo struct {
	PrevCommitSeq int64        `json:"prev_commit_seq"`
	CommitSeq     int64        `json:"commit_seq"`
	SubSyncState  subSyncState `json:"sub_sync_state"`
	Info          string       `json:"info"`
}

// partialSyncInfo is the counterpart of fullSyncInfo for the last partial sync.
type partialSyncInfo struct {
	PrevCommitSeq int64  `json:"prev_commit_seq"`
	CommitSeq     int64  `json:"commit_seq"`
	Table         string `json:"table"`
	Info          string `json:"info"`
}

// subSyncState is the interface's number of a step within a state.
type subSyncState struct {
	State      int `json:"state"`
	BinlogType int `json:"binlog_type"`
}

// Those numbers of http-api.md 3.12 that our phases have a counterpart for.
const (
	subDone                = -1
	subBeginCreateSnapshot = 0
	subRestoreSnapshot     = 3
	subPersistRestoreInfo  = 4

	noBinlogType = -1
)

// handleJobProgress answers /job_progress. On a failure after the job was found
// the object is there with zero values.
func (s *Server) handleJobProgress(c echo.Context, request nameRequest) (any, error) {
	p, err := question(s, c, "progress", request.Name, s.jobs.progress)
	if err != nil && !errors.Is(err, errUnknownJob) {
		return progressReply{base: failure(err)}, nil
	}
	return progressReply{base{Success: true}, newProgress(request.Name, p)}, err
}

// namedShadows leaves out the rollups whose indexes are not known (job.Progress).
func namedShadows(shadows map[int64]int64) map[int64]int64 {
	named := maps.Clone(shadows)
	maps.DeleteFunc(named, func(id, _ int64) bool { return id < 0 })
	return named
}

func newProgress(name string, p progressNow) progressObject {
	o := progressObject{
		JobName:                name,
		SyncState:              int(p.State),
		SubSyncState:           subSyncState{subState(p.Phase), noBinlogType},
		JobSyncID:              p.Epoch,
		PrevCommitSeq:          p.Position.CommitSeq,
		CommitSeq:              p.Position.CommitSeq,
		LastCommitSeq:          p.tried,
		TableMapping:           make(map[int64]int64, len(p.Tables)),
		TableNameMapping:       make(map[int64]string, len(p.Tables)),
		PartitionCommitSeqMap:  p.Partitions,
		PrevTxnID:              p.Position.TxnID,
		ShadowIndexMap:         namedShadows(p.ShadowIndexes),
		CreatedAt:              unixSeconds(p.CreatedAt),
		FullSyncStartAt:        unixSeconds(p.FullSyncStartedAt),
		PartialSyncStartAt:     unixSeconds(p.PartialSyncStartedAt),
		IncrementalSyncStartAt: unixSeconds(p.IncrementalSyncStartAt),
		IngestBinlogAt:         max(p.Position.Timestamp, 0) / 1000,
		FullSyncs:              p.FullSyncs,
		PartialSyncs:           p.PartialSyncs,
		FullSyncInfo: fullSyncInfo{
			PrevCommitSeq: p.FullSyncInfo.CommitSeq,
			CommitSeq:     p.FullSyncInfo.CommitSeq,
			SubSyncState:  subSyncState{subBeginCreateSnapshot, noBinlogType},
			Info:          p.FullSyncInfo.Info,
		},
		PartialSyncInfo: newPartialSyncInfo(p.PartialSyncInfo),
	}
	if p.Pending != nil {
		o.CommitSeq = p.Pending.CommitSeq
		o.SubSyncState.BinlogType = int(p.Pending.Type)
	}
	for id, t := range p.Tables {
		o.TableMapping[id] = t.DestID
		o.TableNameMapping[id] = t.Name
		if seq := t.SeqOrGone(); seq != 0 {
			if o.TableCommitSeqMap == nil {
				o.TableCommitSeqMap = map[int64]int64{}
			}
			o.TableCommitSeqMap[id] = seq
		}
	}
	if snapshot := p.Snapshot; snapshot != nil {
		o.TableAliases = snapshot.Aliases
		o.PartialSyncData = newPartialSyncData(snapshot.Partial)
	}
	return o
}

func newPartialSyncInfo(i job.PartialSyncInfo) *partialSyncInfo {
	if i == (job.PartialSyncInfo{}) {
		return nil
	}
	return &partialSyncInfo{PrevCommitSeq: i.CommitSeq, CommitSeq: i.CommitSeq, Table: i.Table, Info: i.Info}
}

func newPartialSyncData(p *job.PartialSync) *partialSyncData {
	if p == nil {
		return nil
	}
	return &partialSyncData{
		TableID: p.TableID, Table: p.Table, IsView: p.View,
		PartitionIDs: []int64{}, Partitions: append([]string{}, p.Partitions...),
	}
}

func subState(phase job.Phase) int {
	switch phase {
	case job.PhaseCheck, job.PhaseTakeSnapshot:
		return subBeginCreateSnapshot
	case job.PhaseRestore:
		return subRestoreSnapshot
	case job.PhaseFinishSnapshot:
		return subPersistRestoreInfo
	}
	return subDone
}

func unixSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
