package ddl

import (
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// applyReplaceTable replays REPLACE WITH TABLE (doris-binlogs.md 2.20). Ids
// travel with the content on both sides, so that the mapping of ids stays and
// the names of the destination's ids tell whether it has been done already.
func applyReplaceTable(a *application) (job.ApplyResult, error) {
	replace, err := binlog.DecodeReplaceTable(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	if a.j.Spec.Type() == job.TableSync {
		return a.replaceFollowed(replace)
	}
	if result, handled, err := a.replaceAcrossFilter(replace); handled {
		return result, err
	}
	origin, newer := a.inSnapshot(replace.OriginTableID), a.inSnapshot(replace.NewTableID)
	switch {
	case origin && newer:
		return job.ApplyResult{Summary: "contained in the snapshots of both tables"}, nil
	case replace.Swap && origin:
		return a.bringOther(replace.NewTableID, replace)
	case replace.Swap && newer:
		return a.bringOther(replace.OriginTableID, replace)
	case newer:
		// The snapshot has put the new table in place: only the old one is left.
		return a.dropReplaced(replace, job.ApplyResult{Summary: "contained in the snapshot of the new table"})
	case origin:
		// The old table has been recovered and brought by a snapshot since.
		return a.bringOther(replace.NewTableID, replace)
	}
	return a.swapTables(replace)
}

// replaceFollowed is for table jobs: the name that they follow has another
// table now.
func (a *application) replaceFollowed(replace binlog.ReplaceTable) (job.ApplyResult, error) {
	if replace.OriginTableID != a.j.Spec.Source.TableID {
		return ignored()
	}
	return job.ApplyResult{
		SourceTableID: replace.NewTableID,
		Wanted: &job.SnapshotWanted{Reason: fmt.Sprintf("table %s was replaced by table %s at commit seq %d",
			replace.OriginTableName, replace.NewTableName, a.rec.CommitSeq)},
	}, nil
}

// inSnapshot tells whether a snapshot of the table was taken after the binlog.
// A table that was found gone has no snapshot: what it was is still there, and
// takes part in everything until its end.
func (a *application) inSnapshot(table int64) bool {
	return !a.p.Tables[table].Gone && a.containedIn(table)
}

// bringOther brings a table whose name on the destination the snapshot of the
// other one has taken.
func (a *application) bringOther(table int64, replace binlog.ReplaceTable) (job.ApplyResult, error) {
	err := a.wantTable(table, "table %s was replaced with %s, and one of them is in a snapshot already", replace.OriginTableName, replace.NewTableName)
	if errors.Is(err, errNotReplicated) {
		return ignored()
	}
	return job.ApplyResult{}, err
}

// swapTables runs the statement, if the destination has both tables under their
// old names.
func (a *application) swapTables(replace binlog.ReplaceTable) (job.ApplyResult, error) {
	origin, err := a.destinationOf(replace.OriginTableID)
	if err != nil {
		return job.ApplyResult{}, err
	}
	newer, err := a.destinationOf(replace.NewTableID)
	if err != nil {
		return job.ApplyResult{}, err
	}
	result := job.ApplyResult{Summary: "an earlier attempt has replaced the table", Tables: a.replaced(replace)}
	switch {
	case newer == nil:
		return a.bringNew(replace)
	case newer.Name == replace.OriginTableName && (replace.Swap == (origin != nil)) && (origin == nil || origin.Name == replace.NewTableName):
		return result, nil
	case origin == nil && !replace.Swap:
		return a.mapReplacement(replace, newer, result)
	case origin == nil:
		return a.bringOther(replace.OriginTableID, replace)
	case origin.Name != replace.OriginTableName && !replace.Swap:
		return a.bringNew(replace)
	}
	statement := fmt.Sprintf(`ALTER TABLE %s REPLACE WITH TABLE %s PROPERTIES("swap"="%t")`,
		sqlclient.Name(a.j.Spec.Destination.Database, origin.Name), sqlclient.Quote(newer.Name), replace.Swap)
	result.Summary = statement
	return result, a.j.Destination.SQL.Exec(a.ctx, statement)
}

// mapReplacement gives the new table the name of an old one that the destination does
// not have. Another table in its place goes by a snapshot.
func (a *application) mapReplacement(replace binlog.ReplaceTable, newer *meta.Table, result job.ApplyResult) (job.ApplyResult, error) {
	db := a.j.Spec.Destination.Database
	taken, err := a.j.Destination.SQL.TableExists(a.ctx, db, replace.OriginTableName)
	if err != nil {
		return job.ApplyResult{}, fmt.Errorf("look for destination table %s: %w", replace.OriginTableName, err)
	}
	if taken {
		return a.bringNew(replace)
	}
	result.Summary = fmt.Sprintf("ALTER TABLE %s RENAME %s", sqlclient.Name(db, newer.Name), sqlclient.Quote(replace.OriginTableName))
	return result, a.j.Destination.SQL.Exec(a.ctx, result.Summary)
}

// bringNew brings the new table by a snapshot, which replaces the old one. If
// the source does not have it any more either, only the old one is to go.
func (a *application) bringNew(replace binlog.ReplaceTable) (job.ApplyResult, error) {
	err := a.wantTable(replace.NewTableID, "table %s was replaced with %s, which is not on the destination", replace.OriginTableName, replace.NewTableName)
	switch {
	case errors.Is(err, errNotReplicated) && replace.Swap:
		return a.bringOther(replace.OriginTableID, replace)
	case errors.Is(err, errNotReplicated):
		return a.dropReplaced(replace, job.ApplyResult{Summary: "table " + replace.OriginTableName + " was replaced by one that is gone"})
	}
	want := wantedBy(err)
	if want == nil {
		return job.ApplyResult{}, err
	}
	result := job.ApplyResult{Wanted: want}
	if replace.Swap {
		return result, nil
	}
	old, err := a.destinationOf(replace.OriginTableID)
	switch {
	case err != nil:
		return job.ApplyResult{}, err
	case old != nil && old.Name != want.Partial.Table:
		// One of the two has another name by now, so the snapshot does not replace it.
		return a.dropReplaced(replace, result)
	}
	result.Tables.Drop = []int64{replace.OriginTableID}
	return result, nil
}

// dropReplaced drops what is left on the destination of a table that was
// replaced without a swap.
func (a *application) dropReplaced(replace binlog.ReplaceTable, result job.ApplyResult) (job.ApplyResult, error) {
	known, mapped := a.p.Tables[replace.OriginTableID]
	if !mapped {
		return result, nil
	}
	result.Tables.Drop = []int64{replace.OriginTableID}
	table, err := a.destinationOf(replace.OriginTableID)
	if err != nil || table == nil || pair.StillMapped(a.p.Tables, replace.OriginTableID, known.DestID) {
		return result, err
	}
	return result, a.j.Destination.SQL.DropTable(a.ctx, a.j.Spec.Destination.Database, table.Name)
}

// destinationOf is the destination's table of a source table, nil if it has none.
func (a *application) destinationOf(source int64) (*meta.Table, error) {
	id := a.p.Tables[source].DestID
	if id == 0 {
		return nil, nil
	}
	table, _, err := a.j.Destination.TableByID(a.ctx, id)
	return table, err
}

// replaced is the mapping after the replacement.
func (a *application) replaced(replace binlog.ReplaceTable) job.TableChanges {
	origin, newer := a.p.Tables[replace.OriginTableID], a.p.Tables[replace.NewTableID]
	origin.Name, newer.Name = replace.NewTableName, replace.OriginTableName
	changes := job.TableChanges{Set: map[int64]job.Table{replace.NewTableID: newer}}
	if replace.Swap {
		changes.Set[replace.OriginTableID] = origin
	} else {
		changes.Drop = []int64{replace.OriginTableID}
	}
	return changes
}
