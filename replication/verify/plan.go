package verify

import (
	"cmp"
	"context"
	"slices"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// Plan lists the tables and views of the job that request selects.
func (j *Job) Plan(_ context.Context, in job.StepInput, request job.VerifyRequest) (job.VerifyPlan, error) {
	filter := job.TableFilter{Include: request.Tables}
	var plan job.VerifyPlan
	for id, t := range in.Progress.Tables {
		if !t.Gone && filter.Selects(t.Name) {
			plan.Tables = append(plan.Tables, job.VerifyTarget{ID: id, Name: t.Name, View: t.View})
		}
	}
	slices.SortFunc(plan.Tables, func(a, b job.VerifyTarget) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	if len(request.Partitions) > 0 && len(plan.Tables) != 1 {
		return job.VerifyPlan{}, problem.Refusef("partitions can only be named with one table")
	}
	return plan, nil
}
