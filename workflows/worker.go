package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

const (
	// workerRunLength is how long a run of the workflow of a worker process lasts:
	// each leaves a closed run in the lists of the Web UI.
	workerRunLength = 24 * time.Hour
	// WorkerRunTimeout is when the server gives a run up whose process has died, if
	// no other process has ended it before (worker, sweep).
	WorkerRunTimeout = workerRunLength + time.Hour
)

// WorkerProcess is the workflow of one worker process. It decides nothing: it
// makes the process reachable for questions, through Temporal alone.
type WorkerProcess struct {
	// Lags answers job.QueryLags at once, from the memory of the process.
	Lags func(job.LagsWanted) job.LagsKnown
	// Jobs answers job.QueryJobs, and Load job.QueryLoad, in the same way.
	Jobs func(job.JobsWanted) job.JobsKnown
	Load func() job.Load
	// Samples answers job.QuerySamples, in the same way.
	Samples func(job.SamplesWanted) job.SamplesKnown
	// Hold answers job.QueryHold, as fast.
	Hold func(job.Hold) job.Held
}

// Run is the workflow. It ends when the process says that it stops.
func (w WorkerProcess) Run(ctx workflow.Context) error {
	for _, q := range []struct {
		name, description string
		answer            any
	}{
		{job.QueryLags, "How far jobs that stream in this process are behind.", func(in job.LagsWanted) (job.LagsKnown, error) { return w.Lags(in), nil }},
		{job.QueryJobs, "What this process has of jobs in its memory.", func(in job.JobsWanted) (job.JobsKnown, error) { return w.Jobs(in), nil }},
		{job.QuerySamples, "How jobs that stream in this process have been during the last hour.", func(in job.SamplesWanted) (job.SamplesKnown, error) { return w.Samples(in), nil }},
		{job.QueryHold, "Holds a partition of a job that streams in this process back, for a verification.", func(in job.Hold) (job.Held, error) { return w.Hold(in), nil }},
		{job.QueryLoad, "How many jobs stream in this process.", func() (job.Load, error) { return w.Load(), nil }},
	} {
		o := workflow.QueryHandlerOptions{Description: q.description}
		if err := workflow.SetQueryHandlerWithOptions(ctx, q.name, q.answer, o); err != nil {
			return fmt.Errorf("register query %s: %w", q.name, err)
		}
	}
	stops := workflow.GetSignalChannel(ctx, job.SignalWorkerStops)
	stopped, err := workflow.AwaitWithTimeout(ctx, workerRunLength, func() bool { return stops.Len() > 0 })
	if err != nil || stopped {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, job.WorkflowTypeWorker)
}
