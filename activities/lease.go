package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// pulse sends one heartbeat and waits for the answer. A shift sends its
// heartbeats itself, because those of the SDK do not tell whether they arrived,
// and a shift whose heartbeats do not arrive may already have a successor.
type pulse func(context.Context, job.Heartbeat) error

// serverPulse is the pulse of the activity that runs in ctx.
func serverPulse(ctx context.Context) pulse {
	client := activity.GetClient(ctx)
	token := activity.GetInfo(ctx).TaskToken
	return func(ctx context.Context, b job.Heartbeat) error {
		return client.RecordActivityHeartbeat(ctx, token, b)
	}
}

var (
	// errAsked: the workflow wants the shift to end.
	errAsked = errors.New("asked to stop")
	// errLost: another attempt runs this shift, or soon will.
	errLost = errors.New("this attempt is no longer the current one")
)

// lease is the right of an attempt to act for its job. Each acknowledged
// heartbeat renews it for one heartbeat timeout; the last half of that time is
// left to the transactions already under way (architecture.md 4.5).
type lease struct {
	pulse   pulse
	timeout time.Duration
	end     context.CancelCauseFunc
	// pace is the pause between heartbeats that this process can afford, nil for
	// the longest.
	pace func() time.Duration

	sending sync.Mutex // one heartbeat at a time, in order

	mu       sync.Mutex
	latest   job.Heartbeat
	renewed  time.Time
	asked    time.Time // when a step wanted to know; shifts ask all the time
	watchdog watchdog
}

func newLease(p pulse, timeout time.Duration, end context.CancelCauseFunc) *lease {
	return &lease{pulse: p, timeout: timeout, end: end, renewed: time.Now()}
}

// stepLease is the right of an attempt at a step. Unlike a shift's it is renewed
// only when something is to be changed, for the SDK sends the heartbeats.
func (a *Activities) stepLease(h *hum, end context.CancelCauseFunc) *lease {
	timeout := activity.GetInfo(h.activity).HeartbeatTimeout
	if timeout <= 0 {
		timeout = defaultLeaseTime
	}
	send := func(ctx context.Context, b job.Heartbeat) error { return a.pulse(h.activity)(ctx, b) }
	return newLease(send, timeout, end)
}

// confirm makes sure that this attempt is still the current one, by a heartbeat
// unless one has been acknowledged lately.
func (l *lease) confirm(ctx context.Context, b job.Heartbeat) error {
	if l.alive() {
		return nil
	}
	l.mu.Lock()
	l.asked = time.Now() // nobody has tried to renew it before
	l.mu.Unlock()
	return l.checkpoint(ctx, b)
}

// interval is the pause between heartbeats: short enough that one may fail
// before the shift has to hold its breath (temporal-measured.md 5: throttle <= 0.4 T).
func (l *lease) interval() time.Duration { return l.timeout * 3 / 10 }

const (
	// eagerInterval is the pause between heartbeats of a process with few
	// shifts: what job_status and get_lag tell is as fresh as the heartbeats.
	eagerInterval = 700 * time.Millisecond
	// heartbeatCost is how much a further shift stretches the pause: each
	// heartbeat is a write for the server, about 4 ms of its CPU (temporal-measured.md 2),
	// so a process sends at most 50 a second.
	heartbeatCost = 20 * time.Millisecond
)

// eagerness is the pause between heartbeats of a process with n shifts.
func eagerness(n int64) time.Duration {
	return max(eagerInterval, time.Duration(n)*heartbeatCost)
}

// pause is the time until the next heartbeat.
func (l *lease) pause() time.Duration {
	if l.pace == nil {
		return l.interval()
	}
	return min(l.interval(), l.pace())
}

// keep renews the lease until ctx is done.
func (l *lease) keep(ctx context.Context) {
	timer := time.NewTimer(l.pause())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			// What went wrong is in the state of the lease.
			_ = l.renew(ctx)
			timer.Reset(l.pause())
		}
	}
}

// note takes the shift's latest report; the next heartbeat carries it.
func (l *lease) note(b job.Heartbeat) {
	b.At = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest = l.watchdog.watch(b, b.At)
}

// last returns the shift's latest report.
func (l *lease) last() job.Heartbeat {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest
}

// alive tells whether the shift may start something new.
func (l *lease) alive() bool { return l.age() < l.timeout/2 }

// age is how long ago the lease was renewed, by the clock that says more: the
// monotonic one stands still while a virtual machine is suspended.
func (l *lease) age() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	return max(now.Sub(l.renewed), now.Round(0).Sub(l.renewed.Round(0)))
}

// waited is how long ago a step began to ask.
func (l *lease) waited() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.asked)
}

// checkpoint reports where the shift is before it returns. It tries as long as
// the lease lasts: a server that restarts is no reason to end a shift.
func (l *lease) checkpoint(ctx context.Context, b job.Heartbeat) error {
	l.note(b)
	const pause = 200 * time.Millisecond
	for {
		err := l.renew(ctx)
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

// renew sends one heartbeat. It ends the shift when the answer says so, or when
// the lease has run out.
func (l *lease) renew(ctx context.Context) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	rpcCtx, cancel := context.WithTimeout(ctx, max(l.interval(), time.Second))
	defer cancel()
	// The server counts from when it got the heartbeat, so this side counts
	// from when it sent it.
	sent := time.Now()
	err := l.pulse(rpcCtx, l.last())
	switch {
	case err == nil:
		l.mu.Lock()
		l.renewed = sent
		l.mu.Unlock()
		return nil
	case temporal.IsCanceledError(err):
		err = errAsked
	case isGone(err):
		err = fmt.Errorf("%w: %w", errLost, err)
	case l.age() >= l.timeout && l.waited() >= l.timeout:
		err = fmt.Errorf("%w: no heartbeat was acknowledged for %s: %w", errLost, l.timeout, err)
	default:
		return fmt.Errorf("send heartbeat: %w", err)
	}
	l.end(err)
	return err
}

// isGone tells answers after which this attempt has nothing to say any more:
// it timed out, its workflow has ended, or a person paused or reset it.
func isGone(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound) || errors.Is(err, activity.ErrActivityPaused) || errors.Is(err, activity.ErrActivityReset)
}
