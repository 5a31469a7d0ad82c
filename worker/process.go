package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/workflows"
)

const (
	// processPause is the time between tries to start the process' workflow; it
	// grows to processLongest where it cannot be started at all.
	processPause   = 5 * time.Second
	processLongest = 5 * time.Minute
	// processStopTimeout bounds the time that a stopping process takes to end it.
	processStopTimeout = time.Second
)

// processWorker runs the workflow of this process, through which API servers ask
// it for what it knows (job.WorkflowTypeWorker). Jobs do not need it: without it
// answers are only older, or dearer.
type processWorker struct {
	client client.Client
	log    *slog.Logger
	worker sdkworker.Worker
	id     string // of the workflow and of its task queue
	host   string
	spread *spread
	// sample notes how the jobs of this process are.
	sample func(now time.Time)

	stop       context.CancelFunc
	background sync.WaitGroup
}

// newProcessWorker makes the processWorker that answers as the workflow does. yield gives one
// shift of this process away, if there is one that may be. sample notes how its jobs are.
func newProcessWorker(o Options, answers workflows.WorkerProcess, yield func() bool, sample func(now time.Time)) *processWorker {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host" // only for people's eyes
	}
	p := &processWorker{client: o.Client, log: o.Logger, host: host, sample: sample, id: job.WorkerWorkflowIDPrefix + strings.ToLower(rand.Text())}
	s := commonOptions(o)
	s.DisableRegistrationAliasing = true
	p.spread = &spread{own: p.id, log: o.Logger, load: answers.Load, others: p.loads, yield: yield}
	p.worker = sdkworker.New(o.Client, p.id, s)
	p.worker.RegisterWorkflowWithOptions(answers.Run, workflow.RegisterOptions{Name: job.WorkflowTypeWorker})
	return p
}

// Start begins to answer questions.
func (p *processWorker) Start() error {
	if err := p.worker.Start(); err != nil {
		return fmt.Errorf("start the worker of task queue %s: %w", p.id, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	p.background.Go(func() { p.keepRunning(ctx) })
	p.background.Go(func() { p.sweepRegularly(ctx) })
	p.background.Go(func() { p.spread.run(ctx) })
	p.background.Go(func() { p.sampleRegularly(ctx) })
	return nil
}

// sweepRegularly sweeps from time to time until ctx is done.
func (p *processWorker) sweepRegularly(ctx context.Context) {
	ticker := time.NewTicker(sweepPause)
	defer ticker.Stop()
	for {
		if err := p.sweep(ctx); err != nil && ctx.Err() == nil {
			p.log.Debug("Workflows of worker processes that are gone are left for later.", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sampleRegularly takes a sample of the jobs every job.SampleEvery until ctx is done.
func (p *processWorker) sampleRegularly(ctx context.Context) {
	ticker := time.NewTicker(job.SampleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			p.sample(now)
		}
	}
}

// keepRunning starts the workflow, and again if somebody ends it, until ctx is done.
func (p *processWorker) keepRunning(ctx context.Context) {
	for pause := processPause; ; pause = min(2*pause, processLongest) {
		began := time.Now()
		err := p.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > processLongest {
			pause = processPause
		}
		p.log.Warn("The workflow of this worker process has ended: lags cost more without it. It is started again.",
			"workflow", p.id, "in", pause, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (p *processWorker) run(ctx context.Context) error {
	run, err := p.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       p.id,
		TaskQueue:                p.id,
		WorkflowRunTimeout:       workflows.WorkerRunTimeout,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            fmt.Sprintf("ccr worker on %s, process %d", p.host, os.Getpid()),
	}, job.WorkflowTypeWorker)
	if err != nil {
		return fmt.Errorf("start workflow %s: %w", p.id, err)
	}
	return run.Get(ctx, nil)
}

// Stop ends the workflow and then its worker.
func (p *processWorker) Stop() {
	p.stop()
	p.background.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), processStopTimeout)
	defer cancel()
	// Without this word another process ends the workflow, minutes later.
	err := p.client.SignalWorkflow(ctx, p.id, "", job.SignalWorkerStops, nil)
	if err == nil {
		err = p.client.GetWorkflow(ctx, p.id, "").Get(ctx, nil)
	}
	if err != nil {
		p.log.Debug("The workflow of this worker process was not ended.", "workflow", p.id, "error", err)
	}
	p.worker.Stop()
}

// runningProcesses are the workflow ids of the worker processes that run, or have died
// only lately.
func runningProcesses(ctx context.Context, c client.Client) (ids []string, err error) {
	page, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: job.RunningWorkersQuery})
	if err != nil {
		return nil, fmt.Errorf("list worker processes: %w", err)
	}
	for _, p := range page.GetExecutions() {
		if id := p.GetExecution().GetWorkflowId(); strings.HasPrefix(id, job.WorkerWorkflowIDPrefix) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
