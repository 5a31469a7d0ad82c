// Package worker connects a process with Temporal: the client with its data
// converter, log and metrics, and the workers that run jobs.
package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/activities"
	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
	"github.com/doris-ccr/ccr/secret"
	"github.com/doris-ccr/ccr/workflows"
)

const (
	// DefaultStreamSlots is how many jobs one worker streams at once. A stream
	// keeps its slot for ever, so the next job would starve.
	DefaultStreamSlots = 2000
	// stopTimeout is what running steps get to end when the worker stops.
	stopTimeout = 30 * time.Second
	// stickyTimeout is how long the server offers a job's questions and orders to
	// the worker that has the job in its memory before it asks any other. When
	// that worker has died they wait this long. 5 s, the default, would be as long as
	// an API server waits. Too short a time costs a replay of the history.
	stickyTimeout = 2 * time.Second
	// thinkingTime is how long a workflow may think at once. A job with hundreds of
	// thousands of tables looks at all of them, which is slow on a busy machine.
	thinkingTime = 5 * time.Second
	// DefaultVerifySlots is how many tables one worker verifies at once: each reads a
	// table of both clusters.
	DefaultVerifySlots = 2
	// streamPollers is few: after a network partition the server hands the next
	// attempts of a shift to the polls of the dead connection first, and each
	// is lost for one heartbeat timeout (temporal-measured.md 5).
	streamPollers = 2
)

// Options configure a Worker.
type Options struct {
	Client    client.Client
	Connector *replication.Connector
	Keyring   *secret.Keyring
	// Failpoints make jobs fail on purpose; nil outside tests.
	Failpoints *failpoint.Set
	Logger     *slog.Logger
	// StreamSlots is how many jobs may stream here at once; 0 = DefaultStreamSlots.
	StreamSlots int
	// VerifySlots is how many tables may be verified here at once; 0 =
	// DefaultVerifySlots.
	VerifySlots int
	// HeartbeatTimeout is how long a silent worker keeps its jobs; 0 =
	// workflows.DefaultHeartbeatTimeout. 30 s saves the server work when there
	// are more than 200 jobs.
	HeartbeatTimeout time.Duration
	// NearServer tells that the Temporal server runs in this process: idle jobs send fewer
	// heartbeats then.
	NearServer bool
	// PayloadLimit is how large a job's state may be, in bytes; 0 =
	// workflows.DefaultPayloadLimit.
	PayloadLimit int
	// Webhook is told of changes of jobs' states; without a URL nobody is.
	Webhook activities.Webhook
	// OnFatalError is called when a worker cannot go on, for instance because
	// the namespace does not exist. It stops itself then. Optional.
	OnFatalError func(error)
}

// Worker runs jobs: one SDK worker for workflows and short steps, another for
// streams, so that streams never take the slots of snapshots, a third for
// verifications, and a small one that answers questions about the process.
type Worker struct {
	steps, streams, verifications sdkworker.Worker
	process                       *processWorker
	acts                          *activities.Activities
}

