package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// DefaultHeartbeatTimeout lets another worker take over about ten seconds after
// a worker died. Workers with more than 200 jobs should use 30 s: every
// heartbeat is a write for the server (temporal-measured.md 3).
const DefaultHeartbeatTimeout = 10 * time.Second

const (
	// ShiftLength is the longest time a stream runs before it reports to the
	// history: 36 events an hour, idle or busy (temporal-measured.md 4).
	ShiftLength = 10 * time.Minute
	// ShortestShift is the shortest one that ends by its time (shiftLength).
	ShortestShift = 7 * time.Minute
	// shiftMargin is what a shift gets to end by itself. Then the server gives it up,
	// which also bounds the life of a stale shift.
	shiftMargin = time.Minute

	// checkTimeout bounds the first checks: a dozen statements on two clusters,
	// each with its own timeout.
	checkTimeout = 2 * time.Minute
	// snapshotTimeout bounds backup and restore. Doris gives them a day each.
	snapshotTimeout = 25 * time.Hour
	// finishTimeout bounds the swap of aliases and the reading of ids.
	finishTimeout = time.Hour
	// applyTimeout bounds one binlog that is not an UPSERT. It waits until all
	// earlier transactions are visible, which a busy destination may delay.
	applyTimeout = time.Hour
	// applyGrace is how long a command waits for a binlog that is being applied,
	// because cutting it off leaves its outcome unknown.
	applyGrace = 10 * time.Second
	// lagTimeout bounds one look at the source's lag: somebody waits for it.
	lagTimeout = 10 * time.Second
	// selectTimeout bounds reading the names and ids of all selected tables.
	selectTimeout = 5 * time.Minute
	// desyncTimeout bounds setting is_being_synced on all tables.
	desyncTimeout = 10 * time.Minute
	// cleanUpTimeout bounds the clean-up of a deleted job, retries included: a
	// cluster that is gone must not keep the job alive.
	cleanUpTimeout = 25 * time.Second
)

// The pause after a failure grows from firstBackoff to lastBackoff. Timers
// below a second are not worth asking for (temporal-measured.md 2).
const (
	firstBackoff = time.Second
	lastBackoff  = 30 * time.Second
)

// backoff is the pause after the n-th failure in a row, counted from 1.
func backoff(n int) time.Duration {
	d := firstBackoff
	for ; n > 1 && d < lastBackoff; n-- {
		d *= 2
	}
	return min(d, lastBackoff)
}

// retryPause is how long the server waits before it gives a step to another
// worker after the one that had it fell silent for a heartbeat timeout. It does
// not grow: with the default heartbeat timeout every death, not only the first
// one, has to be over within 15 seconds. What bounds the rate of attempts is the
// heartbeat timeout.
const retryPause = time.Second

// crashRetries is for steps. A step that fails says so in a non-retryable
// error, so that the workflow learns of it at once, shows it and tries again
// itself. What is left for the server to retry is what a step cannot report:
// its worker died or stopped. The bound makes even a step that kills its worker
// visible.
var crashRetries = temporal.RetryPolicy{
	InitialInterval:    retryPause,
	BackoffCoefficient: 1,
	MaximumAttempts:    5,
}

// shiftRetries has no bound: a shift reports its errors as a result, a retry
// only follows the death of a worker, and it continues from the last heartbeat,
// which a new shift would not know.
var shiftRetries = temporal.RetryPolicy{
	InitialInterval:    retryPause,
	BackoffCoefficient: 1,
}

// activityOptions returns the options of an activity on the queue of steps.
func (w Workflow) activityOptions(summary string, timeout time.Duration) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           job.TaskQueue,
		StartToCloseTimeout: timeout,
		HeartbeatTimeout:    w.heartbeatTimeout(),
		// The result of an interrupted step counts: it may have finished.
		WaitForCancellation: true,
		RetryPolicy:         &crashRetries,
		Summary:             summaryOf(summary),
	}
}

// shiftOptions returns the options of StreamUpserts.
func (w Workflow) shiftOptions(summary string) workflow.ActivityOptions {
	o := w.activityOptions(summary, ShiftLength+shiftMargin)
	o.TaskQueue = job.StreamTaskQueue
	o.RetryPolicy = &shiftRetries
	return o
}

func (w Workflow) heartbeatTimeout() time.Duration {
	if w.HeartbeatTimeout > 0 {
		return w.HeartbeatTimeout
	}
	return DefaultHeartbeatTimeout
}
