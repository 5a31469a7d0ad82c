package ddl

import (
	"errors"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// applyRename renames a table, rollup or partition (doris-binlogs.md 2.16,
// 2.23). Early servers use one type for all three: the new name that is set
// tells which it is.
func applyRename(a *application) (job.ApplyResult, error) {
	info, err := binlog.DecodeTableInfo(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	switch {
	case info.NewTable != "":
		return a.renameTable(info)
	case info.NewRollup != "":
		return a.renamePart(info.TableID, "ROLLUP", info.OldRollup, info.NewRollup, a.j.Destination.SQL.Rollups, func(table string) (string, error) {
			return a.otherRollup(info.TableID, info.NewRollup, table)
		})
	case info.NewPartition != "":
		return a.renamePart(info.TableID, "PARTITION", info.OldPartition, info.NewPartition, a.j.Destination.SQL.Partitions, func(table string) (string, error) {
			return a.otherPartition(info.TableID, info.PartitionID, info.NewPartition, table)
		})
	}
	return job.ApplyResult{}, fmt.Errorf("the %s record at commit seq %d has no new name", a.rec.Type, a.rec.CommitSeq)
}

// renameTable renames the destination's table, whatever it is called there. A
// table job's destination keeps its name; the job goes on with the source's new
// one.
func (a *application) renameTable(info binlog.TableInfo) (job.ApplyResult, error) {
	known := a.p.Tables[info.TableID]
	renamed := known
	renamed.Name = info.NewTable
	if a.j.Spec.Type() == job.TableSync {
		if info.TableID != a.j.Spec.Source.TableID {
			return ignored()
		}
		result := job.ApplyResult{
			Summary:     fmt.Sprintf("the source table is called %s now; the destination's keeps its name", info.NewTable),
			SourceTable: info.NewTable,
		}
		if _, mapped := a.p.Tables[info.TableID]; mapped {
			result.Tables.Set = map[int64]job.Table{info.TableID: renamed}
		}
		return result, nil
	}
	if a.j.Excludes(info.NewTable) && !a.containedIn(info.TableID) {
		return a.exclude(info.TableID), nil
	}
	if known.External {
		return a.renameExternal(info, renamed)
	}
	result, err := a.onTable(info.TableID, func(table string) (string, error) {
		if table == info.NewTable {
			return "", nil // an earlier attempt did it
		}
		return fmt.Sprintf("ALTER TABLE %s RENAME %s", sqlclient.Name(a.j.Spec.Destination.Database, table), sqlclient.Quote(info.NewTable)), nil
	})
	var refused *sqlclient.Error
	switch {
	case errors.As(err, &refused) && refused.Contains("is already used"):
		// What has the name is in the way; the snapshot takes its place.
		return a.replaceTable(info.TableID, "table %s cannot be renamed to %s: %s", known.Name, info.NewTable, refused.Message)
	case err != nil:
		return result, err
	}
	if known.DestID != 0 && result.Tables.Set == nil && !a.containedIn(info.TableID) {
		result.Tables.Set = map[int64]job.Table{info.TableID: renamed}
	}
	return result, nil
}

// renameExternal renames a table that is known by its name only.
func (a *application) renameExternal(info binlog.TableInfo, renamed job.Table) (job.ApplyResult, error) {
	db := a.j.Spec.Destination.Database
	old := a.p.Tables[info.TableID].Name
	exists, err := a.j.Destination.SQL.TableExists(a.ctx, db, old)
	if err != nil {
		return job.ApplyResult{}, fmt.Errorf("look for destination table %s: %w", old, err)
	}
	result := job.ApplyResult{Summary: fmt.Sprintf("%s is called %s already", old, info.NewTable)}
	if exists {
		if result, err = a.exec(fmt.Sprintf("ALTER TABLE %s RENAME %s", sqlclient.Name(db, old), sqlclient.Quote(info.NewTable))); err != nil {
			return result, err
		}
	}
	result.Tables.Set = map[int64]job.Table{info.TableID: renamed}
	return result, nil
}

// renamePart renames a rollup or a partition. Without the old name, or without
// what has it, the table comes by a snapshot; so it does where what has the new
// name already is another thing.
func (a *application) renamePart(table int64, kind, from, to string, list listNames, other func(table string) (string, error)) (job.ApplyResult, error) {
	if from == "" {
		return a.replaceTable(table, "%s: the old name of %s is not known", a.rec.Type, to)
	}
	var conflict string
	result, err := a.onTable(table, func(name string) (string, error) {
		if a.unknown {
			names, err := a.names(name, list)
			if err != nil {
				return "", err
			}
			if slices.Contains(names, to) && !slices.Contains(names, from) {
				conflict, err = other(name)
				return "", err
			}
		}
		return fmt.Sprintf("ALTER TABLE %s RENAME %s %s %s",
			sqlclient.Name(a.j.Spec.Destination.Database, name), kind, sqlclient.Quote(from), sqlclient.Quote(to)), nil
	})
	if err == nil && conflict != "" {
		return a.bringConflicting(table, "%s", conflict)
	}
	if problem.Absent(err) {
		return a.replaceTable(table, "the destination cannot rename %s to %s: %v", from, to, err)
	}
	return result, err
}

// applyRenameColumn renames a column (doris-binlogs.md 2.17). It cannot be
// repeated: the columns are looked at where it may have been done.
func applyRenameColumn(a *application) (job.ApplyResult, error) {
	rename, err := binlog.DecodeRenameColumn(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	var conflict string
	result, err := a.onTable(rename.TableID, func(table string) (string, error) {
		db := a.j.Spec.Destination.Database
		if a.unknown {
			columns, err := a.j.Destination.SQL.Columns(a.ctx, db, table)
			if err != nil {
				return "", fmt.Errorf("look at the columns of %s: %w", table, err)
			}
			has := func(name string) bool {
				return slices.ContainsFunc(columns, func(c sqlclient.Column) bool { return c.Name == name })
			}
			if has(rename.NewName) && !has(rename.OldName) {
				conflict, err = a.otherColumn(rename.TableID, rename.NewName, columns)
				return "", err
			}
		}
		return fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s %s",
			sqlclient.Name(db, table), sqlclient.Quote(rename.OldName), sqlclient.Quote(rename.NewName)), nil
	})
	if err == nil && conflict != "" {
		return a.bringConflicting(rename.TableID, "%s", conflict)
	}
	return result, err
}
