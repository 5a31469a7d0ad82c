package replication

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// selectedNames lists the tables and views of the source that the job's filter
// selects, sorted.
func (j *Job) selectedNames(ctx context.Context) ([]string, error) {
	names, err := j.source.sql.Tables(ctx, j.spec.Source.Database)
	if err != nil {
		return nil, fmt.Errorf("list the tables of the source: %w", err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !j.spec.Selects(name) })
	slices.Sort(names)
	return names, nil
}

// withoutAsyncViews leaves asynchronous materialized views out of names. They are
// not replicated, and a backup that names one is refused; one of a whole database
// passes them over by itself (doris-sql.md 4.2).
func (j *Job) withoutAsyncViews(ctx context.Context, names []string) ([]string, error) {
	async := map[string]bool{}
	for chunk := range slices.Chunk(names, metaChunk) {
		src := &j.spec.Source
		db, err := j.source.fe.Meta(ctx, fe.MetaRequest{DatabaseID: src.DatabaseID, Database: src.Database, Tables: chunk})
		if err != nil {
			return nil, fmt.Errorf("read the kinds of the selected tables: %w", err)
		}
		for _, t := range db.Tables {
			async[t.Name] = t.AsyncView()
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return async[name] }), nil
}

// SelectTables finds the tables and views that the job's filter selects and
// that the job does not have yet. Views have no id that the source tells: they
// go by name, and the snapshot brings their ids.
func (j *Job) SelectTables(ctx context.Context, in job.StepInput) (job.TablesSelected, error) {
	names, err := j.selectedNames(ctx)
	if err != nil {
		return job.TablesSelected{}, err
	}
	all, err := j.source.sql.Views(ctx, j.spec.Source.Database)
	if err != nil {
		return job.TablesSelected{}, fmt.Errorf("list the views of the source: %w", err)
	}
	var out job.TablesSelected
	if in.Progress.Gap != nil {
		if out, err = j.closeGap(ctx, &in.Progress); err != nil || out.Wanted != nil {
			return out, err
		}
	}
	isView := func(name string) bool { return slices.Contains(all, name) }
	tables, views := []string{}, []string{}
	for _, name := range names {
		if isView(name) {
			views = append(views, name)
		} else {
			tables = append(tables, name)
		}
	}
	for chunk := range slices.Chunk(tables, metaChunk) {
		src := &j.spec.Source
		db, err := j.source.fe.Meta(ctx, fe.MetaRequest{DatabaseID: src.DatabaseID, Database: src.Database, Tables: chunk})
		if err != nil {
			return job.TablesSelected{}, fmt.Errorf("read the ids of the selected tables: %w", err)
		}
		for _, name := range chunk {
			// What is not listed has gone meanwhile, or is no table that can be
			// replicated.
			t := db.TableByName(name)
			if t == nil || t.AsyncView() {
				continue
			}
			if _, known := in.Progress.Tables[t.ID]; !known {
				out.Missing = append(out.Missing, job.PartialSync{TableID: t.ID, Table: name, Replace: true})
			}
		}
	}
	if out.GapTo != 0 {
		j.compareViews(ctx, &in.Progress, views, &out)
	}
	for _, name := range views {
		if !knownView(in.Progress.Tables, name) {
			out.Missing = append(out.Missing, job.PartialSync{Table: name, View: true})
		}
	}
	return out, nil
}

func knownView(tables map[int64]job.Table, name string) bool {
	for _, t := range tables {
		if t.View && t.Name == name {
			return true
		}
	}
	return false
}

// leavesOut tells whether the filter of a database job does not select a table
// of the source, by its name there.
func (j *Job) leavesOut(name string) bool {
	return j.spec.Type() == job.DatabaseSync && !j.spec.Selects(name)
}

// leaveOut is the result for a table whose name the job's filter does not
// select, or not any more: it stays on the destination as it is.
func (a *application) leaveOut(source int64) job.ApplyResult {
	known, mapped := a.p.Tables[source]
	if !mapped {
		return job.ApplyResult{Summary: "ignored: the table is left out by include_tables and exclude_tables"}
	}
	return job.ApplyResult{
		Summary: fmt.Sprintf("table %s is left out by include_tables and exclude_tables now: it stays on the destination as it is", known.Name),
		Tables:  job.TableChanges{Drop: []int64{source}},
	}
}

// crossed replays REPLACE WITH TABLE where the filter selects only one of the
// two names: the content that has the selected name now comes by a snapshot,
// the other stays as it is. handled is false where both names are selected.
func (a *application) crossed(replace binlog.ReplaceTable) (result job.ApplyResult, handled bool, err error) {
	origin, newer := !a.j.leavesOut(replace.OriginTableName), !a.j.leavesOut(replace.NewTableName)
	if origin && newer {
		return job.ApplyResult{}, false, nil
	}
	// The ids that have the names now; without a swap the old table is gone.
	in, out := int64(0), int64(0)
	switch {
	case origin:
		in, out = replace.NewTableID, replace.OriginTableID
	case newer && replace.Swap:
		in, out = replace.OriginTableID, replace.NewTableID
	case newer:
		out = replace.NewTableID
	}
	result.Summary = fmt.Sprintf("table %s was replaced with %s, and include_tables and exclude_tables leave one of them out", replace.OriginTableName, replace.NewTableName)
	if _, mapped := a.p.Tables[out]; mapped && !a.inSnapshot(out) {
		result.Tables.Drop = []int64{out}
	}
	if in == 0 || a.inSnapshot(in) {
		return result, true, nil
	}
	err = a.wantTable(in, "%s", result.Summary)
	if want := wantedBy(err); want != nil {
		result.Wanted, err = want, nil
	} else if errors.Is(err, errNotReplicated) {
		err = nil // gone, or renamed since: later binlogs tell
	}
	return result, true, err
}

// missingTable matches the refusal of a view over a table that is not there.
var missingTable = regexp.MustCompile(`Table \[.*\] does not exist`)

// leftTableMissing tells whether the destination refused a view for want of a
// table, and the job leaves tables out. The missing one may also be a view that
// was refused before it, so its name is not looked at.
func (j *Job) leftTableMissing(err error) bool {
	var refused *sqlclient.Error
	return !j.spec.Everything() && errors.As(err, &refused) &&
		(errors.Is(err, sqlclient.ErrUnknownTable) || missingTable.MatchString(refused.Message))
}

// passesOver tells whether the rows of a table are passed over: it is called
// what the filter leaves out, and was not replicated under another name. A table
// that has a selected name only now comes by a snapshot at once: its later
// binlogs, and the one that gave it the name, are contained in that.
func (s *shift) passesOver(table int64, name string, mapped bool) bool {
	if !mapped {
		return s.job.leavesOut(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left[table]
}

// leaveOut forgets a table in the middle of a shift.
func (s *shift) leaveOut(table int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == nil {
		s.left = map[int64]bool{}
	}
	s.left[table] = true
}
