package ddl

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
	"github.com/doris-ccr/ccr/replication/schema"
)

// needsSession matches the refusals of statements that only work with session
// variables which the binlog does not carry (doris-sql.md 1.6).
var needsSession = regexp.MustCompile(`set enable_.+=.+|Incorrect column name .* Column regex is`)

// applyCreateTable creates a table or view (doris-binlogs.md 2.3). What SQL
// cannot create faithfully comes by a snapshot of the one table.
func applyCreateTable(a *application) (job.ApplyResult, error) {
	create, err := binlog.DecodeCreateTable(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	name := create.TableName
	if name == "" {
		name = createdName(create.SQL)
	}
	switch {
	case name == "":
		return job.ApplyResult{}, fmt.Errorf("the CREATE_TABLE record at commit seq %d names no table", a.rec.CommitSeq)
	case a.j.Spec.Type() != job.DatabaseSync:
		return ignored()
	case a.containedIn(create.TableID):
		return job.ApplyResult{Summary: "contained in the snapshot"}, nil
	case a.j.Excludes(name):
		return a.exclude(create.TableID), nil
	case isMaterializedView(create.TableType, create.SQL):
		return job.ApplyResult{Summary: "ignored: asynchronous materialized views are not replicated"}, nil
	case isView(create.TableType, create.SQL):
		return a.createView(create, name)
	}
	return a.createTable(create, name)
}

func (a *application) createTable(create binlog.CreateTable, name string) (job.ApplyResult, error) {
	db := a.j.Spec.Destination.Database
	if isInverted(create.SQL) {
		// Index ids are part of the names of index files: they must agree.
		return a.snapshotOf(create.TableID, name, true, "table %s has an inverted index", name)
	}
	exists, err := a.j.Destination.SQL.TableExists(a.ctx, db, name)
	if err != nil {
		return job.ApplyResult{}, fmt.Errorf("look for destination table %s: %w", name, err)
	}
	if exists && !isExternal(create.SQL) {
		result, err := a.snapshotOf(create.TableID, name, true, "table %s exists on the destination already", name)
		if err == nil && a.unknown {
			result.Tables, err = a.mapExisting(create.TableID, name)
		}
		return result, err
	}
	statement, err := rewriteCreateTable(create.SQL, db, name, a.j.Spec.ReplicationNum, !a.j.Options.Features.FilterStorageMedium)
	if err != nil && !isDoubtful(err) {
		return job.ApplyResult{}, problem.WithRemedy(err, problem.RemedySnapshot)
	}
	var result job.ApplyResult
	if err == nil {
		result, err = a.exec(statement)
	}
	var refused *sqlclient.Error
	switch {
	case isDoubtful(err):
		return a.snapshotOf(create.TableID, name, false, "table %s: %v", name, err)
	case errors.As(err, &refused) && refused.Contains("Can not find resource"):
		return job.ApplyResult{Summary: "not created", Refused: refused.Error()}, nil
	case errors.As(err, &refused) && needsSession.MatchString(refused.Message):
		return a.snapshotOf(create.TableID, name, false, "table %s needs session variables: %s", name, refused.Message)
	case err != nil:
		return result, err
	}
	result.Summary = fmt.Sprintf("CREATE TABLE %s", name)
	if isExternal(create.SQL) {
		result.Tables.Set = map[int64]job.Table{create.TableID: {Name: name, External: true}}
		return result, nil
	}
	other, err := a.createdOtherwise(create, name)
	if err != nil {
		return result, err
	}
	if other != "" {
		result, err = a.snapshotOf(create.TableID, name, true, "table %s did not become what the source has: %s", name, other)
		if err == nil {
			// Its DROP_TABLE has to find it, should the source have dropped it since.
			result.Tables, err = a.mapExisting(create.TableID, name)
		}
		return a.withConflict(other, result, err)
	}
	table, err := a.j.Destination.TableByName(a.ctx, name)
	if err != nil {
		return result, err
	}
	if table == nil {
		return result, problem.MetaErrorf("table %s was created but is not on the destination", name)
	}
	result.Tables.Set = map[int64]job.Table{create.TableID: {DestID: table.ID, Name: name}}
	return result, nil
}

// mapExisting maps a table that an earlier attempt has created, unless it is another
// source table's: should the source have dropped it meanwhile, its DROP_TABLE
// finds it.
func (a *application) mapExisting(source int64, name string) (job.TableChanges, error) {
	table, err := a.j.Destination.TableByName(a.ctx, name)
	if err != nil || table == nil || pair.StillMapped(a.p.Tables, source, table.ID) {
		return job.TableChanges{}, err
	}
	return job.TableChanges{Set: map[int64]job.Table{source: {DestID: table.ID, Name: name}}}, nil
}

func (a *application) createView(create binlog.CreateTable, name string) (job.ApplyResult, error) {
	src, db := a.j.Spec.Source.Database, a.j.Spec.Destination.Database
	view, err := schema.SplitView(create.SQL)
	switch {
	case err != nil:
		return job.ApplyResult{}, problem.WithRemedy(err, problem.RemedySnapshot)
	case view.Doubtful:
		return wantView(create.TableID, name, errors.New("a comment with quotes or backslashes is not told from the query for certain")), nil
	}
	for id, t := range a.p.Tables {
		// Read after a snapshot that has the next view of that name, whose own binlog
		// is contained in it: this one was dropped by then.
		if id != create.TableID && t.View && t.Name == name && a.containedIn(id) && !t.Gone {
			return job.ApplyResult{Summary: fmt.Sprintf("%s on the destination is another one", name)}, nil
		}
	}
	view.Query = rewriteDatabase(view.Query, src, db)
	statement := view.Create(sqlclient.Name(db, name))
	if err := sqlclient.CheckSingle(statement); err != nil {
		return wantView(create.TableID, name, err), nil
	}
	if a.j.Options.Features.CreateViewDropExists {
		if err := a.j.Destination.SQL.DropView(a.ctx, db, name); err != nil {
			return job.ApplyResult{}, fmt.Errorf("make room for view %s: %w", name, err)
		}
	}
	result, err := a.exec(statement)
	excluded, lookErr := a.baseExcluded(err)
	if lookErr != nil {
		return job.ApplyResult{}, lookErr
	}
	var refused *sqlclient.Error
	switch {
	case errors.As(err, &refused) && (refused.Contains("Can not found function") || refused.Contains("Can not find resource")):
		// Its name is kept: another definition may do (applyViewDef).
		result = job.ApplyResult{Summary: "not created", Refused: refused.Error()}
		result.Tables.Set = map[int64]job.Table{create.TableID: {Name: name, View: true}}
		return result, nil
	case excluded:
		return job.ApplyResult{Summary: fmt.Sprintf("view %s not created, for it needs a table that is left out: %v", name, err)}, nil
	case baseChanged(err):
		return wantView(create.TableID, name, err), nil
	case err != nil:
		return result, err
	}
	other, err := a.createdOtherwise(create, name)
	if err != nil {
		return result, err
	}
	if other != "" {
		return a.withConflict(other, wantView(create.TableID, name, fmt.Errorf("it did not become what the source has: %s", other)), nil)
	}
	result.Summary = fmt.Sprintf("CREATE VIEW %s", name)
	result.Tables.Set = map[int64]job.Table{create.TableID: {Name: name, View: true}}
	return result, nil
}

// snapshotOf brings a created table by a snapshot. A table that the source has
// dropped since is ignored; its DROP_TABLE finds it unknown.
func (a *application) snapshotOf(id int64, name string, replace bool, format string, args ...any) (job.ApplyResult, error) {
	table, _, err := a.j.Source.TableByID(a.ctx, id)
	switch {
	case err != nil:
		return job.ApplyResult{}, err
	case table == nil:
		return ignored()
	case a.j.Excludes(table.Name):
		return a.exclude(id), nil
	}
	return job.ApplyResult{Wanted: &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: id, Table: table.Name, Replace: replace || table.Name != name},
		Reason:  fmt.Sprintf(format, args...),
	}}, nil
}
