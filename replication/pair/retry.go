package pair

import (
	"context"
	"time"
)

// Backoff spaces the tries of something that failed, from FirstDelay doubling
// to MaxDelay, until its budget is used up. The zero failure resets it.
type Backoff struct {
	Budget time.Duration
	since  time.Time // of the first failure in a row
	delay  time.Duration
	Tries  int
}

// The delays of a Backoff.
const (
	FirstDelay = 50 * time.Millisecond
	MaxDelay   = 2 * time.Second
)

// Failed notes a failure and sleeps before the next try. It returns false when
// the budget is used up or ctx is done.
func (b *Backoff) Failed(ctx context.Context) bool {
	now := time.Now()
	if b.Tries == 0 {
		b.since, b.delay = now, FirstDelay
	}
	b.Tries++
	if now.Sub(b.since) >= b.Budget {
		return false
	}
	if !Sleep(ctx, b.delay) {
		return false
	}
	b.delay = min(2*b.delay, MaxDelay)
	return true
}

// Succeeded forgets earlier failures.
func (b *Backoff) Succeeded() { b.Tries = 0 }

// Sleep waits for d; false means that ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
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
