package importer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
)

// converted is a stored job in our words. Its spec has neither sealed passwords
// nor a UID yet.
type converted struct {
	spec      job.Spec
	progress  job.Progress
	passwords replication.Passwords
	// fresh is set for a job that has done nothing yet: it starts as a new one.
	fresh bool
	// following is set for a job that goes on at its position.
	following bool
	// busy is set when the job was in the middle of a transaction.
	busy  bool
	notes []string
}

func (c *converted) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// convert translates a stored job. An error says why it cannot be continued.
func convert(r row, now time.Time) (*converted, error) {
	var info storedJob
	if err := decodeStored("job_info", r.info, &info); err != nil {
		return nil, err
	}
	c := &converted{passwords: replication.Passwords{Source: info.Src.Password, Destination: info.Dest.Password}}
	if err := c.takeSpec(r.name, info); err != nil {
		return nil, err
	}
	if len(strings.TrimSpace(string(r.progress))) == 0 {
		c.fresh = true
		c.spec.CreatedAt = now
		c.note("it has no progress: it begins as a new job, with a full sync")
		return c, nil
	}
	var p storedProgress
	if err := decodeStored("progress", r.progress, &p); err != nil {
		return nil, err
	}
	if p.SyncState == nil {
		return nil, errors.New("its progress has no sync_state")
	}
	c.spec.CreatedAt = stored(p.CreatedAt, now)
	c.takeProgress(p, info.State == statePaused, now)
	if err := c.takeState(p, now); err != nil {
		return nil, err
	}
	return c, c.takeSkip(info.Extra, now)
}

const statePaused = 1

// stored is a time in unix seconds, or the other one if it is not set.
func stored(seconds int64, otherwise time.Time) time.Time {
	if seconds <= 0 {
		return otherwise
	}
	return time.Unix(seconds, 0).UTC()
}

func (c *converted) takeSpec(name string, info storedJob) error {
	if info.Name != "" && info.Name != name {
		return fmt.Errorf("its job_info is of another job, %q", info.Name)
	}
	c.spec = job.Spec{
		Name: name, Source: info.Src.cluster(), Destination: info.Dest.cluster(),
		ReuseBinlogLabel: info.Extra.ReuseBinlogLabel,
		ReplicationNum:   max(info.ReplicationNum, info.Extra.ReplicationNum, 0),
		// Its table is there, made by the job itself.
		AllowTableExists: info.Src.Table != "",
	}
	if err := c.spec.Validate(); err != nil {
		return err
	}
	if int(c.spec.Type()) != info.SyncType {
		return fmt.Errorf("its sync_type %d does not fit its tables %q and %q", info.SyncType, info.Src.Table, info.Dest.Table)
	}
	if info.SkipError {
		c.note("skip_error is not adopted: a binlog that cannot be applied stops the job, see job_skip_binlog")
	}
	return nil
}

func (s storedCluster) cluster() job.Cluster {
	c := job.Cluster{
		Host: s.Host, Port: int(s.Port), ThriftPort: int(s.ThriftPort), User: s.User, Cluster: s.Cluster,
		Database: s.Database, Table: s.Table, DatabaseID: s.DatabaseID, TableID: s.TableID,
	}
	c.MergeHostMapping(s.HostMapping)
	return c
}

// takeProgress adopts what does not depend on the state.
func (c *converted) takeProgress(p storedProgress, paused bool, now time.Time) {
	c.progress = job.Progress{
		Phase:                  job.PhaseStream,
		State:                  job.SyncState(*p.SyncState),
		Epoch:                  p.JobSyncID,
		Position:               job.Position{CommitSeq: p.PrevCommitSeq, TxnID: max(p.PrevTxnID, 0)},
		ShadowIndexes:          maps.Clone(p.ShadowIndexes),
		Paused:                 paused,
		FullSyncInfo:           job.FullSyncInfo{CommitSeq: p.FullSyncInfo.CommitSeq, Info: p.FullSyncInfo.Info},
		CreatedAt:              c.spec.CreatedAt,
		FullSyncStartedAt:      stored(p.FullSyncStart, time.Time{}),
		PartialSyncStartedAt:   stored(p.PartialSyncStart, time.Time{}),
		IncrementalSyncStartAt: stored(p.IncrementalStart, now),
	}
	if c.progress.Epoch <= 0 {
		c.progress.Epoch = c.spec.CreatedAt.Unix()
	}
	c.takeTables(p)
	if id := p.TableMapping[c.spec.Source.TableID]; c.spec.Type() == job.TableSync && id != 0 {
		c.spec.Destination.TableID = id
	}
	if paused {
		c.note("it stays paused")
	}
}

