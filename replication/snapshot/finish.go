package snapshot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// FinishSnapshot makes what was restored live: it swaps aliases in, reads the
// ids that the destination's tables have now, and works out where the binlogs go
// on (doris-binlogs.md 4.3, 4.5.6, 4.5.7). It may be repeated.
func (j *Job) FinishSnapshot(ctx context.Context, in job.StepInput) (job.SnapshotFinished, error) {
	snap := in.Progress.Snapshot
	if snap == nil || snap.Restored == nil {
		return job.SnapshotFinished{}, errors.New("finish a snapshot: none has been restored")
	}
	for _, name := range slices.Sorted(maps.Keys(snap.Aliases)) {
		if err := j.swapIn(ctx, name, snap.Aliases[name]); err != nil {
			return job.SnapshotFinished{}, err
		}
	}
	restored, err := j.findRestored(ctx, snap.Restored.Tables)
	var lost *lostTableError
	switch {
	case errors.As(err, &lost):
		return job.SnapshotFinished{Wanted: &job.SnapshotWanted{Retry: true, Reason: lost.Error()}}, nil
	case err != nil:
		return job.SnapshotFinished{}, err
	}
	if _, err := j.dropAliases(ctx, &in.Progress); err != nil {
		j.Log.Warn("tables left by interrupted snapshots could not be dropped", "error", err)
	}
	if snap.Partial == nil {
		if err := j.cleanTables(ctx, snap); err != nil {
			return job.SnapshotFinished{}, err
		}
		out := j.finishFull(&in.Progress, restored)
		out.Foreign = j.tellForeign(ctx, &in.Progress)
		return out, nil
	}
	if err := j.dropReplaced(ctx, in.Progress.Tables, restored); err != nil {
		return job.SnapshotFinished{}, err
	}
	return j.finishPartial(&in.Progress, restored), nil
}

// dropReplaced drops what a partial sync has replaced under another name: the
// source table was renamed, and the rename counts as contained in the snapshot.
func (j *Job) dropReplaced(ctx context.Context, before, restored map[int64]job.Table) error {
	for id, t := range restored {
		old := before[id].DestID
		if old == 0 || old == t.DestID || pair.StillMapped(before, id, old) {
			continue
		}
		table, _, err := j.Destination.TableByID(ctx, old)
		if err != nil {
			return err
		}
		if table == nil {
			continue // gone with the swap
		}
		if err := j.Destination.SQL.DropTable(ctx, j.Spec.Destination.Database, table.Name); err != nil {
			return fmt.Errorf("drop table %s, which was restored as %s: %w", table.Name, t.Name, err)
		}
	}
	return nil
}

// swapIn puts the table restored as alias in the place of the one called name.
// An alias that is not there has been swapped in already.
func (j *Job) swapIn(ctx context.Context, name, alias string) error {
	db := j.Spec.Destination.Database
	restored, err := j.Destination.SQL.TableExists(ctx, db, alias)
	if err != nil {
		return fmt.Errorf("look for alias table %s: %w", alias, err)
	}
	if !restored {
		return nil
	}
	taken, err := j.Destination.SQL.TableExists(ctx, db, name)
	if err != nil {
		return fmt.Errorf("look for destination table %s: %w", name, err)
	}
	statement := fmt.Sprintf("ALTER TABLE %s RENAME %s", sqlclient.Name(db, alias), sqlclient.Quote(name))
	if taken {
		statement = fmt.Sprintf(`ALTER TABLE %s REPLACE WITH TABLE %s PROPERTIES("swap"="false")`, sqlclient.Name(db, name), sqlclient.Quote(alias))
	}
	if err := j.Destination.SQL.Exec(ctx, statement); err != nil {
		return fmt.Errorf("put the restored table in place of %s: %w", name, err)
	}
	return nil
}

// lostTableError: somebody has dropped a table between its restore and the end of
// the sync.
type lostTableError struct{ table string }

func (e *lostTableError) Error() string {
	return fmt.Sprintf("table %s was restored, and is not on the destination any more", e.table)
}

