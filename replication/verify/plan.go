package verify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// Plan lists the tables and views that request selects: those of the job, and those
// that only one of the sides has.
func (j *Job) Plan(ctx context.Context, in job.StepInput, request job.VerifyRequest) (job.VerifyPlan, error) {
	filter := job.TableFilter{Include: request.Tables}
	var plan job.VerifyPlan
	known := map[string]bool{}
	for id, t := range in.Progress.Tables {
		known[t.Name] = true
		if !t.Gone && filter.Selects(t.Name) {
			plan.Tables = append(plan.Tables, job.VerifyTarget{ID: id, Name: t.Name, View: t.View})
		}
	}
	if len(request.Partitions) > 0 && len(plan.Tables) != 1 {
		return job.VerifyPlan{}, problem.Refusef("partitions can be named with one table only, and %d are selected", len(plan.Tables))
	}
	if len(request.Partitions) == 0 && j.Spec.Type() == job.DatabaseSync {
		strangers, err := j.strangers(ctx, known)
		if err != nil {
			return job.VerifyPlan{}, err
		}
		for _, t := range strangers {
			if filter.Selects(t.Name) {
				plan.Tables = append(plan.Tables, t)
			}
		}
	}
	slices.SortFunc(plan.Tables, func(a, b job.VerifyTarget) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return plan, nil
}

// strangers are tables and views that the job does not have and a side has: those of
// the source that it should have, and those of the destination unless somebody else
// may rightly have put them there, as beside a job of some tables only.
func (j *Job) strangers(ctx context.Context, known map[string]bool) ([]job.VerifyTarget, error) {
	isKnown := func(name string) bool { return known[name] || isTemporary(name) }
	ours, err := j.SelectedNames(ctx)
	if err != nil {
		return nil, err
	}
	ours = slices.DeleteFunc(ours, isKnown)
	if ours, err = j.WithoutAsyncViews(ctx, ours); err != nil {
		return nil, err
	}
	var list []job.VerifyTarget
	for chunk := range slices.Chunk(ours, pair.MetaChunk) {
		db, err := j.Source.FE.Meta(ctx, fe.MetaRequest{DatabaseID: j.Spec.Source.DatabaseID, Database: j.Spec.Source.Database, Tables: chunk})
		if err != nil {
			return nil, fmt.Errorf("read the ids of source tables: %w", err)
		}
		for _, name := range chunk {
			target := job.VerifyTarget{Name: name, View: true}
			if t := db.TableByName(name); t != nil {
				target = job.VerifyTarget{Name: name, ID: t.ID}
			}
			list = append(list, target)
		}
	}
	if !j.Spec.Everything() {
		return list, nil
	}
	theirs, err := j.Destination.SQL.Tables(ctx, j.Spec.Destination.Database)
	if err != nil {
		return nil, fmt.Errorf("list the tables of the destination: %w", err)
	}
	for _, name := range theirs {
		if !isKnown(name) && !slices.Contains(ours, name) {
			list = append(list, job.VerifyTarget{Name: name})
		}
	}
	return list, nil
}

// isTemporary tells names of what a restore has not swapped in yet.
func isTemporary(name string) bool {
	return strings.HasPrefix(name, "__ccr_") || strings.HasPrefix(name, "__doris_")
}

// stranger compares what the job does not have.
func (v *verification) stranger(ctx context.Context) error {
	v.gone = false
	err := v.definitionOnly(ctx, job.Table{Name: v.in.Target.Name}, v.strange)
	if err == nil && v.result.Outcome == job.VerifyEqual && v.gone {
		v.result.Outcome, v.result.Why = job.VerifyNotComparable, "it is not there any more, or not the job's"
	}
	return err
}

// strange is structure of what the job does not have.
func (v *verification) strange(ctx context.Context, known job.Table) (*structure, error) {
	s := &structure{}
	if v.in.Target.ID != 0 {
		table, _, err := v.job.Source.TableByID(ctx, v.in.Target.ID)
		// The job may have left it meanwhile: one of a table follows what has its name
		// now, one of a database what its filter selects.
		v.gone = v.job.Spec.Type() == job.TableSync || !v.job.Spec.Selects(known.Name) || table != nil && !v.job.Spec.Selects(table.Name)
		if err == nil && !v.gone && table == nil {
			return s, v.leftBehind(ctx, s, known.Name)
		}
		if err == nil && !v.gone {
			s.from, s.missing = table, table.Partitions
			s.differ(job.VerifyDifference{Kind: kindObjects}, "the job does not have the source's table %s", table.Name)
		}
		return s, err
	}
	there := map[string]bool{}
	for _, c := range []*pair.Cluster{v.job.Source, v.job.Destination} {
		var err error
		if there[c.Side], err = c.SQL.TableExists(ctx, c.Spec.Database, known.Name); err != nil {
			return nil, fmt.Errorf("look for %s %s: %w", c.Side, known.Name, err)
		}
	}
	source, destination := there[v.job.Source.Side], there[v.job.Destination.Side]
	v.gone = !source && !destination
	switch {
	case source && destination:
		return s, v.definitions(ctx, s, known.Name, known.Name)
	case source:
		s.differ(job.VerifyDifference{Kind: kindObjects}, "the destination does not have %s", known.Name)
	case destination:
		s.differ(job.VerifyDifference{Kind: kindObjects}, "only the destination has %s", known.Name)
	}
	return s, nil
}

// leftBehind looks whether the destination still has a table that is neither the
// source's nor the job's any more. What has its name on the source now is another
// table, which the job knows, or will.
func (v *verification) leftBehind(ctx context.Context, s *structure, name string) error {
	v.gone = true
	exists, err := v.job.Source.SQL.TableExists(ctx, v.job.Spec.Source.Database, name)
	if err != nil || exists {
		return err
	}
	if exists, err = v.job.Destination.SQL.TableExists(ctx, v.job.Spec.Destination.Database, v.job.DestinationName(name)); err != nil || !exists {
		return err
	}
	v.gone = false
	s.differ(job.VerifyDifference{Kind: kindObjects}, "only the destination has %s: the source's was dropped", name)
	return nil
}
