package activities

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// defaultHeartbeatTimeout is the heartbeat timeout of an attempt that was started
// without one, in tests.
const defaultHeartbeatTimeout = 10 * time.Second

// confirmedHeartbeat sends one heartbeat and waits for the answer. The heartbeats
// of the SDK do not tell whether they arrived, and an attempt whose heartbeats do
// not arrive may already have a successor.
type confirmedHeartbeat func(context.Context, job.Heartbeat) error

// toServer is the confirmedHeartbeat of the activity that runs in ctx.
func toServer(ctx context.Context) confirmedHeartbeat {
	client := activity.GetClient(ctx)
	token := activity.GetInfo(ctx).TaskToken
	return func(ctx context.Context, b job.Heartbeat) error {
		return client.RecordActivityHeartbeat(ctx, token, b.Details()...)
	}
}

var (
	// errAsked: the workflow wants the attempt to end.
	errAsked = errors.New("asked to stop")
	// errLost: another attempt runs this step or shift, or soon will.
	errLost = errors.New("this attempt is no longer the current one")
)

// heartbeater keeps the server informed of an attempt at a step or a shift, and
// knows when the server has last acknowledged that. Each acknowledged heartbeat
// gives the attempt the right to act for its job for one heartbeat timeout. The
// last half of that time is left to the transactions already under way
// (architecture.md 4.5).
type heartbeater struct {
	timeout time.Duration
	confirm confirmedHeartbeat
	// repeat sends the latest report once more; what went wrong is in the state.
	repeat func(context.Context)
	// pause is the time between two of these while there is something new to tell, or the
	// last one has failed; rest is the time while there is not.
	pause, rest func() time.Duration
	// watch adds a problem to a report that shows no progress for too long.
	watch func(job.Heartbeat, time.Time) job.Heartbeat
	// end ends the attempt.
	end context.CancelCauseFunc

	// sending is held while a confirmed heartbeat is under way: one at a time, in
	// order.
	sending sync.Mutex

	mu           sync.Mutex // guards the fields below, and the calls of watch
	latest       job.Heartbeat
	told         job.Heartbeat // what the last one said that the server has acknowledged
	unsaid       bool          // latest says more
	failed       bool          // the last one was not acknowledged
	acknowledged time.Time     // when the last heartbeat was sent that the server has acknowledged
	took         time.Duration // the longest time an acknowledgement has taken lately
	asked        time.Time     // when mayAct began to ask; a shift asks all the time
	news         chan struct{} // to run: there is something new to tell
}

// newHeartbeater makes what heartbeaters of steps and shifts have in common. Its
// repeated heartbeats are confirmed ones. end ends the attempt.
func newHeartbeater(confirm confirmedHeartbeat, timeout time.Duration, end context.CancelCauseFunc) *heartbeater {
	if timeout <= 0 {
		timeout = defaultHeartbeatTimeout
	}
	h := &heartbeater{
		timeout: timeout, confirm: confirm, end: end, acknowledged: time.Now(),
		watch: func(b job.Heartbeat, _ time.Time) job.Heartbeat { return b },
		news:  make(chan struct{}, 1),
	}
	h.pause, h.rest = h.longestPause, h.longestRest
	h.repeat = func(ctx context.Context) { _ = h.acknowledge(ctx, h.patience()) }
	return h
}

const (
	// shortestPause is the pause between heartbeats of a process with few shifts that have
	// something to tell: job_status answers from the heartbeats.
	shortestPause = 700 * time.Millisecond
	// heartbeatCost is how much a further shift stretches the pause: each
	// heartbeat is a write for the server, about 4 ms of its CPU (temporal-measured.md 2),
	// so a process sends at most 50 a second.
	heartbeatCost = 20 * time.Millisecond
)

// pauseOf is the pause between heartbeats that a process with n shifts can afford.
func pauseOf(n int64) time.Duration {
	return max(shortestPause, time.Duration(n)*heartbeatCost)
}

// longestPause is short enough that one heartbeat may fail before the attempt
// may not begin anything new (temporal-measured.md 5: throttle <= 0.4 T).
func (h *heartbeater) longestPause() time.Duration { return h.timeout * 3 / 10 }

