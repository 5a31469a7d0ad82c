package verify

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// steadily makes a world in which a load reaches the destination during each query of
// it, unless the stream holds it back.
func steadily() *world {
	w := quiet()
	w.obeys = 100
	w.refuse = func(statement string) error {
		if strings.Contains(statement, "sum(") && strings.Contains(statement, "`copy`") {
			w.load()
		}
		return nil
	}
	return w
}

// load loads a row, which the destination shows at once if it may. It needs the lock.
func (w *world) load() {
	next := w.loads[len(w.loads)-1]
	next[w.r.IntN(buckets)]++
	w.loads = append(w.loads, next)
	for w.applied < len(w.loads) && !w.isHeld() {
		w.applied++
	}
	w.visible = w.applied
}

// TestHold: what is written during each query of the destination is compared with a
// hold, and not without.
func TestHold(t *testing.T) {
	never := time.Duration(0)
	w := steadily()
	got := verifyWorld(t, w)
	require.Equal(t, job.VerifyEqual, got.Outcome, got.Why)
	require.NotZero(t, w.holds)
	require.True(t, w.held.Over, "it is ended at once")
	require.Equal(t, time.Duration(w.holds)*time.Microsecond, got.Held)

	w = steadily()
	got = verifyWorld(t, w, func(in *job.VerifyTableInput, _ *Hooks) { in.Request.Hold = &never })
	require.Equal(t, job.VerifyBusy, got.Outcome)
	require.Contains(t, got.Why, "it was written during")
	require.Zero(t, w.holds)

	w = steadily()
	w.planted = true
	got = verifyWorld(t, w)
	require.NotEqual(t, job.VerifyEqual, got.Outcome)

	w = quiet()
	w.obeys = 100
	verifyWorld(t, w)
	require.Zero(t, w.holds, "what is not written is not held")
}

// TestHoldsAreBounded: a stream that obeys in vain is not held again and again, and a
// query that takes longer than a hold needs none.
func TestHoldsAreBounded(t *testing.T) {
	w := steadily()
	w.refuse = func(statement string) error {
		if strings.Contains(statement, "sum(") && strings.Contains(statement, "`copy`") {
			w.heldFor = 0
			w.load()
		}
		return nil
	}
	require.Equal(t, job.VerifyBusy, verifyWorld(t, w).Outcome)
	require.LessOrEqual(t, w.holds, holdsOfUnit*(1+buckets))
	require.NotZero(t, w.holds)

	second := time.Second
	v := &verification{limits: defaultLimits, in: job.VerifyTableInput{Request: job.VerifyRequest{Hold: &second}}}
	u := &unit{}
	u.took.source, u.took.destination = 10*time.Millisecond, 100*time.Millisecond
	require.Equal(t, 530*time.Millisecond, v.holdLimit(u))
	u.took.destination = time.Second
	require.Equal(t, second, v.holdLimit(u))
	u.took.destination = 2 * time.Second
	require.Zero(t, v.holdLimit(u))
}

// TestHoldRests: what commits have waited is made up for before they wait again.
func TestHoldRests(t *testing.T) {
	s := NewShared()
	require.LessOrEqual(t, s.restOf("j"), time.Duration(0))
	s.rest("j", time.Hour)
	s.rest("j", time.Minute)
	require.Greater(t, s.restOf("j"), 59*time.Minute)
	require.LessOrEqual(t, s.restOf("other"), time.Duration(0))
}

// TestBusyByBuckets: a partition that is written during each query of it as a whole is
// compared by its buckets, whose queries are shorter.
func TestBusyByBuckets(t *testing.T) {
	w := quiet()
	w.refuse = func(statement string) error {
		if strings.Contains(statement, "sum(") && !strings.Contains(statement, "TABLET") {
			w.load()
		}
		return nil
	}
	got := verifyWorld(t, w)
	require.Equal(t, job.VerifyEqual, got.Outcome, got.Why)
}

// TestPauses: what is written all the time is given up the sooner, the quicker its
// queries are; a job that is behind is waited for.
func TestPauses(t *testing.T) {
	v := &verification{limits: defaultLimits}
	quick, slow, late := &unit{}, &unit{late: false}, &unit{late: true}
	slow.took.source = 2 * time.Second
	require.Equal(t, shortPause, v.longestPause([]*unit{quick}))
	require.Equal(t, 8*time.Second, v.longestPause([]*unit{quick, slow}))
	slow.took.destination = time.Minute
	require.Equal(t, defaultLimits.longest, v.longestPause([]*unit{slow}))
	require.Equal(t, defaultLimits.longest, v.longestPause([]*unit{quick, late}))
}
