package ddl

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// applyDropTable drops a table or view (doris-binlogs.md 2.6). A table is found
// by the id that was replicated, never by its name alone: the name may belong to
// a newer table.
func applyDropTable(a *application) (job.ApplyResult, error) {
	drop, err := binlog.DecodeDropTable(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	known, mapped := a.p.Tables[drop.TableID]
	if a.j.Spec.Type() != job.DatabaseSync || !mapped && (!drop.View || a.j.Excludes(drop.TableName)) {
		return ignored()
	}
	if mapped && !known.Gone && a.containedIn(drop.TableID) {
		return job.ApplyResult{Summary: "contained in the snapshot"}, nil
	}
	result := job.ApplyResult{Tables: job.TableChanges{Drop: []int64{drop.TableID}}}
	db := a.j.Spec.Destination.Database
	if drop.View || known.View || known.External {
		return a.dropByName(result, cmp.Or(known.Name, drop.TableName), !known.External)
	}
	result.Summary = fmt.Sprintf("table %s is not on the destination any more", known.Name)
	if known.DestID == 0 || pair.StillMapped(a.p.Tables, drop.TableID, known.DestID) {
		return result, nil
	}
	table, _, err := a.j.Destination.TableByID(a.ctx, known.DestID)
	if err != nil || table == nil {
		return result, err
	}
	result.Summary = "DROP TABLE " + table.Name
	return result, a.j.Destination.SQL.DropTable(a.ctx, db, table.Name)
}

// dropByName drops what has no id on the destination. A successor that is there
// already has the name: by a snapshot, or because this binlog was filed late.
func (a *application) dropByName(result job.ApplyResult, name string, view bool) (job.ApplyResult, error) {
	for id, t := range a.p.Tables {
		if t.Name == name && !t.Gone && !slices.Contains(result.Tables.Drop, id) {
			result.Summary = fmt.Sprintf("%s on the destination is another one", name)
			return result, nil
		}
	}
	db := a.j.Spec.Destination.Database
	if view {
		result.Summary = "DROP VIEW " + name
		return result, a.j.Destination.SQL.DropView(a.ctx, db, name)
	}
	result.Summary = "DROP TABLE " + name
	return result, a.j.Destination.SQL.DropTable(a.ctx, db, name)
}