// findRestored fills in the destination ids of restored tables.
func (j *Job) findRestored(ctx context.Context, tables map[int64]job.Table) (map[int64]job.Table, error) {
	ids := map[string]int64{} // by destination name
	var names []string
	for _, t := range tables {
		if !t.View {
			names = append(names, j.DestinationName(t.Name))
		}
	}
	slices.Sort(names)
	for chunk := range slices.Chunk(names, pair.MetaChunk) {
		dst := &j.Spec.Destination
		db, err := j.Destination.FE.Meta(ctx, fe.MetaRequest{DatabaseID: dst.DatabaseID, Database: dst.Database, Tables: chunk})
		if err != nil {
			return nil, fmt.Errorf("read the ids of restored tables: %w", err)
		}
		for _, t := range db.Tables {
			ids[t.Name] = t.ID
		}
	}
	found := make(map[int64]job.Table, len(tables))
	for source, t := range tables {
		if !t.View {
			if t.DestID = ids[j.DestinationName(t.Name)]; t.DestID == 0 {
				return nil, &lostTableError{j.DestinationName(t.Name)}
			}
		}
		found[source] = t
	}
	return found, nil
}

// finishFull starts over with what the snapshot holds.
func (j *Job) finishFull(p *job.Progress, restored map[int64]job.Table) job.SnapshotFinished {
	f := job.SnapshotFinished{State: job.DBTablesIncrementalSync, Tables: restored, Position: p.Position}
	f.Position.CommitSeq = startAfter(p.Snapshot, restored)
	f.Position.Partition = max(p.Position.Partition, p.Snapshot.Restored.Partition)
	f.Position.TxnID = 0
	if j.Spec.Type() == job.TableSync {
		// A table job has no filter: its only table's barrier is the position.
		f.State = job.TableIncrementalSync
		for id, t := range restored {
			f.DestinationTableID = t.DestID
			f.Position.CommitSeq = t.CommitSeq
			t.CommitSeq = 0
			f.Tables = map[int64]job.Table{id: t}
		}
	}
	return f
}

// startAfter is the position that a full snapshot leads to: the least of its
// tables', so that none misses anything, and not after the moment before it was
// ordered, so that no table created meanwhile is missed.
func startAfter(snap *job.Snapshot, restored map[int64]job.Table) int64 {
	least := snap.Restored.CommitSeq
	if snap.Prepared && (least <= 0 || snap.Before < least) {
		least = snap.Before
	}
	for _, t := range restored {
		if t.CommitSeq > 0 && (t.CommitSeq < least || least <= 0 && !snap.Prepared) {
			least = t.CommitSeq
		}
	}
	return max(least, 0)
}

// finishPartial merges what the snapshot holds into what is known. A database
// job goes on after the binlog that ordered it, with the table's newer position
// as a filter; a table job after its only table's.
func (j *Job) finishPartial(p *job.Progress, restored map[int64]job.Table) job.SnapshotFinished {
	snap := p.Snapshot
	whole := len(snap.Partial.Partitions) == 0
	f := job.SnapshotFinished{
		State: job.DBTablesIncrementalSync, Position: p.Position,
		Tables: maps.Clone(p.Tables), Partitions: maps.Clone(p.Partitions),
	}
	if f.Tables == nil {
		f.Tables = map[int64]job.Table{}
	}
	f.Position.CommitSeq = max(snap.Trigger, p.Position.CommitSeq)
	f.Position.Partition = max(p.Position.Partition, snap.Restored.Partition)
	table := j.Spec.Type() == job.TableSync
	if table {
		f.State = job.TableIncrementalSync
	}
	for id, t := range restored {
		barrier := t.CommitSeq
		if !whole {
			t.CommitSeq, t.Gone = p.Tables[id].CommitSeq, p.Tables[id].Gone
			t.Partly = max(p.Tables[id].Partly, barrier)
			t.Unconfirmed = p.Tables[id].Unconfirmed
		} else if table {
			f.Position.CommitSeq = max(barrier, f.Position.CommitSeq)
			t.CommitSeq = 0 // the position says it
		}
		f.Tables[id] = t
		if table {
			f.DestinationTableID = t.DestID
			f.Tables = map[int64]job.Table{id: t}
		}
	}
	for id, barrier := range snap.Restored.Partitions {
		if f.Partitions == nil {
			f.Partitions = map[int64]int64{}
		}
		f.Partitions[id] = max(f.Partitions[id], barrier)
	}
	return f
}
