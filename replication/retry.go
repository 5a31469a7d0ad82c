package replication

import (
	"context"
	"time"
)

// backoff spaces the tries of something that failed, from firstDelay doubling
// to maxDelay, until its budget is used up. The zero failure resets it.
type backoff struct {
	budget time.Duration
	since  time.Time // of the first failure in a row
	delay  time.Duration
	tries  int
}

const (
	firstDelay = 50 * time.Millisecond
	maxDelay   = 2 * time.Second
)

// failed notes a failure and sleeps before the next try. It returns false when
// the budget is used up or ctx is done.
func (b *backoff) failed(ctx context.Context) bool {
	now := time.Now()
	if b.tries == 0 {
		b.since, b.delay = now, firstDelay
	}
	b.tries++
	if now.Sub(b.since) >= b.budget {
		return false
	}
	if !sleep(ctx, b.delay) {
		return false
	}
	b.delay = min(2*b.delay, maxDelay)
	return true
}

// succeeded forgets earlier failures.
func (b *backoff) succeeded() { b.tries = 0 }

// sleep waits for d; false means that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
