package replication

import (
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// applyViewDef gives a view another definition or comment (doris-binlogs.md
// 2.19). Views have no entry in the source's metadata: one that is not known has
// never been created on the destination.
func applyViewDef(a *application) (job.ApplyResult, error) {
	def, err := binlog.DecodeViewDef(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	view, known := a.p.Tables[def.TableID]
	switch {
	case a.j.spec.Type() != job.DatabaseSync || !known || view.Name == "":
		return job.ApplyResult{Summary: "ignored: the view is not replicated"}, nil
	case a.containedIn(def.TableID):
		return job.ApplyResult{Summary: "contained in the snapshot"}, nil
	}
	db := a.j.spec.Destination.Database
	statement := "ALTER VIEW " + sqlclient.Name(db, view.Name)
	if def.InlineViewDef == "" {
		statement += " MODIFY COMMENT " + sqlclient.QuoteString(def.Comment)
	} else {
		statement += " AS " + rewriteDatabase(def.InlineViewDef, a.j.spec.Source.Database, db)
	}
	result, err := a.exec(statement)
	var refused *sqlclient.Error
	switch {
	case errors.As(err, &refused) && (refused.Contains("Can not found function") || refused.Contains("Can not find resource")):
		return job.ApplyResult{Summary: "not altered: " + refused.Message}, nil
	case a.j.leftTableMissing(err):
		return job.ApplyResult{Summary: fmt.Sprintf("view %s not altered, for it needs a table that is left out: %v", view.Name, err)}, nil
	case errors.As(err, &refused) && refused.Contains("Unknown column"),
		errors.Is(err, sqlclient.ErrUnknownColumn), errors.Is(err, sqlclient.ErrUnknownTable):
		return job.ApplyResult{Wanted: &job.SnapshotWanted{
			Partial: &job.PartialSync{TableID: def.TableID, Table: view.Name, View: true},
			Reason:  fmt.Sprintf("view %s: %v", view.Name, err),
		}}, nil
	}
	return result, err
}
