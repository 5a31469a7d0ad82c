package ddl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// applyViewDef gives a view another definition or comment (doris-binlogs.md
// 2.19). A view that the destination lacks, because it could not be created as it
// was defined, or was skipped, comes by a snapshot.
func applyViewDef(a *application) (job.ApplyResult, error) {
	def, err := binlog.DecodeViewDef(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	view, known := a.p.Tables[def.TableID]
	switch {
	case a.j.Spec.Type() != job.DatabaseSync:
		return job.ApplyResult{Summary: "ignored: the view is not replicated"}, nil
	case !known || view.Name == "":
		return a.findView(def)
	case a.containedIn(def.TableID):
		return job.ApplyResult{Summary: "contained in the snapshot"}, nil
	case def.InlineViewDef != "" && def.SQLMode != 0 && def.SQLMode != defaultSQLMode:
		// A view keeps the mode that its text was written in: || is OR, or not.
		return wantView(def.TableID, view.Name, fmt.Errorf("it was written with sql_mode %d, which is not the default", def.SQLMode)), nil
	}
	db := a.j.Spec.Destination.Database
	statement := "ALTER VIEW " + sqlclient.Name(db, view.Name)
	if def.InlineViewDef == "" {
		statement += " MODIFY COMMENT " + sqlclient.QuoteString(def.Comment)
	} else {
		statement += " AS " + rewriteDatabase(def.InlineViewDef, a.j.Spec.Source.Database, db)
	}
	result, err := a.exec(statement)
	excluded, lookErr := a.baseExcluded(err)
	if lookErr != nil {
		return job.ApplyResult{}, lookErr
	}
	var refused *sqlclient.Error
	switch {
	case errors.As(err, &refused) && (refused.Contains("Can not found function") || refused.Contains("Can not find resource")):
		return job.ApplyResult{Summary: "not altered", Refused: refused.Error()}, nil
	case excluded:
		return job.ApplyResult{Summary: fmt.Sprintf("view %s not altered, for it needs a table that is left out: %v", view.Name, err)}, nil
	case baseChanged(err), isDoubtful(err):
		return wantView(def.TableID, view.Name, err), nil
	case err != nil || def.InlineViewDef == "":
		return result, err
	}
	other, err := a.alteredOtherwise(def, view.Name)
	if err != nil {
		return result, err
	}
	if other != "" {
		return a.withConflict(other, wantView(def.TableID, view.Name, fmt.Errorf("it did not become what the source has: %s", other)), nil)
	}
	return result, nil
}

// defaultSQLMode is ONLY_FULL_GROUP_BY (doris-sql.md 1.6).
const defaultSQLMode = 32

// wantView brings a view by a snapshot.
func wantView(id int64, name string, why error) job.ApplyResult {
	return job.ApplyResult{Wanted: &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: id, Table: name, View: true},
		Reason:  fmt.Sprintf("view %s: %v", name, why),
	}}
}

// findView looks for the view by what it is defined as: neither the binlog nor
// the source's metadata tell the name of an id. A wrong guess does no harm: the
// snapshot is compared with the id.
func (a *application) findView(def binlog.ViewDef) (job.ApplyResult, error) {
	src := a.j.Spec.Source.Database
	views, err := a.j.Source.SQL.Views(a.ctx, src)
	if err != nil {
		return job.ApplyResult{}, fmt.Errorf("look for the view with id %d: %w", def.TableID, err)
	}
	known := map[string]bool{}
	for _, t := range a.p.Tables {
		known[t.Name] = true
	}
	for _, name := range views {
		if known[name] || def.InlineViewDef == "" || a.j.Excludes(name) {
			continue
		}
		text, err := a.j.Source.SQL.CreateTableText(a.ctx, src, name)
		switch {
		case errors.Is(err, sqlclient.ErrUnknownTable):
			continue // dropped this moment
		case err != nil:
			return job.ApplyResult{}, fmt.Errorf("look at view %s: %w", name, err)
		case strings.Contains(text, def.InlineViewDef):
			return wantView(def.TableID, name, errors.New("it is not on the destination")), nil
		}
	}
	return job.ApplyResult{Summary: "ignored: the view is not replicated, or gone from the source"}, nil
}

// baseChanged tells whether a view was refused because the destination's tables
// are ahead of it: a column has been renamed or dropped, or a snapshot has
// brought a table under a later name. A snapshot brings the view as the source
// has it now, valid or not (doris-binlogs.md 2.3).
func baseChanged(err error) bool {
	var refused *sqlclient.Error
	return errors.As(err, &refused) && (refused.Contains("Unknown column") || problem.MissingTable.MatchString(refused.Message)) ||
		errors.Is(err, sqlclient.ErrUnknownColumn) || errors.Is(err, sqlclient.ErrUnknownTable)
}
