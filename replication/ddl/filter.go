package ddl

import (
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// exclude is the result for a table whose name the job's filter does not
// select, or not any more: it stays on the destination as it is.
func (a *application) exclude(source int64) job.ApplyResult {
	known, mapped := a.p.Tables[source]
	if !mapped {
		return job.ApplyResult{Summary: "ignored: the table is left out by include_tables and exclude_tables"}
	}
	return job.ApplyResult{
		Summary: fmt.Sprintf("table %s is left out by include_tables and exclude_tables now: it stays on the destination as it is", known.Name),
		Tables:  job.TableChanges{Drop: []int64{source}},
	}
}

// replaceAcrossFilter replays REPLACE WITH TABLE where the filter selects only one of the
// two names: the content that has the selected name now comes by a snapshot,
// the other stays as it is. handled is false where both names are selected.
func (a *application) replaceAcrossFilter(replace binlog.ReplaceTable) (result job.ApplyResult, handled bool, err error) {
	origin, newer := !a.j.Excludes(replace.OriginTableName), !a.j.Excludes(replace.NewTableName)
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

// leftTableMissing tells whether the destination refused a view for want of a
// table, and the job leaves tables out. The missing one may also be a view that
// was refused before it, so its name is not looked at.
func (j *Job) leftTableMissing(err error) bool {
	var refused *sqlclient.Error
	return !j.Spec.Everything() && errors.As(err, &refused) &&
		(errors.Is(err, sqlclient.ErrUnknownTable) || problem.MissingTable.MatchString(refused.Message))
}
