package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"

	"github.com/doris-ccr/ccr/job"
)

// Tables answers for the tables of jobs: their workflows know.
type Tables interface {
	// JobTables is the answer of a run of a job to job.QueryTables.
	JobTables(ctx context.Context, workflowID, runID string, wanted job.TablesWanted) (job.TablesKnown, error)
}

// errTablesUnknown: the tables of the job cannot be had, so that the step cannot begin.
// They are never taken for none.
var errTablesUnknown = errors.New("the tables of the job are not known")

// remedyTablesUnknown is what a person can do about that.
const remedyTablesUnknown = "it is tried again by itself; if it stays, look in Temporal's Web UI whether the workflow of the job has failing tasks, and whether the workers have room for workflow tasks"

// given is the input of a step: whole, or lean as it came.
type given[In any] struct {
	// without may lack the tables. It is for what happens before and after the step.
	without In
	// whole returns the input with its tables.
	whole func(context.Context) (In, error)
	// digest of the tables that were left out, nil if none were.
	digest *job.MappingDigest
}

// wholeInput is an input that has its tables.
func wholeInput[In any](in In) given[In] {
	return given[In]{without: in, whole: func(context.Context) (In, error) { return in, nil }}
}

// leanInput is one whose tables the worker has, or asks for.
func leanInput[In job.StepInput | job.StreamInput | job.ApplyInput | job.ApplySeveralInput | job.CleanUpInput](a *Activities, uid string, in job.Lean[In]) given[In] {
	digest := in.Digest()
	return given[In]{without: in.Without(), digest: &digest, whole: func(ctx context.Context) (In, error) {
		known, err := a.tablesOf(ctx, uid, digest)
		if err != nil {
			var none In
			return none, err
		}
		return in.With(known)
	}}
}

// tablesOf returns the tables of a job that have a digest.
func (a *Activities) tablesOf(ctx context.Context, uid string, digest job.MappingDigest) (job.KnownMapping, error) {
	if known, ok := a.known.get(uid, digest); ok {
		return known, nil
	}
	if none := job.KnowMapping(job.Mapping{}); none.Digest() == digest {
		return none, nil
	}
	if a.Tables == nil {
		return job.KnownMapping{}, fmt.Errorf("%w: there is nobody to ask", errTablesUnknown)
	}
	of := activity.GetInfo(ctx).WorkflowExecution
	answer, err := a.Tables.JobTables(ctx, of.ID, of.RunID, job.TablesWanted{Digest: &digest})
	switch {
	case err != nil:
		return job.KnownMapping{}, fmt.Errorf("%w: %w", errTablesUnknown, err)
	case answer.Tables == nil:
		return job.KnownMapping{}, fmt.Errorf("%w: they are %s now, and the step was ordered with %s", errTablesUnknown, answer.Digest, digest)
	}
	mapping, err := answer.Tables.Open()
	if err != nil {
		return job.KnownMapping{}, fmt.Errorf("%w: %w", errTablesUnknown, err)
	}
	known := job.KnowMapping(mapping)
	if known.Digest() != digest {
		return job.KnownMapping{}, fmt.Errorf("%w: what was answered is %s, and the step was ordered with %s", errTablesUnknown, known.Digest(), digest)
	}
	a.known.put(uid, known)
	return known, nil
}

// changed keeps what the changes of a step have made of the job's tables, so that the
// next step of the job finds them here.
func (a *Activities) changed(uid string, digest *job.MappingDigest, c job.TableChanges) {
	if digest == nil || len(c.Set)+len(c.Drop) == 0 {
		return
	}
	if known, ok := a.known.get(uid, *digest); ok {
		a.known.put(uid, known.Apply(c))
	}
}