// longestRest is how long an idle shift says nothing: each heartbeat is a write for the
// server, and they are most of what idle jobs cost it. An answer may take a second before
// the attempt loses the right to begin something, and one that fails is repeated soon. How
// soon the server notices that a worker is dead does not depend on it.
func (h *heartbeater) longestRest() time.Duration {
	return max(h.longestPause(), min(h.timeout*4/10, h.timeout/2-time.Second))
}

const (
	// nearServerRest is the longest rest where the server is in this process, in quarters of
	// the timeout: nothing lies between them that can fail for itself, and nobody else
	// notices a worker that has died with its server.
	nearServerRest = 3
	// slowServer is how many times as long as its answers have taken lately a rest is
	// shorter there: a server that has much to do is told earlier.
	slowServer = 10
)

// longestRestNear is longestRest where the server is in this process. It may exceed the
// right to act: an idle shift that gets something to do asks first, for the time of an
// answer.
func (h *heartbeater) longestRestNear() time.Duration {
	h.mu.Lock()
	took := h.took
	h.mu.Unlock()
	return max(h.longestRest(), h.timeout*nearServerRest/4-slowServer*took)
}

// shiftHeartbeater makes the heartbeater of a shift. A shift waits for the answer to
// each heartbeat.
func (a *Activities) shiftHeartbeater(ctx context.Context, end context.CancelCauseFunc) *heartbeater {
	h := newHeartbeater(a.heartbeats(ctx), activity.GetInfo(ctx).HeartbeatTimeout, end)
	h.pause = func() time.Duration { return min(h.longestPause(), pauseOf(a.shifts.Load())) }
	if a.NearServer {
		h.rest = h.longestRestNear
	}
	h.watch = new(shiftWatchdog).watch
	return h
}

// stepHeartbeater makes the heartbeater of a step. Steps are many and mostly wait,
// so the SDK sends their heartbeats, no more than its throttle allows. Only when
// a step is about to change something does it wait for an answer (mayAct).
func (a *Activities) stepHeartbeater(ctx context.Context, end context.CancelCauseFunc) *heartbeater {
	send := func(sendCtx context.Context, b job.Heartbeat) error { return a.heartbeats(ctx)(sendCtx, b) }
	h := newHeartbeater(send, activity.GetInfo(ctx).HeartbeatTimeout, end)
	h.pause = func() time.Duration { return h.timeout / 4 }
	h.rest = h.pause
	h.watch = (&stepWatchdog{step: job.StepName(activity.GetInfo(ctx).ActivityType.Name)}).watch
	// The activity's own context: the SDK uses it beyond the call, when it sends what
	// its throttle held back.
	h.repeat = func(context.Context) { activity.RecordHeartbeat(ctx, h.current()) }
	return h
}

// run repeats the latest report until ctx is done.
func (h *heartbeater) run(ctx context.Context) {
	sent := time.Now()
	timer := time.NewTimer(h.due())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.news:
		case <-timer.C:
		}
		if time.Since(sent) >= h.due() {
			sent = time.Now() // a slow answer does not delay the next one
			h.repeat(ctx)
		}
		timer.Reset(max(0, h.due()-time.Since(sent)))
	}
}

// due is how long after the last heartbeat the next one is.
func (h *heartbeater) due() time.Duration {
	h.mu.Lock()
	soon := h.failed || h.unsaid
	h.mu.Unlock()
	if soon {
		return h.pause()
	}
	return h.rest()
}

// saysMore tells whether a report says something that another one does not, except when
// it was made, and when the source was found to have nothing new.
func saysMore(b, told job.Heartbeat) bool {
	if b.Position != told.Position {
		return true
	}
	for _, r := range []*job.Heartbeat{&b, &told} {
		r.At, r.Lag.ObservedAt, r.Comparing = time.Time{}, time.Time{}, nil
	}
	return !reflect.DeepEqual(b, told)
}

// report takes the attempt's latest report; the next heartbeat carries it.
func (h *heartbeater) report(b job.Heartbeat) {
	b.At = time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.latest = b
	if h.unsaid = saysMore(b, h.told); h.unsaid {
		select {
		case h.news <- struct{}{}:
		default:
		}
	}
}

