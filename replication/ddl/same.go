package ddl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
	"github.com/doris-ccr/ccr/replication/schema"
)

// What the destination has under a name is what the source has under it, or it is
// not: these look at the whole thing. They compare with what the binlog itself
// says wherever it says enough: the source may have moved on since.

// createdOtherwise tells in what an object that was created from a binlog's text
// is another than the one that the text is of, "" if it is the same.
func (a *application) createdOtherwise(create binlog.CreateTable, name string) (string, error) {
	if a.foresees {
		return "", nil
	}
	want, err := schema.ParseDefinition(create.SQL, a.j.Spec.Source.Database)
	if err != nil {
		return "", problem.WithRemedy(err, problem.RemedySnapshot)
	}
	have, err := a.definitionOf(name)
	if err != nil {
		return "", err
	}
	return schema.InWords(want.Differences(have)), nil
}

// alteredOtherwise is createdOtherwise for a view with a new query.
func (a *application) alteredOtherwise(def binlog.ViewDef, name string) (string, error) {
	if a.foresees {
		return "", nil
	}
	have, err := a.definitionOf(name)
	if err != nil {
		return "", err
	}
	want := schema.ParseViewQuery(def.InlineViewDef, have.Comment, a.j.Spec.Source.Database)
	return schema.InWords(want.Differences(have)), nil
}

// otherPartition tells why the destination's partition of a name is not the
// source's with an id, "" if it is, or if the source does not have that any more:
// then its end comes later in the log.
func (a *application) otherPartition(source int64, id int64, name, table string) (string, error) {
	have, err := a.j.Destination.TableByName(a.ctx, table)
	if err != nil || have == nil {
		return "", err
	}
	p := formalPartition(have, func(p *meta.Partition) bool { return strings.EqualFold(p.Name, name) })
	if p == nil {
		return "", nil
	}
	from, _, err := a.j.Source.TableByID(a.ctx, source)
	if err != nil || from == nil {
		return "", err
	}
	want := formalPartition(from, func(p *meta.Partition) bool { return p.ID == id })
	if want == nil || want.Key == p.Key {
		return "", nil
	}
	return fmt.Sprintf("partition %s holds %q on the destination and %q at the source", name, p.Key, want.Key), nil
}

func formalPartition(t *meta.Table, is func(*meta.Partition) bool) *meta.Partition {
	i := slices.IndexFunc(t.Partitions, func(p *meta.Partition) bool { return !p.Temporary && is(p) })
	if i < 0 {
		return nil
	}
	return t.Partitions[i]
}

// otherColumn tells why the destination's column of a name is not the source's of
// that name, "" if it is, or if the source has none of that name any more.
func (a *application) otherColumn(source int64, name string, have []sqlclient.Column) (string, error) {
	from, _, err := a.j.Source.TableByID(a.ctx, source)
	if err != nil || from == nil {
		return "", err
	}
	want, err := a.j.Source.SQL.Columns(a.ctx, a.j.Spec.Source.Database, from.Name)
	if err != nil {
		return "", fmt.Errorf("look at the columns of source table %s: %w", from.Name, err)
	}
	typeOf := func(columns []sqlclient.Column) string {
		for _, c := range columns {
			if strings.EqualFold(c.Name, name) {
				return schema.NormalType(c.Type)
			}
		}
		return ""
	}
	if there, here := typeOf(want), typeOf(have); there != "" && there != here {
		return fmt.Sprintf("column %s is %s on the destination and %s at the source", name, here, there), nil
	}
	return "", nil
}

// otherRollup tells why the destination's rollup of a name is not the source's of
// that name, "" if it is, or if the source has none of that name any more.
func (a *application) otherRollup(source int64, name, table string) (string, error) {
	from, _, err := a.j.Source.TableByID(a.ctx, source)
	if err != nil || from == nil {
		return "", err
	}
	want, err := a.j.Source.SQL.IndexColumns(a.ctx, a.j.Spec.Source.Database, from.Name)
	if err != nil {
		return "", fmt.Errorf("look at the rollups of source table %s: %w", from.Name, err)
	}
	have, err := a.j.Destination.SQL.IndexColumns(a.ctx, a.j.Spec.Destination.Database, table)
	if err != nil {
		return "", fmt.Errorf("look at the rollups of destination table %s: %w", table, err)
	}
	if _, ok := want[name]; !ok || indexLine(want[name]) == indexLine(have[name]) {
		return "", nil
	}
	return fmt.Sprintf("rollup %s has the columns %s on the destination and %s at the source",
		name, strings.Join(have[name], ", "), strings.Join(want[name], ", ")), nil
}

// bringConflicting tells that the destination is not what it should be, and brings
// the table by a snapshot.
func (a *application) bringConflicting(source int64, format string, args ...any) (job.ApplyResult, error) {
	why := fmt.Sprintf(format, args...)
	result, err := a.replaceTable(source, "%s at commit seq %d: %s", a.rec.Type, a.rec.CommitSeq, why)
	return a.withConflict(why, result, err)
}

// withConflict adds an event to a result that is an order for a snapshot.
func (a *application) withConflict(why string, result job.ApplyResult, err error) (job.ApplyResult, error) {
	var want *problem.WantSnapshot
	if errors.As(err, &want) {
		result, err = job.ApplyResult{Wanted: &want.Wanted}, nil
	}
	if result.Wanted != nil {
		result.Conflict = why
	}
	return result, err
}
