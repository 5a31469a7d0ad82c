package replication

import (
	"fmt"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
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
	if a.j.spec.Type() != job.DatabaseSync || !mapped && (!drop.View || a.j.leavesOut(drop.TableName)) {
		return ignored()
	}
	if mapped && known.CommitSeq != job.Contained && a.containedIn(drop.TableID) {
		return job.ApplyResult{Summary: "contained in the snapshot"}, nil
	}
	result := job.ApplyResult{Tables: job.TableChanges{Drop: []int64{drop.TableID}}}
	db := a.j.spec.Destination.Database
	if drop.View || known.View {
		name := drop.TableName
		if known.Name != "" {
			name = known.Name
		}
		result.Summary = "DROP VIEW " + name
		return result, a.j.destination.sql.DropView(a.ctx, db, name)
	}
	if known.External {
		result.Summary = "DROP TABLE " + known.Name
		return result, a.j.destination.sql.DropTable(a.ctx, db, known.Name)
	}
	result.Summary = fmt.Sprintf("table %s is not on the destination any more", known.Name)
	if known.DestID == 0 || stillMapped(a.p.Tables, drop.TableID, known.DestID) {
		return result, nil
	}
	table, _, err := a.j.destination.tableByID(a.ctx, known.DestID)
	if err != nil || table == nil {
		return result, err
	}
	result.Summary = "DROP TABLE " + table.Name
	return result, a.j.destination.sql.DropTable(a.ctx, db, table.Name)
}
