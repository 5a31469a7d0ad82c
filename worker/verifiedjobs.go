package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

const (
	// catchUpTime is how long CaughtUp waits for the job's next heartbeats. A busy
	// process sends one every 3 s.
	catchUpTime = 8 * time.Second
	// catchUpPause is the time between two looks at them, repairPause between two looks
	// whether a repair is over.
	catchUpPause = 250 * time.Millisecond
	repairPause  = 2 * time.Second
	// orderLost is when an order counts as lost of which the job tells nothing: it keeps
	// only so many outcomes.
	orderLost = 10 * time.Minute
)

// verifiedJobs asks the workflows of jobs for what verifications of them need. It is
// activities.Jobs.
type verifiedJobs struct {
	client client.Client
	// lag asks the source of a job for its lag.
	lag func(context.Context, job.StepInput) (binlog.Lag, error)
	holders
}

// VerifyInput asks a job for some of its tables. A job that does not exist is an error
// that ends the verification.
func (v *verifiedJobs) VerifyInput(ctx context.Context, name string, wanted job.VerifyWanted) (job.StepInput, error) {
	names := wanted.Names
	wanted.Names = false // all tables come packed, if there are many
	var in job.StepInput
	if err := v.query(ctx, name, job.QueryVerifyInput, &in, wanted); err != nil || !names {
		return in, err
	}
	var known job.TablesKnown
	err := v.query(ctx, name, job.QueryTables, &known, job.TablesWanted{})
	var unknown *serviceerror.QueryFailed
	if errors.As(err, &unknown) { // a worker of an earlier release has the job
		wanted.Names = true
		err = v.query(ctx, name, job.QueryVerifyInput, &in, wanted)
		return in, err
	}
	if err != nil {
		return job.StepInput{}, err
	}
	if known.Tables == nil {
		return job.StepInput{}, fmt.Errorf("job %s: it was asked for its tables, and told none", name)
	}
	mapping, err := known.Tables.Open()
	if err != nil {
		return job.StepInput{}, fmt.Errorf("job %s: its tables: %w", name, err)
	}
	in.Progress.Tables, in.Progress.Partitions = mapping.Tables, mapping.Partitions
	return in, nil
}

// CaughtUp tells whether the job has applied all that its source had recorded when it
// was asked. It waits a little for the job's reports: what they tell is seconds old.
func (v *verifiedJobs) CaughtUp(ctx context.Context, name string) (position int64, caughtUp bool, err error) {
	in, err := v.VerifyInput(ctx, name, job.VerifyWanted{})
	if err != nil {
		return 0, false, err
	}
	lag, err := v.lag(ctx, in)
	if err != nil {
		return 0, false, fmt.Errorf("ask the source of job %s how far it is: %w", name, err)
	}
	for deadline := time.Now().Add(catchUpTime); ; {
		durable, err := v.durable(ctx, name, in.Progress)
		position = max(position, durable)
		switch {
		case err != nil:
			return 0, false, err
		case position >= lag.LastCommitSeq:
			return position, true, nil
		case time.Now().After(deadline):
			return position, false, nil
		}
		if err := sleep(ctx, catchUpPause); err != nil {
			return 0, false, err
		}
	}
}

// durable is up to where a job has applied everything: what its workflow knew, or what
// its shift has reported since.
func (v *verifiedJobs) durable(ctx context.Context, name string, known job.Progress) (int64, error) {
	newest := known.Durable()
	d, err := v.client.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
	if err != nil {
		return 0, jobError(name, "look how far it is", err)
	}
	for _, a := range d.GetPendingActivities() {
		details := a.GetHeartbeatDetails()
		if job.StepName(a.GetActivityType().GetName()) != job.ActivityStream || len(details.GetPayloads()) == 0 {
			continue
		}
		var beat job.Heartbeat
		if err := DataConverter().FromPayloads(details, &beat); err != nil || beat.Position.CommitSeq == 0 {
			continue // an older or newer worker's: what the workflow knows remains
		}
		at := job.Progress{Position: beat.Position, Settling: beat.Settling}
		newest = max(newest, at.Durable())
	}
	return newest, nil
}

// AwaitRepair waits until the job has carried out an order to repair, or has refused
// it.
func (v *verifiedJobs) AwaitRepair(ctx context.Context, in job.RepairAwaited) (job.RepairOutcome, error) {
	for began := time.Now(); ; {
		activity.RecordHeartbeat(ctx, job.Heartbeat{At: time.Now()})
		var s job.Status
		if err := v.query(ctx, in.Job, job.QueryStatus, &s); err != nil {
			return job.RepairOutcome{}, err
		}
		outcome, found := s.Outcome(in.Request)
		switch {
		case outcome.Refused != "":
			return job.RepairOutcome{Refused: outcome.Refused, Later: strings.HasPrefix(outcome.Refused, job.RepairBusy)}, nil
		case found && !snapshotting(s.Phase):
			return job.RepairOutcome{}, nil
		case !found && !snapshotting(s.Phase) && time.Since(began) > orderLost:
			return job.RepairOutcome{Refused: "the job does not tell what became of the order", Later: true}, nil
		}
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			return job.RepairOutcome{}, temporal.NewApplicationError("the worker is stopping", job.ErrorTypeWorkerStopping)
		case <-ctx.Done():
			return job.RepairOutcome{}, ctx.Err()
		case <-time.After(repairPause):
		}
	}
}

// ScheduledJob deletes the schedule of a job that does not exist any more: somebody has
// ended it in Temporal, where nobody else takes its schedule with it.
func (v *verifiedJobs) ScheduledJob(ctx context.Context, name string) (job.ScheduledJob, error) {
	d, err := v.client.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
	var notFound *serviceerror.NotFound
	switch {
	case errors.As(err, &notFound):
	case err != nil:
		return job.ScheduledJob{}, jobError(name, "look whether it exists", err)
	case !slices.Contains(ended, d.GetWorkflowExecutionInfo().GetStatus()):
		return job.ScheduledJob{}, nil
	}
	if err := v.client.ScheduleClient().GetHandle(ctx, job.VerifyScheduleID(name)).Delete(ctx); err != nil && !errors.As(err, &notFound) {
		return job.ScheduledJob{}, fmt.Errorf("delete the schedule of job %s, which does not exist any more: %w", name, err)
	}
	return job.ScheduledJob{Gone: true}, nil
}

// ended are the states of workflows of jobs that do not exist any more.
var ended = []enumspb.WorkflowExecutionStatus{
	enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED,
	enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
}

func snapshotting(p job.Phase) bool {
	return p == job.PhaseTakeSnapshot || p == job.PhaseRestore || p == job.PhaseFinishSnapshot
}

// query asks the workflow of a job that exists.
func (v *verifiedJobs) query(ctx context.Context, name, query string, out any, args ...any) error {
	resp, err := v.client.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: job.WorkflowID(name), QueryType: query, Args: args,
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	switch {
	case err != nil:
		return jobError(name, "ask it for "+query, err)
	case resp.QueryRejected != nil:
		return noJob(name)
	}
	if err := resp.QueryResult.Get(out); err != nil {
		return fmt.Errorf("job %s: read its answer to %s: %w", name, query, err)
	}
	return nil
}

func jobError(name, what string, err error) error {
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return noJob(name)
	}
	return fmt.Errorf("job %s: %s: %w", name, what, err)
}

// noJob ends a verification.
func noJob(name string) error {
	return temporal.NewNonRetryableApplicationError("job "+name+" not exist", job.ErrorTypeNoJob, nil)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