// last returns the attempt's latest report.
func (h *heartbeater) last() job.Heartbeat {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latest
}

// current is what a heartbeat has to say now.
func (h *heartbeater) current() job.Heartbeat {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.watch(h.latest, time.Now())
}

// alive tells whether the attempt may start something new.
func (h *heartbeater) alive() bool { return h.silence() < h.timeout/2 }

// ours tells whether the server cannot have given the shift to somebody else: it does
// so after a timeout without heartbeats.
func (h *heartbeater) ours() bool { return h.silence() < h.timeout*9/10 }

// silence is how long ago the server has acknowledged a heartbeat, by the clock
// that says more: the monotonic one stands still while a virtual machine is
// suspended.
func (h *heartbeater) silence() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	return max(now.Sub(h.acknowledged), now.Round(0).Sub(h.acknowledged.Round(0)))
}

// waited is how long ago mayAct began to ask.
func (h *heartbeater) waited() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.asked)
}

// mayAct makes sure that a step's attempt is still the current one, by a heartbeat
// unless one has been acknowledged lately.
func (h *heartbeater) mayAct(ctx context.Context) error {
	if h.alive() {
		return nil
	}
	h.mu.Lock()
	h.asked = time.Now() // nobody has tried to have one acknowledged before
	h.mu.Unlock()
	return h.awaitAcknowledgement(ctx)
}

// checkpoint reports where the shift is before it returns.
func (h *heartbeater) checkpoint(ctx context.Context, b job.Heartbeat) error {
	h.report(b)
	return h.awaitAcknowledgement(ctx)
}

// awaitAcknowledgement tries as long as the right to act lasts: a server that
// restarts is no reason to end an attempt.
func (h *heartbeater) awaitAcknowledgement(ctx context.Context) error {
	const pause = 200 * time.Millisecond
	for {
		err := h.acknowledge(ctx, h.shortPatience())
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errAsked), errors.Is(err, errLost):
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// shortPatience is how long an answer is waited for if there may be another try.
func (h *heartbeater) shortPatience() time.Duration { return max(h.longestPause(), time.Second) }

// patience is how long the answer to a repeated heartbeat is waited for: for as long as the
// attempt has the right to live if there is no time for another try. A process with very
// many shifts makes few tries, and a server with much to do answers all of them late: giving
// them up would make it take each shift for lost, and do much more.
func (h *heartbeater) patience() time.Duration {
	short, left := h.shortPatience(), h.timeout-h.silence()
	if left-short-h.pause() >= time.Second {
		return short
	}
	return max(short, left)
}

// acknowledge sends one heartbeat and notes the answer. It ends the attempt when
// the answer says so, or when there has been none for a heartbeat timeout.
func (h *heartbeater) acknowledge(ctx context.Context, patience time.Duration) error {
	h.sending.Lock()
	defer h.sending.Unlock()
	rpcCtx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// The server counts from when it got the heartbeat, so this side counts
	// from when it sent it.
	sent, b := time.Now(), h.current()
	err := h.confirm(rpcCtx, b)
	h.mu.Lock()
	h.failed = err != nil
	h.took = max(time.Since(sent), h.took*3/4)
	if err == nil {
		h.acknowledged, h.told = sent, b
		h.unsaid = saysMore(h.latest, b)
	}
	h.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case temporal.IsCanceledError(err):
		err = errAsked
	case isGone(err):
		err = fmt.Errorf("%w: %w", errLost, err)
	case h.silence() >= h.timeout && h.waited() >= h.timeout:
		err = fmt.Errorf("%w: no heartbeat was acknowledged for %s: %w", errLost, h.timeout, err)
	default:
		return fmt.Errorf("send heartbeat: %w", err)
	}
	h.end(err)
	return err
}

// isGone tells answers after which this attempt has nothing to say any more:
// it timed out, its workflow has ended, or a person paused or reset it.
func isGone(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound) || errors.Is(err, activity.ErrActivityPaused) || errors.Is(err, activity.ErrActivityReset)
}
