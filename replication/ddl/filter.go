package ddl

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
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

// nestedViews bounds how deep views stand on views.
const nestedViews = 10

// baseExcluded tells whether the destination refused a view for want of a table that
// the job's filter leaves out, or of a view that was refused for that reason. A table
// that is missing for another reason comes later, as one whose RENAME was filed late
// does.
func (a *application) baseExcluded(err error) (bool, error) {
	var refused *sqlclient.Error
	if a.j.Spec.Everything() || !errors.As(err, &refused) {
		return false, nil
	}
	name := missingTable.FindStringSubmatch(refused.Message)
	if name == nil {
		return errors.Is(err, sqlclient.ErrUnknownTable), nil
	}
	src := a.j.Spec.Source.Database
	names, err := a.j.Source.SQL.Tables(a.ctx, src)
	if err != nil {
		return false, fmt.Errorf("look whether the job leaves out what the view needs: %w", err)
	}
	views, err := a.j.Source.SQL.Views(a.ctx, src)
	if err != nil {
		return false, fmt.Errorf("look whether the job leaves out what the view needs: %w", err)
	}
	return a.standsOnExcluded(name[1], names, views, nestedViews)
}

// missingTable finds the name of the table in the refusal of a view.
var missingTable = regexp.MustCompile(`(?:Table \[|[Uu]nknown table ')([^\]']+)[\]']`)

// standsOnExcluded tells whether a name of the source is left out, or is that of a
// view which the destination does not have since it stands on such a one.
func (a *application) standsOnExcluded(name string, names, views []string, depth int) (bool, error) {
	switch {
	case a.j.Excludes(name):
		return true, nil
	case depth == 0 || !slices.Contains(views, name) || a.hasView(name):
		return false, nil
	}
	text, err := a.j.Source.SQL.CreateTableText(a.ctx, a.j.Spec.Source.Database, name)
	if errors.Is(err, sqlclient.ErrUnknownTable) {
		return false, nil // dropped this moment
	}
	if err != nil {
		return false, fmt.Errorf("look what view %s stands on: %w", name, err)
	}
	for _, other := range names {
		if other == name || !strings.Contains(text, sqlclient.Quote(other)) {
			continue
		}
		if found, err := a.standsOnExcluded(other, names, views, depth-1); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// hasView tells whether the job has a view of that name.
func (a *application) hasView(name string) bool {
	for _, t := range a.p.Tables {
		if t.View && t.Name == name {
			return true
		}
	}
	return false
}