// New makes a worker. It does nothing before Start.
func New(o Options) (*Worker, error) {
	switch {
	case o.Client == nil:
		return nil, errors.New("worker: no Temporal client")
	case o.Connector == nil:
		return nil, errors.New("worker: no connector")
	}
	if o.Keyring == nil {
		o.Keyring = &secret.Keyring{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.StreamSlots <= 0 {
		o.StreamSlots = DefaultStreamSlots
	}
	if o.VerifySlots <= 0 {
		o.VerifySlots = DefaultVerifySlots
	}
	if o.HeartbeatTimeout <= 0 {
		o.HeartbeatTimeout = workflows.DefaultHeartbeatTimeout
	}
	w := &Worker{
		steps:   sdkworker.New(o.Client, job.TaskQueue, stepOptions(o)),
		streams: sdkworker.New(o.Client, job.StreamTaskQueue, streamOptions(o)),

		verifications: sdkworker.New(o.Client, job.VerifyTaskQueue, verifyOptions(o)),
	}
	acts := activities.New(o.Connector, o.Keyring, o.Logger)
	acts.NearServer = o.NearServer
	memory := newMemory(acts)
	jobs := workflows.Workflow{
		HeartbeatTimeout: o.HeartbeatTimeout, Webhook: o.Webhook.URL != "",
		DataConverter: DataConverter(), PayloadLimit: o.PayloadLimit, Memory: memory,
	}
	w.steps.RegisterWorkflowWithOptions(jobs.ReplicationJob, workflow.RegisterOptions{Name: job.WorkflowType})
	w.steps.RegisterWorkflowWithOptions(jobs.ReplicationJobLarge, workflow.RegisterOptions{Name: job.WorkflowTypeLarge})
	w.steps.RegisterWorkflowWithOptions(workflows.CheckSetup, workflow.RegisterOptions{Name: job.WorkflowTypeCheck})
	w.steps.RegisterWorkflowWithOptions(workflows.DescribeClusters, workflow.RegisterOptions{Name: job.WorkflowTypeClusters})
	w.steps.RegisterWorkflowWithOptions(workflows.DescribeTables, workflow.RegisterOptions{Name: job.WorkflowTypeTableSizes})
	w.steps.RegisterWorkflowWithOptions(workflows.DescribeBinlogs, workflow.RegisterOptions{Name: job.WorkflowTypeBinlogs})
	w.steps.RegisterWorkflowWithOptions(workflows.CheckChange, workflow.RegisterOptions{Name: job.WorkflowTypeCheckChange})
	w.steps.RegisterWorkflowWithOptions(jobs.VerifyTables, workflow.RegisterOptions{Name: job.WorkflowTypeVerify})
	w.steps.RegisterWorkflowWithOptions(workflows.StartVerification, workflow.RegisterOptions{Name: job.WorkflowTypeVerifyStart})
	acts.FailAt(o.Failpoints)
	acts.Webhook = o.Webhook
	verified := &verifiedJobs{client: o.Client, lag: acts.Lag, holders: holders{client: o.Client}}
	acts.Jobs, acts.Tables = verified, jobTables{o.Client}
	register(w.steps, acts.Steps())
	register(w.steps, map[string]any{job.ActivityAwaitRepair: verified.AwaitRepair, job.ActivityScheduledJob: verified.ScheduledJob})
	register(w.verifications, acts.Verifications())
	register(w.streams, acts.Streams())
	w.acts, w.process = acts, newProcessWorker(o, workflows.WorkerProcess{
		Lags: acts.Lags, Jobs: memory.jobs, Samples: acts.Samples, Hold: acts.Hold, Load: func() job.Load { return job.Load{Shifts: acts.Load(), Slots: o.StreamSlots} },
	}, acts.Yield, acts.Sample)
	return w, nil
}

func register(w sdkworker.ActivityRegistry, activities map[string]any) {
	for name, do := range activities {
		w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
}

// Start begins to take work. An error means that none is taken.
func (w *Worker) Start() error {
	if err := w.streams.Start(); err != nil {
		return fmt.Errorf("start the worker of task queue %s: %w", job.StreamTaskQueue, err)
	}
	if err := w.verifications.Start(); err != nil {
		w.streams.Stop()
		return fmt.Errorf("start the worker of task queue %s: %w", job.VerifyTaskQueue, err)
	}
	if err := w.steps.Start(); err != nil {
		w.verifications.Stop()
		w.streams.Stop()
		return fmt.Errorf("start the worker of task queue %s: %w", job.TaskQueue, err)
	}
	if err := w.process.Start(); err != nil {
		w.steps.Stop()
		w.verifications.Stop()
		w.streams.Stop()
		return err
	}
	return nil
}

// Stop ends the steps and shifts under way, each with its result, and waits for
// them, half a minute at most for each kind. The worker of workflows stops
// first, while its jobs are quiet: the shifts' results then go straight to
// another worker, or wait for the next start. The other way round they would
// meet polls that nobody listens to any more and wait for ten seconds.
func (w *Worker) Stop() {
	w.steps.Stop()
	w.streams.Stop()
	w.verifications.Stop()
	w.process.Stop()
	w.acts.Close()
}

func stepOptions(o Options) sdkworker.Options {
	s := commonOptions(o)
	s.Interceptors = []interceptor.WorkerInterceptor{workflows.Interceptor()}
	// A panic in workflow code waits for a better version of the code. The job
	// it belongs to must not fail.
	s.WorkflowPanicPolicy = sdkworker.BlockWorkflow
	s.StickyScheduleToStartTimeout = stickyTimeout
	s.DeadlockDetectionTimeout = thinkingTime
	return s
}

func streamOptions(o Options) sdkworker.Options {
	s := commonOptions(o)
	s.DisableWorkflowWorker = true
	s.MaxConcurrentActivityExecutionSize = o.StreamSlots
	s.MaxConcurrentActivityTaskPollers = streamPollers
	return s
}

func verifyOptions(o Options) sdkworker.Options {
	s := commonOptions(o)
	s.DisableWorkflowWorker = true
	s.MaxConcurrentActivityExecutionSize = o.VerifySlots
	s.MaxConcurrentActivityTaskPollers = streamPollers
	return s
}

func commonOptions(o Options) sdkworker.Options {
	// At most 0.4 of the timeout, so that a worker cut off from the server ends
	// its steps before somebody else begins them (temporal-measured.md 5).
	throttle := o.HeartbeatTimeout * 3 / 10
	return sdkworker.Options{
		WorkerStopTimeout:                stopTimeout,
		MaxHeartbeatThrottleInterval:     throttle,
		DefaultHeartbeatThrottleInterval: throttle,
		OnFatalError: func(err error) {
			o.Logger.Error("A Temporal worker cannot go on.", "error", err)
			if o.OnFatalError != nil {
				o.OnFatalError(err)
			}
		},
	}
}
