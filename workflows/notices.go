package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// Each change of a job's state becomes a notice, which an activity delivers to the
// webhook beside the loop: a receiver that is down delays nothing.

const (
	// noticeTimeout bounds one request, noticeDeadline all tries of one notice.
	noticeTimeout  = 15 * time.Second
	noticeDeadline = time.Hour
	// lastNotices is how long the end of a deleted job waits for its last
	// notices to be delivered.
	lastNotices = 5 * time.Second
)

var noticeRetries = temporal.RetryPolicy{
	InitialInterval:    time.Second,
	BackoffCoefficient: 2,
	MaximumInterval:    time.Minute,
}

// webhook tells whether there is a webhook. Workers may differ in that, so the
// answer is part of the history.
func (r *run) webhook() bool {
	if !r.version(changeWebhook) {
		return false
	}
	on := false
	answer := workflow.MutableSideEffect(r.ctx, string(changeWebhook),
		func(workflow.Context) any { return r.settings.Webhook },
		func(a, b any) bool { return a == b })
	if err := answer.Get(&on); err != nil {
		r.log.Warn("Whether there is a webhook cannot be read.", "error", err)
	}
	return on
}

// notify queues notices of what has changed since the last ones.
func (r *run) notify() {
	if !r.checked() {
		return
	}
	now := job.Told{State: r.stateWord(), FullSyncs: r.p.FullSyncs, PartialSyncs: r.p.PartialSyncs}
	if r.p.Told != nil && *r.p.Told == now {
		return
	}
	on := r.webhook()
	before := r.p.Told
	r.p.Told = &now
	if !on {
		return
	}
	if before == nil {
		if r.p.FullSyncs > 1 || r.p.Phase != job.PhaseTakeSnapshot {
			return // an older job of which there has been no notice yet
		}
		r.queueNotice(job.NoticeCreated, "")
		before = &job.Told{State: "running"}
	}
	if now.FullSyncs > before.FullSyncs {
		r.queueNotice(job.NoticeFullSync, r.p.FullSyncInfo.Info)
	}
	if now.PartialSyncs > before.PartialSyncs {
		r.queueNotice(job.NoticePartialSync, r.snapshotReason())
	}
	if now.State != before.State {
		r.notifyState(before.State, now.State)
	}
}

func (r *run) notifyState(before, now string) {
	switch now {
	case "paused":
		r.queueNotice(job.NoticePaused, "")
	case "stalled":
		r.queueNotice(job.NoticeStalled, "")
	case "running":
		event := job.NoticeRunning
		if before == "stalled" {
			event = job.NoticeRecovered
		}
		r.queueNotice(event, "")
	}
}

func (r *run) snapshotReason() string {
	if r.p.Snapshot == nil {
		return ""
	}
	return r.p.Snapshot.Reason
}

// queueNotice puts a notice into the queue.
func (r *run) queueNotice(event, reason string) {
	r.p.NoticeSeq++
	n := job.Notice{
		ID: fmt.Sprintf("%s-%d", r.spec.UID, r.p.NoticeSeq), Event: event, At: r.now(),
		Job: r.spec.Name, UID: r.spec.UID, State: r.stateWord(), ProgressState: r.p.State.String(),
		CommitSeq: r.p.Position.CommitSeq, Reason: limit(reason, eventLimit),
		Source: r.side(&r.spec.Source), Destination: r.side(&r.spec.Destination),
	}
	if p := r.p.Problem; p != nil {
		n.Error = &job.NoticeError{Text: limit(p.Text, eventLimit), Kind: p.Kind, Binlog: p.Describe(r.p.Position.CommitSeq), Since: p.Since, Remedy: limit(p.Remedy, eventLimit)}
	}
	r.p.Notices = append(r.p.Notices, n)
	if extra := len(r.p.Notices) - job.MaxNotices; extra > 0 {
		r.event(levelWarn, "the webhook does not keep up: %d notices are dropped", extra)
		r.p.Notices = slices.Clone(r.p.Notices[extra:])
	}
}

// serveNotices delivers the notices one after the other. What is under way when
// a new run begins is delivered again by that.
func (r *run) serveNotices(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(r.p.Notices) > 0 })
		next := r.p.Notices[0]
		o := workflow.ActivityOptions{
			TaskQueue:              job.TaskQueue,
			StartToCloseTimeout:    noticeTimeout,
			ScheduleToCloseTimeout: noticeDeadline,
			RetryPolicy:            &noticeRetries,
			Summary:                summaryOf("tell the webhook: " + next.Event),
		}
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), job.ActivityNotify, next).Get(ctx, nil)
		if err != nil {
			r.event(levelWarn, "the webhook was not told of %q: %s", next.Event, oneLine(stepProblem(err, "webhook").Text, eventLimit))
		}
		r.p.Notices = slices.DeleteFunc(slices.Clone(r.p.Notices), func(n job.Notice) bool { return n.ID == next.ID })
	}
}

// notifyDeleted queues the last notice and waits, not for long, until it is
// delivered.
func (r *run) notifyDeleted() {
	if !r.checked() || r.p.Told == nil || !r.webhook() {
		return
	}
	r.queueNotice(job.NoticeDeleted, "")
	_, _ = workflow.AwaitWithOptions(r.ctx, workflow.AwaitOptions{
		Timeout:      lastNotices,
		TimerOptions: workflow.TimerOptions{Summary: "tell the webhook of the end"},
	}, func() bool { return len(r.p.Notices) == 0 })
}
