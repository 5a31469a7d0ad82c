package apiserver

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// answersKept is how long an answer is given again: somebody who asks in a loop
	// gets what was true just now, and costs nothing.
	answersKept = 200 * time.Millisecond
	// questionSlots bounds the questions about single jobs that are under way at
	// Temporal. Whoever asks more waits: heartbeats of shifts go through the same
	// servers, and must not wait for readers.
	questionSlots = 32
)

// answers asks equal questions that arrive together once, and keeps each answer for a
// moment. A command through this server ends that moment: who asks after it has
// returned sees its effect.
type answers struct {
	keep   time.Duration
	slots  chan struct{}
	flight singleflight.Group
	// commands counts what has been ordered through this server.
	commands atomic.Uint64

	mu    sync.Mutex // guards the fields below
	kept  map[string]keptAnswer
	swept time.Time
}

type keptAnswer struct {
	answer any
	until  time.Time
}

func newAnswers() *answers {
	return &answers{keep: answersKept, slots: make(chan struct{}, questionSlots), kept: map[string]keptAnswer{}}
}

// forget drops all answers, and those that are still to come of questions that were
// asked before.
func (a *answers) forget() { a.commands.Add(1) }

// once answers a question, and again for as long as keep says. what names its kind;
// two questions of one kind about one job are equal. Callers share the answer, and must not change what it refers to.
func once[T any](ctx context.Context, a *answers, keep time.Duration, what, name string, find func(context.Context) (T, error)) (none T, _ error) {
	key := func() string { return fmt.Sprintf("%d %s %s", a.commands.Load(), what, name) }
	for {
		key, first := key(), false
		if known, ok := a.known(key); ok {
			return known.(T), nil
		}
		answer, err, _ := a.flight.Do(key, func() (any, error) {
			first = true
			found, err := find(ctx)
			if err == nil && keep > 0 {
				a.put(key, found, keep)
			}
			return result[T]{found, err, ctx.Err() != nil}, nil
		})
		if err != nil {
			return none, err
		}
		r := answer.(result[T])
		if first || !r.left || ctx.Err() != nil {
			return r.answer, r.err
		}
	}
}

// result is what one caller has found for all who ask the same.
type result[T any] struct {
	answer T
	err    error
	left   bool // the caller did not wait any more: the others ask anew
}

// slotted is find when there is room for one more question.
func slotted[T any](a *answers, find func(context.Context) (T, error)) func(context.Context) (T, error) {
	return func(ctx context.Context) (none T, _ error) {
		select {
		case a.slots <- struct{}{}:
			defer func() { <-a.slots }()
			return find(ctx)
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
}

func (a *answers) known(key string) (any, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.kept[key]
	return k.answer, ok && time.Now().Before(k.until)
}

func (a *answers) put(key string, answer any, keep time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if now.Sub(a.swept) > answersKept {
		for key, k := range a.kept {
			if now.After(k.until) {
				delete(a.kept, key)
			}
		}
		a.swept = now
	}
	a.kept[key] = keptAnswer{answer, now.Add(keep)}
}
