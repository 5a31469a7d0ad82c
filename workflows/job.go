// Package workflows is the deterministic part of ccr: the state machine of one
// replication job, with the commands it carries out and the questions it answers.
// It decides; the activities (package activities) do.
//
// A job is one workflow that runs for years, a chain of runs joined by
// continue-as-new. Its only durable state is job.Progress.
package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// Workflow is the replication job with the settings of a worker. Settings change
// the options of activities, which replays do not compare, or are recorded in the
// history: workers with different settings can share a job.
type Workflow struct {
	// HeartbeatTimeout is how long the server waits for a sign of life of a step
	// before it gives it to another worker. 0 = DefaultHeartbeatTimeout.
	HeartbeatTimeout time.Duration
	// Webhook is set when this worker has a webhook to tell of changes.
	Webhook bool
	// DataConverter is that of the worker; the size of a large state is measured
	// with it. nil: it is not measured.
	DataConverter converter.DataConverter
	// PayloadLimit is how large a state may be, in bytes. 0 = DefaultPayloadLimit.
	PayloadLimit int
	// Memory is told how the jobs are whose workflows this process has; nil: nobody is.
	Memory Memory
}

// ReplicationJob replicates one database or table until the job is deleted. It
// fails only when the first checks refuse the job, with an application error of
// type job.ErrorTypeRefused; whatever goes wrong later is a job.Problem that it
// tries to get over for ever.
func (w Workflow) ReplicationJob(ctx workflow.Context, in job.WorkflowInput) error {
	r := newRun(ctx, w, in)
	defer r.forget()
	if err := r.listen(); err != nil {
		return err
	}
	return r.loop()
}

// ReplicationJob is Workflow.ReplicationJob with the default settings.
func ReplicationJob(ctx workflow.Context, in job.WorkflowInput) error {
	return Workflow{}.ReplicationJob(ctx, in)
}

// run is one run of the workflow.
type run struct {
	// root is cancelled by a request to cancel the workflow, which is only
	// another way to order a deletion.
	root workflow.Context
	// ctx is never cancelled: all work is done under it.
	ctx      workflow.Context
	log      log.Logger
	settings Workflow

	spec job.Spec
	p    job.Progress

	inbox       inbox
	lagRequests lagRequests

	// following are binlogs that may be applied together with Progress.Pending. A new run
	// does not have them: the stream brings them again.
	following []job.Binlog

	// streaming is set while a shift is under way; shifts counts those of this run.
	streaming bool
	shifts    int
	// serverRetries is set while the server may try the step again without the
	// workflow (serverretries.go).
	serverRetries bool
	// oversized is set while the state is too large to be handed on.
	oversized bool
	// measured is how many entries the state had when this run measured it last.
	measured int
	// notBefore delays the next step after a failure. A new run forgets it and
	// tries at once.
	notBefore time.Time
	// restarts counts snapshots in a row that led to another snapshot without
	// the job getting any further; lastOrder is where the last one was ordered.
	restarts  int
	lastOrder int64
	// idleStops counts shifts in a row that stopped unasked without progress.
	idleStops int
	// newRunOrdered is set by the command continue_as_new.
	newRunOrdered bool
	// refused is set once the first checks have refused the job.
	refused bool
	// cleanUp tells a deletion that the job may have left something behind.
	cleanUp bool

	published published
}

func newRun(ctx workflow.Context, w Workflow, in job.WorkflowInput) *run {
	work, _ := workflow.NewDisconnectedContext(ctx)
	r := &run{
		root:     ctx,
		ctx:      work,
		log:      workflow.GetLogger(ctx),
		settings: w,
		spec:     in.Spec,
	}
	if in.Progress != nil && in.Progress.Phase != "" {
		r.p = *in.Progress
		return r
	}
	now := workflow.Now(ctx)
	created := in.Spec.CreatedAt
	if created.IsZero() {
		created = now
	}
	r.p = job.Progress{
		Phase:     job.PhaseCheck,
		State:     job.DBFullSync,
		Epoch:     created.Unix(),
		CreatedAt: created,
	}
	if in.Spec.Type() == job.TableSync {
		r.p.State = job.TableFullSync
	}
	r.p.AddEvent(now, levelInfo, "job created")
	for _, warning := range in.Warnings {
		r.p.AddEvent(now, levelWarn, "create_ccr: %s", oneLine(warning, eventLimit))
	}
	return r
}

