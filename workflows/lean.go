package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// The tables of a job travel with the input of each step, for people to read, as long
// as they are few. Of many only the digest travels (job.Lean): a worker has the tables
// since the step before, or asks for them. So a DDL costs the same history with ten
// tables and with ten thousand.

// leanAbove is how many entries a state has at most that travels as a whole.
const leanAbove = 500

// many tells whether there are so many entries that they do not travel with steps.
func (r *run) many(entries int) bool { return entries > leanAbove && r.version(changeLeanInputs) }

// mapped is how many entries there are of what each step reads.
func (r *run) mapped() int { return len(r.p.Tables) + len(r.p.Partitions) }

// executeStep is execute for a step that reads the job's tables.
func executeStep[Out any, In job.StepInput | job.StreamInput | job.ApplyInput | job.ApplySeveralInput | job.CleanUpInput](
	r *run, o workflow.ActivityOptions, grace time.Duration, name string, in In,
) (Out, error) {
	if r.many(r.mapped()) {
		return execute[Out](r, o, grace, job.LeanName(name), job.MakeLean(in))
	}
	return execute[Out](r, o, grace, name, in)
}

// executeSnapshotStep is executeStep for a step whose result has the tables of a
// snapshot, too, as many as inSnapshot says.
func executeSnapshotStep[Out job.SnapshotRestored | job.SnapshotFinished](
	r *run, o workflow.ActivityOptions, name string, in job.StepInput, inSnapshot int,
) (Out, error) {
	if !r.many(r.mapped() + inSnapshot) {
		return execute[Out](r, o, 0, name, in)
	}
	packed, err := execute[job.Packed[Out]](r, o, 0, job.LeanName(name), job.MakeLean(in))
	if err != nil {
		var none Out
		return none, err
	}
	out, err := packed.Open()
	if err != nil {
		panic(err) // waits for a worker of a version that knows the format
	}
	return out, nil
}

// answerTables answers workers that do not have the job's tables.
func (r *run) answerTables() error {
	o := workflow.QueryHandlerOptions{Description: "The tables of the job, if they are still those of a digest: for ccr itself."}
	answer := func(wanted job.TablesWanted) (converter.RawValue, error) {
		known := job.TablesKnown{Digest: job.DigestOf(r.p.Mapping())}
		if wanted.Digest == nil || *wanted.Digest == known.Digest {
			tables := job.Pack(r.p.Mapping())
			known.Tables = &tables
		}
		return r.settings.readable(known)
	}
	if err := workflow.SetQueryHandlerWithOptions(r.ctx, job.QueryTables, answer, o); err != nil {
		return fmt.Errorf("register query %s: %w", job.QueryTables, err)
	}
	return nil
}

// nextRun is the type and the input of a run that goes on with the job.
func (r *run) nextRun() (workflowType string, in any) {
	whole := job.WorkflowInput{Spec: r.spec, Progress: &r.p}
	if r.many(r.mapped() + r.inSnapshot() + len(r.p.Awaited)) {
		return whole.Run()
	}
	return job.WorkflowType, whole
}

// inSnapshot is how many entries there are of a snapshot that is being restored.
func (r *run) inSnapshot() int {
	s := r.p.Snapshot
	switch {
	case s == nil:
		return 0
	case s.Restored == nil:
		return s.Objects
	}
	return len(s.Restored.Tables) + len(s.Restored.Partitions) + len(s.Aliases)
}

// ReplicationJobLarge is ReplicationJob for a state that is packed.
func (w Workflow) ReplicationJobLarge(ctx workflow.Context, in job.Packed[job.WorkflowInput]) error {
	opened, err := in.Open()
	if err != nil {
		panic(err) // waits for a worker of a version that knows the format
	}
	return w.ReplicationJob(ctx, opened)
}
