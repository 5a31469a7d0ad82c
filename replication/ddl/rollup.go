package ddl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// applyDropRollup drops a rollup or synchronous materialized view, and those
// that the same statement dropped on the source: their binlogs share a commit
// seq, and all but the first are lost (doris-binlogs.md 1.2, 2.24). What is not
// there any more was dropped ahead of its turn, or by an earlier attempt.
func applyDropRollup(a *application) (job.ApplyResult, error) {
	drop, err := binlog.DecodeDropRollup(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	return a.onTable(drop.TableID, func(table string) (string, error) {
		existing, err := a.names(table, a.j.Destination.SQL.Rollups)
		if err != nil {
			return "", err
		}
		siblings, err := a.lostSiblings(drop, table, existing)
		if err != nil {
			return "", err
		}
		var clauses []string
		for _, name := range append([]string{drop.IndexName}, siblings...) {
			if slices.Contains(existing, name) {
				clauses = append(clauses, sqlclient.Quote(name))
			}
		}
		if len(clauses) == 0 {
			return "", nil
		}
		return fmt.Sprintf("ALTER TABLE %s DROP ROLLUP %s", sqlclient.Name(a.j.Spec.Destination.Database, table), strings.Join(clauses, ", ")), nil
	})
}

// lostSiblings are the destination's other rollups that the statement dropped.
// The source tells how many it dropped at this commit seq, but not their names:
// they are what only the destination has. Where the source has rollups that the
// destination lacks, a rename is still to come, and none can be told for sure.
func (a *application) lostSiblings(drop binlog.DropRollup, table string, existing []string) ([]string, error) {
	db, err := a.j.Source.FE.Meta(a.ctx, fe.MetaRequest{
		DatabaseID: a.j.Spec.Source.DatabaseID, Database: a.j.Spec.Source.Database, TableIDs: []int64{drop.TableID},
	})
	if err != nil {
		return nil, fmt.Errorf("read the rollups of source table %s: %w", drop.TableName, err)
	}
	source := db.Tables[drop.TableID]
	if source == nil || len(source.Partitions) == 0 {
		return nil, nil
	}
	dropped := 0
	for _, id := range slices.Sorted(maps.Keys(db.DroppedIndexes)) {
		if id != drop.IndexID && db.DroppedIndexes[id] == a.rec.CommitSeq {
			dropped++
		}
	}
	kept := pair.RollupNames(source)
	for name := range kept {
		if !slices.Contains(existing, name) {
			return nil, nil
		}
	}
	var siblings []string
	for _, name := range existing {
		if name != table && name != drop.IndexName && !kept[name] {
			siblings = append(siblings, name)
		}
	}
	if len(siblings) > dropped {
		return nil, nil // some are dropped by later binlogs: which, cannot be told
	}
	return siblings, nil
}