// listen makes the job answer queries and hear signals, before its first step.
func (r *run) listen() error {
	r.inbox = newInbox(r.root)
	if err := r.answerQueries(); err != nil {
		return err
	}
	workflow.GoNamed(r.ctx, "observe lag", r.serveLag)
	workflow.GoNamed(r.ctx, "tell the webhook", r.serveNotices)
	if r.settings.Memory != nil {
		workflow.GoNamed(r.ctx, "tell the process", r.keepRemembered)
	}
	return nil
}

// loop is the life of the job: carry out the commands that have arrived, then
// take one step.
func (r *run) loop() error {
	for {
		r.handleCommands()
		r.notify()
		r.publishDetails()
		switch {
		case r.p.Phase == job.PhaseDeleting:
			r.delete()
			return nil
		case r.tooLarge():
			// Only a person can help. A timer would make the history grow, and a
			// new run is what must not be asked for.
			r.notify()
			r.publishDetails()
			_ = workflow.Await(r.ctx, r.inbox.pending)
		case r.mustContinueAsNew():
			if err := r.continueAsNew(); err != nil {
				return err
			}
		case r.p.Paused:
			r.awaitCommand()
		case r.delay() > 0:
			r.awaitNextTry()
		default:
			if err := r.step(); err != nil {
				return err
			}
		}
	}
}

// step takes the next step of the job. Only a refusal is an error.
func (r *run) step() error {
	r.serverRetries = false
	switch r.p.Phase {
	case job.PhaseCheck:
		return r.check()
	case job.PhaseTakeSnapshot:
		r.takeSnapshot()
	case job.PhaseRestore:
		r.restoreSnapshot()
	case job.PhaseFinishSnapshot:
		r.finishSnapshot()
	case job.PhaseStream:
		r.follow()
	case job.PhaseApply:
		r.apply()
	default:
		r.reportProblem(job.Problem{
			Text:   "the job is in phase " + string(r.p.Phase) + ", which this worker does not know",
			Kind:   job.KindNormal,
			Remedy: "run workers of the version that wrote this state, or a newer one",
		})
	}
	return nil
}

// follow takes the next step of incremental sync.
func (r *run) follow() {
	switch {
	case r.p.Reselect:
		r.selectTables()
	case len(r.p.Awaited) > 0:
		r.startNextSnapshot()
	default:
		r.stream()
	}
}

// mustContinueAsNew tells whether a new run is to take the place of this one: its
// history has grown long, or an operator asked (after a deployment).
func (r *run) mustContinueAsNew() bool {
	return r.newRunOrdered || workflow.GetInfo(r.ctx).GetContinueAsNewSuggested()
}

// continueAsNew returns the error that starts the next run. It returns nil when
// something has to be finished first: the loop then comes back.
func (r *run) continueAsNew() error {
	if r.lagRequests.busy() {
		// What the observer is doing would be lost, and with it the answer that
		// somebody waits for. It takes seconds.
		return workflow.Await(r.ctx, func() bool { return !r.lagRequests.busy() || r.inbox.pending() })
	}
	workflowType, in := r.nextRun()
	return workflow.NewContinueAsNewError(r.root, workflowType, in)
}

// input is what every step is given. Events and outcomes stay here: no step
// needs them and they would be written to the history each time.
func (r *run) input() job.StepInput {
	p := r.p
	p.Events, p.Outcomes, p.Notices = nil, nil, nil
	p.Brought = job.Brought{}
	return job.StepInput{Spec: r.spec, Progress: p}
}

func (r *run) now() time.Time { return workflow.Now(r.ctx) }

// The levels of events.
const (
	levelInfo  = "info"
	levelWarn  = "warn"
	levelError = "error"
)

// syncEvent is event for what a full or partial sync does.
func (r *run) syncEvent(level, format string, args ...any) {
	r.event(level, format, args...)
	r.p.Events[len(r.p.Events)-1].Sync = true
}

// event records what people should know, in the state of the job and in the
// log of the worker. The latter names the job and is silent during replays.
func (r *run) event(level, format string, args ...any) {
	r.p.AddEvent(r.now(), level, format, args...)
	say := map[string]func(string, ...any){levelWarn: r.log.Warn, levelError: r.log.Error}[level]
	if say == nil {
		say = r.log.Info
	}
	say(fmt.Sprintf(format, args...), "commit_seq", r.standing())
}