// takeTables joins the maps of tables. Which table a partition is of is not
// stored, so every table counts as one of which a snapshot has some partitions:
// that costs at most a snapshot too many.
func (c *converted) takeTables(p storedProgress) {
	filtered := *p.SyncState == int(job.DBTablesIncrementalSync) || *p.SyncState == int(job.DBPartialSync)
	partly := int64(0)
	for id, seq := range p.PartitionSeqs {
		if seq > p.PrevCommitSeq {
			if c.progress.Partitions == nil {
				c.progress.Partitions = map[int64]int64{}
			}
			c.progress.Partitions[id] = seq
			partly = max(partly, seq)
		}
	}
	ids := slices.Collect(maps.Keys(p.TableMapping))
	ids = slices.AppendSeq(ids, maps.Keys(p.TableNames))
	if filtered {
		ids = slices.AppendSeq(ids, maps.Keys(p.TableCommitSeqs))
	}
	if len(ids) == 0 {
		return
	}
	c.progress.Tables = make(map[int64]job.Table, len(ids))
	for _, id := range ids {
		t := job.Table{DestID: p.TableMapping[id], Name: p.TableNames[id], Partly: partly}
		if t.Name == "" && c.spec.Type() == job.TableSync && id == c.spec.Source.TableID {
			t.Name = c.spec.Source.Table
		}
		if filtered {
			t.CommitSeq = p.TableCommitSeqs[id]
		}
		c.progress.Tables[id] = t
	}
}

// takeState puts the job where it was: following binlogs, or at the beginning of
// the snapshot that it was in the middle of.
func (c *converted) takeState(p storedProgress, now time.Time) error {
	table := c.spec.Type() == job.TableSync
	switch state := job.SyncState(*p.SyncState); {
	case state == job.DBIncrementalSync && !table, state == job.DBTablesIncrementalSync && !table, state == job.TableIncrementalSync && table:
		if p.PrevCommitSeq <= 0 {
			return fmt.Errorf("it is in %s, but has no position (prev_commit_seq %d)", state, p.PrevCommitSeq)
		}
		c.following = true
		c.busy = p.SubSyncState.State != subDone || p.CommitSeq > p.PrevCommitSeq
	case state == job.DBFullSync && !table, state == job.TableFullSync && table:
		c.startFullSync(p.CommitSeq, now, "imported in the middle of a full sync")
	case *p.SyncState == dbSpecificTableFullSync && !table:
		c.startFullSync(p.CommitSeq, now, "imported in the middle of DBSpecificTableFullSync, which is no more")
	case state == job.DBPartialSync && !table, state == job.TablePartialSync && table:
		c.startPartialSync(p, now)
	case state.String() != "":
		return fmt.Errorf("its state %s is not one of a %s job", state, c.spec.Type())
	default:
		return fmt.Errorf("its sync_state %d is not known", *p.SyncState)
	}
	return nil
}

func (c *converted) startFullSync(at int64, now time.Time, reason string) {
	c.progress.StartFullSync(c.spec.Type(), now, at, reason)
	c.following = false
	c.note("%s: the full sync starts over", reason)
}

func (c *converted) startPartialSync(p storedProgress, now time.Time) {
	part := p.PartialSyncData
	if part == nil || part.TableID == 0 || part.Table == "" || p.PrevCommitSeq <= 0 {
		c.startFullSync(p.CommitSeq, now, "imported in the middle of a partial sync of which the table is not stored")
		return
	}
	reason := "imported in the middle of a partial sync"
	c.progress.StartPartialSync(c.spec.Type(), now, p.CommitSeq, job.PartialSync{
		TableID: part.TableID, Table: part.Table, View: part.IsView, Partitions: part.Partitions,
		Replace: len(part.Partitions) == 0 && !part.IsView,
	}, reason)
	c.note("%s: the snapshot of %s is taken again", reason, part.Table)
}

// takeSkip adopts a job_skip_binlog that was not carried out yet.
func (c *converted) takeSkip(e storedExtra, now time.Time) error {
	if !e.SkipBinlog {
		return nil
	}
	skip := job.SkipBinlog{SkipBy: e.SkipBy, SkipCommitSeq: e.SkipCommitSeq, SkipTable: e.SkipTable, SkipTableID: e.SkipTableID}
	if err := skip.Normalize(); err != nil {
		return fmt.Errorf("its pending job_skip_binlog cannot be carried out: %w", err)
	}
	at := c.progress.Position.CommitSeq
	switch {
	case !c.following:
		c.note("its pending job_skip_binlog %s is dropped: a snapshot starts over anyway", skip.SkipBy)
	case skip.SkipBy == job.SkipSilence && skip.SkipCommitSeq > at:
		c.progress.Skip = &skip
		c.note("its pending job_skip_binlog of commit seq %d is adopted", skip.SkipCommitSeq)
	case skip.SkipBy == job.SkipSilence:
		c.note("its pending job_skip_binlog of commit seq %d is dropped: the job has passed it", skip.SkipCommitSeq)
	case skip.SkipBy == job.SkipFullSync:
		c.startFullSync(at, now, fmt.Sprintf("the user required skipping the binlog, commit seq %d", at))
	default:
		c.progress.StartPartialSync(c.spec.Type(), now, at, job.PartialSync{TableID: skip.SkipTableID, Table: skip.SkipTable, Replace: true},
			fmt.Sprintf("the user required a snapshot of %s, commit seq %d", skip.SkipTable, at))
		c.following = false
		c.note("its pending job_skip_binlog is carried out: a snapshot of %s is taken", skip.SkipTable)
	}
	return nil
}
